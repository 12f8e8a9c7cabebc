import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Change } from './activities.ts'
import { recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { matchCampaigns } from './campaign-matching.ts'
import { inTx, recordingOf, type Ctx, type TxCtx } from './context.ts'
import { readKeptValues, writeCustomValues } from './custom-values.ts'
import { pairLeads } from './duplicate-pairs.ts'
import { DomainError } from './errors.ts'
import { writeKeys } from './lead-duplicates.ts'
import { takeSent } from './lead-joining.ts'
import { type Joining, mergeOf, readJoinings, returnArrivals } from './lead-merge-arrivals.ts'
import { CUSTOM, valuesOf } from './lead-merge-fields.ts'
import { readMergesInto, type KnownMerge, type StoredMerge, writeImage } from './lead-merge-images.ts'
import { layerOfJoining, layerOfMerge, type Lifted, liftLayer } from './lead-merge-layers.ts'
import { emptyRoles, fillRolesAgain } from './lead-merge-roles.ts'
import { returnRows } from './lead-moves.ts'
import { rescoreLeads } from './lead-scoring.ts'
import { getOpportunity, type Opportunity } from './opportunities.ts'
import { requireApproval, requireReason, requireUpon } from './opportunity-stages.ts'
import { requireFreeExternalId, requireUnmerged } from './records.ts'
import { insertRows } from './row-sets.ts'

/** Which merge is taken back. */
export const UnmergeLeads = z.object({
  /** Where several leads were merged into the one that is named. */
  duplicate_id: z.uuid().optional(),
  reason: z.string().trim().min(1).max(2_000).optional(),
})
export type UnmergeLeads = z.infer<typeof UnmergeLeads> & { version?: number | undefined }

/** Something that is not as the merge left it, and therefore stays as somebody made it since. */
export type KeptSince = { what: string; reason: string; left?: unknown; now?: unknown }

/** What taking a merge back came to. */
export type Unmerged = { primary: Opportunity; duplicate: Opportunity; kept: KeptSince[] }

/**
 * Takes a merge back: both leads are as they were before, but for what somebody edited since, which stays and is named. What
 * the duplicate's person sent meanwhile, and what that filled, goes back with the duplicate; other merges stand as they are.
 * @param id either of the two leads
 * @throws {DomainError} `lead_not_found`, `not_merged`, `several_merged` naming them, `lead_merged` while the primary is
 * itself merged into another, `external_id_taken`, stale on a version mismatch, `approval_required` for an agent
 */
export const unmergeLeads = (ctx: Ctx, id: string, input: UnmergeLeads = {}): Promise<Unmerged> =>
  inTx(ctx, async (ctx) => {
    const lead = await getOpportunity(ctx, id, 'lead')
    const merge = await standingMerge(ctx, lead, input.duplicate_id)
    return takeApart(ctx, merge, input)
  })

/** The same by the merge, for taking back the act. */
export const unmergeById = (ctx: Ctx, merge_id: string, reason?: string): Promise<Unmerged> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [merge] = await tx<MergeRef[]>`
      select id, primary_id, duplicate_id from lead_merges
      where organization_id = ${organization_id} and id = ${merge_id} and unmerged_at is null`
    if (!merge) throw new DomainError('conflict', 'not_merged', 'This merge was taken back already.')
    return takeApart(ctx, merge, { reason })
  })

type MergeRef = Pick<StoredMerge, 'id' | 'primary_id' | 'duplicate_id'>

const standingMerge = async (
  { tx, organization_id }: TxCtx,
  { id, name }: Opportunity,
  duplicate_id: string | undefined,
): Promise<MergeRef> => {
  const merges = await tx<(MergeRef & { duplicate: string })[]>`
    select m.id, m.primary_id, m.duplicate_id, d.name as duplicate from lead_merges m
    join opportunities d on d.organization_id = m.organization_id and d.id = m.duplicate_id
    where m.organization_id = ${organization_id} and m.unmerged_at is null
      and (m.duplicate_id = ${id} or m.primary_id = ${id})
      ${duplicate_id ? tx`and m.duplicate_id = ${duplicate_id}` : tx``}
    order by (m.duplicate_id = ${id}) desc, m.id desc limit 50`
  const [merge, another] = merges
  if (!merge)
    throw new DomainError(
      'conflict',
      'not_merged',
      `Nothing is merged into “${name}”, nor is it merged into another lead.`,
    )
  if (!another || merge.duplicate_id === id) return merge
  throw new DomainError(
    'conflict',
    'several_merged',
    `Several leads were merged into “${name}”: say which one, by \`duplicate_id\`.`,
    {
      errors: [
        {
          pointer: '/duplicate_id',
          message: 'one of the leads that were merged into this one',
          accepted: merges.map(({ duplicate_id: id, duplicate }) => ({ id, name: duplicate })),
        },
      ],
    },
  )
}

