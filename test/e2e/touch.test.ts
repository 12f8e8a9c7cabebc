import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { startProduct, type Product } from '../product.ts'
import { startWebsite, type Website } from '../website.ts'
import { openBrowser, openPage } from './browser.ts'

/** The script on somebody's website, in a real browser: a page of another origin than Leadhand's. */
let product: Product
let website: Website
let browser: Browser
let token: string

const LIMIT = 3_000

beforeAll(async () => {
  website = await startWebsite()
  product = await startProduct()
  const made = await product.api('/api/intake-sources', {
    body: { name: 'Shop', origins: [website.url], wake_agent: false },
  })
  token = made.body.token
  const pageOf = (snippet: string) => `<!doctype html><title>Shop</title><iframe name="sink"></iframe>
    <form method="post" action="${product.url}/intake/webhook/${token}" target="sink">
      <input name="name"><input name="email"><input name="source" type="hidden" value="Contact form"><button>Send</button>
    </form>
    <form method="get" action="/search"><input name="q"></form>${snippet}`
  website.publish({
    '/': pageOf(made.body.snippet),
    '/next': pageOf(made.body.snippet),
    '/pinned': pageOf(
      made.body.snippet.replace(
        ' defer>',
        ` defer integrity="${made.body.script_integrity}" crossorigin="anonymous">`,
      ),
    ),
  })
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await product.stop()
  await website.stop()
})

/** A visitor of the shop; `told` are the visits that their browser tells of. */
const visitor = async () => {
  const { page, faults } = await openPage(browser)
  const told: { visitor_id: string; page: string; referrer: string }[] = []
  page.on('request', (request) => {
    if (request.url().includes('/intake/touch/')) told.push(JSON.parse(request.postData() ?? '{}'))
  })
  return { page, faults, told }
}
const consent = (page: Page, yes: boolean): Promise<boolean> =>
  page.evaluate<boolean>(`leadhand.consent(${yes})`)
const storage = (page: Page) =>
  page.evaluate<{ kept: string[]; cookies: string }>(
    '({ kept: Object.keys(localStorage).concat(Object.keys(sessionStorage)), cookies: document.cookie })',
  )
const write = async (page: Page, name: string): Promise<string> => {
  const email = `${name.toLowerCase()}@moss.example`
  await page.fill('[name=name]', name)
  await page.fill('[name=email]', email)
  await page.click('button')
  const lead = await eventually(
    async () => (await product.api(`/api/leads?q=${encodeURIComponent(email)}`)).body.data[0],
  )
  return lead.id
}
const trail = async (lead_id: string) => (await product.api(`/api/leads/${lead_id}/touchpoints`)).body.data

test(`F36: the script is at most ${LIMIT} bytes as it is served, and a browser keeps it`, async () => {
  const response = await fetch(`${product.url}/touch.js`, { headers: { 'accept-encoding': 'identity' } })
  const bytes = (await response.arrayBuffer()).byteLength
  process.stdout.write(`touch.js: ${bytes} bytes as served, of ${LIMIT}\n`)
  expect(bytes).toBeLessThanOrEqual(LIMIT)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': expect.stringContaining('max-age=3600'),
    'access-control-allow-origin': '*',
  })
  expect(response.headers.get('set-cookie')).toBeNull()
  const again = await fetch(`${product.url}/touch.js`, {
    headers: { 'if-none-match': response.headers.get('etag') ?? '' },
  })
  expect([again.status, await again.text()]).toEqual([304, ''])
})

test('F36: before a visitor agrees nothing is sent and nothing kept; nor after they refuse', async () => {
  const { page, told, faults } = await visitor()
  await page.goto(`${website.url}/?utm_source=newsletter&utm_campaign=spring`)
  await page.goto(`${website.url}/next?utm_campaign=spring`)
  expect(await storage(page)).toEqual({ kept: [], cookies: '' })
  expect(await consent(page, false)).toBe(false)
  expect(await storage(page)).toEqual({ kept: [], cookies: '' })
  const lead = await write(page, 'Ada')
  expect(told).toEqual([])
  expect(await trail(lead)).toMatchObject([{ door: 'webhook', source: 'Contact form', visitor_id: null }])
  expect(faults).toEqual([])
})

