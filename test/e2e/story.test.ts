import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { startProduct, type Product } from '../product.ts'
import { startSmtp, type Smtp } from '../smtp.ts'
import { startWebsite, type Website } from '../website.ts'
import { expectAccessible, openBrowser, openPage, signIn } from './browser.ts'

/** The main job as a person sees it: clicked through in a real browser on the real product. */
let product: Product
let website: Website
let smtp: Smtp
let browser: Browser
let page: Page
let faults: string[]

beforeAll(async () => {
  website = await startWebsite()
  smtp = await startSmtp()
  product = await startProduct({
    SMTP_URL: smtp.url,
    MAIL_FROM: 'Mira Kern <mira@northwind.example>',
    ALLOW_PRIVATE_HOSTS: website.host,
  })
  browser = await openBrowser()
  ;({ page, faults } = await openPage(browser))
})
afterAll(async () => {
  await browser.close()
  await product.stop()
  await smtp.stop()
  await website.stop()
})

const post = async (name: string, email: string, message: string): Promise<void> => {
  const { status } = await product.post({
    name,
    email,
    message,
    title: 'Head of Operations',
    website: website.url,
  })
  expect(status).toBe(202)
}

const openCard = async (name: string): Promise<void> => {
  await page.goto(`${product.url}/crm/approvals`)
  await page.getByText(name).first().click()
  await page.getByRole('heading', { name: `wants to send 1 e-mail to ${name}` }).waitFor()
}

test('a wrong password is told, the right one lets in', async () => {
  await page.goto(`${product.url}/`)
  await page.getByLabel('E-mail').fill(product.email)
  await page.getByLabel('Password').fill('not the password')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
  await expectAccessible(page, 'sign-in')
  await signIn(page, product)
  await page.getByText('No leads yet').first().waitFor()
  await expectAccessible(page, 'leads-empty')
})

test('a lead that comes in appears without a reload, and so does what the agent makes of it', async () => {
  await page.goto(`${product.url}/crm/leads`)
  await page.getByText('No leads yet').first().waitFor()
  await post(
    'Ana Ruiz',
    'ana.ruiz@brightside.example',
    'What does it cost for 40 seats? We start next month.',
  )
  await page.getByText('Ana Ruiz').first().waitFor()
  await page.getByRole('row', { name: /Ana Ruiz.*Qualified.*need you/ }).waitFor()
  await expectAccessible(page, 'leads')
})

