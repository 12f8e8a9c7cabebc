import {
  getActivity,
  recordActivity,
  toActivity,
  type Activity,
  type ActivityRow,
  type Revision,
  type Subject,
} from './activities.ts'
import { type EntryChange, faultsOf, LoggedData } from './activity-logging.ts'
import { loggedTypes, type LoggedType } from './activity-types.ts'
import { requireAuthor, type Editor } from './authorship.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, notFound, staleVersion } from './errors.ts'
import { type MilestoneChange, settleLogged } from './logged-milestones.ts'
import { rescoreAfter } from './lead-scoring.ts'
import { addedSubjects, distinctSubjects, requireRecordsInUse } from './records.ts'

/** How an entry read at one time; without `data` it was deleted then, or is now. */
export type EntryRevision = {
  /** 1 is what was sealed. */
  version: number
  editor: Activity['actor']
  edited_at: Date
  data: Record<string, unknown> | null
  subjects: Subject[]
  occurred_at: Date
  reason: string | null
}

/**
 * Changes an entry that somebody made by hand and that was read at `version`. What was sealed stays below: the change is a
 * revision, and every timeline shows the newest one.
 * @throws {DomainError} stale, `activity_immutable`, `activity_deleted`, `not_the_author`, `invalid_entry`, `<kind>_not_found`
 */
export const editActivity = (
  ctx: Ctx,
  id: string,
  { version, changes }: { version?: number; changes: EntryChange },
  editor?: Editor,
): Promise<Activity> =>
  inTx(ctx, async (ctx) => {
    const before = await lockEntry(ctx, id, editor)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    if (before.deleted) throw deleted()
    const data = mergedData(before, changes.data ?? {})
    const subjects = changes.subjects ?? before.subjects
    if (changes.subjects) await requireRecordsInUse(ctx, addedSubjects(before.subjects, changes.subjects))
    const after = {
      data,
      subjects,
      occurred_at: changes.occurred_at === undefined ? before.occurred_at : new Date(changes.occurred_at),
      reason: changes.reason === undefined ? (before.reason ?? null) : changes.reason,
    }
    const fields = changedFields(before, after)
    if (fields.length === 0) return before
    await addRevision(ctx, before, after)
    await moveSubjects(ctx, id, before.subjects, subjects)
    const milestones = await settleLogged(
      ctx,
      { ...before, data, subjects, occurred_at: after.occurred_at },
      before,
    )
    await recordActivity(ctx, {
      type: 'activity_edited',
      subjects: everySubject(id, before.subjects, subjects),
      // Without the texts: when the entry is deleted, they are to be gone from every answer.
      data: {
        activity_id: id,
        activity_type: before.type,
        version: before.version + 1,
        fields,
        ...settled(milestones),
        undo: { tool: 'revert_activity', input: { activity_id: id, version: before.version } },
      },
    })
    await rescoreAfter(ctx, before.type, everySubject(id, before.subjects, after.subjects))
    return getActivity(ctx, id)
  })

/**
 * Deletes an entry that somebody made by hand: that it was there stays, with who deleted it, and what it said is gone from
 * every answer. Twice is once.
 * @throws {DomainError} `activity_immutable`, `not_the_author`
 */
export const deleteActivity = (ctx: Ctx, id: string, editor?: Editor): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const entry = await lockEntry(ctx, id, editor)
    if (!entry.deleted) await buryActivity(ctx, entry)
  })

/** Takes back that an entry was logged, whoever logged it: the inverse of logging. Twice is once. */
export const withdrawEntry = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const entry = await lockActivity(ctx, id)
    if (!isLogged(entry) || entry.deleted) return
    await buryActivity(ctx, entry)
  })

