import { generateNKeysBetween } from 'fractional-indexing'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type Change } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { Line, Lines } from './lead-fields.ts'
import { Place, positionAt } from './positions.ts'
import { once } from './together.ts'

/** Why cards are lost: what people choose from when they close one as lost. */
export type DiscardReason = {
  id: string
  label: string
  description: string | null
  retired_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** What a new organization starts with. Migration 0003 gave the same to those that were there. */
export const DEFAULT_REASONS = [
  'Price',
  'No budget',
  'No need',
  'Bad timing',
  'Not a fit',
  'Chose a competitor',
  'Not interested',
  'Unreachable',
  'Solicitation or spam',
  'Other',
]

const Label = Line(80).pipe(z.string().min(1))

export const NewDiscardReason = z.object({
  label: Label,
  description: Lines(1_000).optional(),
  ...Place.shape,
})
export type NewDiscardReason = z.infer<typeof NewDiscardReason>

/** Absent fields stay, a null description empties it; a neighbour moves it. */
export const DiscardReasonChange = z.object({
  label: Label.optional(),
  description: Lines(1_000).nullable().optional(),
  ...Place.shape,
})
export type DiscardReasonChange = z.infer<typeof DiscardReasonChange>

/** The reasons that a new organization starts with. */
export const createDefaultReasons = async ({ tx, organization_id }: TxCtx): Promise<void> => {
  const positions = generateNKeysBetween(null, null, DEFAULT_REASONS.length)
  await tx`
    insert into discard_reasons ${tx(
      DEFAULT_REASONS.map((label, n) => ({
        organization_id,
        id: uuidv7(),
        label,
        position: positions[n] ?? '',
      })),
    )}`
}

/** Reasons in their order; those that were retired only when asked for, after the others. */
export const listDiscardReasons = (ctx: Ctx, { retired = false } = {}): Promise<DiscardReason[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<DiscardReason[]>`
      select id, label, description, retired_at, created_at, updated_at, version from discard_reasons
      where organization_id = ${organization_id} ${retired ? tx`` : tx`and retired_at is null`}
      order by retired_at is not null, position, id`
    return [...rows]
  })

/** One reason, retired or not. */
export const getDiscardReason = (ctx: Ctx, id: string): Promise<DiscardReason> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<DiscardReason[]>`
      select id, label, description, retired_at, created_at, updated_at, version from discard_reasons
      where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('discard_reason', id)
    return row
  })

/**
 * Adds a reason, at the end unless a neighbour is named.
 * @throws {DomainError} `discard_reason_exists` when an active one has this label
 */
export const createDiscardReason = (ctx: Ctx, input: NewDiscardReason): Promise<DiscardReason> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const id = uuidv7()
    await requireFreeLabel(ctx, input.label)
    const position = await placeOf(ctx, input)
    await tx`
      insert into discard_reasons ${tx({
        organization_id,
        id,
        label: input.label,
        description: input.description ?? null,
        position,
      })}`
    await record(ctx, id, 1, `the discard reason “${input.label}”`, {
      changes: [{ field: 'label', before: null, after: input.label }],
      undo: { tool: 'retire_discard_reason', input: { discard_reason_id: id } },
    })
    return getDiscardReason(ctx, id)
  })

/**
 * Renames, describes or moves a reason; cards that were lost for it show it under its new name, closings keep the old one.
 * @throws {DomainError} stale on a version mismatch, `discard_reason_exists`
 */
export const updateDiscardReason = (
  ctx: Ctx,
  id: string,
  input: DiscardReasonChange & { version?: number | undefined },
): Promise<DiscardReason> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockReason(ctx, id)
    if (input.version !== undefined && input.version !== before.version) throw staleVersion(before)
    if (input.label !== undefined && before.retired_at === null) await requireFreeLabel(ctx, input.label, id)
    const changes: Change[] = (['label', 'description'] as const)
      .filter((field) => input[field] !== undefined && input[field] !== before[field])
      .map((field) => ({ field, before: before[field], after: input[field] }))
    const moves = input.before_id !== undefined || input.after_id !== undefined
    if (changes.length === 0 && !moves) return before
    const values = {
      ...Object.fromEntries(changes.map(({ field, after }) => [field, after])),
      ...(moves ? { position: await placeOf(ctx, input) } : {}),
    }
    await tx`
      update discard_reasons set ${tx(values)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await record(ctx, id, before.version + 1, `the discard reason “${before.label}”`, {
      changes,
      ...(changes.length > 0
        ? {
            undo: {
              tool: 'update_discard_reason',
              input: {
                discard_reason_id: id,
                values: Object.fromEntries(changes.map((change) => [change.field, change.before])),
              },
            },
          }
        : {}),
    })
    return getDiscardReason(ctx, id)
  })

