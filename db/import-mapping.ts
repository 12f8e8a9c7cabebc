import { filterKinds } from './filter-kinds.ts'
import { fitOf, lookAt, partOfName, type Fit, type KnownNames, type Seen } from './import-fits.ts'
import type { ImportTarget } from './import-targets.ts'
import type { RecordKind } from './records.ts'

/** What a column is probably meant as, for people to accept or change. */
export type Suggestion = {
  /** Null: it is kept beside the record, in no field. */
  field: string | null
  reason: string
  /** 0 to 1. */
  confidence: number
}

/**
 * Suggests what each column is, by its name in the languages and exports that are known and by what its cells look like. A
 * target is suggested for one column, the one that fits best; only the parts of a person's name go to one target together.
 */
export const suggestMapping = (
  columns: readonly string[],
  sample: readonly (readonly string[])[],
  targets: readonly ImportTarget[],
  known: KnownNames = {},
): Record<string, Suggestion> => {
  const kind = targets[0]?.record_kind ?? 'lead'
  const own = ownFields(columns, targets, kind)
  if (own) return own
  const seen = columns.map((column, n) =>
    lookAt(
      column,
      sample.map((row) => row[n] ?? ''),
    ),
  )
  // An id of ours stands in exports of ours only.
  const fits = seen.flatMap((one, n) =>
    targets
      .filter(({ field }) => field !== 'id')
      .map((target): FitOfColumn => ({ n, target, ...fitOf(one, target, known) }))
      .filter(({ score }) => score > 0),
  )
  const taken = new Map<string, number>()
  const suggestions = new Map<number, Suggestion>()
  for (const { n, target, score, reason } of fits.toSorted((a, b) => b.score - a.score || a.n - b.n)) {
    if (score < LEAST || suggestions.has(n) || taken.has(target.field)) continue
    taken.set(target.field, n)
    suggestions.set(n, { field: target.field, reason, confidence: rounded(score) })
  }
  const person = personField[kind]
  if (person !== undefined) joinName(seen, person, taken, suggestions)
  return Object.fromEntries(
    seen.map((one, n) => [
      one.column,
      suggestions.get(n) ?? {
        field: null,
        ...whyNot(
          one,
          fits.filter((fit) => fit.n === n),
          taken,
          columns,
          kind,
        ),
      },
    ]),
  )
}

type FitOfColumn = Fit & { n: number; target: ImportTarget }

/** An export of ours names its columns by the fields: nothing has to be guessed. */
const ownFields = (
  columns: readonly string[],
  targets: readonly ImportTarget[],
  kind: RecordKind,
): Record<string, Suggestion> | undefined => {
  const fields = new Set(targets.map(({ field }) => field))
  const known = columns.filter(
    (column) => fields.has(column) || Object.hasOwn(filterKinds[kind].fields, column),
  )
  if (!columns.includes('id') || known.length < columns.length * 0.8) return undefined
  return Object.fromEntries(
    columns.map((column) => [
      column,
      fields.has(column)
        ? { field: column, reason: 'exports name their columns by the fields', confidence: 1 }
        : { field: null, ...setElsewhere(column) },
    ]),
  )
}

const setElsewhere = (column: string): Omit<Suggestion, 'field'> => ({
  reason: `“${column}” follows from what happens to the record and cannot be imported`,
  confidence: 1,
})

/** Below this, a column is asked about instead. */
const LEAST = 0.5

const rounded = (score: number): number => Math.round(Math.min(score, 1) * 100) / 100

/** Where the parts of a person's name go together. */
const personField: Partial<Record<RecordKind, string>> = {
  lead: 'contact_name',
  deal: 'contact_name',
  contact: 'name',
}

/** Columns with the parts of a person's name are one name, unless another column holds the whole. */
const joinName = (
  seen: readonly Seen[],
  field: string,
  taken: Map<string, number>,
  suggestions: Map<number, Suggestion>,
): void => {
  const parts = seen.flatMap((one, n) => {
    const part = partOfName(one.column)
    return part !== undefined && (suggestions.get(n)?.confidence ?? 0) < 0.98 ? [{ n, part }] : []
  })
  if (parts.length === 0) return
  const whole = taken.get(field)
  if (whole !== undefined && !parts.some(({ n }) => n === whole)) {
    const has_both = new Set(parts.map(({ part }) => part)).size > 1
    // "Name" beside "Vorname" is the family's.
    if (!has_both && isOneWord(seen[whole])) parts.push({ n: whole, part: 2 })
    else if (has_both && (suggestions.get(whole)?.confidence ?? 0) < 0.9) suggestions.delete(whole)
    else return
  }
  for (const { n } of parts) {
    const one = seen[n]
    const others = parts.filter((part) => part.n !== n).map((part) => `“${seen[part.n]?.column}”`)
    suggestions.set(n, {
      field,
      reason:
        others.length > 0
          ? `“${one?.column}” is a part of the name, joined with ${others.join(' and ')}`
          : `“${one?.column}” is a part of the name`,
      confidence: others.length > 0 ? 0.95 : 0.7,
    })
  }
}

const isOneWord = (column: Seen | undefined): boolean => {
  const cells = column?.cells ?? []
  return cells.filter((cell) => !cell.includes(' ')).length > cells.length / 2
}

const whyNot = (
  one: Seen,
  fits: readonly FitOfColumn[],
  taken: ReadonlyMap<string, number>,
  columns: readonly string[],
  kind: RecordKind,
): Omit<Suggestion, 'field'> => {
  if (Object.hasOwn(filterKinds[kind].fields, one.column)) return setElsewhere(one.column)
  const [best] = fits.toSorted((a, b) => b.score - a.score)
  if (best && best.score < LEAST) return { reason: best.reason, confidence: 0.5 }
  const winner = best && taken.get(best.target.field)
  if (best && winner !== undefined)
    return { reason: `“${columns[winner]}” fits “${best.target.label}” better`, confidence: 0.6 }
  return { reason: 'no field is called like it, and its cells do not tell', confidence: 0.3 }
}
