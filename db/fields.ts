import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type ActivityType, type Change, type Inverse } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { keyOf, Options, readOptions, requireUnused } from './field-options.ts'
import { filterKinds } from './filter-kinds.ts'
import { Line, Lines } from './lead-fields.ts'
import { positionAt, type Place } from './positions.ts'
import { recordKinds, type RecordKind } from './records.ts'

/** What a custom field can hold. */
export const customTypes = [
  'short_text',
  'long_text',
  'integer',
  'decimal',
  'date',
  'select',
  'multi_select',
] as const
export type CustomType = (typeof customTypes)[number]

/** One choice of a select; `value` never changes, a retired one is kept where it was chosen. */
export type FieldOption = { value: string; label: string; retired?: true }

/** A field that an organization added to a kind of record. */
export type CustomField = {
  id: string
  record_kind: RecordKind
  key: string
  label: string
  description: string | null
  type: CustomType
  options: FieldOption[]
  position: string
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** In which column of `custom_values` the values of a type are. */
export const valueColumns = {
  short_text: 'text_value',
  long_text: 'long_value',
  integer: 'number_value',
  decimal: 'number_value',
  date: 'date_value',
  select: 'text_value',
  multi_select: 'text_value',
} as const satisfies Record<CustomType, string>

/** The organization's fields, or those of one kind, in their order and with archived ones; read once per transaction. */
export const customFields = (ctx: Ctx, record_kind?: RecordKind): Promise<readonly CustomField[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const fields =
      read.get(tx) ??
      tx<CustomField[]>`
        select id, record_kind, key, label, description, type, options, position, archived_at, created_at, updated_at, version
        from fields where organization_id = ${organization_id} order by record_kind, position collate "C", id`.execute()
    read.set(tx, fields)
    return (await fields).filter((field) => !record_kind || field.record_kind === record_kind)
  })

const Label = Line(100).pipe(z.string().min(1))

/** A field to be added; without a key it gets one made of its label. */
export const NewField = z.object({
  record_kind: z.enum(recordKinds),
  key: z
    .string()
    .regex(
      /^[a-z][a-z0-9_]{0,62}$/,
      'small letters, digits and underscores, a letter first, such as team_size',
    )
    .optional(),
  label: Label,
  description: Lines(1_000).nullable().optional(),
  type: z.enum(customTypes),
  options: Options.optional(),
})
export type NewField = z.infer<typeof NewField>

/** What of a field can be changed: its kind, key and type are what its values and filters hang on. */
export const FieldChange = z.object({
  label: Label.optional(),
  description: Lines(1_000).nullable().optional(),
  options: Options.optional(),
})
export type FieldChange = z.infer<typeof FieldChange>

/** More fields than these are a table of their own. */
const MAX_FIELDS = 200

/**
 * Adds a field to a kind of record.
 * @throws {DomainError} `field_key_taken`, also by an archived field or a standard one; `too_many_fields`, and as
 * `readOptions`
 */
export const createField = (ctx: Ctx, input: NewField): Promise<CustomField> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { record_kind, type, label } = input
    await tx`select pg_advisory_xact_lock(hashtextextended(${`${organization_id} fields ${record_kind}`}, 0))`
    forget(ctx)
    const present = await customFields(ctx, record_kind)
    const key = input.key ?? keyOf(label)
    if (!key)
      throw invalid(
        'field_key_required',
        '/key',
        'No key can be made of this label: give one.',
        'such as team_size',
      )
    requireFreeKey(record_kind, present, key)
    if (present.length >= MAX_FIELDS)
      throw new DomainError(
        'conflict',
        'too_many_fields',
        `A ${record_kind} has at most ${MAX_FIELDS} custom fields.`,
        {
          extra: { count: present.length },
        },
      )
    const id = uuidv7()
    const position = await positionAt(
      tx,
      tx`from fields where organization_id = ${organization_id} and record_kind = ${record_kind}`,
    )
    const options = readOptions(type, input.options)
    await tx`
      insert into fields ${tx({
        organization_id,
        id,
        record_kind,
        key,
        label,
        description: input.description || null,
        type,
        options: tx.json(options),
        position,
      })}`
    await recordFieldActivity(
      ctx,
      'record_created',
      { id, label, record_kind, key },
      {
        undo: { tool: 'archive_field', input: { field_id: id } },
      },
    )
    return readAgain(ctx, id)
  })

/** One field, archived or not. @throws {DomainError} `field_not_found` */
export const getField = async (ctx: Ctx, id: string): Promise<CustomField> => {
  const field = (await customFields(ctx)).find((one) => one.id === id)
  if (!field) throw notFound('field', id)
  return field
}