/** Makes an entry read again as it did at `version`: the inverse of editing and deleting it. */
export const revertActivity = (ctx: Ctx, id: string, version: number): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const now = await lockActivity(ctx, id)
    const then = (await readRevisions(ctx, id)).find((revision) => revision.version === version)
    if (!then?.data) throw notFound('revision')
    const { data, subjects, occurred_at, reason } = then
    await addRevision(ctx, now, { data, subjects, occurred_at, reason })
    await moveSubjects(ctx, id, now.subjects, subjects)
    const said = { ...now, data, subjects, occurred_at, deleted: false }
    const milestones = await settleLogged(ctx, said, now)
    await recordActivity(ctx, {
      type: 'activity_edited',
      subjects: everySubject(id, now.subjects, subjects),
      data: {
        activity_id: id,
        activity_type: now.type,
        version: now.version + 1,
        fields: now.deleted ? ['deleted'] : changedFields(now, { data, subjects, occurred_at, reason }),
        ...settled(milestones),
        undo: now.deleted
          ? { tool: 'delete_activity', input: { activity_id: id } }
          : { tool: 'revert_activity', input: { activity_id: id, version: now.version } },
      },
    })
    await rescoreAfter(ctx, now.type, everySubject(id, now.subjects, subjects))
  })

/**
 * How an entry read over time, the oldest first: as it was sealed, and each revision. Once it is deleted, none says any
 * more what it said.
 */
export const listRevisions = (ctx: Ctx, id: string): Promise<EntryRevision[]> =>
  inTx(ctx, async (ctx) => {
    const { deleted } = await getActivity(ctx, id)
    const revisions = await readRevisions(ctx, id)
    return deleted ? revisions.map((revision) => ({ ...revision, data: null, reason: null })) : revisions
  })

const isLogged = ({ type, data, deleted }: Activity): boolean =>
  isLoggedType(type) && (data['logged'] === true || deleted === true)

const isLoggedType = (type: string): type is LoggedType => (loggedTypes as readonly string[]).includes(type)

const lockActivity = async (ctx: TxCtx, id: string): Promise<Activity> => {
  const { tx, organization_id } = ctx
  // The lock first, the look after it: what another change committed meanwhile is seen.
  await tx`select 1 from activities where organization_id = ${organization_id} and id = ${id} for update`
  return getActivity(ctx, id)
}

/** An entry that this editor may change, held until the transaction ends. */
const lockEntry = async (ctx: TxCtx, id: string, editor: Editor | undefined): Promise<Activity> => {
  const entry = await lockActivity(ctx, id)
  const { actor } = entry
  const byHand = isLogged(entry) && (actor.kind === 'user' || actor.kind === 'api_key')
  if (!byHand) {
    throw new DomainError(
      'conflict',
      'activity_immutable',
      `What ${actor.kind === 'agent' ? 'an agent' : 'the record itself'} wrote on the timeline is never changed. Log a correction instead: POST /api/activities, with what is right.`,
      { extra: { type: entry.type, actor } },
    )
  }
  requireAuthor(ctx, 'entry', actor, editor)
  return entry
}

const deleted = (): DomainError =>
  new DomainError('conflict', 'activity_deleted', 'This entry was deleted; log it anew instead.')

const mergedData = (before: Activity, change: Record<string, unknown>): Record<string, unknown> => {
  const { undo, logged, ...said } = before.data
  const merged = { ...said, ...change }
  const data = LoggedData.parse(
    Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)),
  )
  const faults = isLoggedType(before.type) ? faultsOf(before.type, data) : []
  if (faults.length > 0) {
    throw new DomainError('invalid', 'invalid_entry', 'What the entry would say does not go together.', {
      errors: faults.map(({ path, message }) => ({ pointer: `/data/${path}`, message })),
    })
  }
  return { ...data, logged, undo }
}

type Content = {
  data: Record<string, unknown>
  subjects: Subject[]
  occurred_at: Date
  reason: string | null
}

