import { splitList } from './csv-cells.ts'
import { dateExamples, nearestDate, readDate, stylesOf, type DateStyle } from './csv-dates.ts'
import type { CsvDialect } from './csv-dialect.ts'
import { currencyOf, readMoney } from './csv-money.ts'
import { nearestNumber, readNumber, type Decimal } from './csv-numbers.ts'
import { readOption, readOptions } from './csv-options.ts'
import { countryCode } from './lead-fields.ts'
import { schemaOfTarget, type ImportTarget, type TargetType } from './import-targets.ts'
import { clip } from './text.ts'

/** Why a cell cannot be read, in words for the person who sent it. */
export type CellFault = { message: string; accepted: string | string[]; nearest?: string }

/** What a cell says: a value ready for its field, null for a blank one, or why it says nothing. */
export type CellReading = { value: unknown } | { fault: CellFault }

/** How the cells of a column are written. */
export type CellStyle = { decimal: Decimal; date: DateStyle | undefined }

/** How the cells of one column of a file are written. */
export const styleOf = (
  { decimal, dates }: Pick<CsvDialect, 'decimal' | 'dates'>,
  column: string,
): CellStyle => ({
  decimal,
  date: Object.hasOwn(dates, column) ? dates[column] : undefined,
})

/**
 * How the cells of a column are read as the values of a target. Made once for a column. Values are what the record's own
 * schemas take: numbers, dates as YYYY-MM-DD, lists for tags and several choices, the value of a choice for its label; money is
 * `Money`, which becomes minor units by `minorAmount`; what is looked up is a text.
 */
export const cellReader = (target: ImportTarget, style: CellStyle): ((cell: string) => CellReading) => {
  const read = readers[target.type](target, style)
  const spared = KEPT.has(target.type) ? undefined : NOTHING
  return (cell) => {
    const text = cell.trim()
    if (text === '' || spared?.has(text.toLowerCase())) return { value: null }
    return read(text)
  }
}

/** What other programs write where there is nothing; as a text, it is one. */
const NOTHING: ReadonlySet<string> = new Set(['null', '\\n', 'n/a', '#n/a', 'nan', '-', '–', '—'])
const KEPT: ReadonlySet<TargetType> = new Set([
  'text',
  'long_text',
  'tags',
  'select',
  'multi_select',
  'reference',
])

type Reader = (target: ImportTarget, style: CellStyle) => (text: string) => CellReading

/** No address is longer; what would take long to look at is none. */
const LONGEST = 2_000

/** A reader of texts that the target's own schema takes. */
const bySchema =
  (
    accepted: string,
    prepare: (text: string) => unknown = (text) => text,
    guess?: (text: string) => string,
  ): Reader =>
  (target) => {
    const schema = schemaOfTarget(target)
    return (text) => {
      if (text.length > LONGEST) return fault(`“${clip(text, 80)}” is not ${accepted}`, accepted)
      const parsed = schema.safeParse(prepare(text))
      if (parsed.success) return { value: parsed.data }
      const nearest = guess?.(text)
      const fits = nearest !== undefined && nearest !== text && schema.safeParse(nearest).success
      return fault(`“${clip(text, 80)}” is not ${accepted}`, accepted, fits ? nearest : undefined)
    }
  }

const fault = (message: string, accepted: string | string[], nearest?: string): CellReading => ({
  fault: { message, accepted, ...(nearest === undefined ? {} : { nearest }) },
})

const text: Reader = (target) => {
  const schema = schemaOfTarget(target)
  const several = target.field === 'account' || target.field === 'contact'
  const length =
    target.type === 'long_text' || several ? 20_000 : target.field === 'landing_page' ? 2_000 : 300
  const accepted = `a text of at most ${length.toLocaleString('en')} characters`
  return (cell) => {
    const parsed = schema.safeParse(cell)
    if (parsed.success) return { value: parsed.data === '' ? null : parsed.data }
    return fault(
      `This text has ${cell.length.toLocaleString('en')} characters`,
      accepted,
      clip(cell, Math.min(length, 80)),
    )
  }
}

const integer: Reader = (target, { decimal }) => {
  const schema = schemaOfTarget(target)
  const checks = Object.hasOwn(target, 'options') || target.field.startsWith('custom.') ? undefined : schema
  return (cell) => {
    const number = readNumber(cell, decimal)
    const whole = number === undefined ? undefined : Number(number)
    const accepted = `a whole number such as ${decimal === ',' ? '1.250' : '1,250'} or 1250`
    if (whole === undefined)
      return fault(`“${clip(cell, 80)}” is not a number`, accepted, nearestWhole(cell, decimal))
    if (!Number.isSafeInteger(whole))
      return fault(`“${clip(cell, 80)}” is not a whole number`, accepted, String(Math.round(whole)))
    const parsed = checks?.safeParse(whole)
    if (!parsed || parsed.success) return { value: whole }
    const limit = parsed.error.issues[0]
    const bound =
      limit?.code === 'too_small' ? limit.minimum : limit?.code === 'too_big' ? limit.maximum : undefined
    return fault(
      `“${clip(cell, 80)}” is ${limit?.code === 'too_small' ? 'less' : 'more'} than ${String(bound)}`,
      limit?.code === 'too_small' ? `at least ${String(bound)}` : `at most ${String(bound)}`,
      bound === undefined ? undefined : String(bound),
    )
  }
}

