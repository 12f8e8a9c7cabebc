import { hash, randomBytes } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { v7 as uuidv7 } from 'uuid'
import { occurredIn, type Span } from './activity-moments.ts'
import { describeActivity } from './activity-summary.ts'
import { inTx, sendStatement, type Actor, type Ctx, type TxCtx } from './context.ts'
import { touchDeals } from './deal-risk.ts'
import { notFound } from './errors.ts'
import { page, type Page } from './page.ts'
import { aboutActivity, readingCondition, requireReading } from './reading.ts'
import { storableJson } from './text.ts'

/** What an activity or approval is about. */
export type Subject = { kind: string; id: string }

/** The names of what can happen. New ones are added, none is ever renamed: old lines stay readable. */
export const activityTypes = [
  'lead_imported',
  'submission_joined',
  'lead_routed',
  'instruction_found',
  'stage_changed',
  'stage_stuck',
  'milestone_reached',
  'record_created',
  'record_updated',
  'record_archived',
  'record_restored',
  'record_linked',
  'record_unlinked',
  'lead_converted',
  'conversion_reversed',
  'contact_enriched',
  'enrichment_failed',
  'qualified',
  'note_added',
  'note_edited',
  'note_deleted',
  'task_created',
  'task_updated',
  'task_completed',
  'task_reminder',
  'call_logged',
  'meeting_logged',
  'sms_sent',
  'sms_received',
  'whatsapp_sent',
  'whatsapp_received',
  'activity_edited',
  'activity_deleted',
  'file_added',
  'file_read',
  'file_deleted',
  'email_drafted',
  'email_sent',
  'email_received',
  'email_failed',
  'email_opted_out',
  'email_opted_in',
  'approval_requested',
  'approval_stale',
  'approval_reread',
  'approval_executed',
  'approval_failed',
  'outcome_unknown',
  'outcome_resolved',
  'approved',
  'rejected',
  'restored',
  'expired',
  'withdrawn',
  'undone',
  'agent_run',
  'agent_refused',
  'settings_changed',
  'score_formula_activated',
  'score_formula_retired',
  'score_backtested',
  'scores_recomputed',
  'bulk_finished',
  'import_finished',
  'import_undone',
  'merged',
  'unmerged',
  'duplicates_dismissed',
  'duplicates_restored',
] as const
export type ActivityType = (typeof activityTypes)[number]

/** One changed field, as undo and the timeline read it. */
export type Change = { field: string; before: unknown; after: unknown }

/** The call that takes an act back. */
export type Inverse = { tool: string; input: Record<string, unknown> }

/** What `recordActivity` takes; author, run and approval come from the context. */
export type NewActivity = {
  /** Made by `activityId`, where the activity has to name itself. */
  id?: string
  type: ActivityType
  /** Absent: now. */
  occurred_at?: Date
  /** Where somebody said when it occurred: now. */
  recorded_at?: Date | undefined
  /** The first one is what it is mainly about. */
  subjects: Subject[]
  reason?: string | undefined
  data?: { changes?: Change[]; undo?: Inverse; [key: string]: unknown }
  record_version?: number
}

/** An activity as it is answered. */
export type Activity = {
  id: string
  type: ActivityType
  occurred_at: Date
  /** When it was written down, where somebody said when it occurred. */
  recorded_at?: Date
  actor: Actor
  on_behalf_of?: Actor
  reason?: string
  run_id?: string
  approval_id?: string
  subjects: Subject[]
  data: Record<string, unknown>
  /** What happened, in the past tense, without the author's name. */
  summary: string
  seq: number | null
  undone_by?: string
  /** 1 as it was sealed, one more with every later revision. */
  version: number
  edited_by?: Actor
  edited_at?: Date
  /** It was deleted: that it was there stays, what it said is gone. */
  deleted?: true
}

/** An id that stands in the order of what occurred, also for what is written down later. */
export const activityId = (occurred_at: Date): string => uuidv7({ msecs: occurred_at.getTime() })

/** Writes one line of the timeline in the caller's transaction; the sequencer numbers and seals it after the commit. */
export const recordActivity = async (ctx: TxCtx, activity: NewActivity): Promise<string> => {
  const [id] = recordActivities(ctx, [activity])
  if (id === undefined) throw new Error('an activity has an id')
  return id
}

