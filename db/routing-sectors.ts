import { foldText } from './text.ts'

/**
 * Finds the sector that an industry, as somebody wrote it, belongs to: the nearest one, the first of those that are equally near.
 * A sector is near when every word of it, or of one of the parts that “and”, “/”, “,” or “&” join, has a near word in the
 * industry. Case, accents, punctuation and words that say nothing (“services”, “industry”, …) do not count. Words are near
 * when they are equal, when one begins the other (from five letters on), when they share two thirds of the longer one from
 * the beginning (“logistik”, “logistics”), or when one letter is wrong (from five letters on; two from ten on).
 */
export const sectorFinder = (sectors: readonly string[]): ((industry: string) => string | undefined) => {
  const read = sectors.map((sector) => ({ sector, parts: partsOf(sector) }))
  const found = new Map<string, string | undefined>()
  const find = (industry: string): string | undefined => {
    const words = withJoined(wordsOf(industry))
    let nearest: { sector: string; nearness: number } | undefined
    for (const { sector, parts } of read) {
      const nearness = Math.max(...parts.map((part) => nearnessOf(part, words)))
      if (nearness > (nearest?.nearness ?? 0)) nearest = { sector, nearness }
    }
    return nearest?.sector
  }
  return (industry) => {
    if (!found.has(industry)) found.set(industry, find(industry))
    return found.get(industry)
  }
}

/** The same for all ways to write one sector. */
export const sectorKey = (sector: string): string => wordsOf(sector).join(' ')

/** How much two words have in common: 1 when they are equal, 0 when they are not near. */
const WORDS = { equal: 1, begins: 0.8, shares: 0.7, misspelt: 0.6 }

/** Each word more that fits makes a sector nearer than any difference in spelling: “medical devices” before “devices”. */
const MORE_WORDS = 10

const nearnessOf = (part: string[], words: readonly string[]): number => {
  let sum = 0
  for (const word of part) {
    const best = Math.max(0, ...words.map((other) => wordNearness(word, other)))
    if (best === 0) return 0
    sum += best
  }
  return part.length === 0 ? 0 : sum / part.length + MORE_WORDS * part.length
}

const wordNearness = (a: string, b: string): number => {
  if (a === b) return WORDS.equal
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  if (short.length >= 5 && long.startsWith(short)) return WORDS.begins
  const alike = sharedBeginning(a, b)
  if (alike >= 4 && alike * 3 >= long.length * 2) return WORDS.shares
  if (short.length < 5 || a[0] !== b[0]) return 0
  return isMisspelt(a, b, short.length < 10 ? 1 : 2) ? WORDS.misspelt : 0
}

const sharedBeginning = (a: string, b: string): number => {
  let n = 0
  while (n < a.length && a[n] === b[n]) n += 1
  return n
}

/** Whether one becomes the other by so many letters that are added, dropped, changed or swapped with their neighbour. */
const isMisspelt = (a: string, b: string, letters: number): boolean => {
  if (a === b) return true
  if (letters === 0 || Math.abs(a.length - b.length) > letters) return false
  const n = sharedBeginning(a, b)
  const [restA, restB] = [a.slice(n), b.slice(n)]
  const swapped = restA[0] === restB[1] && restA[1] === restB[0] && restA.length > 1 && restB.length > 1
  return (
    isMisspelt(restA.slice(1), restB, letters - 1) ||
    isMisspelt(restA, restB.slice(1), letters - 1) ||
    isMisspelt(restA.slice(1), restB.slice(1), letters - 1) ||
    (swapped && isMisspelt(restA.slice(2), restB.slice(2), letters - 1))
  )
}

/** “Health care” and “healthcare” are one: two words that stand together also count as one. */
const withJoined = (words: string[]): string[] => [
  ...words,
  ...words.slice(1).map((word, n) => `${words[n] ?? ''}${word}`),
]

const JOINS = /\s*(?:[,/&+|;]|\s(?:and|und|et|y|e|en)\s)\s*/

const partsOf = (sector: string): string[][] => {
  const whole = wordsOf(sector)
  const parts = foldText(sector)
    .split(JOINS)
    .map((part) => wordsOf(part))
    .filter((words) => words.length > 0)
  return parts.length > 1 ? [whole, ...parts] : [whole]
}

/** What many sectors are called beside what they are. */
const SAYS_NOTHING = new Set(
  'and und et y e en of the for der die das de la le industry industries industrie branche sector sectors service services dienstleistungen company companies group general other products solutions'.split(
    ' ',
  ),
)

const wordsOf = (text: string): string[] => {
  const words = foldText(text)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
  const telling = words.filter((word) => !SAYS_NOTHING.has(word))
  return telling.length > 0 ? telling : words
}
