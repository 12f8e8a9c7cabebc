import { z } from 'zod'
import { approvalStatuses } from '../db/approvals.ts'
import { roles } from '../db/identity.ts'
import { Budget } from '../db/models.ts'
import { levels } from '../db/policies.ts'

/**
 * What the API answers, as the OpenAPI document describes it. Members may be added, none goes away.
 */
const Id = z.uuid()
const Time = z.iso.datetime()
const Text = z.string().nullable()
const Anything = z.record(z.string(), z.unknown())

/** One page of a list. */
export const listOf = (item: z.ZodType) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() })

/** Who did something. */
export const Actor = z
  .object({
    kind: z.enum(['user', 'agent', 'api_key', 'system', 'visitor']),
    id: z.string(),
    name: z.string(),
    version: z.string().optional(),
  })
  .meta({ id: 'Actor' })

/** A pointer to a record. */
export const Subject = z.object({ kind: z.string(), id: z.string() }).meta({ id: 'Subject' })

/** What was wrong, RFC 9457. */
export const ProblemShape = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z
      .union([z.int(), z.string()])
      .describe('The HTTP status; where a record’s state was in the way, that state.'),
    code: z.string().describe('Stable: what programs look at.'),
    detail: z.string().describe('For people: what to do next.'),
    instance: z.string(),
    errors: z
      .array(z.object({ pointer: z.string(), message: z.string(), accepted: z.unknown().optional() }))
      .optional(),
  })
  .meta({ id: 'Problem' })

const StageKind = z.enum(['open', 'won', 'lost'])

/** A stage of a pipeline. */
const Stage = z.object({
  id: Id,
  label: z.string(),
  description: Text,
  kind: StageKind,
  position: z.int(),
  color: z.string(),
  close_probability: z.int(),
  rot_days: z.int().nullable(),
})

/** A ladder of stages. */
export const PipelineShape = z
  .object({
    id: Id,
    name: z.string(),
    description: Text,
    record_kind: z.enum(['lead', 'deal']),
    lost_reason: z.enum(['required', 'optional']),
    is_default: z.boolean(),
    template: Text,
    stages: z.array(Stage),
    version: z.int(),
  })
  .meta({ id: 'Pipeline' })

const Fact = z.object({ key: z.string(), value: z.string(), source_url: z.string(), snippet: z.string() })

