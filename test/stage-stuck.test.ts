import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { listActivities } from '../db/activities.ts'
import { listApprovals } from '../db/approvals.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { changeAgentSettings } from '../db/models.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { changeStage } from '../db/pipeline-stages.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import { claimRun } from '../db/run-lease.ts'
import { listRuns } from '../db/runs.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { findStuckStages, stuckLimits, tellOfStuck } from '../db/stage-stuck.ts'
import { lookForStuck, startToolJobs } from '../tools/jobs.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal, stageOf } from './cards.ts'
import { eventually } from './eventually.ts'
import { loseCard, makeLead, nowhere } from './worked-lead.ts'
import { openWorld } from './world.ts'

// What happens when a card has been in its stage for longer than the stage's `rot_days`.

let world: ApiWorld
let ctx: Ctx
beforeEach(async () => {
  world = await openApi()
  ctx = world.ctx
})
const initial = { ...stuckLimits }
afterEach(async () => {
  Object.assign(stuckLimits, initial)
  await world.stop()
})

const allow = async (at: Ctx, kind: 'lead' | 'deal', rot_days: number | null, which = 0): Promise<void> => {
  const { id } = await defaultPipeline(at, kind)
  await changeStage(at, id, (await stageOf(at, kind, which)).id, { rot_days })
}

/** As if it had entered its stage so many days and a minute ago. */
const age = (at: Ctx, id: string, days: number): Promise<void> =>
  inTx(at, async ({ tx }) => {
    await tx`
      update opportunities set stage_entered_at = now() - make_interval(days => ${days}) - interval '1 minute' where id = ${id}`
  })

const told = async ({ id }: Pick<Opportunity, 'id'>, at: Ctx = ctx) =>
  (await listActivities(at, { types: ['stage_stuck'], subject: { id }, limit: 50 })).data

const look = () => lookForStuck(world.db)

/** A lead that has been in its stage for 9 days, where 7 are allowed. */
const stuckLead = async (at: Ctx = ctx): Promise<Opportunity> => {
  await allow(at, 'lead', 7)
  const lead = await makeLead(at)
  await age(at, lead.id, 9)
  return getOpportunity(at, lead.id)
}

