import canonicalize from 'canonicalize'
import { z } from 'zod'
import {
  type Activity,
  type ActivityRow,
  type ActivityType,
  type Inverse,
  recordActivity,
  toActivity,
} from './activities.ts'
import { inTx, recordingOf, sendStatement, type Ctx, type Recorded, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { besides, goingWith } from './field-units.ts'
import { changesOf, inverse, leftBy, type Verb } from './inverse.ts'
import { type InverseName, inverses } from './inverses.ts'
import { requireReading } from './reading.ts'
import { editedBeside, readEdits } from './record-edits.ts'
import { recordKinds, type RecordRef } from './records.ts'
import { loaded } from './together.ts'
import { storableJson } from './text.ts'

/** How long an act can be taken back by one click; later it is corrected by another act. */
export const undoLimits = { days: 30 }

/**
 * Whether a timeline offers to take it back; what changed meanwhile is only known when somebody tries. A proposal is not
 * among them: it is withdrawn where it is decided.
 */
export const isUndoable = (activity: Activity): boolean =>
  activity.undone_by === undefined &&
  activity.type !== 'approval_requested' &&
  hindranceOf(activity) === undefined

/**
 * Takes an act back as the present actor: its inverse runs through the same function as a person's own act, and a line
 * says so, which can be taken back itself. Answers that line.
 * @throws {DomainError} `activity_not_found`, `already_undone`, `not_undoable` with `because`, `changed_since` naming the
 * fields that are not what the act left (nothing is taken back then), and whatever the record refuses
 */
export const undoActivity = async (ctx: Ctx, id: string, options: Undo = {}): Promise<Activity> =>
  (await takeBack(ctx, id, options)).activity

/** How something is taken back. */
export type Undo = {
  reason?: string | undefined
  /** Throws where the caller may not change what the act changed. */
  allow?: ((activity: Activity) => void) | undefined
  /** Whether what nobody changed since is taken back although something else was; else all of an act or nothing. */
  rest?: boolean | undefined
}

/** A value that somebody changed after the act: it stays. */
export type ChangedSince = {
  field: string
  left: unknown
  now: unknown
  /** What was changed, where this one only goes with it. */
  with?: string
}

/** What taking an act back came to. */
export type Taken = {
  /** The line that says so. */
  activity: Activity
  /** What somebody changed since and was kept, where `rest` let it. */
  kept: ChangedSince[]
  /** Of an undo: the act that it had taken back. */
  stands_again?: string | undefined
}

/** As `undoActivity`; answers beside the line what became of the rest. */
export const takeBack = (ctx: Ctx, id: string, { reason, allow, rest = false }: Undo): Promise<Taken> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const activity = await lockActivity(ctx, id)
    allow?.(activity)
    requireReading(ctx, activity.subjects)
    requireUndoable(activity)
    const { recorded, result: kept } = await recordingOf(
      ctx,
      { data: { undoes: id }, reason: reason ?? `Taken back: ${activity.summary}`, takes_back: true },
      (ctx) => applyInverse(ctx, activity, rest),
    )
    const redo = activity.type === 'undone' ? undefined : redoOf(recorded)
    const undone = await recordActivity(ctx, {
      type: 'undone',
      subjects: activity.subjects,
      reason,
      data: {
        summary: activity.summary,
        activity_id: id,
        // Of an undo: of what it had taken back.
        activity_type: activity.type === 'undone' ? activity.data['activity_type'] : activity.type,
        changes: recorded.flatMap(({ data }) => changesOf(data)),
        ...(recorded.some(({ data }) => data['at_end'] === true) ? { at_end: true } : {}),
        ...(redo ? { undo: redo } : {}),
      },
    })
    sendStatement(
      ctx,
      tx`update activities set undone_by = ${undone} where organization_id = ${organization_id} and id = ${id}`,
    )
    const stands_again = activity.type === 'undone' ? undoneBy(activity) : undefined
    return { activity: await lockActivity(ctx, undone), kept, stands_again }
  })

/** Whether the act that made this came of another one, which takes it back with it: the next one of a series of tasks. */
export const goesWithAnother = ({ data }: Pick<Activity, 'data'>): boolean => data['repeats_id'] !== undefined

/** Whether this line only says what happened. */
export const changedNothing = (activity: Activity): boolean =>
  ['changed_nothing', 'part_of_undo'].includes(hindranceOf(activity)?.because ?? '')

