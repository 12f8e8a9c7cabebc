import type { Agent } from './agent.ts'
import { leadAnswer } from './lead-answer.ts'
import { taskSettled } from './task-settled.ts'

const prompt = 'lead_worker'
const tools = [
  'read_lead',
  'enrich_lead',
  'qualify',
  'move_stage',
  'merge_leads',
  'suggest_next_actions',
  'draft_email',
  'create_task',
  'add_note',
]

/** Works a new lead: reads, enriches, qualifies, moves, proposes, drafts. Does a task it is given, and proposes what files say. */
export const lead_worker: Agent = {
  name: 'lead_worker',
  version: '1',
  prompt,
  tools,
  budget: { max_steps: 16, max_input_tokens: 200_000, max_output_tokens: 20_000 },
  owes: leadAnswer,
  errands: {
    task: { prompt, tools: [...tools, 'complete_task', 'hand_back_task'], owes: taskSettled },
    file: { prompt: 'file_facts', tools: ['read_file', 'propose_file_facts'], by_rules: true },
  },
}
