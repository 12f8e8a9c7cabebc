import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { startOpenAI, type OpenAIServer } from './openai.ts'
import { startProduct, type Product } from './product.ts'
import { startSmtp, type Smtp } from './smtp.ts'
import { thinkByRules } from './thinking.ts'
import { startWebsite, type Website } from './website.ts'

/** The main job, told once for each way of thinking: without a key, and with a model behind either wire format. */
describe.each(['rules', 'openai responses', 'openai chat'])('thought by %s', (thought_by) => {
  let product: Product
  let website: Website
  let smtp: Smtp
  let openai: OpenAIServer | undefined

  beforeAll(async () => {
    website = await startWebsite()
    smtp = await startSmtp()
    if (thought_by !== 'rules') {
      openai = await startOpenAI((asked) => thinkByRules(asked), {
        speaks: thought_by === 'openai chat' ? 'chat' : 'both',
      })
    }
    product = await startProduct({
      SMTP_URL: smtp.url,
      MAIL_FROM: 'Mira Kern <mira@northwind.example>',
      ALLOW_PRIVATE_HOSTS: website.host,
      ...(openai
        ? { MODEL: 'openai:scripted', OPENAI_BASE_URL: openai.url, OPENAI_API_KEY: 'sk-of-the-tests' }
        : {}),
    })
  })
  afterAll(async () => {
    await product.stop()
    await openai?.stop()
    await smtp.stop()
    await website.stop()
  })

  test('a webhook becomes an e-mail, once, and only after a person says yes', async () => {
    const { status, body } = await product.post({
      name: 'Ana Ruiz',
      email: ' Ana.Ruiz@Brightside.Example',
      phone: '+49 30 901820',
      title: 'Head of Operations',
      website: website.url,
      message: 'What does it cost for 40 seats? We would like to start next month.',
      favourite_colour: 'teal',
    })
    expect(status).toBe(202)

    const lead_id: string = await eventually(
      async () => (await product.api(`/api/submissions/${body.submission_id}`)).body.lead_id,
    )
    const run = await eventually(async () => {
      const { body } = await product.api(`/api/runs?subject_id=${lead_id}`)
      return body.data.find(({ status }: { status: string }) => !['queued', 'running'].includes(status))
    })
    expect(run).toMatchObject({
      status: 'done',
      model: thought_by === 'rules' ? 'rules' : 'openai:scripted',
      agent: 'lead_worker',
    })
    const { steps } = (await product.api(`/api/runs/${run.id}`)).body
    expect(
      steps.flatMap(({ kind, tool, verdict }: any) => (kind === 'tool' ? [`${tool} ${verdict}`] : [])),
    ).toEqual([
      'read_lead run',
      'enrich_lead run',
      'qualify run',
      'move_stage run',
      'suggest_next_actions run',
      'draft_email run',
      'add_note run',
    ])
    expect(run.usage.input_tokens).toBeGreaterThan(0)

    const lead = (await product.api(`/api/leads/${lead_id}`)).body
    expect(lead).toMatchObject({
      email: 'ana.ruiz@brightside.example',
      phone: '+4930901820',
      extra: { favourite_colour: 'teal' },
      stage: { label: 'Qualified' },
      origin: { door: 'webhook' },
    })
    expect(lead.score).toBeGreaterThanOrEqual(50)
    expect(lead.score_reasons.length).toBeGreaterThan(3)
    expect(lead.company_name).toContain('Brightside')
    expect(
      lead.enrichment.facts.every(
        ({ source_url, snippet }: any) => source_url.startsWith(website.url) && snippet,
      ),
    ).toBe(true)
    expect(lead.qualified_at).toBeTruthy()
    expect(lead.sent_at).toBeNull()

    const before = (await product.api(`/api/leads/${lead_id}/timeline`)).body.data
    const types = before.map(({ type }: any) => type)
    for (const type of [
      'lead_imported',
      'contact_enriched',
      'qualified',
      'stage_changed',
      'email_drafted',
      'approval_requested',
      'note_added',
    ]) {
      expect(types).toContain(type)
    }
    for (const line of before) {
      expect(line.actor.name).toBeTruthy()
      if (line.type !== 'lead_imported' && line.type !== 'lead_routed')
        expect(line).toMatchObject({ actor: { kind: 'agent', id: 'lead_worker' }, run_id: run.id })
    }
    expect(before.find(({ type }: any) => type === 'stage_changed').reason).toBeTruthy()

    const waiting = (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body.data
    const mail = waiting.find(({ tool }: any) => tool === 'send_email')
    expect(waiting.filter(({ tool }: any) => tool === 'send_email')).toHaveLength(1)
    expect(mail.input.to).toBe('ana.ruiz@brightside.example')
    expect(mail.input.body).toContain('What does it cost for 40 seats?')
    expect(waiting.some(({ tool }: any) => tool === 'create_task')).toBe(true)
    expect(smtp.arrived).toHaveLength(0)

    const edited = { ...mail.input, body: `${mail.input.body}\n\nPS: We are closed on Friday.` }
    const approved = await product.api(`/api/approvals/${mail.id}/approve`, { body: { input: edited } })
    expect(approved).toMatchObject({
      status: 200,
      body: { status: expect.stringMatching(/approved|executing|executed/) },
    })
    const again = await product.api(`/api/approvals/${mail.id}/approve`, { body: {} })
    expect(again).toMatchObject({ status: 409, body: { decided_by: { kind: 'api_key' } } })
    const executed = await eventually(async () => {
      const { body } = await product.api(`/api/approvals/${mail.id}`)
      return body.status === 'executed' ? body : undefined
    })
    expect(executed.result.message_id).toContain(mail.id)
    expect(smtp.received).toHaveLength(1)
    const [sent] = smtp.received
    expect(sent?.to).toEqual(['ana.ruiz@brightside.example'])
    expect(sent?.subject).toBe(mail.input.subject)
    expect(sent?.text.replaceAll('\r\n', '\n').trim()).toBe(edited.body.trim())
    expect(sent?.message_id).toBe(executed.result.message_id)
    expect(sent?.headers).toMatchObject({
      'auto-submitted': 'auto-generated',
      'list-unsubscribe-post': 'List-Unsubscribe=One-Click',
    })

    const line = await eventually(async () =>
      (await product.api(`/api/leads/${lead_id}/timeline`)).body.data.find(
        ({ type }: any) => type === 'email_sent',
      ),
    )
    expect(line).toMatchObject({
      actor: { kind: 'agent', id: 'lead_worker' },
      on_behalf_of: { kind: 'api_key' },
      approval_id: mail.id,
    })
    expect((await product.api(`/api/leads/${lead_id}`)).body.sent_at).toBeTruthy()
  })

  test('a second message of the same person joins the open lead, and a new draft takes the place of the old one', async () => {
    const first = await product.post({
      name: 'Bo Lind',
      email: 'bo@lind.example',
      message: 'Could we see a demo?',
    })
    const lead_id: string = await eventually(
      async () => (await product.api(`/api/submissions/${first.body.submission_id}`)).body.lead_id,
    )
    const draft = await eventually(async () =>
      (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body.data.find(
        ({ tool }: any) => tool === 'send_email',
      ),
    )
    await product.post({ email: 'BO@lind.example', message: 'And what are your prices for 25 licences?' })
    const newer = await eventually(async () =>
      (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body.data.find(
        ({ tool, id }: any) => tool === 'send_email' && id !== draft.id,
      ),
    )
    expect(newer.input.body).toContain('25 licences')
    expect((await product.api(`/api/approvals/${draft.id}`)).body.status).toBe('withdrawn')
    const types = (await product.api(`/api/leads/${lead_id}/timeline`)).body.data.map(({ type }: any) => type)
    expect(types).toContain('submission_joined')
  })

  test('a lead whose website is down is worked all the same, and ends with one parked e-mail', async () => {
    const { body } = await product.post({
      name: 'Cy Moss',
      email: 'cy@moss.example',
      website: 'http://127.0.0.1:9',
      message: 'Please send an offer.',
    })
    const lead_id: string = await eventually(
      async () => (await product.api(`/api/submissions/${body.submission_id}`)).body.lead_id,
    )
    await eventually(async () =>
      (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body.data.find(
        ({ tool }: any) => tool === 'send_email',
      ),
    )
    const types = (await product.api(`/api/leads/${lead_id}/timeline`)).body.data.map(({ type }: any) => type)
    expect(types).toContain('enrichment_failed')
  })
})
