import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decideLeadWork } from '../agents/rules-lead.ts'
import { getApproval, listApprovals } from '../db/approvals.ts'
import type { Ctx } from '../db/context.ts'
import { dismissDuplicates } from '../db/duplicate-dismissals.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { setLevel } from '../db/policies.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { approveCall, executeApproval, presentApprovals } from '../tools/approvals.ts'
import { loseCard, makeLead, nowhere, putToWork } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

let n = 0
const twins = async () => {
  n += 1
  const one = await makeLead(ctx, {
    contact_name: 'Ana Ruiz',
    email: `ana@twin${n}.example`,
    city: 'Berlin',
    title: 'Buyer',
  })
  const other = await makeLead(ctx, {
    contact_name: 'Ana Ruiz',
    email: `ana@twin${n}.example`,
    phone: `+49 30 9018${20 + n}`,
  })
  return { one, other }
}
const call = (one: { id: string }, other: { id: string }, more: object = {}) => ({
  lead_id: other.id,
  other_id: one.id,
  primary_id: one.id,
  reason: 'Same e-mail address',
  ...more,
})
const parkedFor = async (subject_id: string) =>
  (await listApprovals(ctx, { subject_id, tool: 'merge_leads', limit: 10 })).data

describe('F31: merge_leads', () => {
  test('always waits for a person, who reads what would change; the yes merges exactly that, and undo takes it apart', async () => {
    const { one, other } = await twins()
    await setLevel(ctx, { agent: 'lead_worker', tool: 'merge_leads', level: 'act' })
    const { call: act } = await putToWork(world, other.id)
    expect(await act('merge_leads', call(one, other))).toMatchObject({
      verdict: 'park',
      rule: 'consequential',
    })
    await setLevel(ctx, { agent: 'lead_worker', tool: 'merge_leads', level: 'suggest' })
    expect((await getOpportunity(ctx, other.id)).merged_into).toBeNull()
    const [approval] = await parkedFor(other.id)
    expect(approval).toMatchObject({
      summary: `Merge “Ana Ruiz” (${other.email}) into “Ana Ruiz” (${one.email})`,
      risk: 'high',
    })
    const [shown] = await presentApprovals(ctx, [approval!], nowhere)
    expect(shown?.before_after).toContainEqual({
      field: 'phone',
      label: 'phone',
      before: null,
      after: other.phone,
    })
    await approveCall(ctx, approval!.id, {})
    await executeApproval(world.db, ctx.organization_id, approval!.id, nowhere)
    expect(await getApproval(ctx, approval!.id)).toMatchObject({
      status: 'executed',
      result: { primary_id: one.id, duplicate_id: other.id },
    })
    expect(await getOpportunity(ctx, other.id)).toMatchObject({ merged_into: one.id })
    expect(await getOpportunity(ctx, one.id)).toMatchObject({ phone: other.phone, title: 'Buyer' })
    const { data: lines } = await listTimeline(ctx, { kind: 'lead', id: one.id }, { limit: 50 })
    const line = lines.find(({ type }) => type === 'merged')
    expect(line).toMatchObject({
      actor: { kind: 'agent', name: 'lead_worker' },
      on_behalf_of: { kind: 'user', id: world.owner.user_id },
      approval_id: approval!.id,
      reason: 'Same e-mail address',
    })
    await undoActivity(ctx, line!.id)
    expect(await getOpportunity(ctx, other.id)).toMatchObject({ merged_into: null, archived_at: null })
  })

  test.each(['one', 'other'] as const)(
    'a change to %s of the two makes it stale, and changing it back fresh again',
    async (which) => {
      const pair = await twins()
      const { call: act } = await putToWork(world, pair.other.id)
      await act('merge_leads', call(pair.one, pair.other))
      const [approval] = await parkedFor(pair.other.id)
      const changed = pair[which]
      await updateLead(ctx, changed.id, { title: 'Head of purchasing' })
      expect(await getApproval(ctx, approval!.id)).toMatchObject({ status: 'stale' })
      await expect(approveCall(ctx, approval!.id, {})).rejects.toMatchObject({ code: 'approval_stale' })
      await updateLead(ctx, changed.id, { title: changed.title })
      expect(await getApproval(ctx, approval!.id)).toMatchObject({ status: 'pending' })
    },
  )

  test('what makes no sense is told the agent, and waits for nobody', async () => {
    const { one, other } = await twins()
    const lost = await makeLead(ctx)
    await loseCard(ctx, lost.id)
    const { call: act } = await putToWork(world, other.id)
    const refused = async (input: object) => {
      const { verdict, output } = await act('merge_leads', input)
      expect(verdict).not.toBe('park')
      return JSON.stringify(output)
    }
    expect(await refused(call(one, other, { primary_id: lost.id }))).toContain('one of the two')
    expect(await refused(call(lost, other))).toContain('closed')
    expect(await refused(call(other, other))).toContain('itself')
    expect(await refused(call(one, other, { fields: ['titel'] }))).toContain('title')
    await updateLead(ctx, one.id, { value_minor: 50_000, currency: 'EUR' })
    await updateLead(ctx, other.id, { value_minor: 1_000, currency: 'JPY' })
    expect(await refused(call(one, other, { fields: ['currency'] }))).toContain('value_minor')
    expect(await refused({ ...call(one, other), lead_id: one.id })).toContain('one record')
    expect(await parkedFor(other.id)).toEqual([])
  })

  test('of two proposals for one pair the second is withdrawn or stale once the first is carried out', async () => {
    const { one, other } = await twins()
    for (const [mine, its] of [
      [other, one],
      [one, other],
    ] as const) {
      const { call: act } = await putToWork(world, mine.id)
      await act('merge_leads', {
        lead_id: mine.id,
        other_id: its.id,
        primary_id: one.id,
        reason: 'Same e-mail address',
      })
    }
    const [[of_other], [of_one]] = [await parkedFor(other.id), await parkedFor(one.id)]
    await mergeLeads(ctx, one.id, { duplicate_id: other.id })
    expect(await getApproval(ctx, of_other!.id)).toMatchObject({ status: 'withdrawn' })
    expect(await getApproval(ctx, of_one!.id)).toMatchObject({ status: 'stale' })
  })
})

