import type { TransactionSql } from 'postgres'
import { z } from 'zod'
import { invalid } from './errors.ts'
import { type Fragment, operandOf } from './filter-operands.ts'
import type { Comparison, Operator } from './filters.ts'

/** Whether a comparison of a moment speaks of whole days: `2026-11-21` is one, where the organization is. */
export const speaksOfDays = ({ op, value }: Comparison): boolean =>
  OF_LISTS.has(op) ? Array.isArray(value) && value.some(isDay) : isDay(value)

const OF_LISTS: ReadonlySet<Operator> = new Set(['in', 'not_in', 'between'])

const isDay = (value: unknown): boolean => z.iso.date().safeParse(value).success

/**
 * A comparison of a moment with days, or with days and moments: equal to a day is within it, after it is from the next one
 * on, and a span holds both its ends. Reads as `positiveCondition` does.
 * @throws {DomainError} `invalid_filter`
 */
export const conditionOnDays = (
  { tx, organization_id }: { tx: TransactionSql; organization_id: string },
  column: Fragment,
  { op, value }: Comparison,
  pointer: string,
): Fragment => {
  const zone = tx`(select timezone from settings where organization_id = ${organization_id})`
  const read = (given: unknown, place: string) => {
    const moment = operandOf('time', given, `${pointer}/value${place}`) as never
    const day = isDay(given)
    const begins = day ? tx`(${moment}::timestamp at time zone ${zone})` : tx`${moment}::timestamptz`
    const ended = tx`((${moment}::timestamp + interval '1 day') at time zone ${zone})`
    return {
      equals: day ? tx`(${column} >= ${begins} and ${column} < ${ended})` : tx`${column} = ${begins}`,
      before: tx`${column} < ${begins}`,
      since: tx`${column} >= ${begins}`,
      until: day ? tx`${column} < ${ended}` : tx`${column} <= ${begins}`,
      after: day ? tx`${column} >= ${ended}` : tx`${column} > ${begins}`,
    }
  }
  if (op === 'between') {
    const [from, to, ...rest] = value as unknown[]
    if (from === undefined || to === undefined || rest.length > 0)
      throw invalid('invalid_filter', `${pointer}/value`, '“between” takes a list of two values.')
    return tx`(${read(from, '/0').since} and ${read(to, '/1').until})`
  }
  if (Array.isArray(value)) {
    const days = value.map((one, n) => read(one, `/${n}`).equals)
    return tx`(${days.reduce((all, next) => tx`${all} or ${next}`)})`
  }
  const { equals, before, since, until, after } = read(value, '')
  return { lt: before, lte: until, gt: after, gte: since }[op as string] ?? equals
}