const nearestWhole = (cell: string, decimal: Decimal): string | undefined => {
  // A range such as "11-50 employees" begins with a number.
  const number = nearestNumber(cell, decimal) ?? /^\d{1,15}(?=\D)/.exec(cell)?.[0]
  return number === undefined ? undefined : String(Math.round(Number(number)))
}

const decimal: Reader =
  (_, { decimal }) =>
  (cell) => {
    const number = readNumber(cell, decimal)
    if (number !== undefined && Number.isFinite(Number(number))) return { value: Number(number) }
    return fault(
      `“${clip(cell, 80)}” is not a number`,
      `a number such as 12${decimal}5`,
      nearestNumber(cell, decimal),
    )
  }

const money: Reader = (_, { decimal }) => {
  const accepted = `an amount such as ${decimal === ',' ? '1.200,50' : '1,200.50'}, with or without its currency`
  return (cell) => {
    const read = readMoney(cell, decimal)
    if (!read)
      return fault(`“${clip(cell, 80)}” is not an amount of money`, accepted, nearestNumber(cell, decimal))
    if (read.amount.startsWith('-'))
      return fault(`“${clip(cell, 80)}” is less than nothing`, accepted, read.amount.slice(1))
    return { value: read }
  }
}

const date: Reader = (_, { date }) => {
  const style = date ?? 'ymd'
  const accepted = style === 'ymd' ? dateExamples.ymd : `${dateExamples[style]} or ${dateExamples.ymd}`
  return (cell) => {
    const read = readDate(cell, style)
    if (read !== undefined) return { value: read }
    const why =
      stylesOf(cell).length > 0
        ? `“${clip(cell, 80)}” is not written as the column's other dates are`
        : `“${clip(cell, 80)}” is not a date`
    return fault(why, accepted, nearestDate(cell, style))
  }
}

const country: Reader = (target) => {
  const schema = schemaOfTarget(target)
  return (cell) => {
    const parsed = schema.safeParse(cell)
    if (!parsed.success)
      return fault(`“${clip(cell, 80)}” is not a country`, 'a name or an ISO 3166 code such as DE')
    // Every door keeps a country that it does not know as it was written.
    return { value: countryCode(cell) ?? parsed.data }
  }
}

const currency: Reader = (target) => {
  const schema = schemaOfTarget(target)
  return (cell) => {
    const parsed = schema.safeParse(currencyOf(cell) ?? cell.toUpperCase())
    if (parsed.success) return { value: parsed.data }
    return fault(
      `“${clip(cell, 80)}” is not a currency`,
      'an ISO 4217 code such as EUR',
      currencyOf(cell, true),
    )
  }
}

const tags: Reader = (target) => {
  const schema = schemaOfTarget(target)
  return (cell) => {
    const parsed = schema.safeParse(splitList(cell))
    if (parsed.success) return { value: parsed.data }
    return fault(
      `“${clip(cell, 80)}” cannot be read as tags`,
      'at most 50 tags of 60 characters each, parted by semicolons',
    )
  }
}

const select: Reader = ({ options = [] }) => {
  const accepted = options.filter(({ retired }) => !retired).map(({ label }) => label)
  return (cell) => {
    const { value, nearest } = readOption(options, cell)
    if (value !== undefined) return { value }
    return fault(`“${clip(cell, 80)}” is none of the choices`, accepted, nearest)
  }
}

const multiSelect: Reader = ({ options = [] }) => {
  const accepted = options.filter(({ retired }) => !retired).map(({ label }) => label)
  return (cell) => {
    const { values, unknown } = readOptions(options, cell)
    if (!unknown) return { value: values }
    return fault(`“${clip(unknown.text, 80)}” is none of the choices`, accepted, unknown.nearest)
  }
}

const isOddNumber = /^\d(?:[.,]\d+)?e\+?\d+$/i

const phone: Reader = (target) => {
  const schema = schemaOfTarget(target)
  return (cell) => {
    if (isOddNumber.test(cell))
      return fault(
        `“${cell}” is what a spreadsheet made of a telephone number: its last digits are lost`,
        'a number as it is dialled, such as +49 30 1234567; format the column as text before saving it',
      )
    const parsed = schema.safeParse(cell)
    return parsed.success
      ? { value: parsed.data }
      : fault(`“${clip(cell, 80)}” is too long for a telephone number`, 'at most 100 characters')
  }
}

/** One of several addresses, without what mail programs write around it. */
const bareAddress = (cell: string): string =>
  (/<([^<>\s@]+@[^<>\s@]+)>/.exec(cell)?.[1] ?? cell).replace(/^mailto:/i, '')

const readers: Record<TargetType, Reader> = {
  text,
  long_text: text,
  email: bySchema('an e-mail address such as ana@example.com', bareAddress, (cell) =>
    (bareAddress(cell).split(/[;,|]\s*|\s+(?:or|and|oder|und|et|y|e)\s+/i)[0] ?? '')
      .replaceAll(/\s+/g, '')
      .replace(/[.,;]+$/, ''),
  ),
  phone,
  url: bySchema(
    'an address such as https://example.com',
    undefined,
    (cell) => cell.split(/[\s;,|]+/)[0] ?? '',
  ),
  country,
  currency,
  money,
  integer,
  decimal,
  date,
  select,
  multi_select: multiSelect,
  tags,
  id: bySchema('an id of this organization, as its export writes it', (cell) => cell.toLowerCase()),
  reference: text,
}
