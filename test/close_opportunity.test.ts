import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { getApproval, listApprovals } from '../db/approvals.ts'
import type { Ctx } from '../db/context.ts'
import { updateDeal } from '../db/deals.ts'
import { listDiscardReasons } from '../db/discard-reasons.ts'
import { setForecastCategory } from '../db/forecast-categories.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { setLevel } from '../db/policies.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { approveCall, executeApproval, presentApprovals } from '../tools/approvals.ts'
import { asAgent, makeDeal, stageOf } from './cards.ts'
import { anyReason, loseCard, makeLead, nowhere, putToWork } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  for (const tool of ['close_opportunity', 'set_forecast_category'])
    await setLevel(ctx, { agent: 'lead_worker', tool, level: 'act' })
})
afterAll(() => world.stop())

const workOn = async (kind: 'lead' | 'deal', id: string) => (await putToWork(world, id, nowhere, kind)).call
const parkedFor = async (subject_id: string) => (await listApprovals(ctx, { subject_id, limit: 10 })).data
const approve = async (id: string, input?: unknown) => {
  await approveCall(ctx, id, input === undefined ? {} : { input })
  await executeApproval(world.db, ctx.organization_id, id, nowhere)
  return getApproval(ctx, id)
}

describe('close_opportunity', () => {
  test('always waits for a person, who reads what closes and why; the yes closes it in the agent’s name', async () => {
    const deal = await makeDeal(ctx)
    const call = await workOn('deal', deal.id)
    const [price] = await listDiscardReasons(ctx)
    const input = {
      opportunity_id: deal.id,
      outcome: 'lost',
      discard_reason_id: price!.id,
      reason: 'They chose the cheaper offer.',
      value_minor: 90_000,
    }
    expect(await call('close_opportunity', input)).toMatchObject({ verdict: 'park', rule: 'consequential' })
    const [approval] = await parkedFor(deal.id)
    const lost = await stageOf(ctx, 'deal', 'lost')
    expect(approval).toMatchObject({
      summary: `Close “${deal.name}” as lost (${lost.label}): Price`,
      risk: 'high',
      reason: 'They chose the cheaper offer.',
    })
    const [shown] = await presentApprovals(ctx, [approval!], nowhere)
    expect(shown).toMatchObject({
      consequence: expect.stringContaining('it is lost'),
      before_after: [
        { field: 'stage', before: 'Initial contact', after: lost.label },
        { field: 'discard_reason_id', before: null, after: 'Price' },
        { field: 'value_minor', after: expect.stringContaining('90000') },
      ],
    })
    expect(await approve(approval!.id)).toMatchObject({ status: 'executed' })
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({
      stage: { kind: 'lost' },
      value_minor: 90_000,
      discard_reason: { label: 'Price' },
      discard_note: 'They chose the cheaper offer.',
    })
    const [line] = (await listTimeline(ctx, { kind: 'deal', id: deal.id }, { limit: 20 })).data.filter(
      ({ type }) => type === 'stage_changed',
    )
    expect(line).toMatchObject({
      actor: { kind: 'agent', id: 'lead_worker' },
      on_behalf_of: { kind: 'user', id: ctx.actor.id },
      approval_id: approval!.id,
    })
    await undoActivity(ctx, line!.id)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({
      stage_id: deal.stage_id,
      value_minor: 120_000,
    })
  })

  test('is refused before it waits where a yes could not close: the agent is told what is accepted', async () => {
    const lead = await makeLead(ctx)
    const call = await workOn('lead', lead.id)
    const close = (input: object) =>
      call('close_opportunity', { opportunity_id: lead.id, reason: 'Says no.', ...input })
    const [price] = await listDiscardReasons(ctx)
    const { verdict, output } = await close({ outcome: 'lost' })
    expect([verdict, output['rule']]).toEqual(['failed', 'discard_reason_required'])
    expect(output['message']).toContain(JSON.stringify({ id: price!.id, label: 'Price' }))
    expect(await close({ outcome: 'lost', discard_reason_id: lead.id })).toMatchObject({
      output: { rule: 'discard_reason_unknown' },
    })
    expect(await close({ outcome: 'won', discard_reason_id: price!.id })).toMatchObject({
      output: { rule: 'discard_reason_on_won' },
    })
    expect(await call('close_opportunity', { opportunity_id: lead.id, outcome: 'won' })).toMatchObject({
      verdict: 'invalid',
    })
    await loseCard(ctx, lead.id)
    expect(await close({ outcome: 'won' })).toMatchObject({ output: { rule: 'opportunity_closed' } })
    expect(await parkedFor(lead.id)).toEqual([])
  })

  test('goes stale when the value or the stage changes before the yes, and cannot be pointed at another card', async () => {
    const [lead, other] = [await makeLead(ctx), await makeLead(ctx)]
    const call = await workOn('lead', lead.id)
    const input = { opportunity_id: lead.id, outcome: 'won', reason: 'They signed.' }
    expect(await call('close_opportunity', { ...input, opportunity_id: other.id })).toMatchObject({
      verdict: 'deny',
      rule: 'other_record',
    })
    await call('close_opportunity', input)
    const [approval] = await parkedFor(lead.id)
    await expect(approve(approval!.id, { ...input, opportunity_id: other.id })).rejects.toMatchObject({
      code: 'other_record',
      errors: [{ pointer: '/input/opportunity_id' }],
    })
    await updateLead(ctx, lead.id, { value_minor: 77_000 })
    expect(await getApproval(ctx, approval!.id)).toMatchObject({
      status: 'stale',
      stale_because: [{ label: 'value minor', after: '77000' }],
    })
  })
})

