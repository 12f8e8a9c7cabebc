import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Activity } from '../db/activities.ts'
import { logActivity, type NewEntry } from '../db/activity-logging.ts'
import { deleteActivity, editActivity } from '../db/activity-revisions.ts'
import type { Ctx } from '../db/context.ts'
import { inTx } from '../db/context.ts'
import { listMilestones, reachMilestone, setMilestone } from '../db/milestones.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const daysAgo = (n: number) => new Date(Date.now() - n * 86_400_000)
const lead = (id: string) => ({ kind: 'lead' as const, id })
const wrote = (id: string, days: number, more: Partial<NewEntry> = {}): Promise<Activity> =>
  logActivity(ctx, {
    type: 'email_sent',
    subjects: [lead(id)],
    occurred_at: daysAgo(days).toISOString(),
    data: { subject: 'Our offer' },
    ...more,
  })
const meeting = (id: string, status: 'scheduled' | 'held') =>
  wrote(id, 1, {
    type: 'meeting_logged',
    data: {
      subject: 'Demo',
      status,
      ...(status === 'scheduled' ? { starts_at: '2027-01-04T09:00:00Z' } : {}),
    },
  })
const card = async (id: string) => {
  const { sent_at, scheduled_at, version } = await getOpportunity(ctx, id)
  return { sent_at, scheduled_at, version }
}
const lines = async (id: string) => (await listTimeline(ctx, lead(id), { limit: 20 })).data

test('F15: a deleted e-mail takes back the milestone that it alone reached; the history keeps both', async () => {
  const { id } = await makeLead(ctx)
  const entry = await wrote(id, 2)
  expect(await card(id)).toEqual({ sent_at: entry.occurred_at, scheduled_at: null, version: 1 })
  expect((await api.ask('DELETE', `/api/activities/${entry.id}`)).status).toBe(204)
  expect(await card(id)).toEqual({ sent_at: null, scheduled_at: null, version: 1 })
  const { body } = await api.json('GET', `/api/opportunities/${id}/milestones`)
  expect(body.data).toMatchObject([
    {
      milestone: 'sent_at',
      reached_at: entry.occurred_at.toISOString(),
      activity_id: entry.id,
      actor: { kind: 'user' },
      withdrawn_at: expect.any(String),
      withdrawn_by: { kind: 'api_key' },
    },
  ])
  const [deleted] = await lines(id)
  expect(deleted).toMatchObject({
    type: 'activity_deleted',
    data: {
      milestones: [
        { opportunity_id: id, field: 'sent_at', before: entry.occurred_at.toISOString(), after: null },
      ],
    },
  })

  await undoActivity(ctx, deleted!.id)
  expect((await card(id)).sent_at).toEqual(entry.occurred_at)
  expect(await listMilestones(ctx, id)).toMatchObject([{ withdrawn_at: null }])
})

test('F15: what something else reached, too, stays: the first that is left counts, whatever its date', async () => {
  const { id } = await makeLead(ctx)
  const [first, second] = [await wrote(id, 2), await wrote(id, 9)]
  await reachMilestone(ctx, id, 'sent_at', daysAgo(1))
  expect((await card(id)).sent_at).toEqual(first.occurred_at)
  await deleteActivity(ctx, second.id)
  expect((await card(id)).sent_at).toEqual(first.occurred_at)
  await deleteActivity(ctx, first.id)
  const [sent] = await listMilestones(ctx, id)
  expect((await card(id)).sent_at).toEqual(sent!.reached_at)
  expect((await listMilestones(ctx, id)).map(({ withdrawn_at }) => withdrawn_at === null)).toEqual([
    true,
    false,
    false,
  ])
  // One after the other they come back, in the order in which they were reached.
  const deletions = (await lines(id)).filter(({ type }) => type === 'activity_deleted')
  await undoActivity(ctx, deletions[1]!.id)
  expect((await card(id)).sent_at).toEqual(second.occurred_at)
  await undoActivity(ctx, deletions[0]!.id)
  expect((await card(id)).sent_at).toEqual(first.occurred_at)
})

