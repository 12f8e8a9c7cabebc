import { z } from 'zod'
import {
  addNote,
  archiveNote,
  editNote,
  getNote,
  listNotes,
  NewNote,
  NoteChange,
  restoreNote,
} from '../../db/notes.ts'
import { ListingQuery } from '../listing.ts'
import { editorOf } from '../principal.ts'
import { ById, route } from '../route.ts'
import { Actor, Id, listOf, Subject, Time } from '../shapes.ts'

/** A note on a record. */
export const NoteShape = z
  .object({
    id: Id,
    body: z.string(),
    subject: Subject,
    author: Actor,
    archived_at: Time.nullable(),
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
      summary: 'Notes, newest first unless sorted',
      query: ListingQuery.extend({
        subject_kind: z.string().max(50).optional(),
        subject_id: z.uuid().optional(),
      }),
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
  route(
    {
      method: 'GET',
      path: '/api/notes/:id',
      permission: 'notes:read',
      summary: 'One note',
      params: ById,
      response: NoteShape,
    },
    ({ ctx, params }) => getNote(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/notes/:id',
      permission: 'notes:write',
      summary: 'Give a note another text',
      description: 'Your own, or anybody’s as a manager. What it said before stays on the timeline.',
      params: ById,
      body: NoteChange,
      example: { version: 1, body: 'Prefers calls after noon.' },
      response: NoteShape,
      versioned: true,
    },
    ({ ctx, principal, params, body, version }) =>
      editNote(ctx, params.id, { ...body, version }, editorOf(principal)),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/notes/:id',
      permission: 'notes:write',
      summary: 'Take a note off its record',
      params: ById,
      status: 204,
    },
    ({ ctx, principal, params }) => archiveNote(ctx, params.id, editorOf(principal)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/notes/:id/restore',
      permission: 'notes:write',
      summary: 'Put a deleted note back',
      params: ById,
      response: NoteShape,
    },
    ({ ctx, principal, params }) => restoreNote(ctx, params.id, editorOf(principal)),
  ),
]