/** @throws {DomainError} `already_undone` or `not_undoable` */
const requireUndoable = (activity: Activity): void => {
  if (activity.undone_by !== undefined) {
    throw new DomainError('conflict', 'already_undone', 'This was taken back already.', {
      extra: { undone_by: activity.undone_by },
    })
  }
  const hindrance = hindranceOf(activity)
  if (!hindrance) return
  const { because, message } = hindrance
  throw new DomainError('conflict', 'not_undoable', message, { extra: { because } })
}

const hindranceOf = (
  activity: Activity,
):
  | { because: 'irreversible' | 'too_old' | 'changed_nothing' | 'part_of_undo'; message: string }
  | undefined => {
  const { data, type } = activity
  if (data['undoes'] !== undefined)
    return { because: 'part_of_undo', message: 'This is part of an undo: take the undo back instead.' }
  if (data['undo'] === undefined) {
    const { irreversible } = data
    const why = typeof irreversible === 'string' ? irreversible : IRREVERSIBLE[type]
    return why
      ? { because: 'irreversible', message: why }
      : {
          because: 'changed_nothing',
          message: 'This line says what happened; it changed nothing that could be taken back.',
        }
  }
  if (!inverseOf(activity))
    return { because: 'irreversible', message: 'This version has no way to take this act back.' }
  if (Date.now() - writtenAt(activity).getTime() > undoLimits.days * 86_400_000) {
    return {
      because: 'too_old',
      message: `It is older than ${undoLimits.days} days. Change the record instead; that is on the timeline, too.`,
    }
  }
  return undefined
}

/** An entry that says of itself when it occurred is as old as its writing. */
const writtenAt = ({ recorded_at, occurred_at }: Activity): Date => recorded_at ?? occurred_at

/** What happened for good. */
const IRREVERSIBLE: Partial<Record<ActivityType, string>> = {
  email_sent: 'An e-mail that was sent cannot be called back.',
  qualified: 'A score is computed again, not taken back; it changes nothing else.',
  approved: 'What was approved is carried out; take that back instead.',
  rejected: 'A rejection is taken back in the queue, within five minutes.',
  settings_changed: 'A setting is changed back where it is set.',
  email_opted_out: 'Only the person who asked not to be written to can take that back.',
  undone: 'What this took back cannot be done again by itself.',
}

/** Takes an undo back: what it did is taken back, and the act that it took back stands again. */
const redo = inverse({
  input: z.object({ activity_ids: z.array(z.uuid()).min(1), verbs: z.array(z.string()).min(1) }),
  standing: () => Promise.resolve({}),
  left: () => ({}),
  apply: async (ctx, { activity_ids }, activity) => {
    const { tx, organization_id } = ctx
    for (const id of activity_ids.toReversed()) await applyInverse(ctx, await lockActivity(ctx, id), false)
    await tx`
        update activities set undone_by = null
        where organization_id = ${organization_id} and id = ${undoneBy(activity)}`
  },
})

/** The act that an undo took back. */
const undoneBy = ({ data }: Activity): string => String(data['activity_id'])

const verbs: Readonly<Record<string, Verb>> = { ...inverses, redo }

const inverseOf = (activity: Activity): { verb: Verb; input: unknown } | undefined => {
  const stored = StoredInverse.safeParse(activity.data['undo'])
  const verb = stored.success ? verbs[stored.data.tool] : undefined
  const input = verb?.input.safeParse(stored.data?.input)
  return verb && input?.success ? { verb, input: stored.data?.input } : undefined
}

const StoredInverse = z.object({ tool: z.string(), input: z.record(z.string(), z.unknown()) })

/** Runs the inverse of an act, unless somebody changed since what it left; answers what was kept. */
const applyInverse = async (ctx: TxCtx, activity: Activity, rest: boolean): Promise<ChangedSince[]> => {
  const inverse = inverseOf(activity)
  if (!inverse) throw new Error(`activity ${activity.id} has no inverse`)
  const { verb, input } = inverse
  const standing = await verb.standing(ctx, input, activity)
  const left = verb.left?.(activity) ?? leftBy(activity)
  const changed = Object.keys(left)
    .filter((field) => !same(left[field], standing[field]))
    .map((field) => ({ field, left: left[field] ?? null, now: standing[field] ?? null }))
  const kept = await withUnits(ctx, activity, changed, {
    left,
    standing,
    record: verb.record?.(input, activity),
  })
  const remaining =
    kept.length > 0 && rest
      ? verb.without?.(
          input,
          kept.map(({ field }) => field),
        )
      : undefined
  if (kept.length > 0 && (remaining === undefined || Object.keys(left).every((field) => keeps(kept, field))))
    throw changedRefusal(rest ? kept : kept.filter((one) => one.with === undefined))
  await verb.apply(ctx, remaining ?? input, activity)
  return kept
}

