import { type Ctx, inTx } from './context.ts'
import { notFound } from './errors.ts'
import { customFields } from './fields.ts'
import { formulaOf, type LeadScore, scoreValues } from './lead-score.ts'
import { activeFormula, leadsNamed } from './lead-scoring.ts'
import { countables, fadesSince, formulaLimits, type ScoreCase } from './score-definition.ts'
import { placeholders } from './score-factors.ts'
import { type InputKind, inputs } from './score-inputs.ts'
import { mergedNeeds } from './score-needs.ts'
import { readScorable } from './score-reading.ts'
import { leadStages, type LeadStage } from './score-stages.ts'
import { lookedField, readDefinition, testsOf } from './score-validation.ts'
import { wordLimits } from './score-words.ts'

/** What a definition would make of one lead, beside what the formula in force makes of it. */
export type ScorePreview = LeadScore & { now: LeadScore & { formula: string } }

/**
 * Scores a lead by a definition that is not kept.
 * @throws {DomainError} `lead_not_found`, what `readDefinition` refuses
 */
export const previewScore = (ctx: Ctx, given: unknown, lead_id: string): Promise<ScorePreview> =>
  inTx(ctx, async (ctx) => {
    const draft = formulaOf(null, 'preview', await readDefinition(ctx, given))
    const active = await activeFormula(ctx)
    const at = new Date()
    const needs = mergedNeeds(draft.needs, active.needs)
    const [found] = await readScorable(ctx, needs, leadsNamed(ctx, [lead_id]), at)
    if (!found) throw notFound('lead', lead_id)
    return {
      ...scoreValues(draft, found.lead, at),
      now: { formula: active.label, ...scoreValues(active, found.lead, at) },
    }
  })

/** Something that a factor can look at, with what can be asked of it. */
export type FactorInput = {
  looks_at: string
  label: string
  description: string | null
  kind: InputKind
  choices: string[]
  cases: string[]
  example: ScoreCase
}

/** Everything that a formula can be made of, here and now. */
export type FactorCatalogue = {
  inputs: FactorInput[]
  counts: { count: string; label: string }[]
  stages: LeadStage[]
  decay_since: string[]
  placeholders: string[]
  limits: typeof formulaLimits & typeof wordLimits
}

/** What a screen builds a formula from: the standard values, the organization's own fields, its stages. */
export const listFactors = (ctx: Ctx): Promise<FactorCatalogue> =>
  inTx(ctx, async (ctx) => {
    const [fields, stages] = [await customFields(ctx, 'lead'), await leadStages(ctx)]
    const own = fields
      .filter(({ archived_at }) => !archived_at)
      .map((field) => ({ label: field.label, description: field.description, ...lookedField(field) }))
    const standard = Object.entries(inputs).map(([name, { label, kind, choices, description }]) => ({
      name,
      label,
      kind,
      description: description ?? null,
      ...(choices ? { choices } : {}),
    }))
    return {
      inputs: [...standard, ...own].map((input) => ({
        looks_at: input.name,
        label: input.label,
        description: input.description,
        kind: input.kind,
        choices: [...(input.choices ?? [])],
        cases: [...testsOf[input.kind]],
        example: exampleOf(input.kind, input.kind === 'stage' ? stages[0]?.label : input.choices?.[0]),
      })),
      counts: countables.map((count) => ({ count, label: count.replaceAll('_', ' ') })),
      stages,
      decay_since: [...fadesSince],
      placeholders: placeholders.map((name) => `{${name}}`),
      limits: { ...formulaLimits, ...wordLimits },
    }
  })

const exampleOf = (kind: InputKind, choice = 'Berlin'): ScoreCase => {
  switch (kind) {
    case 'text':
      return { words: ['price list', 'bestell*'], points: 10, reason: 'Says “{found}”' }
    case 'number':
      return { from: 10, below: 50, points: 10, reason: '{label}: {found}' }
    case 'date':
      return { below: 30, points: 5, reason: '{label}: {found}' }
    case 'words':
      return { is_set: true, points: 5, reason: 'Says “{found}”' }
    case 'choice':
    case 'choices':
    case 'stage':
      return { any_of: [choice], points: 10, reason: '{label}: {found}' }
  }
}
