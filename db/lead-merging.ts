import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { type Change, recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { withdrawApproval } from './approval-decisions.ts'
import { matchCampaigns } from './campaign-matching.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { writeCustomValues } from './custom-values.ts'
import { pairLeads } from './duplicate-pairs.ts'
import { invalid, staleVersion } from './errors.ts'
import { writeKeys } from './lead-duplicates.ts'
import { MergeFields, mergedFields } from './lead-merge-fields.ts'
import { fillRoles } from './lead-merge-roles.ts'
import { moveRows } from './lead-moves.ts'
import { rescoreLead } from './lead-scoring.ts'
import { getOpportunity, requireOpen, type Opportunity } from './opportunities.ts'
import { requireApproval, requireReason, requireUpon } from './opportunity-stages.ts'
import { requireRecordInUse, requireUnmerged } from './records.ts'
import { cancelRun } from './runs.ts'

/** Which lead is merged into another, and what it brings. */
export const MergeLeads = z.object({
  duplicate_id: z.uuid(),
  fields: MergeFields.optional(),
  /** The version of the duplicate that the choice was made upon. */
  duplicate_version: z.int().positive().optional(),
  reason: z.string().trim().min(1).max(2_000).optional(),
})
export type MergeLeads = z.infer<typeof MergeLeads> & { version?: number | undefined }

/** What a merge came to. */
export type Merged = {
  merge_id: string
  lead: Opportunity
  /** How many of what are the primary's now. */
  moved: { what: string; count: number }[]
  changes: Change[]
  /** Approvals that waited on the duplicate. */
  withdrawn: string[]
}

/**
 * Merges a lead into another, the primary: it keeps its values but for those of `fields`, its blanks are filled, also the
 * roles of people and companies, tags are joined; what hangs on the duplicate hangs on the primary; the duplicate goes to the archive, and what it was known by
 * leads to the primary. Keeps what takes it back. A converted duplicate stays converted, its deal names the primary.
 *
 * What waits for approval on the duplicate is withdrawn rather than moved: it was written to somebody who may have been
 * written to already, and rests on values that are not the primary's.
 * @throws {DomainError} `merged_with_itself`, `lead_not_found`, `record_archived`, `lead_merged`, `opportunity_closed`,
 * `unknown_field` naming the nearest, stale on a version mismatch, `approval_required` for an agent
 */
export const mergeLeads = (ctx: Ctx, primary_id: string, input: MergeLeads): Promise<Merged> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { duplicate_id, fields, reason } = input
    const { primary, duplicate } = await lockPair(ctx, primary_id, input)
    requireReason(ctx, reason)
    requireApproval(ctx, 'merges two leads')
    const merge_id = uuidv7()
    const { values, custom } = await mergedFields(ctx, primary, duplicate, fields)

    const withdrawn = await endOpen(ctx, duplicate_id, `Merged into “${primary.name}”`)
    const roles = await fillRoles(ctx, duplicate_id, primary_id)
    const moved = await moveRows(ctx, duplicate_id, primary_id)
    shareTimeline(ctx, duplicate_id, primary_id)
    // Before the primary takes it over: no two leads that are in use share an external id.
    const archived_at = duplicate.archived_at ?? new Date()
    await tx`
      update opportunities set archived_at = ${archived_at}, merged_into = ${primary_id}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${duplicate_id}`
    const passed_on = await tx<{ id: string }[]>`
      update opportunities set merged_into = ${primary_id}
      where organization_id = ${organization_id} and merged_into = ${duplicate_id} returning id`
    const { changes, origins } = await takeOver(ctx, primary, duplicate, values, custom)
    const after = await getOpportunity(ctx, primary_id)
    writeKeys(ctx, [after])
    await tx`
      insert into lead_merges ${tx({
        organization_id,
        id: merge_id,
        primary_id,
        duplicate_id,
        merged_by: tx.json(ctx.actor),
        pre_image: tx.json({
          primary,
          duplicate,
          changes,
          moved,
          roles,
          origins,
          withdrawn,
          passed_on: passed_on.map(({ id }) => id),
          ...(fields ? { fields } : {}),
        } as never),
      })}`
    const counts = moved.map(({ what, rows }) => ({ what, count: rows.length }))
    await recordActivity(ctx, {
      type: 'merged',
      subjects: [
        { kind: 'lead', id: primary_id },
        { kind: 'lead', id: duplicate_id },
      ],
      reason,
      record_version: after.version,
      data: {
        merge_id,
        kind: 'lead',
        name: primary.name,
        duplicate_id,
        duplicate: duplicate.name,
        changes,
        moved: counts,
        ...(roles.length > 0 ? { roles } : {}),
        ...(withdrawn.length > 0 ? { withdrawn } : {}),
        undo: { tool: 'unmerge_leads', input: { merge_id } },
      },
    })
    await pairLeads(ctx, [primary_id])
    await rescoreLead(ctx, primary_id)
    await recheckApprovals(ctx, { kind: 'lead', id: primary_id })
    return { merge_id, lead: await getOpportunity(ctx, primary_id), moved: counts, changes, withdrawn }
  })

/** What a merge would come to: both leads, and what changes on the one that stays. */
export type MergePlan = { primary: Opportunity; duplicate: Opportunity; changes: Change[] }

/**
 * Looks what a merge would do, and does nothing.
 * @throws {DomainError} whatever `mergeLeads` refuses
 */
