import { z } from 'zod'
import { inTx, type Ctx } from './context.ts'
import { DomainError, invalid } from './errors.ts'
import type { CustomField, FieldOption } from './fields.ts'
import { normaliseName } from './lead-keys.ts'
import { Line } from './lead-fields.ts'

const Label = Line(100).pipe(z.string().min(1))

/** A choice as it is sent: without a value it gets one made of its label. */
const NamedOption = z.object({
  value: Label.optional(),
  label: Label,
  /** Kept where it was chosen, no longer offered. */
  retired: z.boolean().optional(),
})

/** A text alone is a choice whose value is that text. */
const Option = z.union(
  [Label.transform((label): z.infer<typeof NamedOption> => ({ value: label, label })), NamedOption.strict()],
  'a choice: a text, or {"label", "value"?, "retired"?}',
)

/** The choices of a select, in their order. */
export const Options = z.array(Option).max(200)
export type Options = z.infer<typeof Options>

/** A name of small letters, digits and underscores that begins with a letter, made of a label; empty when nothing is left. */
export const keyOf = (label: string): string =>
  normaliseName(label)
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^[^a-z]+|_+$/g, '')
    .slice(0, 63)

/**
 * The choices with a value each.
 * @throws {DomainError} `option_taken` when two have one value or label, `options_required` and `options_not_taken` when
 * the type wants some and has none, or the other way round
 */
export const readOptions = (type: CustomField['type'], given: Options = []): FieldOption[] => {
  const chooses = type === 'select' || type === 'multi_select'
  if (!chooses && given.length > 0)
    throw invalid('options_not_taken', '/options', `A field of type ${type} has no options.`, [
      'select',
      'multi_select',
    ])
  if (chooses && !given.some(({ retired }) => !retired))
    throw invalid('options_required', '/options', 'A select has at least one option that can be chosen.')
  const options = given.map(({ value, label, retired }): FieldOption => ({
    value: value ?? (keyOf(label) || label),
    label,
    ...(retired ? { retired } : {}),
  }))
  for (const member of ['value', 'label'] as const) {
    const seen = options.map((option) => option[member].toLowerCase())
    const twice = seen.findIndex((one, n) => seen.indexOf(one) !== n)
    if (twice >= 0)
      throw invalid(
        'option_taken',
        `/options/${twice}/${member}`,
        `“${options[twice]?.[member]}” is there already.`,
      )
  }
  return options
}

/**
 * Makes sure that no record has a choice that goes away.
 * @throws {DomainError} `option_in_use` with `count`: retire it instead, or clear it first
 */
export const requireUnused = (ctx: Ctx, field: CustomField, options: FieldOption[]): Promise<void> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const kept = new Set(options.map(({ value }) => value))
    const removed = field.options.filter(({ value }) => !kept.has(value))
    if (removed.length === 0) return
    const used = await tx<{ value: string; count: number }[]>`
      select text_value as value, count(*)::int as count from custom_values
      where organization_id = ${organization_id} and field_id = ${field.id}
        and text_value = any(${removed.map(({ value }) => value)}) group by 1`
    if (used.length === 0) return
    const count = used.reduce((sum, one) => sum + one.count, 0)
    const labels = removed
      .filter(({ value }) => used.some((one) => one.value === value))
      .map(({ label }) => `“${label}”`)
    throw new DomainError(
      'conflict',
      'option_in_use',
      `${labels.join(', ')} is set on ${count} record${count === 1 ? '' : 's'}. Send it with “retired”: true to keep it there and offer it no longer.`,
      { errors: [{ pointer: '/options', message: `without ${labels.join(', ')}` }], extra: { count } },
    )
  })
