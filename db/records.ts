import { z } from 'zod'
import { recordActivities, type Subject } from './activities.ts'
import { recheckApprovalsOf } from './approval-reads.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound } from './errors.ts'
import { lockNames } from './named-locks.ts'
import { updateRows } from './row-sets.ts'
import { tableOf } from './record-tables.ts'

export { tableOf }

/** The kinds of record that a sales team keeps: what notes, tasks, files and activities are about. */
export const recordKinds = ['lead', 'deal', 'account', 'contact'] as const
export type RecordKind = (typeof recordKinds)[number]

/** Which record: its kind and its id. */
export const RecordRef = z.object({ kind: z.enum(recordKinds), id: z.uuid() })
export type RecordRef = z.infer<typeof RecordRef>

/** The records that something is about, at most 20, each once. */
export const RecordRefs = (at_least = 0) =>
  z
    .array(RecordRef)
    .min(at_least, `at least ${at_least} record that it is about`)
    .max(20)
    .transform((records) => distinctSubjects(records))

/** Each record once, in the order in which they came first. */
export const distinctSubjects = <Of extends Subject>(subjects: readonly Of[]): Of[] => [
  ...new Map(subjects.map((subject) => [`${subject.kind} ${subject.id}`, subject])).values(),
]

/** What something is about now and was not before: what hangs on an archived record may stay there. */
export const addedSubjects = <Of extends Subject>(before: readonly Subject[], after: readonly Of[]): Of[] =>
  after.filter(({ kind, id }) => !before.some((one) => one.kind === kind && one.id === id))

/** A record as others name it. */
export type RecordLabel = RecordRef & { name: string; archived_at: Date | null }

/**
 * A record of any kind, archived or not, by one look-up.
 * @throws {DomainError} `<kind>_not_found`
 */
export const requireRecord = (ctx: Ctx, { kind, id }: RecordRef): Promise<RecordLabel> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<Omit<RecordLabel, 'kind'>[]>`
      select id, name, archived_at from ${tx(tableOf[kind])} where organization_id = ${organization_id} and id = ${id}
        ${tableOf[kind] === 'opportunities' ? tx`and kind = ${kind}` : tx``}`
    if (!row) throw notFound(kind, id)
    return { kind, ...row }
  })

/**
 * A card whose kind is not known, archived or not.
 * @throws {DomainError} `opportunity_not_found`
 */
