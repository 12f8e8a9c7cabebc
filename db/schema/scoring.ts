import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
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
import { at, stamps, tenant } from './columns.ts'

/** The versions of an organization's score formula. None is active: the built-in one scores. */
export const score_formulas = pgTable(
  'score_formulas',
  {
    ...tenant,
    /** Counts up within the organization: what a score says it was computed by. */
    number: integer().notNull(),
    name: text().notNull(),
    definition: jsonb().notNull(),
    /** Time passing alone changes its scores: it is worked every night. */
    time_dependent: boolean().notNull().default(false),
    /** Of the definition (SHA-256 over RFC 8785): a back-test is about exactly this. */
    definition_hash: text().notNull(),
    status: text().notNull().default('draft'),
    created_by: jsonb().notNull(),
    activated_at: at('activated_at'),
    activated_by: jsonb(),
    retired_at: at('retired_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('score_formulas_number').on(t.organization_id, t.number),
    uniqueIndex('score_formulas_one_active')
      .on(t.organization_id)
      .where(sql`status = 'active'`),
    check('score_formulas_status', sql`status in ('draft', 'active', 'retired')`),
  ],
)

/** Long work on scores: the back-test of a formula, or the scoring of every lead anew. */
export const score_jobs = pgTable(
  'score_jobs',
  {
    ...tenant,
    kind: text().notNull(),
    /** Null: the built-in formula. */
    formula_id: uuid(),
    definition_hash: text().notNull(),
    /** What is back-tested, as it was when it was asked for. */
    definition: jsonb(),
    /** Why leads are scored anew: `activated`, `asked` or `nightly`. */
    trigger: text(),
    status: text().notNull().default('queued'),
    total: integer().notNull().default(0),
    done: integer().notNull().default(0),
    /** The last lead that was worked: whoever takes it up goes on behind it. */
    cursor: uuid(),
    /** `{changed, unchanged}` */
    counts: jsonb().notNull().default({}),
    /** What was gathered so far, and in the end what came of it. */
    result: jsonb(),
    error: text(),
    requested_by: jsonb().notNull(),
    on_behalf_of: jsonb(),
    cancel_requested_at: at('cancel_requested_at'),
    lease_until: at('lease_until'),
    fence: integer().notNull().default(0),
    started_at: at('started_at'),
    finished_at: at('finished_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('score_jobs_formula').on(t.organization_id, t.formula_id, t.kind, t.id),
    index('score_jobs_status').on(t.organization_id, t.status, t.id),
    index('score_jobs_due')
      .on(t.lease_until)
      .where(sql`status in ('queued', 'running')`),
    check('score_jobs_kind', sql`kind in ('backtest', 'recompute')`),
    check('score_jobs_status', sql`status in ('queued', 'running', 'done', 'failed', 'cancelled')`),
  ],
)

/** An open lead whose score the back-tested formula would change. */
export const score_changes = pgTable(
  'score_changes',
  {
    organization_id: uuid().notNull(),
    job_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    score_before: integer().notNull(),
    score_after: integer().notNull(),
    verdict_before: text().notNull(),
    verdict_after: text().notNull(),
    /** How far it would move; the order in which they are read. */
    magnitude: integer().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.job_id, t.opportunity_id] }),
    index('score_changes_magnitude').on(t.organization_id, t.job_id, t.magnitude, t.opportunity_id),
    foreignKey({
      name: 'score_changes_job',
      columns: [t.organization_id, t.job_id],
      foreignColumns: [score_jobs.organization_id, score_jobs.id],
    }).onDelete('cascade'),
  ],
)