describe('F5: a card that has been in its stage for too long', () => {
  test('is told of once per stay, by the system, with the days; nobody’s version is raised', async () => {
    await allow(ctx, 'lead', 7)
    await allow(ctx, 'deal', 3)
    const [lead, in_time, deal] = [await makeLead(ctx), await makeLead(ctx), await makeDeal(ctx)]
    await age(ctx, lead.id, 9)
    await age(ctx, in_time.id, 6)
    await age(ctx, deal.id, 3)
    const before = await getOpportunity(ctx, lead.id)
    await look()
    await look()
    const { id, label } = await stageOf(ctx, 'lead', 0)
    expect(await told(lead)).toMatchObject([
      {
        type: 'stage_stuck',
        actor: { kind: 'system' },
        subjects: [{ kind: 'lead', id: lead.id }],
        summary: `found that it has been in ${label} for 9 days; after 7 it counts as stuck`,
        data: { stage_id: id, stage: label, days: 9, rot_days: 7 },
      },
    ])
    expect(await told(deal)).toMatchObject([
      { subjects: [{ kind: 'deal', id: deal.id }], data: { days: 3, rot_days: 3 } },
    ])
    expect(await told(in_time)).toEqual([])
    const { version, updated_at, stuck } = await getOpportunity(ctx, lead.id)
    expect({ version, updated_at, stuck }).toEqual({
      version: before.version,
      updated_at: before.updated_at,
      stuck: true,
    })
  })

  test('is told of again when it was away and is stuck there once more', async () => {
    const lead = await stuckLead()
    await look()
    const [here, elsewhere] = [await stageOf(ctx, 'lead', 0), await stageOf(ctx, 'lead', 1)]
    await moveOpportunity(ctx, lead.id, { stage_id: elsewhere.id })
    await age(ctx, lead.id, 100)
    await look()
    expect(await told(lead)).toHaveLength(1)
    await moveOpportunity(ctx, lead.id, { stage_id: here.id })
    await look()
    expect(await told(lead)).toHaveLength(1)
    await age(ctx, lead.id, 8)
    await look()
    await look()
    expect((await told(lead)).map(({ data }) => data['days'])).toEqual([8, 9])
  })

  test('is told of once by two workers that look at once', async () => {
    await allow(ctx, 'lead', 7)
    const leads = await Promise.all(Array.from({ length: 12 }, () => makeLead(ctx)))
    for (const { id } of leads) await age(ctx, id, 9)
    const { id } = await stageOf(ctx, 'lead', 0)
    const counts = await Promise.all([1, 2, 3, 4].map(() => tellOfStuck(ctx, id, 500)))
    expect(counts.reduce((sum, n) => sum + n)).toBe(12)
    expect(await tellOfStuck(ctx, id, 500)).toBe(0)
    for (const lead of leads) expect(await told(lead)).toHaveLength(1)
  })

  test('that somebody changes at that moment is told of by the next look, and holds nobody up', async () => {
    const [busy, other] = [await stuckLead(), await stuckLead()]
    await inTx(ctx, async ({ tx }) => {
      await tx`select 1 from opportunities where id = ${busy.id} for update`
      await look()
    })
    expect([await told(busy), await told(other)]).toMatchObject([[], [{ type: 'stage_stuck' }]])
    await look()
    expect(await told(busy)).toHaveLength(1)
  })

  test('is not told of when its stage allows any time, it is closed or it is archived', async () => {
    const [free, closed, archived] = [await stuckLead(), await stuckLead(), await stuckLead()]
    await loseCard(ctx, closed.id)
    await age(ctx, closed.id, 9)
    await archiveRecord(ctx, { kind: 'lead', id: archived.id })
    await allow(ctx, 'lead', null)
    await look()
    const { id } = await stageOf(ctx, 'lead', 0)
    expect(await tellOfStuck(ctx, id, 500)).toBe(0)
    await allow(ctx, 'lead', 7)
    // Nobody can say how long is too long for a closed card; the database could be told to.
    await inTx(ctx, ({ tx }) => tx`update stages set rot_days = 1 where kind <> 'open'`)
    expect(await tellOfStuck(ctx, (await stageOf(ctx, 'lead', 'lost')).id, 500)).toBe(0)
    await look()
    expect(
      await Promise.all([free, closed, archived].map(async (lead) => (await told(lead)).length)),
    ).toEqual([1, 0, 0])
    await restoreRecord(ctx, { kind: 'lead', id: archived.id })
    await look()
    expect(await told(archived)).toHaveLength(1)
  })

  test('of many, a look takes its share of each stage, the oldest first, and the next ones the rest', async () => {
    const theirs = (await world.other()).ctx
    const leads: Opportunity[] = []
    for (let n = 0; n < 5; n++) leads.push(await stuckLead())
    for (const [n, { id }] of leads.entries()) await age(ctx, id, 10 + n)
    const foreign = await stuckLead(theirs)
    stuckLimits.cards = 4
    expect(await findStuckStages(world.db)).toMatchObject([
      { organization_id: ctx.organization_id, at_most: 2 },
      { organization_id: theirs.organization_id, at_most: 2 },
    ])
    const all = () => Promise.all(leads.map(async (lead) => (await told(lead)).length))
    await look()
    expect(await all()).toEqual([0, 0, 0, 1, 1])
    expect(await told(foreign, theirs)).toHaveLength(1)
    await look()
    expect(await all()).toEqual([1, 1, 1, 1, 1])
    expect(await findStuckStages(world.db)).toEqual([])
  })

  test('is looked for by the worker every minute', async () => {
    const working = await openWorld({ works: true })
    const lead = await stuckLead(working.ctx)
    const jobs = await startToolJobs(working.db, nowhere)
    try {
      await working.db.sql.begin((tx) => working.db.queue.send(tx, 'minute.passed', {}))
      await eventually(async () => (await told(lead, working.ctx)).length === 1)
    } finally {
      await jobs.stop()
      await working.stop()
    }
  })

  test('stays in its organization', async () => {
    const theirs = (await world.other()).ctx
    const [mine, foreign] = [await stuckLead(), await stuckLead(theirs)]
    const stage = await stageOf(theirs, 'lead', 0)
    expect(await tellOfStuck(ctx, stage.id, 500)).toBe(0)
    await changeAgentSettings(ctx, 'lead_worker', { triggers: { 'stage.stuck': true } })
    await look()
    expect([await told(mine), await told(foreign, theirs)]).toMatchObject([
      [{ subjects: [{ id: mine.id }] }],
      [{ subjects: [{ id: foreign.id }] }],
    ])
    expect(await told(foreign)).toEqual([])
    expect((await listRuns(ctx, { limit: 9 })).data).toMatchObject([{ subject: { id: mine.id } }])
    expect((await listRuns(theirs, { limit: 9 })).data).toEqual([])
  })
})

