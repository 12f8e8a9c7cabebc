import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type Change, type NewActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { Line } from './lead-fields.ts'
import { listRoutingRules } from './routing-rules.ts'
import { readFallback } from './routing-settings.ts'
import { requireTakers, takersOf } from './routing-targets.ts'
import { lockTurns, type PassedOver, passedOverNow, readStaff } from './routing-turns.ts'

const PoolMember = z.strictObject({
  user_id: z.uuid(),
  /** Two takes twice as many as one. */
  weight: z.int('a whole number from 1 to 100').min(1).max(100).optional(),
})

const PoolMembers = z
  .array(PoolMember)
  .min(1, 'at least one member')
  .max(200)
  .transform((members) => members.map(({ user_id, weight = 1 }) => ({ user_id, weight })))

/** Members who take leads by turns, in this order. */
export const NewRoutingPool = z.object({ name: Line(120).pipe(z.string().min(1)), members: PoolMembers })
export type NewRoutingPool = z.infer<typeof NewRoutingPool>

/** Absent fields stay; the members are replaced as a whole, and those who stay keep their turns. */
export const RoutingPoolChange = NewRoutingPool.partial()
export type RoutingPoolChange = z.infer<typeof RoutingPoolChange>

export type RoutingPool = {
  id: string
  name: string
  members: {
    user_id: string
    name: string
    weight: number
    /** Leads that the pool gave to this member. */
    taken: number
    /** Why nothing is given to this member now. */
    passed_over: Pick<PassedOver, 'code' | 'reason'> | null
  }[]
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** Pools in order of their names; those that were retired only when asked for. */
export const listRoutingPools = (ctx: Ctx, { retired = false } = {}): Promise<RoutingPool[]> =>
  inTx(ctx, async (ctx) => readPools(ctx, retired ? ctx.tx`` : ctx.tx`and archived_at is null`))

/** One pool, retired or not. */
export const getRoutingPool = (ctx: Ctx, id: string): Promise<RoutingPool> =>
  inTx(ctx, async (ctx) => {
    const [pool] = await readPools(ctx, ctx.tx`and id = ${id}`)
    if (!pool) throw notFound('routing_pool', id)
    return pool
  })

/**
 * Makes a pool.
 * @throws {DomainError} `member_unknown` naming the members, `member_twice`
 */
export const createRoutingPool = (ctx: Ctx, input: NewRoutingPool): Promise<RoutingPool> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { name, members } = input
    await requirePoolMembers(ctx, members)
    const id = uuidv7()
    await tx`insert into routing_pools ${tx({ organization_id, id, name })}`
    await writeMembers(ctx, id, members)
    await recordPool(ctx, { id, version: 1 }, name, {
      changes: [{ field: 'name', before: null, after: name }],
      undo: { tool: 'retire_routing_pool', input: { pool_id: id } },
    })
    return getRoutingPool(ctx, id)
  })

/**
 * Renames a pool or changes who is in it. A new member begins where the others are, not behind them.
 * @throws {DomainError} stale, `routing_pool_not_found` also when it was retired, and as `createRoutingPool`
 */
