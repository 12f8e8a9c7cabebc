import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type NewActivity, type Subject } from './activities.ts'
import { requireAuthor, type Editor } from './authorship.ts'
import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { Lines } from './lead-fields.ts'
import { listRecords, type ListQuery } from './listing.ts'
import type { Page } from './page.ts'
import { requireReading } from './reading.ts'
import { RecordRef, requireRecordsInUse } from './records.ts'
import { clip } from './text.ts'

const Body = Lines().pipe(z.string().min(1))

export const NewNote = z.object({ subject: RecordRef, body: Body })
export type NewNote = z.infer<typeof NewNote>

export const NoteChange = z.object({ body: Body })
export type NoteChange = z.infer<typeof NoteChange>

export type Note = {
  id: string
  body: string
  subject: Subject
  author: Actor
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/**
 * Writes a note on a record; its timeline says that one was added.
 * @throws {DomainError} `<kind>_not_found`, `record_archived`, `lead_merged`, `lead_converted`
 */
export const addNote = (ctx: Ctx, input: NewNote, reason?: string): Promise<Note> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await requireRecordsInUse(ctx, [input.subject])
    const id = uuidv7()
    await tx`
      insert into notes ${tx({
        organization_id,
        id,
        body: input.body,
        subject_kind: input.subject.kind,
        subject_id: input.subject.id,
        author: tx.json(ctx.actor),
      })}`
    await recordActivity(ctx, {
      type: 'note_added',
      subjects: [input.subject, { kind: 'note', id }],
      reason,
      data: { note_id: id, body: input.body, undo: { tool: 'archive_note', input: { note_id: id } } },
    })
    return getNote(ctx, id)
  })

/**
 * Gives a note that was read at `version` another text; the one before stays on the timeline.
 * @throws {DomainError} stale, `not_the_author`
 */
export const editNote = (
  ctx: Ctx,
  id: string,
  { version, body }: NoteChange & { version?: number },
  editor?: Editor,
): Promise<Note> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockNote(ctx, id)
    requireAuthor(ctx, 'note', before.author, editor)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    if (body === before.body) return before
    await tx`
      update notes set body = ${body}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordNoteChange(ctx, before, {
      type: 'note_edited',
      data: {
        note_id: id,
        changes: [{ field: 'body', before: before.body, after: body }],
        undo: { tool: 'edit_note', input: { note_id: id, body: before.body } },
      },
    })
    return getNote(ctx, id)
  })

/**
 * Takes a note off its record; what the timeline says of it stays. Twice is once.
 * @throws {DomainError} `not_the_author`
 */
export const archiveNote = (ctx: Ctx, id: string, editor?: Editor): Promise<void> =>
  setArchived(ctx, id, true, editor)

/**
 * Puts a deleted note back on its record. Twice is once.
 * @throws {DomainError} `not_the_author`
 */
export const restoreNote = (ctx: Ctx, id: string, editor?: Editor): Promise<Note> =>
  inTx(ctx, async (ctx) => {
    await setArchived(ctx, id, false, editor)
    return getNote(ctx, id)
  })

/** One note. */
export const getNote = (ctx: Ctx, id: string): Promise<Note> => readNote(ctx, id, false)

/** The same, held until the transaction ends. */
export const lockNote = (ctx: Ctx, id: string): Promise<Note> => readNote(ctx, id, true)

export type ListNotes = ListQuery & { subject_kind?: string | undefined; subject_id?: string | undefined }

/** Notes, newest first unless sorted; deleted ones only where the filter asks for them. */
export const listNotes = async (
  ctx: Ctx,
  { subject_kind, subject_id, ...query }: ListNotes,
): Promise<Page<Note>> => {
  if (subject_kind) requireReading(ctx, [{ kind: subject_kind }])
  return listRecords<Note>(
    ctx,
    {
      kind: 'note',
      default_sort: '-created_at',
      select: (tx, more) => tx`select ${noteColumns(tx)}, ${more} from notes n`,
      where: (tx) => tx`true
        ${subject_kind ? tx`and n.subject_kind = ${subject_kind}` : tx``}
        ${subject_id ? tx`and n.subject_id = ${subject_id}` : tx``}`,
    },
    query,
  )
}

const setArchived = (ctx: Ctx, id: string, archived: boolean, editor: Editor | undefined): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const note = await lockNote(ctx, id)
    requireAuthor(ctx, 'note', note.author, editor)
    if ((note.archived_at !== null) === archived) return
    const at = archived ? new Date() : null
    await tx`
      update notes set archived_at = ${at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordNoteChange(ctx, note, {
      type: archived ? 'note_deleted' : 'record_restored',
      data: {
        kind: 'note',
        name: clip(note.body, 60),
        note_id: id,
        changes: [{ field: 'archived_at', before: note.archived_at, after: at }],
        undo: { tool: archived ? 'restore_note' : 'archive_note', input: { note_id: id } },
      },
    })
  })

const recordNoteChange = (
  ctx: TxCtx,
  { id, subject, version }: Note,
  activity: Pick<NewActivity, 'type' | 'data'>,
): Promise<string> =>
  recordActivity(ctx, {
    ...activity,
    subjects: [subject, { kind: 'note', id }],
    record_version: version + 1,
  })

const readNote = (ctx: Ctx, id: string, lock: boolean): Promise<Note> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [note] = await tx<Note[]>`
      select ${noteColumns(tx)} from notes n where n.organization_id = ${organization_id} and n.id = ${id}
      ${lock ? tx`for update` : tx``}`
    if (!note) throw notFound('note', id)
    requireReading(ctx, [note.subject])
    return note
  })

const noteColumns = (tx: TxCtx['tx']) => tx`
  n.id, n.body, jsonb_build_object('kind', n.subject_kind, 'id', n.subject_id) as subject, n.author,
  n.archived_at, n.created_at, n.updated_at, n.version`