/** A lead or a deal. */
export const OpportunityShape = z
  .object({
    id: Id,
    kind: z.enum(['lead', 'deal']),
    name: z.string(),
    contact_name: Text,
    company_name: Text,
    title: Text,
    email: Text,
    phone: Text.describe('E.164'),
    phone_original: Text,
    website: Text,
    city: Text,
    state: Text,
    country: Text,
    industry: Text,
    message: Text,
    pipeline_id: Id,
    stage_id: Id,
    stage: z.object({ id: Id, label: z.string(), kind: StageKind, position: z.int() }),
    stage_entered_at: Time,
    owner_id: Id.nullable(),
    owner: z.object({ id: Id, name: z.string() }).nullable(),
    source: Text,
    campaign: Text,
    campaign_id: Id.nullable(),
    landing_page: Text,
    origin: z.looseObject({ door: z.string(), submission_id: Id.optional() }),
    origins: z
      .array(z.object({ field: z.string(), origin: Anything, tainted: z.boolean(), set_at: Time }))
      .optional()
      .describe('Where each field’s value came from; on a single lead.'),
    value_minor: z.int().nullable().describe('In minor units of `currency`.'),
    currency: z.string(),
    forecast_category: Text,
    expected_close_on: z.iso.date().nullable(),
    score: z.int().nullable(),
    score_reasons: z.array(z.object({ factor: z.string(), points: z.number(), reason: z.string() })),
    verdict: Text,
    verdict_reason: Text,
    tags: z.array(z.string()),
    custom: Anything,
    extra: Anything.describe('What was sent beyond the fields.'),
    warnings: z.array(z.object({ field: z.string(), message: z.string() })),
    enrichment: z
      .object({ website: Text, summary: Text, facts: z.array(Fact), read_at: z.string() })
      .nullable(),
    sent_at: Time.nullable(),
    accepted_at: Time.nullable(),
    qualifying_started_at: Time.nullable(),
    qualified_at: Time.nullable(),
    scheduled_at: Time.nullable(),
    won_at: Time.nullable(),
    lost_at: Time.nullable(),
    discard_reason_id: Id.nullable(),
    contact_ids: z.array(Id),
    account_ids: z.array(Id),
    source_lead_id: Id.nullable(),
    external_id: Text,
    agents_paused: z.boolean(),
    archived_at: Time.nullable(),
    pending_approvals: z.int(),
    run_status: Text,
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Opportunity' })

/** One line of a timeline. */
export const ActivityShape = z
  .object({
    id: Id,
    type: z.string(),
    occurred_at: Time,
    actor: Actor,
    on_behalf_of: Actor.optional(),
    reason: z.string().optional(),
    run_id: Id.optional(),
    approval_id: Id.optional(),
    subjects: z.array(Subject),
    data: Anything,
    summary: z.string(),
    seq: z.int().nullable(),
    undoable: z.boolean(),
    undone_by: Id.optional(),
  })
  .meta({ id: 'Activity' })

/** A tool call that waits for, or had, a person's decision. */
export const ApprovalShape = z
  .looseObject({
    id: Id,
    status: z.enum(approvalStatuses),
    tool: z.string(),
    tool_title: z.string(),
    effect: z.enum(['read', 'write', 'outbound']),
    irreversible: Text.describe('Why it cannot be taken back; null where it can.'),
    summary: z.string(),
    input: Anything.describe('What runs, exactly.'),
    input_schema: Anything.describe('JSON Schema of `input`, for a form to edit it.'),
    reason: Text,
    evidence: z.array(
      z.object({ label: z.string(), url: z.string().optional(), snippet: z.string().optional() }),
    ),
    subject: Subject,
    subject_label: Text,
    purpose: Text,
    proposed_by: Actor,
    run_id: Id.nullable(),
    rule: z.string(),
    rule_text: Text,
    risk: z.enum(['low', 'medium', 'high']),
    before_after: z.array(
      z.object({ field: z.string(), label: z.string(), before: z.unknown(), after: z.unknown() }),
    ),
    mail: z
      .looseObject({ from: z.string(), to: z.string(), subject: z.string(), body: z.string() })
      .nullable()
      .describe('The e-mail as it will be sent.'),
    consequence: Text,
    changed: z
      .array(z.object({ name: z.string(), label: z.string(), before: Text, after: Text }))
      .describe('What changed after it was proposed, when it is stale.'),
    edited: z.boolean(),
    expires_at: Time,
    created_at: Time,
    decided_by: Actor.nullable(),
    decided_at: Time.nullable(),
    result: z.unknown(),
    restorable_until: Time.nullable(),
    version: z.int(),
  })
  .meta({ id: 'Approval' })

/** How many approvals stand in each state that wants a person. */
export const ApprovalCounts = z.object({
  pending: z.int(),
  stale: z.int(),
  outcome_unknown: z.int(),
  failed: z.int(),
})

const Step = z.object({
  n: z.int(),
  kind: z.enum(['model', 'tool']),
  tool: Text,
  call_id: Text,
  input: z.unknown(),
  verdict: Text,
  rule: Text,
  output: z.unknown(),
  usage: z.unknown(),
  started_at: Time,
  finished_at: Time,
})

/** One time an agent worked. */
export const RunShape = z
  .object({
    id: Id,
    agent: z.string(),
    agent_title: z.string(),
    agent_version: Text,
    subject: Subject,
    subject_label: Text,
    status: z.enum(['queued', 'running', 'paused', 'done', 'failed', 'stopped', 'cancelled', 'dead']),
    trigger: z.looseObject({ kind: z.string() }),
    requested_by: Actor,
    model: Text,
    prompt_version: Text,
    usage: z.object({
      input_tokens: z.int(),
      output_tokens: z.int(),
      cost_minor: z.int().optional(),
      currency: z.string().optional(),
    }),
    stop_reason: Text,
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    tainted_by: z.array(Anything),
    attempts: z.int(),
    next_attempt_at: Time,
    created_at: Time,
    started_at: Time.nullable(),
    finished_at: Time.nullable(),
    steps: z.array(Step).optional().describe('On a single run.'),
  })
  .meta({ id: 'Run' })

/** The run that was queued; its steps arrive on `/api/events`. */
export const Queued = z.object({ run_id: Id })

/** An agent, what it may do and how it was judged. */
export const AgentShape = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string(),
    enabled: z.boolean(),
    model: z.string(),
    /** Caps per run that the organization set; others are the agent's own. */
    budget: Budget.partial(),
    autonomy: z.array(z.object({ tool: z.string(), level: z.enum(levels) })),
    stats: z.object({ runs: z.int(), approved_unchanged: z.int(), decided: z.int() }),
  })
  .meta({ id: 'Agent' })

/** A tool that agents can be given. */
export const ToolShape = z
  .object({
    name: z.string(),
    effect: z.string(),
    title: z.string(),
    description: z.string(),
    input_schema: Anything,
  })
  .meta({ id: 'Tool' })

/** What an agent may do with a tool. */
export const PolicyShape = z
  .object({ agent: z.string(), tool: z.string(), level: z.enum(levels) })
  .meta({ id: 'Policy' })

