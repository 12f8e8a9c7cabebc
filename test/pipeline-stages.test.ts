import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { inTx } from '../db/context.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { proposeApproval } from '../db/approval-proposals.ts'
import { getApproval } from '../db/approvals.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deleteStage } from '../db/pipeline-stages.ts'
import { getPipeline, type Pipeline, type Stage } from '../db/pipelines.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { isUndoable, undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { asAgent, columnOf, makeDeal, stageIn } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let pipeline: Pipeline
let path: string
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const fresh = async (record_kind: 'lead' | 'deal' = 'deal'): Promise<Pipeline> => {
  pipeline = await createPipeline(api.ctx, { template: 'sales', record_kind })
  path = `/api/pipelines/${pipeline.id}/stages`
  return pipeline
}

const now = (): Promise<Pipeline> => getPipeline(api.ctx, pipeline.id)

const labels = ({ stages }: Pipeline): string[] => stages.map(({ label }) => label)

const lastLine = async () =>
  (await listActivities(api.ctx, { subject: { kind: 'pipeline', id: pipeline.id }, limit: 1 })).data[0]!

describe('F8: stages are added, renamed, reordered, recoloured and deleted', () => {
  test('one is added after the last open one, or where it is said, and taken back', async () => {
    await fresh()
    const added = await api.json('POST', path, { label: 'Offer sent' })
    expect(added).toMatchObject({
      status: 201,
      body: {
        label: 'Offer sent',
        kind: 'open',
        position: 3,
        close_probability: 80,
        pipeline_id: pipeline.id,
        version: 2,
      },
    })
    const demo = await api.json('POST', path, {
      label: 'Demo',
      close_probability: 45,
      rot_days: 5,
      color: 'purple',
      description: 'They saw it',
      position: 1,
      version: 2,
    })
    expect(demo.body).toMatchObject({
      position: 1,
      close_probability: 45,
      rot_days: 5,
      color: 'purple',
      version: 3,
    })
    expect(labels(await now())).toEqual([
      'Prospect',
      'Demo',
      'Qualified',
      'Negotiation',
      'Offer sent',
      'Won',
      'Lost',
    ])
    expect(await api.json('POST', path, { label: 'Late', version: 2 })).toMatchObject({ status: 412 })

    const line = await lastLine()
    expect(line.summary).toBe('changed the pipeline “Sales”: added the stage “Demo”')
    await undoActivity(api.ctx, line.id)
    expect(labels(await now())).toEqual(['Prospect', 'Qualified', 'Negotiation', 'Offer sent', 'Won', 'Lost'])
  })

  test('one that holds a card by now is not taken back', async () => {
    await fresh()
    const { body } = await api.json('POST', path, { label: 'Demo' })
    const line = await lastLine()
    await makeDeal(api.ctx, { pipeline_id: pipeline.id, stage_id: body.id })
    await expect(undoActivity(api.ctx, line.id)).rejects.toMatchObject({
      code: 'stage_in_use',
      extra: { count: 1 },
    })
  })

  test('one is renamed, described, recoloured, told when cards get stuck, and moved', async () => {
    await fresh()
    const [prospect] = pipeline.stages
    const change = {
      label: 'First contact',
      description: '',
      color: '#336699',
      rot_days: 14,
      close_probability: 15,
    }
    const changed = await api.json('PATCH', `${path}/${prospect!.id}`, { ...change, position: 2, version: 1 })
    expect(changed).toMatchObject({
      status: 200,
      body: { ...change, description: null, position: 2, version: 2, pipeline_id: pipeline.id },
    })
    expect(labels(await now())).toEqual(['Qualified', 'Negotiation', 'First contact', 'Won', 'Lost'])
    expect(await api.json('PATCH', `${path}/${prospect!.id}`, change)).toMatchObject({ status: 428 })
    await undoActivity(api.ctx, (await lastLine()).id)
    expect((await now()).stages).toEqual(pipeline.stages)
  })

  test('every card is on the board at its new place, and its own record is untouched', async () => {
    await fresh()
    const card = await makeDeal(api.ctx, { pipeline_id: pipeline.id })
    await api.json('PATCH', `${path}/${card.stage_id}`, { label: 'First contact', position: 1, version: 1 })
    expect(await getOpportunity(api.ctx, card.id)).toMatchObject({
      stage: { id: card.stage_id, label: 'First contact', position: 1 },
      version: card.version,
    })
  })

  test.each([
    ['POST', { label: 'qualified' }, 409, 'stage_label_taken', '/label'],
    ['POST', { label: '\u200b' }, 422, 'invalid_input', '/label'],
    ['POST', {}, 422, 'invalid_input', '/label'],
    ['POST', { label: 'X', kind: 'lost' }, 409, 'stage_protected', '/kind'],
    ['POST', { label: 'X', close_probability: 0 }, 422, 'stage_probability', '/close_probability'],
    ['POST', { label: 'X', close_probability: 100 }, 422, 'stage_probability', '/close_probability'],
    ['POST', { label: 'X', close_probability: -1e300 }, 422, 'stage_probability', '/close_probability'],
    ['POST', { label: 'X', close_probability: '40' }, 422, 'invalid_input', '/close_probability'],
    ['POST', { label: 'X', position: -1 }, 422, 'invalid_input', '/position'],
    ['POST', { label: 'X', colour: 'red' }, 422, 'invalid_input', '/colour'],
    ['PATCH', { label: 'Won' }, 409, 'stage_label_taken', '/label'],
    ['PATCH', { kind: 'won' }, 409, 'stage_protected', '/kind'],
    ['PATCH', { close_probability: 0 }, 422, 'stage_probability', '/close_probability'],
    ['PATCH', { rot_days: 1.5 }, 422, 'invalid_input', '/rot_days'],
    ['PATCH', { rot_days: 3_651 }, 422, 'invalid_input', '/rot_days'],
    ['PATCH', { id: 'x' }, 422, 'invalid_input', '/id'],
  ])('%s %j is refused, and says where', async (method, body, status, code, pointer) => {
    await fresh()
    const where = method === 'POST' ? path : `${path}/${pipeline.stages[0]!.id}`
    const answer = await api.json(method, where, method === 'POST' ? body : { ...body, version: 1 })
    expect(answer).toMatchObject({ status, body: { code } })
    expect(answer.body.errors[0].pointer).toBe(pointer)
    expect(await now()).toEqual(pipeline)
  })

  test('a number of days beyond the limit is told the limit', async () => {
    await fresh()
    const answer = await api.json('PATCH', `${path}/${pipeline.stages[0]!.id}`, {
      rot_days: 3_651,
      version: 1,
    })
    expect(answer.body.errors).toMatchObject([{ pointer: '/rot_days', message: 'at most 3,650 days' }])
  })
})

