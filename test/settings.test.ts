import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { listActivities } from '../db/activities.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { updateLead } from '../db/leads.ts'
import { changeAgentSettings } from '../db/models.ts'
import { addNote } from '../db/notes.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { claimRun, findDueRuns } from '../db/run-lease.ts'
import { cancelRun, listRuns, queueRun, type Run } from '../db/runs.ts'
import { changeSettings, readSettings, type SettingsChange } from '../db/settings.ts'
import { getSubmission, processSubmission, storeSubmission } from '../db/submissions.ts'
import { completeTask } from '../db/task-states.ts'
import { createTask } from '../db/tasks.ts'
import { stageOf } from './cards.ts'
import { loseCard, makeLead, nowhere } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())
beforeEach(async () => {
  ctx = (await world.other()).ctx
})

const change = async (changes: Partial<SettingsChange>) =>
  changeSettings(ctx, { version: (await readSettings(ctx)).version, changes })

let sent = 0
/** A lead at the webhook; answers its id. */
const comesIn = async (): Promise<string> => {
  const made = await createSource(ctx, { name: 'Website' })
  const source = await openSource(world.db, ctx.organization_id, made.id)
  if (!source) throw new Error('the door is closed')
  sent += 1
  const payload = {
    name: `Ana Ruiz ${sent}`,
    email: `ana.${sent}@brightside.example`,
    message: 'A quote, please.',
  }
  const raw = Buffer.from(JSON.stringify(payload))
  const stored = await storeSubmission(world.db, source, { content_type: 'application/json', raw, payload })
  await processSubmission(world.db, ctx.organization_id, stored.submission_id)
  return (await getSubmission(ctx, stored.submission_id)).lead_id ?? ''
}

/** What a worker does: takes every run of the organization that is due. */
const work = async (): Promise<void> => {
  for (const due of await findDueRuns(world.db, 1_000)) {
    if (due.organization_id !== ctx.organization_id) continue
    const claimed = await claimRun(world.db, due.organization_id, due.id, 'test')
    if (claimed) await workRun({ db: world.db, outside: nowhere, model: 'rules' }, claimed)
  }
}

const runsOn = async (subject_id: string): Promise<Run[]> =>
  (await listRuns(ctx, { subject_id, limit: 10 })).data

const switches: [name: string, set: (on: boolean) => Promise<unknown>, reason: string][] = [
  ['all agents', (ai_enabled) => change({ ai_enabled }), 'ai_off'],
  ['one agent', (enabled) => changeAgentSettings(ctx, 'lead_worker', { enabled }), 'agent_off'],
]

describe.each(switches)('F86: while %s are off and on again', (_, set, reason) => {
  test('leads that come in wait, and are worked as if they had just come in', async () => {
    await set(false)
    const lead = await comesIn()
    await work()
    expect(await runsOn(lead)).toMatchObject([{ status: 'stopped', stop_reason: reason }])
    await work()
    expect(await runsOn(lead)).toHaveLength(1)

    await set(true)
    const [again, stopped] = await runsOn(lead)
    expect(again).toMatchObject({
      status: 'queued',
      requested_by: stopped?.requested_by,
      trigger: { ...stopped?.trigger, kind: 'retry' },
    })
    await work()
    expect((await runsOn(lead)).map(({ status }) => status)).toEqual(['done', 'stopped'])
    const { data } = await listActivities(ctx, { limit: 100 })
    expect(data.find(({ data }) => data['resumed_runs'] === 1)).toMatchObject({
      type: 'settings_changed',
      actor: { kind: 'user' },
      summary: expect.stringContaining('1 run that it had stopped began anew'),
    })
    await set(false)
    await set(true)
    expect(await runsOn(lead)).toHaveLength(2)
  })

  test('what nobody waits for any more stays as it is', async () => {
    await set(false)
    const taken_up = await comesIn()
    const closed = await comesIn()
    const archived = await comesIn()
    const muted = await comesIn()
    const asked_again = await comesIn()
    const untouched = await comesIn()
    const synced = await comesIn()
    await work()

    const sync: Ctx = { ...ctx, actor: { kind: 'system', id: 'sync', name: 'sync' } }
    await updateLead(ctx, taken_up, { title: 'Buyer' })
    await updateLead(sync, synced, { title: 'Buyer' })
    await loseCard(sync, closed)
    await inTx(ctx, ({ tx }) => tx`update opportunities set archived_at = now() where id = ${archived}`)
    await updateLead(sync, muted, { agents_paused: true })
    const subject = { kind: 'lead' as const, id: asked_again }
    const asked = await queueRun(ctx, { agent: 'lead_worker', subject, trigger: { kind: 'request' } })
    await cancelRun(ctx, asked.id)

    await set(true)
    const { data } = await listRuns(ctx, { status: 'queued', limit: 20 })
    expect(data.map(({ subject }) => subject.id)).toEqual([synced, untouched])
  })
})

