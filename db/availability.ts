import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { type Member, listMembers } from './identity.ts'
import { type PassedOver, passedOverNow, readStaff } from './routing-turns.ts'

/** How much a member takes on; null is no limit. */
export const AvailabilityChange = z.object({
  max_open_leads: z
    .int('a whole number of open leads up to 1,000,000, or null for no limit')
    .min(0)
    .max(1_000_000)
    .nullable()
    .optional(),
})
export type AvailabilityChange = z.infer<typeof AvailabilityChange>

/** Whether a member can be given leads now, and how many. */
export type Availability = {
  member_id: string
  user_id: string
  name: string
  max_open_leads: number | null
  /** Leads that are open and belong to the member. */
  open_leads: number
  /** The last day of the time off that is now. */
  away_until: string | null
  /** Why routing passes the member over now. */
  passed_over: Pick<PassedOver, 'code' | 'reason'> | null
  version: number
}

/**
 * A member, by the id of the membership or of the person.
 * @throws {DomainError} `member_not_found`
 */
export const memberNamed = async (ctx: Ctx, id: string): Promise<Member> => {
  const member = (await listMembers(ctx)).find((one) => one.id === id || one.user_id === id)
  if (!member) throw notFound('member', id)
  return member
}

/** How it stands with a member now. @throws {DomainError} `member_not_found` */
export const readAvailability = (ctx: Ctx, id: string): Promise<Availability> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { id: member_id, user_id, name } = await memberNamed(ctx, id)
    const { candidates } = await readStaff(ctx, [{ kind: 'member', user_id }], { count_all: true })
    const candidate = candidates.get(user_id)
    if (!candidate) throw notFound('member', id)
    const [row] = await tx<{ version: number }[]>`
      select version from member_availability where organization_id = ${organization_id} and user_id = ${user_id}`
    const { max_open_leads, open_leads, away_until } = candidate
    return {
      member_id,
      user_id,
      name,
      max_open_leads,
      open_leads,
      away_until,
      passed_over: passedOverNow(candidate),
      version: row?.version ?? 1,
    }
  })

/**
 * Sets how many open leads a member takes on; whoever has more keeps them and gets no more.
 * @throws {DomainError} `member_not_found`, stale
 */
export const changeAvailability = (
  ctx: Ctx,
  id: string,
  { version, max_open_leads }: AvailabilityChange & { version?: number | undefined },
): Promise<Availability> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { user_id, name } = await memberNamed(ctx, id)
    await tx`insert into member_availability ${tx({ organization_id, user_id })} on conflict do nothing`
    await tx`
      select 1 from member_availability where organization_id = ${organization_id} and user_id = ${user_id} for update`
    const before = await readAvailability(ctx, user_id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    if (max_open_leads === undefined || max_open_leads === before.max_open_leads) return before
    await tx`
      update member_availability set max_open_leads = ${max_open_leads}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and user_id = ${user_id}`
    await recordActivity(ctx, {
      type: 'settings_changed',
      subjects: aboutMember(ctx, user_id),
      record_version: before.version + 1,
      data: {
        what: `how many open leads ${name} takes on`,
        changes: [{ field: 'max_open_leads', before: before.max_open_leads, after: max_open_leads }],
        undo: { tool: 'set_availability', input: { user_id, max_open_leads: before.max_open_leads } },
      },
    })
    return readAvailability(ctx, user_id)
  })

/** What an activity about a member’s work is about. */
export const aboutMember = ({ organization_id }: Pick<TxCtx, 'organization_id'>, user_id: string) => [
  { kind: 'member', id: user_id },
  { kind: 'organization', id: organization_id },
]