/** The same for many lines in one statement: a thousand at most. */
export const recordActivities = (ctx: TxCtx, activities: readonly NewActivity[]): string[] => {
  if (activities.length === 0) return []
  const { tx } = ctx
  const salts = randomBytes(SALT_BYTES * activities.length)
  const rows = activities.map((activity, n) =>
    rowOf(ctx, activity, salts.toString('base64url', n * SALT_BYTES, (n + 1) * SALT_BYTES)),
  )
  sendStatement(
    ctx,
    tx`
    with added as (
      insert into activities (organization_id, id, type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, actor_version,
        on_behalf_of, reason, run_id, approval_id, subjects, record_version, data, salt, payload_hash)
      select organization_id, id, type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, actor_version,
        on_behalf_of, reason, run_id, approval_id, subjects, record_version, data, salt, payload_hash
      from json_populate_recordset(null::activities, ${JSON.stringify(rows)}::text::json)
      returning organization_id, id, type, actor_kind, subjects
    )
    insert into activity_subjects (organization_id, activity_id, kind, subject_id, type, actor_kind)
    select added.organization_id, added.id, subject.kind, subject.id, added.type, added.actor_kind
    from added, jsonb_to_recordset(added.subjects) as subject (kind text, id uuid)
    on conflict do nothing`,
  )
  for (const activity of activities) touchDeals(ctx, activity)
  return rows.map(({ id }) => id)
}

const SALT_BYTES = 16

const rowOf = (ctx: TxCtx, activity: NewActivity, salt: string) => {
  const { id = uuidv7(), occurred_at = new Date() } = activity
  const { actor, recording } = ctx
  const data = storableJson({ ...activity.data, ...recording?.data }) as Record<string, unknown>
  const reason = activity.reason ?? recording?.reason ?? null
  recording?.recorded.push({ id, type: activity.type, data })
  return {
    organization_id: ctx.organization_id,
    id,
    type: activity.type,
    occurred_at,
    recorded_at: activity.recorded_at ?? null,
    actor_kind: actor.kind,
    actor_id: actor.id,
    actor_name: actor.name,
    actor_version: actor.version ?? null,
    on_behalf_of: ctx.on_behalf_of ?? null,
    reason,
    run_id: ctx.run_id ?? null,
    approval_id: ctx.approval_id ?? null,
    subjects: activity.subjects,
    record_version: activity.record_version ?? null,
    data,
    salt,
    payload_hash: hashPayload(salt, { data, reason }),
  }
}

/** SHA-256 over salt and payload (RFC 8785 canonical JSON), hex: what the chain keeps of the payload. */
export const hashPayload = (salt: string, payload: { data: unknown; reason: string | null }): string =>
  hash('sha256', salt + (canonicalize(payload) ?? ''))

export type TimelineFilter = {
  actor?: 'human' | 'agent' | 'system' | undefined
  run_id?: string | undefined
  cursor?: string | undefined
  limit: number
}

export type ActivitiesFilter = TimelineFilter &
  Span & {
    types?: ActivityType[] | undefined
    /** Who did it: the id of a person, a key, an agent. */
    actor_id?: string | undefined
    /** Without a kind: what people and agents work on has this id. */
    subject?: { kind?: string | undefined; id: string } | undefined
  }

/**
 * Everything that happened, newest first. `from` and `to` go by when it occurred as it reads now, the order by when it was
 * first said to have.
 */
export const listActivities = (ctx: Ctx, filter: ActivitiesFilter): Promise<Page<Activity>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { types, subject } = filter
    // The id of the table that is walked, so that its index serves the place and the order.
    const id = subject ? tx`s.activity_id` : tx`a.id`
    const walked = subject ? tx`s` : tx`a`
    const limit = filter.limit + 1
    const parts = (await occurredIn(ctx, filter))(id).map(
      (occurred) => tx`(
        select ${id} as id from ${
          subject
            ? tx`activity_subjects s join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
                where s.organization_id = ${organization_id} and s.kind in ${tx(subject.kind === undefined ? WORKED_ON : [subject.kind])}
                  and s.subject_id = ${subject.id}`
            : tx`activities a where a.organization_id = ${organization_id}`
        }
          and ${occurred} and ${readingCondition(ctx, aboutActivity, 'a')}
          ${filter.cursor ? tx`and ${id} < ${filter.cursor}` : tx``}
          ${filter.actor ? tx`and ${walked}.actor_kind in ${tx(ACTOR_KINDS[filter.actor])}` : tx``}
          ${filter.actor_id ? tx`and a.actor_id = ${filter.actor_id}` : tx``}
          ${filter.run_id ? tx`and a.run_id = ${filter.run_id}` : tx``}
          ${types ? tx`and ${walked}.type in ${tx(types)}` : tx``}
        order by ${id} desc limit ${limit})`,
    )
    const rows = await tx<ActivityRow[]>`
      select ${activityColumns(tx)} from (${parts.reduce((all, part) => tx`${all} union all ${part}`)}) found
      join activities a on a.organization_id = ${organization_id} and a.id = found.id
      order by found.id desc limit ${limit}`
    return page(rows.map(toActivity), filter.limit, (activity) => activity.id)
  })

