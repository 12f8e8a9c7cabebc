import { listContacts } from './contacts.ts'
import { type Ctx, inTx } from './context.ts'
import type { Filter } from './filters.ts'
import { listNotes } from './notes.ts'
import { listOpportunities } from './opportunity-list.ts'
import { readRecord } from './record-updates.ts'
import { labelRecords, type RecordKind, type RecordRef } from './records.ts'
import { listTasks } from './tasks.ts'
import { clip, visibleText } from './text.ts'
import { listTimeline } from './timeline.ts'

/** How much of a record a model is shown. */
const limits = { text: 600, list: 20, linked: 20, notes: 5, tasks: 10, activities: 20, activity: 200 }

/** A record as a model reads it: bounded, visible characters only, what it is linked with beside it. */
export type RecordForPrompt = {
  record: Record<string, unknown>
  linked: { kind: RecordKind; id: string; name: string }[]
  notes: string[]
  open_tasks: string[]
  activities: string[]
}

/**
 * Renders a record of any kind for a model; its length is bounded whatever came in.
 * @throws {DomainError} `<kind>_not_found`
 */
export const recordForPrompt = (ctx: Ctx, ref: RecordRef): Promise<RecordForPrompt> =>
  inTx(ctx, async (ctx) => {
    const record = await readRecord(ctx, ref)
    const about = { subject_kind: ref.kind, subject_id: ref.id }
    const [linked, notes, tasks, timeline] = await Promise.all([
      linkedWith(ctx, ref, record),
      listNotes(ctx, { ...about, limit: limits.notes }),
      listTasks(ctx, { ...about, status: 'open', limit: limits.tasks }),
      listTimeline(ctx, ref, { limit: limits.activities }),
    ])
    return {
      record: { kind: ref.kind, ...shown(record) },
      linked,
      notes: notes.data.map(({ body }) => show(body)),
      open_tasks: tasks.data.map(({ title, due_at }) =>
        show(due_at ? `${title} (due ${due_at.toISOString()})` : title),
      ),
      activities: timeline.data.map(({ occurred_at, actor, summary }) =>
        show(`${occurred_at.toISOString()} ${actor.name} ${summary}`, limits.activity),
      ),
    }
  })

/** Of no use to a model, or shown elsewhere. */
const HIDDEN = new Set([
  'kind',
  'pipeline_id',
  'stage_id',
  'owner_id',
  'origin',
  'extra',
  'warnings',
  'enrichment',
  'contact_ids',
  'account_ids',
  'run_status',
  'version',
])

const shown = (record: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(record)
      .filter(([field, value]) => !HIDDEN.has(field) && value !== null && value !== undefined)
      .map(([field, value]) => [field, bounded(value)]),
  )

/** A value with its texts clipped; what is nested deeper than records nest is left out. */
const bounded = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return show(value)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value))
    return depth > 1 ? [] : value.slice(0, limits.list).map((item) => bounded(item, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  const entries = depth > 1 ? [] : Object.entries(value).slice(0, limits.list)
  return Object.fromEntries(entries.map(([key, item]) => [show(key, 100), bounded(item, depth + 1)]))
}

const show = (text: string, length = limits.text): string => clip(visibleText(text), length)

const linkedWith = async (ctx: Ctx, ref: RecordRef, record: object): Promise<RecordForPrompt['linked']> => {
  const named = await namedBy(ctx, record)
  if (ref.kind === 'lead' || ref.kind === 'deal') return named
  const among = (linked: string): Filter => ({ linked, some: { field: 'id', op: 'eq', value: ref.id } })
  const [contacts, cards] = await Promise.all([
    ref.kind === 'account'
      ? listContacts(ctx, { filter: among('accounts'), limit: limits.linked })
      : undefined,
    listOpportunities(ctx, { filter: among(`${ref.kind}s`), limit: limits.linked }),
  ])
  const found = (contacts?.data ?? []).map(({ id, name }) => ({
    kind: 'contact' as const,
    id,
    name: show(name),
  }))
  return [...named, ...found, ...cards.data.map(({ kind, id, name }) => ({ kind, id, name: show(name) }))]
}

/** What the record itself names: its contacts and accounts. */
const namedBy = async (ctx: Ctx, record: object): Promise<RecordForPrompt['linked']> => {
  const refs = [
    ...idsIn(record, 'contact_ids').map((id) => ({ kind: 'contact' as const, id })),
    ...idsIn(record, 'account_ids').map((id) => ({ kind: 'account' as const, id })),
  ].slice(0, limits.linked)
  const names = await labelRecords(ctx, refs)
  return refs.map((ref) => ({ ...ref, name: show(names.get(ref.id) ?? '') }))
}

const idsIn = (record: object, field: string): string[] => {
  const ids: unknown = Object.entries(record).find(([name]) => name === field)?.[1]
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : []
}
