import { z } from 'zod'
import type { RulesDecision, RulesSituation } from './rules-model.ts'

const Proposed = z.object({ message: z.string() })

/** Reads the file, and has what it says put before a person. */
export const decideFileWork = (situation: RulesSituation): RulesDecision => {
  const file_id = / The file ([0-9a-f-]{36}) /.exec(situation.request)?.[1]
  const next = ['read_file', 'propose_file_facts'].find(
    (name) => situation.offered.has(name) && situation.calls.every(({ tool }) => tool !== name),
  )
  if (next !== undefined) return { call: { tool: next, input: { file_id } } }
  const last = situation.calls.findLast(({ tool }) => tool === 'propose_file_facts')
  return { text: Proposed.safeParse(last?.output).data?.message ?? 'Nothing of the file could be proposed.' }
}
