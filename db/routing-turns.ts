import { sendStatement, type TxCtx } from './context.ts'
import type { Taker } from './routing-targets.ts'

/** A member who may be given leads, as things are now. */
export type Candidate = {
  user_id: string
  name: string
  /** Of the organization, still. */
  is_member: boolean
  max_open_leads: number | null
  /** Counted where there is a limit. */
  open_leads: number
  /** The last day of the time off that is now. */
  away_until: string | null
}

/** Somebody who was not given a lead although it could have been theirs, and why. */
export type PassedOver = {
  user_id: string
  name: string
  code: 'no_member' | 'away' | 'at_capacity'
  reason: string
}

type Turn = { user_id: string; position: number; weight: number; pass: number; taken: number }

/** A pool, with where its turns are. */
export type TurningPool = {
  id: string
  name: string
  archived: boolean
  turns: Turn[]
  /** Somebody took a turn since it was read. */
  turned?: boolean
}

/** Everybody whom some targets may come to. It is counted on in memory while leads are given out. */
export type Staff = { candidates: Map<string, Candidate>; pools: Map<string, TurningPool> }

/** What came of asking a member or a pool to take a lead. */
export type Taking = { taker: Candidate | undefined; passed_over: PassedOver[] }

/**
 * Gives out leads alone until the transaction ends: who comes at the same time waits, so that turns are fair and limits
 * hold. One lock for the whole organization, so that two that give out to several pools never wait for each other. Whatever
 * else is locked is locked before.
 */
export const lockTurns = (ctx: TxCtx): void => {
  const name = `routing turns ${ctx.organization_id}`
  sendStatement(ctx, ctx.tx`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`)
}

/**
 * Reads whom these takers come to, and how it stands with them.
 * @param count_all whether open leads are counted also where there is no limit
 */
export const readStaff = async (
  ctx: TxCtx,
  takers: readonly Taker[],
  { count_all = false }: { count_all?: boolean } = {},
): Promise<Staff> => {
  const { tx, organization_id } = ctx
  const pool_ids = takers.flatMap((taker) => (taker.kind === 'pool' ? [taker.pool_id] : []))
  const user_ids = takers.flatMap((taker) => (taker.kind === 'member' ? [taker.user_id] : []))
  const [pools, candidates] = await Promise.all([
    tx<TurningPool[]>`
      select p.id, p.name, p.archived_at is not null as archived, coalesce((
        select jsonb_agg(jsonb_build_object('user_id', t.user_id, 'position', t.position, 'weight', t.weight, 'pass', t.pass,
          'taken', t.taken) order by t.position, t.user_id)
        from routing_pool_members t where t.organization_id = p.organization_id and t.pool_id = p.id), '[]') as turns
      from routing_pools p where p.organization_id = ${organization_id} and p.id = any(${pool_ids}::uuid[])`,
    tx<Candidate[]>`
      select w.user_id, coalesce(u.name, 'Somebody who left') as name, m.id is not null as is_member, a.max_open_leads,
        case when a.max_open_leads is null and not ${count_all}::boolean then 0 else (
          select count(*) from opportunities o where o.organization_id = ${organization_id} and o.kind = 'lead'
            and o.owner_id = w.user_id and o.archived_at is null and o.stage_id = any(array(
              select id from stages where organization_id = ${organization_id} and kind = 'open'))) end as open_leads,
        (select max(t.until_on)::text from time_off t where t.organization_id = ${organization_id} and t.user_id = w.user_id
          and t.archived_at is null and (now() at time zone s.timezone)::date between t.from_on and t.until_on) as away_until
      from (
        select unnest(${user_ids}::uuid[]) as user_id
        union select t.user_id from routing_pool_members t
        where t.organization_id = ${organization_id} and t.pool_id = any(${pool_ids}::uuid[])) as w
      join settings s on s.organization_id = ${organization_id}
      left join identity.members m on m.organization_id = ${organization_id} and m.user_id = w.user_id
      left join identity.users u on u.id = w.user_id
      left join member_availability a on a.organization_id = ${organization_id} and a.user_id = w.user_id`,
  ])
  return {
    pools: new Map(pools.map((pool) => [pool.id, pool])),
    candidates: new Map(candidates.map((candidate) => [candidate.user_id, candidate])),
  }
}

