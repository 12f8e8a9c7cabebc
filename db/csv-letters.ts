import type { CsvEncoding } from './csv-encoding.ts'

/**
 * How natural the words of a text are when it is read in an encoding: the mean, over its characters beyond ASCII, of the
 * logarithm of how often a reader of that encoding's languages meets the character in such a place. 0 is natural, -7 is noise.
 */
export const naturalness = (text: string, encoding: CsvEncoding): number => {
  const likely = weightsOf(encoding)
  let sum = PRIOR[encoding] ?? 0
  let count = 0
  for (const [word] of text.matchAll(WORDS)) {
    if (!BEYOND.test(word)) continue
    const characters = Array.from(word)
    let run = 0
    characters.forEach((character, n) => {
      if (character <= '\u007f') {
        run = 0
        return
      }
      run += 1
      count += 1
      sum += Math.log(
        (likely.get(character) ?? otherwise(character)) * fitting(characters, n, run, likely.alone),
      )
    })
  }
  return count === 0 ? -10 : sum / count
}

/** Whatever stands between the separators that tables have. */
const WORDS = /[^\s,;|"]+/gu
const BEYOND = /[^\p{ASCII}]/u

/** Where letters would be read equally well, what is more common is meant. */
const PRIOR: Partial<Record<CsvEncoding, number>> = {
  'windows-1252': 0.7,
  'windows-1250': 0.2,
  'windows-1251': 0.2,
}

/** How often a character is met that belongs to none of the languages. */
const otherwise = (character: string): number => {
  if (isLetter(kindOf(character))) return 0.02
  if (/[\u0080-\u009f\ufffd]/u.test(character)) return 0.001
  return /[–—‘’‚“”„«»…•·°§®™©€£]/u.test(character) ? 0.15 : 0.01
}

/** How well a character goes with its neighbours: its case, its script, and whether letters stand where letters are wanted. */
const fitting = (word: string[], n: number, run: number, alone: boolean): number => {
  const [kind, before, after] = [kindOf(word[n]), kindOf(word[n - 1]), kindOf(word[n + 1])]
  if (!isLetter(kind)) return kind !== 'joint' && isLetter(before) && isLetter(after) ? 0.05 : 1
  let fit = 1
  // A capital within a small word; "McÉwan" is rarer than a wrong encoding.
  if (kind === 'capital' && before === 'small') fit *= 0.05
  if (kind === 'small' && before === 'capital' && after === 'capital') fit *= 0.1
  // A digit or a sign glued to it, as in "M³ller".
  if (before === 'sign' || after === 'sign') fit *= 0.3
  if (alone) {
    // Scripts with all their letters beyond ASCII do not mix with Latin ones in a word.
    if (isLatin(word[n - 1]) || isLatin(word[n + 1])) fit *= 0.02
  } else {
    if (run > 2) fit *= 0.15
    // "Jiøí" is "Jiří" misread, and "Gyõr" is "Győr": Portuguese has an õ before an e.
    if (run === 2 && isVowel(word[n]) && isVowel(word[n - 1])) fit *= 0.2
    if (word[n] === 'õ' && !/[eiu]/i.test(word[n + 1] ?? '')) fit *= 0.3
    if (word[n] === 'ç' && /[b-df-hj-np-tv-xz]/i.test(word[n + 1] ?? '')) fit *= 0.1
  }
  return fit
}

type Kind = 'capital' | 'small' | 'letter' | 'sign' | 'joint' | 'none'

const kindOf = (character = ''): Kind => {
  const known = kinds.get(character)
  if (known) return known
  const kind = tellKind(character)
  kinds.set(character, kind)
  return kind
}

const tellKind = (character: string): Kind => {
  if (/\p{Lu}/u.test(character)) return 'capital'
  if (/\p{Ll}/u.test(character)) return 'small'
  if (/\p{L}/u.test(character)) return 'letter'
  if (/[\p{N}\p{S}]/u.test(character)) return 'sign'
  return /[’·'-]/.test(character) ? 'joint' : 'none'
}

/** What was told of a character; an encoding has few. */
const kinds = new Map<string, Kind>()

const isLetter = (kind: Kind): boolean => kind === 'capital' || kind === 'small' || kind === 'letter'

const isVowel = (character = ''): boolean => /^[aeiouyøæœ]/i.test(character.normalize('NFD'))

const isLatin = (character = ''): boolean => /^[A-Za-z]$/.test(character)

type Weights = { get: (character: string) => number | undefined; alone: boolean }

/** Letters in three tiers, from everyday to rare, small ones only: capitals count the same. */
type Letters = { tiers: readonly [often: string, sometimes: string, rarely: string]; alone: boolean }

const western: Letters = {
  tiers: ['éüöäèßçáàñóíãåø', 'êôâúæõëïîûòù', 'ìýðþœšžÿ¿¡ªº'],
  alone: false,
}
const central: Letters = {
  tiers: ['áéíóčšžłýřěęążśöüä', 'úůćńőßźăűťďňđôş', 'ľțşţâîëçĺŕ'],
  alone: false,
}
const russian: Letters = { tiers: ['оеаинтсрвлкмдпуя', 'ыьгзбчйхжшюцщэфіїє', 'ъёґўјљњћџђѓќѕ№'], alone: true }
const greek: Letters = { tiers: ['αοιετσνηυρπκμλς', 'άόίέήύώωγδθχφβξζψ', 'ϊϋΐΰ'], alone: true }
const turkish: Letters = { tiers: ['ışğüöçi', 'İâ', 'îû'], alone: false }
const hebrew: Letters = { tiers: ['יוהלארתבשמ', 'נםדקעחפןכגזסטץךףצ', ''], alone: true }
const arabic: Letters = { tiers: ['اليمنرتبوسد', 'حعقفةكشهجطصخىأإءئذغضظزث', 'آؤپچژگ'], alone: true }
const baltic: Letters = { tiers: ['āšėūžīčē', 'ųąęįõäöü', 'ļņķģŗōé'], alone: false }

const languages: Partial<Record<CsvEncoding, Letters>> = {
  'windows-1252': western,
  'iso-8859-15': western,
  macintosh: western,
  ibm850: western,
  'windows-1250': central,
  'iso-8859-2': central,
  'windows-1251': russian,
  'koi8-u': russian,
  ibm866: russian,
  'iso-8859-5': russian,
  'windows-1253': greek,
  'windows-1254': turkish,
  'windows-1255': hebrew,
  'windows-1256': arabic,
  'windows-1257': baltic,
}

/** How often letters of each tier are met. */
const TIERS = [1, 0.4, 0.08]

const weightsOf = (encoding: CsvEncoding): Weights => {
  const letters = languages[encoding]
  if (!letters) return { get: (character) => eastern(encoding, character), alone: true }
  const weights = new Map<string, number>()
  letters.tiers.forEach((tier, n) => {
    for (const letter of tier)
      for (const one of [letter, letter.toUpperCase()])
        weights.set(one, Math.max(weights.get(one) ?? 0, TIERS[n] ?? 0))
  })
  return { get: (character) => weights.get(character), alone: letters.alone }
}

/** Characters that East Asian texts are made of. */
const eastern = (encoding: CsvEncoding, character: string): number => {
  const point = character.codePointAt(0) ?? 0
  const japanese = encoding === 'shift_jis' || encoding === 'euc-jp'
  if (point >= 0x30_41 && point <= 0x30_ff) return japanese ? 1 : 0.05
  if (point >= 0xac_00 && point <= 0xd7_a3) return encoding === 'euc-kr' ? 1 : 0.01
  if (point >= 0x4e_00 && point <= 0x9f_ff) return everyday(encoding).has(character) ? 0.8 : 0.05
  if (point >= 0x30_00 && point <= 0x30_40) return 0.5
  if (point >= 0xff_01 && point <= 0xff_5e) return 0.4
  return point >= 0xff_61 && point <= 0xff_9f ? (japanese ? 0.05 : 0.01) : 0.02
}

/** The ideographs that a standard lists first, because they are in everyday use: rows of its code table. */
const everyday = (encoding: CsvEncoding): Set<string> => {
  const known = ideographs.get(encoding)
  if (known) return known
  const [from, to] = EVERYDAY[encoding] ?? [1, 0]
  const bytes: number[] = []
  for (let row = from; row <= to; row++)
    for (let cell = 0x40; cell <= 0xfe; cell++)
      if (cell !== 0x7f && (encoding === 'shift_jis' || cell < 0x7f || cell > 0xa0)) bytes.push(row, cell)
  const set = new Set(new TextDecoder(encoding).decode(new Uint8Array(bytes)))
  ideographs.set(encoding, set)
  return set
}

const ideographs = new Map<CsvEncoding, Set<string>>()

const EVERYDAY: Partial<Record<CsvEncoding, [from: number, to: number]>> = {
  shift_jis: [0x88, 0x98],
  'euc-jp': [0xb0, 0xcf],
  gb18030: [0xb0, 0xd7],
  big5: [0xa4, 0xc6],
}
