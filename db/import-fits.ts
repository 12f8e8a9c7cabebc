import { kindOfCell, type CellKind } from './csv-content.ts'
import { readOptions } from './csv-options.ts'
import { distance } from './filters.ts'
import { nameParts, synonyms, type Concept } from './import-synonyms.ts'
import type { ImportTarget, TargetType } from './import-targets.ts'
import { normaliseName } from './lead-keys.ts'
import type { RecordKind } from './records.ts'

/** Names that cells are compared with. */
export type KnownNames = {
  stages?: readonly string[]
  pipelines?: readonly string[]
  members?: readonly { name: string; email: string }[]
}

/** A column as it is compared with targets. */
export type Seen = {
  column: string
  name: string
  /** Cells that are not blank. */
  cells: string[]
  /** The share of each kind among them. */
  kinds: Map<CellKind, number>
}

/** Looks at a column and its first cells. */
export const lookAt = (column: string, all: string[]): Seen => {
  const cells = all.map((cell) => cell.trim()).filter((cell) => cell !== '')
  const kinds = new Map<CellKind, number>()
  for (const cell of cells) {
    const kind = kindOfCell(cell)
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1 / cells.length)
  }
  return { column, name: plainName(column), cells, kinds }
}

export type Fit = { score: number; reason: string }
const NONE: Named = { score: 0, reason: '', same: false }

/** How well a column's name fits; `same` when it is the field's own. */
type Named = Fit & { same: boolean }

/** How well a column fits a target, 0 to 1, and why. */
export const fitOf = (one: Seen, target: ImportTarget, known: KnownNames): Fit => {
  const named = byName(one, target)
  const held = byContent(one, target, known)
  if (named.score === 0) return partOfName(one.column) === undefined ? held.alone : NONE
  if (one.cells.length === 0)
    return { score: named.score * 0.9, reason: `${named.reason}; its first rows are empty` }
  // A name that its cells contradict is worth half, and less where each of them would be an error: but for words that name
  // nothing in a column that is called so, which are told of with the nearest, and never silently left out.
  if (held.share < 0.3) {
    const has_words = target.type === 'reference' || target.options !== undefined
    return {
      score: named.score * (named.same && has_words ? 0.75 : held.strict ? 0.3 : 0.6),
      reason: `${named.reason}, though ${held.but}`,
    }
  }
  return { score: named.score * (0.9 + 0.1 * held.share), reason: named.reason }
}

/** Which concept a field is of, where it is not called the same. */
const conceptOf = ({ record_kind, field }: ImportTarget): Concept[] => {
  const own = conceptFields[record_kind][field]
  if (own) return own
  return synonyms.has(field as Concept) ? [field as Concept] : []
}

const card = (person: Concept[], name: Concept[]): Record<string, Concept[]> => ({
  contact_name: person,
  company_name: ['company'],
  name,
})
/** The first concept is what the field is; the second what it could be. */
const conceptFields: Record<RecordKind, Record<string, Concept[]>> = {
  lead: card(['person'], ['record_name']),
  deal: card(['person'], ['record_name']),
  account: { name: ['company'] },
  contact: { name: ['person'], account: ['company'] },
}

/** Words that say of whom, not what. */
const QUALIFIERS =
  /^(?:(?:lead|deal|contact|person|company|organization|organisation|account|opportunity|customer|client|primary|main|work|business|current|associated|kontakt|kunden|firmen)\s)+|\s(?:\d|field|feld|value|text|column|api|c)$/g

const byName = ({ column, name }: Seen, target: ImportTarget): Named => {
  // "Name" alone is a person's, unless another column is.
  const score = target.record_kind === 'lead' && target.field === 'name' ? 0.9 : 1
  if (column.toLowerCase() === target.field)
    return { score, reason: `“${column}” is the name of the field`, same: true }
  const key = target.field.replace(/^custom\./, '')
  const labels = [normaliseName(target.label), normaliseName(key.replaceAll('_', ' '))]
  const is_custom = key !== target.field
  if (name === '') return NONE
  if (labels.includes(name))
    return {
      score: is_custom ? 1 : score * 0.98,
      reason: `“${column}” is called like the field “${target.label}”`,
      same: true,
    }
  const concepts = conceptOf(target)
  const names = concepts.flatMap((concept) => synonyms.get(concept) ?? [])
  const fit = (score: number): Named => ({
    score,
    reason: `“${column}” is another name for “${target.label}”`,
    same: false,
  })
  const at = names.indexOf(name)
  // What is listed first is meant most often.
  if (at >= 0) return fit(0.96 - Math.min(at, 100) / 2_000)
  const bare = name.replaceAll(QUALIFIERS, '').trim()
  if (bare !== name && bare !== '' && (names.includes(bare) || labels.includes(bare))) return fit(0.75)
  const close = [...labels, ...names].find((other) => isMisspelled(name, other))
  return close === undefined
    ? NONE
    : { score: 0.7, reason: `“${column}” is spelled almost like “${close}”`, same: false }
}