describe('F9: won and lost', () => {
  test('are renamed, recoloured and moved, and keep 100 and 0 %', async () => {
    await fresh()
    const won = stageIn(pipeline, 'won')
    const answer = await api.json('PATCH', `${path}/${won.id}`, {
      label: 'Signed',
      color: 'green',
      close_probability: 100,
      kind: 'won',
      version: 1,
    })
    expect(answer).toMatchObject({ status: 200, body: { label: 'Signed', color: 'green', kind: 'won' } })
  })

  test('are neither deleted nor turned into something else nor weighed', async () => {
    await fresh()
    for (const kind of ['won', 'lost'] as const) {
      const { id } = stageIn(pipeline, kind)
      const target = pipeline.stages[0]!.id
      for (const query of ['', `?target_stage_id=${target}`]) {
        expect(await api.json('DELETE', `${path}/${id}${query}`)).toMatchObject({
          status: 409,
          body: { code: 'stage_protected', detail: expect.stringContaining('can be renamed and recoloured') },
        })
      }
      expect(await api.json('PATCH', `${path}/${id}`, { kind: 'open', version: 1 })).toMatchObject({
        status: 409,
        body: { code: 'stage_protected' },
      })
      const weighed = await api.json('PATCH', `${path}/${id}`, { close_probability: 50, version: 1 })
      expect(weighed).toMatchObject({ status: 422, body: { code: 'stage_probability' } })
      expect(weighed.body.errors[0].accepted).toEqual([kind === 'won' ? 100 : 0])
    }
    expect(await now()).toEqual(pipeline)
  })

  test('are one each: the database itself refuses a second', async () => {
    await fresh()
    for (const kind of ['won', 'lost']) {
      const second = inTx(
        api.ctx,
        ({ tx, organization_id }) => tx`
          insert into stages (organization_id, id, pipeline_id, label, kind, position, close_probability)
          values (${organization_id}, gen_random_uuid(), ${pipeline.id}, 'Second', ${kind}, 9, ${kind === 'won' ? 100 : 0})`,
      )
      await expect(second).rejects.toMatchObject({ code: '23505' })
    }
  })
})