export const requireCard = (ctx: Ctx, id: string): Promise<RecordLabel> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<RecordLabel[]>`
      select kind, id, name, archived_at from opportunities where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('opportunity', id)
    return row
  })

/**
 * Records of any kinds, in the order they were asked for, in one round trip.
 * @throws {DomainError} `<kind>_not_found` for the first one that is not there
 */
export const requireRecords = async (ctx: Ctx, records: readonly RecordRef[]): Promise<RecordLabel[]> => {
  if (records.length === 0) return []
  const found = new Map((await readLabels(ctx, records)).map((record) => [keyOf(record), record]))
  return records.map((wanted) => {
    const record = found.get(keyOf(wanted))
    if (!record) throw notFound(wanted.kind, wanted.id)
    return record
  })
}

/**
 * Records that something new can be written on: in the archive nobody would find it.
 * @throws {DomainError} `<kind>_not_found`; for the first one that is archived, what `requireRecordInUse` says
 */
export const requireRecordsInUse = async (
  ctx: TxCtx,
  records: readonly RecordRef[],
): Promise<RecordLabel[]> => {
  const labels = await requireRecords(ctx, records)
  const archived = labels.find(({ archived_at }) => archived_at !== null)
  if (archived) requireRecordInUse({ ...archived, ...(await whereItWent(ctx, archived)) })
  return labels
}

/** The names that people know records by: id → name, for those that are there. */
export const labelRecords = async (ctx: Ctx, subjects: readonly Subject[]): Promise<Map<string, string>> => {
  const records = subjects.filter((subject): subject is RecordRef => isRecordKind(subject.kind))
  if (records.length === 0) return new Map()
  return new Map((await readLabels(ctx, records)).map(({ id, name }) => [id, name]))
}

/**
 * Takes a record out of lists, boards, totals and searches; everything about it stays. Twice is once.
 * @throws {DomainError} `<kind>_not_found`
 */
export const archiveRecord = (ctx: Ctx, record: RecordRef, reason?: string): Promise<void> =>
  setArchived(ctx, record, true, reason)

/** The same for many records of one kind; what is not there is passed by. */
export const archiveRecords = async (
  ctx: TxCtx,
  kind: RecordKind,
  ids: readonly string[],
  reason?: string,
): Promise<void> => {
  if (ids.length > 0) await setArchivedOf(ctx, kind, ids, true, reason)
}

/**
 * Brings an archived record back as it was. One that is in use stays as it is.
 * @throws {DomainError} `<kind>_not_found`; `external_id_taken` when another record was given its external id meanwhile
 */
export const restoreRecord = (ctx: Ctx, record: RecordRef, reason?: string): Promise<void> =>
  setArchived(ctx, record, false, reason)

/** What a lead became that is archived because it lives on as something else. */
type Gone = { merged_into?: string | null; converted?: { deal_id: string | null } | null }

/**
 * What is archived is not changed: it is restored first, and what became something else is left at that.
 * @throws {DomainError} `record_archived`, with where it is restored; `lead_merged`, `lead_converted`, with what it became
 * and how that is taken back
 */
export const requireRecordInUse = ({
  kind,
  id,
  name,
  archived_at,
  merged_into = null,
  converted,
}: Omit<RecordLabel, 'kind'> & { kind: string } & Gone): void => {
  if (archived_at === null) return
  requireUnmerged({ id, name, merged_into })
  if (converted) throw wasConverted({ id, name }, converted)
  const restore = `/api/${kind}s/${id}/restore`
  throw new DomainError(
    'conflict',
    'record_archived',
    `“${name}” is archived. Restore it first (POST ${restore}), then change it.`,
    { extra: { archived_at, restore } },
  )
}

/** The record of this kind that has this external id and is not archived: no two that are in use share one. */
export const holderOfExternalId = async (
  ctx: TxCtx,
  kind: RecordKind,
  external_id: unknown,
): Promise<Holder | undefined> =>
  typeof external_id === 'string' ? (await holdersOfExternalIds(ctx, kind, [external_id]))[0] : undefined

/** The records of this kind that have these external ids and are not archived. */
export const holdersOfExternalIds = async (
  { tx, organization_id }: TxCtx,
  kind: RecordKind,
  external_ids: readonly string[],
): Promise<Holder[]> => [
  ...(await tx<Holder[]>`
    select id, name, external_id from ${tx(tableOf[kind])} where organization_id = ${organization_id}
      ${tableOf[kind] === 'opportunities' ? tx`and kind = ${kind}` : tx``}
      and external_id = any(${external_ids as string[]}) and archived_at is null`),
]

type Holder = { id: string; name: string; external_id: string }

/**
 * Makes sure that an external id is nobody's, or this record's own, until the transaction ends: who asks at the same time
 * waits, and is told.
 * @throws {DomainError} `external_id_taken`, with the id of the record that has it as `<kind>_id`
 */
export const requireFreeExternalId = (
  ctx: TxCtx,
  kind: RecordKind,
  external_id: unknown,
  own_id?: string,
): Promise<void> => requireFreeExternalIds(ctx, kind, [{ external_id, own_id }])

/** The same for many at once, of which no two may want the same. */
export const requireFreeExternalIds = async (
  ctx: TxCtx,
  kind: RecordKind,
  wanted: readonly { external_id: unknown; own_id?: string | undefined }[],
): Promise<void> => {
  const ids = wanted.map(({ external_id }) => external_id).filter((one) => typeof one === 'string')
  if (ids.length === 0) return
  const twice = ids.find((external_id, n) => ids.indexOf(external_id) < n)
  if (twice !== undefined)
    throw invalid(
      'external_id_twice',
      '/external_id',
      `Two of these ${kind}s have the external id “${twice}”.`,
    )
  lockNames(
    ctx,
    ids.map((external_id) => `external_id ${kind} ${external_id}`),
  )
  const holders = await holdersOfExternalIds(ctx, kind, ids)
  const own = new Map(wanted.map(({ external_id, own_id }) => [external_id, own_id]))
  const holder = holders.find(({ external_id, id }) => own.get(external_id) !== id)
  if (!holder) return
  throw new DomainError(
    'conflict',
    'external_id_taken',
    `“${holder.name}” has this external id already. Change that ${kind}, or give another id.`,
    {
      errors: [{ pointer: '/external_id', message: `belongs to ${kind} ${holder.id}` }],
      extra: { [`${kind}_id`]: holder.id },
    },
  )
}

const setArchived = (ctx: Ctx, { kind, id }: RecordRef, archived: boolean, reason?: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { before } = await setArchivedOf(ctx, kind, [id], archived, reason)
    if (before.length === 0) throw notFound(kind, id)
  })

/** The same for many records of one kind, with one statement per table; what is not there is passed by. */
const setArchivedOf = async (
  ctx: TxCtx,
  kind: RecordKind,
  ids: readonly string[],
  archived: boolean,
  reason?: string,
): Promise<{ before: { id: string }[] }> => {
  const { tx, organization_id } = ctx
  const before = await tx<
    {
      id: string
      name: string
      external_id: string | null
      archived_at: Date | null
      merged_into: string | null
      version: number
    }[]
  >`
    select id, name, external_id, archived_at, ${kind === 'lead' ? tx`merged_into` : tx`null::uuid as merged_into`}, version
    from ${tx(tableOf[kind])}
    where organization_id = ${organization_id} and id = any(${ids as string[]}::uuid[])
      ${tableOf[kind] === 'opportunities' ? tx`and kind = ${kind}` : tx``} order by id for update`
  const changed = before.filter(({ archived_at }) => (archived_at !== null) !== archived)
  if (changed.length === 0) return { before: [...before] }
  for (const record of changed) {
    requireUnmerged(record)
    if (archived) continue
    await requireNotConverted(ctx, { kind, id: record.id }, record.name)
    await requireFreeExternalId(ctx, kind, record.external_id)
  }
  const at = new Date()
  updateRows(
    ctx,
    tableOf[kind],
    changed.map(({ id, version }) => ({
      id,
      archived_at: archived ? at : null,
      version: version + 1,
      updated_at: at,
    })),
  )
  recordActivities(
    ctx,
    changed.map(({ id, name, archived_at, version }) => ({
      type: archived ? 'record_archived' : 'record_restored',
      subjects: [{ kind, id }],
      reason,
      record_version: version + 1,
      data: {
        kind,
        name,
        changes: [{ field: 'archived_at', before: archived_at, after: archived ? at : null }],
        undo: {
          tool: archived ? 'restore_record' : 'archive_record',
          input: { record_kind: kind, record_id: id },
        },
      },
    })),
  )
  await recheckApprovalsOf(
    ctx,
    changed.map(({ id }) => ({ kind, id })),
  )
  return { before: [...before] }
}

/** @throws {DomainError} `lead_converted`: what it became would be there beside it */
const requireNotConverted = async (
  { tx, organization_id }: TxCtx,
  { id }: RecordRef,
  name: string,
): Promise<void> => {
  const [conversion] = await tx<{ deal_id: string | null }[]>`
    select deal_id from conversions where organization_id = ${organization_id} and lead_id = ${id} and reversed_at is null`
  if (conversion) throw wasConverted({ id, name }, conversion)
}

const wasConverted = (
  { id, name }: { id: string; name: string },
  { deal_id }: { deal_id: string | null },
): DomainError => {
  const reverse = `/api/leads/${id}/convert/reverse`
  const deal = deal_id === null ? '' : `Go on with its deal (/api/deals/${deal_id}), or take`
  return new DomainError(
    'conflict',
    'lead_converted',
    `“${name}” was converted. ${deal || 'Take'} the conversion back first (POST ${reverse}).`,
    { extra: { deal_id, reverse } },
  )
}

const whereItWent = async (
  { tx, organization_id }: TxCtx,
  { kind, id }: RecordRef,
): Promise<Gone | undefined> => {
  if (kind !== 'lead') return undefined
  const [gone] = await tx<Gone[]>`
    select o.merged_into, case when c.id is not null then jsonb_build_object('deal_id', c.deal_id) end as converted
    from opportunities o
    left join conversions c on c.organization_id = o.organization_id and c.lead_id = o.id and c.reversed_at is null
    where o.organization_id = ${organization_id} and o.id = ${id}`
  return gone
}

/** @throws {DomainError} `lead_merged`, with the lead that it was merged into, and where they are taken apart */
export const requireUnmerged = ({
  id,
  name,
  merged_into,
}: {
  id: string
  name: string
  merged_into: string | null
}): void => {
  if (merged_into === null) return
  const unmerge = `/api/leads/${merged_into}/unmerge`
  throw new DomainError(
    'conflict',
    'lead_merged',
    `“${name}” was merged into another lead already. Go on with that one (/api/leads/${merged_into}), or unmerge them first (POST ${unmerge} with duplicate_id ${id}).`,
    { extra: { merged_into, unmerge } },
  )
}

/** Of the tables that are asked about, and of no other. */
const readLabels = (ctx: Ctx, records: readonly RecordRef[]): Promise<RecordLabel[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const among = (kinds: RecordKind[]): string[] => [
      ...new Set(records.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id)),
    ]
    const parts = [
      { table: 'opportunities', kind: tx`kind`, ids: among(['lead', 'deal']) },
      { table: 'accounts', kind: tx`'account'`, ids: among(['account']) },
      { table: 'contacts', kind: tx`'contact'`, ids: among(['contact']) },
    ].filter(({ ids }) => ids.length > 0)
    const selects = parts.map(
      ({ table, kind, ids }) => tx`
        select ${kind} as kind, id, name, archived_at from ${tx(table)}
        where organization_id = ${organization_id} and id = any(${ids}::uuid[])`,
    )
    return [...(await tx<RecordLabel[]>`${selects.reduce((all, select) => tx`${all} union all ${select}`)}`)]
  })

const keyOf = ({ kind, id }: RecordRef): string => `${kind} ${id}`

/** Whether this names a kind of record. */
const isRecordKind = (kind: string): kind is RecordKind => (recordKinds as readonly string[]).includes(kind)
