import { z } from 'zod'
import { recordForPrompt } from '../db/record-prompt.ts'
import { RecordRef } from '../db/records.ts'
import { defineTool } from './tool.ts'

const { kind, id } = RecordRef.shape

/** Shows an agent any record as it stands. What came from outside may be in it: reading taints the run. */
export const read_record = defineTool({
  name: 'read_record',
  title: 'Read record',
  effect: 'read',
  description:
    'Reads a lead, deal, account or contact: its fields, what it is linked with, its notes and open tasks, and its latest activities.',
  input: z.object({ record_kind: kind, record_id: id }),
  output: z.object({
    record: z.record(z.string(), z.unknown()),
    linked: z.array(z.object({ kind, id: z.string(), name: z.string() })),
    notes: z.array(z.string()),
    open_tasks: z.array(z.string()),
    activities: z.array(z.string()),
  }),
  summary: ({ record_kind }) => `Read the ${record_kind}`,
  consequence: () => 'Nothing changes.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: (ctx, { record_kind, record_id }) => recordForPrompt(ctx, { kind: record_kind, id: record_id }),
  taints: ({ record, linked }) =>
    [record, ...linked].map((one) => ({ kind: 'record', id: String(one['id']) })),
  irreversible: 'Looking changes nothing.',
})
