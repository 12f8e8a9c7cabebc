import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { getApproval, listApprovals } from '../db/approvals.ts'
import type { Ctx } from '../db/context.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { setLevel } from '../db/policies.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { approveCall, executeApproval, presentApprovals } from '../tools/approvals.ts'
import { makeLead, nowhere, putToWork } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  await setLevel(ctx, { agent: 'lead_worker', tool: 'convert_lead', level: 'act' })
})
afterAll(() => world.stop())

let n = 0
const lead = () => {
  n += 1
  return makeLead(ctx, { company_name: `Company ${n}`, email: `ana@company${n}.example` })
}
const terms = (lead_id: string) => ({
  lead_id,
  account: 'create',
  contact: 'create',
  deal_name: 'Machines for 12 cafés',
  reason: 'They asked for an offer for twelve cafés.',
})
const parkedFor = async (subject_id: string) => (await listApprovals(ctx, { subject_id, limit: 10 })).data

describe('F29: convert_lead', () => {
  test('always waits for a person, who reads what would be made; the yes makes exactly that, and undo takes it back', async () => {
    const { id, name } = await lead()
    const { call } = await putToWork(world, id, nowhere)
    expect(await call('convert_lead', terms(id))).toMatchObject({ verdict: 'park', rule: 'consequential' })
    expect((await getOpportunity(ctx, id)).converted).toBeNull()
    const [approval] = await parkedFor(id)
    expect(approval).toMatchObject({
      summary: `Convert “${name}” into the deal “Machines for 12 cafés” with Company ${n}`,
      risk: 'high',
    })
    const [shown] = await presentApprovals(ctx, [approval!], nowhere)
    expect(shown).toMatchObject({
      before_after: [
        { field: 'account', after: `Company ${n}` },
        { field: 'contact', after: name },
        { field: 'deal', after: 'Machines for 12 cafés' },
        { field: 'stage', after: expect.stringContaining('Initial contact in') },
      ],
    })
    await approveCall(ctx, approval!.id, {})
    await executeApproval(world.db, ctx.organization_id, approval!.id, nowhere)
    expect(await getApproval(ctx, approval!.id)).toMatchObject({
      status: 'executed',
      result: { deal_id: expect.any(String), created: ['account', 'contact', 'deal'] },
    })
    const { converted } = await getOpportunity(ctx, id)
    expect(await getOpportunity(ctx, converted!.deal_id!)).toMatchObject({
      name: 'Machines for 12 cafés',
      source_lead_id: id,
    })
    const { data: lines } = await listTimeline(ctx, { kind: 'lead', id }, { limit: 20 })
    const line = lines.find(({ type }) => type === 'lead_converted')
    expect(line).toMatchObject({
      actor: { kind: 'agent', name: 'lead_worker' },
      on_behalf_of: { kind: 'user', id: world.owner.user_id },
      approval_id: approval!.id,
      reason: 'They asked for an offer for twelve cafés.',
    })
    await undoActivity(ctx, line!.id)
    expect(await getOpportunity(ctx, id)).toMatchObject({ converted: null, archived_at: null })
  })

  test('nobody is asked to make an account a second time: the agent is told which one is there', async () => {
    const { id } = await lead()
    const account = await createAccount(ctx, { name: `Company ${n}`, website: `company${n}.example` })
    const { call } = await putToWork(world, id, nowhere)
    const answer = await call('convert_lead', terms(id))
    expect(answer.verdict).not.toBe('park')
    expect(JSON.stringify(answer.output)).toContain(account.id)
    expect(await parkedFor(id)).toEqual([])
    expect(await call('convert_lead', { ...terms(id), account: account.id })).toMatchObject({
      verdict: 'park',
    })
  })

  test('a lead that changed meanwhile is read again before anything is made', async () => {
    const { id } = await lead()
    const { call } = await putToWork(world, id, nowhere)
    await call('convert_lead', terms(id))
    const [approval] = await parkedFor(id)
    await updateLead(ctx, id, { company_name: 'Somebody else' })
    expect(await getApproval(ctx, approval!.id)).toMatchObject({ status: 'stale' })
    await expect(approveCall(ctx, approval!.id, {})).rejects.toMatchObject({ code: 'approval_stale' })
  })
})
