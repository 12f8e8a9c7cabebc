import { afterAll } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { listMessages } from '../db/messages.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { listTasks } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { executeApproval } from '../tools/approvals.ts'
import { nowhere } from './worked-lead.ts'
import { openWorld } from './world.ts'

/** A fresh world for a test file in which calls wait for a person; it ends with it. */
export const openApprovalWorld = async () => {
  const world = await openWorld()
  const { ctx } = world
  afterAll(() => world.stop())
  /** Carries an approved call out, as a job would. */
  const execute = (id: string): Promise<void> => executeApproval(world.db, ctx.organization_id, id, nowhere)
  const messagesOf = async (lead: Opportunity) =>
    (await listMessages(ctx, { record_id: lead.id, limit: 50 })).data
  const tasksOf = async (lead: Opportunity) => (await listTasks(ctx, { subject_id: lead.id, limit: 50 })).data
  const typesOf = async (lead: Opportunity) =>
    (await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 100 })).data.map(({ type }) => type)
  const member = (name: string): Ctx => ({ ...ctx, actor: { kind: 'user', id: name, name } })
  /** Moves an approval in time, which nothing in the product can. */
  const rewrite = (id: string, change: Record<string, Date>): Promise<unknown> =>
    inTx(
      ctx,
      ({ tx, organization_id }) =>
        tx`update approvals set ${tx(change)} where organization_id = ${organization_id} and id = ${id}`,
    )

  return { world, ctx, execute, messagesOf, tasksOf, typesOf, member, rewrite }
}
