import type { Actor, Ctx, TxCtx } from './context.ts'
import { inSavepoint, inTx, recordingOf } from './context.ts'
import { readKeptValues } from './custom-values.ts'
import { DomainError } from './errors.ts'
import { goingWith } from './field-units.ts'
import { tellPassing } from './audit.ts'
import { readBeneath } from './import-beneath.ts'
import { CUSTOM } from './import-drafts.ts'
import { valueChanges } from './import-plan-acts.ts'
import { type Edit, editedBeside, isMadeHere, readEdits, readHolders, saysAll } from './record-edits.ts'
import { type ImportedSet, readStanding, type StandingRecord, writeSets } from './import-kinds.ts'
import { endImport, importLeases, importWork, releaseImport } from './import-leases.ts'
import type { ImportJob } from './imports.ts'
import type { Change } from './activities.ts'
import { beginPiece, holdJob, persistently } from './leased-jobs.ts'
import { originOf } from './record-changes.ts'
import { readWork, type WorkOnRecord } from './record-work.ts'
import { archiveRecords, type RecordKind, type RecordRef, requireFreeExternalIds } from './records.ts'
import { takeBack } from './undo.ts'

/** A row of an import that made or changed something. */
type DoneRow = {
  n: number
  result: 'create' | 'update' | 'skip'
  record_id: string | null
  changes: Change[] | null
  made: RecordRef[] | null
  activity_ids: string[] | null
}

/** What stays as it is, because somebody changed it since. */
type KeptRecord = RecordRef & { fields: string[]; changed_by: Actor | null; changed_at: string | null }

type Undone = { n: number; kept: KeptRecord[] }

type Standing = { done: number; undo_counts: { restored: number; kept: number }; ended: boolean }

/**
 * Takes an import back, the last row first: records that it made are archived unless somebody changed them or worked on
 * them since, values that it set become what they were unless they are others by now. What stays is named with who did that
 * and when.
 */
export const undoPieces = async (ctx: Ctx, job: ImportJob, stopping?: AbortSignal): Promise<void> => {
  let at: Standing = {
    done: job.done,
    undo_counts: job.undo_counts ?? { restored: 0, kept: 0 },
    ended: false,
  }
  let told = 0
  while (!at.ended) {
    if (stopping?.aborted) return releaseImport(ctx, job)
    const tells = Date.now() - told >= importWork.tell_ms
    if (tells) told = Date.now()
    const before = at
    at = await persistently(importLeases, () => undoPiece(ctx, job, before, tells))
  }
}

const undoPiece = (ctx: Ctx, job: ImportJob, at: Standing, tells: boolean): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { cancelled } = await beginPiece(importLeases, ctx, job)
    const top = job.total - at.done
    const rows = cancelled
      ? []
      : await tx<DoneRow[]>`
          select n, result, record_id, changes, made, activity_ids from import_rows
          where organization_id = ${organization_id} and import_id = ${job.id} and n <= ${top} and result <> 'error'
          order by n desc limit ${importWork.piece}`
    const last = rows.at(-1)
    if (!last) {
      const { done } = at
      const undo_counts = await countUndone(ctx, job, top)
      await endImport(ctx, job, cancelled ? 'cancelled' : 'undone', {
        done: cancelled ? done : job.total,
        undo_counts,
        ...(cancelled
          ? { error: 'It was stopped; what was taken back by then stays so. Take it back again to go on.' }
          : {}),
      })
      return { ...at, ended: true }
    }
    const undone = await undoRows(ctx, job, rows)
    await keep(ctx, job, undone)
    const kept = undone.reduce((sum, row) => sum + row.kept.length, 0)
    const worked = rows.filter(({ result }) => result !== 'skip').length
    const next = {
      done: job.total - last.n + 1,
      undo_counts: {
        restored: at.undo_counts.restored + worked - undone.filter((row) => row.kept.length > 0).length,
        kept: at.undo_counts.kept + kept,
      },
    }
    await holdJob(importLeases, ctx, job, { done: next.done, undo_counts: tx.json(next.undo_counts) })
    if (tells) tellPassing(ctx, { kind: 'import', id: job.id })
    return { ...next, ended: false }
  })

/** How many records, each once whatever number of rows was about it, the rows after `top` came to. */
const countUndone = async (
  { tx, organization_id }: TxCtx,
  job: ImportJob,
  top: number,
): Promise<{ restored: number; kept: number }> => {
  const [row] = await tx<{ restored: number; kept: number }[]>`
    with done as (
      select record_id, result, kept from import_rows
      where organization_id = ${organization_id} and import_id = ${job.id} and n > ${top} and result in ('create', 'update')
    ), kept as (
      select distinct (k ->> 'id')::uuid as id from done, jsonb_array_elements(done.kept) as k
    )
    select (select count(*) from kept)::int as kept, count(distinct record_id)::int as restored from done
    where not exists (select from kept where kept.id = done.record_id)`
  return row ?? { restored: 0, kept: 0 }
}

