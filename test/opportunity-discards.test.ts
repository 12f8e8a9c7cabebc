import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ctx } from '../db/context.ts'
import { updateDeal } from '../db/deals.ts'
import { createDiscardReason, listDiscardReasons, retireDiscardReason } from '../db/discard-reasons.ts'
import { reportLostReasons } from '../db/lost-reasons.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { asAgent, closedDealAt, makeDeal, stageIn, stageOf } from './cards.ts'
import { v7 as uuidv7 } from 'uuid'

let api: ApiWorld
let ctx: Ctx
let price: string
let budget: string
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
  const [first, second] = await listDiscardReasons(ctx)
  price = first!.id
  budget = second!.id
})
afterAll(() => api.stop())

const { done } = bulksOf(() => api)

const lostDeal = async (): Promise<Opportunity> =>
  closeOpportunity(ctx, (await makeDeal(ctx)).id, {
    outcome: 'lost',
    discard_reason_id: price,
    discard_note: 'Too dear',
  })
const newest = async ({ id }: Opportunity) =>
  (await listTimeline(ctx, { kind: 'deal', id }, { limit: 1 })).data[0]!
const closingOf = async ({ id }: Opportunity) =>
  (await api.json('GET', `/api/opportunities/${id}/closings`)).body.data[0]
const corrected = { discard_reason_id: '', discard_note: 'No money this year' }
const because = () => ({ ...corrected, discard_reason_id: budget })

/** Every way to say it, of a card that is lost. */
const doors: Record<string, (deal: Opportunity) => Promise<{ status: number; body: unknown }>> = {
  'a change': ({ id, version }) => api.json('PATCH', `/api/deals/${id}`, { version, ...because() }),
  'a change that names its stage': ({ id, version, stage_id }) =>
    api.json('PATCH', `/api/deals/${id}`, { version, stage_id, ...because() }),
  'a program’s change': ({ id }) => api.json('PATCH', `/external/v1/opportunities/${id}`, because()),
  'a program’s move': ({ id, stage }) =>
    api.json('PATCH', `/external/v1/opportunities/${id}/stage`, { stage: stage.label, ...because() }),
  'a move to where it is': ({ id, stage_id }) =>
    api.json('POST', `/api/opportunities/${id}/move`, { stage_id, ...because() }),
}

describe('F18: why a card is lost is corrected', () => {
  for (const [door, correct] of Object.entries(doors)) {
    test(`by ${door}: the card, its closing and the report say it, and it is taken back`, async () => {
      const deal = await lostDeal()
      expect(await correct(deal)).toMatchObject({
        status: 200,
        body: { ...because(), discard_reason: { id: budget }, version: deal.version + 1 },
      })
      expect(await closingOf(deal)).toMatchObject({
        discard_reason: { id: budget, label: (await listDiscardReasons(ctx))[1]!.label },
        discard_note: corrected.discard_note,
      })
      const line = await newest(deal)
      expect(line.data['changes']).toEqual([
        { field: 'discard_reason_id', before: price, after: budget },
        { field: 'discard_note', before: 'Too dear', after: corrected.discard_note },
      ])
      expect(await correct(await getOpportunity(ctx, deal.id))).toMatchObject({
        body: { version: deal.version + 1 },
      })
      await undoActivity(ctx, line.id)
      expect(await getOpportunity(ctx, deal.id)).toMatchObject({
        discard_reason_id: price,
        discard_note: 'Too dear',
      })
      expect(await closingOf(deal)).toMatchObject({
        discard_reason: { id: price },
        discard_note: 'Too dear',
      })
    })
  }

  test('in bulk, and the report of lost reasons counts it under the other one', async () => {
    const deals = [await lostDeal(), await lostDeal()]
    const lostFor = async (id: string) =>
      (await reportLostReasons(ctx, { by: 'owner' })).reasons.find(
        ({ discard_reason_id }) => discard_reason_id === id,
      )?.lost ?? 0
    const [of_price, of_budget] = [await lostFor(price), await lostFor(budget)]
    const ids = deals.map(({ id }) => id)
    expect(await done({ kind: 'deal', ids, act: 'update', input: because() })).toMatchObject({
      counts: { changed: 2, unchanged: 0, failed: 0 },
    })
    expect([await lostFor(price), await lostFor(budget)]).toEqual([of_price - 2, of_budget + 2])
  })

  test('between the lost stages of two pipelines, too', async () => {
    const sales = await createPipeline(ctx, { template: 'sales', name: 'Direct' })
    const deal = await lostDeal()
    const moved = await api.json('POST', `/api/opportunities/${deal.id}/move`, {
      stage_id: stageIn(sales, 'lost').id,
      discard_reason_id: budget,
    })
    expect(moved).toMatchObject({
      status: 200,
      body: { discard_reason_id: budget, pipeline_id: sales.id, version: deal.version + 2 },
    })
    expect(await closingOf(deal)).toMatchObject({ discard_reason: { id: budget } })
  })

  test('by a reason that is of the list; what an undo brings back may be retired by now', async () => {
    const deal = await lostDeal()
    const change = (discard_reason_id: string | null) =>
      api.json('PATCH', `/external/v1/opportunities/${deal.id}`, { discard_reason_id })
    expect(await change(uuidv7())).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_unknown', errors: [{ pointer: '/discard_reason_id' }] },
    })
    expect(await change(null)).toMatchObject({ status: 422, body: { code: 'discard_reason_required' } })
    const retired = await createDiscardReason(ctx, { label: 'Moved abroad' })
    expect(await change(retired.id)).toMatchObject({ status: 200 })
    await retireDiscardReason(ctx, retired.id)
    expect(await change(retired.id)).toMatchObject({ status: 200 })
    expect(await change(price)).toMatchObject({ status: 200 })
    expect(await change(retired.id)).toMatchObject({ status: 422, body: { code: 'discard_reason_retired' } })
    await undoActivity(ctx, (await newest(deal)).id)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({ discard_reason_id: retired.id })
  })

  test('by an agent only when a person has approved it', async () => {
    const deal = await lostDeal()
    const change = (agent: Ctx) => updateDeal(agent, deal.id, { ...because(), reason: 'They said so' })
    await expect(change(asAgent(ctx))).rejects.toMatchObject({ code: 'approval_required' })
    expect(await change(asAgent(ctx, uuidv7()))).toMatchObject({ discard_reason_id: budget })
  })
})

