/** The JSON the API answers with, as the pages use it. */

/** Who did something: a person, an agent, a key, the system, a visitor. */
export type Actor = {
  kind: 'user' | 'agent' | 'api_key' | 'system' | 'visitor'
  id: string
  name: string
  version?: number | string
}

/** A pointer to a record. */
export type Subject = { kind: string; id: string }

/** One page of a list; `next_cursor` is null on the last one. */
export type Page<T> = { data: T[]; next_cursor: string | null }

/** A step of a pipeline; `kind` says whether it ends the lead. */
export type Stage = {
  id: string
  label: string
  kind: 'open' | 'won' | 'lost'
  position: number
  color?: string | null
  close_probability?: number | null
  rot_days?: number | null
  count?: number
}

/** The stages that records of one kind move through. */
export type Pipeline = {
  id: string
  name: string
  description?: string | null
  record_kind: string
  is_default: boolean
  stages: Stage[]
  version: number
}

/** One reason behind a score, with its points. */
export type ScoreReason = { factor: string; points: number; reason: string }

/** A finding about a lead and the page it was read on. */
export type Fact = { key: string; value: string; source_url?: string | null; snippet?: string | null }

/** What an agent read about a lead from the outside. */
export type Enrichment = {
  website?: string | null
  summary?: string | null
  facts: Fact[]
  read_at?: string | null
}

/** A lead. */
export type Lead = {
  id: string
  kind: string
  name: string
  contact_name: string | null
  company_name: string | null
  title: string | null
  email: string | null
  phone: string | null
  website: string | null
  city: string | null
  state: string | null
  country: string | null
  pipeline_id: string
  stage_id: string
  stage: Pick<Stage, 'id' | 'label' | 'kind' | 'position'>
  owner_id: string | null
  owner: { id: string; name: string } | null
  source: string | null
  value_minor: number | null
  currency: string | null
  score: number | null
  score_reasons: ScoreReason[]
  tags: string[]
  industry: string | null
  message: string | null
  verdict: string | null
  verdict_reason: string | null
  origin?: { door: string; submission_id?: string | null } | null
  enrichment: Enrichment | null
  warnings: { field: string; message: string }[]
  pending_approvals: number
  run_status: RunStatus | null
  stage_entered_at: string
  created_at: string
  updated_at: string
  version: number
}

/** One field before and after a change. */
export type Change = { field: string; label?: string; before?: unknown; after?: unknown }

/** One line of a timeline. */
export type Activity = {
  id: string
  type: string
  occurred_at: string
  actor: Actor
  on_behalf_of?: Actor | null
  reason?: string | null
  run_id?: string | null
  approval_id?: string | null
  subjects: Subject[]
  data: { changes?: Change[]; [key: string]: unknown }
  summary: string
  undoable?: boolean
  undone_by?: string | null
}

/** Where an approval stands. */
export type ApprovalStatus =
  | 'pending'
  | 'approved'
  | 'executing'
  | 'executed'
  | 'failed'
  | 'outcome_unknown'
  | 'rejected'
  | 'expired'
  | 'withdrawn'
  | 'stale'

/** An e-mail exactly as it will be, or was, sent. */
export type Mail = {
  from: string
  to: string
  cc?: string | null
  subject: string
  body: string
  headers?: Record<string, string>
}

/** The parts of JSON Schema that tool inputs use. */
export type InputSchema = {
  type?: string | string[]
  title?: string
  description?: string
  format?: string
  enum?: unknown[]
  maxLength?: number
  properties?: Record<string, InputSchema>
  required?: string[]
  items?: InputSchema
}

/** A value that an approval rests on and that is another one now. */
export type ReadChange = { name: string; label?: string; before: unknown; after: unknown }

/** An act that waits for, or had, a person's decision. */
export type Approval = {
  id: string
  status: ApprovalStatus
  tool: string
  tool_title: string
  effect: string
  irreversible: string | null
  summary: string
  input: Record<string, unknown>
  input_schema: InputSchema | null
  reason: string | null
  purpose: string | null
  rule: string | null
  rule_text: string | null
  evidence: { label: string; url?: string | null; snippet?: string | null }[]
  subject: Subject
  subject_label: string | null
  proposed_by: Actor
  run_id: string | null
  risk: string | null
  before_after: { field: string; label: string; before: unknown; after: unknown }[]
  mail: Mail | null
  consequence: string | null
  changed: ReadChange[] | null
  stale_because?: ReadChange[] | null
  decision_code?: string | null
  decision_reason?: string | null
  executed_at?: string | null
  edited: boolean
  created_at: string
  expires_at: string | null
  decided_at: string | null
  decided_by: Actor | null
  result: unknown
  restorable_until: string | null
  version: number
}

/** How many approvals need somebody, by state. */
export type ApprovalCounts = { pending: number; stale: number; outcome_unknown: number; failed: number }

/** Why a person turned an act down. */
export type RejectReason =
  | 'wrong_content'
  | 'wrong_tone'
  | 'wrong_recipient'
  | 'wrong_timing'
  | 'not_needed'
  | 'factually_wrong'
  | 'other'

/** Where a run stands. */
export type RunStatus = 'queued' | 'running' | 'paused' | 'done' | 'failed' | 'stopped' | 'cancelled' | 'dead'

/** One journalled step of a run. */
export type Step = {
  n: number
  kind: string
  tool?: string | null
  summary?: string | null
  input?: unknown
  verdict?: string | null
  rule?: string | null
  output?: unknown
  error?: string | null
  approval_id?: string | null
  started_at: string
  finished_at: string | null
}

/** One time an agent worked. */
export type Run = {
  id: string
  agent: string
  agent_title?: string | null
  subject: Subject | null
  subject_label?: string | null
  status: RunStatus
  /** What woke the agent. */
  trigger: { kind: string }
  model: string | null
  prompt_version: string | number | null
  created_at?: string | null
  started_at: string | null
  finished_at: string | null
  usage: {
    input_tokens: number
    output_tokens: number
    cost_minor?: number | null
    currency?: string | null
  } | null
  stop_reason: string | null
  outcome?: string | null
  error?: { code: string; message: string } | null
  attempts?: number
  steps?: Step[]
}

/** A task on a record. */
export type Task = {
  id: string
  title: string
  status: string
  priority: string | null
  due_at: string | null
  assignee: { kind: string; id: string; name?: string } | null
  subjects: Subject[]
}