describe('move_stage', () => {
  test('moves a deal as well; onto lost it names the discard reason, which the person reads', async () => {
    const deal = await makeDeal(ctx)
    const call = await workOn('deal', deal.id)
    const [next, lost] = [await stageOf(ctx, 'deal', 1), await stageOf(ctx, 'deal', 'lost')]
    const move = (input: object) =>
      call('move_stage', { lead_id: deal.id, reason: 'They wrote so.', ...input })
    expect(await move({ stage_id: next.id })).toMatchObject({ verdict: 'run', output: { stage: next.label } })
    expect(await move({ stage_id: lost.id })).toMatchObject({ output: { rule: 'discard_reason_required' } })
    expect(await move({ stage_id: lost.id, discard_reason_id: await anyReason(ctx) })).toMatchObject({
      verdict: 'park',
    })
    const [approval] = await parkedFor(deal.id)
    expect(approval?.summary).toBe(`Move to ${lost.label}: Price`)
    expect(await approve(approval!.id)).toMatchObject({ status: 'executed' })
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({ discard_reason: { label: 'Price' } })
  })
})

describe('F92: the forecast category', () => {
  test('of a deal is “pipeline” until somebody says otherwise; a lead has none', async () => {
    expect(await makeDeal(ctx)).toMatchObject({ forecast_category: 'pipeline' })
    expect(await makeDeal(ctx, { forecast_category: 'omitted' })).toMatchObject({
      forecast_category: 'omitted',
    })
    expect(await makeLead(ctx)).toMatchObject({ forecast_category: null })
  })

  test('is changed by people at once, and by an agent only with a person’s yes, whatever way it tries', async () => {
    const deal = await makeDeal(ctx)
    expect(await updateDeal(ctx, deal.id, { forecast_category: 'best_case' })).toMatchObject({
      forecast_category: 'best_case',
    })
    const agent = asAgent(ctx)
    await expect(updateDeal(agent, deal.id, { forecast_category: 'commit' })).rejects.toMatchObject({
      code: 'approval_required',
    })
    await expect(
      setForecastCategory(agent, deal.id, { forecast_category: 'commit', reason: 'x' }),
    ).rejects.toMatchObject({ code: 'approval_required' })
    const call = await workOn('deal', deal.id)
    const input = {
      opportunity_id: deal.id,
      forecast_category: 'commit',
      reason: 'They asked for the contract.',
    }
    expect(await call('set_forecast_category', input)).toMatchObject({
      verdict: 'park',
      rule: 'consequential',
    })
    const [approval] = await parkedFor(deal.id)
    const [shown] = await presentApprovals(ctx, [approval!], nowhere)
    expect(shown).toMatchObject({
      summary: `Forecast “${deal.name}” as commit`,
      before_after: [{ field: 'forecast_category', before: 'best case', after: 'commit' }],
    })
    expect(await approve(approval!.id)).toMatchObject({
      status: 'executed',
      result: { forecast_category: 'commit', previous: 'best_case' },
    })
    const [line] = (await listTimeline(ctx, { kind: 'deal', id: deal.id }, { limit: 20 })).data.filter(
      ({ type }) => type === 'record_updated',
    )
    expect(line).toMatchObject({ reason: 'They asked for the contract.', approval_id: approval!.id })
    await undoActivity(ctx, line!.id)
    expect(await getOpportunity(ctx, deal.id)).toMatchObject({ forecast_category: 'best_case' })
  })
})
