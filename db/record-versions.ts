import { type Ctx, inTx } from './context.ts'
import { type RecordKind, tableOf } from './records.ts'

/** The versions of records of one kind, in the order of their ids; each of them is there. */
export const readVersions = (
  ctx: Ctx,
  kind: RecordKind,
  ids: readonly string[],
): Promise<{ id: string; version: number }[]> =>
  inTx(ctx, async ({ tx, organization_id }) => [
    ...(await tx<{ id: string; version: number }[]>`
      select r.id, r.version from unnest(${ids as string[]}::uuid[]) with ordinality as wanted (id, n)
      join ${tx(tableOf[kind])} r on r.organization_id = ${organization_id} and r.id = wanted.id order by wanted.n`),
  ])
