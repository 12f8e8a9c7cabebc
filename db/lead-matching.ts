import type { TxCtx } from './context.ts'
import { hintsOf, nameHint } from './lead-hints.ts'
import { isSomebodyElse, type Identifiable, keysOf, type LeadKey } from './lead-keys.ts'
import { type Comparable, compareTraits, type Reason, traitsOf } from './lead-likeness.ts'

/** How far a look for near matches goes: of what a hint finds, and of what is compared. */
const LOOK = { per_hint: 200, ranked: 60, compared: 30 }

/** A lead as duplicates of it are looked for; without an id, one that is not there yet. */
export type Sought = Comparable & Identifiable & { id?: string | undefined }

/** Another open lead that may be the same. */
export type Match = {
  id: string
  /** They share a key that only the same person has. */
  exact: boolean
  shared_keys: LeadKey[]
  points: number
  reasons: Reason[]
}

/**
 * For each lead, the other open leads that it may be: those that share a key first, then the near ones, the most alike
 * first. Looks in the indexes of keys and hints alone, and takes no lock.
 */
export const findMatches = async (ctx: TxCtx, leads: readonly Sought[]): Promise<Match[][]> => {
  if (leads.length === 0) return []
  const [shared, hinted] = await Promise.all([shareKeys(ctx, leads), shareHints(ctx, leads)])
  return leads.map((lead, place) => {
    const traits = traitsOf(lead)
    const matches = new Map<string, Match>()
    for (const candidate of [...(shared.get(place) ?? []), ...(hinted.get(place) ?? [])]) {
      const { id, keys, namesakes } = candidate
      if (id === lead.id || matches.has(id)) continue
      const { points, near, reasons } = compareTraits(traits, traitsOf(candidate), namesakes)
      const shared_keys = keys.filter(({ kind }) => !isSomebodyElse(kind, lead, candidate))
      if (shared_keys.length > 0) matches.set(id, { id, exact: true, shared_keys, points, reasons })
      else if (near) matches.set(id, { id, exact: false, shared_keys, points, reasons })
    }
    return [...matches.values()].toSorted(
      (a, b) => Number(b.exact) - Number(a.exact) || b.points - a.points || (a.id < b.id ? -1 : 1),
    )
  })
}

type Candidate = Comparable & Identifiable & { id: string; keys: LeadKey[]; namesakes: number }

/** What is compared of a lead. */
export const FIELDS_COMPARED = [
  'name',
  'contact_name',
  'company_name',
  'title',
  'email',
  'phone',
  'phone_original',
  'website',
  'city',
  'state',
  'country',
  'external_id',
] as const satisfies (keyof Sought)[]

const shareKeys = async (ctx: TxCtx, leads: readonly Sought[]): Promise<Map<number, Candidate[]>> => {
  const { tx, organization_id } = ctx
  const wanted = leads.flatMap((lead, place) => keysOf(lead).map((key) => ({ ...key, place })))
  if (wanted.length === 0) return new Map()
  const rows = await tx<
    (Comparable & Identifiable & { place: number; id: string; kind: LeadKey['kind']; value: string })[]
  >`
    select wanted.place, wanted.kind, wanted.value, found.*
    from unnest(${wanted.map(({ kind }) => kind)}::text[], ${wanted.map(({ value }) => value)}::text[], ${wanted.map(({ place }) => place)}::int[])
      as wanted (kind, value, place)
    cross join lateral (
      select o.id, ${tx(FIELDS_COMPARED.map((field) => `holder.${field}`))} from opportunity_keys k
      join opportunities holder on holder.organization_id = k.organization_id and holder.id = k.opportunity_id
      join opportunities o on o.organization_id = holder.organization_id and o.id = case when holder.merged_into is null then holder.id else holder.merged_into end
      join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
      where k.organization_id = ${organization_id} and k.kind = wanted.kind and k.value = wanted.value
        and o.kind = 'lead' and s.kind = 'open' and o.archived_at is null
      order by k.opportunity_id limit ${LOOK.compared}
    ) as found`
  const candidates = new Map<number, Candidate[]>()
  for (const { place, kind, value, ...found } of rows) {
    const among = candidates.get(place) ?? []
    candidates.set(place, among)
    const known = among.find(({ id }) => id === found.id)
    if (known) known.keys.push({ kind, value })
    else among.push({ ...found, keys: [{ kind, value }], namesakes: 1 })
  }
  return candidates
}

const shareHints = async (ctx: TxCtx, leads: readonly Sought[]): Promise<Map<number, Candidate[]>> => {
  const { tx, organization_id } = ctx
  const wanted = leads.flatMap((lead, place) => {
    const traits = traitsOf(lead)
    const name = nameHint(traits)
    return hintsOf(traits).map((hint) => ({ hint, place, names: hint === name ? 1 : 0 }))
  })
  if (wanted.length === 0) return new Map()
  const own = leads.map(({ id }) => id ?? null)
  const rows = await tx<(Comparable & Identifiable & { place: number; id: string; namesakes: number })[]>`
    with found as (
      select w.place, w.names, h.opportunity_id, count(*) over (partition by w.place, w.hint)::int as n
      from unnest(${wanted.map(({ hint }) => hint)}::int8[], ${wanted.map(({ place }) => place)}::int[], ${wanted.map(({ names }) => names)}::int[])
        as w (hint, place, names)
      cross join lateral (
        select h.opportunity_id from lead_hints h
        where h.organization_id = ${organization_id} and h.hint = w.hint
        order by h.opportunity_id desc limit ${LOOK.per_hint}
      ) as h
    ), ranked as (
      -- What few share says more than what many do.
      select place, opportunity_id, coalesce(max(n) filter (where names = 1), 1) as namesakes,
        row_number() over (partition by place order by sum(1.0 / n) desc, opportunity_id desc) as rank
      from found group by place, opportunity_id
    )
    select r.place, r.namesakes, o.id, ${tx(FIELDS_COMPARED.map((field) => `o.${field}`))}
    from ranked r
    join opportunities o on o.organization_id = ${organization_id} and o.id = r.opportunity_id
    join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
    where r.rank <= ${LOOK.ranked} and o.kind = 'lead' and s.kind = 'open' and o.archived_at is null
      and o.id is distinct from (${own}::uuid[])[r.place + 1]
    order by r.place, r.rank`
  const candidates = new Map<number, Candidate[]>()
  for (const { place, ...found } of rows) {
    const among = candidates.get(place) ?? []
    candidates.set(place, among)
    if (among.length < LOOK.compared) among.push({ ...found, keys: [] })
  }
  return candidates
}
