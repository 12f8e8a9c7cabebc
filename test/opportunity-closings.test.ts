import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { setExchangeRate } from '../db/exchange-rates.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { reopenOpportunity, restoreClosing } from '../db/opportunity-reopenings.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deletePipeline } from '../db/pipeline-deletion.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import type { RecordKind } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { asAgent, makeDeal, stageIn, stageOf } from './cards.ts'
import { anyReason, loseCard, makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const act = (id: string, name: string, body: object = {}) =>
  api.json('POST', `/api/opportunities/${id}/${name}`, body)
const closingsOf = async (id: string) =>
  (await api.json('GET', `/api/opportunities/${id}/closings`)).body.data
const newest = async (kind: RecordKind, id: string) =>
  (await listTimeline(ctx, { kind, id }, { limit: 1 })).data[0]!

describe('closing', () => {
  test('F17: keeps how it was closed: outcome, stages, value, rate of the day, owner, source and who did it', async () => {
    await setExchangeRate(ctx, 'USD', 0.9)
    const deal = await makeDeal(ctx, {
      value_minor: 10_001,
      currency: 'USD',
      owner_id: api.owner.user_id,
      source: 'Fair',
    })
    const closed = await act(deal.id, 'close', {
      outcome: 'won',
      value_minor: 20_005,
      expected_close_on: '2026-12-24',
      reason: 'They signed',
    })
    const won = await stageOf(ctx, 'deal', 'won')
    expect(closed).toMatchObject({
      status: 200,
      body: {
        stage: { id: won.id, kind: 'won' },
        won_at: expect.any(String),
        lost_at: null,
        value_minor: 20_005,
        expected_close_on: '2026-12-24',
        exchange_rate: 0.9,
        base_value_minor: 18_005,
        discard_reason: null,
        discard_note: null,
      },
    })
    expect(await closingsOf(deal.id)).toMatchObject([
      {
        opportunity: { id: deal.id, kind: 'deal', name: deal.name },
        outcome: 'won',
        pipeline_id: deal.pipeline_id,
        stage: { id: won.id, label: won.label },
        from_stage: { id: deal.stage_id, label: 'Initial contact' },
        value_minor: 20_005,
        currency: 'USD',
        exchange_rate: 0.9,
        base_currency: 'EUR',
        base_value_minor: 18_005,
        owner_id: api.owner.user_id,
        source: 'Fair',
        closed_by: { kind: 'api_key' },
        reopened_at: null,
      },
    ])
    const line = await newest('deal', deal.id)
    expect(line.data['changes']).toEqual(
      expect.arrayContaining([
        { field: 'value_minor', before: 10_001, after: 20_005 },
        { field: 'exchange_rate', before: null, after: 0.9 },
        { field: 'base_value_minor', before: null, after: 18_005 },
      ]),
    )
  })

  test('F44: what it was worth stays frozen when the rate changes later', async () => {
    await setExchangeRate(ctx, 'GBP', 1.2)
    const deal = await makeDeal(ctx, { value_minor: 10_000, currency: 'GBP' })
    await closeOpportunity(ctx, deal.id, { outcome: 'won' })
    await setExchangeRate(ctx, 'GBP', 1.5)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({ exchange_rate: 1.2, base_value_minor: 12_000 })
    expect(await closingsOf(deal.id)).toMatchObject([{ exchange_rate: 1.2, base_value_minor: 12_000 }])
  })

  test('F44: without a rate it closes with a warning and no value in the organization’s currency', async () => {
    const deal = await makeDeal(ctx, { value_minor: 10_000, currency: 'CHF' })
    const closed = await closeOpportunity(ctx, deal.id, { outcome: 'won' })
    expect(closed).toMatchObject({
      exchange_rate: null,
      base_value_minor: null,
      warnings: [{ field: 'exchange_rate', message: expect.stringContaining('CHF in EUR') }],
    })
    expect((await newest('deal', deal.id)).data['warnings']).toHaveLength(1)
    expect(await reopenOpportunity(ctx, deal.id, {})).toMatchObject({ warnings: [] })
  })

  test('closes by the outcome in the pipeline it is in, or by the stage; the two must agree', async () => {
    const sales = await createPipeline(ctx, { template: 'sales', name: 'Direct' })
    const deal = await makeDeal(ctx, { stage_id: stageIn(sales, 0).id })
    expect(await act(deal.id, 'close')).toMatchObject({
      status: 422,
      body: { code: 'outcome_required', errors: [{ pointer: '/outcome', accepted: ['won', 'lost'] }] },
    })
    expect(await act(deal.id, 'close', { stage_id: stageIn(sales, 1).id })).toMatchObject({
      status: 422,
      body: { code: 'stage_open' },
    })
    expect(
      await act(deal.id, 'close', { stage_id: stageIn(sales, 'won').id, outcome: 'lost' }),
    ).toMatchObject({
      status: 422,
      body: { code: 'outcome_contradicts_stage', errors: [{ accepted: ['won'] }] },
    })
    expect(await act(deal.id, 'close', { outcome: 'won' })).toMatchObject({
      status: 200,
      body: { stage: { id: stageIn(sales, 'won').id } },
    })
  })

  test('a card that is closed, or was changed meanwhile, is refused with what stands', async () => {
    const lead = await makeLead(ctx)
    expect(await act(lead.id, 'close', { outcome: 'won', version: 7 })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { id: lead.id, version: 1 } },
    })
    await act(lead.id, 'close', { outcome: 'won', version: 1 })
    expect(await act(lead.id, 'close', { outcome: 'won' })).toMatchObject({
      status: 409,
      body: { code: 'opportunity_closed', status: 409, state: 'won' },
    })
    expect(await closingsOf(lead.id)).toHaveLength(1)
  })

  test('two at once: one closes it, the other is told', async () => {
    const lead = await makeLead(ctx)
    const answers = await Promise.all([
      act(lead.id, 'close', { outcome: 'won' }),
      act(lead.id, 'close', { outcome: 'won' }),
    ])
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
    expect(await closingsOf(lead.id)).toHaveLength(1)
  })

  test('where the pipeline does not ask for a reason, people may leave it out and agents may not', async () => {
    const pipeline = await createPipeline(ctx, {
      template: 'agent_funnel',
      name: 'Relaxed',
      lost_reason: 'optional',
    })
    const in_it = { stage_id: stageIn(pipeline, 0).id }
    const [ours, theirs] = [await makeLead(ctx, in_it), await makeLead(ctx, in_it)]
    expect(await closeOpportunity(ctx, ours.id, { outcome: 'lost' })).toMatchObject({
      lost_at: expect.any(Date),
      discard_reason: null,
    })
    const agent = asAgent(ctx, '0198c0de-0000-7000-8000-000000000000')
    const close = { outcome: 'lost' as const, reason: 'They left town' }
    await expect(closeOpportunity(agent, theirs.id, close)).rejects.toMatchObject({
      code: 'discard_reason_required',
    })
    const discard_reason_id = await anyReason(ctx)
    expect(await closeOpportunity(agent, theirs.id, { ...close, discard_reason_id })).toMatchObject({
      discard_note: 'They left town',
    })
    expect(await closingsOf(theirs.id)).toMatchObject([{ closed_by: { kind: 'agent', id: 'lead_worker' } }])
  })

  test('undo opens it again with the value it had, and undone again closes it at the old rate', async () => {
    await setExchangeRate(ctx, 'SEK', 0.1)
    const deal = await makeDeal(ctx, { value_minor: 1_000, currency: 'SEK' })
    const second = await stageOf(ctx, 'deal', 1)
    await moveOpportunity(ctx, deal.id, { stage_id: second.id })
    const closed = await closeOpportunity(ctx, deal.id, { outcome: 'won', value_minor: 5_000 })
    await setExchangeRate(ctx, 'SEK', 0.2)
    const undone = await undoActivity(ctx, (await newest('deal', deal.id)).id)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({
      stage_id: second.id,
      value_minor: 1_000,
      won_at: null,
      exchange_rate: null,
    })
    await undoActivity(ctx, undone.id)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({
      stage: { kind: 'won' },
      value_minor: 5_000,
      won_at: closed.won_at,
      exchange_rate: 0.1,
      base_value_minor: 500,
    })
    expect(await closingsOf(deal.id)).toMatchObject([{ value_minor: 5_000, reopened_at: null }])
  })
})

