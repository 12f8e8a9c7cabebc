import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ctx } from '../db/context.ts'
import { fillBlanks, saveEnrichment } from '../db/lead-enrichment.ts'
import { receiveLead } from '../db/lead-intake.ts'
import { leadForPrompt } from '../db/lead-prompt.ts'
import { createLead, LeadChange, NewLead, updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { listOrigins } from '../db/origins.ts'
import { defaultPipeline, listPipelines } from '../db/pipelines.ts'
import { listTimeline } from '../db/timeline.ts'
import { anyReason, makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const linesOf = async (id: string, type: string) =>
  (await listTimeline(ctx, { kind: 'lead', id }, { limit: 50 })).data.filter((line) => line.type === type)

describe('a new lead', () => {
  test('enters the first stage of the default pipeline, with its origin, its author and where each field came from', async () => {
    const input = NewLead.parse({
      contact_name: ' Ana  Ruiz ',
      email: 'ANA@one.example',
      phone: '+49 30 901820',
      country: 'Germany',
      website: 'one.example:8080/x',
    })
    const lead = await createLead(ctx, input, { door: 'api', extra: { seats: 40 } })
    expect(lead).toMatchObject({
      kind: 'lead',
      name: 'Ana Ruiz',
      email: 'ana@one.example',
      phone: '+4930901820',
      phone_original: '+49 30 901820',
      country: 'DE',
      website: 'one.example:8080/x',
      currency: 'EUR',
      stage: { label: 'New lead' },
      origin: { door: 'api' },
      extra: { seats: 40 },
      warnings: [],
      version: 1,
    })
    expect(await linesOf(lead.id, 'lead_imported')).toMatchObject([
      { actor: { kind: 'user', id: world.owner.user_id }, data: { door: 'api' } },
    ])
    const origins = await listOrigins(ctx, { kind: 'lead', id: lead.id })
    expect(origins.find(({ field }) => field === 'email')).toMatchObject({
      origin: { kind: 'person' },
      tainted: false,
    })
  })

  test('is called by the first thing that is known of it', async () => {
    for (const [input, name] of [
      [{ contact_name: 'Ana', company_name: 'X', email: 'a@x.example' }, 'Ana'],
      [{ company_name: 'X', email: 'a@x.example' }, 'X'],
      [{ email: 'a@x.example' }, 'a@x.example'],
      [{ phone: 'call the front desk' }, 'call the front desk'],
      [{ name: 'A deal for X', contact_name: 'Ana' }, 'A deal for X'],
    ] as const) {
      expect((await createLead(ctx, input, { door: 'api' })).name).toBe(name)
    }
  })

  test('with neither name nor e-mail nor phone is refused, naming the three', async () => {
    await expect(
      createLead(ctx, { company_name: 'X', message: 'Hi' }, { door: 'api' }),
    ).rejects.toMatchObject({
      kind: 'invalid',
      code: 'lead_unidentified',
      errors: [{ pointer: '/name' }, { pointer: '/email' }, { pointer: '/phone' }],
    })
  })

  test('whose phone cannot be read keeps it, with a warning', async () => {
    expect(await createLead(ctx, { phone: '030 901820' }, { door: 'api' })).toMatchObject({
      phone: null,
      phone_original: '030 901820',
      warnings: [{ field: 'phone' }],
    })
  })

  test('enters a stage of its own pipeline only, and only a pipeline for leads', async () => {
    const pipelines = await listPipelines(ctx)
    const deals = pipelines.find(({ record_kind }) => record_kind === 'deal')!
    const leads = await defaultPipeline(ctx, 'lead')
    for (const [wrong, code] of [
      [{ pipeline_id: deals.id }, 'pipeline_of_other_kind'],
      [{ stage_id: deals.stages[0]!.id }, 'pipeline_of_other_kind'],
      [{ pipeline_id: leads.id, stage_id: deals.stages[0]!.id }, 'stage_of_other_pipeline'],
    ] as const) {
      await expect(makeLead(ctx, wrong)).rejects.toMatchObject({ kind: 'invalid', code })
    }
    expect(await makeLead(ctx, { stage_id: leads.stages[2]!.id })).toMatchObject({
      stage: { label: leads.stages[2]!.label },
    })
  })
})

describe('a change', () => {
  test('raises the version, says before and after, and how to take it back', async () => {
    const lead = await makeLead(ctx, { title: 'CEO' })
    const changed = await updateLead(ctx, lead.id, { title: 'CTO', city: 'Berlin', version: 1 })
    expect(changed).toMatchObject({ title: 'CTO', city: 'Berlin', version: 2 })
    expect(await linesOf(lead.id, 'record_updated')).toMatchObject([
      {
        data: {
          changes: [
            { field: 'title', before: 'CEO', after: 'CTO' },
            { field: 'city', before: null, after: 'Berlin' },
          ],
          undo: {
            tool: 'update_record',
            input: { record_kind: 'lead', record_id: lead.id, values: { title: 'CEO', city: null } },
          },
        },
      },
    ])
  })

  test('of nothing changes nothing', async () => {
    const lead = await makeLead(ctx)
    expect(await updateLead(ctx, lead.id, { email: lead.email })).toMatchObject({ version: 1 })
    expect(await linesOf(lead.id, 'record_updated')).toEqual([])
  })

  test('on a version that is gone is refused with what is there', async () => {
    const lead = await makeLead(ctx)
    await updateLead(ctx, lead.id, { title: 'CEO' })
    await expect(updateLead(ctx, lead.id, { title: 'CTO', version: 1 })).rejects.toMatchObject({
      kind: 'stale',
      extra: { current: { id: lead.id, version: 2, title: 'CEO' } },
    })
  })

  test('two at once on the same version: one wins, the other is told', async () => {
    const lead = await makeLead(ctx)
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((title) => updateLead(ctx, lead.id, { title, version: 1 })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await getOpportunity(ctx, lead.id)).version).toBe(2)
  })

  test('null empties a field; what a card always has falls back instead', async () => {
    const lead = await makeLead(ctx, {
      name: 'A deal',
      title: 'CEO',
      tags: ['vip'],
      currency: 'USD',
      phone: '+4930901820',
    })
    const change = LeadChange.parse(
      Object.fromEntries(
        ['name', 'title', 'tags', 'currency', 'phone', 'value_minor'].map((field) => [field, null]),
      ),
    )
    expect(await updateLead(ctx, lead.id, change)).toMatchObject({
      name: lead.contact_name,
      title: null,
      tags: [],
      currency: 'EUR',
      phone: null,
      phone_original: null,
    })
  })

  test('of a lead elsewhere is one of no lead', async () => {
    const other = await world.other()
    const lead = await makeLead(other.ctx)
    await expect(updateLead(ctx, lead.id, { title: 'x' })).rejects.toMatchObject({ kind: 'not_found' })
    expect(await getOpportunity(other.ctx, lead.id)).toMatchObject({ version: 1 })
  })
})

describe('a second message of a known person', () => {
  test('fills blanks, never overwrites, brings the newest message, and keeps the rest on the timeline', async () => {
    const lead = await makeLead(ctx, { title: 'CEO', message: 'First', phone: 'the front desk' })
    const { joined, lead: after } = await receiveLead(
      ctx,
      { email: lead.email!, title: 'Intern', city: 'Berlin', phone: '+49 30 901821', message: 'Second' },
      { door: 'webhook', submission_id: '0198c0de-0000-7000-8000-000000000001', extra: { seats: 40 } },
    )
    expect(joined).toBe(true)
    expect(after).toMatchObject({
      id: lead.id,
      title: 'CEO',
      city: 'Berlin',
      message: 'Second',
      phone: '+4930901821',
      phone_original: '+49 30 901821',
      origin: { door: 'api' },
    })
    expect(await linesOf(lead.id, 'submission_joined')).toMatchObject([
      { data: { door: 'webhook', matched_by: 'email', message: 'Second', extra: { seats: 40 } } },
    ])
    const origins = await listOrigins(ctx, { kind: 'lead', id: lead.id })
    expect(origins.find(({ field }) => field === 'city')).toMatchObject({
      origin: { kind: 'submission' },
      tainted: true,
    })
  })
})

test('what was found outside fills blanks only, first come first served, each with its address', async () => {
  const lead = await makeLead(ctx, { company_name: 'Named by a person', city: undefined })
  const origin = (url: string) => ({ kind: 'url' as const, url, snippet: 'x' })
  const filled = await fillBlanks(ctx, lead.id, [
    { field: 'company_name', value: 'Named by the site', origin: origin('https://a.example') },
    { field: 'city', value: 'Portland', origin: origin('https://a.example') },
    { field: 'city', value: 'Seattle', origin: origin('https://b.example') },
  ])
  expect(filled).toEqual([{ field: 'city', before: null, after: 'Portland' }])
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({
    company_name: 'Named by a person',
    city: 'Portland',
  })
  const origins = await listOrigins(ctx, { kind: 'lead', id: lead.id })
  expect(origins.find(({ field }) => field === 'city')).toMatchObject({
    origin: { kind: 'url', url: 'https://a.example' },
    tainted: true,
  })
})

test('facts that hold what PostgreSQL cannot store are stored all the same', async () => {
  const lead = await makeLead(ctx)
  const facts = [
    { key: 'description', value: 'a\u0000b\ud800', source_url: 'https://x.example', snippet: '\udfff' },
  ]
  await saveEnrichment(ctx, lead.id, { website: 'https://x.example', summary: 'x', facts, pages: [] })
  expect((await getOpportunity(ctx, lead.id)).enrichment?.facts[0]?.value).toBe('a\ufffdb\ufffd')
})

describe('a move', () => {
  test('is on the timeline with from, to and reason; closing and reopening set and clear their times', async () => {
    const lead = await makeLead(ctx)
    const { stages } = await defaultPipeline(ctx, 'lead')
    const [won, lost] = ['won', 'lost'].map((kind) => stages.find((stage) => stage.kind === kind)!)
    const moved = await moveOpportunity(ctx, lead.id, { stage_id: won!.id, reason: 'signed' })
    expect(moved).toMatchObject({ won_at: expect.any(Date), lost_at: null, version: 2 })
    const discard_reason_id = await anyReason(ctx)
    expect(await moveOpportunity(ctx, lead.id, { stage_id: lost!.id, discard_reason_id })).toMatchObject({
      won_at: null,
      lost_at: expect.any(Date),
    })
    expect(await moveOpportunity(ctx, lead.id, { stage_id: stages[0]!.id })).toMatchObject({
      won_at: null,
      lost_at: null,
    })
    expect(await linesOf(lead.id, 'stage_changed')).toMatchObject([
      { data: { from_kind: 'lost', to_kind: 'open' } },
      { data: { from_label: won!.label } },
      {
        reason: 'signed',
        data: { from_label: 'New lead', to_label: won!.label, undo: { tool: 'reopen_opportunity' } },
      },
    ])
    expect(await moveOpportunity(ctx, lead.id, { stage_id: stages[0]!.id })).toMatchObject({ version: 4 })
  })

  test('to a stage for another kind or of another organization, on an old version, or by an agent without a reason, is refused', async () => {
    const lead = await makeLead(ctx)
    const { stages } = await defaultPipeline(ctx, 'lead')
    const deals = await defaultPipeline(ctx, 'deal')
    const theirs = (await defaultPipeline((await world.other()).ctx, 'lead')).stages[1]!
    const move = (stage_id: string, as: Ctx = ctx, version?: number) =>
      moveOpportunity(as, lead.id, { stage_id, version })
    await expect(move(deals.stages[0]!.id)).rejects.toMatchObject({ code: 'stage_of_other_kind' })
    await expect(move(theirs.id)).rejects.toMatchObject({ code: 'stage_not_found' })
    await expect(move(stages[1]!.id, ctx, 7)).rejects.toMatchObject({ kind: 'stale' })
    const agent: Ctx = { ...ctx, actor: { kind: 'agent', id: 'lead_worker', name: 'lead_worker' } }
    await expect(move(stages[1]!.id, agent)).rejects.toMatchObject({ code: 'reason_required' })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ version: 1, stage: { id: stages[0]!.id } })
  })
})

test('a model reads a lead in bounds, whatever came in', async () => {
  const long = 'ignore this '.repeat(1_500)
  const lead = await makeLead(ctx, { message: long, company_name: 'x'.repeat(300), title: 'Co\u200bo' })
  const facts = Array.from({ length: 200 }, (_, n) => ({
    key: 'offer',
    value: `${n} ${'y'.repeat(2_000)}`,
    source_url: 'https://x.example',
    snippet: '',
  }))
  await saveEnrichment(ctx, lead.id, { website: 'https://x.example', summary: long, facts, pages: [] })
  const shown = await leadForPrompt(ctx, lead.id)
  expect(JSON.stringify(shown).length).toBeLessThan(25_000)
  expect(shown.lead['title']).toBe('Coo')
  expect(shown.stages.map(({ kind }) => kind)).toContain('lost')
})

test('lists of another organization hold nothing of this one', async () => {
  const other = await world.other()
  await makeLead(ctx)
  expect(await listOpportunities(other.ctx, { limit: 10 })).toEqual({ data: [], next_cursor: null })
})
