import { existsSync } from 'node:fs'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import bundled from '@sparticuz/chromium'
import { chromium, type Browser, type Page } from 'playwright-core'
import { expect } from 'vitest'

/** Where screenshots of a run are left for a look; not kept in git. */
const SHOTS = path.join(import.meta.dirname, 'shots')

/** A real Chromium: the one of the system where there is one, else the one that an npm package brings. */
export const openBrowser = async (): Promise<Browser> =>
  chromium.launch({
    executablePath: existsSync('/usr/bin/chromium') ? '/usr/bin/chromium' : await bundled.executablePath(),
    args: [
      '--no-sandbox',
      '--headless=shell',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-quic',
      '--font-render-hinting=none',
    ],
  })

/** A page whose errors fail the test that opened it: exceptions, and what the content policy blocked. */
export const openPage = async (
  browser: Browser,
  options: { scheme?: 'light' | 'dark'; width?: number; height?: number } = {},
): Promise<{ page: Page; faults: string[] }> => {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.scheme ?? 'light',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text())
  })
  return { page, faults }
}

/** Signs in as a person does. */
export const signIn = async (
  page: Page,
  product: { url: string; email: string; password: string },
): Promise<void> => {
  await page.goto(`${product.url}/`)
  await page.getByLabel('E-mail').fill(product.email)
  await page.getByLabel('Password').fill(product.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Leads' }).waitFor()
}

/** No violation of WCAG 2.2 A and AA that axe can find; leaves a screenshot. */
export const expectAccessible = async (page: Page, name: string): Promise<void> => {
  mkdirSync(SHOTS, { recursive: true })
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) })
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze()
  expect(
    violations.map(
      ({ id, nodes }) => `${name}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
    ),
  ).toEqual([])
}
