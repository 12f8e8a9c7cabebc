import { doubleMetaphone } from 'double-metaphone'
import { commonFamilyNames, commonGivenNames } from './frequent-names.ts'
import { editDistance, foldedWords, isMistyped, isUnspaced } from './folding.ts'
import { isNicknameOf, properName } from './nicknames.ts'

/** A person's name in its parts, as they are compared. */
export type PersonName = {
  /** In the order they are said: the first is the given name, the last the family name. */
  words: string[]
  /** `jr` or `sr`, or a number such as `iii`: which one of a family. */
  generation: string | null
}

/** How far two names agree, what that is worth, and how it is said. */
export type NameLikeness = {
  agrees: 'wholly' | 'partly' | 'no' | 'unknown'
  /** Whether it is one name, written in two ways: no half of it is missing, or another one that only looks like it. */
  same: boolean
  points: number
  reason: string
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

/** Always a title. */
const TITLES = words(
  'mr mrs ms mx dr doktor prof professor dipl ing phd mba msc bsc llm herr frau monsieur madame mme mlle srta senor senora signor signora dott',
)
/** A title in front of a whole name; names, too. */
const PERHAPS_TITLES = words('miss sir dame hr fr sr sra don dona sig pan pani mag med')
/** What stands before many surnames and is left out, or written together, as often as not. */
const PARTICLES = words(
  'van von vom zu zum zur der den dem de del della di da dos das do du la le las los el al bin ibn ben abu ter ten op af av mc mac st',
)
const GENERATIONS: Record<string, string> = {
  jr: 'jr',
  jun: 'jr',
  junior: 'jr',
  jnr: 'jr',
  ii: 'ii',
  iii: 'iii',
  iv: 'iv',
  sen: 'sr',
  senior: 'sr',
  snr: 'sr',
}

/** Reads a name: titles and particles fall away, `Berg, Anna` is Anna Berg, `jun.` and `III` stand apart. */
export const readName = (text: string): PersonName => {
  const [before = '', ...after] = text.split(',')
  const tail = after.join(' ')
  const turned = foldedWords(tail).some((word) => !isBeside(word)) ? `${tail} ${before}` : text
  const all = foldedWords(turned)
  // “Sr” is a title in front and a generation behind.
  const generation = all.slice(1).findLast((word) => word === 'sr' || word in GENERATIONS)
  const called = all.filter((word, n) => n === 0 || word !== generation)
  return {
    words: without(called),
    generation: generation === undefined ? null : (GENERATIONS[generation] ?? 'sr'),
  }
}

const without = (all: string[]): string[] => {
  const kept = all.filter((word) => !TITLES.has(word))
  while (kept.length > 2 && PERHAPS_TITLES.has(kept[0] ?? '')) kept.shift()
  const own = kept.filter((word, n) => n === 0 || n === kept.length - 1 || !PARTICLES.has(word))
  const [named] = [own, kept, all].filter((words, n) => words.length > (n === 0 && kept.length > 1 ? 1 : 0))
  return named ?? []
}

const isBeside = (word: string): boolean => word in GENERATIONS || TITLES.has(word)

/** Codes of words that sound alike: the word itself where its script has no such code. */
export const soundOf = (word: string): string => {
  const [code] = doubleMetaphone(word)
  return code === '' || /\d/.test(word) ? word : code
}

/** How a given name is looked for: by the sound of the name that it stands for. */
export const givenSound = (word: string): string => soundOf(properName(word))

/** Two names, side by side. */
export const compareNames = (one: PersonName, other: PersonName): NameLikeness => {
  const [a, b] = one.words.length <= other.words.length ? [one.words, other.words] : [other.words, one.words]
  const compared =
    a.length === 0 ? UNKNOWN : a.length === 1 ? compareSingle(a[0] ?? '', b) : compareWhole(a, b)
  if (compared.agrees === 'no' || compared.agrees === 'unknown') return compared
  if (one.generation === other.generation) return compared
  return {
    ...NO,
    points: compared.points - (one.generation && other.generation ? 80 : 45),
    reason: `${compared.reason}, but another generation (${one.generation ?? 'none'} and ${other.generation ?? 'none'})`,
  }
}

const NO = { agrees: 'no', same: false } as const
const UNKNOWN: NameLikeness = { agrees: 'unknown', same: false, points: 0, reason: 'One has no name' }

/** What agreeing on a name is worth: more for a rare one. */
const worth = {
  given: (...words: string[]): number =>
    words.some((word) => commonGivenNames.has(word) || isUnspaced(word)) ? 12 : 18,
  // How rare a name is in scripts without spaces is not known; it is a little more than a common one.
  family: (...words: string[]): number =>
    words.some(isUnspaced) ? 15 : words.some((word) => commonFamilyNames.has(word)) ? 14 : 24,
}

/** `other` where it is more likely another name than the same with a slip. */
type Agreement = { share: number; how: string; other?: true }
const SAME: Agreement = { share: 1, how: '' }

const compareGiven = (a: string, b: string): Agreement | undefined => {
  if (a === b) return SAME
  // Each sign means something: another one is another name, and one alone is no initial.
  if (isUnspaced(a) || isUnspaced(b)) return undefined
  const known = commonGivenNames.has(a) && commonGivenNames.has(b)
  if (isNicknameOf(a, b)) return { share: known ? 0.6 : 0.9, how: `“${a}” for “${b}”` }
  if (a.length === 1 || b.length === 1) return a[0] === b[0] ? { share: 0.35, how: 'an initial' } : undefined
  if (known) return undefined
  if (a[0] !== b[0]) {
    // Anna is not Hanna; a long name with another first letter is a slip.
    return Math.min(a.length, b.length) >= 6 && editDistance(a, b, 1) <= 1
      ? { share: 0.6, how: `“${a}” and “${b}” are one slip apart` }
      : undefined
  }
  // And Simone is not Simon with a slip.
  if (isOtherEnding(a, b)) return { share: 0.3, how: `“${a}” and “${b}” end differently`, other: true }
  if (isMistyped(a, b)) return { share: 0.75, how: `“${a}” and “${b}” are one slip apart` }
  if (Math.min(a.length, b.length) === 3 && editDistance(a, b, 1) <= 1)
    return { share: 0.5, how: `“${a}” and “${b}” are one slip apart` }
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  if (short.length >= 3 && long.startsWith(short) && !commonGivenNames.has(short))
    return { share: 0.6, how: `“${short}” begins “${long}”` }
  if (short.length >= 4 && a[0] === b[0] && soundOf(a) === soundOf(b) && editDistance(a, b, 3) <= 3)
    return { share: 0.6, how: `“${a}” sounds like “${b}”` }
  return undefined
}

/** The last letter tells a man's name from a woman's in many languages. */
const isOtherEnding = (a: string, b: string): boolean =>
  a.slice(0, -1) === b.slice(0, -1) || a.slice(0, -1) === b || a === b.slice(0, -1)

const compareFamily = (a: string, b: string): Agreement | undefined => {
  if (a === b) return SAME
  if (isUnspaced(a) || isUnspaced(b)) return undefined
  if (a.length === 1 || b.length === 1) return a[0] === b[0] ? { share: 0.2, how: 'an initial' } : undefined
  const alike = a[0] === b[0] && a.length >= 4 && soundOf(a) === soundOf(b) && editDistance(a, b, 2) <= 2
  const known = commonFamilyNames.has(a) && commonFamilyNames.has(b)
  if (known) return alike ? { share: 0.4, how: `“${a}” sounds like “${b}”` } : undefined
  if (isMistyped(a, b)) return { share: 0.75, how: `“${a}” and “${b}” are one slip apart` }
  return alike ? { share: 0.6, how: `“${a}” sounds like “${b}”` } : undefined
}

const compareSingle = (word: string, others: string[]): NameLikeness => {
  const [first = ''] = others
  const last = others.at(-1) ?? ''
  const whole = others.length === 1
  if (isUnspaced(word)) {
    const unspaced = compareUnspaced(word, others)
    if (unspaced) return unspaced
  }
  if (!whole && word === others.join(''))
    return { agrees: 'wholly', same: true, points: 20, reason: 'Same name, written together' }
  const given = compareGiven(word, first)
  const family = isOtherGiven(word, last) ? undefined : compareFamily(word, last)
  const same = whole && (word === last || (given !== undefined && !given.other))
  if (family) {
    const points = Math.round(worth.family(word, last) * family.share * (whole ? 0.7 : 0.45))
    return {
      agrees: 'partly',
      same,
      points,
      reason: whole ? say('Same name', [family]) : `“${word}” is all that one has of the name`,
    }
  }
  if (given) return { agrees: 'partly', same, points: 4, reason: `“${word}” is all that one has of the name` }
  return { ...NO, points: -35, reason: 'Other name' }
}

/** In scripts that set no space between the names, one word is a whole name from two signs on. */
const compareUnspaced = (word: string, others: string[]): NameLikeness | undefined => {
  const [one, other] = [word.normalize('NFC'), others.join('').normalize('NFC')]
  if (one === other && one.length > 1)
    return {
      agrees: 'wholly',
      same: true,
      points: worth.given(word) + worth.family(word),
      reason: others.length === 1 ? 'Same name' : 'Same name, written together',
    }
  const [short, long] = one.length < other.length ? [one, other] : [other, one]
  if (one === other || !(long.startsWith(short) || long.endsWith(short))) return undefined
  return { agrees: 'partly', same: false, points: 4, reason: `“${short}” is all that one has of the name` }
}

/** John is not Joan with a slip, whichever half of a name they are. */
const isOtherGiven = (a: string, b: string): boolean =>
  a !== b && commonGivenNames.has(a) && commonGivenNames.has(b)

const compareWhole = (a: string[], b: string[]): NameLikeness => {
  if (a.join('') === b.join('')) return wholly(a, b, SAME, SAME, [])
  const [numbers, others] = [a, b].map((words) => words.filter((word) => /\d/.test(word)).join(' '))
  if (numbers !== '' && others !== '' && numbers !== others)
    return { ...NO, points: -60, reason: 'Another number' }
  const straight = inOrder(a, b)
  if (straight.agrees === 'wholly') return straight
  const [first = '', last = ''] = [a[0], a.at(-1)]
  const turned = [
    [last, ...a.slice(0, -1)],
    [...a.slice(1), first],
  ]
    .map((words) => inOrder(words, b))
    // An initial, or one half of it, fits too many when the order is open, too.
    .find(({ agrees, points }) => agrees === 'wholly' && points > 20)
  if (turned) return { ...turned, points: turned.points - 3, reason: `${turned.reason}, in the other order` }
  if (!a.every((word) => word.length > 1 && b.includes(word))) return straight
  return {
    agrees: 'wholly',
    same: true,
    points: wholly(a, b, SAME, SAME, []).points - 6,
    reason: 'Same name, one with more of it',
  }
}

const inOrder = (a: string[], b: string[]): NameLikeness => {
  const given = compareGiven(a[0] ?? '', b[0] ?? '') ?? compareDouble(a, b)
  const family = compareFamily(a.at(-1) ?? '', b.at(-1) ?? '') ?? comparePart(a.slice(1), b.slice(1))
  if (given && family) return wholly(a, b, given, family, butOf(a, b))
  if (family) return { ...NO, points: -25, reason: 'Same surname, other first name' }
  if (given) return { ...NO, points: given.share === 1 ? -25 : -35, reason: 'Same first name, other surname' }
  return { ...NO, points: -60, reason: 'Other name' }
}

const wholly = (a: string[], b: string[], given: Agreement, family: Agreement, but: But[]): NameLikeness => {
  const first = worth.given(a[0] ?? '', b[0] ?? '') * given.share
  const last = worth.family(a.at(-1) ?? '', b.at(-1) ?? '') * family.share
  // Two doubtful halves are less than half as good as one.
  const doubt = given.share < 1 && family.share < 1 ? 4 : 0
  return {
    agrees: 'wholly',
    same: [given, ...but].every(({ other }) => !other),
    points: but.reduce((sum, { points }) => sum + points, Math.round(first + last) - doubt),
    reason: [say('Same name', [given, family]), ...but.map(({ how }) => how)].join(', '),
  }
}

/** “Hans Peter” and “Hanspeter”. */
const compareDouble = (a: string[], b: string[]): Agreement | undefined =>
  a.length !== b.length && (a[0] === b.slice(0, 2).join('') || b[0] === a.slice(0, 2).join(''))
    ? SAME
    : undefined

/** Of a double name one half is left out. */
const comparePart = (a: string[], b: string[]): Agreement | undefined =>
  a.some((word) => word.length >= 3 && b.includes(word))
    ? { share: 0.6, how: 'one of two surnames' }
    : a.join('') === b.join('')
      ? SAME
      : undefined

type But = Omit<Agreement, 'share'> & { points: number }

/** What stands between first name and surname speaks against it where it differs, and a little where one has more of it. */
const butOf = (a: string[], b: string[]): But[] => {
  const [one, other] = [a.slice(1, -1), b.slice(1, -1)]
  if (one.length > 0 && other.length > 0)
    return one.some((word) => other.some((with_) => word[0] === with_[0]))
      ? []
      : [{ points: -12, how: 'middle names differ', other: true }]
  return [...one, ...other].some((word) => word.length > 1)
    ? [{ points: -6, how: 'one with more of it' }]
    : []
}

const say = (what: string, agreements: Agreement[]): string =>
  [what, ...agreements.map(({ how }) => how).filter((how) => how !== '')].join(', ')
