import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Activity, getActivity, listActivities } from '../db/activities.ts'
import { sealAll, verifyAudit } from '../db/audit.ts'
import { listApprovals } from '../db/approvals.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createApiKey } from '../db/identity.ts'
import { updateLead } from '../db/leads.ts'
import { addNote, listNotes } from '../db/notes.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { archiveRecord } from '../db/records.ts'
import { endRun } from '../db/run-lease.ts'
import { undoRun } from '../db/run-undo.ts'
import { createTask, listTasks } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity, undoLimits } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead, putToWork, taskAction } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const linesOf = async (id: string): Promise<Activity[]> =>
  (await listTimeline(ctx, { kind: 'lead', id }, { limit: 50 })).data
/** The newest line of this type on a lead. */
const lineOf = async (id: string, type: Activity['type']): Promise<Activity> =>
  (await linesOf(id)).find((line) => line.type === type)!
const undo = (activity_id: string, body: object = {}, headers?: Record<string, string>) =>
  api.json('POST', `/api/activities/${activity_id}/undo`, body, headers)
const stages = async () => (await defaultPipeline(ctx, 'lead')).stages

describe('rule 12: what was done can be taken back', () => {
  test('an edit: the values are what they were, and a line says who took it back and why', async () => {
    const lead = await makeLead(ctx, { city: 'Berlin', phone: '030 1234567', country: 'DE', tags: ['vip'] })
    await updateLead(ctx, lead.id, { city: 'Hamburg', phone: '+49 40 7654321', tags: [], value_minor: 5_000 })
    const edit = await lineOf(lead.id, 'record_updated')
    const { status, body } = await undo(edit.id, { reason: 'Wrong lead' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      type: 'undone',
      actor: { kind: 'api_key' },
      reason: 'Wrong lead',
      subjects: [{ kind: 'lead', id: lead.id }],
      data: { activity_id: edit.id, summary: edit.summary },
      undoable: true,
    })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({
      city: 'Berlin',
      phone: lead.phone,
      phone_original: '030 1234567',
      tags: ['vip'],
      value_minor: null,
    })
    expect((await getActivity(ctx, edit.id)).undone_by).toBe(body.id)
    expect(await undo(edit.id)).toMatchObject({
      status: 409,
      body: { code: 'already_undone', undone_by: body.id },
    })
  })

  test('an undo is taken back, too; the act stands again and can be taken back again', async () => {
    const lead = await makeLead(ctx, { city: 'Berlin' })
    await updateLead(ctx, lead.id, { city: 'Hamburg' })
    const edit = await lineOf(lead.id, 'record_updated')
    const undone = await undoActivity(ctx, edit.id)
    const redone = await undoActivity(ctx, undone.id)
    expect((await getOpportunity(ctx, lead.id)).city).toBe('Hamburg')
    expect((await getActivity(ctx, edit.id)).undone_by).toBeUndefined()
    expect((await getActivity(ctx, undone.id)).undone_by).toBe(redone.id)
    expect(await undo(redone.id)).toMatchObject({ status: 409, body: { code: 'not_undoable' } })
    await undoActivity(ctx, edit.id)
    expect((await getOpportunity(ctx, lead.id)).city).toBe('Berlin')
  })

  test('a move goes back through the one move there is, with its own line', async () => {
    const lead = await makeLead(ctx)
    const [first, second] = await stages()
    await moveOpportunity(ctx, lead.id, { stage_id: second!.id, reason: 'They answered' })
    await undoActivity(ctx, (await lineOf(lead.id, 'stage_changed')).id)
    expect((await getOpportunity(ctx, lead.id)).stage_id).toBe(first!.id)
    const [said, moved] = await linesOf(lead.id)
    expect([said!.type, moved!.type]).toEqual(['undone', 'stage_changed'])
    expect(moved).toMatchObject({ reason: expect.stringMatching(/^Taken back: moved it/), actor: ctx.actor })
  })

  test('a note, a task, and taking a lead out of use', async () => {
    const lead = await makeLead(ctx)
    const subject = { kind: 'lead' as const, id: lead.id }
    await addNote(ctx, { subject, body: 'Prefers calls' })
    await createTask(ctx, { title: 'Call', priority: 'normal', subjects: [subject] })
    await archiveRecord(ctx, subject)
    for (const type of ['record_archived', 'task_created', 'note_added'] as const)
      await undoActivity(ctx, (await lineOf(lead.id, type)).id)
    expect((await getOpportunity(ctx, lead.id)).archived_at).toBeNull()
    expect((await listTasks(ctx, { subject_id: lead.id, limit: 5 })).data).toEqual([])
    expect((await listNotes(ctx, { subject_id: lead.id, limit: 5 })).data).toEqual([])
  })

  test('the chain of the timeline stays whole', async () => {
    const heads = `${api.folder}/heads.jsonl`
    await sealAll(api.db, heads)
    const lead = await makeLead(ctx)
    await updateLead(ctx, lead.id, { city: 'Hamburg' })
    await sealAll(api.db, heads)
    await undoActivity(ctx, (await lineOf(lead.id, 'record_updated')).id)
    await sealAll(api.db, heads)
    expect(await verifyAudit(api.db, ctx.organization_id, heads)).toMatchObject({ problem: null })
  })
})

