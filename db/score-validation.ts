import type { Ctx } from './context.ts'
import { DomainError, type Fault } from './errors.ts'
import { customFields, type CustomField, type CustomType } from './fields.ts'
import { nearest } from './filters.ts'
import { RESERVED_FACTORS } from './lead-score.ts'
import { faultsOfBands } from './score-bands.ts'
import {
  type Expression,
  formulaLimits,
  FormulaDefinition,
  type LooksAt,
  type ScoreCase,
  type ScoreFactor,
} from './score-definition.ts'
import { faultOfDivision, partsOf } from './score-calculation.ts'
import { CUSTOM, placeholders } from './score-factors.ts'
import { type InputKind, inputs } from './score-inputs.ts'
import { leadStages, type LeadStage } from './score-stages.ts'
import { faultOfWord } from './score-words.ts'

/** A fault, with the code that the refusal carries when it is the first one. */
type Found = Fault & { code: string }

/** What a factor looks at, as far as its cases are concerned. */
export type Looked = { kind: InputKind; name: string; choices?: readonly string[] }

const KIND_OF: Record<CustomType, InputKind> = {
  short_text: 'text',
  long_text: 'text',
  integer: 'number',
  decimal: 'number',
  date: 'date',
  select: 'choice',
  multi_select: 'choices',
}

/** The kind of values of a custom field, and what can be chosen. */
export const lookedField = ({ key, type, options }: CustomField): Looked => ({
  kind: KIND_OF[type],
  name: CUSTOM + key,
  ...(options.length > 0 ? { choices: options.map(({ value }) => value) } : {}),
})

/** Which cases can be asked of which kind of value. */
export const testsOf: Record<InputKind, readonly TestName[]> = {
  text: ['is_set', 'equals', 'any_of', 'words'],
  choice: ['is_set', 'equals', 'any_of'],
  choices: ['is_set', 'equals', 'any_of', 'words'],
  number: ['is_set', 'equals', 'any_of', 'from', 'below'],
  date: ['is_set', 'from', 'below'],
  stage: ['equals', 'any_of'],
  words: ['is_set'],
}

type TestName = 'is_set' | 'equals' | 'any_of' | 'words' | 'from' | 'below'
const TESTS: readonly TestName[] = ['is_set', 'equals', 'any_of', 'words', 'from', 'below']

/**
 * A formula as somebody wrote it, checked against what the organization has. Stages that are named by their label are
 * answered by their ids, so that a stage may be called something else later.
 * @param act what is refused: `saved`, or `put in force`
 * @throws {DomainError} `invalid_formula`, `unknown_field`, `field_archived`, `unknown_choice`, `unknown_stage`,
 * `case_does_not_fit`, `bands_overlap`, `bands_unordered`, `words_only`, `divides_by_nothing`, `unknown_placeholder`,
 * `factor_twice`, `factor_reserved`, `decay_unclear`, `thresholds_unordered`: with every fault, where it is and what would
 * be accepted
 */
export const readDefinition = async (
  ctx: Ctx,
  given: unknown,
  act: Refused = 'saved',
): Promise<FormulaDefinition> => {
  const parsed = FormulaDefinition.safeParse(given)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({
      code: 'invalid_formula',
      pointer: `/definition${path.map((step) => `/${String(step)}`).join('')}`,
      message,
    }))
    throw refusal(issues, act)
  }
  const [fields, stages] = [await customFields(ctx, 'lead'), await leadStages(ctx)]
  const faults: Found[] = []
  const known: Known = { fields, stages, faults }
  const { thresholds, factors } = parsed.data
  if (thresholds.nurture > thresholds.qualified) {
    faults.push({
      code: 'thresholds_unordered',
      pointer: '/definition/thresholds/nurture',
      message: `a lead is worth keeping warm from a lower score on than it is qualified from; this is ${thresholds.nurture}, that is ${thresholds.qualified}`,
      accepted: { at_most: thresholds.qualified },
    })
  }
  const read = factors.map((factor, n) => {
    const pointer = `/definition/factors/${n}`
    requireName(factor, factors.slice(0, n), pointer, faults)
    return readFactor(factor, pointer, known)
  })
  if (faults.length > 0) throw refusal(faults, act)
  return { ...parsed.data, factors: read }
}

