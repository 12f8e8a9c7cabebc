import { z } from 'zod'

/** Comparisons of the filter language. */
export const operators = [
  'eq',
  'ne',
  'in',
  'not_in',
  'lt',
  'lte',
  'gt',
  'gte',
  'between',
  'contains',
  'starts_with',
  'is_empty',
  'is_not_empty',
  'any',
  'all',
  'none',
  'within_last',
  'before_last',
] as const
export type Operator = (typeof operators)[number]

/** One comparison of a field with a value. */
export type Comparison = { field: string; op: Operator; value?: unknown }

/** Records that are linked: `some` of them match, or `none` does. Without a filter inside, any is meant. */
export type LinkedFilter = {
  linked: string
  some?: Filter | Record<string, never>
  none?: Filter | Record<string, never>
}

/** What records have to match. */
export type Filter = { and: Filter[] } | { or: Filter[] } | { not: Filter } | LinkedFilter | Comparison

/** Larger than a person builds one, small enough to be planned in no time. */
const LIMITS = { depth: 10, parts: 200, list: 50, name: 100 }

/**
 * A filter as it comes over the wire; which fields there are is said by the record it is applied to: comparisons
 * `{field, op, value}`, joined by `{and: […]}`, `{or: […]}` and `{not: …}`, and `{linked, some | none: filter}`.
 */
export const Filter: z.ZodType<Filter> = z.unknown().transform((given, issues): Filter => {
  const faults: Fault[] = []
  const filter = readFilter(given, { faults, parts: 0, depth: 0, path: [] })
  for (const { path, message } of faults.slice(0, 20)) issues.addIssue({ code: 'custom', path, message })
  return filter ?? z.NEVER
})

/** The comparisons of a filter on the record itself: those on linked records are not among them. */
export const comparisonsOf = (filter: Filter): Comparison[] => {
  if ('and' in filter) return filter.and.flatMap(comparisonsOf)
  if ('or' in filter) return filter.or.flatMap(comparisonsOf)
  if ('not' in filter) return comparisonsOf(filter.not)
  return 'field' in filter ? [filter] : []
}

/** What records a filter goes to by links, however deep. */
export const linksOf = (filter: Filter): string[] => {
  if ('and' in filter) return filter.and.flatMap(linksOf)
  if ('or' in filter) return filter.or.flatMap(linksOf)
  if ('not' in filter) return linksOf(filter.not)
  if (!('linked' in filter)) return []
  const inner = innerFilter(filter)
  return [filter.linked, ...(inner ? linksOf(inner) : [])]
}

/** Whether it compares fields that organizations added, on linked records too. */
export const comparesCustom = (filter: Filter): boolean => {
  if ('and' in filter) return filter.and.some(comparesCustom)
  if ('or' in filter) return filter.or.some(comparesCustom)
  if ('not' in filter) return comparesCustom(filter.not)
  if ('field' in filter) return filter.field.startsWith('custom.')
  const inner = innerFilter(filter)
  return inner !== undefined && comparesCustom(inner)
}

/** The filter inside `some` or `none`; undefined means any record. */
export const innerFilter = ({ some, none }: LinkedFilter): Filter | undefined => {
  const inner = some ?? none
  return inner && Object.keys(inner).length > 0 ? (inner as Filter) : undefined
}

/** The known name that is spelled most like this one. */
export const nearest = (known: readonly string[], name: string): string | undefined => {
  const distances = known.map((one) => distance(one, name))
  return known[distances.indexOf(Math.min(...distances))]
}

type Path = (string | number)[]
type Fault = { path: Path; message: string }
type Place = { faults: Fault[]; parts: number; depth: number; path: Path }

/** Reads what was sent; what is wrong is noted with its place. `parts` counts up on the way. */
const readFilter = (given: unknown, at: Place): Filter | undefined => {
  const fault = (message: string, ...path: Path): undefined => {
    at.faults.push({ path: [...at.path, ...path], message })
    return undefined
  }
  const inside = (part: unknown, ...path: Path): Filter | undefined => {
    const below = { ...at, depth: at.depth + 1, path: [...at.path, ...path] }
    const read = readFilter(part, below)
    at.parts = below.parts
    return read
  }
  at.parts += 1
  if (at.depth > LIMITS.depth) return fault(`a filter is nested at most ${LIMITS.depth} deep`)
  if (at.parts > LIMITS.parts) return fault(`a filter has at most ${LIMITS.parts} parts`)
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return fault(SHAPE)
  const kind = (['and', 'or', 'not', 'linked', 'field'] as const).find((name) => Object.hasOwn(given, name))
  if (kind === undefined) return fault(SHAPE)
  const more = Object.keys(given).find((name) => !MEMBERS[kind].includes(name))
  if (more !== undefined) return fault(`beside “${kind}” there is no “${more}”`, more)
  const sent = given as Record<string, unknown>

  if (kind === 'and' || kind === 'or') {
    const list = sent[kind]
    if (!Array.isArray(list) || list.length > LIMITS.list)
      return fault(`“${kind}” takes a list of at most ${LIMITS.list} filters`, kind)
    const parts = list.map((part, n) => inside(part, kind, n)).filter((part) => part !== undefined)
    return kind === 'and' ? { and: parts } : { or: parts }
  }
  if (kind === 'not') {
    const not = inside(sent['not'], 'not')
    return not && { not }
  }
  if (kind === 'linked') return readLinked(sent, fault, inside)
  return readComparison(sent, fault)
}

const readLinked = (
  sent: Record<string, unknown>,
  fault: (message: string, ...path: Path) => undefined,
  inside: (part: unknown, ...path: Path) => Filter | undefined,
): Filter | undefined => {
  const { linked } = sent
  if (typeof linked !== 'string' || linked.length > LIMITS.name)
    return fault('the records it is linked to, such as contacts', 'linked')
  const [word, ...others] = (['some', 'none'] as const).filter((name) => Object.hasOwn(sent, name))
  if (word === undefined || others.length > 0) return fault('“linked” goes with either “some” or “none”')
  const inner = sent[word]
  const any = typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0
  if (any) return { linked, [word]: {} }
  const filter = inside(inner, word)
  return filter && { linked, [word]: filter }
}

const readComparison = (
  sent: Record<string, unknown>,
  fault: (message: string, ...path: Path) => undefined,
): Filter | undefined => {
  const { field, op, value } = sent
  if (typeof field !== 'string' || field.length > LIMITS.name) return fault('the name of a field', 'field')
  const operator = operators.find((name) => name === op)
  if (operator === undefined) return fault(`one of ${operators.join(', ')}`, 'op')
  return { field, op: operator, ...(value === undefined ? {} : { value }) }
}

const SHAPE =
  'a filter: {"field", "op", "value"}, {"and": […]}, {"or": […]}, {"not": …} or {"linked", "some" | "none": …}'

const MEMBERS = {
  and: ['and'],
  or: ['or'],
  not: ['not'],
  linked: ['linked', 'some', 'none'],
  field: ['field', 'op', 'value'],
}

/** How many letters differ between two words (Levenshtein). */
export const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      )
    }
    row = next
  }
  return row[b.length] ?? 0
}