describe('what cannot be taken back says why, and nothing half is', () => {
  test('what somebody changed since is named, and stays; so does all the rest of the act', async () => {
    const lead = await makeLead(ctx, { city: 'Berlin', source: 'fair' })
    await updateLead(ctx, lead.id, { city: 'Hamburg', source: 'web' })
    const edit = await lineOf(lead.id, 'record_updated')
    await updateLead(ctx, lead.id, { city: 'Bremen' })
    const before = (await linesOf(lead.id)).length
    expect(await undo(edit.id)).toMatchObject({
      status: 409,
      body: {
        code: 'changed_since',
        changed: [{ field: 'city', left: 'Hamburg', now: 'Bremen' }],
        errors: [{ pointer: '/city' }],
      },
    })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ city: 'Bremen', source: 'web' })
    expect(await linesOf(lead.id)).toHaveLength(before)
    expect((await getActivity(ctx, edit.id)).undone_by).toBeUndefined()
  })

  test('a stage, a note and a task that somebody changed since', async () => {
    const lead = await makeLead(ctx)
    const subject = { kind: 'lead' as const, id: lead.id }
    const [, second, third] = await stages()
    await moveOpportunity(ctx, lead.id, { stage_id: second!.id })
    const moved = await lineOf(lead.id, 'stage_changed')
    await moveOpportunity(ctx, lead.id, { stage_id: third!.id })
    const task = await createTask(ctx, { title: 'Call', priority: 'normal', subjects: [subject] })
    await api.json('POST', `/api/tasks/${task.id}/complete`, {})
    const created = await lineOf(lead.id, 'task_created')
    expect(await undo(moved.id)).toMatchObject({ status: 409, body: { changed: [{ field: 'stage' }] } })
    expect(await undo(created.id)).toMatchObject({
      status: 409,
      body: { changed: [{ field: 'status', left: 'open', now: 'done' }] },
    })
  })

  test('what is irreversible, what only says what happened, what is part of an undo, and what is too old', async () => {
    const lead = await makeLead(ctx)
    const { call } = await putToWork(api, lead.id)
    await call('qualify', { lead_id: lead.id })
    await updateLead(ctx, lead.id, { city: 'Hamburg' })
    const edit = await lineOf(lead.id, 'record_updated')
    await undoActivity(ctx, edit.id)
    const inner = await lineOf(lead.id, 'record_updated')
    await updateLead(ctx, lead.id, { city: 'Kiel' })
    const old = await lineOf(lead.id, 'record_updated')
    await inTx(
      ctx,
      ({ tx }) =>
        tx`update activities set occurred_at = now() - ${`${undoLimits.days + 1} days`}::interval where id = ${old.id}`,
    )
    const because = async (id: string) => {
      const { status, body } = await undo(id)
      const [line] = (await linesOf(lead.id)).filter((one) => one.id === id)
      const shown = await api.json('GET', `/api/leads/${lead.id}/timeline`)
      expect(shown.body.data.find((one: { id: string }) => one.id === id)).toMatchObject({ undoable: false })
      return [line!.type, status, body.code, body.because]
    }
    expect(await because((await lineOf(lead.id, 'qualified')).id)).toEqual([
      'qualified',
      409,
      'not_undoable',
      'irreversible',
    ])
    expect(await because(inner.id)).toEqual(['record_updated', 409, 'not_undoable', 'part_of_undo'])
    expect(await because(old.id)).toEqual(['record_updated', 409, 'not_undoable', 'too_old'])
  })

  test('what was logged just now of long ago is taken back: its age is that of its writing', async () => {
    const lead = await makeLead(ctx)
    const { body: call, status } = await api.json('POST', '/api/activities', {
      type: 'call_logged',
      subjects: [{ kind: 'lead', id: lead.id }],
      occurred_at: new Date(Date.now() - 90 * 86_400_000).toISOString(),
      data: { subject: 'Long ago' },
    })
    expect(status, JSON.stringify(call)).toBe(201)
    expect(Date.parse(call.recorded_at)).toBeGreaterThan(Date.now() - 60_000)
    expect(call.undoable).toBe(true)
    expect((await undo(call.id)).status).toBe(200)
  })

  test('twenty people at once take one act back once', async () => {
    const lead = await makeLead(ctx, { city: 'Berlin' })
    await updateLead(ctx, lead.id, { city: 'Hamburg' })
    const { id } = await lineOf(lead.id, 'record_updated')
    const answers = await Promise.all(Array.from({ length: 20 }, () => undo(id)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.code === 'already_undone')).toHaveLength(19)
    expect((await linesOf(lead.id)).filter(({ type }) => type === 'undone')).toHaveLength(1)
  })
})

