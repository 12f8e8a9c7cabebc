import type { Subject } from './activities.ts'
import { inTx, type Ctx } from './context.ts'

/** The names that people know records by: id → name, for those that are there. */
export const labelSubjects = (ctx: Ctx, subjects: readonly Subject[]): Promise<Map<string, string>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const ids = [...new Set(subjects.map(({ id }) => id))]
    if (ids.length === 0) return new Map()
    const rows = await tx<{ id: string; name: string }[]>`
      select id, name from opportunities where organization_id = ${organization_id} and id in ${tx(ids)}`
    return new Map(rows.map(({ id, name }) => [id, name]))
  })
