import { expect, test, vi } from 'vitest'
import { eventually } from './eventually.ts'
import { startOpenAI, type OpenAIServer } from './openai.ts'
import { startProduct, type Product } from './product.ts'
import { startSmtp, type Smtp } from './smtp.ts'
import { thinkByRules } from './thinking.ts'
import { startWebsite, type Website } from './website.ts'

/**
 * The real process dies by SIGKILL at each step of the story and is started again; nothing is lost, nothing happens
 * twice. The steps are hit exactly: the model, the website and the mail server are ours, and kill from inside a request.
 * Most of the time goes by until a dead worker's lease ends, so that several products die at a time.
 */
vi.setConfig({ testTimeout: 120_000, maxConcurrency: 4 })

/** A product of one test's own, with the world that it reaches. */
type Mortal = {
  product: Product
  website: Website
  smtp: Smtp
  openai: OpenAIServer
  /** Called before the model answers: what its run was asked first, and how many tool results it was shown. */
  onTurn: ((order: string, results: number) => Promise<void>) | undefined
  /** Called before the model answers a question that came after its first ending. */
  onSecondQuestion: (() => Promise<void>) | undefined
  /** Whether the model ends without a draft unless it is asked once more. */
  forgetful: boolean
}

const mortally = async (story: (mortal: Mortal) => Promise<void>): Promise<void> => {
  await using undo = new AsyncDisposableStack()
  const website = await startWebsite()
  undo.defer(() => website.stop())
  const smtp = await startSmtp()
  undo.defer(() => smtp.stop())
  const openai = await startOpenAI(async (asked) => {
    await mortal.onTurn?.(
      asked.messages[0]?.text ?? '',
      asked.messages.reduce((sum, { tool_results }) => sum + tool_results.length, 0),
    )
    const asked_again = asked.messages.filter(({ role }) => role === 'user').length > 1
    if (asked_again) await mortal.onSecondQuestion?.()
    if (!mortal.forgetful || asked_again) return thinkByRules(asked)
    return thinkByRules({ ...asked, tools: asked.tools.filter(({ name }) => name !== 'draft_email') })
  })
  undo.defer(() => openai.stop())
  const product = await startProduct({
    SMTP_URL: smtp.url,
    ALLOW_PRIVATE_HOSTS: website.host,
    MODEL: 'openai:scripted',
    OPENAI_BASE_URL: openai.url,
    OPENAI_API_KEY: 'sk-of-the-tests',
  })
  undo.defer(() => product.stop())
  const mortal: Mortal = {
    product,
    website,
    smtp,
    openai,
    onTurn: undefined,
    onSecondQuestion: undefined,
    forgetful: false,
  }
  await story(mortal)
}

const emailOf = (visitor: number): string => `visitor-${visitor}@roastery.example`

const postLead = async ({ product, website }: Mortal, visitor = 0): Promise<string> => {
  const { status, body } = await product.post({
    name: `Visitor ${visitor}`,
    email: emailOf(visitor),
    website: website.url,
    message: 'What is the price for 30 seats?',
  })
  expect(status).toBe(202)
  return body.submission_id
}

const leadOf = ({ product }: Mortal, submission_id: string): Promise<string> =>
  eventually(async () => (await product.api(`/api/submissions/${submission_id}`)).body.lead_id, 60_000)

