import type { Owed } from './agent.ts'

const SETTLING = ['complete_task', 'hand_back_task']

/** Whoever gives an agent a task hears of it: it ends done, or back with a person. */
export const taskSettled: Owed = {
  missing: 'The task was neither completed nor handed back',
  prompt: 'task_settled',
  tools: SETTLING,
  isMissing: (calls) =>
    !calls.some(
      ({ tool, output }) =>
        SETTLING.includes(tool) && (output['refused'] !== true || FINAL.has(String(output['rule']))),
    ),
}

/** Refusals after which there is nothing left to settle. */
const FINAL = new Set([
  'policy_deny',
  'not_granted',
  'task_not_found',
  'task_done',
  'task_cancelled',
  'task_archived',
  'task_not_yours',
])
