import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { startProduct, type Product } from './product.ts'
import { startWebsite, type Website } from './website.ts'

/** The story that sells the product, in a fresh installation with nothing set up: an agent was there before anybody looked. */
describe('F80: a lead lands by webhook', () => {
  let product: Product
  let website: Website
  let owner: string
  beforeAll(async () => {
    website = await startWebsite()
    product = await startProduct({ MODEL: 'rules', ALLOW_PRIVATE_HOSTS: website.host })
    owner = (await product.api('/api/members')).body.data[0].user_id
  })
  afterAll(async () => {
    await product.stop()
    await website.stop()
  })

  const leadOf = (submission_id: string): Promise<string> =>
    eventually(async () => (await product.api(`/api/submissions/${submission_id}`)).body.lead_id)
  const worked = (lead_id: string, runs = 1) =>
    eventually(async () => {
      const { data } = (await product.api(`/api/runs?subject_id=${lead_id}`)).body
      return data.length >= runs && data.every(({ status }: any) => status === 'done') ? data : undefined
    }, 60_000)
  const linesOf = async (lead_id: string) =>
    (await product.api(`/api/leads/${lead_id}/timeline?limit=200`)).body.data

  test('in under a minute its site is read, it is Qualified with the reason, has an owner and a score with reasons', async () => {
    const started = Date.now()
    const { body } = await product.post({
      name: 'Ana Ruiz',
      email: 'ana.ruiz@brightside.example',
      title: 'Head of Operations',
      website: website.url,
      message: 'What does it cost for 40 seats? We would like to start next month.',
    })
    const lead_id = await leadOf(body.submission_id)
    await worked(lead_id)
    const took_s = (Date.now() - started) / 1_000
    process.stdout.write(`F80: from the webhook to the end of the first run: ${took_s.toFixed(1)} s\n`)
    expect(took_s).toBeLessThan(60)

    const lead = (await product.api(`/api/leads/${lead_id}`)).body
    expect(lead).toMatchObject({
      stage: { label: 'Qualified' },
      owner_id: owner,
      verdict: 'qualified',
      enrichment: { website: expect.stringContaining(website.host) },
    })
    const sum = lead.score_reasons.reduce((all: number, { points }: any) => all + points, 0)
    expect(lead.score).toBe(Math.max(0, Math.min(100, sum)))
    expect(lead.score_reasons.every(({ factor, reason }: any) => factor && reason)).toBe(true)

    const lines = await linesOf(lead_id)
    const types = lines.map(({ type }: any) => type)
    for (const type of ['lead_imported', 'lead_routed', 'contact_enriched', 'stage_changed', 'note_added'])
      expect(types, type).toContain(type)
    for (const { actor, occurred_at, summary } of lines) {
      expect(actor.name, summary).toBeTruthy()
      expect(Date.parse(occurred_at)).toBeGreaterThanOrEqual(started - 1_000)
    }
    const moved = lines.find(({ type }: any) => type === 'stage_changed')
    expect(moved).toMatchObject({
      actor: { kind: 'agent', name: 'lead_worker', version: expect.any(String) },
      data: { to_label: 'Qualified' },
    })
    expect(moved.reason).toMatch(/\d+ of 100/)
    const routed = lines.find(({ type }: any) => type === 'lead_routed')
    expect(routed.actor.kind).toBe('system')
    expect(routed.reason).toBeTruthy()

    // The same person writes again, from another form and without most of it: it joins the lead.
    const again = await product.post({
      email: ' ANA.Ruiz@Brightside.Example',
      message: 'Is delivery to Madrid included?',
    })
    expect(await leadOf(again.body.submission_id)).toBe(lead_id)
    await worked(lead_id, 2)
    expect((await product.api('/api/leads')).body.data).toHaveLength(1)
    const after = await linesOf(lead_id)
    expect(after.map(({ type }: any) => type)).toContain('submission_joined')
    expect((await product.api(`/api/leads/${lead_id}`)).body).toMatchObject({
      owner_id: owner,
      message: 'Is delivery to Madrid included?',
      title: 'Head of Operations',
    })
  })

  test('one that only wants to sell to us is asked to be closed as lost, with the reason', async () => {
    const { body } = await product.post({
      name: 'Rank Riser',
      email: 'hello@rankriser.example',
      message: 'We offer SEO services and backlinks that increase your traffic. Our agency is the best.',
    })
    const lead_id = await leadOf(body.submission_id)
    await worked(lead_id)
    const { data } = (await product.api(`/api/approvals?status=pending&lead_id=${lead_id}`)).body
    const closing = data.find(({ tool, input }: any) => tool === 'move_stage' || input.outcome === 'lost')
    expect(closing).toMatchObject({
      status: 'pending',
      proposed_by: { kind: 'agent' },
      summary: expect.stringContaining('Lost'),
    })
    expect(closing.reason || closing.input.reason).toMatch(/sell/i)
    expect((await product.api(`/api/leads/${lead_id}`)).body.stage.kind).toBe('open')
  })
})