const takeApart = async (
  ctx: TxCtx,
  { id: merge_id, primary_id, duplicate_id }: MergeRef,
  { reason, version }: UnmergeLeads,
): Promise<Unmerged> => {
  const { tx, organization_id } = ctx
  await tx`
    select 1 from opportunities where organization_id = ${organization_id} and id in (${primary_id}, ${duplicate_id})
    order by id for update`
  const marked = await tx`
    update lead_merges set unmerged_at = now(), unmerged_by = ${tx.json(ctx.actor)}
    where organization_id = ${organization_id} and id = ${merge_id} and unmerged_at is null returning id`
  if (marked.length === 0)
    throw new DomainError('conflict', 'not_merged', 'This merge was taken back already.')
  requireReason(ctx, reason)
  requireApproval(ctx, 'takes a merge back')
  const primary = await getOpportunity(ctx, primary_id, 'lead')
  requireUnmerged(primary)
  if (version !== undefined) requireUpon(primary, version)
  const merges = await readMergesInto(ctx, primary_id)
  const merge = merges.find(({ id }) => id === merge_id)
  if (!merge) throw new Error('a merge that was marked is not there')
  const { image } = merge
  const joinings = await readJoinings(ctx, primary_id, merges)
  const theirs = joinings.filter((joining) => mergeOf(joining, merges) === merge)
  const { changes, kept } = await restoreFields(ctx, primary, merge, { merges, joinings })
  const duplicate = await getOpportunity(ctx, duplicate_id, 'lead')
  await requireFreeExternalId(ctx, 'lead', duplicate.external_id, duplicate_id)
  await tx`
    update opportunities set archived_at = ${image.duplicate.archived_at}, merged_into = null, version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${duplicate_id}`
  await tx`
    update opportunities set merged_into = ${duplicate_id} where organization_id = ${organization_id}
      and merged_into = ${primary_id} and id = any(${image.passed_on}::uuid[])`
  const { emptied, changed } = await emptyRoles(ctx, merge)
  if (changed > 0) kept.push({ what: 'roles', reason: `${changed} of them were changed since` })
  for (const { what, count } of await returnRows(ctx, image.moved, primary_id, duplicate_id))
    kept.push({ what, reason: `${count} of them belong elsewhere by now` })
  await fillRolesAgain(ctx, primary_id, emptied)
  await returnArrivals(ctx, merge, theirs)
  const shared = joinings.filter(({ id, perhaps = [] }) => id > merge_id && perhaps.includes(duplicate_id))
  if (shared.length > 0)
    kept.push({
      what: 'submissions',
      reason: `${shared.length} of them came by what both leads are known by`,
    })
  await unshareTimeline(ctx, primary_id, duplicate_id)
  if (image.withdrawn.length > 0)
    kept.push({
      what: 'approvals',
      reason: `${image.withdrawn.length} stay withdrawn: what they rested on may have changed`,
    })
  for (const { sent, door, submission_id } of theirs) {
    const lead = await getOpportunity(ctx, duplicate_id, 'lead')
    await takeSent(
      ctx,
      lead,
      sent,
      { door, submission_id },
      `It was sent while this lead was merged into “${primary.name}”.`,
    )
  }
  const after = {
    primary: await getOpportunity(ctx, primary_id),
    duplicate: await getOpportunity(ctx, duplicate_id),
  }
  writeKeys(ctx, [after.primary])
  await recordActivity(ctx, {
    type: 'unmerged',
    subjects: [
      { kind: 'lead', id: primary_id },
      { kind: 'lead', id: duplicate_id },
    ],
    reason,
    record_version: after.primary.version,
    data: {
      merge_id,
      kind: 'lead',
      name: primary.name,
      duplicate_id,
      duplicate: duplicate.name,
      changes,
      kept,
      undo: {
        tool: 'merge_leads',
        input: { lead_id: primary_id, duplicate_id, ...(image.fields ? { fields: image.fields } : {}) },
      },
    },
  })
  await pairLeads(ctx, [primary_id, duplicate_id])
  await rescoreLeads(ctx, [primary_id, duplicate_id])
  for (const id of [primary_id, duplicate_id]) await recheckApprovals(ctx, { kind: 'lead', id })
  return { ...after, kept }
}

