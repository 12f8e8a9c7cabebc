import type { Role } from '../db/identity.ts'

/** What each role may do, by hand: `1` let in, `0` refused, in the order owner, admin, manager, rep, viewer. */
export const roleOrder: readonly Role[] = ['owner', 'admin', 'manager', 'rep', 'viewer']

/** Every operation of the OpenAPI document, with who may use it. */
export const rolesMatrix: Record<string, `${0 | 1}${0 | 1}${0 | 1}${0 | 1}${0 | 1}`> = {
  'GET /api/me': '11111',
  'GET /api/events': '11111',

  'GET /api/leads': '11111',
  'POST /api/leads': '11110',
  'GET /api/leads/{id}': '11111',
  'PATCH /api/leads/{id}': '11110',
  'GET /api/leads/{id}/timeline': '11111',
  'POST /api/leads/{id}/enrich': '11110',
  'POST /api/leads/{id}/suggest': '11110',
  'POST /api/leads/{id}/work': '11110',
  'GET /api/opportunities/{id}': '11111',
  'POST /api/opportunities/{id}/move': '11110',
  'GET /api/pipelines': '11111',
  'GET /api/pipelines/{id}': '11111',

  'GET /api/approvals': '11111',
  'GET /api/approvals/counts': '11111',
  'GET /api/approvals/{id}': '11111',
  'POST /api/approvals/{id}/approve': '11110',
  'POST /api/approvals/{id}/reject': '11110',
  'POST /api/approvals/{id}/restore': '11110',
  'POST /api/approvals/{id}/reread': '11110',
  'POST /api/approvals/{id}/withdraw': '11110',
  'POST /api/approvals/{id}/resolve': '11110',

  'GET /api/runs': '11111',
  'GET /api/runs/{id}': '11111',
  'POST /api/runs/{id}/retry': '11110',
  'POST /api/runs/{id}/cancel': '11110',
  'POST /api/runs/{id}/undo': '11110',
  'GET /api/failures': '11111',
  'POST /api/failures/{id}/retry': '11110',

  'GET /api/agents': '11111',
  'PATCH /api/agents/{name}': '11000',
  'GET /api/policies': '11111',
  'PUT /api/policies/{agent}/{tool}': '11000',
  'GET /api/tools': '11111',
  'GET /api/settings': '11111',
  'PATCH /api/settings': '11000',

  'GET /api/intake-sources': '11111',
  'POST /api/intake-sources': '11100',
  'GET /api/intake-sources/{id}': '11111',
  'PATCH /api/intake-sources/{id}': '11100',
  'POST /api/intake-sources/{id}/rotate-secret': '11100',
  'DELETE /api/intake-sources/{id}': '11100',
  'GET /api/submissions': '11111',
  'GET /api/submissions/{id}': '11111',
  'POST /api/submissions/{id}/retry': '11100',
  'GET /api/messages': '11111',
  'GET /api/messages/{id}': '11111',

  'GET /api/api-keys': '11111',
  'POST /api/api-keys': '11000',
  'DELETE /api/api-keys/{id}': '11000',
  'GET /api/members': '11111',
  'GET /api/notes': '11111',
  'POST /api/notes': '11110',
  'GET /api/tasks': '11111',
  'POST /api/tasks': '11110',
  'GET /api/tasks/{id}': '11111',
  'POST /api/tasks/{id}/complete': '11110',
  'GET /api/activities': '11111',
  'POST /api/activities/{id}/undo': '11110',
}