export const planMerge = (ctx: Ctx, primary_id: string, input: MergeLeads): Promise<MergePlan> =>
  inTx(ctx, async (ctx) => {
    const { primary, duplicate } = await requirePair(ctx, primary_id, input)
    const { values, custom } = await mergedFields(ctx, primary, duplicate, input.fields)
    const given = [
      ...Object.entries(values),
      ...Object.entries(custom).map(([key, after]) => [`custom.${key}`, after] as const),
    ]
    const changes = given.map(([field, after]) => ({ field, before: valueOf(primary, field), after }))
    return { primary, duplicate, changes }
  })

const valueOf = (lead: Opportunity, field: string): unknown =>
  (field.startsWith('custom.') ? lead.custom[field.slice(7)] : lead[field as keyof Opportunity]) ?? null

/** Both leads, which nobody else changes until the transaction ends. */
const lockPair = async (ctx: TxCtx, primary_id: string, input: MergeLeads) => {
  const { tx, organization_id } = ctx
  // In one order, so that two merges of the same pair never wait for each other.
  await tx`
    select 1 from opportunities where organization_id = ${organization_id} and id in (${primary_id}, ${input.duplicate_id})
    order by id for update`
  return requirePair(ctx, primary_id, input)
}

/** Two leads that can be merged. */
const requirePair = async (
  ctx: TxCtx,
  primary_id: string,
  { duplicate_id, duplicate_version, version }: MergeLeads,
): Promise<{ primary: Opportunity; duplicate: Opportunity }> => {
  if (primary_id === duplicate_id)
    throw invalid(
      'merged_with_itself',
      '/duplicate_id',
      'A lead is not merged into itself: name another one.',
    )
  const primary = await getOpportunity(ctx, primary_id, 'lead')
  const duplicate = await getOpportunity(ctx, duplicate_id, 'lead')
  for (const lead of [primary, duplicate]) requireUnmerged(lead)
  requireUpon(primary, version)
  requireOpen(primary)
  if (duplicate_version !== undefined && duplicate_version !== duplicate.version)
    throw staleVersion(duplicate)
  if (duplicate.converted === null) requireRecordInUse(duplicate)
  requireOpen(duplicate)
  return { primary, duplicate }
}

/** Ends what agents have under way on the duplicate; answers the approvals that were withdrawn. */
const endOpen = async (ctx: TxCtx, lead_id: string, reason: string): Promise<string[]> => {
  const { tx, organization_id } = ctx
  const runs = await tx<{ id: string }[]>`
    select id from runs where organization_id = ${organization_id} and subject_kind = 'lead' and subject_id = ${lead_id}
      and status in ('queued', 'running', 'paused') and id is distinct from ${ctx.run_id ?? null} order by id for update`
  for (const { id } of runs) await cancelRun(ctx, id)
  const approvals = await tx<{ id: string }[]>`
    select id from approvals where organization_id = ${organization_id} and subject_kind = 'lead' and subject_id = ${lead_id}
      and status in ('pending', 'stale') order by id for update`
  for (const { id } of approvals) await withdrawApproval(ctx, id, reason)
  return approvals.map(({ id }) => id)
}

/** The lines stay sealed as they were written: that they are about the duplicate, too. Only where they are found is added. */
const shareTimeline = (ctx: TxCtx, from: string, to: string): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      insert into activity_subjects (organization_id, kind, subject_id, activity_id, type, actor_kind)
      select organization_id, kind, ${to}::uuid, activity_id, type, actor_kind from activity_subjects
      where organization_id = ${organization_id} and kind = 'lead' and subject_id = ${from}
      on conflict do nothing`,
  )
}

type StoredOrigin = { field: string; origin: unknown; tainted: boolean; set_at: string }

/** Writes the values that the primary takes over, each with where the duplicate had it from. */
const takeOver = async (
  ctx: TxCtx,
  primary: Opportunity,
  duplicate: Opportunity,
  values: Record<string, unknown>,
  custom: Record<string, unknown>,
): Promise<{ changes: Change[]; origins: StoredOrigin[] }> => {
  const { tx, organization_id } = ctx
  const written = await writeCustomValues(ctx, 'lead', primary.id, custom)
  const columns = Object.entries(values).map(([field, after]) => ({
    field,
    before: primary[field as keyof Opportunity] ?? null,
    after,
  }))
  const changes = [...columns, ...written]
  await tx`
    update opportunities set ${tx({ ...values, version: primary.version + 1, updated_at: new Date() } as never)}
    where organization_id = ${organization_id} and id = ${primary.id}`
  if ('campaign' in values) await matchCampaigns(ctx, [{ id: primary.id, campaign: values['campaign'] }])
  const fields = changes.map(({ field }) => field)
  const origins = await tx<StoredOrigin[]>`
    select field, origin, tainted, set_at::text from record_origins where organization_id = ${organization_id}
      and record_kind = 'lead' and record_id = ${primary.id} and field = any(${fields}::text[])`
  await tx`
    insert into record_origins (organization_id, record_kind, record_id, field, origin, tainted, set_at)
    select organization_id, record_kind, ${primary.id}::uuid, field, origin, tainted, set_at from record_origins
    where organization_id = ${organization_id} and record_kind = 'lead' and record_id = ${duplicate.id}
      and field = any(${fields}::text[])
    on conflict (organization_id, record_kind, record_id, field) do update
      set origin = excluded.origin, tainted = excluded.tainted, set_at = excluded.set_at`
  return { changes, origins: [...origins] }
}