describe('who may', () => {
  test('another tenant’s act is not there', async () => {
    const { ctx: other } = await api.other()
    const theirs = await makeLead(other, { city: 'Berlin' })
    await updateLead(other, theirs.id, { city: 'Hamburg' })
    const { data } = await listTimeline(other, { kind: 'lead', id: theirs.id }, { limit: 5 })
    expect(await undo(data[0]!.id)).toMatchObject({ status: 404, body: { code: 'activity_not_found' } })
    expect((await getOpportunity(other, theirs.id)).city).toBe('Hamburg')
  })

  test('a key takes back what it may do itself, and nothing else', async () => {
    const lead = await makeLead(ctx)
    await updateLead(ctx, lead.id, { city: 'Hamburg' })
    await addNote(ctx, { subject: { kind: 'lead', id: lead.id }, body: 'Prefers calls' })
    const keyWith = async (...scopes: string[]) => {
      const { key } = await createApiKey(ctx, { name: 'Notes', scopes, user_id: api.owner.user_id })
      return { authorization: `Bearer ${key}` }
    }
    const headers = await keyWith('activities:write', 'notes:write', 'leads:read')
    const blind = await keyWith('activities:write', 'notes:write')
    expect(await undo((await lineOf(lead.id, 'record_updated')).id, {}, headers)).toMatchObject({
      status: 403,
      body: { code: 'permission_missing', permission: 'leads:write' },
    })
    const noted = await lineOf(lead.id, 'note_added')
    expect(await undo(noted.id, {}, blind)).toMatchObject({ status: 403, body: { permission: 'leads:read' } })
    expect((await undo(noted.id, {}, headers)).status).toBe(200)
  })
})

