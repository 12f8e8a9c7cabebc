import { z } from 'zod'
import { addNote, listNotes, NewNote } from '../../db/notes.ts'
import { Paged, route } from '../route.ts'
import { Actor, Id, listOf, Subject, Time } from '../shapes.ts'

/** A note on a record. */
export const NoteShape = z
  .object({
    id: Id,
    body: z.string(),
    subject: Subject,
    author: Actor,
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Note' })

/** Notes on records. */
export const notes = [
  route(
    {
      method: 'GET',
      path: '/api/notes',
      permission: 'notes:read',
      summary: 'Notes, newest first',
      query: Paged.extend({ subject_id: z.uuid().optional() }),
      response: listOf(NoteShape),
    },
    ({ ctx, query }) => listNotes(ctx, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/notes',
      permission: 'notes:write',
      summary: 'Write a note on a record',
      body: NewNote,
      example: {
        subject: { kind: 'lead', id: '01990000-0000-7000-8000-000000000000' },
        body: 'Prefers calls before noon.',
      },
      response: NoteShape,
      status: 201,
    },
    ({ ctx, body }) => addNote(ctx, body),
  ),
]