describe('F8: a stage is deleted', () => {
  const remove = (stage: Stage | undefined, target?: Stage) =>
    api.json('DELETE', `${path}/${stage?.id}${target ? `?target_stage_id=${target.id}` : ''}`)

  test('when it is empty; the last open one stays', async () => {
    await fresh()
    const [prospect, qualified, negotiation] = pipeline.stages
    expect(await remove(prospect)).toMatchObject({ status: 204 })
    expect(await remove(qualified)).toMatchObject({ status: 204 })
    expect(await remove(negotiation)).toMatchObject({ status: 409, body: { code: 'stage_last_open' } })
    expect(await remove(prospect)).toMatchObject({ status: 404, body: { code: 'stage_not_found' } })
    expect((await now()).stages.map(({ position }) => position)).toEqual([0, 1, 2])
    const line = await lastLine()
    expect(line.summary).toBe('changed the pipeline “Sales”: deleted the stage “Qualified”')
    expect(isUndoable(line)).toBe(true)
  })

  test('while it holds cards only with a target: 409 says how many, archived ones included', async () => {
    await fresh()
    const [prospect, qualified] = pipeline.stages
    const cards = [1, 2, 3].map(() => makeDeal(api.ctx, { pipeline_id: pipeline.id }))
    const [first] = await Promise.all(cards)
    await archiveRecord(api.ctx, { kind: 'deal', id: first!.id })
    const refused = await remove(prospect)
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'stage_in_use', count: 3, archived_count: 1, detail: expect.stringContaining('3 cards') },
    })
    expect(refused.body.errors[0].accepted.map(({ label }: Stage) => label)).toEqual([
      'Qualified',
      'Negotiation',
    ])
    for (const target of [prospect, stageIn(pipeline, 'won'), stageIn(pipeline, 'lost')])
      expect(await remove(prospect, target)).toMatchObject({
        status: 422,
        body: { code: 'target_stage_invalid' },
      })
    const other = await createPipeline(api.ctx, { template: 'sales' })
    expect(await remove(prospect, other.stages[0])).toMatchObject({
      status: 422,
      body: { code: 'target_stage_invalid', errors: [{ pointer: '/target_stage_id' }] },
    })
    expect(await now()).toEqual(pipeline)
    expect(await remove(prospect, qualified)).toMatchObject({ status: 204 })
    await restoreRecord(api.ctx, { kind: 'deal', id: first!.id })
    expect(await getOpportunity(api.ctx, first!.id)).toMatchObject({ stage: { label: 'Qualified' } })
  })

  test('F14: its cards go to the target in their order, each with a line that says who and why', async () => {
    await fresh()
    const [prospect, qualified] = pipeline.stages
    const there = await makeDeal(api.ctx, { pipeline_id: pipeline.id, stage_id: qualified!.id })
    const cards = []
    for (let n = 0; n < 5; n++)
      cards.push(await makeDeal(api.ctx, { pipeline_id: pipeline.id, name: `Deal ${n}` }))
    await moveOpportunity(api.ctx, cards[4]!.id, { stage_id: prospect!.id, before_id: cards[0]!.id })
    const order = await columnOf(api.ctx, prospect!.id)
    await remove(prospect, qualified)
    expect(await columnOf(api.ctx, qualified!.id)).toEqual([there.id, ...order])
    for (const card of cards) {
      expect(await getOpportunity(api.ctx, card.id)).toMatchObject({
        stage_id: qualified!.id,
        days_in_stage: 0,
        version: card.version + 1,
      })
      const { data } = await listTimeline(api.ctx, { kind: 'deal', id: card.id }, { limit: 1 })
      expect(data[0]).toMatchObject({
        type: 'stage_changed',
        actor: { kind: 'api_key', name: 'Everything' },
        reason: 'The stage “Prospect” was deleted.',
        summary: 'moved it from Prospect to Qualified',
        data: { from: prospect!.id, to: qualified!.id, from_kind: 'open', to_kind: 'open' },
      })
      expect(isUndoable(data[0]!)).toBe(false)
    }
  })

  test('more cards than go in one statement', async () => {
    await fresh()
    const [prospect, qualified] = pipeline.stages
    const { id } = await makeDeal(api.ctx, { pipeline_id: pipeline.id })
    await inTx(
      api.ctx,
      ({ tx, organization_id }) => tx`
        insert into opportunities (organization_id, id, kind, name, pipeline_id, stage_id, position, origin, value_minor, currency)
        select ${organization_id}, gen_random_uuid(), 'deal', 'Deal ' || n, pipeline_id, stage_id, 'a' || lpad(n::text, 5, '0') || 'V', origin, n, 'EUR'
        from opportunities, generate_series(1, 2500) n where organization_id = ${organization_id} and id = ${id}`,
    )
    const before = await columnOf(api.ctx, prospect!.id)
    expect(before).toHaveLength(2_501)
    await deleteStage(api.ctx, pipeline.id, prospect!.id, { target_stage_id: qualified!.id })
    expect(await columnOf(api.ctx, qualified!.id)).toEqual(before)
    const [lines] = await inTx(
      api.ctx,
      ({ tx, organization_id }) => tx<{ count: number }[]>`
        select count(distinct s.subject_id) as count from activities a
        join activity_subjects s on s.organization_id = a.organization_id and s.activity_id = a.id
        where a.organization_id = ${organization_id} and a.type = 'stage_changed' and a.data ->> 'from' = ${prospect!.id}`,
    )
    expect(lines!.count).toBe(2_501)
  })

  test('an approval that rests on the stage of one of them goes stale', async () => {
    await fresh('lead')
    const [prospect, qualified] = pipeline.stages
    const lead = await makeLead(api.ctx, { pipeline_id: pipeline.id })
    const { approval } = await proposeApproval(asAgent(api.ctx), {
      tool: 'move_stage',
      summary: 'Move to Negotiation',
      input: { lead_id: lead.id, stage_id: pipeline.stages[2]!.id },
      evidence: [],
      subject: { kind: 'lead', id: lead.id },
      purpose: 'move',
      rule: 'suggestion',
      risk: 'low',
      reads: [{ name: 'stage' }],
    })
    await remove(prospect, qualified)
    expect(await getApproval(api.ctx, approval.id)).toMatchObject({ status: 'stale' })
  })

  test('who moves cards in and out meanwhile either gets there first or finds it gone: none is lost', async () => {
    for (let round = 0; round < 5; round++) {
      await fresh()
      const [prospect, qualified, negotiation] = pipeline.stages
      const cards = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          makeDeal(api.ctx, { pipeline_id: pipeline.id, stage_id: (n % 2 ? prospect : negotiation)!.id }),
        ),
      )
      const outcomes = await Promise.allSettled([
        deleteStage(api.ctx, pipeline.id, prospect!.id, { target_stage_id: qualified!.id }),
        ...cards.map(({ id }, n) =>
          moveOpportunity(api.ctx, id, { stage_id: (n % 2 ? negotiation : prospect)!.id }),
        ),
        ...Array.from({ length: 4 }, () =>
          makeDeal(api.ctx, { pipeline_id: pipeline.id, stage_id: prospect!.id }),
        ),
      ])
      expect(outcomes[0]).toMatchObject({ status: 'fulfilled' })
      for (const outcome of outcomes.slice(1))
        if (outcome.status === 'rejected')
          expect(['stage_not_found', '23503']).toContain((outcome.reason as { code: string }).code)
      expect(labels(await now())).not.toContain('Prospect')
      const [held] = await inTx(
        api.ctx,
        ({ tx, organization_id }) => tx<{ count: number }[]>`
          select count(*) as count from opportunities o join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
          where o.organization_id = ${organization_id} and s.pipeline_id = ${pipeline.id}`,
      )
      const created = outcomes.slice(13).filter(({ status }) => status === 'fulfilled').length
      expect(held!.count).toBe(12 + created)
    }
  })
})