test('F36: a visitor who agrees is remembered, and what they write brings their visits to the lead', async () => {
  const { page, told, faults } = await visitor()
  await page.goto(`${website.url}/?utm_source=newsletter&utm_campaign=spring&email=cy@moss.example#a`)
  const recorded = page.waitForResponse(/\/intake\/touch\//).catch(() => undefined)
  expect(await consent(page, true)).toBe(true)
  await recorded
  await page.goto(`${website.url}/next`)
  await page.reload()
  expect(told).toHaveLength(1)
  expect(told[0]).toMatchObject({
    page: `${website.url}/?utm_source=newsletter&utm_campaign=spring`,
    referrer: '',
  })
  expect(JSON.stringify(told)).not.toContain('cy@moss')
  await page.goto(`${website.url}/?gclid=Cj0`)
  await eventually(() => told.length === 2)
  expect((await storage(page)).cookies).toBe('')
  const id = await page.evaluate<string>('leadhand.visitor()')
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(new Set(told.map(({ visitor_id }) => visitor_id))).toEqual(new Set([id]))
  // Forms that post carry it; a search would put it into an address.
  expect(await page.locator('form[method=post] [name=leadhand_visitor]').inputValue()).toBe(id)
  expect(await page.locator('form[method=get] [name=leadhand_visitor]').count()).toBe(0)
  const lead = await write(page, 'Cy')
  const touches = await eventually(async () => {
    const found = await trail(lead)
    return found.length === 3 ? found : undefined
  })
  expect(touches).toMatchObject([
    {
      campaign: 'spring',
      source: 'newsletter',
      landing_page: `${website.url}/`,
      door: 'website',
      consent: true,
    },
    { source: 'google', medium: 'cpc', click_ids: { gclid: 'Cj0' }, visitor_id: id },
    { source: 'Contact form', door: 'webhook', visitor_id: id },
  ])
  expect((await product.api(`/api/leads/${lead}`)).body).toMatchObject({
    first_touch: { campaign: 'spring' },
    last_touch: { source: 'Contact form' },
  })
  // Taken back, nothing is left in the browser, and nothing more is sent.
  expect(await consent(page, false)).toBe(false)
  expect(await storage(page)).toEqual({ kept: [], cookies: '' })
  expect(await page.locator('[name=leadhand_visitor]').count()).toBe(0)
  await page.goto(`${website.url}/?utm_campaign=later`)
  expect(told).toHaveLength(2)
  expect(faults).toEqual([])
})

test('whoever asks not to be followed is not, also when they agree', async () => {
  for (const signal of ['globalPrivacyControl', 'doNotTrack']) {
    const { page, told } = await visitor()
    const value = signal === 'doNotTrack' ? "'1'" : 'true'
    await page.addInitScript(
      `Object.defineProperty(Navigator.prototype, '${signal}', { get: () => ${value}, configurable: true })`,
    )
    await page.goto(`${website.url}/?utm_campaign=spring`)
    expect(await consent(page, true)).toBe(false)
    expect(await storage(page)).toEqual({ kept: [], cookies: '' })
    expect(told).toEqual([])
  }
})

test('a website that wants this very script pins it, and a page of another site is not heard', async () => {
  const { page, told, faults } = await visitor()
  await page.goto(`${website.url}/pinned`)
  expect(await consent(page, true)).toBe(true)
  await eventually(() => told.length === 1)
  expect(faults).toEqual([])
  const elsewhere = await startWebsite({
    '/': `<!doctype html><title>Copy</title><script src="${product.url}/touch.js" data-token="${token}" data-consent="granted" defer></script>`,
  })
  try {
    const copy = await visitor()
    const refused = copy.page.waitForResponse(/\/intake\/touch\//)
    await copy.page.goto(elsewhere.url)
    expect((await refused).status()).toBe(403)
  } finally {
    await elsewhere.stop()
  }
})
