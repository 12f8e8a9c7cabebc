import type { PendingQuery, Row } from 'postgres'
import type { TxCtx } from './context.ts'

/** A span of time; `to` is not in it. */
export type Span = { from?: Date | undefined; to?: Date | undefined }

type SqlPart = PendingQuery<Row[]>

/**
 * What holds for lines that occurred in a span, by what their newest revision says: for the id of a line, in one part or in
 * several that have no line in common, each along an index of ids. Ids say when a line was first said to have occurred;
 * those that an edit moved out are left out, and those that one moved in are a part of their own.
 */
export const occurredIn = async (ctx: TxCtx, span: Span): Promise<(id: SqlPart) => SqlPart[]> => {
  const { tx, organization_id } = ctx
  const { from, to } = span
  if (!from && !to) return () => [tx`true`]
  const said = (column: SqlPart): SqlPart => tx`
    (${from ? tx`${column} >= ${from}` : tx`true`} and ${to ? tx`${column} < ${to}` : tx`true`})`
  const first = (id: SqlPart): SqlPart => tx`
    (${from ? tx`${id} >= ${firstIdAt(from)}` : tx`true`} and ${to ? tx`${id} < ${firstIdAt(to)}` : tx`true`})`
  const moved = await tx<{ id: string }[]>`
    select r.activity_id as id from activity_revisions r
    where r.organization_id = ${organization_id} and ${said(tx`r.occurred_at`)} and not ${first(tx`r.activity_id`)}
      and not exists (select from activity_revisions later where later.organization_id = r.organization_id
        and later.activity_id = r.activity_id and later.n > r.n)`
  const ids = moved.map(({ id }) => id)
  return (id) => [
    tx`${first(id)} and coalesce((
      select ${said(tx`r.occurred_at`)} from activity_revisions r
      where r.organization_id = ${organization_id} and r.activity_id = ${id} order by r.n desc limit 1), true)`,
    ...(ids.length > 0 ? [tx`${id} = any(${ids}::uuid[])`] : []),
  ]
}

/** The lowest id of a moment: ids are UUIDv7. */
export const firstIdAt = (at: Date): string => {
  const ms = Math.min(Math.max(at.getTime(), 0), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8000-000000000000`
}
