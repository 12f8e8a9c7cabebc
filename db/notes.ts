import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type Subject } from './activities.ts'
import { inTx, type Actor, type Ctx } from './context.ts'
import { Lines } from './lead-fields.ts'
import { getOpportunity } from './opportunities.ts'
import { page, type Page } from './page.ts'

export const NewNote = z.object({
  subject: z.object({ kind: z.literal('lead'), id: z.uuid() }),
  body: Lines().pipe(z.string().min(1)),
})
export type NewNote = z.infer<typeof NewNote>

export type Note = {
  id: string
  body: string
  subject: Subject
  author: Actor
  created_at: Date
  updated_at: Date
  version: number
}

/** Writes a note on a record; its timeline says that one was added. */
export const addNote = (ctx: Ctx, input: NewNote, reason?: string): Promise<Note> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await getOpportunity(ctx, input.subject.id, input.subject.kind)
    const id = uuidv7()
    const [row] = await tx<NoteRow[]>`
      insert into notes ${tx({
        organization_id,
        id,
        body: input.body,
        subject_kind: input.subject.kind,
        subject_id: input.subject.id,
        author: tx.json(ctx.actor),
      })} returning *`
    if (!row) throw new Error('a note was not stored')
    await recordActivity(ctx, {
      type: 'note_added',
      subjects: [input.subject, { kind: 'note', id }],
      reason,
      data: { note_id: id, body: input.body, undo: { tool: 'archive_note', input: { note_id: id } } },
    })
    return toNote(row)
  })

/** Takes a note off its record; what the timeline says of it stays. Twice is once. */
export const archiveNote = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [note] = await tx<NoteRow[]>`
      update notes set archived_at = now(), version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and archived_at is null returning *`
    if (!note) return
    await recordActivity(ctx, {
      type: 'undone',
      subjects: [
        { kind: note.subject_kind, id: note.subject_id },
        { kind: 'note', id },
      ],
      data: { summary: 'a note', note_id: id },
    })
  })

/** Notes, newest first. */
export const listNotes = (
  ctx: Ctx,
  filter: { subject_id?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<Note>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<NoteRow[]>`
      select * from notes where organization_id = ${organization_id} and archived_at is null
        ${filter.subject_id ? tx`and subject_id = ${filter.subject_id}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page(rows.map(toNote), filter.limit, (note) => note.id)
  })

type NoteRow = Omit<Note, 'subject'> & { subject_kind: string; subject_id: string }

const toNote = (row: NoteRow): Note => ({
  id: row.id,
  body: row.body,
  subject: { kind: row.subject_kind, id: row.subject_id },
  author: row.author,
  created_at: row.created_at,
  updated_at: row.updated_at,
  version: row.version,
})
