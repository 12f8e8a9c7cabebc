import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { updateDeal } from '../db/deals.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import type { RecordKind } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { asAgent, columnOf, makeDeal, stageIn, stageOf } from './cards.ts'
import { anyReason, makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const movesOf = async (kind: RecordKind, id: string) =>
  (await listTimeline(ctx, { kind, id }, { limit: 50 })).data.filter(({ type }) => type === 'stage_changed')

describe('F14: a move', () => {
  test('stands on the timeline with author, time, reason, stages, pipeline and how long it was there', async () => {
    const deal = await makeDeal(ctx)
    await inTx(ctx, async ({ tx }) => {
      await tx`update opportunities set stage_entered_at = now() - interval '3 days' where id = ${deal.id}`
    })
    const to = await stageOf(ctx, 'deal', 1)
    const moved = await moveOpportunity(ctx, deal.id, { stage_id: to.id, reason: 'They want to meet' })
    expect(moved).toMatchObject({ stage_id: to.id, days_in_stage: 0, version: 2 })
    const [line] = await movesOf('deal', deal.id)
    const { name } = await defaultPipeline(ctx, 'deal')
    expect(line).toMatchObject({
      actor: { kind: 'user', id: ctx.actor.id },
      reason: 'They want to meet',
      summary: `moved it from Initial contact to ${to.label}`,
      data: {
        from: deal.stage_id,
        to: to.id,
        from_kind: 'open',
        to_kind: 'open',
        from_pipeline: name,
        to_pipeline: name,
        changes: [{ field: 'stage', before: 'Initial contact', after: to.label }],
        undo: { tool: 'move_stage', input: { opportunity_id: deal.id, stage_id: deal.stage_id } },
      },
    })
    const seconds = Number(line?.data['seconds_in_stage'])
    expect(seconds).toBeGreaterThanOrEqual(3 * 86_400)
    expect(seconds).toBeLessThan(3 * 86_400 + 60)
  })

  test('by an agent says why, and neither closes nor reopens without a person’s yes', async () => {
    const lead = await makeLead(ctx)
    const [open, won] = [await stageOf(ctx, 'lead', 1), await stageOf(ctx, 'lead', 'won')]
    const agent = asAgent(ctx)
    await expect(moveOpportunity(agent, lead.id, { stage_id: open.id })).rejects.toMatchObject({
      code: 'reason_required',
    })
    await moveOpportunity(agent, lead.id, { stage_id: open.id, reason: 'Qualified' })
    const close = { stage_id: won.id, reason: 'They signed' }
    await expect(moveOpportunity(agent, lead.id, close)).rejects.toMatchObject({ code: 'approval_required' })
    await moveOpportunity(ctx, lead.id, close)
    await expect(
      moveOpportunity(agent, lead.id, { stage_id: open.id, reason: 'They left' }),
    ).rejects.toMatchObject({ code: 'approval_required' })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ stage: { kind: 'won' }, version: 3 })
  })

  test('two at once on the same version: one moves, the other is told what stands', async () => {
    const lead = await makeLead(ctx)
    const [a, b] = [await stageOf(ctx, 'lead', 1), await stageOf(ctx, 'lead', 2)]
    const results = await Promise.allSettled(
      [a, b].map(({ id }) => moveOpportunity(ctx, lead.id, { stage_id: id, version: 1 })),
    )
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const refused = results.find((result) => result.status === 'rejected')
    expect(refused?.reason).toMatchObject({ kind: 'stale', extra: { current: { version: 2 } } })
    expect(await movesOf('lead', lead.id)).toHaveLength(1)
  })
})

describe('F6: between pipelines', () => {
  test('a card moves to a stage of another pipeline of its kind, and the timeline names both', async () => {
    const other = await createPipeline(ctx, { template: 'sales', name: 'Post-sale — upsell' })
    const deal = await makeDeal(ctx)
    const to = stageIn(other, 1)
    const { status, body } = await api.json('POST', `/api/opportunities/${deal.id}/move`, {
      stage_id: to.id,
      pipeline_id: other.id,
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ pipeline_id: other.id, stage: { id: to.id, label: 'Qualified' } })
    const [line] = await movesOf('deal', deal.id)
    const { name } = await defaultPipeline(ctx, 'deal')
    expect(line).toMatchObject({
      summary: `moved it from Initial contact in ${name} to Qualified in ${other.name}`,
      data: {
        from_pipeline_id: deal.pipeline_id,
        to_pipeline_id: other.id,
        changes: [
          { field: 'pipeline', before: name, after: other.name },
          { field: 'stage', before: 'Initial contact', after: 'Qualified' },
        ],
      },
    })
    await undoActivity(ctx, line!.id)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({
      pipeline_id: deal.pipeline_id,
      stage_id: deal.stage_id,
    })
  })

  test('never to one for another kind of record, nor to a stage that its pipeline does not have', async () => {
    const lead = await makeLead(ctx)
    const own = await stageOf(ctx, 'lead', 1)
    const deals = await defaultPipeline(ctx, 'deal')
    const move = (body: object) => api.json('POST', `/api/opportunities/${lead.id}/move`, body)
    expect(await move({ stage_id: stageIn(deals, 0).id })).toMatchObject({
      status: 422,
      body: {
        code: 'stage_of_other_kind',
        errors: [
          { pointer: '/stage_id', accepted: expect.arrayContaining([{ id: own.id, label: own.label }]) },
        ],
      },
    })
    expect(await move({ stage_id: own.id, pipeline_id: deals.id })).toMatchObject({
      status: 422,
      body: { code: 'stage_of_other_pipeline', errors: [{ pointer: '/stage_id' }] },
    })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ version: 1 })
  })

  test('a closed card stays as closed in the same kind of stage of another pipeline', async () => {
    const other = await createPipeline(ctx, { template: 'sales', name: 'Archive of the north' })
    const deal = await makeDeal(ctx)
    const won = await moveOpportunity(ctx, deal.id, { stage_id: (await stageOf(ctx, 'deal', 'won')).id })
    const moved = await moveOpportunity(ctx, deal.id, { stage_id: stageIn(other, 'won').id })
    expect(moved).toMatchObject({ pipeline_id: other.id, won_at: won.won_at, exchange_rate: 1 })
    const { body } = await api.json('GET', `/api/opportunities/${deal.id}/closings`)
    expect(body.data).toMatchObject([{ pipeline_id: deal.pipeline_id, reopened_at: null }])
  })
})

