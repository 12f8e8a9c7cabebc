import { changedReads, markStale } from './approval-reads.ts'
import { getApproval, lockApproval, record, type Approval } from './approvals.ts'
import { isReplaced } from './approval-decisions.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'

/**
 * Takes an approved call for carrying out, in the caller's transaction: nothing when it is not approved any more, or
 * when what the person read changed meanwhile (it goes stale instead).
 */
export const claimApproval = async (ctx: TxCtx, id: string): Promise<Approval | undefined> => {
  const { tx, organization_id } = ctx
  const approval = await lockApproval(ctx, id)
  if (approval.status !== 'approved') return undefined
  const changes = await changedReads(ctx, approval.subject, approval.read_set)
  if (changes.length > 0) {
    if (await isReplaced(ctx, approval)) await withdrawReplaced(ctx, approval)
    else await markStale(ctx, approval, changes)
    return undefined
  }
  await tx`
    update approvals set status = 'executing', executing_at = now(), version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id}`
  return { ...approval, status: 'executing' }
}

/** Notes that carrying it out failed once more, and answers how often it has. */
export const countAttempt = (ctx: Ctx, id: string): Promise<number> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<{ attempts: number }[]>`
      update approvals set attempts = attempts + 1
      where organization_id = ${organization_id} and id = ${id} returning attempts`
    return row?.attempts ?? 0
  })

/** The act was carried out; `result` is the tool's real answer. */
export const settleExecuted = async (
  ctx: TxCtx,
  id: string,
  result: Record<string, unknown>,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const rows = await tx`
    update approvals set status = 'executed', executed_at = now(), result = ${tx.json(result as never)},
      version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id} and status in ('executing', 'outcome_unknown') returning id`
  if (rows.length > 0) await record(ctx, await getApproval(ctx, id), 'approval_executed', {})
}

/**
 * The act could not be carried out, and nothing of it happened.
 * @param from the states in which the caller holds it: another worker may have carried it out meanwhile
 */
export const settleFailed = (
  ctx: Ctx,
  id: string,
  error: { code: string; message: string },
  from: ('approved' | 'executing' | 'outcome_unknown')[] = ['executing', 'outcome_unknown'],
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const rows = await tx`
      update approvals set status = 'failed', result = ${tx.json({ error })}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and status in ${tx(from)} returning id`
    if (rows.length > 0)
      await record(ctx, await getApproval(ctx, id), 'approval_failed', { error: error.message })
  })

/** Nobody can tell whether the act reached the outside: a person has to say. */
export const settleUnknown = async (ctx: TxCtx, id: string, message: string): Promise<void> => {
  const { tx, organization_id } = ctx
  await tx`
    update approvals set status = 'outcome_unknown', result = ${tx.json({ message })}, version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id} and status = 'executing'`
}

/** A person says what happened to an act whose outcome is unknown; the caller settles the message beside it. */
export const requireUnknown = async (ctx: TxCtx, id: string): Promise<Approval> => {
  const approval = await lockApproval(ctx, id)
  if (approval.status !== 'outcome_unknown') {
    throw new DomainError(
      'conflict',
      'outcome_known',
      `The outcome of this approval is known: ${approval.status}.`,
      {
        extra: { status: approval.status, decided_by: approval.decided_by },
      },
    )
  }
  return approval
}

/** What was approved went stale while a newer draft for the same purpose took its place on the queue. */
const withdrawReplaced = async (ctx: TxCtx, approval: Approval): Promise<void> => {
  const { tx, organization_id } = ctx
  await tx`
    update approvals set status = 'withdrawn', version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${approval.id}`
  await record(
    ctx,
    approval,
    'withdrawn',
    {},
    'what it rested on changed, and a newer draft for the same purpose is open',
  )
}
