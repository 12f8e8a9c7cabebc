import { stylesOf, type DateStyle } from './csv-dates.ts'
import { withoutCurrency } from './csv-money.ts'
import { isNumber, separatorOf, type Decimal } from './csv-numbers.ts'

/** How the numbers and dates of a file are written, and how sure that is. */
export type CellStyles = {
  decimal: Decimal
  /** What parts thousands: a point, a comma, a blank, an apostrophe, or nothing. */
  thousands: '.' | ',' | ' ' | "'" | ''
  decimal_confidence: number
  decimal_why: string
  /** Of columns that hold dates, by their name. */
  dates: Record<string, DateStyle>
  date_reasons: { column: string; style: DateStyle; confidence: number; why: string; ambiguous: boolean }[]
}

/** What the file and its owner say beside its cells. */
export type StyleHints = { delimiter: string; country?: string | null | undefined }

/** Looks at row after row, and says in the end how its numbers and dates are written. */
export type StyleWatch = { observe: (cells: readonly string[]) => void; decide: () => CellStyles }

type Seen = {
  cells: number
  dates: number
  /** Cells that are a date in this style only; `either` in both. */
  only: Record<DateStyle, number>
  either: number
  dotted: number
  clocked: number
  example: Partial<Record<DateStyle, string>>
  numbers: number
  decimals: Record<Decimal, number>
  groups: Record<string, number>
}

/** A column that is no column of dates or numbers after so many cells is none; one that is sure is looked at no longer. */
const ENOUGH = { cells: 200, sure: 1_000 }

/** Watches the columns of a file. */
export const watchStyles = (columns: readonly string[], hints: StyleHints): StyleWatch => {
  const seen = columns.map((): Seen => ({
    cells: 0,
    dates: 0,
    only: { ymd: 0, dmy: 0, mdy: 0 },
    either: 0,
    dotted: 0,
    clocked: 0,
    example: {},
    numbers: 0,
    decimals: { '.': 0, ',': 0 },
    groups: {},
  }))
  return {
    observe: (cells) => {
      for (const [n, one] of seen.entries()) {
        const cell = cells[n]
        if (cell && !isKnown(one)) look(one, cell)
      }
    },
    decide: () => decide(columns, seen, hints),
  }
}

const isKnown = (seen: Seen): boolean => {
  const { cells, dates, numbers, only, decimals } = seen
  if (cells < ENOUGH.cells) return false
  if (dates + numbers < cells / 2) return true
  if (cells < ENOUGH.sure) return false
  // What is undecided is looked at until the last row.
  return numbers > dates ? decimals['.'] !== decimals[','] : only.dmy + only.mdy > 0 || seen.either === 0
}

