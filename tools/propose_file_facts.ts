import { z } from 'zod'
import type { Evidence } from '../db/approvals.ts'
import { notFound } from '../db/errors.ts'
import type { Fill } from '../db/file-fields.ts'
import { readFileProposal, valuesOf, type FileProposal } from '../db/file-proposals.ts'
import { filePurpose } from '../db/files.ts'
import { defineTool, type Tool } from './tool.ts'

/** Asks a person to fill blank fields of the record with what a file on it says. Which and with what is computed by rules. */
export const propose_file_facts = defineTool({
  name: 'propose_file_facts',
  title: 'Propose facts of a file',
  effect: 'write',
  description:
    'Puts before a person what a file on the record says for fields that are blank: one change, each value with its words and page. Which fields and which values is computed by rules; nothing changes until the person approves.',
  input: z.object({ file_id: z.uuid() }),
  output: z.object({ approval_id: z.string().nullable(), fields: z.array(z.string()), message: z.string() }),
  summary: () => 'Propose what the file says for blank fields',
  consequence: () => 'If you approve: 1 proposal, which waits for its own approval.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: async (ctx, { file_id }, { subject, tools, propose }) => {
    const proposal = await readFileProposal(ctx, file_id)
    const { file, record, fills, kept_by } = proposal
    if (record.kind !== subject.kind || record.id !== subject.id) throw notFound('file', file_id)
    if (kept_by)
      return {
        approval_id: kept_by.id,
        fields: [],
        message: `What it says was proposed already: ${kept_by.status.replaceAll('_', ' ')}.`,
      }
    const [tool, call] = callFor(proposal, tools)
    if (fills.length === 0 || !tool)
      return { approval_id: null, fields: [], message: 'It says nothing for a field that is blank.' }
    const { output } = await propose(ctx, tool, call, {
      purpose: filePurpose(file_id),
      reason: call.reason,
      evidence: fills.map((fill) => evidenceOf(fill, file)),
      suggestion: true,
    })
    const approval_id = typeof output['approval_id'] === 'string' ? output['approval_id'] : null
    const fields = approval_id === null ? [] : fills.map(({ field }) => field)
    return { approval_id, fields, message: String(output['message']) }
  },
  undo: 'withdraw_approval',
})

const callFor = ({ file, record, fills }: FileProposal, tools: Readonly<Record<string, Tool>>) => {
  const call = {
    values: valuesOf(fills),
    cites: fills.map(({ field, fact }) => ({ field, snippet: fact.quote, file_id: file.id })),
    reason: `The file “${file.name}” says so.`,
  }
  return record.kind === 'lead'
    ? ([tools['update_lead'], { lead_id: record.id, ...call }] as const)
    : ([tools['update_record'], { record_kind: record.kind, record_id: record.id, ...call }] as const)
}

const evidenceOf = (
  { field, fact: { quote, page } }: Fill,
  { id, name }: FileProposal['file'],
): Evidence => ({
  label: `${field.replace(/_minor$/, '').replaceAll('_', ' ')}, in “${name}”${page ? `, page ${page}` : ''}`,
  snippet: quote,
  file: { id, name, ...(page ? { page } : {}) },
})
