import { sendStatement, type TxCtx } from './context.ts'

/**
 * Lets this session plan its statements anew where a table has doubled since it planned them. What was planned when a table
 * was all but empty, checks of foreign keys among it, may walk an index that then had one page; statistics tell of that only
 * minutes after many rows were written.
 */
export const freshPlans = async (ctx: TxCtx, table: string): Promise<void> => {
  const { tx } = ctx
  const [row] = await tx<{ planned: string | null; size: string }[]>`
    select current_setting('leadhand.planned', true) as planned,
      floor(log(2.0, greatest(pg_relation_size(${table}::regclass) / 8192, 1)))::text as size`
  if (!row || row.planned === `${table} ${row.size}`) return
  sendStatement(ctx, tx`discard plans`)
  sendStatement(ctx, tx`select set_config('leadhand.planned', ${`${table} ${row.size}`}, false)`)
}
