import { DomainError } from './errors.ts'

/** One page of a list; `next_cursor` is null on the last one. */
export type Page<T> = { data: T[]; next_cursor: string | null }

/** Cuts the one row that was read beyond the page: its presence says that there are more. */
export const page = <T>(rows: T[], limit: number, cursorOf: (row: T) => string): Page<T> => {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  return { data, next_cursor: rows.length > limit && last ? cursorOf(last) : null }
}

/** Packs a sort position; opaque to callers. */
export const packCursor = (values: (string | number | null)[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url')

/** Opens a cursor that `packCursor` made for the same sort. */
export const unpackCursor = (cursor: string, length: number): (string | number | null)[] => {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(values) && values.length === length && values.every(isPosition)) return values
  } catch {
    // Not ours: answered below, like one of another sort.
  }
  throw new DomainError(
    'invalid',
    'invalid_cursor',
    'This cursor does not belong to this list. Start again without it.',
    {
      errors: [{ pointer: '/cursor', message: 'not a cursor of this list and sort' }],
    },
  )
}

const isPosition = (value: unknown): value is string | number | null =>
  value === null || typeof value === 'string' || typeof value === 'number'
