import type { Agent } from './agent.ts'
import { leadAnswer } from './lead-answer.ts'

/** Works a new lead: reads, enriches, qualifies, moves, proposes, drafts. */
export const lead_worker: Agent = {
  name: 'lead_worker',
  version: '1',
  prompt: 'lead_worker',
  tools: [
    'read_lead',
    'enrich_lead',
    'qualify',
    'move_stage',
    'suggest_next_actions',
    'draft_email',
    'create_task',
    'add_note',
  ],
  budget: { max_steps: 16, max_input_tokens: 200_000, max_output_tokens: 20_000 },
  owes: leadAnswer,
}