describe('F18: of a card that is not lost nobody says why it is', () => {
  const refusal = (code: string, field: string) => ({
    status: 422,
    body: { code, errors: [{ pointer: `/${field}`, message: expect.stringContaining('leave it out') }] },
  })

  test('on an open one: made, changed, moved, or reopened by a move', async () => {
    const [deal, lost] = [await makeDeal(ctx), await lostDeal()]
    const [here, next] = [await stageOf(ctx, 'deal', 0), await stageOf(ctx, 'deal', 1)]
    for (const [field, value] of Object.entries({ discard_reason_id: uuidv7(), discard_note: 'Why' })) {
      const refused = refusal('discard_reason_on_open', field)
      const said = { [field]: value }
      const { id, version } = deal
      expect(await api.json('POST', '/api/deals', { name: 'Machines', ...said })).toMatchObject(refused)
      expect(await api.json('POST', '/api/leads', { name: 'Ana', ...said })).toMatchObject(refused)
      expect(await api.json('POST', '/external/v1/opportunities', { name: 'Ana', ...said })).toMatchObject(
        refused,
      )
      expect(await api.json('PATCH', `/api/deals/${id}`, { version, ...said })).toMatchObject(refused)
      for (const { id: stage_id } of [here, next]) {
        const path = `/api/opportunities/${id}/move`
        expect(await api.json('POST', path, { stage_id, ...said })).toMatchObject(refused)
        expect(
          await api.json('POST', `/api/opportunities/${lost.id}/move`, { stage_id, ...said }),
        ).toMatchObject(refused)
        expect(await api.json('PATCH', `/api/deals/${id}`, { version, stage_id, ...said })).toMatchObject(
          refused,
        )
      }
      expect(await getOpportunity(ctx, id)).toMatchObject({ version })
    }
  })

  test('on a won one: made, changed, closed or moved; null says nothing and is taken', async () => {
    const sales = await createPipeline(ctx, { template: 'sales', name: 'Won here' })
    const won = await closedDealAt(ctx, sales, 'won')
    const open = await makeDeal(ctx)
    const stage_id = stageIn(sales, 'won').id
    for (const [field, value] of Object.entries({ discard_reason_id: price, discard_note: 'Why' })) {
      const refused = refusal('discard_reason_on_won', field)
      const said = { [field]: value }
      const { id, version } = won
      expect(await api.json('POST', '/api/deals', { name: 'Machines', stage_id, ...said })).toMatchObject(
        refused,
      )
      expect(await api.json('PATCH', `/api/deals/${id}`, { version, ...said })).toMatchObject(refused)
      expect(await api.json('POST', `/api/opportunities/${id}/move`, { stage_id, ...said })).toMatchObject(
        refused,
      )
      const close = `/api/opportunities/${open.id}/close`
      expect(await api.json('POST', close, { outcome: 'won', ...said })).toMatchObject(refused)
      expect(await api.json('PATCH', `/api/deals/${id}`, { version, [field]: null })).toMatchObject({
        status: 200,
        body: { version },
      })
    }
  })
})
