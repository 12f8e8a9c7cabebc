import type { FieldType } from './filter-operands.ts'

/** What a filter can be about: `opportunity` is leads and deals alike. */
export type FilterKind =
  | 'lead'
  | 'deal'
  | 'opportunity'
  | 'account'
  | 'contact'
  | 'task'
  | 'note'
  | 'activity'
  | 'file'
  | 'submission'
  | 'touchpoint'
  | 'campaign'

/** Where a value lives that is not on the record's own row. `v` and `a` are the aliases of that table and the record. */
export type Lookup = {
  table: string
  on: (v: string, a: string) => string
  column: (v: string) => string
  /** Its column that holds the record's id: an index on (column, id) then serves the order. */
  id?: string
  /** The custom fields whose values are meant. */
  field_ids?: string[]
  /** The one row among several that an order goes by. */
  first?: (v: string) => string
  /** It belongs to no organization. */
  shared?: true
  /** The record's column that names its row. Set for a table of few rows: they are looked up once, not for each record. */
  key?: string
}

/** A field that lists can be filtered by, and sorted unless it is true or false or several values. */
export type FilterField = {
  type: FieldType
  /** The record always has a value: its order needs no place for those without. */
  required?: true
  /** Takes `me`: whoever asks. */
  member?: true
  /** An expression over the record's alias; absent: the column of that name. */
  sql?: (a: string) => string
  lookup?: Lookup
  /** The column whose opposite order this is. */
  opposite_of?: string
  /** Its texts from the lowest to the highest: what is put in order and compared is their rank. */
  ranks?: readonly string[]
  /** Its texts may be pages: an order goes by how they begin. */
  long?: true
  /** Still filtered by, named nowhere. */
  archived?: true
}

/** A ranked field as a number from 0; `tasks_priority` is an index in this order, so the two are written alike. */
export const rankedBy = (name: string, ranks: readonly string[]): FilterField => ({
  type: 'number',
  required: true,
  sql: (a) => `(case ${a}.${name} ${ranks.map((rank, n) => `when '${rank}' then ${n}`).join(' ')} end)`,
})

/** What can be filtered and sorted by, by name. */
export type FilterFields = Record<string, FilterField>

const text: FilterField = { type: 'text' }
const name: FilterField = { type: 'text', required: true }
const longText: FilterField = { type: 'text', long: true }
const id: FilterField = { type: 'uuid', required: true }
const reference: FilterField = { type: 'uuid' }
const member: FilterField = { type: 'uuid', member: true }
const number: FilterField = { type: 'number' }
const time: FilterField = { type: 'time' }
const moment: FilterField = { type: 'time', required: true }
const archived: FilterField = { type: 'boolean', sql: (a) => `(${a}.archived_at is not null)` }

const ofStage = (type: FieldType, column: (v: string) => string): FilterField => ({
  type,
  lookup: { table: 'stages', on: (v, a) => `${v}.id = ${a}.stage_id`, column, key: 'stage_id' },
})

const ofOpportunity = (type: FieldType, table: string, column: string): FilterField => ({
  type,
  lookup: {
    table,
    on: (v, a) => `${v}.opportunity_id = ${a}.id`,
    column: (v) => `${v}.${column}`,
    id: 'opportunity_id',
  },
})

const ownerName: FilterField = {
  type: 'text',
  lookup: {
    table: 'identity.users',
    on: (v, a) => `${v}.id = ${a}.owner_id`,
    column: (v) => `${v}.name`,
    shared: true,
  },
}

/** Fields whose present value was found outside, by reading. */
const enrichedFields: FilterField = {
  type: 'tags',
  lookup: {
    table: 'record_origins',
    on: (v, a) =>
      `${v}.record_kind = ${a}.kind and ${v}.record_id = ${a}.id and ${v}.origin->>'kind' = 'url'`,
    column: (v) => `${v}.field`,
  },
}

const people: FilterFields = {
  owner_id: member,
  owner_name: ownerName,
  phone: text,
  city: text,
  state: text,
  country: text,
  source: text,
  tags: { type: 'tags', required: true },
  external_id: text,
  archived,
  archived_at: time,
  created_at: moment,
  updated_at: moment,
}

