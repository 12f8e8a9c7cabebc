import { z } from 'zod'
import { defineTool } from './tool.ts'

const Evidence = z.object({
  label: z.string().max(200),
  url: z.url().optional(),
  snippet: z.string().max(500).optional(),
})

/** Proposes what to do next: each a typed call that runs as it stands when a person says yes. Never something outbound. */
export const suggest_next_actions = defineTool({
  name: 'suggest_next_actions',
  title: 'Suggest next actions',
  effect: 'write',
  description:
    'Proposes one to five next actions to the team. Each is a call of another tool with its arguments, the reason, and the evidence it rests on; a person decides each one. Outbound tools cannot be suggested.',
  input: z.object({
    lead_id: z.uuid(),
    actions: z
      .array(
        z.object({
          tool: z.string().max(100),
          input: z.record(z.string(), z.unknown()),
          reason: z.string().trim().min(1).max(1_000),
          evidence: z.array(Evidence).max(5).default([]),
        }),
      )
      .min(1)
      .max(5),
  }),
  output: z.object({
    suggestions: z.array(
      z.object({ tool: z.string(), approval_id: z.string().nullable(), message: z.string() }),
    ),
  }),
  summary: ({ actions }) => `Suggest ${actions.length} next action${actions.length === 1 ? '' : 's'}`,
  consequence: () => 'If you approve: the suggestions appear in the queue.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: async (ctx, { lead_id, actions }, { tools, propose }) => {
    const suggestions: { tool: string; approval_id: string | null; message: string }[] = []
    for (const { tool: name, input, reason, evidence } of actions) {
      const tool = tools[name]
      if (!tool || tool.effect !== 'write' || name === 'suggest_next_actions' || name === 'draft_email') {
        suggestions.push({ tool: name, approval_id: null, message: `${name} cannot be suggested.` })
        continue
      }
      const { verdict, output } = await propose(
        ctx,
        tool,
        { ...input, lead_id },
        { reason, evidence, suggestion: true },
      )
      const approval_id =
        verdict === 'park' && typeof output['approval_id'] === 'string' ? output['approval_id'] : null
      suggestions.push({
        tool: name,
        approval_id,
        message: typeof output['message'] === 'string' ? output['message'] : '',
      })
    }
    return { suggestions }
  },
  undo: 'withdraw_approval',
})