test('a rep takes back neither what only managers may change, nor what somebody else wrote; an undo needs what its act needs', async () => {
  const rep = { authorization: `Bearer ${await api.keyFor('rep')}` }
  const lead = await makeLead(ctx)
  const note = await addNote(ctx, { subject: { kind: 'lead', id: lead.id }, body: 'Prefers calls' })
  const noted = await lineOf(lead.id, 'note_added')
  expect(await undo(noted.id, {}, rep)).toMatchObject({ status: 403, body: { code: 'not_the_author' } })
  const undone = await undo(noted.id)
  expect(undone.status).toBe(200)
  const { key } = await createApiKey(ctx, {
    name: 'Leads only',
    scopes: ['activities:write', 'leads:write'],
    user_id: api.owner.user_id,
  })
  expect(await undo(undone.body.id, {}, { authorization: `Bearer ${key}` })).toMatchObject({
    status: 403,
    body: { permission: 'notes:write' },
  })
  expect((await undo(undone.body.id)).status).toBe(200)
  expect((await listNotes(ctx, { subject_id: lead.id, limit: 5 })).data).toMatchObject([{ id: note.id }])

  const { body: reason } = await api.json('POST', '/api/discard-reasons', { label: 'Wrong country' })
  const { data } = await listActivities(ctx, { limit: 5 })
  const added = data.find(({ subjects }) => subjects.some(({ id }) => id === reason.id))!
  expect(await undo(added.id, {}, rep)).toMatchObject({
    status: 403,
    body: { permission: 'pipelines:write' },
  })
  expect((await undo(added.id)).status).toBe(200)
})

describe('A8: a whole run is taken back', () => {
  const worked = async () => {
    const lead = await makeLead(ctx, { company_name: undefined })
    const agent = await putToWork(api, lead.id)
    const [, second] = await stages()
    await agent.call('qualify', { lead_id: lead.id })
    await agent.call('move_stage', { lead_id: lead.id, stage_id: second!.id, reason: 'Qualified.' })
    await agent.call('add_note', { lead_id: lead.id, body: 'Knows us from a fair.' })
    await agent.call('create_task', { lead_id: lead.id, title: 'Call Ana' })
    await agent.call('suggest_next_actions', { lead_id: lead.id, actions: [taskAction('Ask again')] })
    return { lead, agent, run_id: agent.claimed.run.id }
  }
  const end = ({ agent }: Awaited<ReturnType<typeof worked>>) =>
    endRun(agent.ctx, agent.claimed.run, { status: 'done', stop_reason: 'finished' })

  test('in reverse order, newest act first; what waits is withdrawn, what cannot be is named', async () => {
    const run = await worked()
    await end(run)
    const { status, body } = await api.json('POST', `/api/runs/${run.run_id}/undo`, {
      reason: 'Wrong person',
    })
    expect(status).toBe(200)
    expect(
      body.undone.map(({ summary }: { summary: string }) => summary.split(' ').slice(0, 3).join(' ')),
    ).toEqual(['created the task', 'added a note', 'moved it from'])
    expect(body.kept).toMatchObject([{ code: 'not_undoable', extra: { because: 'irreversible' } }])
    expect(body.withdrawn).toHaveLength(1)
    const after = await getOpportunity(ctx, run.lead.id)
    expect(after.stage_id).toBe(run.lead.stage_id)
    expect((await listTasks(ctx, { subject_id: run.lead.id, limit: 5 })).data).toEqual([])
    const { data } = await listApprovals(ctx, { subject_id: run.lead.id, limit: 5 })
    expect(data.map((approval) => approval.status)).toEqual(['withdrawn'])
    expect(await undoRun(ctx, run.run_id)).toMatchObject({ undone: [], withdrawn: [] })
  })

  test('what somebody changed since stays and is named; the rest is taken back', async () => {
    const run = await worked()
    await end(run)
    const { data: tasks } = await listTasks(ctx, { subject_id: run.lead.id, limit: 5 })
    await api.json('POST', `/api/tasks/${tasks[0]!.id}/complete`, {})
    const { undone, kept } = await undoRun(ctx, run.run_id)
    expect(undone).toHaveLength(2)
    expect(kept.map(({ code }) => code)).toEqual(['changed_since', 'not_undoable'])
  })

  test('one that is still at work is stopped first; another tenant’s is not there', async () => {
    const run = await worked()
    await expect(undoRun(ctx, run.run_id)).rejects.toMatchObject({ code: 'run_not_ended' })
    await end(run)
    const { ctx: other } = await api.other()
    await expect(undoRun(other, run.run_id)).rejects.toMatchObject({ code: 'run_not_found' })
  })
})
