import type { Budget } from '../db/models.ts'

/** An agent is data: what it is told, what it may use, when it stops. Which calls need a person is policy, not stated here. */
export type Agent = {
  /** The file's name. */
  name: string
  version: string
  /** Caps of one run; an organization may set others. */
  budget: Budget
  /** What a run is for that was woken by one task, or by one file; where it is absent, such a run does the whole work. */
  errands?: { task?: Orders; file?: Orders }
} & Orders

/** What a run is to do, and with what. */
export type Orders = {
  /** Name of the file in prompts/. */
  prompt: string
  /** Names of the tools it is offered; one that policy switches off is not. */
  tools: readonly string[]
  /** What a run of it must not end without. */
  owes?: Owed
  /** Nothing in it needs a language model: the built-in rules do it, whatever model the organization chose. */
  by_rules?: true
}

/** Something that a run must have done in the end, whatever its model makes of it. */
export type Owed = {
  /** What is missing, as the beginning of a sentence in the trace. */
  missing: string
  /** Name of the file in prompts/ that asks the model for it once more. */
  prompt: string
  /** The tools that settle it. Where policy keeps one of them from the agent, nothing is owed. */
  tools: readonly string[]
  /** Whether it is missing after these calls of the run. */
  isMissing: (calls: readonly CallMade[]) => boolean
}

/** One call of a run and what it was answered, as the journal holds it. */
export type CallMade = { tool: string; output: Record<string, unknown> }