describe('F30: the agent proposes merges into the queue', () => {
  const offered = new Set(['read_lead', 'merge_leads'])
  const decide = async (lead_id: string) => {
    const { call: act } = await putToWork(world, lead_id)
    const { output } = await act('read_lead', { lead_id })
    return decideLeadWork({
      instructions: '',
      request: `Work lead ${lead_id}`,
      calls: [{ tool: 'read_lead', input: { lead_id }, output }],
      offered,
    })
  }

  test('of leads that share a key, or are very much alike; of others it does not', async () => {
    const { one, other } = await twins()
    expect(await decide(other.id)).toMatchObject({
      call: {
        tool: 'merge_leads',
        input: { lead_id: other.id, other_id: one.id, reason: expect.stringContaining('e-mail address') },
      },
    })
    await dismissDuplicates(ctx, { lead_ids: [one.id, other.id] })
    expect(await decide(other.id)).toMatchObject({ text: expect.any(String) })
    const near = { company_name: 'Tidewater Roasters', website: 'https://tidewater.example', city: 'Girona' }
    const first = await makeLead(ctx, {
      contact_name: 'Robert Kettlewell',
      email: 'robert@tidewater.example',
      ...near,
    })
    const second = await makeLead(ctx, {
      contact_name: 'Bob Kettlewell',
      email: 'r.kettlewell@tidewater.example',
      ...near,
    })
    expect(await decide(second.id)).toMatchObject({
      call: { input: { other_id: first.id, reason: expect.stringContaining('“bob” for “robert”') } },
    })
    const alone = await makeLead(ctx, {
      contact_name: 'Cleo Marx',
      company_name: 'Quarry',
      email: 'cleo@quarry.example',
    })
    expect(await decide(alone.id)).toMatchObject({ text: expect.any(String) })
  })

  test('once: what waits already is not asked again', async () => {
    const { one, other } = await twins()
    const { call: act } = await putToWork(world, other.id)
    await act('merge_leads', call(one, other))
    expect(await decide(other.id)).toMatchObject({ text: expect.any(String) })
  })
})