test('F15: an undo of logging takes it back on every card that the entry is about, and on no other', async () => {
  const [one, other, apart] = [await makeLead(ctx), await makeDeal(ctx), await makeLead(ctx)]
  const subjects = [lead(one.id), { kind: 'deal' as const, id: other.id }]
  const entry = await wrote(one.id, 1, { subjects })
  const kept = await wrote(apart.id, 1)
  const undone = await undoActivity(ctx, entry.id)
  for (const { id } of [one, other]) expect((await card(id)).sent_at).toBeNull()
  expect((await card(apart.id)).sent_at).toEqual(kept.occurred_at)
  await undoActivity(ctx, undone.id)
  for (const { id } of [one, other]) expect((await card(id)).sent_at).toEqual(entry.occurred_at)
})

test('F15: an edit takes back what the entry does not say any more, and reaches what it says now', async () => {
  const [from, to] = [await makeLead(ctx), await makeLead(ctx)]
  const demo = await meeting(from.id, 'scheduled')
  const edit = (changes: Parameters<typeof editActivity>[2]['changes']) =>
    editActivity(ctx, demo.id, { changes })
  expect((await card(from.id)).scheduled_at).toEqual(demo.occurred_at)
  await edit({ data: { status: 'cancelled', starts_at: null } })
  expect((await card(from.id)).scheduled_at).toBeNull()
  await edit({ data: { status: 'scheduled', starts_at: '2027-02-01T09:00:00Z' } })
  expect((await card(from.id)).scheduled_at).toEqual(demo.occurred_at)
  await edit({ subjects: [lead(to.id)] })
  expect([(await card(from.id)).scheduled_at, (await card(to.id)).scheduled_at]).toEqual([
    null,
    demo.occurred_at,
  ])
  // Of one milestone each card has one reaching: it is taken back and let count again, not repeated.
  expect(await listMilestones(ctx, from.id)).toHaveLength(1)

  const held = await meeting(to.id, 'held')
  await editActivity(ctx, held.id, {
    changes: { data: { status: 'scheduled', starts_at: '2027-03-01T09:00:00Z' } },
  })
  await deleteActivity(ctx, demo.id)
  expect((await card(to.id)).scheduled_at).toEqual(held.occurred_at)
})

test('F15: a milestone is when its entry says that it was: corrected, undone, corrected while it did not count', async () => {
  const { id } = await makeLead(ctx)
  const [said, earlier, later] = [9, 20, 4].map((days) => daysAgo(days).toISOString())
  const logged = async (data: NewEntry['data'], type: NewEntry['type']): Promise<string> => {
    const subjects = [lead(id)]
    const entry = await api.json('POST', '/api/activities', { type, subjects, occurred_at: said, data })
    expect([entry.status, entry.body.detail]).toEqual([201, undefined])
    return entry.body.id
  }
  const correct = async (entry_id: string, changes: object) => {
    const address = `/api/activities/${entry_id}`
    const { version } = (await api.json('GET', address)).body
    const { status, body } = await api.json('PATCH', address, { version, ...changes })
    expect([status, body.detail]).toEqual([200, undefined])
  }
  const reached = async (milestone: 'sent_at' | 'scheduled_at') => {
    const { data } = (await api.json('GET', `/api/opportunities/${id}/milestones`)).body
    const [of] = data.filter((one: any) => one.milestone === milestone)
    return [(await api.json('GET', `/api/leads/${id}`)).body[milestone], of.reached_at]
  }
  const sent = await logged({ subject: 'Our offer' }, 'email_sent')
  const demo = await logged(
    { subject: 'Demo', status: 'scheduled', starts_at: '2027-01-04T09:00:00Z' },
    'meeting_logged',
  )
  for (const [entry_id, milestone] of [
    [sent, 'sent_at'],
    [demo, 'scheduled_at'],
  ] as const) {
    for (const at of [earlier, later]) {
      await correct(entry_id, { occurred_at: at })
      expect(await reached(milestone)).toEqual([at, at])
    }
  }
  const [line] = await lines(id)
  expect(line!.data['milestones']).toEqual([
    { opportunity_id: id, field: 'scheduled_at', before: earlier, after: later },
  ])
  const undone = await undoActivity(ctx, line!.id)
  expect(await reached('scheduled_at')).toEqual([earlier, earlier])
  await undoActivity(ctx, undone.id)
  expect(await reached('scheduled_at')).toEqual([later, later])

  await correct(demo, { data: { status: 'cancelled', starts_at: null } })
  await correct(demo, { occurred_at: earlier })
  expect((await card(id)).scheduled_at).toBeNull()
  await correct(demo, { data: { status: 'scheduled', starts_at: '2027-01-05T09:00:00Z' } })
  expect(await reached('scheduled_at')).toEqual([earlier, earlier])

  // An entry that says the same time as before moves nothing.
  await correct(sent, { data: { subject: 'Our second offer' } })
  expect((await lines(id))[0]!.data).not.toHaveProperty('milestones')
})