const look = (seen: Seen, cell: string): void => {
  const text = cell.trim()
  if (text === '') return
  seen.cells += 1
  if (!/\d/.test(text)) return
  const styles = stylesOf(text)
  if (styles.length > 0) {
    seen.dates += 1
    if (styles.length === 2) seen.either += 1
    const [style] = styles
    if (styles.length === 1 && style) {
      seen.only[style] += 1
      seen.example[style] ??= text
    }
    if (/^\d+\./.test(text)) seen.dotted += 1
    if (/[ap]\.?m\.?$/i.test(text)) seen.clocked += 1
    return
  }
  const { rest } = withoutCurrency(text)
  // A telephone number is no number.
  if (text.startsWith('+') || !isNumber(rest)) return
  seen.numbers += 1
  const told = separatorOf(rest)
  if (told) seen.decimals[told.decimal] += told.weight
  for (const [, group = ''] of rest.matchAll(/\d([.,'’ \u00a0\u202f])(?=\d{3}(?!\d))/g))
    seen.groups[group] = (seen.groups[group] ?? 0) + 1
}

const MOSTLY = 0.8

const decide = (columns: readonly string[], seen: Seen[], hints: StyleHints): CellStyles => {
  const numeric = seen.filter(({ numbers, cells }) => numbers > 0 && numbers >= cells * MOSTLY)
  const decimal = decideDecimal(numeric, hints)
  // A column of dates may have many that are none; whatever becomes of it, what it has are dates in one style.
  const dated = columns.flatMap((column, n) => {
    const one = seen[n]
    return one && one.dates > 0 && one.dates >= one.numbers ? [{ column, seen: one }] : []
  })
  const sure = dated.map(({ seen }) => seen).filter(({ dates, cells }) => dates >= cells * MOSTLY)
  const decided = dated.map(({ column, seen }) => ({
    column,
    told: seen.dates >= seen.cells / 2,
    ...decideDate(seen, sure, decimal.decimal, hints),
  }))
  return {
    ...decimal,
    thousands: decideThousands(numeric, decimal.decimal),
    dates: Object.fromEntries(decided.map(({ column, style }) => [column, style])),
    date_reasons: decided.flatMap(({ told, ...reason }) => (told ? [reason] : [])),
  }
}

const decideDecimal = (
  numeric: Seen[],
  { delimiter }: StyleHints,
): Pick<CellStyles, 'decimal' | 'decimal_confidence' | 'decimal_why'> => {
  const sum = (decimal: Decimal): number =>
    numeric.reduce((total, { decimals }) => total + decimals[decimal], 0)
  const [point, comma] = [sum('.'), sum(',')]
  if (point === comma) {
    const decimal = delimiter === ';' ? ',' : '.'
    return {
      decimal,
      decimal_confidence: 0.5,
      decimal_why:
        point > 0
          ? 'some numbers are written with a decimal comma, as many with a decimal point'
          : `no number tells; files parted by ${delimiter === ';' ? 'semicolons mostly have a decimal comma' : 'others mostly have a decimal point'}`,
    }
  }
  const decimal = point > comma ? '.' : ','
  const [most, least] = [Math.max(point, comma), Math.min(point, comma)]
  // Groups of three alone weigh a fifth each: whole, they are a guess.
  const guess = numeric.every(({ decimals }) => decimals[decimal] < 1)
  return {
    decimal,
    decimal_confidence: guess ? 0.6 : Math.round((0.99 * most * 100) / (most + least)) / 100,
    decimal_why: guess
      ? `its numbers have groups of three digits after ${decimal === ',' ? 'a point' : 'a comma'}, which are read as thousands`
      : `its numbers make sense with a decimal ${decimal === ',' ? 'comma' : 'point'}${least >= 1 ? ', though some are written the other way' : ''}`,
  }
}

const decideThousands = (numeric: Seen[], decimal: Decimal): CellStyles['thousands'] => {
  const counts = new Map<string, number>()
  for (const { groups } of numeric)
    for (const [group, count] of Object.entries(groups)) {
      const plain = group === '’' ? "'" : /[\s\u00a0\u202f]/.test(group) ? ' ' : group
      if (plain !== decimal) counts.set(plain, (counts.get(plain) ?? 0) + count)
    }
  const [first] = [...counts].toSorted((a, b) => b[1] - a[1])
  return (first?.[0] ?? '') as CellStyles['thousands']
}

type DateDecision = Omit<CellStyles['date_reasons'][number], 'column'>

const decideDate = (seen: Seen, dated: Seen[], decimal: Decimal, hints: StyleHints): DateDecision => {
  const { only, either, example } = seen
  if (either === 0 && only.dmy === 0 && only.mdy === 0)
    return {
      style: 'ymd',
      confidence: 0.99,
      why: 'the year comes first, or the month is a name',
      ambiguous: false,
    }
  if (only.dmy > 0 || only.mdy > 0) {
    const style = only.dmy >= only.mdy ? 'dmy' : 'mdy'
    const against = Math.min(only.dmy, only.mdy)
    const why = `“${example[style]}” is a date only with the ${style === 'dmy' ? 'day' : 'month'} first`
    return {
      style,
      confidence: against === 0 ? 0.99 : Math.round((only[style] * 100) / (only[style] + against)) / 100,
      why:
        against === 0
          ? why
          : `${why}, but “${example[style === 'dmy' ? 'mdy' : 'dmy']}” only the other way round`,
      ambiguous: against > 0,
    }
  }
  return { ...assume(seen, dated, decimal, hints), ambiguous: true }
}

/** Where every cell could be read both ways. */
const assume = (
  seen: Seen,
  dated: Seen[],
  decimal: Decimal,
  { delimiter, country }: StyleHints,
): { style: DateStyle; confidence: number; why: string } => {
  const day = dated.some(({ only }) => only.dmy > 0)
  const month = dated.some(({ only }) => only.mdy > 0)
  if (day !== month)
    return { style: day ? 'dmy' : 'mdy', confidence: 0.9, why: 'another column of the file is written so' }
  if (seen.dotted > 0) return { style: 'dmy', confidence: 0.9, why: 'dates with points have the day first' }
  if (seen.clocked > 0)
    return { style: 'mdy', confidence: 0.8, why: 'times with a.m. and p.m. go with the month first' }
  if (country && MONTH_FIRST.has(country))
    return {
      style: 'mdy',
      confidence: 0.7,
      why: `the month comes first in ${country}, the organization's country`,
    }
  if (country)
    return {
      style: 'dmy',
      confidence: 0.7,
      why: `the day comes first in ${country}, the organization's country`,
    }
  if (decimal === ',' || delimiter === ';')
    return {
      style: 'dmy',
      confidence: 0.7,
      why: 'files with decimal commas or semicolons mostly have the day first',
    }
  return { style: 'dmy', confidence: 0.5, why: 'most countries write the day first' }
}

const MONTH_FIRST = new Set(['US', 'PR', 'GU', 'VI', 'AS', 'MP', 'FM', 'MH', 'PW', 'PH'])
