import { recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { inTx, type Ctx } from './context.ts'
import { hashToken, linkToken } from './keys.ts'

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
    const leads = await tx<{ id: string; kind: string }[]>`
      select id, kind from opportunities where organization_id = ${organization_id} and email = ${email} and archived_at is null`
    await recordActivity(ctx, {
      type: 'email_opted_out',
      subjects: leads.length > 0 ? [...leads] : [{ kind: 'organization', id: organization_id }],
      data: { email, reason },
    })
    for (const lead of leads) await recheckApprovals(ctx, lead)
  })

/** Why an address must not be written to, if so. */
export const findOptOut = (ctx: Ctx, email: string): Promise<string | undefined> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<{ reason: string }[]>`
      select reason from opt_outs where organization_id = ${organization_id} and email = ${email.toLowerCase()}`
    return row?.reason
  })