describe('F16: reopening', () => {
  test('shows what it would clear, clears it, and keeps the closing with who took it back', async () => {
    const lead = await makeLead(ctx)
    const third = await stageOf(ctx, 'lead', 2)
    await moveOpportunity(ctx, lead.id, { stage_id: third.id })
    const reason = await anyReason(ctx)
    await act(lead.id, 'close', { outcome: 'lost', discard_reason_id: reason, discard_note: 'Too dear' })
    const preview = await api.json('GET', `/api/opportunities/${lead.id}/reopen`)
    const cleared = [
      { field: 'lost_at', value: expect.any(String) },
      { field: 'discard_reason_id', value: { id: reason, label: 'Price' } },
      { field: 'discard_note', value: 'Too dear' },
      { field: 'exchange_rate', value: 1 },
    ]
    expect(preview.body).toEqual({ stage: { id: third.id, label: third.label }, cleared })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ stage: { kind: 'lost' } })
    const reopened = await act(lead.id, 'reopen', { reason: 'They called back' })
    expect(reopened).toMatchObject({
      status: 200,
      body: {
        stage: { id: third.id },
        lost_at: null,
        discard_reason: null,
        discard_note: null,
        exchange_rate: null,
        cleared,
      },
    })
    expect(await closingsOf(lead.id)).toMatchObject([
      {
        outcome: 'lost',
        discard_reason: { id: reason },
        discard_note: 'Too dear',
        reopened_at: expect.any(String),
        reopened_by: { kind: 'api_key' },
      },
    ])
    expect(await newest('lead', lead.id)).toMatchObject({
      reason: 'They called back',
      summary: `reopened it, from ${(await stageOf(ctx, 'lead', 'lost')).label} to ${third.label}`,
      data: { reopened: 'lost', cleared, undo: { tool: 'restore_closing' } },
    })
  })

  test('goes on where it is told to, or at the entry when the stage it was closed from is closed now or gone', async () => {
    const other = await createPipeline(ctx, { template: 'agent_funnel', name: 'Second chances' })
    const lead = await makeLead(ctx)
    await loseCard(ctx, lead.id)
    await moveOpportunity(ctx, lead.id, { stage_id: stageIn(other, 'lost').id })
    const preview = await api.json('GET', `/api/opportunities/${lead.id}/reopen`)
    expect(preview.body.stage).toMatchObject({ id: stageIn(other, 0).id })
    expect(await act(lead.id, 'reopen', { stage_id: stageIn(other, 'won').id })).toMatchObject({
      status: 422,
      body: { code: 'stage_closed', errors: [{ pointer: '/stage_id', accepted: expect.any(Array) }] },
    })
    expect(await act(lead.id, 'reopen', { stage_id: (await stageOf(ctx, 'deal', 0)).id })).toMatchObject({
      status: 422,
      body: { code: 'stage_of_other_kind' },
    })
    expect(await act(lead.id, 'reopen', { stage_id: stageIn(other, 1).id })).toMatchObject({
      status: 200,
      body: { stage: { id: stageIn(other, 1).id } },
    })
  })

  test('goes on in the default pipeline when its own was archived with its history', async () => {
    const gone = await createPipeline(ctx, { template: 'agent_funnel', name: 'Last year' })
    const lead = await makeLead(ctx, { stage_id: stageIn(gone, 1).id })
    await loseCard(ctx, lead.id)
    await deletePipeline(ctx, gone.id)
    const entry = await stageOf(ctx, 'lead', 0)
    expect((await api.json('GET', `/api/opportunities/${lead.id}/reopen`)).body.stage).toMatchObject({
      id: entry.id,
    })
    expect(await act(lead.id, 'reopen', { stage_id: stageIn(gone, 1).id })).toMatchObject({
      status: 409,
      body: { code: 'pipeline_archived' },
    })
    expect(await act(lead.id, 'reopen')).toMatchObject({
      status: 200,
      body: { stage: { id: entry.id }, pipeline_id: (await defaultPipeline(ctx, 'lead')).id },
    })
  })

  test('an open card, or another version, is refused with what stands', async () => {
    const lead = await makeLead(ctx)
    expect(await act(lead.id, 'reopen')).toMatchObject({
      status: 409,
      body: { code: 'opportunity_open', status: 409, state: 'open' },
    })
    expect((await api.json('GET', `/api/opportunities/${lead.id}/reopen`)).body).toMatchObject({
      stage: { id: lead.stage_id },
      cleared: [],
    })
    await loseCard(ctx, lead.id)
    expect(await act(lead.id, 'reopen', { version: 1 })).toMatchObject({ status: 412 })
    await expect(reopenOpportunity(asAgent(ctx), lead.id, { reason: 'x' })).rejects.toMatchObject({
      code: 'approval_required',
    })
  })

  test('each closing is a row of its own; one that stands is not restored', async () => {
    const lead = await makeLead(ctx)
    await loseCard(ctx, lead.id)
    await reopenOpportunity(ctx, lead.id, {})
    await closeOpportunity(ctx, lead.id, { outcome: 'won' })
    const [won, lost] = await closingsOf(lead.id)
    expect([won.outcome, lost.outcome]).toEqual(['won', 'lost'])
    await expect(restoreClosing(ctx, lead.id, won.id)).rejects.toMatchObject({ code: 'closing_stands' })
    expect(await restoreClosing(ctx, lead.id, lost.id)).toMatchObject({
      stage: { kind: 'lost' },
      won_at: null,
      discard_reason: { label: 'Price' },
    })
  })
})

