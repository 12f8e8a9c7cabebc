import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { eventually } from './eventually.ts'
import { startOpenAI, type OpenAIServer } from './openai.ts'
import { startProduct, type Product } from './product.ts'
import { startSmtp, type Smtp } from './smtp.ts'
import { thinkByRules } from './thinking.ts'
import { startWebsite, type Website } from './website.ts'

/**
 * The real process dies by SIGKILL at each step of the story and is started again; nothing is lost, nothing happens
 * twice. The steps are hit exactly: the model, the website and the mail server are ours, and kill from inside a request.
 */
vi.setConfig({ testTimeout: 120_000 })

let product: Product
let website: Website
let smtp: Smtp
let openai: OpenAIServer
/** Called before the model answers; the number is how many tool results it was shown. */
let onTurn: ((results: number) => Promise<void>) | undefined
/** Called before the model answers a question that came after its first ending. */
let onSecondQuestion: (() => Promise<void>) | undefined
/** Whether the model ends without a draft unless it is asked once more. */
let forgetful = false
let kills = 0

const kill = async (): Promise<void> => {
  kills += 1
  await product.kill()
}

beforeAll(async () => {
  website = await startWebsite()
  smtp = await startSmtp()
  openai = await startOpenAI(async (asked) => {
    await onTurn?.(asked.messages.reduce((sum, { tool_results }) => sum + tool_results.length, 0))
    const asked_again = asked.messages.filter(({ role }) => role === 'user').length > 1
    if (asked_again) await onSecondQuestion?.()
    if (!forgetful || asked_again) return thinkByRules(asked)
    return thinkByRules({ ...asked, tools: asked.tools.filter(({ name }) => name !== 'draft_email') })
  })
  product = await startProduct({
    SMTP_URL: smtp.url,
    ALLOW_PRIVATE_HOSTS: website.host,
    MODEL: 'openai:scripted',
    OPENAI_BASE_URL: openai.url,
    OPENAI_API_KEY: 'sk-of-the-tests',
  })
})
afterAll(async () => {
  onTurn = undefined
  onSecondQuestion = undefined
  await product.stop()
  await openai.stop()
  await smtp.stop()
  await website.stop()
})

let visitors = 0
const postLead = async (): Promise<{ submission_id: string; email: string }> => {
  const email = `visitor-${++visitors}@roastery.example`
  const { status, body } = await product.post({
    name: `Visitor ${visitors}`,
    email,
    website: website.url,
    message: 'What is the price for 30 seats?',
  })
  expect(status).toBe(202)
  return { submission_id: body.submission_id, email }
}

const leadOf = (submission_id: string): Promise<string> =>
  eventually(async () => (await product.api(`/api/submissions/${submission_id}`)).body.lead_id, 60_000)