/** One activity as it reads now. */
export const getActivity = (ctx: Ctx, id: string): Promise<Activity> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<ActivityRow[]>`
      select ${activityColumns(tx)} from activities a
      where a.organization_id = ${organization_id} and a.id = ${id}`
    if (!row) throw notFound('activity', id)
    const activity = toActivity(row)
    requireReading(ctx, activity.subjects)
    return activity
  })

/** What people and agents work on. */
export const WORKED_ON = [
  'lead',
  'deal',
  'account',
  'contact',
  'campaign',
  'task',
  'note',
  'file',
  'activity',
  'approval',
  'run',
]

/** Which authors are people outside our programs, agents, or the system itself. */
export const ACTOR_KINDS = {
  human: ['user', 'visitor', 'api_key'],
  agent: ['agent'],
  system: ['system'],
}

/** What an entry became when its author changed it: the newest one is what is shown. */
export type Revision = {
  /** 1 is the first change of what was sealed. */
  n: number
  editor: Actor
  edited_at: string
  /** Null: it was deleted. */
  data: Record<string, unknown> | null
  subjects: Subject[] | null
  occurred_at: string | null
  reason: string | null
}

/** The columns that `toActivity` reads of `activities`, called `alias`: every timeline shows the newest revision, by this alone. */
export const activityColumns = (tx: TransactionSql, alias: 'a' | 'y' = 'a'): PendingQuery<Row[]> => tx`
  ${tx(alias)}.*, (select to_jsonb(r) from activity_revisions r
    where r.organization_id = ${tx(alias)}.organization_id and r.activity_id = ${tx(alias)}.id order by r.n desc limit 1) as revision`

/** A row of `activities`, as the audit reads it too. */
export type ActivityRow = {
  organization_id: string
  id: string
  type: ActivityType
  occurred_at: Date
  recorded_at: Date | null
  actor_kind: Actor['kind']
  actor_id: string
  actor_name: string
  actor_version: string | null
  on_behalf_of: Actor | null
  reason: string | null
  run_id: string | null
  approval_id: string | null
  subjects: Subject[]
  record_version: number | null
  data: Record<string, unknown>
  salt: string | null
  payload_hash: string
  seq: number | null
  key_id: string | null
  hash: string | null
  undone_by: string | null
  /** Selected by `activityColumns`; the audit looks at what was sealed. */
  revision?: Revision | null
}

/** A row of `activities` as it is answered: as it was sealed, or as its author made it read since. */
export const toActivity = (row: ActivityRow): Activity => {
  const { revision } = row
  const data = revision ? (revision.data ?? {}) : row.data
  const reason = revision ? revision.reason : row.reason
  const deleted = revision?.data === null
  return {
    id: row.id,
    type: row.type,
    occurred_at: revision?.occurred_at ? new Date(revision.occurred_at) : row.occurred_at,
    ...(row.recorded_at ? { recorded_at: row.recorded_at } : {}),
    actor: {
      kind: row.actor_kind,
      id: row.actor_id,
      name: row.actor_name,
      ...(row.actor_version ? { version: row.actor_version } : {}),
    },
    ...(row.on_behalf_of ? { on_behalf_of: row.on_behalf_of } : {}),
    ...(reason ? { reason } : {}),
    ...(row.run_id ? { run_id: row.run_id } : {}),
    ...(row.approval_id ? { approval_id: row.approval_id } : {}),
    subjects: revision?.subjects ?? row.subjects,
    data,
    summary: `${describeActivity(row.type, data)}${deleted ? ' (deleted)' : ''}`,
    seq: row.seq,
    ...(row.undone_by ? { undone_by: row.undone_by } : {}),
    version: 1 + (revision?.n ?? 0),
    ...(revision ? { edited_by: revision.editor, edited_at: new Date(revision.edited_at) } : {}),
    ...(deleted ? { deleted } : {}),
  }
}
