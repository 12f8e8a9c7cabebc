/** What parts the whole from the fraction. */
export type Decimal = '.' | ','

/**
 * A number as plain digits with a point, such as `-1234.50`, of one written with this decimal separator and any usual grouping;
 * also with the other one where grouping leaves no doubt. Undefined when it is none.
 */
export const readNumber = (text: string, style: Decimal): string | undefined => {
  if (text.length > LONGEST) return EXPANDED.test(text) && text.length <= LONGEST_EXPANDED ? text : undefined
  const { digits, negative, stated } = unsigned(plain(text))
  const decimal = stated ?? style
  const other = decimal === '.' ? ',' : '.'
  const read = FORMS[decimal].test(digits)
    ? ungrouped(digits, decimal)
    : digits.includes('.') && digits.includes(',') && FORMS[other].test(digits)
      ? ungrouped(digits, other)
      : undefined
  if (read === undefined) return undefined
  return negative && /[1-9]/.test(read) ? `-${read}` : read
}

/** A number as plain digits with a point, as `readNumber` reads it back in a file of any style. */
export const writeNumber = (value: number): string => {
  const [, sign = '', first = '', rest = '', power] =
    /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(value)) ?? []
  if (power === undefined) return unmistakable(String(value))
  const [digits, places] = [`${first}${rest}`, Number(power)]
  return places < 0
    ? unmistakable(`${sign}0.${'0'.repeat(-places - 1)}${digits}`)
    : `${sign}${digits.padEnd(places + 1, '0')}`
}

/** A fraction of three digits looks like a group of thousands to whoever knows no other number of the file. */
export const unmistakable = (digits: string): string => (/\.\d{3}$/.test(digits) ? `${digits}0` : digits)

/** What a number tells of the decimal separator of its file: for which it speaks, and how much. */
export const separatorOf = (text: string): { decimal: Decimal; weight: number } | undefined => {
  if (text.length > LONGEST) return undefined
  const { digits } = unsigned(plain(text))
  if (!/^[\d.,' ]*[.,][\d.,' ]*$/.test(digits)) return undefined
  const point = FORMS['.'].test(digits)
  const comma = FORMS[','].test(digits)
  if (point !== comma) return { decimal: point ? '.' : ',', weight: 1 }
  // "1.234" is a group more often than three decimals.
  return point ? { decimal: digits.includes('.') ? ',' : '.', weight: 0.2 } : undefined
}

/** Whether it is a number in some style. */
export const isNumber = (text: string): boolean =>
  readNumber(text, '.') !== undefined || readNumber(text, ',') !== undefined

/** What was probably meant by a cell that is no number in its file's style. */
export const nearestNumber = (text: string, decimal: Decimal): string | undefined => {
  if (text.length > LONGEST) return undefined
  const cell = plain(text)
  const [, short = '', unit = ''] = /^(.*\d)\s*(k|m|mio|mrd|bn|tsd)\.?$/i.exec(cell) ?? []
  if (unit !== '') {
    const number = Number(readNumber(short, decimal)) * (UNITS[unit.toLowerCase()] ?? 1)
    return Number.isFinite(number) ? String(Math.round(number * 100) / 100) : undefined
  }
  if (/^[+-]?\d+(?:[.,]\d+)?e[+-]?\d{1,2}$/i.test(cell)) return String(Number(cell.replace(',', '.')))
  const bare = cell.replace(/\s*%$/, '')
  return readNumber(bare, decimal) ?? readNumber(bare, decimal === '.' ? ',' : '.')
}

const UNITS: Record<string, number> = { k: 1e3, tsd: 1e3, m: 1e6, mio: 1e6, mrd: 1e9, bn: 1e9 }

/** No number is longer; what would take long to look at is none. */
const LONGEST = 40
/** But for very large and very small ones with no more figures than are kept, as `writeNumber` writes them. */
const EXPANDED = /^-?(?:0\.0+[1-9]\d{0,16}|[1-9]\d{0,16}0+)$/
const LONGEST_EXPANDED = 350

/** Plain digits, or groups of three (of two and three in India) parted by anything but the decimal separator. */
const FORMS: Record<Decimal, RegExp> = {
  '.': /^(?:\d+|\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d{1,3}(?: \d{3})+|\d{1,3}(?:'\d{3})+)(?:\.\d*)?$|^\.\d+$/,
  ',': /^(?:\d+|\d{1,3}(?:\.\d{3})+|\d{1,3}(?: \d{3})+|\d{1,3}(?:'\d{3})+)(?:,\d*)?$|^,\d+$/,
}

const plain = (text: string): string =>
  text
    .replaceAll(/[\s\u00a0\u2007\u2009\u202f]/g, ' ')
    .replaceAll(/[−–‒﹣－]/g, '-')
    .replaceAll(/[’‘´`]/g, "'")
    .trim()

const unsigned = (text: string): { digits: string; negative: boolean; stated?: Decimal } => {
  const bracketed = /^\((.*)\)$/.exec(text)?.[1]
  if (bracketed !== undefined) return { digits: bracketed.trim(), negative: true }
  if (text.startsWith('-')) return { digits: text.slice(1).trim(), negative: true }
  if (text.startsWith('+')) return { digits: text.slice(1).trim(), negative: false }
  if (!/[-–—]$/.test(text)) return { digits: text, negative: false }
  // "1.200,-" is an even amount, "5-" a negative one.
  const [, even, stated] = /^(.*\d)([.,])[-–—]+$/.exec(text) ?? []
  if (even !== undefined) return { digits: even, negative: false, stated: stated === '.' ? '.' : ',' }
  return { digits: text.slice(0, -1).trim(), negative: true }
}

const ungrouped = (digits: string, decimal: Decimal): string => {
  const [whole = '', fraction = ''] = digits.split(decimal)
  const figures = whole.replaceAll(/[^\d]/g, '').replace(/^0+(?=\d)/, '')
  return `${figures === '' ? '0' : figures}${fraction === '' ? '' : `.${fraction}`}`
}