const changedFields = (before: Activity, after: Content): string[] => {
  const names = new Set([...Object.keys(before.data), ...Object.keys(after.data)])
  const fields = [...names].filter((name) => !same(before.data[name], after.data[name]))
  if (!same(before.subjects, after.subjects)) fields.push('subjects')
  if (before.occurred_at.getTime() !== after.occurred_at.getTime()) fields.push('occurred_at')
  if ((before.reason ?? null) !== after.reason) fields.push('reason')
  return fields
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const addRevision = async (
  ctx: TxCtx,
  { id, version }: Activity,
  content: Omit<Content, 'data'> & { data: Record<string, unknown> | null },
): Promise<void> => {
  const { tx, organization_id } = ctx
  await tx`
    insert into activity_revisions ${tx({
      organization_id,
      activity_id: id,
      n: version,
      editor: tx.json(ctx.actor),
      data: content.data === null ? null : tx.json(content.data as never),
      subjects: tx.json(content.subjects),
      occurred_at: content.occurred_at,
      reason: content.reason,
    })}`
}

/** The tombstone: when it occurred and whom it was about stays. */
const buryActivity = async (ctx: TxCtx, entry: Activity): Promise<void> => {
  const { id, subjects, occurred_at } = entry
  await addRevision(ctx, entry, { data: null, subjects, occurred_at, reason: null })
  const milestones = await settleLogged(ctx, { ...entry, deleted: true }, entry)
  await recordActivity(ctx, {
    type: 'activity_deleted',
    subjects: everySubject(id, subjects),
    data: {
      activity_id: id,
      activity_type: entry.type,
      version: entry.version + 1,
      ...settled(milestones),
      undo: { tool: 'revert_activity', input: { activity_id: id, version: entry.version } },
    },
  })
  await rescoreAfter(ctx, entry.type, subjects)
}

/** What became of the cards' milestones, where something did. */
const settled = (milestones: MilestoneChange[]): { milestones?: MilestoneChange[] } =>
  milestones.length > 0 ? { milestones } : {}

/** On which timelines it stands: an index beside the sealed line, which keeps those that it was sealed with. */
const moveSubjects = async (
  { tx, organization_id }: TxCtx,
  activity_id: string,
  before: Subject[],
  after: Subject[],
): Promise<void> => {
  const among = (subjects: Subject[], { kind, id }: Subject) =>
    subjects.some((one) => one.kind === kind && one.id === id)
  const gone = before.filter((subject) => !among(after, subject))
  const come = after.filter((subject) => !among(before, subject))
  for (const { kind, id } of gone) {
    // One connection: they would queue up anyway.
    await tx`
      delete from activity_subjects where organization_id = ${organization_id} and kind = ${kind} and subject_id = ${id}
        and activity_id = ${activity_id}`
  }
  if (come.length === 0) return
  await tx`
    insert into activity_subjects (organization_id, activity_id, kind, subject_id, type, actor_kind)
    select a.organization_id, a.id, subject.kind, subject.id, a.type, a.actor_kind
    from activities a, jsonb_to_recordset(${tx.json(come)}) as subject (kind text, id uuid)
    where a.organization_id = ${organization_id} and a.id = ${activity_id}
    on conflict do nothing`
}

const everySubject = (id: string, ...lists: Subject[][]): Subject[] =>
  distinctSubjects([...lists.toReversed().flat(), { kind: 'activity', id }])

const readRevisions = async (ctx: TxCtx, id: string): Promise<EntryRevision[]> => {
  const { tx, organization_id } = ctx
  const [row] = await tx<ActivityRow[]>`
    select a.* from activities a where a.organization_id = ${organization_id} and a.id = ${id}`
  if (!row) throw notFound('activity', id)
  const sealed = toActivity(row)
  const rows = await tx<
    (Omit<Revision, 'edited_at' | 'occurred_at'> & { edited_at: Date; occurred_at: Date | null })[]
  >`
    select n, editor, edited_at, data, subjects, occurred_at, reason from activity_revisions
    where organization_id = ${organization_id} and activity_id = ${id} order by n`
  const first: EntryRevision = {
    version: 1,
    editor: sealed.actor,
    edited_at: sealed.recorded_at ?? sealed.occurred_at,
    data: sealed.data,
    subjects: sealed.subjects,
    occurred_at: sealed.occurred_at,
    reason: sealed.reason ?? null,
  }
  return [
    first,
    ...rows.map((revision) => ({
      version: revision.n + 1,
      editor: revision.editor,
      edited_at: revision.edited_at,
      data: revision.data,
      subjects: revision.subjects ?? sealed.subjects,
      occurred_at: revision.occurred_at ?? sealed.occurred_at,
      reason: revision.reason,
    })),
  ]
}