/** A record is taken back once at a time: rows that are about the same one go one after the other. */
const undoRows = async (ctx: TxCtx, job: ImportJob, rows: readonly DoneRow[]): Promise<Undone[]> => {
  const marks = {
    data: { import_id: job.id },
    reason: `“${job.file_name}” was taken back`,
    takes_back: true,
  }
  const { result } = await recordingOf(ctx, marks, async (ctx) => {
    const undone: Undone[] = []
    let group: DoneRow[] = []
    let held = new Set<string>()
    for (const row of rows) {
      const ids = [row.record_id ?? '', ...(row.made ?? []).map(({ id }) => id)]
      if (ids.some((id) => held.has(id))) {
        undone.push(...(await undoGroup(ctx, job, group)))
        group = []
        held = new Set()
      }
      group.push(row)
      if (row.result !== 'skip') for (const id of ids) held.add(id)
    }
    undone.push(...(await undoGroup(ctx, job, group)))
    return undone
  })
  return result
}

const undoGroup = async (ctx: TxCtx, job: ImportJob, rows: readonly DoneRow[]): Promise<Undone[]> => {
  const kind = job.record_kind
  const undone = new Map(rows.map(({ n }) => [n, { n, kept: [] as KeptRecord[] }]))
  const keepOf = (n: number, kept: KeptRecord): void => void undone.get(n)?.kept.push(kept)
  const changed = rows.filter((row) => row.result === 'update' && row.record_id !== null)
  const refs = [
    ...changed.map(({ record_id }) => ({ kind, id: record_id ?? '' })),
    ...rows.flatMap(({ made }) => made ?? []),
  ]
  if (refs.length === 0) return [...undone.values()]
  const edits = await readEdits(ctx, refs)
  const own = changed.filter(({ record_id }) => !isMadeHere(edits, record_id ?? '', job.id))
  for (const row of own) await takeActsBack(ctx, row, edits, { kind, job, keepOf })
  await restoreValues(ctx, own, edits, { kind, job, keepOf })
  const made = rows.flatMap(({ n, made }) => (made ?? []).map((ref) => ({ ...ref, n })))
  // The card before the account that was made for it: what nobody else holds goes with it.
  for (const archived of [kind, ...KINDS.filter((one) => one !== kind)]) {
    const among = made.filter((one) => one.kind === archived)
    const ids = among.map(({ id }) => id)
    const held = await readHolders(ctx, archived, ids)
    const worked = await readWork(ctx, archived, ids)
    const free = among.filter(({ n, id }) => {
      const by = since(edits, id, job)
      const work = worked.get(id)
      if (by.length === 0 && !work && !held.has(id)) return true
      const fields = [...by.flatMap((edit) => edit.fields), ...(work?.work ?? [])]
      keepOf(n, keptOf({ kind: archived, id }, by, fields.length > 0 ? fields : ['linked'], work))
      return false
    })
    await archiveRecords(
      ctx,
      archived,
      free.map(({ id }) => id),
    )
  }
  return [...undone.values()]
}

const KINDS: readonly RecordKind[] = ['lead', 'deal', 'contact', 'account']

type Undoing = { kind: RecordKind; job: ImportJob; keepOf: (n: number, kept: KeptRecord) => void }

/** What a row did beside setting values, each by the inverse that its line of the timeline names. */
const takeActsBack = async (
  ctx: TxCtx,
  { n, record_id, activity_ids }: DoneRow,
  edits: readonly Edit[],
  { kind, job, keepOf }: Undoing,
): Promise<void> => {
  for (const id of (activity_ids ?? []).toReversed()) {
    try {
      await inSavepoint(ctx, (ctx) => takeBack(ctx, id, { rest: true }))
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      const ref = { kind, id: record_id ?? '' }
      const fields = error.errors.map(({ pointer }) => pointer.slice(1))
      keepOf(n, keptOf(ref, since(edits, ref.id, job), fields.length > 0 ? fields : ['stage']))
    }
  }
}

const since = (edits: readonly Edit[], id: string, job: ImportJob): Edit[] =>
  edits.filter((edit) => edit.id === id && edit.import_id !== job.id && edit.counts)

/** What was done to a record after this import made these changes of it. */
const after = (edits: readonly Edit[], id: string, job: ImportJob, changes: readonly Change[]): Edit[] => {
  const about = edits.filter((edit) => edit.id === id)
  const own = about.findIndex((edit) => edit.import_id === job.id && saysAll(edit.changes, changes))
  return own === -1 ? [] : about.slice(own + 1)
}

