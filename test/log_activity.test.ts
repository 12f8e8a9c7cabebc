import { afterAll, beforeAll, expect, test } from 'vitest'
import { getActivity, listActivities } from '../db/activities.ts'
import { deleteActivity } from '../db/activity-revisions.ts'
import type { Ctx } from '../db/context.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { setLevel } from '../db/policies.ts'
import { undoActivity } from '../db/undo.ts'
import { tools } from '../tools/index.ts'
import { makeLead, putToWork } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  await setLevel(ctx, { agent: 'lead_worker', tool: 'log_activity', level: 'act' })
})
afterAll(() => world.stop())

const meeting = (opportunity_id: string) => ({
  opportunity_id,
  type: 'meeting_logged',
  data: { subject: 'Demo', status: 'scheduled', starts_at: '2027-01-04T09:00:00Z' },
  reason: 'The owner wrote it in a note.',
})

test('an agent logs what happened, with its reason; undo leaves a tombstone', async () => {
  const lead = await makeLead(ctx)
  const { call } = await putToWork(world, lead.id)
  const { verdict, output } = await call('log_activity', meeting(lead.id), [])
  expect(verdict).toBe('run')
  const id = String(output['activity_id'])
  expect(await getActivity(ctx, id)).toMatchObject({
    type: 'meeting_logged',
    actor: { kind: 'agent', id: 'lead_worker' },
    reason: 'The owner wrote it in a note.',
    subjects: [{ kind: 'lead', id: lead.id }],
    data: { subject: 'Demo', status: 'scheduled' },
  })
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({ scheduled_at: expect.any(Date) })
  // People correct an agent by another entry, or take its act back.
  await expect(deleteActivity(ctx, id)).rejects.toMatchObject({ code: 'activity_immutable' })
  await undoActivity(ctx, id)
  expect(await getActivity(ctx, id)).toMatchObject({ deleted: true, data: {} })
})

test('what a stranger’s text may have led to waits for a person', async () => {
  const lead = await makeLead(ctx)
  const { call } = await putToWork(world, lead.id)
  expect(await call('log_activity', meeting(lead.id))).toMatchObject({ verdict: 'park', rule: 'tainted' })
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({ scheduled_at: null })
  const { data } = await listActivities(ctx, { types: ['meeting_logged'], actor: 'agent', limit: 5 })
  expect(data.filter(({ subjects }) => subjects[0]?.id === lead.id)).toEqual([])
})

test('what an agent sent, what does not go together and what has no reason is no entry', () => {
  const right = meeting('0198c0de-0000-7000-8000-000000000000')
  const { parse } = tools['log_activity']!
  expect(parse(right).success).toBe(true)
  for (const wrong of [
    { type: 'email_sent', data: { subject: 'x' } },
    { reason: ' ' },
    { data: {} },
    { data: { subject: 'x', status: 'scheduled' } },
    { type: 'call_logged', data: { subject: 'x', status: 'held' } },
    { data: { subject: 'x', logged: false } },
  ])
    expect([wrong, parse({ ...right, ...wrong }).success]).toEqual([wrong, false])
})
