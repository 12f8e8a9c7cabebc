import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { DomainError, type Fault } from './errors.ts'
import { listMembers } from './identity.ts'
import { Line } from './lead-fields.ts'

const ToMember = z.strictObject({ kind: z.literal('member'), user_id: z.uuid() })
const ToPool = z.strictObject({ kind: z.literal('pool'), pool_id: z.uuid() })

/** Who takes a lead: a member, or whose turn it is in a pool. */
export const Taker = z.discriminatedUnion('kind', [ToMember, ToPool])
export type Taker = z.infer<typeof Taker>

/** To whom a rule gives its leads; by sector, the nearest one to the lead's industry decides, and none near is no fit. */
export const RoutingTarget = z.discriminatedUnion('kind', [
  ToMember,
  ToPool,
  z.strictObject({
    kind: z.literal('sector'),
    sectors: z
      .array(z.strictObject({ sector: Line().pipe(z.string().min(1)), to: Taker }))
      .min(1, 'at least one sector')
      .max(200),
  }),
])
export type RoutingTarget = z.infer<typeof RoutingTarget>

/** Who takes what no rule takes. */
export const RoutingFallback = z.discriminatedUnion('kind', [
  ToMember,
  ToPool,
  z.strictObject({ kind: z.literal('nobody') }),
])
export type RoutingFallback = z.infer<typeof RoutingFallback>

/** Everybody that a target may come to. */
export const takersOf = (target: RoutingTarget | RoutingFallback): Taker[] => {
  if (target.kind === 'nobody') return []
  return target.kind === 'sector' ? target.sectors.map(({ to }) => to) : [target]
}

/** Somebody that a target names, and where it names them. */
export type NamedTaker = { taker: Taker; pointer: string }

/** The same with the place of each in what was sent. */
export const namedTakers = (target: RoutingTarget | RoutingFallback, pointer: string): NamedTaker[] =>
  target.kind === 'sector'
    ? target.sectors.map(({ to }, n) => ({ taker: to, pointer: `${pointer}/sectors/${n}/to` }))
    : takersOf(target).map((taker) => ({ taker, pointer }))

/** Who can be named: members, and pools that are in use. */
export type Takers = { members: { id: string; name: string }[]; pools: { id: string; name: string }[] }

/** Who can be named. */
export const readTakers = async (ctx: TxCtx): Promise<Takers> => {
  const { tx, organization_id } = ctx
  const [members, pools] = await Promise.all([
    listMembers(ctx),
    tx<{ id: string; name: string }[]>`
      select id, name from routing_pools where organization_id = ${organization_id} and archived_at is null order by name, id`,
  ])
  return { members: members.map(({ user_id, name }) => ({ id: user_id, name })), pools: [...pools] }
}

/**
 * Refuses what names somebody who is not there.
 * @throws {DomainError} `member_unknown`, `pool_unknown`: each place with what is accepted
 */
export const requireTakers = async (ctx: TxCtx, named: readonly NamedTaker[]): Promise<void> => {
  if (named.length === 0) return
  const takers = await readTakers(ctx)
  const faults = named.flatMap(({ taker, pointer }) => faultOf(takers, taker, pointer))
  const [first] = faults
  if (!first) return
  throw new DomainError('invalid', first.code, first.message, {
    errors: faults.map(({ code: _, ...fault }) => fault),
  })
}

/** How many of those who could be meant a refusal names. */
const MAX_NAMED = 50

const faultOf = ({ members, pools }: Takers, taker: Taker, pointer: string): (Fault & { code: string })[] => {
  if (taker.kind === 'member') {
    if (members.some(({ id }) => id === taker.user_id)) return []
    const accepted = members.slice(0, MAX_NAMED).map(({ id, name }) => ({ user_id: id, name }))
    const message = 'Nobody here has this id: leads go to members of this organization, by their user_id.'
    return [{ code: 'member_unknown', pointer: `${pointer}/user_id`, message, accepted }]
  }
  if (pools.some(({ id }) => id === taker.pool_id)) return []
  const accepted = pools.slice(0, MAX_NAMED).map(({ id, name }) => ({ pool_id: id, name }))
  const message =
    pools.length > 0
      ? 'There is no pool with this id that is in use.'
      : 'There is no pool yet: make one with POST /api/routing-pools.'
  return [{ code: 'pool_unknown', pointer: `${pointer}/pool_id`, message, accepted }]
}
