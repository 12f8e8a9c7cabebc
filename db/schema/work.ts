import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, tenant } from './columns.ts'

/** What an organization changed about an agent; an agent without a row runs as it was declared. */
export const agents = pgTable(
  'agents',
  {
    organization_id: uuid().notNull(),
    name: text().notNull(),
    enabled: boolean().notNull().default(true),
    model: text(),
    /** Caps per run: `{max_steps, max_input_tokens, max_output_tokens, max_cost_minor}`; absent ones are the agent's own. */
    budget: jsonb().notNull().default({}),
    /** `{"stage.stuck": true}`: what wakes it beside what always does. */
    triggers: jsonb().notNull().default({}),
    updated_at: at('updated_at').notNull().defaultNow(),
    version: integer().notNull().default(1),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.name] })],
)

/** Who may do what: overrides the level that an agent declares for a tool. */
export const policies = pgTable(
  'policies',
  {
    organization_id: uuid().notNull(),
    agent: text().notNull(),
    tool: text().notNull(),
    level: text().notNull(),
    updated_by: jsonb().notNull(),
    updated_at: at('updated_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.agent, t.tool] }),
    check('policies_level', sql`level in ('off', 'deny', 'suggest', 'act')`),
  ],
)

/** One agent working one subject. The lease says which worker holds it; `fence` makes an older holder's writes fail. */
export const runs = pgTable(
  'runs',
  {
    ...tenant,
    agent: text().notNull(),
    agent_version: text(),
    subject_kind: text().notNull(),
    subject_id: uuid().notNull(),
    status: text().notNull().default('queued'),
    /** `{kind, submission_id?, task_id?, file_id?, activity_id?}`: what woke it. */
    trigger: jsonb().notNull(),
    requested_by: jsonb().notNull(),
    model: text(),
    prompt_version: text(),
    input_tokens: integer().notNull().default(0),
    output_tokens: integer().notNull().default(0),
    cost_minor: bigint({ mode: 'number' }),
    currency: text(),
    stop_reason: text(),
    error: jsonb(),
    /** `[{kind, id?, url?}]`: what from outside it has read. */
    tainted_by: jsonb().notNull().default([]),
    attempts: integer().notNull().default(0),
    next_attempt_at: at('next_attempt_at').notNull().defaultNow(),
    lease_until: at('lease_until'),
    fence: integer().notNull().default(0),
    worker: text(),
    cancel_requested_at: at('cancel_requested_at'),
    created_at: at('created_at').notNull().defaultNow(),
    started_at: at('started_at'),
    finished_at: at('finished_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('runs_subject').on(t.organization_id, t.subject_kind, t.subject_id, t.id),
    index('runs_status').on(t.organization_id, t.status, t.id),
    index('runs_due')
      .on(t.next_attempt_at, t.organization_id)
      .where(sql`status in ('queued', 'running')`),
    // One for the whole of the work, and one for each task and file.
    uniqueIndex('runs_one_waiting')
      .on(
        t.organization_id,
        t.agent,
        t.subject_id,
        sql`coalesce(trigger ->> 'task_id', trigger ->> 'file_id', '')`,
      )
      .where(sql`status = 'queued' and attempts = 0`),
    check(
      'runs_status',
      sql`status in ('queued', 'running', 'paused', 'done', 'failed', 'stopped', 'cancelled', 'dead')`,
    ),
  ],
)

/** One journalled model turn or tool call; never changed after it is written. */
export const run_steps = pgTable(
  'run_steps',
  {
    organization_id: uuid().notNull(),
    run_id: uuid().notNull(),
    n: integer().notNull(),
    kind: text().notNull(),
    tool: text(),
    call_id: text(),
    input: jsonb(),
    verdict: text(),
    rule: text(),
    output: jsonb(),
    usage: jsonb(),
    started_at: at('started_at').notNull(),
    finished_at: at('finished_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.run_id, t.n] }),
    uniqueIndex('run_steps_call')
      .on(t.organization_id, t.run_id, t.call_id)
      .where(sql`call_id is not null`),
    foreignKey({
      name: 'run_steps_run',
      columns: [t.organization_id, t.run_id],
      foreignColumns: [runs.organization_id, runs.id],
    }).onDelete('cascade'),
    check('run_steps_kind', sql`kind in ('model', 'tool')`),
  ],
)

/** One parked tool call that waits for, or was decided by, a person. */
export const approvals = pgTable(
  'approvals',
  {
    ...tenant,
    status: text().notNull().default('pending'),
    tool: text().notNull(),
    summary: text().notNull(),
    /** What runs: the proposed arguments, or a person's edit of them. */
    input: jsonb().notNull(),
    /** What was proposed, when a person edited it. */
    proposed_input: jsonb(),
    reason: text(),
    evidence: jsonb().notNull().default([]),
    subject_kind: text().notNull(),
    subject_id: uuid().notNull(),
    /** What it is for (`reply`): at most one open per subject, tool and purpose. */
    purpose: text(),
    proposed_by: jsonb().notNull(),
    run_id: uuid(),
    rule: text().notNull(),
    risk: text().notNull(),
    arguments_hash: text().notNull(),
    /** `[{name, label, hash, value}]`: what it was proposed upon. */
    read_set: jsonb().notNull(),
    stale_because: jsonb(),
    expires_at: at('expires_at').notNull(),
    decided_by: jsonb(),
    decided_at: at('decided_at'),
    decision_code: text(),
    decision_reason: text(),
    /** How often carrying it out met a fault of ours. */
    attempts: integer().notNull().default(0),
    executing_at: at('executing_at'),
    executed_at: at('executed_at'),
    result: jsonb(),
    created_at: at('created_at').notNull().defaultNow(),
    updated_at: at('updated_at').notNull().defaultNow(),
    version: integer().notNull().default(1),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('approvals_status').on(t.organization_id, t.status, t.id),
    index('approvals_subject').on(t.organization_id, t.subject_kind, t.subject_id, t.id),
    index('approvals_expiry')
      .on(t.expires_at)
      .where(sql`status in ('pending', 'stale')`),
    uniqueIndex('approvals_one_card')
      .on(t.organization_id, t.tool, t.subject_id, t.arguments_hash)
      .where(sql`status in ('pending', 'stale')`),
    uniqueIndex('approvals_one_purpose')
      .on(t.organization_id, t.tool, t.subject_id, t.purpose)
      .where(sql`status in ('pending', 'stale') and purpose is not null`),
    check(
      'approvals_status',
      sql`status in ('pending', 'approved', 'executing', 'executed', 'failed', 'outcome_unknown', 'rejected', 'expired', 'withdrawn', 'stale')`,
    ),
  ],
)

/** What is left of how often a key may ask, or a door be delivered to, beside what its processes have taken in advance. */
export const allowances = pgTable(
  'allowances',
  {
    ...tenant,
    per_minute: integer().notNull(),
    tokens: doublePrecision().notNull(),
    /** How much of it the last one who asked was given. */
    granted: integer().notNull(),
    filled_at: at('filled_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.id] })],
)
