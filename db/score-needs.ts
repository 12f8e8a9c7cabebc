import type { Countable, FormulaDefinition, LooksAt } from './score-definition.ts'
import { partsOf } from './score-calculation.ts'
import { CUSTOM } from './score-factors.ts'
import { type InputNeed, inputs } from './score-inputs.ts'

/** What a formula has to know of a lead: nothing else is read. */
export type Needs = {
  fields: ReadonlySet<InputNeed>
  /** Keys of custom fields. */
  custom: readonly string[]
  counts: readonly { count: Countable; days: number | undefined }[]
  /** Time passing alone changes a score, as far as the names say: a custom field may hold a day. */
  time_dependent: boolean
}

/** What the factors of a formula look at. */
export const needsOf = ({ factors }: FormulaDefinition): Needs => {
  const looks = factors.map(({ looks_at }) => looks_at)
  const names = looks.flatMap(namesIn)
  const counts = looks.flatMap((look) =>
    typeof look !== 'string' && 'count' in look ? [{ count: look.count, days: look.days }] : [],
  )
  const decays = factors.flatMap(({ decay }) => (decay ? [decay.since] : []))
  const custom = names.filter((name) => name.startsWith(CUSTOM)).map((name) => name.slice(CUSTOM.length))
  return {
    fields: new Set([
      ...names.flatMap((name) => inputs[name]?.needs ?? []),
      ...decays,
      ...(custom.length > 0 ? (['custom'] as const) : []),
      ...(counts.length > 0 ? (['counts'] as const) : []),
    ]),
    custom: [...new Set(custom)],
    counts,
    time_dependent:
      decays.length > 0 ||
      counts.some(({ days }) => days !== undefined) ||
      names.some((name) => inputs[name]?.kind === 'date'),
  }
}

/** The values that a factor looks at by their names. */
export const namesIn = (look: LooksAt): string[] => {
  if (typeof look === 'string') return [look]
  if ('count' in look) return []
  return partsOf(look.calculate).flatMap((part) => ('field' in part ? [part.field] : []))
}

/** What two formulas need, read once. */
export const mergedNeeds = (a: Needs, b: Needs): Needs => ({
  fields: a.fields.union(b.fields),
  custom: [...new Set([...a.custom, ...b.custom])],
  counts: [...a.counts, ...b.counts],
  time_dependent: a.time_dependent || b.time_dependent,
})
