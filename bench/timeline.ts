import { listTimeline } from '../db/timeline.ts'
import { measureRead } from './reads.ts'

await measureRead({
  name: 'timeline',
  at_most_ms: 20,
  how: 'GET /api/leads/:id/timeline of a lead with 10,000 of 3,000,000 activities',
  path: ({ busy_lead_id }) => `/api/leads/${busy_lead_id}/timeline`,
  read: (ctx, { busy_lead_id }) => listTimeline(ctx, { kind: 'lead', id: busy_lead_id }, { limit: 50 }),
})