/** Leads and deals. */
export const opportunityFields: FilterFields = {
  id,
  kind: name,
  name,
  contact_name: text,
  company_name: text,
  title: text,
  email: text,
  website: text,
  industry: text,
  message: longText,
  pipeline_id: id,
  stage_id: id,
  stage_kind: ofStage('text', (v) => `${v}.kind`),
  stage_label: ofStage('text', (v) => `${v}.label`),
  stage_position: ofStage('number', (v) => `${v}.position`),
  close_probability: ofStage('number', (v) => `${v}.close_probability`),
  is_open: ofStage('boolean', (v) => `(${v}.kind = 'open')`),
  stage_entered_at: moment,
  /** Whole days since it entered its stage. */
  days_in_stage: {
    type: 'number',
    required: true,
    sql: (a) => `floor(extract(epoch from now() - ${a}.stage_entered_at) / 86400)::int8`,
    opposite_of: 'stage_entered_at',
  },
  /** Open, and longer in its stage than the stage's `rot_days`. */
  stuck: {
    type: 'boolean',
    // Each stage's moment is computed first: what is compared then is a column, which an index may be searched by.
    sql: (
      a,
    ) => `exists (select from (select id, now() - rot_days * interval '1 day' as stuck_before from stages
      where kind = 'open' and rot_days is not null offset 0) rotting
      where rotting.id = ${a}.stage_id and ${a}.stage_entered_at < rotting.stuck_before)`,
  },
  campaign: text,
  campaign_id: reference,
  landing_page: text,
  first_campaign_id: ofOpportunity('uuid', 'attributions', 'first_campaign_id'),
  last_campaign_id: ofOpportunity('uuid', 'attributions', 'last_campaign_id'),
  touches: ofOpportunity('number', 'attributions', 'touches'),
  /** The door it came in by; never changes, unlike `source`. */
  door: { type: 'text', sql: (a) => `(${a}.origin->>'door')` },
  value_minor: number,
  currency: name,
  base_value_minor: number,
  /** A lead that became a deal: it is archived, so that naming the field finds archived ones, too. */
  converted: {
    type: 'boolean',
    sql: (
      a,
    ) => `exists (select from conversions converted where converted.organization_id = ${a}.organization_id
      and converted.lead_id = ${a}.id and converted.reversed_at is null)`,
  },
  forecast_category: text,
  expected_close_on: { type: 'date' },
  expected_close_slips: { type: 'number', required: true },
  risk: ofOpportunity('number', 'deal_risks', 'risk'),
  risk_level: ofOpportunity('text', 'deal_risks', 'level'),
  score: ofOpportunity('number', 'opportunity_scores', 'score'),
  verdict: ofOpportunity('text', 'opportunity_scores', 'verdict'),
  enriched_at: ofOpportunity('time', 'enrichments', 'read_at'),
  enriched_fields: enrichedFields,
  sent_at: time,
  accepted_at: time,
  qualifying_started_at: time,
  qualified_at: time,
  scheduled_at: time,
  won_at: time,
  lost_at: time,
  discard_reason_id: reference,
  discard_note: longText,
  source_lead_id: reference,
  agents_paused: { type: 'boolean' },
  /** Approvals on it that wait for a person. */
  pending_approvals: {
    type: 'number',
    required: true,
    sql: (a) => `(select count(*) from approvals waiting where waiting.organization_id = ${a}.organization_id
      and waiting.subject_kind = ${a}.kind and waiting.subject_id = ${a}.id
      and waiting.status in ('pending', 'stale', 'outcome_unknown'))`,
  },
  ...people,
}

/** Companies. */
export const accountFields: FilterFields = {
  id,
  name,
  website: text,
  domain: text,
  description: longText,
  lifecycle: name,
  segment: text,
  industry: text,
  size: number,
  revenue_minor: number,
  currency: name,
  health: number,
  ...people,
}

/** People. */
export const contactFields: FilterFields = {
  id,
  name,
  title: text,
  email: text,
  description: longText,
  lifecycle: name,
  ...people,
}

const madeAndArchived: FilterFields = { id, archived, created_at: moment, updated_at: moment }

export const taskFields: FilterFields = {
  ...madeAndArchived,
  title: name,
  description: longText,
  status: name,
  priority: { ...name, ranks: ['low', 'normal', 'high', 'urgent'] },
  due_at: time,
  remind_at: time,
  completed_at: time,
  assignee_kind: text,
  assignee_id: { type: 'text', member: true },
  is_open: { type: 'boolean', sql: (a) => `(${a}.status = 'open')` },
  overdue: {
    type: 'boolean',
    sql: (a) => `(${a}.status = 'open' and ${a}.due_at is not null and ${a}.due_at < now())`,
  },
}

export const noteFields: FilterFields = {
  ...madeAndArchived,
  body: { ...longText, required: true },
  subject_kind: name,
  author_kind: { type: 'text', sql: (a) => `(${a}.author->>'kind')` },
  author_id: { type: 'text', member: true, sql: (a) => `(${a}.author->>'id')` },
}

/** What the newest revision of an entry says, where there is one; of a deleted one nothing is left but when it occurred. */
export const asItReads = (column: string) => (a: string) =>
  `(select case when r.n is null then ${a}.${column} else r.${column} end
  from (values (1)) one left join lateral (select n, ${column} from activity_revisions
    where organization_id = ${a}.organization_id and activity_id = ${a}.id order by n desc limit 1) r on true)`

export const activityFields: FilterFields = {
  id,
  type: name,
  // Only people move what happened to another moment.
  occurred_at: {
    ...moment,
    sql: (a) =>
      `(case when ${a}.actor_kind in ('user', 'api_key') then ${asItReads('occurred_at')(a)} else ${a}.occurred_at end)`,
  },
  actor_kind: name,
  actor_id: { type: 'text', required: true, member: true },
  actor_name: name,
  reason: { ...longText, sql: asItReads('reason') },
  run_id: reference,
}

export const fileFields: FilterFields = {
  ...madeAndArchived,
  name,
  media_type: name,
  size: { type: 'number', required: true },
  text_status: name,
  subject_kind: name,
}

export const touchpointFields: FilterFields = {
  id,
  campaign: text,
  campaign_id: reference,
  source: text,
  medium: text,
  term: text,
  content: text,
  landing_page: text,
  referrer: text,
  occurred_at: moment,
  door: name,
}

export const campaignFields: FilterFields = {
  ...madeAndArchived,
  name,
  slug: name,
  channel: text,
  status: name,
  starts_on: { type: 'date' },
  ends_on: { type: 'date' },
  budget_minor: number,
  cost_minor: number,
  currency: name,
  owner_id: member,
  owner_name: ownerName,
  external_id: text,
}

export const submissionFields: FilterFields = {
  id,
  door: name,
  status: name,
  source_id: reference,
  received_at: moment,
  processed_at: time,
}
