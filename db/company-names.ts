import { bigCities } from './frequent-names.ts'
import { editDistance, foldedWords, isMistyped } from './folding.ts'

/** A company's name as it is compared. */
export type CompanyName = {
  /** Without its legal form and what stands in every name. */
  words: string[]
  /** `gmbh`, `inc`, …; null where none is given. */
  form: string | null
}

/** Legal forms, each with the word that stands for those that mean the same. */
const FORMS: Record<string, string> = Object.fromEntries(
  [
    'gmbh mbh ggmbh gesmbh',
    'ug haftungsbeschrankt',
    'ag aktiengesellschaft',
    'kg kommanditgesellschaft kgaa',
    'ohg gbr ek ev eg',
    'inc incorporated corp corporation',
    'llc lc',
    'ltd limited pty pte pvt private',
    'plc',
    'llp lp',
    'co company cie compagnie',
    'sarl sasu sas eurl',
    'sa societe anonyme',
    'sl slu limitada',
    'srl srls sprl',
    'spa',
    'bv besloten',
    'nv vof',
    'ab aktiebolag',
    'as asa aps',
    'oy oyj',
    'se',
    'sp zoo spolka zo',
    'sro',
    'kft zrt bt',
    'doo dd',
    'lda ltda',
    'kk',
    'gp',
  ].flatMap((line) => {
    const forms = line.split(' ')
    return forms.map((form) => [form, forms[0] ?? form])
  }),
)
/** Those that are written without a space before or behind the name, the longer first. */
const ATTACHED_FORMS: readonly [RegExp, form: string][] = [
  [/株式[会會]社|\(株\)/g, 'kk'],
  [/有限[会會]社|\(有\)/g, 'yk'],
  [/合同[会會]社|\(同\)/g, 'gk'],
  [/股[份分]有限公司/g, 'plc'],
  [/有限(?:[责責]任)?公司/g, 'ltd'],
  [/주식회사|\(주\)/g, 'jusik'],
  [/유한(?:책임)?회사|\(유\)/g, 'yuhan'],
]
/** What so many companies call themselves beside their name that it tells nothing. */
const FILLING = new Set(
  'the die der das le la les el los and und et e y i of for von group gruppe groupe grupo gruppo holding holdings international global worldwide mit'.split(
    ' ',
  ),
)
/** What a company does: it tells companies apart only together with something else. */
const TRADES = new Set(
  'solutions services service systems system technologies technology tech software consulting consultants partners partner associates media digital studio studios labs design marketing agency agentur logistics transport trading handel import export industries industry engineering construction bau energy health medical pharma foods food restaurant hotel cafe bakery backerei shop store stores market bank insurance finance capital investment investments properties immobilien real estate law legal school academy university college clinic praxis center centre zentrum institute foundation verein club auto cars motors travel tours events it data cloud security network networks communications'.split(
    ' ',
  ),
)

/** Reads a company's name: `Café Müller GmbH & Co. KG` is `caf muller`, a `gmbh`. */
export const readCompany = (text: string): CompanyName => {
  // One sign may stand for a whole form: ㈱ is (株).
  const composed = text.normalize('NFKC')
  const attached = ATTACHED_FORMS.filter(([written]) => composed.search(written) >= 0)
  const bare = attached.reduce((name, [written]) => name.replaceAll(written, ' '), composed)
  const spelt = (bare.trim() === '' ? composed : bare)
    .replaceAll(/\b(\p{L})\.(?=\s?\p{L}(?:\.|\b))/gu, '$1')
    .replaceAll(/(?<=\b\p{L})\s(?=\p{L}\.)/gu, '')
  const all = foldedWords(spelt)
  const forms = [
    ...attached.map(([, form]) => form),
    ...all.filter((word, n) => n > 0 && word in FORMS).map((word) => FORMS[word] ?? word),
  ]
  const named = all.filter((word, n) => !(n > 0 && word in FORMS) && !FILLING.has(word))
  return {
    words: named.length > 0 ? named : all,
    form: forms[0] ?? null,
  }
}

/** How far two companies' names agree: 1 is the same, 0 another; what is said of it. */
export type CompanyLikeness = { share: number; reason: string }

/** Two companies' names, side by side. */
export const compareCompanies = (one: CompanyName, other: CompanyName): CompanyLikeness => {
  const [a, b] = one.words.length <= other.words.length ? [one.words, other.words] : [other.words, one.words]
  const [short, long] = [a.join(''), b.join('')]
  if (short === '' || long === '') return { share: 0, reason: 'One has no company' }
  const form =
    one.form !== null && other.form !== null && one.form !== other.form ? ', another legal form' : ''
  const less = form === '' ? 0 : 0.45
  if (short === long || [...a].toSorted().join(' ') === [...b].toSorted().join(' '))
    return { share: 1 - less, reason: `Same company${form}` }
  if (isOneSlipApart(a, b))
    return {
      share: 0.85 - less,
      reason: `Company one slip apart: “${a.join(' ')}” and “${b.join(' ')}”${form}`,
    }
  const missing = a.filter(
    (word) => !b.some((candidate) => word === candidate || isMistyped(word, candidate)),
  )
  const more = b.filter((word) => !a.some((candidate) => word === candidate || isMistyped(word, candidate)))
  if (
    missing.length === 0 &&
    a.some((word) => !TRADES.has(word) && word.length >= 3 && !bigCities.has(word))
  ) {
    // “Brightside” and “Brightside Coffee”; a place beside the name is a branch of its own.
    return more.some((word) => bigCities.has(word) || /\d/.test(word))
      ? { share: 0.3, reason: `A branch of the same company${form}` }
      : { share: 0.65 - less, reason: `One company’s name is part of the other’s${form}` }
  }
  const initials = b.map((word) => word[0]).join('')
  if (a.length === 1 && short.length >= 3 && short === initials)
    return { share: 0.6 - less, reason: `“${short}” are the initials of “${b.join(' ')}”${form}` }
  return { share: 0, reason: 'Other company' }
}

/** Word by word, so that “Krone Tools” is not “Krone Foods”; as a whole where a space is one slip. */
const isOneSlipApart = (a: string[], b: string[]): boolean => {
  const [one, other] = [a.join(''), b.join('')]
  if (Math.min(one.length, other.length) < 5 || one.replaceAll(/\D/g, '') !== other.replaceAll(/\D/g, ''))
    return false
  if (a.length !== b.length) return editDistance(one, other, 1) <= 1
  return (
    a.every((word, n) => word === b[n] || isMistyped(word, b[n] ?? '')) &&
    a.filter((word, n) => word !== b[n]).length <= 2
  )
}

/** Whether a company's domain says its name: `brightside-coffee.com` and Brightside Coffee. */
export const saysCompany = (domain: string, { words }: CompanyName): boolean => {
  const label = (domain.split('.')[0] ?? '').replaceAll(/[^\p{L}\p{N}]/gu, '')
  const name = words.join('')
  if (name.length < 3 || label.length < 3) return false
  if (
    label === name ||
    (name.length >= 4 && label.startsWith(name)) ||
    (label.length >= 4 && name.startsWith(label))
  )
    return true
  return words.length > 1 && label === words.map((word) => word[0]).join('')
}
