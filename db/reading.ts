import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { DomainError } from './errors.ts'

/** What of the record whoever asks may read; a context without one reads everything. */
export type Reading = {
  /** The kinds of record that may be read. */
  readonly kinds: readonly string[]
  /** Those that may not, and what reading each would take. */
  readonly hidden: Readonly<Record<string, string>>
}

/** Where it stands what something is about: in a column, or in rows of a table that name it by `id`. */
export type About = { column: string } | { table: string; id: string }

/** What activities are about. */
export const aboutActivity: About = { table: 'activity_subjects', id: 'activity_id' }

/** Whether records of a kind may be read. */
export const mayRead = ({ reading }: { reading?: Reading | undefined }, kind: string): boolean =>
  reading === undefined || !Object.hasOwn(reading.hidden, kind)

/** Whether something about these may be read, by the rule of `requireReading`. */
export const mayReadAbout = (
  { reading }: { reading?: Reading | undefined },
  subjects: readonly { kind: string }[],
): boolean => missingFor(reading, subjects) === undefined

/**
 * What is about a record is read by whoever may read that record: one of several is enough, and what is about none is
 * everybody's.
 * @throws {DomainError} `permission_missing`, with the `permission` that it would take
 */
export const requireReading = (
  { reading }: { reading?: Reading | undefined },
  subjects: readonly { kind: string }[],
): void => {
  const kind = missingFor(reading, subjects)
  if (kind === undefined) return
  const permission = reading?.hidden[kind]
  throw new DomainError(
    'forbidden',
    'permission_missing',
    `This is about ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind.replaceAll('_', ' ')}, and takes “${permission}”.`,
    { extra: { permission } },
  )
}

/** The same as a condition on the rows of a list; true, and no work, for whoever reads everything. */
export const readingCondition = (
  {
    tx,
    organization_id,
    reading,
  }: { tx: TransactionSql; organization_id: string; reading?: Reading | undefined },
  about: About | undefined,
  alias: string,
): PendingQuery<Row[]> => {
  if (!reading || !about) return tx`true`
  const hidden = Object.keys(reading.hidden)
  if ('column' in about) return tx`${tx(alias)}.${tx(about.column)} <> all(${hidden}::text[])`
  const among = (kinds: readonly string[]) => tx`exists (select from ${tx(about.table)} about
    where about.organization_id = ${organization_id} and about.${tx(about.id)} = ${tx(alias)}.id
      and about.kind = any(${[...kinds]}::text[]))`
  return tx`(${among(reading.kinds)} or not ${among(hidden)})`
}

/** The first kind that may not be read, where none may; undefined where one may. */
const missingFor = (
  reading: Reading | undefined,
  subjects: readonly { kind: string }[],
): string | undefined => {
  if (!reading || subjects.some(({ kind }) => reading.kinds.includes(kind))) return undefined
  return subjects.map(({ kind }) => kind).find((one) => Object.hasOwn(reading.hidden, one))
}
