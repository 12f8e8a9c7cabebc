import type { Subject } from './activities.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'

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

/**
 * The same for many records, each once.
 * @param made whether the records were made in this transaction: nothing was noted of them then
 */
export const writeOriginsOf = (
  ctx: TxCtx,
  given: readonly GivenFields[],
  { made = false }: { made?: boolean } = {},
): void => {
  const { tx, organization_id } = ctx
  // What came by one hand is written by one statement that says so once.
  for (const records of Map.groupBy(
    given,
    ({ record, origin }) => `${record.kind} ${JSON.stringify(origin)}`,
  ).values()) {
    const [first] = records
    const given_fields = records
      .filter(({ fields }) => fields.length > 0)
      .map(({ record, fields }) => [record.id, fields])
    if (!first || given_fields.length === 0) continue
    const { record, origin } = first
    sendStatement(
      ctx,
      tx`
        insert into record_origins (organization_id, record_kind, record_id, field, origin, tainted)
        select ${organization_id}::uuid, ${record.kind}::text, (r.given ->> 0)::uuid, f.field, ${tx.json(origin)}::jsonb,
          ${OUTSIDE.has(origin.kind)}::boolean
        from json_array_elements(${JSON.stringify(given_fields)}::text::json) as r (given)
        cross join lateral json_array_elements_text(r.given -> 1) as f (field)
        ${
          made
            ? tx``
            : tx`on conflict (organization_id, record_kind, record_id, field)
                do update set origin = excluded.origin, tainted = excluded.tainted, set_at = now()`
        }`,
    )
  }
}

/** Where each field of a record came from. */
export const listOrigins = (ctx: Ctx, record: Subject): Promise<FieldOrigin[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<FieldOrigin[]>`
      select field, origin, tainted, set_at from record_origins
      where organization_id = ${organization_id} and record_kind = ${record.kind} and record_id = ${record.id}
      order by field`
    return [...rows]
  })