describe('F19: the closed history', () => {
  test('is filtered by outcome, reason, owner, source, pipeline, day and whether it stands; pages neither repeat nor miss', async () => {
    const world = await api.other()
    const there = world.ctx
    const at = async (day: string, close: (id: string) => Promise<unknown>, fields = {}) => {
      const lead = await makeLead(there, fields)
      await close(lead.id)
      await inTx(there, async ({ tx }) => {
        await tx`update closings set closed_at = ${`${day}T12:00:00Z`} where opportunity_id = ${lead.id}`
      })
      return lead.id
    }
    const win = (id: string) => closeOpportunity(there, id, { outcome: 'won' })
    const lose = (id: string) => loseCard(there, id)
    const a = await at('2026-10-01', win, { source: 'Fair', owner_id: world.owner.user_id })
    const b = await at('2026-10-02', lose, { source: 'Fair' })
    const c = await at('2026-10-03', lose, { source: 'Website' })
    const d = await at('2026-10-04', win)
    await reopenOpportunity(there, c, {})
    const key = await api.keyFor('viewer', there)
    const list = async (query: string) =>
      (await api.json('GET', `/api/closings?${query}`, undefined, { authorization: `Bearer ${key}` })).body
    const ids = async (query: string): Promise<string[]> =>
      (await list(query)).data.map(({ opportunity_id }: { opportunity_id: string }) => opportunity_id)
    expect(await ids('')).toEqual([d, c, b, a])
    expect(await ids('outcome=won')).toEqual([d, a])
    expect(await ids('outcome=lost&standing=true')).toEqual([b])
    expect(await ids('standing=false')).toEqual([c])
    expect(await ids('source=Fair')).toEqual([b, a])
    expect(await ids(`owner_id=${world.owner.user_id}`)).toEqual([a])
    expect(await ids(`discard_reason_id=${await anyReason(there)}`)).toEqual([c, b])
    expect(await ids('from=2026-10-02&to=2026-10-03')).toEqual([c, b])
    expect(await ids(`pipeline_id=${(await stageOf(there, 'lead', 0)).id}`)).toEqual([])
    expect(await ids('kind=deal')).toEqual([])
    const first = await list('limit=3')
    expect(first.data).toHaveLength(3)
    expect(await ids(`limit=3&cursor=${first.next_cursor}`)).toEqual([a])
    expect(await list('cursor=x')).toMatchObject({ code: 'invalid_cursor' })
    expect(await list('standing=maybe')).toMatchObject({
      code: 'invalid_input',
      errors: [{ pointer: '/standing' }],
    })
  })
})
