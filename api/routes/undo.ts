import { z } from 'zod'
import type { Activity, Subject } from '../../db/activities.ts'
import { requireAuthor } from '../../db/authorship.ts'
import type { InverseName } from '../../db/inverses.ts'
import { recordKinds } from '../../db/records.ts'
import { undoRun } from '../../db/run-undo.ts'
import { undoActivity, verbsOf } from '../../db/undo.ts'
import type { Permission } from '../permissions.ts'
import { editorOf, requirePermission, type Principal } from '../principal.ts'
import { recordPermissions } from '../record-permissions.ts'
import { ById, route } from '../route.ts'
import { Anything, Id } from '../shapes.ts'
import { ActivityShape, presentActivity } from './activities.ts'

const UndoRequest = z.object({ reason: z.string().trim().min(1).max(2_000).optional() })

const UndoneRunShape = z
  .object({
    run_id: Id,
    undone: z
      .array(z.object({ activity_id: Id, summary: z.string(), undone_by: Id }))
      .describe('What was taken back, newest act first.'),
    kept: z
      .array(
        z.object({
          activity_id: Id,
          summary: z.string(),
          code: z.string(),
          detail: z.string(),
          extra: Anything,
        }),
      )
      .describe('What stays, and why.'),
    withdrawn: z.array(Id).describe('Approvals of the run that still waited.'),
  })
  .meta({ id: 'UndoneRun' })

/** Taking back what was done. */
export const undo = [
  route(
    {
      method: 'POST',
      path: '/api/activities/:id/undo',
      permission: 'activities:write',
      summary: 'Take one act back',
      description:
        'Runs the inverse of the act as you, and answers the line that says so, which can be taken back itself. 409 `already_undone`; 409 `not_undoable` with `because` (`irreversible`, `too_old`, `changed_nothing`, `part_of_undo`); 409 `changed_since` naming the fields that somebody changed after it, with nothing taken back.',
      params: ById,
      body: UndoRequest,
      example: { reason: 'Wrong company' },
      response: ActivityShape,
    },
    async ({ ctx, params, body, principal }) =>
      presentActivity(
        ctx,
        await undoActivity(ctx, params.id, { ...body, allow: (act) => allow(principal, act) }),
      ),
  ),
  route(
    {
      method: 'POST',
      path: '/api/runs/:id/undo',
      permission: 'runs:write',
      summary: 'Take back what a finished run did',
      description:
        'Takes back, newest first and in one transaction, every act of the run that nobody changed since, names the others and why they stay, and withdraws what of it still waits for a person.',
      params: ById,
      body: UndoRequest,
      example: { reason: 'It took the lead for somebody else' },
      response: UndoneRunShape,
    },
    async ({ ctx, params, body, principal }) => {
      requirePermission(principal, 'approvals:decide')
      return undoRun(ctx, params.id, { ...body, allow: (act) => allow(principal, act) })
    },
  ),
]

/**
 * Who takes an act back may do what takes it back; what a person wrote is that person's to take back, or a manager's.
 * @throws 403 `permission_missing`, `not_the_author`
 */
const allow = (principal: Principal, activity: Activity): void => {
  const { actor, subjects } = activity
  for (const verb of verbsOf(activity)) {
    const permission = PERMISSIONS[verb]
    requirePermission(principal, permission === 'of the record' ? writingTo(subjects) : permission)
    if (WRITTEN.has(verb) && (actor.kind === 'user' || actor.kind === 'api_key'))
      requireAuthor(principal, 'entry', actor, editorOf(principal))
  }
}

/** Of several records, the one that the act is mainly about. */
const writingTo = ([about]: Subject[]): Permission => recordPermissions[RecordKind.parse(about?.kind)].write

const RecordKind = z.enum(recordKinds)

/** What people put down in words. */
const WRITTEN: ReadonlySet<InverseName> = new Set([
  'archive_note',
  'restore_note',
  'edit_note',
  'delete_activity',
  'revert_activity',
])

const PERMISSIONS: Record<InverseName, Permission | 'of the record'> = {
  update_lead: 'leads:write',
  update_record: 'of the record',
  archive_record: 'of the record',
  restore_record: 'of the record',
  link_records: 'of the record',
  unlink_records: 'of the record',
  move_stage: 'leads:write',
  reopen_opportunity: 'leads:write',
  restore_closing: 'leads:write',
  set_milestone: 'leads:write',
  clear_milestone: 'leads:write',
  restore_milestone: 'leads:write',
  set_exchange_rate: 'settings:write',
  update_discard_reason: 'pipelines:write',
  retire_discard_reason: 'pipelines:write',
  restore_discard_reason: 'pipelines:write',
  change_pipeline: 'pipelines:write',
  delete_stage: 'pipelines:write',
  restore_stage: 'pipelines:write',
  archive_pipeline: 'pipelines:write',
  restore_pipeline: 'pipelines:write',
  reverse_conversion: 'leads:write',
  update_campaign: 'campaigns:write',
  archive_campaign: 'campaigns:write',
  restore_campaign: 'campaigns:write',
  archive_note: 'notes:write',
  restore_note: 'notes:write',
  edit_note: 'notes:write',
  archive_task: 'tasks:write',
  restore_task: 'tasks:write',
  update_task: 'tasks:write',
  reopen_task: 'tasks:write',
  set_task_status: 'tasks:write',
  delete_activity: 'activities:write',
  revert_activity: 'activities:write',
  archive_file: 'files:write',
  restore_file: 'files:write',
  unmerge_leads: 'leads:write',
  merge_leads: 'leads:write',
  dismiss_duplicates: 'leads:write',
  restore_duplicates: 'leads:write',
  withdraw_approval: 'approvals:decide',
  update_field: 'fields:write',
  archive_field: 'fields:write',
  update_score_formula: 'scores:write',
  retire_score_formula: 'scores:write',
  restore_score_formula: 'scores:write',
  activate_score_formula: 'scores:write',
  restore_field: 'fields:write',
  update_routing_rule: 'routing:write',
  delete_routing_rule: 'routing:write',
  restore_routing_rule: 'routing:write',
  reorder_routing_rules: 'routing:write',
  update_routing_pool: 'routing:write',
  retire_routing_pool: 'routing:write',
  restore_routing_pool: 'routing:write',
  set_routing_fallback: 'routing:write',
  set_availability: 'availability:write',
  remove_time_off: 'availability:write',
  restore_time_off: 'availability:write',
}