/**
 * Changes how a field is named, described, and what can be chosen.
 * @throws {DomainError} stale when `version` is not the current one; `option_in_use` with `count`, and as `readOptions`
 */
export const updateField = (
  ctx: Ctx,
  id: string,
  input: FieldChange & { version?: number },
): Promise<CustomField> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockField(ctx, id)
    if (input.version !== undefined && input.version !== before.version) throw staleVersion(before)
    const options = input.options && readOptions(before.type, input.options)
    if (options) await requireUnused(ctx, before, options)
    const after = {
      label: input.label ?? before.label,
      description: input.description === undefined ? before.description : input.description || null,
      options: options ?? before.options,
    }
    const changes = (['label', 'description', 'options'] as const)
      .map((field): Change => ({ field, before: before[field], after: after[field] }))
      .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
    if (changes.length === 0) return before
    await tx`
      update fields set label = ${after.label}, description = ${after.description}, options = ${tx.json(after.options)},
        version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    const values = Object.fromEntries(changes.map((change) => [change.field, change.before]))
    await recordFieldActivity(ctx, 'record_updated', before, {
      record_version: before.version + 1,
      changes,
      undo: { tool: 'update_field', input: { field_id: id, values } },
    })
    return readAgain(ctx, id)
  })

/** Puts a field elsewhere among those of its kind. @throws {DomainError} as `positionAt` */
export const moveField = (ctx: Ctx, id: string, place: Place): Promise<CustomField> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockField(ctx, id)
    const among = tx`from fields where organization_id = ${organization_id} and record_kind = ${before.record_kind}
      and id <> ${id}`
    const position = await positionAt(tx, among, place)
    await tx`
      update fields set position = ${position}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordFieldActivity(ctx, 'record_updated', before, {
      record_version: before.version + 1,
      changes: [{ field: 'position', before: before.position, after: position }],
    })
    return readAgain(ctx, id)
  })

/** Names that lists, imports and answers have given to something else. */
const RESERVED = new Set([
  ...[
    'custom',
    'extra',
    'origin',
    'origins',
    'owner',
    'stage',
    'pipeline',
    'account',
    'contact',
    'value',
    'warnings',
  ],
  ...['phone_original', 'account_ids', 'contact_ids', 'score_reasons', 'run_status', 'enrichment', 'version'],
])

const requireFreeKey = (record_kind: RecordKind, present: readonly CustomField[], key: string): void => {
  const taken = present.find((field) => field.key === key)
  const standard = RESERVED.has(key) || Object.hasOwn(filterKinds[record_kind].fields, key)
  if (!taken && !standard) return
  const why = taken
    ? `belongs to the field “${taken.label}”${taken.archived_at ? ', which is archived: restore that one' : ''}`
    : `is the name of a standard field of a ${record_kind}`
  throw new DomainError('conflict', 'field_key_taken', `“${key}” ${why}. Choose another key.`, {
    errors: [{ pointer: '/key', message: why }],
    extra: taken ? { field_id: taken.id } : {},
  })
}

/** One field that nobody else changes until the transaction ends. @throws {DomainError} `field_not_found` */
export const lockField = async (ctx: TxCtx, id: string): Promise<CustomField> => {
  const { tx, organization_id } = ctx
  await tx`select 1 from fields where organization_id = ${organization_id} and id = ${id} for update`
  return readAgain(ctx, id)
}

/** A field after a change in this transaction. */
export const readAgain = (ctx: TxCtx, id: string): Promise<CustomField> => {
  forget(ctx)
  return getField(ctx, id)
}

/** A line about a field. */
export const recordFieldActivity = (
  ctx: TxCtx,
  type: ActivityType,
  { id, label, record_kind, key }: Pick<CustomField, 'id' | 'label' | 'record_kind' | 'key'>,
  {
    record_version = 1,
    reason,
    ...data
  }: {
    record_version?: number
    reason?: string | undefined
    changes?: Change[]
    undo?: Inverse
    [detail: string]: unknown
  },
): Promise<unknown> =>
  recordActivity(ctx, {
    type,
    subjects: [{ kind: 'field', id }],
    reason,
    record_version,
    data: { kind: 'field', name: label, record_kind, key, ...data },
  })

/** What a transaction has read already; a change forgets it. */
const read = new WeakMap<object, Promise<readonly CustomField[]>>()

const forget = ({ tx }: TxCtx): void => void read.delete(tx)
