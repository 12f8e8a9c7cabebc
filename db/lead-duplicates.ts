import { sendStatement, type TxCtx } from './context.ts'
import { hintsOf } from './lead-hints.ts'
import { type Identifiable, isSomebodyElse, keysOf, type LeadKey } from './lead-keys.ts'
import { type Comparable, traitsOf } from './lead-likeness.ts'
import { FIELDS_COMPARED, type Sought } from './lead-matching.ts'

/** The open lead that a newcomer already is, and what gave it away. */
export type Known = { id: string; matched_by: LeadKey['kind'] }

/**
 * Finds, for each newcomer, the open lead that it already is: the oldest one, by its strongest key. What a lead was known
 * by before it was merged leads to the one it was merged into. A shared telephone or mailbox does not make two people one
 * (`isSomebodyElse`). Newcomers of one list are not compared with each other.
 *
 * Takes a lock on every key until the transaction ends, so that two doors that see the same person at once make one
 * lead; long lists lock all keys of the organization at once. With `lock: false` nobody waits and nobody is held up.
 * Lock once in a transaction: two of them that each come back for more could wait for each other.
 */
export const findKnownLeads = async (
  ctx: TxCtx,
  newcomers: readonly Identifiable[],
  { lock = true }: { lock?: boolean } = {},
): Promise<(Known | undefined)[]> => {
  const wanted = newcomers.flatMap((newcomer, place) => keysOf(newcomer).map((key) => ({ ...key, place })))
  const known = new Map<number, Known>()
  for (const { place, id, matched_by, ...candidate } of await readCandidates(ctx, wanted, { lock })) {
    if (known.has(place) || isSomebodyElse(matched_by, candidate, newcomers[place] ?? {})) continue
    known.set(place, { id, matched_by })
  }
  return newcomers.map((_, place) => known.get(place))
}

/** So many who share a key are looked through, the oldest first: as many as answer one switchboard, not a number that thousands share. */
const HOLDERS = 100

/** An open lead that has a key that was asked for. */
export type Candidate = Identifiable & {
  id: string
  name: string
  place: number
  matched_by: LeadKey['kind']
}

/** Every open lead that may be meant by these keys, in their order, the oldest first; locks as `findKnownLeads` does. */
export const readCandidates = async (
  ctx: TxCtx,
  wanted: readonly (LeadKey & { place: number })[],
  { lock }: { lock: boolean },
): Promise<Candidate[]> => {
  if (wanted.length === 0) return []
  if (lock) lockKeys(ctx, wanted)
  const { tx, organization_id } = ctx
  // A coalesce is not leakproof to the planner: behind row-level security no index would find the lead by it.
  // Ids are in the order of creation, and so is the index: the oldest are found without sorting a number that thousands share.
  // Most keys are nobody's: of those nothing more is looked up.
  const candidates = await tx<Candidate[]>`
    with wanted as materialized (
      select * from unnest(${wanted.map((key) => key.kind)}::text[], ${wanted.map((key) => key.value)}::text[], ${wanted.map((key) => key.place)}::int[])
        with ordinality as given (kind, value, place, n)
      where exists (
        select from opportunity_keys k
        where k.organization_id = ${organization_id} and k.kind = given.kind and k.value = given.value)
    )
    select wanted.place, wanted.kind as matched_by, known.*
    from wanted cross join lateral (
      select now_in.id, now_in.name, o.email, o.contact_name from opportunity_keys k
      join opportunities o on o.organization_id = k.organization_id and o.id = k.opportunity_id
      join opportunities now_in on now_in.organization_id = o.organization_id and now_in.id = case when o.merged_into is null then o.id else o.merged_into end
      join stages s on s.organization_id = now_in.organization_id and s.id = now_in.stage_id
      where k.organization_id = ${organization_id} and k.kind = wanted.kind and k.value = wanted.value
        and now_in.kind = 'lead' and s.kind = 'open' and now_in.archived_at is null
      order by k.opportunity_id limit ${HOLDERS}
    ) as known
    order by wanted.n, known.id`
  return [...candidates]
}

/** `findKnownLeads` for one newcomer. */
export const findKnownLead = async (ctx: TxCtx, newcomer: Identifiable): Promise<Known | undefined> =>
  (await findKnownLeads(ctx, [newcomer]))[0]

/** More keys than this are not locked one by one: the lock table of the server is shared by everybody. */
const LOCKED_ONE_BY_ONE = 100

/** One who locks keys shares the organization's lock; one who locks all of them has it alone. */
const lockKeys = (ctx: TxCtx, keys: readonly LeadKey[]): void => {
  const { tx, organization_id } = ctx
  const all = `${organization_id} lead keys`
  if (keys.length > LOCKED_ONE_BY_ONE) {
    sendStatement(ctx, tx`select pg_advisory_xact_lock(hashtextextended(${all}, 0))`)
    return
  }
  const names = new Set(keys.map((key) => `${organization_id} ${key.kind} ${key.value}`))
  sendStatement(
    ctx,
    tx`
      select case n when 1 then pg_advisory_xact_lock_shared(hashtextextended(name, 0))
        else pg_advisory_xact_lock(hashtextextended(name, 0)) end
      from unnest(${[all, ...[...names].toSorted()]}::text[]) with ordinality as l (name, n) order by n`,
  )
}

/**
 * Writes what leads are recognised by and what near matches are found by, in place of what it was: after their fields
 * changed.
 * @param made whether the leads were made in this transaction: they were known by nothing before
 */
export const writeKeys = (
  ctx: TxCtx,
  leads: readonly (Identifiable & Comparable & { id: string })[],
  { made = false }: { made?: boolean } = {},
): void => {
  if (leads.length === 0) return
  const { tx, organization_id } = ctx
  const ids = leads.map(({ id }) => id)
  if (!made)
    sendStatement(
      ctx,
      tx`
      with old_hints as (
        delete from lead_hints where organization_id = ${organization_id} and opportunity_id = any(${ids}::uuid[])
      )
      delete from opportunity_keys where organization_id = ${organization_id} and opportunity_id = any(${ids}::uuid[])`,
    )
  const keys = leads.flatMap((lead) => keysOf(lead).map((key) => ({ ...key, id: lead.id })))
  const hints = leads.flatMap((lead) =>
    [...new Set(hintsOf(traitsOf(lead)))].map((hint) => ({ hint, id: lead.id })),
  )
  // Whoever changes the same lead at the same time writes the same.
  const settled = made ? tx`` : tx`on conflict do nothing`
  if (keys.length > 0)
    sendStatement(
      ctx,
      tx`
        insert into opportunity_keys (organization_id, opportunity_id, kind, value)
        select ${organization_id}::uuid, k.* from unnest(
          ${keys.map(({ id }) => id)}::uuid[], ${keys.map(({ kind }) => kind)}::text[], ${keys.map(({ value }) => value)}::text[]) as k
        ${settled}`,
    )
  if (hints.length > 0)
    sendStatement(
      ctx,
      tx`
        insert into lead_hints (organization_id, opportunity_id, hint)
        select ${organization_id}::uuid, h.* from unnest(
          ${hints.map(({ id }) => id)}::uuid[], ${hints.map(({ hint }) => hint)}::int8[]) as h
        ${settled}`,
    )
}

/** Whether a change touched anything that a lead is recognised or compared by. */
export const isRecognisedOtherwise = (before: Sought, after: Sought): boolean =>
  FIELDS_COMPARED.some((field) => (before[field] ?? null) !== (after[field] ?? null))
