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

type Position = (string | number | null)[]

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

const isPositionIn = ({ type }: SortPart, value: unknown): boolean => {
  if (value === null) return true
  if (type === 'number') return typeof value === 'number'
  if (typeof value !== 'string' || value.includes('\u0000')) return false
  if (type === 'uuid') return UUID.test(value)
  return type === 'time' || type === 'date' ? !Number.isNaN(Date.parse(value)) : true
}
