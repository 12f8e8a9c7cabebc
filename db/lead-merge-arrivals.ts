import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { refreshAttributions } from './lead-attribution.ts'
import { keysOf, type Identifiable } from './lead-keys.ts'
import { LayerChange, readMergesInto, StoredOrigin, type StoredMerge } from './lead-merge-images.ts'
import type { Opportunity } from './opportunities.ts'
import { visitorOf } from './touch-fields.ts'

/**
 * Of whom somebody who joins a lead is known, where others were merged into it: `known_as` the one of them that alone has
 * what they were recognised by; `perhaps` those that have it as the lead itself had it. Undefined where none was.
 */
export const whoJoins = async (
  ctx: TxCtx,
  lead: Opportunity,
  values: Record<string, unknown>,
): Promise<{ known_as?: string; perhaps?: string[] } | undefined> => {
  const merges = (await readMergesInto(ctx, lead.id)).filter(({ stands }) => stands)
  const [first] = merges
  if (!first) return undefined
  const names = (one: Identifiable): Set<string> =>
    new Set(keysOf(one).map(({ kind, value }) => `${kind} ${value}`))
  const { tx, organization_id } = ctx
  const keys = await tx<{ id: string; name: string }[]>`
    select opportunity_id as id, kind || ' ' || value as name from opportunity_keys
    where organization_id = ${organization_id}
      and opportunity_id = any(${merges.flatMap(({ duplicate_id, image }) => [duplicate_id, ...image.passed_on])}::uuid[])`
  const holders = merges.map(({ duplicate_id, image }) => ({
    id: duplicate_id,
    keys: new Set(
      keys.filter(({ id }) => id === duplicate_id || image.passed_on.includes(id)).map(({ name }) => name),
    ),
  }))
  const [before, now] = [names(first.image.primary as Identifiable), names(lead)]
  for (const name of names(values)) {
    const theirs = holders.filter(({ keys }) => keys.has(name)).map(({ id }) => id)
    // What it took over from one of them is that one's.
    const own = before.has(name) || (now.has(name) && theirs.length === 0)
    const [only, another] = theirs
    if (own && only === undefined) return {}
    if (only !== undefined) return own || another ? { perhaps: theirs } : { known_as: only }
  }
  return {}
}

/** In which merge somebody came who was known as its duplicate. */
export const mergeOf = <Merge extends StoredMerge>(
  { id, known_as }: Joining,
  merges: readonly Merge[],
): Merge | undefined => merges.findLast((merge) => merge.duplicate_id === known_as && merge.id < id)

const Joined = z.object({
  door: z.string(),
  submission_id: z.uuid().optional(),
  extra: z.record(z.string(), z.unknown()).optional(),
  joined: z.uuid(),
  known_as: z.uuid().optional(),
  perhaps: z.array(z.uuid()).optional(),
  /** What came of it on the lead that was joined; an origin where there was a value before. */
  filled: z.array(LayerChange.extend({ origin: StoredOrigin.nullish() })),
  sent: z.record(z.string(), z.unknown()),
})

/** A time that somebody came to a lead into which others were merged. */
export type Joining = z.infer<typeof Joined> & { id: string }

/** Who came to a lead while others were merged into it, the first first; `merges` are all that were. */
export const readJoinings = async (
  { tx, organization_id }: TxCtx,
  lead_id: string,
  merges: readonly StoredMerge[],
): Promise<Joining[]> => {
  const found_at = [lead_id, ...merges.map(({ duplicate_id }) => duplicate_id)]
  const rows = await tx<{ id: string; data: unknown }[]>`
    select distinct a.id, a.data from activity_subjects s
    join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
    where s.organization_id = ${organization_id} and s.kind = 'lead' and s.subject_id = any(${found_at}::uuid[])
      and s.type = 'submission_joined' and a.data @> ${tx.json({ joined: lead_id })}
    order by a.id`
  return rows.flatMap(({ id, data }) => {
    const { success, data: joined } = Joined.safeParse(data)
    return success ? [{ ...joined, id }] : []
  })
}

/** What came in during a merge and is the duplicate's: it goes where the duplicate goes. */
export const returnArrivals = async (
  ctx: TxCtx,
  { id: merge_id, primary_id, duplicate_id, image }: StoredMerge,
  joinings: readonly Joining[],
): Promise<void> => {
  const { tx, organization_id } = ctx
  const submissions = joinings.flatMap(({ submission_id }) => submission_id ?? [])
  const named = joinings.flatMap(({ extra }) => visitorOf(extra ?? {}) ?? [])
  const theirs = image.moved
    .filter(({ table }) => table === 'visitors')
    .flatMap(({ rows }) => rows.map(({ visitor_id }) => String(visitor_id)))
  await tx`
    update submissions set lead_id = ${duplicate_id}
    where organization_id = ${organization_id} and lead_id = ${primary_id} and id = any(${submissions}::uuid[])`
  await tx`
    update visitors set lead_id = ${duplicate_id}
    where organization_id = ${organization_id} and lead_id = ${primary_id} and visitor_id = any(${named}::text[])`
  // A visitor who said to be the duplicate only now brings the visits before, unless another submission of theirs was the primary's.
  await tx`
    update touchpoints t set lead_id = ${duplicate_id}
    where t.organization_id = ${organization_id} and t.lead_id = ${primary_id} and (
      t.submission_id = any(${submissions}::uuid[])
      or t.submission_id is null and (
        t.visitor_id = any(${theirs}::text[]) and t.received_at >= (
          select merged_at from lead_merges where organization_id = ${organization_id} and id = ${merge_id})
        or t.visitor_id = any(${named}::text[]) and not exists (
          select from touchpoints o where o.organization_id = t.organization_id and o.visitor_id = t.visitor_id
            and o.lead_id = ${primary_id} and o.submission_id <> all(${submissions}::uuid[]))))`
  const [mine, other] = [image.primary['email'] ?? null, image.duplicate['email'] ?? null]
  if (typeof other === 'string' && other !== mine) {
    await tx`
      update messages set record_id = ${duplicate_id}
      where organization_id = ${organization_id} and record_kind = 'lead' and record_id = ${primary_id}
        and lower(recipient) = ${other} and created_at >= (
          select merged_at from lead_merges where organization_id = ${organization_id} and id = ${merge_id})`
  }
  await tx`
    delete from activity_subjects where organization_id = ${organization_id} and kind = 'lead' and subject_id = ${primary_id}
      and activity_id = any(${joinings.map(({ id }) => id)}::uuid[])`
  refreshAttributions(ctx, [primary_id, duplicate_id])
}
