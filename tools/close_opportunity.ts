import { z } from 'zod'
import type { TxCtx } from '../db/context.ts'
import { getOpportunity, requireOpen } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { requireDiscard } from '../db/opportunity-discards.ts'
import { readLane } from '../db/opportunity-stages.ts'
import { requireRecordInUse } from '../db/records.ts'
import { defineTool, type Preview } from './tool.ts'

type Closing = {
  opportunity_id: string
  outcome: 'won' | 'lost'
  discard_reason_id?: string | undefined
  value_minor?: number | undefined
}

/** The card, the stage it would close in and why it is lost: refused here rather than after a person has said yes. */
const read = async (ctx: TxCtx, { opportunity_id, outcome, discard_reason_id }: Closing) => {
  const card = await getOpportunity(ctx, opportunity_id)
  const lane = await readLane(ctx, { pipeline_id: card.pipeline_id, kind: outcome })
  return { card, lane, discard: await requireDiscard(ctx, lane, { discard_reason_id }) }
}

/** Closes a lead or a deal as won or lost. An agent asks for it; a person decides. */
export const close_opportunity = defineTool({
  name: 'close_opportunity',
  title: 'Close as won or lost',
  effect: 'write',
  description:
    'Closes the lead or deal as won or lost, with the reason; lost needs one of the organization’s discard reasons. Waits for a person.',
  input: z.object({
    opportunity_id: z.uuid(),
    outcome: z.enum(['won', 'lost']),
    discard_reason_id: z.uuid().optional().describe('Why it is lost: id of a discard reason.'),
    reason: z.string().trim().min(1).max(1_000),
    value_minor: z
      .number()
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe('What it was closed for, in minor units of its currency.'),
  }),
  output: z.object({ stage: z.string(), previous_stage_id: z.string(), previous_stage: z.string() }),
  summary: async (input, ctx) => {
    const { card, lane, discard } = await read(ctx, input)
    return `Close “${card.name}” as ${input.outcome} (${lane.label})${discard ? `: ${discard.label}` : ''}`
  },
  consequence: ({ outcome }) =>
    `If you approve: it is ${outcome}, counts in reports and leaves the open pipeline; its exchange rate is frozen.`,
  needsPerson: async (input, ctx) => {
    const { card } = await read(ctx, input)
    requireRecordInUse(card)
    requireOpen(card)
    return `Closing a ${card.kind} needs a person.`
  },
  safe_when_tainted: false,
  risk: 'high',
  reads: () => [
    { name: 'stage' },
    { name: 'archived' },
    { name: 'field', argument: 'value_minor' },
    { name: 'field', argument: 'currency' },
  ],
  preview: async (input, ctx) => {
    const { card, lane, discard } = await read(ctx, input)
    const rows: Preview[] = [{ field: 'stage', label: 'Stage', before: card.stage.label, after: lane.label }]
    if (discard) {
      const before = card.discard_reason?.label ?? null
      rows.push({ field: 'discard_reason_id', label: 'Discard reason', before, after: discard.label })
    }
    if (input.value_minor !== undefined && input.value_minor !== card.value_minor) {
      const amount = (value: number | null) =>
        value === null ? null : `${value} (minor units of ${card.currency})`
      rows.push({
        field: 'value_minor',
        label: 'Value',
        before: amount(card.value_minor),
        after: amount(input.value_minor),
      })
    }
    return rows
  },
  run: async (ctx, { opportunity_id, ...closing }) => {
    const before = await getOpportunity(ctx, opportunity_id)
    const after = await closeOpportunity(ctx, opportunity_id, closing)
    return {
      stage: after.stage.label,
      previous_stage_id: before.stage_id,
      previous_stage: before.stage.label,
    }
  },
  undo: 'reopen_opportunity',
})