type Known = { fields: readonly CustomField[]; stages: readonly LeadStage[]; faults: Found[] }

type Refused = 'saved' | 'put in force'

const refusal = (faults: Found[], act: Refused): DomainError => {
  const [first] = faults
  return new DomainError(
    'invalid',
    first?.code ?? 'invalid_formula',
    `This formula cannot be ${act}: ${first?.message ?? 'it is no formula'}${faults.length > 1 ? `, and ${faults.length - 1} more` : ''}.`,
    { errors: faults.map(({ code: _, ...fault }) => fault) },
  )
}

const requireName = (
  { factor }: ScoreFactor,
  before: ScoreFactor[],
  pointer: string,
  faults: Found[],
): void => {
  if (RESERVED_FACTORS.some((reserved) => reserved === factor))
    faults.push({
      code: 'factor_reserved',
      pointer: `${pointer}/factor`,
      message: `“${factor}” is what every score begins or ends with; choose another name`,
    })
  if (before.some((other) => other.factor === factor))
    faults.push({
      code: 'factor_twice',
      pointer: `${pointer}/factor`,
      message: `there is a factor “${factor}” already`,
    })
}

const readFactor = (factor: ScoreFactor, pointer: string, known: Known): ScoreFactor => {
  const { decay, cases } = factor
  if (
    decay &&
    (decay.half_life_days === undefined) === (decay.lose === undefined || decay.every_days === undefined)
  ) {
    known.faults.push({
      code: 'decay_unclear',
      pointer: `${pointer}/decay`,
      message: 'points fade either by half_life_days, or by lose and every_days',
      accepted: ['half_life_days', 'lose, every_days'],
    })
  }
  const looked = lookedAt(factor.looks_at, `${pointer}/looks_at`, known)
  const read = cases.map((one, n) => readCase(one, looked, `${pointer}/cases/${n}`, known))
  known.faults.push(...faultsOfBands(cases, pointer))
  return { ...factor, cases: read }
}

const lookedAt = (looks_at: LooksAt, pointer: string, known: Known): Looked | undefined => {
  if (typeof looks_at === 'string') return named(looks_at, pointer, known)
  if ('count' in looks_at) return { kind: 'number', name: looks_at.count }
  requireCalculation(looks_at.calculate, `${pointer}/calculate`, known)
  return { kind: 'number', name: 'calculation' }
}

const named = (name: string, pointer: string, { fields, faults }: Known): Looked | undefined => {
  const input = inputs[name]
  if (input) return { kind: input.kind, name, ...(input.choices ? { choices: input.choices } : {}) }
  const field = fields.find(({ key }) => CUSTOM + key === name)
  if (field && !field.archived_at) return lookedField(field)
  const accepted = [
    ...Object.keys(inputs),
    ...fields.filter(({ archived_at }) => !archived_at).map(({ key }) => CUSTOM + key),
  ]
  faults.push(
    field
      ? {
          code: 'field_archived',
          pointer,
          message: `the field “${field.label}” is archived: restore it, or look at another one`,
          accepted,
        }
      : {
          code: 'unknown_field',
          pointer,
          message: `a lead has no “${name}”${meant(accepted, name)}`,
          accepted,
        },
  )
  return undefined
}

const meant = (accepted: readonly string[], name: string): string => {
  const close = nearest(accepted, name)
  return close === undefined ? '' : `; did you mean “${close}”?`
}

