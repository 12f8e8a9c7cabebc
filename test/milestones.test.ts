import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approveApproval } from '../db/approval-decisions.ts'
import type { Ctx } from '../db/context.ts'
import { listMilestones, reachMilestone, setMilestone, type Milestone } from '../db/milestones.ts'
import { listMessages } from '../db/messages.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { executeApproval } from '../tools/approvals.ts'
import { deliverMessage } from '../tools/messages.ts'
import { openApi, type ApiWorld } from './api.ts'
import { asAgent } from './cards.ts'
import { loseCard, makeLead, nowhere, parkEmail, putToWork } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const historyOf = async (id: string): Promise<Milestone[]> =>
  (await listMilestones(ctx, id)).map(({ milestone }) => milestone)
const set = (id: string, body: object) => api.json('POST', `/api/opportunities/${id}/milestones`, body)

describe('F15: a milestone', () => {
  test('keeps the first time on the card and every time in its history, without raising the version', async () => {
    const lead = await makeLead(ctx)
    const first = new Date('2026-11-02T09:00:00Z')
    await reachMilestone(ctx, lead.id, 'scheduled_at', first)
    await reachMilestone(ctx, lead.id, 'scheduled_at', new Date('2026-11-01T09:00:00Z'))
    await reachMilestone(asAgent(ctx), lead.id, 'scheduled_at')
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ scheduled_at: first, version: 1 })
    expect(await listMilestones(ctx, lead.id)).toMatchObject([
      { milestone: 'scheduled_at', actor: { kind: 'agent' } },
      { reached_at: new Date('2026-11-01T09:00:00Z') },
      { reached_at: first, actor: { kind: 'user' } },
    ])
  })

  test('is never back-dated by an agent', async () => {
    const lead = await makeLead(ctx)
    await expect(
      reachMilestone(asAgent(ctx), lead.id, 'scheduled_at', new Date('2026-01-01')),
    ).rejects.toMatchObject({ code: 'backdating_refused' })
    await expect(
      setMilestone(asAgent(ctx), lead.id, { milestone: 'accepted_at', reached_at: '2026-01-01T00:00:00Z' }),
    ).rejects.toMatchObject({ code: 'backdating_refused' })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ scheduled_at: null, accepted_at: null })
    expect(await historyOf(lead.id)).toEqual([])
  })

  test('sent_at is reached by the first e-mail that went out, in the name of who wrote it', async () => {
    const lead = await makeLead(ctx)
    const approval = await parkEmail({ db: api.db, ctx }, lead)
    expect((await getOpportunity(ctx, lead.id)).sent_at).toBeNull()
    await approveApproval(ctx, approval.id, {})
    await executeApproval(api.db, ctx.organization_id, approval.id, nowhere)
    const [message] = (await listMessages(ctx, { record_id: lead.id, limit: 1 })).data
    await deliverMessage(api.db, ctx.organization_id, message!.id, nowhere)
    expect((await getOpportunity(ctx, lead.id)).sent_at).toEqual(expect.any(Date))
    expect(
      (await listMilestones(ctx, lead.id)).filter(({ milestone }) => milestone === 'sent_at'),
    ).toMatchObject([{ actor: { kind: 'agent', id: 'lead_worker' } }])
  })

  test('qualifying_started_at and qualified_at are reached by scoring, the second only by the verdict', async () => {
    const [strong, weak] = [
      await makeLead(ctx, { title: 'Founder', phone: '+49 30 1234567' }),
      await makeLead(ctx, { message: undefined, company_name: undefined, email: 'a@gmail.com' }),
    ]
    for (const { id } of [strong, weak]) {
      const { call } = await putToWork({ db: api.db, ctx }, id)
      await call('qualify', { lead_id: id })
    }
    expect(await getOpportunity(ctx, strong.id)).toMatchObject({
      verdict: 'qualified',
      qualifying_started_at: expect.any(Date),
      qualified_at: expect.any(Date),
    })
    expect(await historyOf(strong.id)).toEqual(['qualified_at', 'qualifying_started_at'])
    expect(await getOpportunity(ctx, weak.id)).toMatchObject({
      qualifying_started_at: expect.any(Date),
      qualified_at: null,
    })
  })

  test('won_at and lost_at come from closing; a reopening takes them off the card, the history stays', async () => {
    const lead = await makeLead(ctx)
    await loseCard(ctx, lead.id)
    await reopenOpportunity(ctx, lead.id, {})
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ won_at: null, lost_at: null })
    await closeOpportunity(ctx, lead.id, { outcome: 'won' })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ won_at: expect.any(Date), lost_at: null })
    expect(await historyOf(lead.id)).toEqual(['won_at', 'lost_at'])
    const { body } = await api.json('GET', `/api/opportunities/${lead.id}/milestones`)
    expect(body.data).toMatchObject([{ milestone: 'won_at' }, { milestone: 'lost_at' }])
  })

  test('is noted by a person for what happened elsewhere, now or in the past; never for what closing sets', async () => {
    const lead = await makeLead(ctx)
    const reached_at = '2026-11-01T08:00:00.000Z'
    expect(await set(lead.id, { milestone: 'accepted_at', reached_at, version: 3 })).toMatchObject({
      status: 412,
    })
    expect(await set(lead.id, { milestone: 'accepted_at', reached_at, version: 1 })).toMatchObject({
      status: 200,
      body: { accepted_at: reached_at, version: 2 },
    })
    const second = await set(lead.id, { milestone: 'accepted_at' })
    expect(second.body).toMatchObject({ accepted_at: reached_at, version: 2 })
    expect(await historyOf(lead.id)).toEqual(['accepted_at', 'accepted_at'])
    for (const milestone of ['won_at', 'lost_at']) {
      expect(await set(lead.id, { milestone })).toMatchObject({
        status: 422,
        body: {
          code: 'milestone_of_closing',
          errors: [{ accepted: expect.arrayContaining(['accepted_at']) }],
        },
      })
    }
    expect(
      await set(lead.id, { milestone: 'accepted_at', reached_at: '2199-01-01T00:00:00Z' }),
    ).toMatchObject({
      status: 422,
      body: { code: 'reached_at_in_future' },
    })
    expect(await set(lead.id, { milestone: 'born_at' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/milestone' }] },
    })
  })

  test('that was noted by mistake is taken back, and that, too', async () => {
    const lead = await makeLead(ctx)
    await setMilestone(ctx, lead.id, { milestone: 'accepted_at' })
    const { accepted_at } = await getOpportunity(ctx, lead.id)
    const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 5 })
    const line = data.find(({ type }) => type === 'milestone_reached')!
    expect(line.summary).toBe('noted the milestone “accepted”')
    const undone = await undoActivity(ctx, line.id)
    expect((await getOpportunity(ctx, lead.id)).accepted_at).toBeNull()
    await undoActivity(ctx, undone.id)
    expect((await getOpportunity(ctx, lead.id)).accepted_at).toEqual(accepted_at)
  })
})
