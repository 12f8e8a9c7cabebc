import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { pairLeads } from './duplicate-pairs.ts'
import { requireRecords } from './records.ts'

/** Leads of which somebody says that no two are the same, or that they may be after all. */
export const SaidOfDuplicates = z.object({
  lead_ids: z
    .array(z.uuid())
    .min(2, 'at least two leads')
    .max(50)
    .transform((ids) => [...new Set(ids)])
    .refine((ids) => ids.length >= 2, 'two leads that are not the same one'),
  reason: z.string().trim().min(1).max(2_000).optional(),
})
export type SaidOfDuplicates = z.infer<typeof SaidOfDuplicates>

const Pair = z.object({ lead_id: z.uuid(), other_id: z.uuid() })
type Pair = z.infer<typeof Pair>
export const DuplicatePairs = z.object({ pairs: z.array(Pair).min(1) })

/** What became of what was said. */
export type Said = { lead_ids: string[]; pairs: number }

/**
 * Keeps that no two of these leads are the same: they are not offered any more, whatever they share. Twice is once.
 * @throws {DomainError} `lead_not_found`
 */
export const dismissDuplicates = (ctx: Ctx, { lead_ids, reason }: SaidOfDuplicates): Promise<Said> =>
  inTx(ctx, async (ctx) => ({ lead_ids, pairs: await dismissPairs(ctx, pairsOf(lead_ids), reason) }))

/**
 * Takes back that no two of these leads are the same: where they share something they are offered again.
 * @throws {DomainError} `lead_not_found`
 */
export const restoreDuplicates = (ctx: Ctx, { lead_ids, reason }: SaidOfDuplicates): Promise<Said> =>
  inTx(ctx, async (ctx) => ({ lead_ids, pairs: await restorePairs(ctx, pairsOf(lead_ids), reason) }))

/** As `dismissDuplicates`, by pairs. Answers how many were not dismissed before. */
export const dismissPairs = async (ctx: TxCtx, pairs: Pair[], reason?: string): Promise<number> => {
  const { tx, organization_id } = ctx
  const names = await namesOf(ctx, pairs)
  const dismissed = await tx<Pair[]>`
    insert into duplicate_pairs (organization_id, lead_id, other_id, exact, points, dismissed_at, dismissed_by)
    select ${organization_id}::uuid, p.lead_id, p.other_id, false, 0, now(), ${tx.json(ctx.actor)}
    from unnest(${pairs.map(({ lead_id }) => lead_id)}::uuid[], ${pairs.map(({ other_id }) => other_id)}::uuid[]) as p (lead_id, other_id)
    on conflict (organization_id, lead_id, other_id) do update set dismissed_at = now(), dismissed_by = excluded.dismissed_by
      where duplicate_pairs.dismissed_at is null
    returning lead_id, other_id`
  await record(ctx, 'duplicates_dismissed', [...dismissed], names, reason)
  return dismissed.length
}

/** As `restoreDuplicates`, by pairs. Answers how many were dismissed before. */
export const restorePairs = async (ctx: TxCtx, pairs: Pair[], reason?: string): Promise<number> => {
  const { tx, organization_id } = ctx
  const names = await namesOf(ctx, pairs)
  const restored = await tx<Pair[]>`
    update duplicate_pairs d set dismissed_at = null, dismissed_by = null
    from unnest(${pairs.map(({ lead_id }) => lead_id)}::uuid[], ${pairs.map(({ other_id }) => other_id)}::uuid[]) as p (lead_id, other_id)
    where d.organization_id = ${organization_id} and d.lead_id = p.lead_id and d.other_id = p.other_id and d.dismissed_at is not null
    returning d.lead_id, d.other_id`
  await record(ctx, 'duplicates_restored', [...restored], names, reason)
  // What they share by now decides whether they are offered; most may have changed.
  await pairLeads(ctx, idsOf([...restored]))
  return restored.length
}

/** Whether every one of these pairs is dismissed, as undo compares it. */
export const standingPairs = async ({ tx, organization_id }: TxCtx, pairs: Pair[]) => {
  const dismissed = await tx`
    select 1 from duplicate_pairs d
    join unnest(${pairs.map(({ lead_id }) => lead_id)}::uuid[], ${pairs.map(({ other_id }) => other_id)}::uuid[]) as p (lead_id, other_id)
      on d.lead_id = p.lead_id and d.other_id = p.other_id
    where d.organization_id = ${organization_id} and d.dismissed_at is not null for update of d`
  return { dismissed: dismissed.length === pairs.length }
}

const record = async (
  ctx: TxCtx,
  type: 'duplicates_dismissed' | 'duplicates_restored',
  pairs: Pair[],
  names: Map<string, string>,
  reason: string | undefined,
): Promise<void> => {
  if (pairs.length === 0) return
  const ids = idsOf(pairs)
  await recordActivity(ctx, {
    type,
    subjects: ids.map((id) => ({ kind: 'lead', id })),
    reason,
    data: {
      names: ids.map((id) => names.get(id) ?? ''),
      undo: {
        tool: type === 'duplicates_dismissed' ? 'restore_duplicates' : 'dismiss_duplicates',
        input: { pairs },
      },
    },
  })
}

const namesOf = async (ctx: TxCtx, pairs: Pair[]): Promise<Map<string, string>> => {
  const leads = await requireRecords(
    ctx,
    idsOf(pairs).map((id) => ({ kind: 'lead', id })),
  )
  return new Map(leads.map(({ id, name }) => [id, name]))
}

const idsOf = (pairs: Pair[]): string[] => [
  ...new Set(pairs.flatMap(({ lead_id, other_id }) => [lead_id, other_id])),
]

const pairsOf = (ids: string[]): Pair[] =>
  ids
    .toSorted()
    .flatMap((lead_id, n, sorted) => sorted.slice(n + 1).map((other_id) => ({ lead_id, other_id })))