test('F15: a corrected time changes the card where the entry reached it first, and nothing that came otherwise', async () => {
  const { id } = await makeLead(ctx)
  const [first, second] = [await wrote(id, 9), await wrote(id, 5)]
  const correct = (entry: Activity, days: number) =>
    editActivity(ctx, entry.id, { changes: { occurred_at: daysAgo(days).toISOString() } })
  const reachedBy = async (entry: Activity) =>
    (await listMilestones(ctx, id)).find(({ activity_id }) => activity_id === entry.id)!.reached_at
  await correct(second, 12)
  expect((await card(id)).sent_at).toEqual(first.occurred_at)
  await correct(first, 2)
  expect((await card(id)).sent_at).toEqual(await reachedBy(first))
  await deleteActivity(ctx, first.id)
  expect((await card(id)).sent_at).toEqual(await reachedBy(second))
  expect((await card(id)).sent_at!.getTime()).toBeLessThan(daysAgo(11).getTime())

  const imported = daysAgo(30)
  await inTx(ctx, ({ tx }) => tx`update opportunities set sent_at = ${imported} where id = ${id}`)
  await correct(second, 3)
  expect((await card(id)).sent_at).toEqual(imported)
})

test('F15: what came otherwise, such as by an import, is nobody’s to take back', async () => {
  const { id } = await makeLead(ctx)
  const imported = daysAgo(30)
  await inTx(ctx, ({ tx }) => tx`update opportunities set sent_at = ${imported} where id = ${id}`)
  const entry = await wrote(id, 2)
  await deleteActivity(ctx, entry.id)
  expect((await card(id)).sent_at).toEqual(imported)
})

test('F15: an undone note of a milestone leaves the next time that the card reached it; undone again, the first', async () => {
  const { id } = await makeLead(ctx)
  const [noted, later] = [daysAgo(5), daysAgo(1)]
  await setMilestone(ctx, id, { milestone: 'accepted_at', reached_at: noted.toISOString() })
  await reachMilestone(ctx, id, 'accepted_at', later)
  const line = (await lines(id)).find(({ type }) => type === 'milestone_reached')!
  const accepted = async () => (await getOpportunity(ctx, id)).accepted_at
  const undone = await undoActivity(ctx, line.id)
  expect(undone.data['changes']).toEqual([
    { field: 'accepted_at', before: noted.toISOString(), after: later.toISOString() },
  ])
  expect(await accepted()).toEqual(later)
  const again = await undoActivity(ctx, undone.id)
  expect([again.type, await accepted()]).toEqual(['undone', noted])
})
