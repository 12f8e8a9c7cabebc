import { sendStatement, type TxCtx } from './context.ts'

/** Takes locks of the organization until the transaction ends, in one order, so that two who want several never wait for each other. */
export const lockNames = (ctx: TxCtx, names: readonly string[]): void => {
  if (names.length === 0) return
  const { tx, organization_id } = ctx
  const ordered = names.map((name) => `${organization_id} ${name}`).toSorted()
  sendStatement(
    ctx,
    tx`
      select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest(${ordered}::text[]) with ordinality as l (name, n)
      order by n`,
  )
}
