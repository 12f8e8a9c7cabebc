import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { MergeFields } from './lead-merge-fields.ts'

/** A field of the primary, before something came to it and after. */
export const LayerChange = z.object({ field: z.string(), before: z.unknown(), after: z.unknown() })

/** Where a field's value came from, as it was stored. */
export const StoredOrigin = z.object({
  field: z.string(),
  origin: z.unknown(),
  tainted: z.boolean(),
  set_at: z.string(),
})
export type StoredOrigin = z.infer<typeof StoredOrigin>

/** What a person or company of both leads is to the primary since the duplicate said so. */
const FilledRole = z.object({
  table: z.enum(['opportunity_contacts', 'opportunity_accounts']),
  id: z.string(),
  role: z.string(),
})
export type FilledRole = z.infer<typeof FilledRole>

/** What a merge keeps, to be taken apart: both leads as they were, what it changed, every row that it moved. */
export const PreImage = z.object({
  primary: z.looseObject({ name: z.string() }),
  duplicate: z.looseObject({ archived_at: z.string().nullable() }),
  changes: z.array(LayerChange),
  moved: z.array(
    z.object({
      table: z.string(),
      column: z.string(),
      what: z.string(),
      rows: z.array(z.record(z.string(), z.unknown())),
    }),
  ),
  /** Absent in merges of before they were filled. */
  roles: z.array(FilledRole).default([]),
  origins: z.array(StoredOrigin),
  withdrawn: z.array(z.uuid()),
  passed_on: z.array(z.uuid()),
  fields: MergeFields.optional(),
})
export type PreImage = z.infer<typeof PreImage>

/** A merge, as it is stored. */
export type StoredMerge = { id: string; primary_id: string; duplicate_id: string; image: PreImage }

/** The same, and whether it was taken back, and when. */
export type KnownMerge = StoredMerge & { stands: boolean; unmerged_at: Date | null }

/** The merges into a lead, the oldest first: those that stand, and those that were taken back. */
export const readMergesInto = async (
  { tx, organization_id }: TxCtx,
  primary_id: string,
): Promise<KnownMerge[]> => {
  const rows = await tx<(Omit<KnownMerge, 'image'> & { pre_image: unknown })[]>`
    select id, primary_id, duplicate_id, pre_image, unmerged_at is null as stands, unmerged_at from lead_merges
    where organization_id = ${organization_id} and primary_id = ${primary_id} order by id`
  return rows.map(({ pre_image, ...merge }) => ({ ...merge, image: PreImage.parse(pre_image) }))
}

/** Keeps what taking this merge apart will put back, after an earlier one was. */
export const writeImage = async (
  { tx, organization_id }: TxCtx,
  { id, image }: StoredMerge,
): Promise<void> => {
  await tx`
    update lead_merges set pre_image = ${tx.json(image as never)} where organization_id = ${organization_id} and id = ${id}`
}