/** Values that are still as the import left them become what they were, each with what goes with it. */
const restoreValues = async (
  ctx: TxCtx,
  rows: readonly DoneRow[],
  edits: readonly Edit[],
  { kind, job, keepOf }: Undoing,
): Promise<void> => {
  const changed = rows
    .map((row) => ({ ...row, changes: valueChanges(row.changes) }))
    .filter(({ changes }) => changes.length > 0)
  const ids = changed.map(({ record_id }) => record_id ?? '').toSorted()
  const standing = await readStanding(ctx, kind, ids, true)
  const kept = await readKeptValues(ctx, ids)
  const beneath = await readBeneath(ctx, job.id, kind, ids)
  const sets = changed.flatMap(({ n, record_id, changes }): (ImportedSet & { n: number })[] => {
    const before = standing.get(record_id ?? '')
    if (!before) return []
    const ref = { kind, id: before.id }
    const archived = before.archived_at !== null
    const own = changes.map(({ field }) => field)
    const edited = changes
      .filter((change) => archived || !isAsLeft({ ...before, custom: kept.get(before.id) ?? {} }, change))
      .map(({ field }) => field)
    const beside = editedBeside(kind, own, { ...before }, after(edits, before.id, job, changes))
    const stays = [...edited, ...beside.map(({ field }) => field)]
    const fields = [...stays, ...goingWith(kind, stays, own).map(({ field }) => field)]
    if (fields.length > 0) {
      const by = since(edits, ref.id, job)
      keepOf(
        n,
        keptOf(
          ref,
          archived ? by : by.filter((edit) => edit.fields.some((one) => fields.includes(one))),
          fields,
        ),
      )
    }
    const back = changes.filter((change) => !fields.includes(change.field))
    if (back.length === 0) return []
    return [
      {
        n,
        before,
        ...valuesBefore(beneath(before.id, back)),
        origin: originOf(ctx, { door: 'import', import_id: job.id }),
      },
    ]
  })
  try {
    await inSavepoint(ctx, (ctx) => writeBack(ctx, kind, sets))
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    for (const set of sets) await writeOneBack(ctx, kind, set, keepOf)
  }
}

const writeBack = async (ctx: TxCtx, kind: RecordKind, sets: readonly ImportedSet[]): Promise<void> => {
  await requireFreeExternalIds(
    ctx,
    kind,
    sets.map(({ values, before }) => ({ external_id: values['external_id'], own_id: before.id })),
  )
  await writeSets(ctx, kind, sets)
}

/** One that cannot be what it was, because somebody else is that now, stays. */
const writeOneBack = async (
  ctx: TxCtx,
  kind: RecordKind,
  set: ImportedSet & { n: number },
  keepOf: Undoing['keepOf'],
): Promise<void> => {
  try {
    await inSavepoint(ctx, (ctx) => writeBack(ctx, kind, [set]))
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    const fields = [...Object.keys(set.values), ...Object.keys(set.custom).map((key) => `${CUSTOM}${key}`)]
    keepOf(set.n, keptOf({ kind, id: set.before.id }, [], fields))
  }
}

const isAsLeft = (record: StandingRecord, { field, after }: Change): boolean => {
  const values = record as unknown as { [field: string]: unknown; custom: Record<string, unknown> }
  const now = field.startsWith(CUSTOM) ? values.custom[field.slice(CUSTOM.length)] : values[field]
  return JSON.stringify(now ?? null) === JSON.stringify(after ?? null)
}

const valuesBefore = (changes: readonly Change[]): Pick<ImportedSet, 'values' | 'custom'> => {
  const of = (custom: boolean) =>
    Object.fromEntries(
      changes
        .filter(({ field }) => field.startsWith(CUSTOM) === custom)
        .map(({ field, before }) => [custom ? field.slice(CUSTOM.length) : field, before]),
    )
  return { values: of(false), custom: of(true) }
}

/** Who changed it or worked on it last is named; what, all of it. */
const keptOf = (
  ref: RecordRef,
  since: readonly Edit[],
  fields: readonly string[],
  work?: WorkOnRecord,
): KeptRecord => {
  const edit = since.at(-1)
  const worked = work?.last_at && !(edit && edit.occurred_at > work.last_at)
  const at = worked ? work.last_at : edit?.occurred_at
  return {
    ...ref,
    fields: [...new Set(fields)],
    changed_by: (worked ? work.last_by : edit?.actor) ?? null,
    changed_at: at?.toISOString() ?? null,
  }
}

/** Notes what was kept; a row of which nothing is left is not known by its fingerprint any more. */
const keep = async (
  { tx, organization_id }: TxCtx,
  job: ImportJob,
  undone: readonly Undone[],
): Promise<void> => {
  const rows = undone.map(({ n, kept }) => ({ n, kept: kept.length > 0 ? kept : null }))
  await tx`
    update import_rows r set kept = w.kept, fingerprint = case when w.kept is null then null else r.fingerprint end
    from json_to_recordset(${JSON.stringify(rows)}::text::json) as w (n int, kept jsonb)
    where r.organization_id = ${organization_id} and r.import_id = ${job.id} and r.n = w.n`
}