describe('F17: closing three ways', () => {
  const doors: [string, (id: string, body: object) => ReturnType<ApiWorld['json']>][] = [
    ['drag', (id, body) => api.json('POST', `/api/opportunities/${id}/move`, body)],
    ['button', (id, body) => api.json('POST', `/api/opportunities/${id}/close`, body)],
    ['stage field', (id, body) => api.json('PATCH', `/api/leads/${id}`, { version: 1, ...body })],
  ]

  test.each(doors)('by %s: the same refusals, the same closing', async (_, close) => {
    const lead = await makeLead(ctx, { value_minor: 5_000 })
    const [won, lost] = [await stageOf(ctx, 'lead', 'won'), await stageOf(ctx, 'lead', 'lost')]
    const discard_reason_id = await anyReason(ctx)
    const refused = await close(lead.id, { stage_id: lost.id })
    expect(refused).toMatchObject({
      status: 422,
      body: {
        code: 'discard_reason_required',
        errors: [
          {
            pointer: '/discard_reason_id',
            accepted: expect.arrayContaining([{ id: discard_reason_id, label: 'Price' }]),
          },
        ],
      },
    })
    expect(await close(lead.id, { stage_id: lost.id, discard_reason_id: lost.id })).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_unknown' },
    })
    expect(await close(lead.id, { stage_id: won.id, discard_reason_id })).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_on_won' },
    })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ version: 1, stage: { kind: 'open' } })
    const closed = await close(lead.id, {
      stage_id: lost.id,
      discard_reason_id,
      discard_note: 'Twice our price',
      reason: 'They said so on the phone',
    })
    expect(closed).toMatchObject({
      status: 200,
      body: {
        stage: { kind: 'lost' },
        lost_at: expect.any(String),
        discard_reason: { id: discard_reason_id, label: 'Price' },
        discard_note: 'Twice our price',
        exchange_rate: 1,
        base_value_minor: 5_000,
        version: 2,
      },
    })
    expect(await movesOf('lead', lead.id)).toMatchObject([
      {
        reason: 'They said so on the phone',
        summary: `closed it as lost (${lost.label}): Price`,
        data: { outcome: 'lost', undo: { tool: 'reopen_opportunity' } },
      },
    ])
    const { body } = await api.json('GET', `/api/opportunities/${lead.id}/closings`)
    expect(body.data).toMatchObject([{ outcome: 'lost', discard_note: 'Twice our price' }])
  })

  test('the stage field of a deal closes and reopens like the others', async () => {
    const deal = await makeDeal(ctx)
    const won = await updateDeal(ctx, deal.id, { stage_id: (await stageOf(ctx, 'deal', 'won')).id })
    expect(won).toMatchObject({ won_at: expect.any(Date), exchange_rate: 1 })
    const open = await updateDeal(ctx, deal.id, { stage_id: deal.stage_id })
    expect(open).toMatchObject({ won_at: null, exchange_rate: null })
  })

  test('from won to lost is one act: the first closing is noted as reopened, the second stands', async () => {
    const lead = await makeLead(ctx)
    const [won, lost] = [await stageOf(ctx, 'lead', 'won'), await stageOf(ctx, 'lead', 'lost')]
    await moveOpportunity(ctx, lead.id, { stage_id: won.id })
    const moved = await moveOpportunity(ctx, lead.id, {
      stage_id: lost.id,
      discard_reason_id: await anyReason(ctx),
    })
    expect(moved).toMatchObject({ won_at: null, lost_at: expect.any(Date), version: 3 })
    const { body } = await api.json('GET', `/api/opportunities/${lead.id}/closings`)
    expect(body.data).toMatchObject([
      { outcome: 'lost', reopened_at: null, from_stage: { id: won.id } },
      { outcome: 'won', reopened_at: expect.any(String), reopened_by: { id: ctx.actor.id } },
    ])
    const [line] = await movesOf('lead', lead.id)
    await undoActivity(ctx, line!.id)
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ stage: { kind: 'won' }, lost_at: null })
    const again = await api.json('GET', `/api/opportunities/${lead.id}/closings`)
    expect(again.body.data).toMatchObject([
      { outcome: 'lost', reopened_at: expect.any(String) },
      { outcome: 'won', reopened_at: null },
    ])
  })
})

