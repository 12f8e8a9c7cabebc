import { DomainError } from './errors.ts'

/** One page of a list; `next_cursor` is null on the last one. */
export type Page<T> = { data: T[]; next_cursor: string | null }

/** Cuts the one row that was read beyond the page: its presence says that there are more. */
export const page = <T>(rows: T[], limit: number, cursorOf: (row: T) => string): Page<T> => {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  return { data, next_cursor: rows.length > limit && last ? cursorOf(last) : null }
}

/** One part of an order: what it sorts by, and which way. */
type SortPart = { name: string; type: string; descending: boolean }

/** The values of a record in an order, the last of them its id. */
export type Position = (string | number | null)[]

/** Packs a sort position with the order that it belongs to; opaque to callers. */
export const packCursor = (values: Position, sort: SortPart[]): string =>
  Buffer.from(JSON.stringify([orderOf(sort), ...values])).toString('base64url')

/**
 * Opens a cursor that `packCursor` made for the same order.
 * @throws {DomainError} `invalid_cursor`
 */
export const unpackCursor = (cursor: string, sort: SortPart[]): Position => {
  const [order, ...values] = valuesOf(cursor)
  const fits = values.length === sort.length && sort.every((part, n) => isPositionIn(part, values[n]))
  if (order === orderOf(sort) && fits) return values as Position
  throw new DomainError(
    'invalid',
    'invalid_cursor',
    'This cursor does not belong to this list. Start again without it.',
    {
      errors: [{ pointer: '/cursor', message: 'not a cursor of this list and sort' }],
    },
  )
}

const orderOf = (sort: SortPart[]): string =>
  sort.map(({ name, descending }) => `${descending ? '-' : ''}${name}`).join(',')

const valuesOf = (cursor: string): unknown[] => {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(values) ? values : []
  } catch {
    return []
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** As PostgreSQL writes one: `2026-03-01 10:00:00.123456+00`. */
const MOMENT =
  /^(\d{4,6}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d)(?:\.\d{1,6})?[+-](?:0\d|1[0-5])(?::\d\d){0,2})?( BC)?$/

const isPositionIn = ({ type }: SortPart, value: unknown): boolean => {
  if (value === null) return true
  if (type === 'number') return Number.isSafeInteger(value)
  if (type === 'integer' || type === 'decimal') return typeof value === 'number'
  if (typeof value !== 'string' || value.includes('\u0000')) return false
  if (type === 'uuid') return UUID.test(value)
  return type === 'time' || type === 'date' ? isMoment(value) : true
}

const isMoment = (text: string): boolean => {
  const [, date, time = '00:00:00'] = MOMENT.exec(text) ?? []
  if (date === undefined) return false
  const read = new Date(`${date.length > 10 ? `+${date.padStart(12, '0')}` : date}T${time}Z`)
  // A day that no month has is read as one of the next.
  return !Number.isNaN(read.getTime()) && read.toISOString().includes(`${date.slice(-5)}T${time}`)
}
