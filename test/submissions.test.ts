import { afterAll, beforeAll, expect, test } from 'vitest'
import { sealAll, verifyAudit } from '../db/audit.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { receiveLead } from '../db/lead-intake.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { listRuns } from '../db/runs.ts'
import { getSubmission, processSubmission, storeSubmission, type Stored } from '../db/submissions.ts'
import { listTimeline } from '../db/timeline.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

const deliver = async (source_id: string, payload: unknown, delivery_id?: string): Promise<Stored> => {
  const source = await openSource(world.db, world.organization.id, source_id)
  if (!source) throw new Error('the source is closed')
  const raw = Buffer.from(JSON.stringify(payload))
  const stored = await storeSubmission(world.db, source, {
    delivery_id,
    content_type: 'application/json',
    raw,
    payload,
  })
  await processSubmission(world.db, world.organization.id, stored.submission_id)
  return stored
}

test('a submission becomes a lead with an author, an origin and a run', async () => {
  const source = await createSource(world.ctx, { name: 'Website' })
  const { submission_id } = await deliver(source.id, {
    name: '  Ana Ruiz ',
    email: ' Ana@Brightside.Example ',
    phone: '+49 30 901820',
    company: 'Brightside',
    message: 'What does it cost for 40 seats?',
    favourite_colour: 'teal',
  })
  const submission = await getSubmission(world.ctx, submission_id)
  expect(submission.status).toBe('processed')
  const { data } = await listOpportunities(world.ctx, { limit: 10, kind: 'lead' })
  expect(data).toHaveLength(1)
  const lead = data[0]!
  expect(lead).toMatchObject({
    contact_name: 'Ana Ruiz',
    email: 'ana@brightside.example',
    phone: '+4930901820',
    company_name: 'Brightside',
    stage: { label: 'New lead', kind: 'open' },
    extra: { favourite_colour: 'teal' },
    origin: { door: 'webhook', submission_id },
    version: 1,
  })
  const timeline = await listTimeline(world.ctx, { kind: 'lead', id: lead.id }, { limit: 10 })
  expect(timeline.data.map(({ type, actor }) => [type, actor.kind])).toEqual([['lead_imported', 'visitor']])
  const runs = await listRuns(world.ctx, { limit: 10 })
  expect(runs.data).toMatchObject([
    { agent: 'lead_worker', status: 'queued', subject: { kind: 'lead', id: lead.id } },
  ])
})

test('the same person joins the open lead, and the timeline says so', async () => {
  const source = await createSource(world.ctx, { name: 'Website' })
  await deliver(source.id, { name: 'Bo Lind', email: 'bo@lind.example', message: 'Hello' })
  const second = await deliver(source.id, {
    email: 'BO@lind.example',
    phone: '+46 8 123 456 78',
    message: 'One more question',
  })
  expect(await getSubmission(world.ctx, second.submission_id)).toMatchObject({ status: 'joined' })
  const { data } = await listOpportunities(world.ctx, {
    limit: 10,
    filter: { field: 'email', op: 'eq', value: 'bo@lind.example' },
  })
  expect(data).toHaveLength(1)
  expect(data[0]).toMatchObject({
    phone: '+46812345678',
    message: 'One more question',
    contact_name: 'Bo Lind',
  })
  const timeline = await listTimeline(world.ctx, { kind: 'lead', id: data[0]!.id }, { limit: 10 })
  expect(timeline.data.map(({ type }) => type)).toContain('submission_joined')
})

test('a delivery that comes twice is one submission and one lead', async () => {
  const source = await createSource(world.ctx, { name: 'Website' })
  const [first, second] = [
    await deliver(source.id, { name: 'Cy Moss', email: 'cy@moss.example' }, 'delivery-1'),
    await deliver(source.id, { name: 'Cy Moss', email: 'cy@moss.example' }, 'delivery-1'),
  ]
  expect(second).toEqual({ submission_id: first.submission_id, replayed: true })
})

test('twenty doors that see the same person at once make one lead', async () => {
  const source = await createSource(world.ctx, { name: 'Website' })
  await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      deliver(source.id, { name: 'Dee Park', email: 'dee@park.example', message: `number ${n}` }),
    ),
  )
  const { data } = await listOpportunities(world.ctx, {
    limit: 10,
    filter: { field: 'email', op: 'eq', value: 'dee@park.example' },
  })
  expect(data).toHaveLength(1)
})

