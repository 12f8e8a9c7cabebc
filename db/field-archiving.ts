import { inTx, type Ctx, type TxCtx } from './context.ts'
import { type CustomField, lockField, readAgain, recordFieldActivity } from './fields.ts'
import { formulaInForce, lockFormulas } from './score-formulas.ts'
import { needsOf } from './score-needs.ts'
import { startRecompute } from './score-recompute.ts'

/**
 * Takes a field out of forms, lists and answers; its values stay untouched until it is restored. Twice is once. Where the
 * formula in force looks at it, every lead is scored anew by a job, which the field's line names.
 */
export const archiveField = (ctx: Ctx, id: string): Promise<CustomField> => setArchived(ctx, id, true)

/** Brings an archived field back with the values it had, and what they come to in scores. Twice is once. */
export const restoreField = (ctx: Ctx, id: string): Promise<CustomField> => setArchived(ctx, id, false)

const setArchived = (ctx: Ctx, id: string, archived: boolean): Promise<CustomField> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // Nobody puts a formula in force meanwhile that looks at it.
    await lockFormulas(ctx)
    const before = await lockField(ctx, id)
    if ((before.archived_at !== null) === archived) return before
    const at = archived ? new Date() : null
    await tx`
      update fields set archived_at = ${at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    const after = await readAgain(ctx, id)
    const recompute_id = await rescoreBy(ctx, after)
    await recordFieldActivity(ctx, archived ? 'record_archived' : 'record_restored', before, {
      record_version: before.version + 1,
      changes: [{ field: 'archived_at', before: before.archived_at, after: at }],
      ...(recompute_id === undefined ? {} : { recompute_id }),
      undo: { tool: archived ? 'restore_field' : 'archive_field', input: { field_id: id } },
    })
    return after
  })

/** Scores every lead anew when the formula in force looks at this field; answers the job. */
const rescoreBy = async (ctx: TxCtx, { record_kind, key }: CustomField): Promise<string | undefined> => {
  if (record_kind !== 'lead') return undefined
  const { definition } = await formulaInForce(ctx)
  if (!needsOf(definition).custom.includes(key)) return undefined
  return (await startRecompute(ctx, 'field_changed')).id
}