/** Takes a reason out of the choice; cards and closings that name it keep it. Twice is once. */
export const retireDiscardReason = (ctx: Ctx, id: string): Promise<void> => setRetired(ctx, id, true)

/**
 * Puts a retired reason back into the choice.
 * @throws {DomainError} `discard_reason_exists` when another active one has its label by now
 */
export const restoreDiscardReason = async (ctx: Ctx, id: string): Promise<DiscardReason> => {
  await setRetired(ctx, id, false)
  return getDiscardReason(ctx, id)
}

const setRetired = (ctx: Ctx, id: string, retired: boolean): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockReason(ctx, id)
    if ((before.retired_at !== null) === retired) return
    if (!retired) await requireFreeLabel(ctx, before.label, id)
    const retired_at = retired ? new Date() : null
    await tx`
      update discard_reasons set retired_at = ${retired_at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await record(ctx, id, before.version + 1, `the discard reason “${before.label}”`, {
      changes: [{ field: 'retired', before: !retired, after: retired }],
      undo: {
        tool: retired ? 'restore_discard_reason' : 'retire_discard_reason',
        input: { discard_reason_id: id },
      },
    })
  })

/**
 * The reason that a card is lost for, checked the same way whatever door it comes through.
 * @param required whether the pipeline, or the one who acts, must give one
 * @throws {DomainError} `discard_reason_required`, `discard_reason_unknown`, `discard_reason_retired`: each lists what is accepted
 */
export const requireDiscardReason = once(
  async (ctx: TxCtx, id: string | undefined, required: boolean): Promise<DiscardReason | undefined> => {
    if (id === undefined && !required) return undefined
    const reasons = await listDiscardReasons(ctx, { retired: true })
    const found = reasons.find((reason) => reason.id === id)
    if (found?.retired_at === null) return found
    const accepted = reasons
      .filter(({ retired_at }) => retired_at === null)
      .map(({ id, label }) => ({ id, label }))
    const refuse = (code: string, message: string) => invalid(code, '/discard_reason_id', message, accepted)
    if (found) {
      throw refuse(
        'discard_reason_retired',
        `“${found.label}” is not used any more. Choose another discard reason.`,
      )
    }
    if (id !== undefined) throw refuse('discard_reason_unknown', 'There is no such discard reason.')
    throw refuse('discard_reason_required', 'Say why it was lost: choose a discard reason.')
  },
)

const lockReason = async (ctx: TxCtx, id: string): Promise<DiscardReason> => {
  const { tx, organization_id } = ctx
  await tx`select 1 from discard_reasons where organization_id = ${organization_id} and id = ${id} for update`
  return getDiscardReason(ctx, id)
}

/** Under a lock of the organization's reasons: two that come at once do not both get a label. */
const requireFreeLabel = async (
  { tx, organization_id }: TxCtx,
  label: string,
  own?: string,
): Promise<void> => {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`discard_reasons ${organization_id}`}, 0))`
  const [taken] = await tx<{ id: string }[]>`
    select id from discard_reasons where organization_id = ${organization_id} and retired_at is null
      and lower(label) = lower(${label}) ${own ? tx`and id <> ${own}` : tx``}`
  if (!taken) return
  throw new DomainError(
    'conflict',
    'discard_reason_exists',
    `There is a discard reason “${label}” already.`,
    {
      errors: [{ pointer: '/label', message: `belongs to discard reason ${taken.id}` }],
      extra: { discard_reason_id: taken.id },
    },
  )
}

const placeOf = ({ tx, organization_id }: TxCtx, place: Place): Promise<string> =>
  positionAt(tx, tx`from discard_reasons where organization_id = ${organization_id}`, place)

const record = (
  ctx: TxCtx,
  id: string,
  record_version: number,
  what: string,
  data: NonNullable<Parameters<typeof recordActivity>[1]['data']>,
): Promise<string> =>
  recordActivity(ctx, {
    type: 'settings_changed',
    subjects: [
      { kind: 'discard_reason', id },
      { kind: 'organization', id: ctx.organization_id },
    ],
    record_version,
    data: { what, ...data },
  })
