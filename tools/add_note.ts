import { z } from 'zod'
import { addNote } from '../db/notes.ts'
import { defineTool } from './tool.ts'

/** Writes down what the team should know of a lead. */
export const add_note = defineTool({
  name: 'add_note',
  title: 'Add note',
  effect: 'write',
  description:
    'Writes a note on the lead: what you found and concluded, for the team to read. Not for messages to the lead.',
  input: z.object({
    lead_id: z.uuid(),
    body: z.string().trim().min(1).max(5_000),
    reason: z.string().trim().min(1).max(500).default('For the team: what was found and concluded.'),
  }),
  output: z.object({ note_id: z.string() }),
  summary: ({ body }) => `Add the note “${body.length > 80 ? `${body.slice(0, 79)}…` : body}”`,
  consequence: () => 'If you approve: 1 note.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [{ name: 'archived' }],
  run: async (ctx, { lead_id, body, reason }) => ({
    note_id: (await addNote(ctx, { subject: { kind: 'lead', id: lead_id }, body }, reason)).id,
  }),
  undo: 'archive_note',
})
