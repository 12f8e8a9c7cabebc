import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing'
import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { z } from 'zod'
import { invalid } from './errors.ts'

/** Where in an order: right before or right after a neighbour; without one, at the end. */
export const Place = z.object({ before_id: z.uuid().optional(), after_id: z.uuid().optional() })
export type Place = z.infer<typeof Place>

/**
 * The position of a place among `rows`, a `from … where …` over a table with `id` and `position`: one row is written per
 * move, none of its neighbours.
 * @throws {DomainError} `place_ambiguous` when both neighbours are given, `neighbour_not_found` when it is not among the rows
 */
export const positionAt = async (
  tx: TransactionSql,
  rows: PendingQuery<Row[]>,
  place: Place = {},
): Promise<string> => {
  const { before_id, after_id } = place
  if (before_id && after_id) {
    throw invalid('place_ambiguous', '/after_id', 'Give one neighbour, not two.', ['before_id', 'after_id'])
  }
  const neighbour = before_id ?? after_id
  if (!neighbour) return generateKeyBetween(await lastPosition(tx, rows), null)
  const [beside] = await tx<{ position: string; next: string | null }[]>`
    select n.position, (
      select position ${rows} and position ${before_id ? tx`<` : tx`>`} n.position
      order by position ${before_id ? tx`desc` : tx`asc`} limit 1) as next
    from (select position ${rows} and id = ${neighbour}) as n`
  if (!beside) {
    throw invalid(
      'neighbour_not_found',
      before_id ? '/before_id' : '/after_id',
      `${neighbour} is not there: name a neighbour that is in this place.`,
    )
  }
  return before_id
    ? generateKeyBetween(beside.next, beside.position)
    : generateKeyBetween(beside.position, beside.next)
}

/** Where something stood in an order when it left it, and between whom. */
export const FormerPlace = z.object({
  position: z.string(),
  after_id: z.uuid().nullable(),
  before_id: z.uuid().nullable(),
})
export type FormerPlace = z.infer<typeof FormerPlace>

/**
 * Where a row of `rows` stands, as long as it is among them, and the position behind the last one of `others`: what a move
 * to their end asks for, in one look.
 */
export const placeAndEnd = async (
  tx: TransactionSql,
  rows: PendingQuery<Row[]>,
  id: string,
  others: PendingQuery<Row[]>,
): Promise<{ left: FormerPlace | undefined; end: string }> => {
  const [found] = await tx<
    (Omit<FormerPlace, 'position'> & { position: string | null; last: string | null })[]
  >`
    select n.position,
      (select id ${rows} and position < n.position order by position desc limit 1) as after_id,
      (select id ${rows} and position > n.position order by position limit 1) as before_id,
      (select position ${others} order by position desc limit 1) as last
    from (values (1)) as one left join lateral (select position ${rows} and id = ${id}) as n on true`
  const { position = null, after_id = null, before_id = null, last = null } = found ?? {}
  return {
    left: position === null ? undefined : { position, after_id, before_id },
    end: generateKeyBetween(last, null),
  }
}

/**
 * The position of something that comes back to an order: between the neighbours that it had, as far as they are still
 * there; whoever took its very place stands right behind it. Nothing when one of them has changed sides since.
 */
export const positionAgain = async (
  tx: TransactionSql,
  rows: PendingQuery<Row[]>,
  { position, after_id, before_id }: FormerPlace,
): Promise<string | undefined> => {
  const [now] = await tx<{ stands: boolean; taken: boolean }[]>`
    select coalesce((select position < ${position} ${rows} and id = ${after_id}), true)
        and coalesce((select position > ${position} ${rows} and id = ${before_id}), true) as stands,
      exists (select ${rows} and position = ${position}) as taken`
  if (!now?.stands) return undefined
  if (!now.taken) return position
  const [previous] = await tx<{ position: string }[]>`
    select position ${rows} and position < ${position} order by position desc limit 1`
  return generateKeyBetween(previous?.position ?? null, position)
}

/** The position right behind the last one. */
export const positionAfter = (last: string): string => generateKeyBetween(last, null)

/** Positions for so many newcomers at the end of `rows`, one after the other. */
export const positionsAtEnd = async (
  tx: TransactionSql,
  rows: PendingQuery<Row[]>,
  count: number,
): Promise<string[]> => generateNKeysBetween(await lastPosition(tx, rows), null, count)

const lastPosition = async (tx: TransactionSql, rows: PendingQuery<Row[]>): Promise<string | null> => {
  const [last] = await tx<{ position: string }[]>`select position ${rows} order by position desc limit 1`
  return last?.position ?? null
}
