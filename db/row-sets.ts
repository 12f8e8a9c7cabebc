import type { PendingQuery, Row } from 'postgres'
import { sendStatement, type TxCtx } from './context.ts'

/**
 * Writes rows into a table in one statement, each value as the table's column takes it: dates as ISO 8601, lists and objects
 * as they are. A column that only some rows name is null in the others; one that none names has its default. The
 * organization is added.
 * @param conflict what follows the rows, such as `on conflict do nothing`
 */
export const insertRows = (
  ctx: TxCtx,
  table: string,
  rows: readonly object[],
  conflict?: PendingQuery<Row[]>,
): void => {
  if (rows.length === 0) return
  const { tx, organization_id } = ctx
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  // One by one: as a list, what stands before would decide how the driver writes them.
  const columns = names.map((name) => tx`, ${tx(name)}`)
  sendStatement(
    ctx,
    tx`
      insert into ${tx(table)} (organization_id ${columns})
      select ${organization_id}::uuid ${columns}
      from json_populate_recordset(null::${tx(table)}, ${JSON.stringify(rows)}::text::json) ${conflict ?? tx``}`,
  )
}
