import { createHash } from 'node:crypto'
import type { TxCtx } from './context.ts'
import type { CsvDialect } from './csv-dialect.ts'
import type { Mapping } from './import-columns.ts'
import type { RecordKind } from './records.ts'

/** What an import writes beside the rows that it could not take: where they stood, and why. */
export const ownColumns = [
  ['line', 'error'],
  ['import_line', 'import_error'],
] as const

/** Whether an import wrote this column, as the last two of a file that it gave back. */
export const isOwnColumn = (columns: readonly string[], column: string): boolean => {
  const last = columns.slice(-2)
  return last.includes(column) && ownColumns.some((own) => own.every((name, n) => last[n] === name))
}

/** Files with the same columns are mapped the same way: a hash of their names, without those that an import wrote. */
export const headerHash = (columns: readonly string[]): string =>
  createHash('sha256')
    .update(JSON.stringify(columns.filter((column) => !isOwnColumn(columns, column))))
    .digest('hex')

/** How files with these columns were mapped the last time, or by a mapping that was saved since. */
export const rememberedMapping = async (
  { tx, organization_id }: TxCtx,
  record_kind: RecordKind,
  columns: readonly string[],
): Promise<{ mapping: Mapping; reason: string } | undefined> => {
  const header_hash = headerHash(columns)
  const [last] = await tx<{ mapping: Mapping; name: string | null; at: Date }[]>`
    select * from (
      (select request -> 'mapping' as mapping, null as name, updated_at as at from imports
        where organization_id = ${organization_id} and record_kind = ${record_kind} and header_hash = ${header_hash}
          and request is not null
        order by id desc limit 1)
      union all
      (select mapping, name, updated_at from import_mappings
        where organization_id = ${organization_id} and record_kind = ${record_kind} and header_hash = ${header_hash}
          and archived_at is null
        order by id desc limit 1)
    ) as known order by at desc limit 1`
  if (!last) return undefined
  const when = last.at.toISOString().slice(0, 10)
  return {
    mapping: last.mapping,
    reason: last.name === null ? `as it was mapped on ${when}` : `as in “${last.name}”, saved on ${when}`,
  }
}

/** How the last file with these columns was written. */
export const rememberedDialect = async (
  { tx, organization_id }: TxCtx,
  record_kind: RecordKind,
  columns: readonly string[],
): Promise<CsvDialect | undefined> => {
  const [last] = await tx<{ dialect: CsvDialect }[]>`
    select request -> 'dialect' as dialect from imports
    where organization_id = ${organization_id} and record_kind = ${record_kind} and header_hash = ${headerHash(columns)}
      and request is not null
    order by id desc limit 1`
  return last?.dialect
}