test('the lead’s page tells who did what and why, and shows the run step by step', async () => {
  await page.goto(`${product.url}/crm/leads`)
  await page.getByText('Ana Ruiz').first().click()
  await page.getByRole('main').getByRole('heading', { name: 'Ana Ruiz' }).waitFor()
  await page.getByText('What does it cost for 40 seats?').first().waitFor()
  await page
    .getByText(/Asks to buy/)
    .first()
    .waitFor()
  await page.getByText('Lead worker').first().waitFor()
  await expectAccessible(page, 'lead')
  const entries = page.getByText(/drafted an e-mail to/)
  await entries.first().waitFor()
  await page
    .getByRole('button', { name: 'People' })
    .or(page.getByRole('tab', { name: 'People' }))
    .or(page.getByRole('radio', { name: 'People' }))
    .first()
    .click()
  await eventually(async () => (await entries.count()) === 0)
  await page
    .getByRole('button', { name: 'Agents' })
    .or(page.getByRole('tab', { name: 'Agents' }))
    .or(page.getByRole('radio', { name: 'Agents' }))
    .first()
    .click()
  await entries.first().waitFor()
  await page.getByRole('link', { name: 'See run' }).first().click()
  await page.waitForURL(/\/runs\//)
  await page
    .getByText(/lead_worker|Lead worker/)
    .first()
    .waitFor()
  await expectAccessible(page, 'run')
})

test('the exact e-mail is read, edited and approved by mouse, and goes out once', async () => {
  await openCard('Ana Ruiz')
  await page.getByText('If you approve: 1 e-mail to ana.ruiz@brightside.example').first().waitFor()
  const body = (await product.api('/api/approvals?status=pending')).body.data.find(
    ({ tool }: any) => tool === 'send_email',
  ).input.body as string
  await page.getByText(body.split('\n')[2]!.slice(0, 40)).first().waitFor()
  await expectAccessible(page, 'approval')
  expect(smtp.arrived).toHaveLength(0)

  await page.getByRole('button', { name: /^Edit/ }).click()
  const field = page.getByRole('textbox', { name: /body|message/i })
  await field.fill(`${body}\nPS: We are closed on Friday.`)
  await page.getByRole('button', { name: /Approve edited version/ }).click()
  await eventually(() => smtp.received.length === 1)
  expect(smtp.received[0]?.text).toContain('PS: We are closed on Friday.')
  await page.goto(`${product.url}/crm/leads`)
  await page.getByText('Ana Ruiz').first().click()
  await page
    .getByText(/sent an e-mail to ana.ruiz@brightside.example/)
    .first()
    .waitFor()
  expect(smtp.received).toHaveLength(1)
})

test('a rejection by keys says why, can be undone for a moment, and nothing is sent', async () => {
  await post('Bo Lind', 'bo@lind.example', 'Please send an offer for 25 licences.')
  await eventually(async () =>
    (await product.api('/api/approvals?status=pending')).body.data.some(
      ({ input }: any) => input.to === 'bo@lind.example',
    ),
  )
  await openCard('Bo Lind')
  await page.keyboard.press('r')
  const dialog = page.getByRole('dialog')
  await dialog.getByText('Wrong tone').click()
  await dialog.getByRole('textbox').fill('Too formal for Bo.')
  await expectAccessible(page, 'reject')
  await dialog.getByRole('button', { name: /^Reject/ }).click()
  const rejected = await eventually(async () =>
    (await product.api('/api/approvals?status=rejected')).body.data.find(
      ({ input }: any) => input.to === 'bo@lind.example',
    ),
  )
  expect(rejected).toMatchObject({ decision_code: 'wrong_tone', decision_reason: 'Too formal for Bo.' })
  await page.getByRole('button', { name: 'Undo' }).first().click()
  await eventually(async () => (await product.api(`/api/approvals/${rejected.id}`)).body.status === 'pending')
  expect(smtp.arrived).toHaveLength(1)
})

test('approving by keys sends what leaves the company', async () => {
  await openCard('Bo Lind')
  await page.keyboard.press('Control+Enter')
  await eventually(() => smtp.received.some(({ to }) => to.includes('bo@lind.example')))
  expect(smtp.received.filter(({ to }) => to.includes('bo@lind.example'))).toHaveLength(1)
})

test('when the lead writes again, the old draft cannot be sent any more', async () => {
  await post('Cy Moss', 'cy@moss.example', 'Could we see a demo?')
  const draft = await eventually(async () =>
    (await product.api('/api/approvals?status=pending')).body.data.find(
      ({ input }: any) => input.to === 'cy@moss.example',
    ),
  )
  await openCard('Cy Moss')
  await post('Cy Moss', 'cy@moss.example', 'Forget the demo, what are your prices?')
  await eventually(async () => (await product.api(`/api/approvals/${draft.id}`)).body.status === 'withdrawn')
  await eventually(async () => (await page.getByRole('button', { name: /Approve and send/ }).count()) <= 1)
  expect((await product.api(`/api/approvals/${draft.id}/approve`, { body: {} })).status).toBe(409)
  expect(smtp.received.filter(({ to }) => to.includes('cy@moss.example'))).toHaveLength(0)
})

test('agents are paused by a switch, and a lead that comes in meanwhile is worked when they are on again', async () => {
  await page.goto(`${product.url}/crm/agents`)
  const isOn = async () => (await product.api('/api/settings')).body.ai_enabled
  const all = page.getByRole('switch', { name: 'Agents on for the whole organization' })
  await all.click()
  await eventually(async () => !(await isOn()))
  await page.getByText('Agents are switched off for the whole organization').first().waitFor()
  await expectAccessible(page, 'agents-off')
  await post('Dee Park', 'dee@park.example', 'Please send an offer for 10 licences.')
  const lead = await eventually(async () => (await product.api('/api/leads?q=dee@park.example')).body.data[0])
  await eventually(async () => (await product.api(`/api/leads/${lead.id}`)).body.run_status === 'stopped')
  await page.goto(`${product.url}/crm/leads/${lead.id}`)
  await page.getByText('stopped before the end').first().waitFor()

  await page.goto(`${product.url}/crm/agents`)
  await all.click()
  await eventually(isOn)
  await eventually(async () => (await product.api(`/api/leads/${lead.id}`)).body.run_status === 'done')

  const one = page.getByRole('switch', { name: 'Lead worker works' })
  const works = async () => (await product.api('/api/agents')).body.data[0].enabled
  await one.click()
  await eventually(async () => !(await works()))
  await page.getByText('Paused').first().waitFor()
  await one.click()
  await eventually(works)
})

test('F5: a switch lets an agent be woken by stuck leads, and it stays as it is set', async () => {
  await page.goto(`${product.url}/crm/agents`)
  const wakes = async () => (await product.api('/api/agents')).body.data[0].triggers['stage.stuck']
  const stuck = page.getByRole('switch', { name: 'Lead worker is woken: A lead is stuck in its stage' })
  expect([await stuck.getAttribute('aria-checked'), await wakes()]).toEqual(['false', false])
  await stuck.click()
  await eventually(wakes)
  await page.getByText('Lead worker looks at stuck leads').first().waitFor()
  await expectAccessible(page, 'agents-triggers')
  await page.reload()
  await eventually(async () => (await stuck.getAttribute('aria-checked')) === 'true')
  // By the keyboard as well.
  await stuck.focus()
  await page.keyboard.press('Space')
  await eventually(async () => !(await wakes()))
})

test('what was given up on is shown with its reason, and done when a person says so', async () => {
  const setModel = async (model: string | null) => {
    const [agent] = (await product.api('/api/agents')).body.data
    const body = { version: agent.version, model }
    expect((await product.api('/api/agents/lead_worker', { method: 'PATCH', body })).status).toBe(200)
  }
  await setModel('openai:nobody-has-a-key-for-it')
  await post('Eli Rowe', 'eli@rowe.example', 'Please send an offer for 5 licences.')
  await page.goto(`${product.url}/crm/failures`)
  const row = page.getByRole('listitem').filter({ hasText: 'Eli Rowe' })
  await row.getByText('OPENAI_API_KEY').waitFor()
  await expectAccessible(page, 'failures-one')
  await setModel(null)
  await row.getByRole('button', { name: 'Retry Eli Rowe' }).click()
  const lead = (await product.api('/api/leads?q=eli@rowe.example')).body.data[0]
  await eventually(async () => (await product.api(`/api/leads/${lead.id}`)).body.run_status === 'done')
  await row.waitFor({ state: 'detached' })
})

test('a submission that its source’s mapping does not fit waits under Lead intake', async () => {
  const made = await product.api('/api/intake-sources', {
    body: { name: 'Trade fair', mapping: { email: 'visitor.mail' } },
  })
  const sent = await fetch(`${product.url}/intake/webhook/${made.body.token}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Fay Holm', visitor: { email: 'fay@holm.example' } }),
  })
  expect(sent.status).toBe(202)
  await page.goto(`${product.url}/crm/settings/intake`)
  await page.getByRole('button', { name: 'Needs attention' }).click()
  await page.getByText('mapping does not fit').first().waitFor()
  await expectAccessible(page, 'intake-attention')
})

test('every settings page says what to do', async () => {
  for (const [path, heading] of [
    ['/crm/agents', 'Agents'],
    ['/crm/runs', 'Runs'],
    ['/crm/failures', 'Failures'],
    ['/crm/settings/organization', 'Organization'],
    ['/crm/settings/intake', 'Intake'],
    ['/crm/settings/mail', 'Mail'],
    ['/crm/settings/api-keys', 'API keys'],
    ['/crm/settings/members', 'Members'],
  ] as const) {
    await page.goto(`${product.url}${path}`)
    await page
      .getByRole('heading', { name: new RegExp(heading, 'i') })
      .first()
      .waitFor()
    await page.waitForLoadState('networkidle').catch(() => undefined)
    await expectAccessible(page, path.slice(5).replaceAll('/', '-'))
  }
})

test('the same in the dark and on a telephone', async () => {
  const dark = await openPage(browser, { scheme: 'dark' })
  await signIn(dark.page, product)
  for (const path of ['/crm/leads', '/crm/approvals', '/crm/agents']) {
    await dark.page.goto(`${product.url}${path}`)
    await dark.page.getByRole('heading').first().waitFor()
    await expectAccessible(dark.page, `dark${path.replaceAll('/', '-')}`)
  }
  const phone = await openPage(browser, { width: 390, height: 844 })
  await signIn(phone.page, product)
  for (const path of ['/crm/leads', '/crm/approvals']) {
    await phone.page.goto(`${product.url}${path}`)
    await phone.page.getByRole('heading').first().waitFor()
    await expectAccessible(phone.page, `phone${path.replaceAll('/', '-')}`)
    const wider = await phone.page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    expect(wider).toBeLessThanOrEqual(0)
  }
  expect([...faults, ...dark.faults, ...phone.faults]).toEqual([])
})
