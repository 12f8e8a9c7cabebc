import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTx, systemCtx } from '../db/context.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { pipelineTemplates } from '../db/pipeline-templates.ts'
import { defaultPipeline, listPipelines } from '../db/pipelines.ts'
import { asAgent } from './cards.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

/** A ladder as people read it. */
const ladder = ({ stages }: { stages: { label: string; kind: string; close_probability: number }[] }) =>
  stages.map(({ label, kind, close_probability }) => `${label} ${kind} ${close_probability}`)

test('F87: a new organization has a pipeline for leads and one for deals, each with one way to win and one to lose', async () => {
  const pipelines = await listPipelines((await world.other()).ctx)
  expect(
    pipelines.map(({ template, record_kind, is_default }) => [template, record_kind, is_default]),
  ).toEqual([
    ['agent_funnel', 'lead', true],
    ['opportunities', 'deal', true],
  ])
  expect(pipelines.map(({ lost_reason }) => lost_reason)).toEqual(['required', 'required'])
  expect(ladder(pipelines[0]!)).toEqual([
    'New lead open 5',
    'Qualified open 20',
    'In conversation open 35',
    'Proposal sent open 55',
    'Negotiation open 75',
    'Closed-Won won 100',
    'Closed-Lost lost 0',
  ])
  expect(ladder(pipelines[1]!)).toEqual([
    'Initial contact open 10',
    'Appointment set open 30',
    'Offer made open 50',
    'Negotiation open 70',
    'Closed Won won 100',
    'Closed Lost lost 0',
  ])
})

test('F87: whoever makes a lead, it enters at New lead; people move it freely, an agent says why', async () => {
  const { ctx } = await world.other()
  const { stages } = await defaultPipeline(ctx, 'lead')
  const [first, , , proposal] = stages
  for (const who of [ctx, asAgent(ctx), systemCtx(ctx.db, ctx.organization_id, 'import')])
    expect((await makeLead(who)).stage).toMatchObject({ id: first!.id, label: 'New lead' })
  const { id } = await makeLead(ctx)
  const ahead = { stage_id: proposal!.id }
  await expect(moveOpportunity(asAgent(ctx), id, ahead)).rejects.toMatchObject({ code: 'reason_required' })
  expect((await moveOpportunity(ctx, id, ahead)).stage.label).toBe('Proposal sent')
  const back = { stage_id: first!.id, reason: 'They asked for time' }
  expect((await moveOpportunity(asAgent(ctx), id, back)).stage.label).toBe('New lead')
})

test('the third template has its stages and what each means', async () => {
  const sales = await createPipeline(world.ctx, { template: 'sales' })
  expect(ladder(sales)).toEqual([
    'Prospect open 10',
    'Qualified open 30',
    'Negotiation open 60',
    'Won won 100',
    'Lost lost 0',
  ])
  expect(sales.stages.map(({ description }) => description)).toEqual([
    'Initial contact, not yet qualified',
    'Lead has been qualified by AI or human',
    'Active deal discussion',
    'Successfully closed',
    'Did not convert (with discard reason)',
  ])
  expect(Object.keys(pipelineTemplates)).toEqual(['sales', 'opportunities', 'agent_funnel'])
})

test('the database itself keeps an open stage between 1 and 99 %, a won one at 100 and a lost one at 0', async () => {
  const [pipeline] = await listPipelines(world.ctx)
  for (const [kind, close_probability] of [
    ['open', 0],
    ['open', 100],
    ['won', 99],
    ['lost', 1],
  ] as const) {
    const stage = pipeline!.stages.find((candidate) => candidate.kind === kind)
    const change = inTx(
      world.ctx,
      ({ tx }) => tx`update stages set close_probability = ${close_probability} where id = ${stage!.id}`,
    )
    await expect(change, `${kind} ${close_probability}`).rejects.toMatchObject({ code: '23514' })
  }
})
