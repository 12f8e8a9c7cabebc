import { z } from 'zod'
import type { Activity } from '../../db/activities.ts'
import { undoRun } from '../../db/run-undo.ts'
import { undoActivity } from '../../db/undo.ts'
import type { Permission } from '../permissions.ts'
import { requirePermission, type Principal } from '../principal.ts'
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
      presentActivity(await undoActivity(ctx, params.id, { ...body, allow: (act) => allow(principal, act) })),
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

/** Who takes an act back may do what takes it back. */
const allow = (principal: Principal, { data, subjects }: Activity): void => {
  const { undo } = data
  const tool = typeof undo === 'object' && undo !== null && 'tool' in undo ? String(undo.tool) : ''
  requirePermission(principal, BY_VERB[tool] ?? BY_KIND[subjects[0]?.kind ?? ''] ?? 'settings:write')
}

const BY_VERB: Record<string, Permission> = {
  archive_note: 'notes:write',
  archive_task: 'tasks:write',
  withdraw_approval: 'approvals:decide',
}

const BY_KIND: Record<string, Permission> = {
  lead: 'leads:write',
  deal: 'leads:write',
  note: 'notes:write',
  task: 'tasks:write',
  field: 'fields:write',
}