test('a mapping that does not fit keeps the submission as needing attention', async () => {
  const source = await createSource(world.ctx, { name: 'Form', mapping: { email: 'contact.emails[0]' } })
  const good = await deliver(source.id, { contact: { emails: ['eve@stone.example'] }, name: 'Eve Stone' })
  expect(await getSubmission(world.ctx, good.submission_id)).toMatchObject({ status: 'processed' })
  const bad = await deliver(source.id, { contact: {}, name: 'Eve Stone' })
  expect(await getSubmission(world.ctx, bad.submission_id)).toMatchObject({
    status: 'needs_attention',
    problem: { code: 'mapping_broken', errors: [{ pointer: '/mapping/email' }] },
  })
})

test('a source that wakes nobody makes a lead that nobody works, and one with a pipeline puts it there', async () => {
  const quiet = await createSource(world.ctx, { name: 'Archive', wake_agent: false })
  const first = await deliver(quiet.id, { name: 'Eli Rowe', email: 'eli@rowe.example' })
  const { lead_id } = await getSubmission(world.ctx, first.submission_id)
  expect(lead_id).toBeTruthy()
  expect((await listRuns(world.ctx, { subject_id: lead_id ?? '', limit: 5 })).data).toEqual([])

  const { id: funnel } = await createPipeline(world.ctx, { template: 'agent_funnel' })
  const partner = await createSource(world.ctx, { name: 'Partners', pipeline_id: funnel })
  const second = await deliver(partner.id, { name: 'Fay Holm', email: 'fay@holm.example' })
  const submission = await getSubmission(world.ctx, second.submission_id)
  expect(await getOpportunity(world.ctx, submission.lead_id ?? '')).toMatchObject({
    pipeline_id: funnel,
    stage: { label: 'New lead' },
  })
  expect((await listRuns(world.ctx, { subject_id: submission.lead_id ?? '', limit: 5 })).data).toHaveLength(1)
})

test('pages of a sorted list neither repeat nor miss a card', async () => {
  const all = await listOpportunities(world.ctx, { limit: 100, sort: '-created_at' })
  for (const sort of ['-created_at', 'name', '-score,name', 'phone']) {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await listOpportunities(world.ctx, { limit: 2, sort, cursor })
      seen.push(...page.data.map(({ id }) => id))
      cursor = page.next_cursor ?? undefined
    } while (cursor)
    expect(seen.toSorted()).toEqual(all.data.map(({ id }) => id).toSorted())
  }
})

test('the chain of what happened is sealed and whole', async () => {
  const heads = `${world.folder}/heads.jsonl`
  expect(await sealAll(world.db, heads)).toBeGreaterThan(0)
  expect(await verifyAudit(world.db, world.organization.id, heads)).toMatchObject({ problem: null })
})

test('a phone is read with the country that came with it, and joins the same person by it', async () => {
  const source = await createSource(world.ctx, { name: 'Website' })
  const first = await deliver(source.id, {
    name: 'Kit Rowe',
    phone: '020 7946 0958',
    country: 'United Kingdom',
  })
  const lead_id = (await getSubmission(world.ctx, first.submission_id)).lead_id
  const second = await deliver(source.id, {
    phone: '+44 20 7946 0958',
    email: 'kit@rowe.example',
    message: 'Me again',
  })
  expect(await getSubmission(world.ctx, second.submission_id)).toMatchObject({ status: 'joined', lead_id })
})

test('an amount that fills a blank brings its currency, said or the organization’s own', async () => {
  const receive = async (email: string, sent: { value_minor?: number; currency?: string }) => {
    const { lead } = await receiveLead(world.ctx, { email, ...sent }, { door: 'webhook' })
    return { value_minor: lead.value_minor, currency: lead.currency }
  }
  const { currency: own } = await receive('cy@shop.example', {})
  expect(own).not.toBe('JPY')
  const yen = { value_minor: 1_000, currency: 'JPY' }
  expect(await receive('cy@shop.example', yen)).toEqual(yen)
  // What is there stays, whole.
  expect(await receive('cy@shop.example', { value_minor: 9_900 })).toEqual(yen)
  expect(await receive('dee@shop.example', { currency: 'JPY' })).toEqual({
    value_minor: null,
    currency: 'JPY',
  })
  expect(await receive('dee@shop.example', { value_minor: 9_900 })).toEqual({
    value_minor: 9_900,
    currency: own,
  })
})