const keeps = (kept: readonly ChangedSince[], field: string): boolean =>
  kept.some((one) => one.field === field)

/** What was changed of a record since, with what goes with it: an amount is not put back under another currency. */
const withUnits = async (
  ctx: TxCtx,
  { id }: Activity,
  changed: readonly ChangedSince[],
  {
    left,
    standing,
    record,
  }: { left: object; standing: Record<string, unknown>; record: RecordRef | undefined },
): Promise<ChangedSince[]> => {
  if (!record) return [...changed]
  const fields = Object.keys(left)
  const edits = besides(record.kind, fields).length > 0 ? ((await editsOf(ctx, record.id)) ?? []) : []
  const since = edits.filter(({ activity_id }) => activity_id > id)
  const edited = [...changed, ...editedBeside(record.kind, fields, standing, since)]
  const along = goingWith(
    record.kind,
    edited.map(({ field }) => field),
    fields,
  ).map((one) => ({ ...one, left: standing[one.field] ?? null, now: standing[one.field] ?? null }))
  return [...edited, ...along]
}

const editsOf = loaded(async (ctx, ids) => {
  const refs = ids.flatMap((id) => recordKinds.map((kind) => ({ kind, id })))
  return Map.groupBy(await readEdits(ctx, refs), ({ id }) => id)
})

const changedRefusal = (changed: ChangedSince[]): DomainError =>
  new DomainError(
    'conflict',
    'changed_since',
    `Somebody changed ${named(changed.filter((one) => one.with === undefined))} after this${changed.some((one) => one.with) ? `, and ${named(changed.filter((one) => one.with))} goes with it` : ''}; nothing was taken back.`,
    {
      errors: changed.map(({ field, now, with: along }) => ({
        pointer: `/${field}`,
        // An id says nothing to a person; `changed` has it for programs.
        message:
          along === undefined
            ? `is ${isId(now) ? 'another one' : JSON.stringify(now)} now, which is not what this act left`
            : `goes with ${along}, which was changed since`,
      })),
      extra: { changed },
    },
  )

const isId = (value: unknown): boolean => z.uuid().safeParse(value).success

const named = (changed: readonly ChangedSince[]): string =>
  new Intl.ListFormat('en').format(changed.map(({ field }) => field.replaceAll('_', ' ')))

const same = (left: unknown, now: unknown): boolean =>
  canonicalize(storableJson(left ?? null)) === canonicalize(storableJson(now ?? null))

/** How an undo is taken back: what it recorded is. What that one recorded is the first act again, and taken back as such. */
const redoOf = (recorded: Recorded[]): Inverse | undefined => {
  const acts = recorded.flatMap(({ id, data }) => {
    const inverse = StoredInverse.safeParse(data['undo'])
    return inverse.success ? [{ id, verb: inverse.data.tool }] : []
  })
  if (acts.length === 0) return undefined
  const named = [...new Set(acts.map(({ verb }) => verb))]
  return { tool: 'redo', input: { activity_ids: acts.map(({ id }) => id), verbs: named } }
}

/** The verbs that take this act back: what whoever does it must be allowed. */
export const verbsOf = ({ data }: Activity): InverseName[] => {
  const stored = StoredInverse.safeParse(data['undo'])
  if (!stored.success) return []
  const names = stored.data.tool === 'redo' ? stored.data.input['verbs'] : [stored.data.tool]
  return Array.isArray(names) ? names.filter(isInverse) : []
}

const isInverse = (name: unknown): name is InverseName =>
  typeof name === 'string' && Object.hasOwn(inverses, name)

/** One activity, which nobody else takes back until the transaction ends. */
const lockActivity = async (ctx: TxCtx, id: string): Promise<Activity> => {
  const activity = await lockedActivity(ctx, id)
  if (!activity) throw notFound('activity', id)
  return activity
}

const lockedActivity = loaded(async ({ tx, organization_id }, ids) => {
  const rows = await tx<ActivityRow[]>`
    select * from activities where organization_id = ${organization_id} and id = any(${[...ids]}::uuid[])
    order by id for update`
  return new Map(rows.map((row) => [row.id, toActivity(row)]))
})
