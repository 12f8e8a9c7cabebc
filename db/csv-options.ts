import { joinList, partsOf, separatorsOf } from './csv-cells.ts'
import type { FieldOption } from './fields.ts'
import { distance, nearest } from './filters.ts'
import { normaliseName } from './lead-keys.ts'

/** The known name that is spelled most like a text, whatever its case and accents. */
export const nearestName = (known: readonly string[], text: string): string | undefined => {
  const plain = known.map(normaliseName)
  const found = nearest(plain, normaliseName(text.slice(0, 100)))
  return found === undefined ? undefined : known[plain.indexOf(found)]
}

/** The choice that a text names by value or label, whatever its case and accents, or by a word for yes or no. */
export const readOption = (
  options: readonly FieldOption[],
  text: string,
): { value?: string; nearest?: string | undefined } => {
  const offered = offeredOf(options)
  const found = findOption(offered, text)
  return found ? { value: found.value } : { nearest: nearestLabel(offered, text) }
}

/**
 * The choices that a cell lists; `unknown` is the first text that is none. A label may hold what parts texts: unless the cell
 * reads as an export writes one, it is parted so that every part is a choice, where it can be, each as long as it can be.
 */
export const readOptions = (
  options: readonly FieldOption[],
  cell: string,
): { values: string[]; unknown?: { text: string; nearest: string | undefined } } => {
  const offered = offeredOf(options)
  const parts = partsOf(cell)
  const texts = parts.map(({ text }) => text)
  if (cell === joinList(texts)) {
    const values = texts.flatMap((text) => findOption(offered, text)?.value ?? [])
    if (values.length === texts.length) return { values: [...new Set(values)] }
  }
  const longest = Math.max(1, ...offered.map(({ label }) => partsOf(label).length))
  const textOf = (from: number, to: number): string =>
    to === from + 1
      ? (parts[from]?.text ?? '')
      : cell.slice(parts[from]?.from ?? 0, parts[to - 1]?.to ?? 0).trim()
  /** Where a text may end that begins at a part, the longest first. */
  const endsFrom = (from: number): number[] =>
    Array.from({ length: Math.min(longest, parts.length - from) }, (_, n) => from + n + 1).toReversed()
  const readFrom = (from: number, ends: number[]): Step | undefined => {
    for (const to of ends) {
      const text = textOf(from, to)
      const option = findOption(to === from + 1 ? offered : offered.filter(partedAs(text)), text)
      if (option) return { value: option.value, to }
    }
    return undefined
  }
  /** The first choice of what begins at a part, where all of it can be read. */
  const steps = new Map<number, Step>()
  const readable = (from: number): boolean => from === parts.length || steps.has(from)
  for (let from = parts.length - 1; from >= 0; from--) {
    const step = readFrom(from, endsFrom(from).filter(readable))
    if (step) steps.set(from, step)
  }
  const values = new Set<string>()
  let from = 0
  for (;;) {
    const step = steps.get(from) ?? readFrom(from, endsFrom(from))
    if (!step) break
    values.add(step.value)
    from = step.to
  }
  if (from === parts.length) return { values: [...values] }
  const whole = findOption(offered, cell)
  if (whole) return { values: [whole.value] }
  // A slip in a label that holds what parts texts is told by what all of it is like.
  const ends = endsFrom(from).filter((to) => to === from + 1 || readable(to))
  const [first] = ends
    .map((to) => textOf(from, to))
    .map((text) => ({ text, nearest: nearestLabel(offered, text) }))
    .toSorted((one, other) => slipOf(one) - slipOf(other))
  return { values: [...values], ...(first ? { unknown: first } : {}) }
}

/** Whether a choice's value or label holds what parts texts as a text does. */
const partedAs =
  (text: string) =>
  ({ value, label }: FieldOption): boolean =>
    [value, label].some((name) => separatorsOf(name) === separatorsOf(text))

type Step = { value: string; to: number }

/** How far a text is from the label that it is most like. */
const slipOf = ({ text, nearest = '' }: { text: string; nearest: string | undefined }): number =>
  distance(normaliseName(text.slice(0, 100)), normaliseName(nearest))

const offeredOf = (options: readonly FieldOption[]): FieldOption[] =>
  options.filter(({ retired }) => !retired)

const findOption = (offered: readonly FieldOption[], text: string): FieldOption | undefined =>
  offered.find(({ value, label }) => value === text || label === text) ?? findAlike(offered, text)

const nearestLabel = (offered: readonly FieldOption[], text: string): string | undefined =>
  nearestName(
    offered.map(({ label }) => label),
    text,
  )

const findAlike = (offered: readonly FieldOption[], text: string): FieldOption | undefined => {
  const wanted = normaliseName(text)
  const alike = offered.find(
    ({ value, label }) => normaliseName(label) === wanted || normaliseName(value) === wanted,
  )
  if (alike || wanted === '') return alike
  const meaning = YES_OR_NO.get(wanted)
  if (meaning === undefined) return undefined
  const same = offered.filter(({ value, label }) =>
    [value, label].some((name) => YES_OR_NO.get(normaliseName(name)) === meaning),
  )
  return same.length === 1 ? same[0] : undefined
}

/** Words for yes and no, without accents. */
const YES_OR_NO = new Map([
  ...'yes y true t 1 x on ja j wahr oui o vrai si s verdadero vero sim verdadeiro waar tak да'
    .split(' ')
    .map((word) => [word, true] as const),
  ...'no n false f 0 off nein falsch non faux falso nao nee onwaar nie нет'
    .split(' ')
    .map((word) => [word, false] as const),
])
