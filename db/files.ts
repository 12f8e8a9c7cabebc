import { v7 as uuidv7 } from 'uuid'
import { recordActivity, type NewActivity, type Subject } from './activities.ts'
import { withdrawPurpose } from './approval-decisions.ts'
import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { fileTypes, hasText, ownName, tellFileType } from './file-types.ts'
import type { FileSummary } from './file-summary.ts'
import { listRecords, type ListQuery } from './listing.ts'
import type { Page } from './page.ts'
import { enqueue } from './queue.ts'
import { requireReading } from './reading.ts'
import { requireRecordsInUse, type RecordRef } from './records.ts'
import { readBytes, storeBytes } from './stored-bytes.ts'

/** How far reading a file's text has come; `none`: there is no text to read in this type, or in this file. */
export const textStatuses = ['pending', 'done', 'none', 'failed'] as const

/** A file on a record. */
export type FileOnRecord = {
  id: string
  subject: Subject
  name: string
  media_type: string
  size: number
  sha256: string
  uploaded_by: Actor
  text_status: (typeof textStatuses)[number]
  /** Why its text was not read, or not to the end. */
  text_error: string | null
  /** A suggestion, made of what somebody outside wrote. */
  summary: FileSummary | null
  /** The approvals by which what it says was proposed for blank fields of its record. */
  proposals: string[]
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** A file that lies on this machine, before it is anybody's. */
export type NewFile = { subject: RecordRef; name: string; path: string; size: number; sha256: string }

export const fileLimits = {
  per_record: 1_000,
}

/**
 * Puts a file on a record, piece by piece; its type is told by its content, its text is read by a job.
 * @throws {DomainError} `<kind>_not_found`, what `requireRecordInUse` refuses, `file_type_unsupported` and what else `tellFileType` refuses, `too_many_files`
 */
export const addFile = async (
  ctx: Ctx,
  { subject, path, size, sha256, ...given }: NewFile,
): Promise<FileOnRecord> => {
  const type = await tellFileType(path, given.name)
  const name = ownName(given.name, type)
  return inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await requireRecordsInUse(ctx, [subject])
    await refuseTooMany(ctx, subject)
    const id = uuidv7()
    const reads = hasText(type)
    await tx`
      insert into files ${tx({
        organization_id,
        id,
        subject_kind: subject.kind,
        subject_id: subject.id,
        name,
        media_type: fileTypes[type].media_type,
        size,
        sha256,
        uploaded_by: tx.json(ctx.actor),
        text_status: reads ? 'pending' : 'none',
      })}`
    await storeBytes(ctx, CONTENT, id, path)
    await recordActivity(ctx, {
      type: 'file_added',
      subjects: [subject, { kind: 'file', id }],
      data: {
        file_id: id,
        name,
        media_type: fileTypes[type].media_type,
        size,
        undo: { tool: 'archive_file', input: { file_id: id } },
      },
    })
    if (reads) await enqueue(ctx, 'file.added', { file_id: id })
    return getFile(ctx, id)
  })
}

/** One file, without its content. */
export const getFile = (ctx: Ctx, id: string): Promise<FileOnRecord> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [file] = await tx<FileOnRecord[]>`
      select ${fileColumns(tx)} from files f where f.organization_id = ${organization_id} and f.id = ${id}`
    if (!file) throw notFound('file', id)
    requireReading(ctx, [file.subject])
    return file
  })

/** A file's content, piece by piece. */
export const readContent = (ctx: Ctx, id: string): AsyncGenerator<Uint8Array> => readBytes(ctx, CONTENT, id)

const CONTENT = { table: 'file_chunks', owner: 'file_id' } as const

export type ListFiles = ListQuery & { subject_kind?: string | undefined; subject_id?: string | undefined }

/** Files, newest first unless sorted; deleted ones only where the filter asks for them. */
export const listFiles = async (
  ctx: Ctx,
  { subject_kind, subject_id, ...query }: ListFiles,
): Promise<Page<FileOnRecord>> => {
  if (subject_kind) requireReading(ctx, [{ kind: subject_kind }])
  return listRecords<FileOnRecord>(
    ctx,
    {
      kind: 'file',
      default_sort: '-created_at',
      select: (tx, more) => tx`select ${fileColumns(tx)}, ${more} from files f`,
      where: (tx) => tx`true
        ${subject_kind ? tx`and f.subject_kind = ${subject_kind}` : tx``}
        ${subject_id ? tx`and f.subject_id = ${subject_id}` : tx``}`,
    },
    query,
  )
}

/** The purpose of the approval by which what a file says is proposed for its record. */
export const filePurpose = (id: string): string => `file:${id}`

/** Takes a file off its record, and what was proposed because of it off the queue; its content stays until it is restored. Twice is once. */
export const archiveFile = (ctx: Ctx, id: string): Promise<void> => setArchived(ctx, id, true)

/** Puts a deleted file back on its record, where what it says is proposed again unless a person decided it. Twice is once. */
export const restoreFile = (ctx: Ctx, id: string): Promise<FileOnRecord> =>
  inTx(ctx, async (ctx) => {
    await setArchived(ctx, id, false)
    return getFile(ctx, id)
  })

/** Writes a line about a file on the timeline of its record. */
export const recordFileActivity = (
  ctx: TxCtx,
  { id, subject }: Pick<FileOnRecord, 'id' | 'subject'>,
  activity: Omit<NewActivity, 'subjects'>,
): Promise<string> => recordActivity(ctx, { ...activity, subjects: [subject, { kind: 'file', id }] })

const setArchived = (ctx: Ctx, id: string, archived: boolean): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const at = archived ? new Date() : null
    const changed = await tx`
      update files set archived_at = ${at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and (archived_at is null) = ${archived} returning id`
    const file = await getFile(ctx, id)
    if (changed.length === 0) return
    const { subject } = file
    if (archived) await withdrawPurpose(ctx, { subject, purpose: filePurpose(id) }, 'the file was deleted')
    else if (file.text_status === 'done') await enqueue(ctx, 'file.read', { file_id: id })
    await recordFileActivity(ctx, file, {
      type: archived ? 'file_deleted' : 'record_restored',
      record_version: file.version,
      data: {
        kind: 'file',
        name: file.name,
        file_id: id,
        undo: { tool: archived ? 'restore_file' : 'archive_file', input: { file_id: id } },
      },
    })
  })

const refuseTooMany = async ({ tx, organization_id }: TxCtx, { kind, id }: RecordRef): Promise<void> => {
  const [row] = await tx<{ files: number }[]>`
    select count(*)::int as files from files
    where organization_id = ${organization_id} and subject_kind = ${kind} and subject_id = ${id} and archived_at is null`
  const files = row?.files ?? 0
  if (files < fileLimits.per_record) return
  throw new DomainError(
    'conflict',
    'too_many_files',
    `A record holds at most ${fileLimits.per_record} files; delete what is not needed any more.`,
    { extra: { count: files } },
  )
}

const fileColumns = (tx: TxCtx['tx']) => tx`
  f.id, jsonb_build_object('kind', f.subject_kind, 'id', f.subject_id) as subject, f.name, f.media_type, f.size, f.sha256,
  f.uploaded_by, f.text_status, f.text_error, f.summary,
  array(select a.id from approvals a where a.organization_id = f.organization_id and a.subject_kind = f.subject_kind
    and a.subject_id = f.subject_id and a.purpose = ${filePurpose('')} || f.id order by a.id) as proposals,
  f.archived_at, f.created_at, f.updated_at, f.version`