describe('F5: the agent trigger stage.stuck', () => {
  const wake = () => changeAgentSettings(ctx, 'lead_worker', { triggers: { 'stage.stuck': true } })
  const runsOn = async ({ id }: Opportunity) => (await listRuns(ctx, { subject_id: id, limit: 9 })).data

  test('is off until somebody chooses it; then a stuck lead has one run, which names the line', async () => {
    const unasked = await stuckLead()
    await look()
    expect([await told(unasked), await runsOn(unasked)]).toMatchObject([[{ type: 'stage_stuck' }], []])
    await wake()
    const [lead, deal] = [await stuckLead(), await makeDeal(ctx)]
    await allow(ctx, 'deal', 7)
    await age(ctx, deal.id, 9)
    await look()
    await look()
    const [line] = await told(lead)
    expect(await runsOn(lead)).toMatchObject([
      {
        agent: 'lead_worker',
        status: 'queued',
        requested_by: { kind: 'system' },
        trigger: { kind: 'stage.stuck', activity_id: line?.id, ask: 'suggest' },
      },
    ])
    expect(await told(deal)).toHaveLength(1)
    expect([await runsOn(deal), await runsOn(unasked)]).toEqual([[], []])
  })

  test('leads to proposals that wait for a person, and to nothing else', async () => {
    await wake()
    const lead = await stuckLead()
    await look()
    const [run] = await runsOn(lead)
    const claimed = await eventually(() => claimRun(world.db, ctx.organization_id, run!.id, 'first'), 3_000)
    await workRun({ db: world.db, outside: nowhere, model: 'rules', rules: rulesModel }, claimed)
    expect(await runsOn(lead)).toMatchObject([{ status: 'done', trigger: { kind: 'stage.stuck' } }])
    const { data } = await listApprovals(ctx, { subject_id: lead.id, limit: 9 })
    expect(data.length).toBeGreaterThan(0)
    expect(new Set(data.map(({ status }) => status))).toEqual(new Set(['pending']))
    expect(data.map(({ tool }) => tool)).not.toContain('send_email')
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ stage_id: lead.stage_id })
  })

  test('leaves a run that waits already as it is, and wakes nobody where agents are off', async () => {
    await wake()
    const waiting = await stuckLead()
    await world.json('POST', `/api/leads/${waiting.id}/work`)
    const muted = await stuckLead()
    await inTx(ctx, ({ tx }) => tx`update opportunities set agents_paused = true where id = ${muted.id}`)
    await look()
    expect(await runsOn(waiting)).toMatchObject([{ trigger: { kind: 'request' } }])

    await changeAgentSettings(ctx, 'lead_worker', { enabled: false })
    const without_agent = await stuckLead()
    await look()
    await changeAgentSettings(ctx, 'lead_worker', { enabled: true })
    const { version } = await readSettings(ctx)
    await changeSettings(ctx, { version, changes: { ai_enabled: false } })
    const without_ai = await stuckLead()
    await look()
    await changeSettings(ctx, { version: version + 1, changes: { ai_enabled: true } })
    await look()
    for (const lead of [muted, without_agent, without_ai]) {
      expect([await told(lead), await runsOn(lead)]).toMatchObject([[{ type: 'stage_stuck' }], []])
    }
  })

  test('is chosen per agent, shown, told on the timeline, and switched off again', async () => {
    const path = '/api/agents/lead_worker'
    const shown = async () => (await world.json('GET', '/api/agents')).body.data[0]
    expect(await shown()).toMatchObject({ version: 1, triggers: { 'stage.stuck': false } })
    expect(await world.json('PATCH', path, { version: 1, triggers: { 'stage.stuck': true } })).toMatchObject({
      status: 200,
      body: { version: 2, enabled: true, triggers: { 'stage.stuck': true } },
    })
    await world.json('PATCH', path, { version: 2, budget: { max_steps: 5 } })
    expect(await shown()).toMatchObject({ triggers: { 'stage.stuck': true }, budget: { max_steps: 5 } })
    const changed = (await listActivities(ctx, { types: ['settings_changed'], limit: 9 })).data
    expect(changed[1]).toMatchObject({
      summary: 'changed the agent lead_worker',
      data: {
        changes: [
          {
            field: 'lead_worker.triggers',
            before: { 'stage.stuck': false },
            after: { 'stage.stuck': true },
          },
        ],
      },
    })
    await world.json('PATCH', path, { version: 3, triggers: { 'stage.stuck': false } })
    const lead = await stuckLead()
    await look()
    expect([await told(lead), await runsOn(lead)]).toMatchObject([[{ type: 'stage_stuck' }], []])
  })

  test('of another name is refused, naming those that there are; nothing is changed', async () => {
    const path = '/api/agents/lead_worker'
    for (const name of ['stage.stale', 'constructor']) {
      expect(
        await world.json('PATCH', path, { version: 1, triggers: { 'stage.stuck': true, [name]: true } }),
      ).toMatchObject({
        status: 422,
        body: {
          code: 'trigger_unknown',
          detail: expect.stringContaining(name),
          errors: [{ pointer: '/triggers', accepted: ['stage.stuck'] }],
        },
      })
    }
    expect(await world.json('PATCH', path, { version: 1, triggers: { 'stage.stuck': 'yes' } })).toMatchObject(
      { status: 422, body: { errors: [{ pointer: '/triggers/stage.stuck' }] } },
    )
    expect((await world.json('GET', '/api/agents')).body.data[0]).toMatchObject({
      version: 1,
      triggers: { 'stage.stuck': false },
    })
  })
})