describe('a place in the column', () => {
  test('before or after a neighbour, also in the column it is in; one row is written', async () => {
    const pipeline = await createPipeline(ctx, { template: 'sales', name: 'Order' })
    const stage_id = stageIn(pipeline, 0).id
    const made = []
    for (const name of ['a', 'b', 'c', 'd']) made.push(await makeDeal(ctx, { name, stage_id }))
    const [a, b, c, d] = made.map(({ id }) => id) as [string, string, string, string]
    const place = (id: string, where: object) => moveOpportunity(ctx, id, { stage_id, ...where })
    expect(await columnOf(ctx, stage_id)).toEqual([a, b, c, d])
    await place(d, { before_id: a })
    await place(a, { after_id: c })
    await place(b, { before_id: c })
    expect(await columnOf(ctx, stage_id)).toEqual([d, b, c, a])
    expect(await getOpportunity(ctx, d)).toMatchObject({ version: 1, updated_at: made[3]?.updated_at })
    expect(await movesOf('deal', d)).toEqual([])
    const next = stageIn(pipeline, 1).id
    await moveOpportunity(ctx, d, { stage_id: next })
    await moveOpportunity(ctx, b, { stage_id: next, before_id: d })
    expect(await columnOf(ctx, next)).toEqual([b, d])
  })

  test('many cards at once before the same neighbour all find one', async () => {
    const pipeline = await createPipeline(ctx, { template: 'sales', name: 'Crowd' })
    const [from, to] = [stageIn(pipeline, 0).id, stageIn(pipeline, 1).id]
    const anchor = await makeDeal(ctx, { name: 'anchor', stage_id: to })
    const crowd = await Promise.all(
      Array.from({ length: 8 }, (_, n) => makeDeal(ctx, { name: `${n}`, stage_id: from })),
    )
    await Promise.all(crowd.map(({ id }) => moveOpportunity(ctx, id, { stage_id: to, before_id: anchor.id })))
    const column = await columnOf(ctx, to)
    expect(column).toHaveLength(9)
    expect(column.at(-1)).toBe(anchor.id)
    const late = await makeDeal(ctx, { name: 'late', stage_id: from })
    await moveOpportunity(ctx, late.id, { stage_id: to, before_id: anchor.id })
    expect((await columnOf(ctx, to)).slice(-2)).toEqual([late.id, anchor.id])
  })

  test('a neighbour that is not there, or two of them, is refused with the field', async () => {
    const lead = await makeLead(ctx)
    const elsewhere = await makeLead(ctx)
    const stage_id = (await stageOf(ctx, 'lead', 3)).id
    const move = (body: object) =>
      api.json('POST', `/api/opportunities/${lead.id}/move`, { stage_id, ...body })
    expect(await move({ after_id: elsewhere.id })).toMatchObject({
      status: 422,
      body: { code: 'neighbour_not_found', errors: [{ pointer: '/after_id' }] },
    })
    expect(await move({ after_id: lead.id, before_id: lead.id })).toMatchObject({
      status: 422,
      body: { code: 'place_ambiguous' },
    })
  })
})

describe('F5: how long a card stands still', () => {
  test('days in its stage, and stuck beyond what the stage allows; never when it is closed', async () => {
    const pipeline = await createPipeline(ctx, {
      name: 'Quick',
      stages: [{ label: 'Proposal', kind: 'open', close_probability: 50, rot_days: 7 }],
    })
    const deal = await makeDeal(ctx, { stage_id: stageIn(pipeline, 0).id })
    const aged = (interval: string) =>
      inTx(ctx, async (ctx) => {
        await ctx.tx`
          update opportunities set stage_entered_at = now() - ${interval}::interval where id = ${deal.id}`
        return getOpportunity(ctx, deal.id)
      })
    expect(await aged('6 days 23 hours')).toMatchObject({ days_in_stage: 6, stuck: false })
    expect(await aged('7 days 1 minute')).toMatchObject({ days_in_stage: 7, stuck: true })
    await moveOpportunity(ctx, deal.id, { stage_id: stageIn(pipeline, 'won').id })
    expect(await aged('90 days')).toMatchObject({ days_in_stage: 90, stuck: false })
  })
})

test('a move and a change of fields at the same time lose neither', async () => {
  const lead = await makeLead(ctx)
  const stage_id = (await stageOf(ctx, 'lead', 2)).id
  await Promise.all([
    moveOpportunity(ctx, lead.id, { stage_id }),
    updateLead(ctx, lead.id, { title: 'Head of purchasing' }),
  ])
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({
    stage_id,
    title: 'Head of purchasing',
    version: 3,
  })
})