/** Why a candidate takes nothing now; undefined: nothing is in the way. */
export const hindranceOf = ({
  user_id,
  name,
  is_member,
  away_until,
  max_open_leads,
  open_leads,
}: Candidate): PassedOver | undefined => {
  const because = (code: PassedOver['code'], reason: string): PassedOver => ({ user_id, name, code, reason })
  if (!is_member) return because('no_member', 'is no member any more')
  if (away_until !== null) return because('away', `is away until ${away_until}`)
  if (max_open_leads !== null && open_leads >= max_open_leads)
    return because('at_capacity', `is at capacity: ${open_leads} open leads of ${max_open_leads}`)
  return undefined
}

/** The same without who it is about, as it stands beside them. */
export const passedOverNow = (candidate: Candidate): Pick<PassedOver, 'code' | 'reason'> | null => {
  const hindrance = hindranceOf(candidate)
  return hindrance ? { code: hindrance.code, reason: hindrance.reason } : null
}

/**
 * The next lead of a member or a pool: in a pool it goes to whoever has had the least for their weight, in the order of the
 * pool where several have. Whoever is passed over lets the turn pass: nobody comes back to a heap of leads.
 */
export const takeLead = ({ candidates, pools }: Staff, taker: Taker): Taking => {
  if (taker.kind === 'member') {
    const candidate = candidates.get(taker.user_id)
    const hindrance = candidate && hindranceOf(candidate)
    if (!candidate || hindrance) return { taker: undefined, passed_over: hindrance ? [hindrance] : [] }
    candidate.open_leads += 1
    return { taker: candidate, passed_over: [] }
  }
  const pool = pools.get(taker.pool_id)
  const passed_over: PassedOver[] = []
  const passing: Turn[] = []
  let next: Turn | undefined
  for (const turn of pool && !pool.archived ? pool.turns : []) {
    const candidate = candidates.get(turn.user_id)
    const hindrance = candidate && hindranceOf(candidate)
    if (hindrance) {
      passed_over.push(hindrance)
      passing.push(turn)
    } else if (candidate && (next === undefined || dueOf(turn) < dueOf(next))) next = turn
  }
  const chosen = next && candidates.get(next.user_id)
  if (!pool || !next || !chosen) return { taker: undefined, passed_over }
  pool.turned = true
  next.pass += 1 / next.weight
  for (const turn of passing) turn.pass = Math.max(turn.pass, next.pass)
  next.taken += 1
  chosen.open_leads += 1
  return { taker: chosen, passed_over }
}

/** Half a turn ahead, so that the turns of a weight of three are spread among the others, not taken in a row. */
const dueOf = ({ pass, weight }: Turn): number => pass + 0.5 / weight

/** Keeps where the turns are now that were taken; what nobody took a turn in was perhaps read without the lock. */
export const keepTurns = (ctx: TxCtx, { pools }: Staff): void => {
  const turned = [...pools.values()].filter(({ turned }) => turned)
  const turns = turned.flatMap(({ id, turns }) => turns.map((turn) => ({ ...turn, pool_id: id })))
  if (turns.length === 0) return
  sendStatement(
    ctx,
    ctx.tx`
      update routing_pool_members m set pass = t.pass, taken = t.taken
      from json_to_recordset(${JSON.stringify(turns)}::text::json) as t (pool_id uuid, user_id uuid, pass float8, taken int8)
      where m.organization_id = ${ctx.organization_id} and m.pool_id = t.pool_id and m.user_id = t.user_id
        and (m.pass, m.taken) is distinct from (t.pass, t.taken)`,
  )
}
