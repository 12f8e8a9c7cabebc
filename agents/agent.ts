import type { Budget } from '../db/models.ts'

/** An agent is data: what it is told, what it may use, when it stops. Which calls need a person is policy, not stated here. */
export type Agent = {
  /** The file's name. */
  name: string
  version: string
  /** Name of the file in prompts/. */
  prompt: string
  /** Names of the tools it is offered; one that policy switches off is not. */
  tools: readonly string[]
  /** Caps of one run; an organization may set others. */
  budget: Budget
}