const parkedMail = (lead_id: string): Promise<any> =>
  eventually(
    async () =>
      (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body.data.find(
        ({ tool }: any) => tool === 'send_email',
      ),
    60_000,
  )

const finishedRun = (lead_id: string): Promise<any> =>
  eventually(
    async () =>
      (await product.api(`/api/runs?subject_id=${lead_id}`)).body.data.find(
        ({ status }: any) => status === 'done',
      ),
    60_000,
  )

/** What every interrupted story must look like in the end: each act once. */
const expectWhole = async (lead_id: string, email: string): Promise<void> => {
  await finishedRun(lead_id)
  const runs = (await product.api(`/api/runs?subject_id=${lead_id}`)).body.data
  expect(runs).toHaveLength(1)
  const leads = (await product.api(`/api/leads?q=${encodeURIComponent(email)}`)).body.data
  expect(leads).toHaveLength(1)
  const types = (await product.api(`/api/leads/${lead_id}/timeline?limit=200`)).body.data.map(
    ({ type }: any) => type,
  )
  for (const once of [
    'lead_imported',
    'contact_enriched',
    'qualified',
    'stage_changed',
    'email_drafted',
    'note_added',
    'agent_run',
  ]) {
    expect(
      types.filter((type: string) => type === once),
      once,
    ).toHaveLength(1)
  }
  const approvals = (await product.api(`/api/approvals?lead_id=${lead_id}`)).body.data
  expect(approvals.filter(({ tool }: any) => tool === 'send_email')).toHaveLength(1)
  const summaries = approvals.map(({ summary }: any) => summary)
  expect(new Set(summaries).size).toBe(summaries.length)
  const { steps } = (await product.api(`/api/runs/${runs[0].id}`)).body
  const calls = steps.filter(({ kind }: any) => kind === 'tool').map(({ tool }: any) => tool)
  expect(new Set(calls).size, calls.join(' ')).toBe(calls.length)
}

test('killed right after the 202, the lead is worked after the restart', async () => {
  const { submission_id, email } = await postLead()
  await kill()
  await product.start()
  const lead_id = await leadOf(submission_id)
  await expectWhole(lead_id, email)
})

test.each([0, 1, 2, 3, 4, 5, 6, 7])(
  'killed while the model thinks after %i acts, the run goes on where it stood',
  async (acts) => {
    let dead: Promise<void> | undefined
    onTurn = async (results) => {
      if (results !== acts || dead) return
      dead = kill()
      await dead
    }
    const { submission_id, email } = await postLead()
    await eventually(() => dead !== undefined, 30_000)
    await dead
    onTurn = undefined
    await product.start()
    const lead_id = await leadOf(submission_id)
    await expectWhole(lead_id, email)
  },
)

test('killed between the model’s ending and the question for what it owes, it is asked that question and nothing else', async () => {
  let dead: Promise<void> | undefined
  forgetful = true
  onSecondQuestion = async () => {
    dead ??= kill()
    await dead
  }
  const { submission_id, email } = await postLead()
  await eventually(() => dead !== undefined, 30_000)
  await dead
  onSecondQuestion = undefined
  const before = openai.requests.length
  await product.start()
  const lead_id = await leadOf(submission_id)
  await expectWhole(lead_id, email)
  forgetful = false
  const users = openai.requests
    .slice(before)
    .map(({ messages }) => messages.filter(({ role }) => role === 'user').length)
  expect(users).toEqual([2, 2])
})

test('killed while the website is read, it is read again and noted once', async () => {
  website.publish({
    '/': {
      delay_ms: 400,
      body: '<title>Roastery</title><meta name="description" content="A roastery of the tests, by the harbour.">',
    },
  })
  const { submission_id, email } = await postLead()
  const seen = website.requests.length
  await eventually(() => website.requests.slice(seen).includes('/'))
  await kill()
  website.publish({
    '/': '<title>Roastery</title><meta name="description" content="A roastery of the tests, by the harbour.">',
  })
  await product.start()
  const lead_id = await leadOf(submission_id)
  await expectWhole(lead_id, email)
})

test('killed right after the yes, the e-mail goes out once after the restart', async () => {
  const { submission_id, email } = await postLead()
  const lead_id = await leadOf(submission_id)
  const mail = await parkedMail(lead_id)
  await finishedRun(lead_id)
  expect((await product.api(`/api/approvals/${mail.id}/approve`, { body: {} })).status).toBe(200)
  await kill()
  await product.start()
  const settled = await eventually(async () => {
    const { body } = await product.api(`/api/approvals/${mail.id}`)
    return ['executed', 'outcome_unknown'].includes(body.status) ? body : undefined
  }, 60_000)
  // The delivery may have begun before the kill: then it is not repeated, and a person is asked.
  const arrived = smtp.arrived.filter(({ to }) => to.includes(email)).length
  expect(settled.status === 'executed' ? arrived === 1 : arrived <= 1).toBe(true)
  await expectWhole(lead_id, email)
})

test('killed between the mail server’s acceptance and our note of it, no second e-mail goes out and a person is asked', async () => {
  const { submission_id, email } = await postLead()
  const lead_id = await leadOf(submission_id)
  const mail = await parkedMail(lead_id)
  await finishedRun(lead_id)
  let dead: Promise<void> | undefined
  smtp.behave({
    onMessage: async () => {
      dead = kill()
      await dead
    },
  })
  await product.api(`/api/approvals/${mail.id}/approve`, { body: {} })
  await eventually(() => dead !== undefined)
  await dead
  smtp.behave({})
  await product.start()
  await eventually(
    async () => (await product.api(`/api/approvals/${mail.id}`)).body.status === 'outcome_unknown',
    60_000,
  )
  const messages = (await product.api('/api/messages?status=outcome_unknown')).body.data
  expect(messages.map(({ to }: any) => to)).toContain(email)
  expect(smtp.arrived.filter(({ to }) => to.includes(email))).toHaveLength(1)
  const resolved = await product.api(`/api/approvals/${mail.id}/resolve`, { body: { outcome: 'sent' } })
  expect(resolved).toMatchObject({ status: 200, body: { status: 'executed' } })
  expect(smtp.arrived.filter(({ to }) => to.includes(email))).toHaveLength(1)
})

test('SIGTERM gives everything back and ends with 0', async () => {
  const { submission_id, email } = await postLead()
  const lead_id = await leadOf(submission_id)
  expect(await product.terminate()).toBe(0)
  await product.start()
  await expectWhole(lead_id, email)
  expect(kills).toBeGreaterThanOrEqual(13)
})
