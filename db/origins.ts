import type { Subject } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { insertRows } from './row-sets.ts'

/** Where a field's present value came from. */
export type Origin = {
  kind: 'submission' | 'import' | 'url' | 'file' | 'person' | 'agent' | 'api_key' | 'system'
  submission_id?: string
  import_id?: string
  url?: string
  file_id?: string
  /** Of the file, from 1; absent where it has no pages. */
  page?: number
  snippet?: string
  run_id?: string
  /** Of an owner: the routing rule that gave the lead. */
  rule_id?: string
  name?: string
}

export type FieldOrigin = { field: string; origin: Origin; tainted: boolean; set_at: Date }

/** Values that somebody outside wrote: a run that reads one may do nothing consequential by itself. */
const OUTSIDE = new Set<Origin['kind']>(['submission', 'import', 'url', 'file', 'api_key'])

/** Fields of a record that were given their values by the same hand. */
export type GivenFields = { record: Subject; fields: readonly string[]; origin: Origin }

/** Notes where these fields' values came from; the last writer counts. */
export const writeOrigins = (ctx: TxCtx, record: Subject, fields: string[], origin: Origin): void =>
  writeOriginsOf(ctx, [{ record, fields, origin }])

/** The same for many records, each once. */
export const writeOriginsOf = (ctx: TxCtx, given: readonly GivenFields[]): void =>
  insertRows(
    ctx,
    'record_origins',
    given.flatMap(({ record, fields, origin }) =>
      fields.map((field) => ({
        record_kind: record.kind,
        record_id: record.id,
        field,
        origin,
        tainted: OUTSIDE.has(origin.kind),
      })),
    ),
    ctx.tx`
      on conflict (organization_id, record_kind, record_id, field)
      do update set origin = excluded.origin, tainted = excluded.tainted, set_at = now()`,
  )

/** Where each field of a record came from. */
export const listOrigins = (ctx: Ctx, record: Subject): Promise<FieldOrigin[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<FieldOrigin[]>`
      select field, origin, tainted, set_at from record_origins
      where organization_id = ${organization_id} and record_kind = ${record.kind} and record_id = ${record.id}
      order by field`
    return [...rows]
  })