/** The organization's settings. */
export const SettingsShape = z
  .object({
    organization: z.object({ id: Id, name: z.string() }),
    ai_enabled: z.boolean(),
    currency: z.string(),
    default_country: Text,
    timezone: z.string(),
    business_hours: Anything,
    sender_name: Text,
    version: z.int(),
  })
  .meta({ id: 'Settings' })

/** A door that outside systems post leads to. */
export const IntakeSourceShape = z
  .object({
    id: Id,
    name: z.string(),
    kind: z.string(),
    token_prefix: z.string(),
    signature_required: z.boolean(),
    mapping: z.record(z.string(), z.string()).nullable(),
    defaults: z.record(z.string(), z.string()),
    target_pipeline_id: Id.nullable(),
    wake_agent: z.boolean(),
    rate_limit_per_minute: z.int(),
    previous_secret_until: Time.nullable(),
    archived_at: Time.nullable(),
    created_at: Time,
    version: z.int(),
    signing_secret: z.string().optional().describe('Shown once.'),
  })
  .meta({ id: 'IntakeSource' })

/** A new door with what is shown once. */
export const OpenedIntakeSource = IntakeSourceShape.extend({ token: z.string(), url: z.string() }).meta({
  id: 'OpenedIntakeSource',
})

/** What came in at a door, as it came. */
export const SubmissionShape = z
  .object({
    id: Id,
    source_id: Id.nullable(),
    door: z.string(),
    delivery_id: Text,
    status: z.enum(['received', 'processed', 'joined', 'rejected', 'needs_attention']),
    problem: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
    payload: z.unknown(),
    lead_id: Id.nullable(),
    received_at: Time,
    processed_at: Time.nullable(),
  })
  .meta({ id: 'Submission' })

/** An e-mail of the outbox. */
export const MessageShape = z
  .object({
    id: Id,
    channel: z.literal('email'),
    status: z.enum(['queued', 'sending', 'sent', 'captured', 'failed', 'outcome_unknown', 'cancelled']),
    message_id: z.string(),
    from: z.string(),
    to: z.string(),
    subject: z.string(),
    body: z.string(),
    headers: z.record(z.string(), z.string()),
    approval_id: Id.nullable(),
    run_id: Id.nullable(),
    subject_record: Subject,
    attempts: z.int(),
    provider_response: Text,
    error: Text,
    sent_at: Time.nullable(),
    created_at: Time,
  })
  .meta({ id: 'Message' })

/** Work that was given up on and waits for a person. */
export const FailureShape = z
  .object({
    id: z.string(),
    kind: z.enum(['run', 'job']),
    name: z.string(),
    subject: Subject.nullable(),
    subject_label: Text,
    error: z.string(),
    attempts: z.int(),
    failed_at: Time,
  })
  .meta({ id: 'Failure' })

/** A key of the API, without its text. */
export const ApiKeyShape = z
  .object({
    id: Id,
    name: z.string(),
    prefix: z.string(),
    scopes: z.array(z.string()),
    created_at: Time,
    last_used_at: Time.nullable(),
    expires_at: Time.nullable(),
    revoked_at: Time.nullable(),
  })
  .meta({ id: 'ApiKey' })

/** A new key; its text is shown once. */
export const MadeApiKey = ApiKeyShape.extend({ key: z.string() }).meta({ id: 'MadeApiKey' })

/** Somebody with a login. */
export const MemberShape = z
  .object({ id: Id, user_id: Id, name: z.string(), email: z.string(), role: z.enum(roles) })
  .meta({ id: 'Member' })

/** A note on a record. */
export const NoteShape = z
  .object({
    id: Id,
    body: z.string(),
    subject: Subject,
    author: Actor,
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Note' })

/** One follow-up on a list. */
export const TaskShape = z
  .object({
    id: Id,
    title: z.string(),
    description: Text,
    status: z.enum(['open', 'done', 'cancelled']),
    priority: z.string(),
    due_at: Time.nullable(),
    assignee: z.object({ kind: z.string(), id: z.string() }).nullable(),
    subjects: z.array(Subject),
    created_by: Actor,
    completed_at: Time.nullable(),
    created_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Task' })

/** Who is asking, and what is switched on for them. */
export const MeShape = z
  .object({
    user: z.object({ id: Id, name: z.string(), email: z.string() }),
    organization: z.object({ id: Id, name: z.string(), slug: z.string() }),
    role: z.enum(roles),
    permissions: z.array(z.string()),
    ai_enabled: z.boolean(),
    model: z.string(),
    mail: z.object({ transport: z.enum(['smtp', 'capture']), from: z.string() }),
    agents: z.array(z.object({ name: z.string(), enabled: z.boolean() })),
  })
  .meta({ id: 'Me' })
