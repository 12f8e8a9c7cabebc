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
  const names = new Set<string>()
  for (const row of rows) for (const name in row) names.add(name)
  // One by one: as a list, what stands before would decide how the driver writes them.
  const columns = Array.from(names, (name) => tx`, ${tx(name)}`)
  sendStatement(
    ctx,
    tx`
      insert into ${tx(table)} (organization_id ${columns})
      select ${organization_id}::uuid ${columns}
      from json_populate_recordset(null::${tx(table)}, ${JSON.stringify(rows)}::text::json) ${conflict ?? tx``}`,
  )
}

/** Sets columns of rows that are found by their `id`, in one statement; each row names the same columns, `id` among them. */
export const updateRows = (ctx: TxCtx, table: string, rows: readonly { id: string }[]): void => {
  const [first] = rows
  if (!first) return
  const { tx, organization_id } = ctx
  // The ids are said once more for the index: how many rows are given is unknown to a plan.
  const set = Object.keys(first)
    .filter((name) => name !== 'id')
    .map((name, n) => tx`${n > 0 ? tx`,` : tx``} ${tx(name)} = given.${tx(name)}`)
  sendStatement(
    ctx,
    tx`
      update ${tx(table)} as r set ${set}
      from json_populate_recordset(null::${tx(table)}, ${JSON.stringify(rows)}::text::json) as given
      where r.organization_id = ${organization_id} and r.id = given.id and r.id = any(${rows.map(({ id }) => id)}::uuid[])`,
  )
}

/** Holds a row until the transaction ends. */
export const lockRow = async ({ tx, organization_id }: TxCtx, table: string, id: string): Promise<void> => {
  await tx`select 1 from ${tx(table)} where organization_id = ${organization_id} and id = ${id} for update`
}
