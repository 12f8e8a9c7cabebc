import type { TxCtx } from './context.ts'
import { type CustomField, type FieldOption, recordFieldActivity } from './fields.ts'

/**
 * Fields with the choices that values have which are put back: one that was removed since is a choice again, where it
 * stood, and retired, so that it stays where it was chosen and is offered no longer. The field's line says so.
 */
export const bringBackOptions = async (
  ctx: TxCtx,
  fields: readonly CustomField[],
  custom: readonly Record<string, unknown>[],
): Promise<CustomField[]> => {
  const brought: CustomField[] = []
  for (const field of fields) {
    const missing = custom
      .flatMap((values) => values[field.key] ?? [])
      .filter((value) => typeof value === 'string')
      .filter((value) => !field.options.some((option) => option.value === value))
    const chooses = field.type === 'select' || field.type === 'multi_select'
    // One connection: they would queue up anyway.
    brought.push(chooses && missing.length > 0 ? await bringBack(ctx, field, missing) : field)
  }
  return brought
}

const bringBack = async (ctx: TxCtx, field: CustomField, values: readonly string[]): Promise<CustomField> => {
  const { tx, organization_id } = ctx
  const former = await tx<{ value: string; label: string; place: number }[]>`
    select * from (
      select distinct on (option ->> 'value') option ->> 'value' as value, option ->> 'label' as label,
        place::int - 1 as place
      from activity_subjects s
      join activities a on a.organization_id = s.organization_id and a.id = s.activity_id,
      jsonb_path_query(a.data, '$.changes[*] ? (@.field == "options").before[*]') with ordinality as one (option, place)
      where s.organization_id = ${organization_id} and s.kind = 'field' and s.subject_id = ${field.id}
        and option ->> 'value' = any(${[...values]})
      order by option ->> 'value', a.id desc
    ) as former order by place`
  const options = [...field.options]
  for (const { value, label, place } of former) {
    const taken = (name: string) => options.some((one) => one.label.toLowerCase() === name.toLowerCase())
    const free = [label, value, `${label} (${value})`].find((name) => !taken(name)) ?? label
    const option: FieldOption = { value, label: free, retired: true }
    options.splice(place, 0, option)
    await insertOption(ctx, field, option, place)
  }
  return { ...field, options }
}

/** Unless it is there: whoever read the fields earlier in this transaction does not see what was added since. */
const insertOption = async (
  ctx: TxCtx,
  field: CustomField,
  option: FieldOption,
  place: number,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const [changed] = await tx<Pick<CustomField, 'options' | 'version'>[]>`
    update fields set options = jsonb_insert(options, ${[String(place)]}::text[], ${tx.json(option)}),
      version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${field.id} and not options @> ${tx.json([{ value: option.value }])}
    returning options, version`
  if (!changed) return
  const { options, version } = changed
  const before = options.filter(({ value }) => value !== option.value)
  // A line of the field's own: taking the record's undo back leaves it.
  await recordFieldActivity({ ...ctx, recording: undefined }, 'record_updated', field, {
    record_version: version,
    reason: ctx.recording?.reason,
    changes: [{ field: 'options', before, after: options }],
    undo: { tool: 'update_field', input: { field_id: field.id, values: { options: before } } },
  })
}
