import { z } from 'zod'
import { invalid } from '../db/errors.ts'
import type { Ctx, TxCtx } from '../db/context.ts'
import { listMembers } from '../db/identity.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { updateRecord } from '../db/record-updates.ts'
import { requireRecordInUse } from '../db/records.ts'
import { defineTool } from './tool.ts'

const nameOf = async (ctx: Ctx, owner_id: string | null): Promise<string | null> => {
  if (owner_id === null) return null
  const members = await listMembers(ctx)
  const member = members.find(({ user_id }) => user_id === owner_id)
  if (member) return member.name
  throw invalid(
    'owner_unknown',
    '/owner_id',
    'An owner is a member of this organization.',
    members.map(({ user_id, name }) => ({ owner_id: user_id, name })),
  )
}

/** Gives a lead or a deal to a member, or to nobody. */
export const assign_owner = defineTool({
  name: 'assign_owner',
  title: 'Assign owner',
  effect: 'write',
  description:
    'Makes a member of the team the owner of the lead or deal, with the reason. An owner_id that is nobody’s is answered with everybody’s.',
  input: z.object({
    opportunity_id: z.uuid(),
    owner_id: z.uuid().nullable().describe('The member; null: nobody.'),
    reason: z.string().trim().min(1).max(1_000),
  }),
  output: z.object({ owner: z.string().nullable(), previous_owner_id: z.string().nullable() }),
  summary: async ({ opportunity_id, owner_id }, ctx) => {
    const [card, name] = await Promise.all([getOpportunity(ctx, opportunity_id), nameOf(ctx, owner_id)])
    return name === null ? `Take “${card.name}” from its owner` : `Give “${card.name}” to ${name}`
  },
  consequence: () => 'If you approve: the owner changes.',
  // Who it must be, and whether it may be changed, is checked before anybody is asked.
  needsPerson: async ({ opportunity_id, owner_id }, ctx) => {
    requireRecordInUse(await getOpportunity(ctx, opportunity_id))
    await nameOf(ctx, owner_id)
    return undefined
  },
  safe_when_tainted: false,
  risk: 'medium',
  reads: () => [{ name: 'field', argument: 'owner_id' }, { name: 'stage_kind' }, { name: 'archived' }],
  preview: async ({ opportunity_id, owner_id }, ctx) => [
    {
      field: 'owner_id',
      label: 'Owner',
      before: (await getOpportunity(ctx, opportunity_id)).owner?.name ?? null,
      after: await nameOf(ctx, owner_id),
    },
  ],
  run: async (ctx: TxCtx, { opportunity_id, owner_id, reason }) => {
    const [card, owner] = await Promise.all([getOpportunity(ctx, opportunity_id), nameOf(ctx, owner_id)])
    await updateRecord(ctx, card, { owner_id }, { reason })
    return { owner, previous_owner_id: card.owner_id }
  },
  undo: 'update_record',
})