const parkedMail = ({ product }: Mortal, lead_id: string): Promise<any> =>
  eventually(
    async () =>
      (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body.data.find(
        ({ tool }: any) => tool === 'send_email',
      ),
    60_000,
  )

const finishedRun = ({ product }: Mortal, lead_id: string): Promise<any> =>
  eventually(
    async () =>
      (await product.api(`/api/runs?subject_id=${lead_id}`)).body.data.find(
        ({ status }: any) => status === 'done',
      ),
    60_000,
  )

/** What every interrupted story must look like in the end: each act once. */
const expectWhole = async (mortal: Mortal, lead_id: string, visitor = 0): Promise<void> => {
  const { product } = mortal
  await finishedRun(mortal, lead_id)
  const runs = (await product.api(`/api/runs?subject_id=${lead_id}`)).body.data
  expect(runs).toHaveLength(1)
  const leads = (await product.api(`/api/leads?q=${encodeURIComponent(emailOf(visitor))}`)).body.data
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

test.concurrent('killed right after the 202, the lead is worked after the restart', () =>
  mortally(async (mortal) => {
    const submission_id = await postLead(mortal)
    await mortal.product.kill()
    await mortal.product.start()
    await expectWhole(mortal, await leadOf(mortal, submission_id))
  }))

// As many at once as a worker has hands.
test.concurrent.for([{ acts: [0, 1, 2, 3] }, { acts: [4, 5, 6, 7] }])(
  'killed while the model thinks after $acts.0 to $acts.3 acts, each run goes on where it stood',
  ({ acts }) =>
    mortally(async (mortal) => {
      const { product } = mortal
      // Each run is to die after another number of acts.
      const runs = new Map<string, { at: number; thinks: boolean }>()
      let dead: Promise<void> | undefined
      mortal.onTurn = async (order, results) => {
        const run = runs.get(order) ?? { at: acts[runs.size] ?? -1, thinks: false }
        runs.set(order, run)
        if (results !== run.at) return
        run.thinks = true
        if ([...runs.values()].filter(({ thinks }) => thinks).length === acts.length) dead ??= product.kill()
        await eventually(() => dead !== undefined, 30_000)
        await dead
      }
      const posted = new Map<number, string>()
      for (const n of acts) posted.set(n, await postLead(mortal, n))
      await eventually(() => dead !== undefined, 30_000)
      await dead
      mortal.onTurn = undefined
      await product.start()
      for (const [n, submission_id] of posted)
        await expectWhole(mortal, await leadOf(mortal, submission_id), n)
    }),
)

test.concurrent('killed between the model’s ending and the question for what it owes, it is asked that question and nothing else', () =>
  mortally(async (mortal) => {
    const { product, openai } = mortal
    let dead: Promise<void> | undefined
    mortal.forgetful = true
    mortal.onSecondQuestion = async () => {
      dead ??= product.kill()
      await dead
    }
    const submission_id = await postLead(mortal)
    await eventually(() => dead !== undefined, 30_000)
    await dead
    mortal.onSecondQuestion = undefined
    const before = openai.requests.length
    await product.start()
    await expectWhole(mortal, await leadOf(mortal, submission_id))
    const users = openai.requests
      .slice(before)
      .map(({ messages }) => messages.filter(({ role }) => role === 'user').length)
    expect(users).toEqual([2, 2])
  }))

test.concurrent('killed while the website is read, it is read again and noted once', () =>
  mortally(async (mortal) => {
    const { product, website } = mortal
    const body =
      '<title>Roastery</title><meta name="description" content="A roastery of the tests, by the harbour.">'
    website.publish({ '/': { delay_ms: 400, body } })
    const submission_id = await postLead(mortal)
    await eventually(() => website.requests.includes('/'))
    await product.kill()
    website.publish({ '/': body })
    await product.start()
    await expectWhole(mortal, await leadOf(mortal, submission_id))
  }))

test.concurrent('killed right after the yes, the e-mail goes out once after the restart', () =>
  mortally(async (mortal) => {
    const { product, smtp } = mortal
    const lead_id = await leadOf(mortal, await postLead(mortal))
    const mail = await parkedMail(mortal, lead_id)
    await finishedRun(mortal, lead_id)
    expect((await product.api(`/api/approvals/${mail.id}/approve`, { body: {} })).status).toBe(200)
    await product.kill()
    await product.start()
    const settled = await eventually(async () => {
      const { body } = await product.api(`/api/approvals/${mail.id}`)
      return ['executed', 'outcome_unknown'].includes(body.status) ? body : undefined
    }, 60_000)
    // The delivery may have begun before the kill: then it is not repeated, and a person is asked.
    const arrived = smtp.arrived.filter(({ to }) => to.includes(emailOf(0))).length
    expect(settled.status === 'executed' ? arrived === 1 : arrived <= 1).toBe(true)
    await expectWhole(mortal, lead_id)
  }))

test.concurrent('killed between the mail server’s acceptance and our note of it, no second e-mail goes out and a person is asked', () =>
  mortally(async (mortal) => {
    const { product, smtp } = mortal
    const lead_id = await leadOf(mortal, await postLead(mortal))
    const mail = await parkedMail(mortal, lead_id)
    await finishedRun(mortal, lead_id)
    let dead: Promise<void> | undefined
    smtp.behave({
      onMessage: async () => {
        dead = product.kill()
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
    expect(messages.map(({ to }: any) => to)).toContain(emailOf(0))
    expect(smtp.arrived.filter(({ to }) => to.includes(emailOf(0)))).toHaveLength(1)
    const resolved = await product.api(`/api/approvals/${mail.id}/resolve`, { body: { outcome: 'sent' } })
    expect(resolved).toMatchObject({ status: 200, body: { status: 'executed' } })
    expect(smtp.arrived.filter(({ to }) => to.includes(emailOf(0)))).toHaveLength(1)
  }))

test.concurrent('SIGTERM gives everything back and ends with 0', () =>
  mortally(async (mortal) => {
    const { product } = mortal
    const lead_id = await leadOf(mortal, await postLead(mortal))
    expect(await product.terminate()).toBe(0)
    await product.start()
    await expectWhole(mortal, lead_id)
  }))