export const updateRoutingPool = (
  ctx: Ctx,
  id: string,
  { version, ...input }: RoutingPoolChange & { version?: number | undefined },
): Promise<RoutingPool> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockRoutingPool(ctx, id)
    if (before.archived_at !== null) throw notFound('routing_pool', id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    if (input.members) await requirePoolMembers(ctx, input.members)
    const had: Required<RoutingPoolChange> = {
      name: before.name,
      members: before.members.map(({ user_id, weight }) => ({ user_id, weight })),
    }
    const changes = (['name', 'members'] as const)
      .filter(
        (field) => input[field] !== undefined && JSON.stringify(input[field]) !== JSON.stringify(had[field]),
      )
      .map((field): Change => ({ field, before: had[field], after: input[field] }))
    if (changes.length === 0) return before
    await tx`
      update routing_pools set name = ${input.name ?? before.name}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    if (input.members) await writeMembers(ctx, id, input.members)
    await recordPool(ctx, { id, version: before.version + 1 }, before.name, {
      changes,
      undo: {
        tool: 'update_routing_pool',
        input: {
          pool_id: id,
          values: Object.fromEntries(changes.map((change) => [change.field, change.before])),
        },
      },
    })
    return getRoutingPool(ctx, id)
  })

/**
 * Takes a pool out of use; what it gave stays given. Twice is once.
 * @throws {DomainError} `routing_pool_not_found`; `pool_in_use` naming the rules that come to it, and the fallback
 */
export const retireRoutingPool = (ctx: Ctx, id: string): Promise<void> => setRetired(ctx, id, true)

/** Puts a retired pool back into use. */
export const restoreRoutingPool = async (ctx: Ctx, id: string): Promise<RoutingPool> => {
  await setRetired(ctx, id, false)
  return getRoutingPool(ctx, id)
}

/** One pool that nobody else changes, or takes a turn in, until the transaction ends. */
export const lockRoutingPool = async (ctx: TxCtx, id: string): Promise<RoutingPool> => {
  const { tx, organization_id } = ctx
  lockTurns(ctx)
  await tx`select 1 from routing_pools where organization_id = ${organization_id} and id = ${id} for update`
  return getRoutingPool(ctx, id)
}

type Members = NonNullable<RoutingPoolChange['members']>

const readPools = async (ctx: TxCtx, where: ReturnType<TxCtx['tx']>): Promise<RoutingPool[]> => {
  const { tx, organization_id } = ctx
  const rows = await tx<Omit<RoutingPool, 'members'>[]>`
    select id, name, archived_at, created_at, updated_at, version from routing_pools
    where organization_id = ${organization_id} ${where} order by name, id`
  if (rows.length === 0) return []
  const { pools, candidates } = await readStaff(
    ctx,
    rows.map(({ id }) => ({ kind: 'pool', pool_id: id })),
  )
  return rows.map((row) => ({
    ...row,
    members: (pools.get(row.id)?.turns ?? []).flatMap(({ user_id, weight, taken }) => {
      const candidate = candidates.get(user_id)
      if (!candidate) return []
      return [{ user_id, name: candidate.name, weight, taken, passed_over: passedOverNow(candidate) }]
    }),
  }))
}

const requirePoolMembers = async (ctx: TxCtx, members: Members): Promise<void> => {
  const twice = members.findIndex(
    ({ user_id }, n) => members.findIndex((one) => one.user_id === user_id) !== n,
  )
  if (twice !== -1)
    throw invalid(
      'member_twice',
      `/members/${twice}/user_id`,
      'A member is in a pool once; give more turns by weight.',
    )
  await requireTakers(
    ctx,
    members.map(({ user_id }, n) => ({
      taker: { kind: 'member' as const, user_id },
      pointer: `/members/${n}`,
    })),
  )
}

const writeMembers = async (
  { tx, organization_id }: TxCtx,
  pool_id: string,
  members: Members,
): Promise<void> => {
  const rows = members.map((member, position) => ({ ...member, position }))
  await tx`
    delete from routing_pool_members where organization_id = ${organization_id} and pool_id = ${pool_id}
      and user_id <> all(${members.map(({ user_id }) => user_id)}::uuid[])`
  await tx`
    insert into routing_pool_members (organization_id, pool_id, user_id, position, weight, pass)
    select ${organization_id}, ${pool_id}, m.user_id, m.position, m.weight, coalesce((
      select min(pass) from routing_pool_members where organization_id = ${organization_id} and pool_id = ${pool_id}), 0)
    from json_to_recordset(${JSON.stringify(rows)}::text::json) as m (user_id uuid, position int, weight int)
    on conflict (organization_id, pool_id, user_id) do update set position = excluded.position, weight = excluded.weight`
}

const setRetired = (ctx: Ctx, id: string, retired: boolean): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockRoutingPool(ctx, id)
    if ((before.archived_at !== null) === retired) return
    if (retired) await requireUnused(ctx, before)
    await tx`
      update routing_pools set archived_at = ${retired ? new Date() : null}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordPool(ctx, { id, version: before.version + 1 }, before.name, {
      changes: [{ field: 'retired', before: !retired, after: retired }],
      undo: { tool: retired ? 'restore_routing_pool' : 'retire_routing_pool', input: { pool_id: id } },
    })
  })

const requireUnused = async (ctx: TxCtx, { id, name }: RoutingPool): Promise<void> => {
  const comesToIt = (target: Parameters<typeof takersOf>[0]): boolean =>
    takersOf(target).some((taker) => taker.kind === 'pool' && taker.pool_id === id)
  const rules = (await listRoutingRules(ctx)).filter(({ target }) => comesToIt(target))
  const fallback = comesToIt((await readFallback(ctx)).fallback)
  if (rules.length === 0 && !fallback) return
  const users = [...rules.map((rule) => `the rule “${rule.name}”`), ...(fallback ? ['the fallback'] : [])]
  throw new DomainError(
    'conflict',
    'pool_in_use',
    `“${name}” is where ${new Intl.ListFormat('en').format(users)} ${users.length === 1 ? 'sends' : 'send'} leads. Send them elsewhere first.`,
    { extra: { rules: rules.map((rule) => ({ id: rule.id, name: rule.name })), fallback } },
  )
}

const recordPool = (
  ctx: TxCtx,
  { id, version }: { id: string; version: number },
  name: string,
  data: NonNullable<NewActivity['data']>,
): Promise<string> =>
  recordActivity(ctx, {
    type: 'settings_changed',
    subjects: [
      { kind: 'routing_pool', id },
      { kind: 'organization', id: ctx.organization_id },
    ],
    record_version: version,
    data: { what: `the routing pool “${name}”`, ...data },
  })
