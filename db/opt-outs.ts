import { z } from 'zod'
import { recordActivity, type Subject } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { notFound } from './errors.ts'
import { hashToken, linkToken } from './keys.ts'
import { Email, Line } from './lead-fields.ts'
import { page, type Page } from './page.ts'

/** An address that must not be written to. */
export type OptOut = { email: string; reason: string; created_at: Date }

export const NewOptOut = z.object({ email: Email, reason: Line().pipe(z.string().min(1)).optional() })
export type NewOptOut = z.infer<typeof NewOptOut>

/** The token of an address' unsubscribe link: always the same one, so that old e-mails keep working. */
export const unsubscribeToken = (ctx: Ctx, email: string): Promise<string> =>
  inTx(ctx, async ({ tx, db, organization_id }) => {
    const token = linkToken(db.keys, organization_id, email)
    await tx`
      insert into identity.tokens ${tx({ hash: hashToken(token), kind: 'unsubscribe', organization_id, principal: email })}
      on conflict (hash) do nothing`
    return token
  })

/** Notes that an address must not be written to any more; drafts to it that wait for a person go stale. Twice is once. */
export const optOut = (ctx: Ctx, address: string, reason: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const email = address.trim().toLowerCase()
    const added = await tx`
      insert into opt_outs ${tx({ organization_id, email, reason })} on conflict do nothing returning email`
    if (added.length === 0) return
    await tell(ctx, 'email_opted_out', email, reason)
  })

/**
 * Lets an address be written to again, because its owner said so.
 * @throws {DomainError} `opt_out_not_found`
 */
export const liftOptOut = (ctx: Ctx, address: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const email = address.trim().toLowerCase()
    const [lifted] = await tx<{ reason: string }[]>`
      delete from opt_outs where organization_id = ${organization_id} and email = ${email} returning reason`
    if (!lifted) throw notFound('opt_out', email)
    await tell(ctx, 'email_opted_in', email, lifted.reason)
  })

/** Addresses that must not be written to, in the order of the alphabet. */
export const listOptOuts = (
  ctx: Ctx,
  filter: { cursor?: string | undefined; limit: number },
): Promise<Page<OptOut>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<OptOut[]>`
      select email, reason, created_at from opt_outs where organization_id = ${organization_id}
        ${filter.cursor ? tx`and email > ${filter.cursor}` : tx``}
      order by email limit ${filter.limit + 1}`
    return page([...rows], filter.limit, ({ email }) => email)
  })

const tell = async (
  ctx: TxCtx,
  type: 'email_opted_out' | 'email_opted_in',
  email: string,
  reason: string,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const records = await tx<Subject[]>`
    select id, kind from opportunities where organization_id = ${organization_id} and email = ${email} and archived_at is null
    union all
    select id, 'contact' from contacts where organization_id = ${organization_id} and email = ${email} and archived_at is null`
  await recordActivity(ctx, {
    type,
    subjects: records.length > 0 ? [...records] : [{ kind: 'organization', id: organization_id }],
    data: { email, reason },
  })
  for (const record of records) await recheckApprovals(ctx, record)
}

/** Why an address must not be written to, if so. */
export const findOptOut = (ctx: Ctx, email: string): Promise<string | undefined> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<{ reason: string }[]>`
      select reason from opt_outs where organization_id = ${organization_id} and email = ${email.toLowerCase()}`
    return row?.reason
  })
