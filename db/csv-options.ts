import { splitList } from './csv-cells.ts'
import type { FieldOption } from './fields.ts'
import { nearest } from './filters.ts'
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
  const offered = options.filter(({ retired }) => !retired)
  const exact = offered.find(({ value, label }) => value === text || label === text)
  const found = exact ?? findAlike(offered, text)
  if (found) return { value: found.value }
  return {
    nearest: nearestName(
      offered.map(({ label }) => label),
      text,
    ),
  }
}

/** The choices that a cell lists; `unknown` is the first text that is none. */
export const readOptions = (
  options: readonly FieldOption[],
  cell: string,
): { values: string[]; unknown?: { text: string; nearest: string | undefined } } => {
  // A label may hold a comma.
  const whole = readOption(options, cell)
  if (whole.value !== undefined) return { values: [whole.value] }
  const values: string[] = []
  for (const text of splitList(cell)) {
    const read = readOption(options, text)
    if (read.value === undefined) return { values, unknown: { text, nearest: read.nearest } }
    values.push(read.value)
  }
  return { values: [...new Set(values)] }
}

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
