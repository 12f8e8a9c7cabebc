import { z } from 'zod'
import { Day } from '../../db/lead-fields.ts'
import { exportClosings, listClosings, listClosingsOf } from '../../db/closings.ts'
import { CloseOpportunity, closeOpportunity } from '../../db/opportunity-closings.ts'
import { previewReopening, ReopenOpportunity, reopenOpportunity } from '../../db/opportunity-reopenings.ts'
import { streamCsv, wantsCsv } from '../csv.ts'
import { ById, Limit, route } from '../route.ts'
import { Actor, Id, listOf, Text, Time, YesNo } from '../shapes.ts'
import { OpportunityShape } from './opportunities.ts'

const Labelled = z.object({ id: Id, label: z.string() })

/** One closing of a card, as it was when it was closed. */
const ClosingShape = z
  .object({
    id: Id,
    opportunity_id: Id,
    opportunity: z.object({ id: Id, kind: z.enum(['lead', 'deal']), name: z.string() }),
    outcome: z.enum(['won', 'lost']),
    pipeline_id: Id,
    stage: Labelled,
    from_stage: Labelled.describe('Where it was closed from.'),
    discard_reason: Labelled.nullable(),
    discard_note: Text,
    value_minor: z.int().nullable(),
    currency: z.string(),
    exchange_rate: z.number().nullable().describe('Of `currency` in `base_currency` on that day.'),
    base_currency: z.string(),
    base_value_minor: z.int().nullable(),
    owner_id: Id.nullable(),
    source: Text,
    closed_at: Time,
    closed_by: Actor,
    reopened_at: Time.nullable().describe('Null while it stands.'),
    reopened_by: Actor.nullable(),
  })
  .meta({ id: 'Closing' })

/** What reopening takes off a card. */
const Cleared = z.array(z.object({ field: z.string(), value: z.unknown() }))

/** Closing, reopening, and what was ever closed. */
export const closings = [
  route(
    {
      method: 'POST',
      path: '/api/opportunities/:id/close',
      permission: 'leads:write',
      summary: 'Close a card as won or lost',
      description:
        'By `stage_id` or `outcome`. Lost needs a `discard_reason_id` unless its pipeline says otherwise. Freezes the exchange rate of the day.',
      params: ById,
      body: CloseOpportunity,
      example: { outcome: 'won', value_minor: 480_000, reason: 'They signed' },
      response: OpportunityShape,
    },
    ({ ctx, params, body }) => closeOpportunity(ctx, params.id, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/opportunities/:id/reopen',
      permission: 'leads:read',
      summary: 'What reopening a card would clear, and where it would go on',
      params: ById,
      response: z.object({ stage: Labelled, cleared: Cleared }),
    },
    ({ ctx, params }) => previewReopening(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/opportunities/:id/reopen',
      permission: 'leads:write',
      summary: 'Reopen a closed card',
      description:
        'In the stage it was closed from unless told otherwise. Answers what that cleared; its closing is kept.',
      params: ById,
      body: ReopenOpportunity,
      example: { reason: 'They called back' },
      response: OpportunityShape.extend({ cleared: Cleared }).meta({ id: 'ReopenedOpportunity' }),
    },
    ({ ctx, params, body }) => reopenOpportunity(ctx, params.id, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/opportunities/:id/closings',
      permission: 'leads:read',
      summary: 'Every closing of a card, the latest first',
      params: ById,
      response: listOf(ClosingShape),
    },
    async ({ ctx, params }) => ({ data: await listClosingsOf(ctx, params.id), next_cursor: null }),
  ),
  route(
    {
      method: 'GET',
      path: '/api/closings',
      permission: 'leads:read',
      summary: 'Everything that was ever closed, the latest first',
      description:
        '`from` and `to` are days in the organization’s time zone, both included. `standing=false` lists what was reopened. As CSV all of them are answered, whatever `limit` says.',
      query: z.object({
        outcome: z.enum(['won', 'lost']).optional(),
        kind: z.enum(['lead', 'deal']).optional(),
        discard_reason_id: z.uuid().optional(),
        owner_id: z.uuid().optional(),
        source: z.string().max(300).optional(),
        pipeline_id: z.uuid().optional(),
        from: Day.optional(),
        to: Day.optional(),
        standing: YesNo.optional(),
        limit: Limit,
        cursor: z.string().max(2_000).optional(),
      }),
      response: listOf(ClosingShape),
      report: true,
    },
    ({ ctx, query: { limit, cursor, ...filter }, request }) =>
      wantsCsv(request)
        ? streamCsv('closings.csv', (write) => exportClosings(ctx, filter, write))
        : listClosings(ctx, { ...filter, limit, cursor }),
  ),
]