/** Gives the primary back what it would have without the merge, unless somebody wrote something else since. */
const restoreFields = async (
  ctx: TxCtx,
  primary: Opportunity,
  merge: KnownMerge,
  { merges, joinings }: { merges: readonly KnownMerge[]; joinings: readonly Joining[] },
): Promise<{ changes: Change[]; kept: KeptSince[] }> => {
  const { tx, organization_id } = ctx
  const custom = (await readKeptValues(ctx, [primary.id])).get(primary.id)
  const before = valuesOf({ ...primary, custom })
  const now = { ...before }
  const layersOf = (one: KnownMerge) => [
    layerOfMerge(one),
    ...joinings
      .filter((joining) => mergeOf(joining, merges)?.id === one.id)
      .map((joining) => layerOfJoining(joining)),
  ]
  const gone = merges
    .flatMap((one) => {
      const { unmerged_at } = one
      if (unmerged_at === null || one.id === merge.id) return []
      return layersOf(one).map((layer) => ({ ...layer, lifted_at: unmerged_at }))
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const above = merges.filter(({ id, stands }) => stands && id > merge.id)
  const origins: Lifted['origins'] = new Map()
  const kept = new Map<string, KeptSince>()
  for (const layer of layersOf(merge).toReversed()) {
    const lifted = await liftLayer(
      ctx,
      now,
      layer,
      above.filter(({ id }) => id > layer.id),
      // A merge was told when it happened.
      layer.id === merge.id ? [] : gone,
    )
    Object.assign(now, lifted.values)
    for (const [field, origin] of lifted.origins) origins.set(field, origin)
    // What somebody else sent since took its place: nothing of it is left.
    const replaced = ({ field, now }: Lifted['kept'][number]): boolean =>
      joinings.some(
        (one) =>
          one.id > layer.id &&
          one.filled.some((change) => change.field === field && isDeepStrictEqual(change.after, now)),
      )
    for (const { field, with: along, ...values } of lifted.kept.filter((one) => !replaced(one)))
      kept.set(field, {
        what: field,
        reason: along === undefined ? 'It was edited since' : `It goes with ${along}, which was edited since`,
        ...values,
      })
  }
  for (const one of above) await writeImage(ctx, one)
  const changes = [...origins.keys()].map((field) => ({
    field,
    before: before[field] ?? null,
    after: now[field] ?? null,
  }))
  await writeRestored(ctx, primary, changes)
  const fields = changes.map(({ field }) => field)
  await tx`
    delete from record_origins where organization_id = ${organization_id} and record_kind = 'lead'
      and record_id = ${primary.id} and field = any(${fields}::text[])`
  insertRows(
    ctx,
    'record_origins',
    [...origins.values()].flatMap((origin) =>
      origin ? [{ ...origin, record_kind: 'lead', record_id: primary.id }] : [],
    ),
  )
  return { changes, kept: [...kept.values()] }
}

const writeRestored = async (ctx: TxCtx, primary: Opportunity, changes: readonly Change[]): Promise<void> => {
  const { tx, organization_id } = ctx
  const given = (custom: boolean): Record<string, unknown> =>
    Object.fromEntries(
      changes
        .filter(({ field }) => field.startsWith(CUSTOM) === custom)
        .map(({ field, after }) => [custom ? field.slice(CUSTOM.length) : field, after]),
    )
  await recordingOf(ctx, { data: {}, takes_back: true }, (ctx) =>
    writeCustomValues(ctx, 'lead', primary.id, given(true)),
  )
  const values = given(false)
  await tx`
    update opportunities set ${tx({ ...values, version: primary.version + 1, updated_at: new Date() } as never)}
    where organization_id = ${organization_id} and id = ${primary.id}`
  if ('campaign' in values) await matchCampaigns(ctx, [{ id: primary.id, campaign: values['campaign'] }])
}

/**
 * Takes from the primary's timeline what is there only because of the merge: lines that do not say, as they were sealed or
 * as their author made them read since, that they are about it, and that no other lead brought that is still merged into it.
 */
const unshareTimeline = ({ tx, organization_id }: TxCtx, primary_id: string, duplicate_id: string) => {
  const about = tx.json([{ kind: 'lead', id: primary_id }])
  return tx`
    delete from activity_subjects s
    using activity_subjects theirs, activities a
    where s.organization_id = ${organization_id} and s.kind = 'lead' and s.subject_id = ${primary_id}
      and theirs.organization_id = s.organization_id and theirs.kind = 'lead' and theirs.subject_id = ${duplicate_id}
      and theirs.activity_id = s.activity_id
      and a.organization_id = s.organization_id and a.id = s.activity_id
      and not coalesce((select r.subjects from activity_revisions r where r.organization_id = a.organization_id
        and r.activity_id = a.id and r.subjects is not null order by r.n desc limit 1), a.subjects) @> ${about}
      and not exists (
        select from activity_subjects brought
        join opportunities o on o.organization_id = brought.organization_id and o.id = brought.subject_id
          and o.merged_into = ${primary_id} and o.id <> ${duplicate_id}
        where brought.organization_id = s.organization_id and brought.kind = 'lead' and brought.activity_id = s.activity_id)`
}