const isMisspelled = (name: string, other: string): boolean => {
  const long = other.length
  if (long < 5 || Math.abs(name.length - long) > 2) return false
  const far = distance(name, other)
  // Two letters that changed places are one mistake.
  return far <= (long >= 9 ? 2 : 1) || (far === 2 && lettersOf(name) === lettersOf(other))
}

const lettersOf = (name: string): string => Array.from(name).toSorted().join('')

/** A column's name without case, accents, punctuation and humps. */
const plainName = (column: string): string => normaliseName(column.replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1 $2'))

/** What the cells of a column say about a target. */
type Held = {
  /** The share of cells that fit the target's type. */
  share: number
  /** Cells that do not fit would be errors. */
  strict: boolean
  but: string
  /** What it is worth without a name. */
  alone: Fit
}

/** Kinds of cell that go with a type, and how much they tell by themselves; those that nothing else would be tell most. */
const CONTENT: Partial<
  Record<TargetType, { kinds: CellKind[]; tells: number; what: string; fields?: string[] }>
> = {
  email: { kinds: ['email'], tells: 0.85, what: 'e-mail addresses' },
  phone: { kinds: ['phone'], tells: 0.75, what: 'telephone numbers' },
  url: { kinds: ['url', 'domain'], tells: 0.75, what: 'web addresses', fields: ['website'] },
  country: { kinds: ['country'], tells: 0.7, what: 'countries' },
  currency: { kinds: ['currency'], tells: 0.7, what: 'currencies' },
  money: { kinds: ['money', 'number'], tells: 0.6, what: 'amounts of money' },
  integer: { kinds: ['number', 'money'], tells: 0, what: 'numbers' },
  decimal: { kinds: ['number', 'money'], tells: 0, what: 'numbers' },
  date: { kinds: ['date'], tells: 0, what: 'dates' },
  id: { kinds: ['id'], tells: 0, what: 'ids' },
}

const byContent = (one: Seen, target: ImportTarget, known: KnownNames): Held => {
  const names = namesOf(target, known)
  if (names) {
    const share = shareOf(one.cells, (cell) => names.has(normaliseName(cell)))
    return heldOf(share, 0.8, `it holds ${names.what}`, `it holds none of ${names.what}`, names.strict)
  }
  if (target.options) {
    const options = target.options
    const share = shareOf(one.cells, (cell) => readOptions(options, cell).unknown === undefined)
    const several = new Set(one.cells.map(normaliseName)).size > 1 && options.length > 2
    return heldOf(
      share,
      several ? 0.6 : 0,
      `it holds choices of “${target.label}”`,
      `it holds none of its choices`,
      true,
    )
  }
  const content = CONTENT[target.type]
  if (!content) {
    // Texts can be anything, but figures alone are rarely a name.
    const isName = target.type === 'text' && /name$|^title$|^city$|^source$/.test(target.field)
    const values = (one.kinds.get('email') ?? 0) + (one.kinds.get('date') ?? 0) + (one.kinds.get('id') ?? 0)
    return { share: isName ? 1 - values : 1, strict: false, but: 'it holds other values', alone: NONE }
  }
  const share = content.kinds.reduce((sum, kind) => sum + (one.kinds.get(kind) ?? 0), 0)
  const telling = target.type === 'money' ? (one.kinds.get('money') ?? 0) : share
  const alone =
    target.field.startsWith('custom.') || (content.fields && !content.fields.includes(target.field))
  const held = heldOf(
    share,
    0,
    '',
    `it holds no ${content.what}`,
    target.type !== 'country' && target.type !== 'phone',
  )
  return alone || telling < 0.7 || content.tells === 0
    ? held
    : { ...held, alone: { score: content.tells * telling, reason: `it holds ${content.what}` } }
}

const heldOf = (share: number, tells: number, reason: string, but: string, strict: boolean): Held => ({
  share,
  strict,
  but,
  alone: share >= 0.7 && tells > 0 ? { score: tells * share, reason } : NONE,
})

const shareOf = (cells: readonly string[], fits: (cell: string) => boolean): number =>
  cells.length === 0 ? 0 : cells.filter(fits).length / cells.length

type Names = { has: (name: string) => boolean; what: string; strict: boolean }

const namesOf = ({ field }: ImportTarget, known: KnownNames): Names | undefined => {
  const among = (names: readonly string[] | undefined, what: string): Names | undefined => {
    if (!names || names.length === 0) return undefined
    const set = new Set(names.map(normaliseName))
    return { has: (name) => set.has(name), what, strict: true }
  }
  if (field === 'stage') return among(known.stages, 'stages of the pipelines')
  if (field === 'pipeline') return among(known.pipelines, 'names of pipelines')
  if (field === 'owner')
    return among(
      known.members?.flatMap(({ name, email }) => [name, email]),
      'members of the organization',
    )
  return undefined
}

/** Which part of a person's name a column is called, 0 the first; undefined when none. */
export const partOfName = (column: string): number | undefined => {
  const name = plainName(column)
  const bare = name.replaceAll(QUALIFIERS, '').trim()
  const at = nameParts.findIndex((part) => {
    const names = synonyms.get(part) ?? []
    return names.includes(name) || names.includes(bare)
  })
  return at < 0 ? undefined : at
}