const readCase = (one: ScoreCase, looked: Looked | undefined, pointer: string, known: Known): ScoreCase => {
  const { faults } = known
  const asked = TESTS.filter((test) => one[test] !== undefined)
  const kinds = new Set(asked.map((test) => (test === 'from' || test === 'below' ? 'band' : test)))
  if (kinds.size !== 1) {
    faults.push({
      code: 'case_does_not_fit',
      pointer,
      message: 'a case asks one thing: is_set, equals, any_of, words, or a band with from and below',
      accepted: looked ? testsOf[looked.kind] : TESTS,
    })
  }
  for (const test of looked ? asked.filter((test) => !testsOf[looked.kind].includes(test)) : []) {
    faults.push({
      code: 'case_does_not_fit',
      pointer: `${pointer}/${test}`,
      message: `“${looked?.name}” is ${ARTICLE[looked?.kind ?? 'text']}, which ${test} cannot be asked of`,
      accepted: looked ? testsOf[looked.kind] : [],
    })
  }
  for (const [n, word] of (one.words ?? []).entries()) {
    const message = faultOfWord(word)
    if (message) faults.push({ code: 'words_only', pointer: `${pointer}/words/${n}`, message })
  }
  for (const [, name = ''] of one.reason?.matchAll(/\{(\w+)\}/g) ?? []) {
    if (placeholders.some((placeholder) => placeholder === name)) continue
    faults.push({
      code: 'unknown_placeholder',
      pointer: `${pointer}/reason`,
      message: `nothing stands for {${name}}`,
      accepted: placeholders.map((placeholder) => `{${placeholder}}`),
    })
  }
  return looked ? readChoices(one, looked, pointer, known) : one
}

const ARTICLE: Record<InputKind, string> = {
  text: 'a text',
  choice: 'one of a list',
  choices: 'a list',
  number: 'a number',
  date: 'a day',
  stage: 'a stage',
  words: 'found or not',
}

/** What is chosen exists; stages are answered by their ids. */
const readChoices = (
  one: ScoreCase,
  looked: Looked,
  pointer: string,
  { stages, faults }: Known,
): ScoreCase => {
  const { equals, any_of, ...rest } = one
  const chosen: [value: string | number, at: string][] = [
    ...(equals === undefined ? [] : [[equals, `${pointer}/equals`] as [string | number, string]]),
    ...(any_of ?? []).map((value, n): [string | number, string] => [value, `${pointer}/any_of/${n}`]),
  ]
  if (chosen.length === 0) return one
  if (looked.kind === 'number') {
    for (const [value, at] of chosen.filter(([value]) => typeof value !== 'number'))
      faults.push({ code: 'case_does_not_fit', pointer: at, message: `a number, not “${value}”` })
    return one
  }
  if (looked.kind === 'stage') {
    const ids = chosen.flatMap(([value, at]) => {
      const found = stages.filter(({ id, label }) => id === value || sameName(label, String(value)))
      if (found.length > 0) return found.map(({ id }) => id)
      const labels = [...new Set(stages.map(({ label }) => label))]
      faults.push({
        code: 'unknown_stage',
        pointer: at,
        message: `no pipeline for leads has a stage “${value}”${meant(labels, String(value))}`,
        accepted: labels,
      })
      return []
    })
    return { ...rest, any_of: [...new Set(ids)] }
  }
  const { choices } = looked
  for (const [value, at] of chosen) {
    if (choices === undefined || choices.includes(String(value))) continue
    faults.push({
      code: 'unknown_choice',
      pointer: at,
      message: `“${looked.name}” is never “${value}”${meant(choices, String(value))}`,
      accepted: choices,
    })
  }
  return one
}

const sameName = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase()

const requireCalculation = (expression: Expression, pointer: string, known: Known): void => {
  const parts = partsOf(expression)
  if (parts.length > formulaLimits.parts)
    known.faults.push({
      code: 'invalid_formula',
      pointer,
      message: `a calculation has at most ${formulaLimits.parts} parts; this one has ${parts.length}`,
    })
  for (const part of parts) {
    if ('field' in part) {
      const looked = named(part.field, pointer, known)
      if (looked && looked.kind !== 'number' && looked.kind !== 'date')
        known.faults.push({
          code: 'case_does_not_fit',
          pointer,
          message: `“${part.field}” is ${ARTICLE[looked.kind]}; a calculation takes numbers`,
        })
    }
    const fault = 'divide' in part ? faultOfDivision(part) : undefined
    if (fault) known.faults.push({ code: 'divides_by_nothing', pointer, ...fault })
  }
}
