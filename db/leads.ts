import { z } from 'zod'
import { recordActivities } from './activities.ts'
import type { Ctx, TxCtx } from './context.ts'
import { pairLeads } from './duplicate-pairs.ts'
import { invalid } from './errors.ts'
import { type Instruction, instructionIn, instructionWarning, recordInstruction } from './lead-injection.ts'
import { lockOpportunity, type Opportunity } from './opportunities.ts'
import { updateOpportunity } from './opportunity-changes.ts'
import { NewOpportunity, OpportunityChange } from './opportunity-fields.ts'
import {
  createOpportunities,
  createOpportunity,
  type KindRules,
  type Made,
  type NewCard,
  type OpportunityOrigin,
} from './opportunity-writing.ts'
import { creationOf } from './record-creation.ts'

/** A lead made by hand, by the API or by an agent. */
export const NewLead = NewOpportunity.extend({
  /** Whether `lead_worker` is woken for it. */
  work: z.boolean().optional(),
})
export type NewLead = z.infer<typeof NewLead>

export const LeadChange = OpportunityChange
export type LeadChange = z.infer<typeof LeadChange>

/**
 * Makes a lead at the entry of its pipeline, with a `lead_imported` line on its timeline.
 * @throws {DomainError} `lead_unidentified` when it has neither name, e-mail nor phone, `external_id_taken`
 */
export const createLead = (ctx: Ctx, input: NewLead, origin: OpportunityOrigin): Promise<Opportunity> =>
  createOpportunity(ctx, rules, input, origin)

/** Makes many leads, as `createLead` makes one; all of them or none. */
export const createLeads = (ctx: Ctx, cards: readonly NewCard[]): Promise<Made[]> =>
  createOpportunities(ctx, rules, cards)

/**
 * Changes a lead, with before and after on its timeline.
 * @throws {DomainError} stale when `version` is not the current one
 */
export const updateLead = (ctx: Ctx, id: string, input: LeadChange): Promise<Opportunity> =>
  updateOpportunity(ctx, rules, id, input)

/** A lead that nobody else changes until the transaction ends. */
export const lockLead = (ctx: TxCtx, id: string): Promise<Opportunity> => lockOpportunity(ctx, id, 'lead')

/** @throws {DomainError} `lead_unidentified` */
export const requireIdentity = (values: Record<string, unknown>): void => {
  if (values['contact_name'] || values['name'] || values['email'] || values['phone_original']) return
  throw unidentified()
}

/** A lead that nobody could call, write to or ask for. */
export const unidentified = () => {
  const error = invalid(
    'lead_unidentified',
    '/name',
    'A lead needs a name, an e-mail address or a phone number; this one has none of them.',
  )
  error.errors.push(
    { pointer: '/email', message: 'give an e-mail address, or a name, or a phone number' },
    { pointer: '/phone', message: 'give a phone number, or a name, or an e-mail address' },
  )
  return error
}

const NAMED_BY = ['contact_name', 'company_name', 'email', 'phone', 'phone_original']

const calledBy = (values: Record<string, unknown>): string =>
  NAMED_BY.map((field) => values[field]).find(
    (value): value is string => typeof value === 'string' && value !== '',
  ) ?? 'Unnamed lead'

/** What a lead is called: its own name, or by who it is. */
export const nameOfLead = (values: Record<string, unknown>): string => {
  const { name } = values
  return typeof name === 'string' && name !== '' ? name : calledBy(values)
}

/** Looked for once: a warning and a line on the timeline come of it. */
const instructionOf = (values: Record<string, unknown>): Instruction | undefined => {
  const known = instructions.get(values)
  if (known) return known.found
  const found = instructionIn(values)
  instructions.set(values, { found })
  return found
}
const instructions = new WeakMap<object, { found: Instruction | undefined }>()

const rules: KindRules = {
  kind: 'lead',
  nameOf: nameOfLead,
  requireIdentity,
  warningsOf: (values) => {
    const instruction = instructionOf(values)
    return instruction ? [instructionWarning(instruction)] : []
  },
  follow: async (ctx, made) => {
    recordActivities(
      ctx,
      made.map(({ id, name, input, from }) =>
        creationOf({ kind: 'lead', id, name }, { ...from, source: input.source }, 'lead_imported'),
      ),
    )
    for (const { id, values, from } of made) {
      const instruction = instructionOf(values)
      if (instruction) await recordInstruction(ctx, id, instruction, from.submission_id)
    }
    await pairLeads(
      ctx,
      made.map(({ id }) => id),
    )
  },
}
