import { z } from 'zod'
import { fileForPrompt } from '../db/file-prompt.ts'
import { RecordRef } from '../db/records.ts'
import { defineTool } from './tool.ts'

/** Shows an agent a file on the record. It was written outside: reading taints the run. */
export const read_file = defineTool({
  name: 'read_file',
  title: 'Read file',
  effect: 'read',
  description:
    'Reads a file on the record: what it is about, its key facts with the words around them, and the beginning of its text.',
  input: z.object({ file_id: z.uuid() }),
  output: z.object({
    file: z.object({ id: z.string(), name: z.string(), media_type: z.string() }),
    summary: z.string().nullable(),
    facts: z.array(
      z.object({ key: z.string(), value: z.string(), quote: z.string(), page: z.int().optional() }),
    ),
    text: z.string(),
  }),
  summary: () => 'Read the file',
  consequence: () => 'Nothing changes.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: (ctx, { file_id }, { subject }) => fileForPrompt(ctx, file_id, RecordRef.parse(subject)),
  taints: ({ file }) => [{ kind: 'file', id: file.id }],
  irreversible: 'Looking changes nothing.',
})
