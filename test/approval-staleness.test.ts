import { describe, expect, test } from 'vitest'
import { logActivity } from '../db/activity-logging.ts'
import { getApproval } from '../db/approvals.ts'
import { approveApproval } from '../db/approval-decisions.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { updateLead } from '../db/leads.ts'
import { optOut } from '../db/opt-outs.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { processSubmission, storeSubmission } from '../db/submissions.ts'
import { rereadCall } from '../tools/approvals.ts'
import { sweep } from '../tools/jobs.ts'
import { openApprovalWorld } from './approval-world.ts'
import { loseCard, makeLead, nowhere, parkEmail } from './worked-lead.ts'

const { world, ctx, execute, messagesOf, typesOf, rewrite } = await openApprovalWorld()

describe('Q8 what a person read is not what is true any more: nothing is sent', () => {
  const reply = async (lead: Opportunity): Promise<void> => {
    const { id } = await createSource(ctx, { name: 'Website' })
    const source = await openSource(world.db, ctx.organization_id, id)
    const payload = { email: lead.email, message: 'We have bought elsewhere, thank you.' }
    const raw = Buffer.from(JSON.stringify(payload))
    const stored = await storeSubmission(world.db, source!, {
      content_type: 'application/json',
      raw,
      payload,
    })
    await processSubmission(world.db, ctx.organization_id, stored.submission_id)
  }
  const close = async (lead: Opportunity): Promise<void> => {
    await loseCard(ctx, lead.id)
  }
  const changes: [what: string, change: (lead: Opportunity) => Promise<unknown>, because: string][] = [
    ['the lead wrote again', reply, 'latest_inbound'],
    [
      'an e-mail of the lead was logged by hand',
      (lead) =>
        logActivity(ctx, {
          type: 'email_received',
          subjects: [{ kind: 'lead', id: lead.id }],
          data: { subject: 'Re: your offer', body: 'We have bought elsewhere, thank you.' },
        }),
      'latest_inbound',
    ],
    ['the lead opted out', (lead) => optOut(ctx, lead.email!.toUpperCase(), 'one click'), 'opt_out'],
    ['the lead was closed', close, 'stage_kind'],
    [
      'the address was edited',
      (lead) => updateLead(ctx, lead.id, { email: `new.${lead.email}` }),
      'recipient',
    ],
  ]

  test.each(changes)(
    '%s before the yes: the card goes stale at once and the yes is refused',
    async (_, change, because) => {
      const lead = await makeLead(ctx)
      const { id } = await parkEmail(world, lead)
      await change(lead)
      expect(await getApproval(ctx, id)).toMatchObject({
        status: 'stale',
        stale_because: [{ name: because }],
      })
      await expect(approveApproval(ctx, id, {})).rejects.toMatchObject({
        kind: 'conflict',
        code: 'approval_stale',
        extra: { status: 'stale', changed: [expect.objectContaining({ name: because })] },
      })
      await execute(id)
      expect(await messagesOf(lead)).toEqual([])
      expect(await typesOf(lead)).toContain('approval_stale')
    },
  )

  test.each(changes)(
    '%s between the yes and the act: it goes stale and is not carried out',
    async (_, change, because) => {
      const lead = await makeLead(ctx)
      const { id } = await parkEmail(world, lead)
      await approveApproval(ctx, id, {})
      await change(lead)
      await execute(id)
      expect(await getApproval(ctx, id)).toMatchObject({
        status: 'stale',
        stale_because: [{ name: because }],
        decided_by: null,
      })
      expect(await messagesOf(lead)).toEqual([])
    },
  )

  test('expired: refused as expired, also when no job has marked it yet, and never carried out', async () => {
    const lead = await makeLead(ctx)
    const { id } = await parkEmail(world, lead)
    await rewrite(id, { expires_at: new Date(Date.now() - 1) })
    await expect(approveApproval(ctx, id, {})).rejects.toMatchObject({
      kind: 'conflict',
      code: 'approval_expired',
    })
    expect(await getApproval(ctx, id)).toMatchObject({ status: 'expired' })
    await execute(id)
    expect(await messagesOf(lead)).toEqual([])
    expect(await typesOf(lead)).toContain('expired')
  })

  test('expired: the sweep marks it without anybody asking', async () => {
    const lead = await makeLead(ctx)
    const { id } = await parkEmail(world, lead)
    await rewrite(id, { expires_at: new Date(Date.now() - 1) })
    await sweep(world.db, nowhere)
    expect(await getApproval(ctx, id)).toMatchObject({ status: 'expired' })
  })

  test('a stale one can be approved after a person has read it again, and the timeline says both', async () => {
    const lead = await makeLead(ctx)
    const { id } = await parkEmail(world, lead)
    await updateLead(ctx, lead.id, { email: `new.${lead.email}` })
    await rereadCall(ctx, id)
    expect(await getApproval(ctx, id)).toMatchObject({ status: 'pending', stale_because: null })
    await approveApproval(ctx, id, {})
    await execute(id)
    expect(await messagesOf(lead)).toMatchObject([{ to: `new.${lead.email}` }])
    expect(await typesOf(lead)).toEqual(expect.arrayContaining(['approval_stale', 'approval_reread']))
  })

  test('a value that is back as it was makes the card fresh again', async () => {
    const lead = await makeLead(ctx)
    const { id } = await parkEmail(world, lead)
    await updateLead(ctx, lead.id, { email: `new.${lead.email}` })
    await updateLead(ctx, lead.id, { email: lead.email })
    expect(await getApproval(ctx, id)).toMatchObject({ status: 'pending', stale_because: null })
  })

  test('a change that it does not rest on leaves it alone', async () => {
    const lead = await makeLead(ctx)
    const { id, version } = await parkEmail(world, lead)
    await updateLead(ctx, lead.id, { title: 'Head of Operations', city: 'Berlin' })
    const { stages } = await defaultPipeline(ctx, 'lead')
    await moveOpportunity(ctx, lead.id, { stage_id: stages[1]!.id })
    expect(await getApproval(ctx, id)).toMatchObject({ status: 'pending', version })
  })

  test('approved and stale behind a newer draft, it is withdrawn: one card is left for a person', async () => {
    const lead = await makeLead(ctx)
    const first = await parkEmail(world, lead)
    await approveApproval(ctx, first.id, {})
    await reply(lead)
    const second = await parkEmail(
      world,
      lead,
      'Hello Ana, the cost elsewhere is for you to judge. Good luck!',
    )
    await execute(first.id)
    expect(await getApproval(ctx, first.id)).toMatchObject({ status: 'withdrawn' })
    expect(await getApproval(ctx, second.id)).toMatchObject({ status: 'pending' })
    expect(await messagesOf(lead)).toEqual([])
  })
})