test('one switch that is still off keeps what the other one stopped', async () => {
  await change({ ai_enabled: false })
  const lead = await comesIn()
  await work()
  await changeAgentSettings(ctx, 'lead_worker', { enabled: false })
  await change({ ai_enabled: true })
  expect(await runsOn(lead)).toMatchObject([{ status: 'stopped', stop_reason: 'ai_off' }])
  await changeAgentSettings(ctx, 'lead_worker', { enabled: true })
  expect(await runsOn(lead)).toMatchObject([{ status: 'queued' }, { status: 'stopped' }])
})

test('F86: with all agents off the record does everything that people do, and nothing is thought or sent', async () => {
  await change({ ai_enabled: false })
  const lead = await makeLead(ctx, { email: 'ana@brightside.example' })
  const subject = { kind: 'lead', id: lead.id } as const
  await updateLead(ctx, lead.id, { title: 'Buyer' })
  await moveOpportunity(ctx, lead.id, { stage_id: (await stageOf(ctx, 'lead', 1)).id })
  await addNote(ctx, { subject, body: 'Called.' })
  const { id } = await createTask(ctx, { title: 'Call', subjects: [subject] })
  await completeTask(ctx, id)
  await createTask(ctx, {
    title: 'Read up',
    subjects: [subject],
    assignee: { kind: 'agent', id: 'lead_worker' },
  })
  await closeOpportunity(ctx, lead.id, { outcome: 'won' })
  await reopenOpportunity(ctx, lead.id, {})
  expect(await runsOn(lead.id)).toEqual([])
  const ask = { kind: 'request', ask: 'suggest' } as const
  await queueRun(ctx, { agent: 'lead_worker', subject, trigger: ask })
  await work()
  expect(await runsOn(lead.id)).toMatchObject([{ status: 'stopped', stop_reason: 'ai_off' }])
  const { data } = await listActivities(ctx, { subject, limit: 50 })
  expect(new Set(data.map(({ type }) => type))).toEqual(
    new Set([
      'lead_imported',
      'record_updated',
      'stage_changed',
      'note_added',
      'task_created',
      'task_completed',
      'agent_run',
    ]),
  )
})

test('a change of anything else starts none', async () => {
  const lead = await comesIn()
  await change({ ai_enabled: false })
  await work()
  expect(await runsOn(lead)).toMatchObject([{ status: 'stopped' }])
  await change({ sender_name: 'Mira' })
  await changeAgentSettings(ctx, 'lead_worker', { budget: { max_steps: 20 } })
  expect(await runsOn(lead)).toHaveLength(1)
})

test('another organization’s switch starts nothing here', async () => {
  await change({ ai_enabled: false })
  const lead = await comesIn()
  await work()
  const mine = ctx
  ctx = (await world.other()).ctx
  await change({ ai_enabled: false })
  await change({ ai_enabled: true })
  ctx = mine
  expect(await runsOn(lead)).toHaveLength(1)
})

test('two changes of the same version: one wins, the other is told what is there', async () => {
  const { version } = await readSettings(ctx)
  const both = await Promise.allSettled([
    changeSettings(ctx, { version, changes: { currency: 'EUR' } }),
    changeSettings(ctx, { version, changes: { currency: 'CHF' } }),
  ])
  expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { kind: 'stale', extra: { current: { version: expect.any(Number) } } },
  })
})
