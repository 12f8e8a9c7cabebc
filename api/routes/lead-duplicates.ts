import { z } from 'zod'
import { dismissDuplicates, restoreDuplicates, SaidOfDuplicates } from '../../db/duplicate-dismissals.ts'
import { duplicatesOf, listDuplicates, listNearDuplicates } from '../../db/duplicates.ts'
import { MergeLeads, mergeLeads } from '../../db/lead-merging.ts'
import { UnmergeLeads, unmergeLeads } from '../../db/lead-unmerging.ts'
import { ById, Limit, route } from '../route.ts'
import { Actor, Id, Text, Time, YesNo } from '../shapes.ts'
import { OpportunityShape } from './opportunities.ts'

const DuplicateLead = z
  .object({
    id: Id,
    name: z.string(),
    contact_name: Text,
    company_name: Text,
    title: Text,
    email: Text,
    phone: Text,
    phone_original: Text,
    website: Text,
    city: Text,
    state: Text,
    country: Text,
    external_id: Text,
    source: Text,
    owner: z.object({ id: Id, name: z.string() }).nullable(),
    stage: z.object({ id: Id, label: z.string(), position: z.int() }),
    score: z.int().nullable(),
    value_minor: z.int().nullable(),
    currency: z.string(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'DuplicateLead' })

const SharedKey = z
  .object({
    kind: z.enum(['email', 'phone', 'external_id', 'domain_name']),
    value: z.string(),
    label: z.string().describe('What people call this kind of key.'),
    lead_ids: z.array(Id),
  })
  .meta({ id: 'SharedKey' })

const Reasons = z.array(z.object({ factor: z.string(), points: z.int(), reason: z.string() }))

const DuplicateGroup = z
  .object({
    id: z.string(),
    near: z.boolean().describe('They share no key and are only alike: never merged unless somebody says so.'),
    keys: z.array(SharedKey).describe('What they share.'),
    points: z.int().nullable().describe('0 to 100: how alike near ones are.'),
    reasons: Reasons.describe('Why near ones are alike, each with its points.'),
    leads: z.array(DuplicateLead).describe('At most the first hundred, the oldest first.'),
    count: z.int(),
    primary_id: Id.describe('The one that the others would best be merged into.'),
    primary_reason: z.string(),
  })
  .meta({ id: 'DuplicateGroup' })

const said = (name: 'dismiss' | 'restore', summary: string, description: string) =>
  route(
    {
      method: 'POST',
      path: `/api/leads/duplicates/${name}`,
      permission: 'leads:write',
      summary,
      description,
      body: SaidOfDuplicates,
      example: {
        lead_ids: ['01990000-0000-7000-8000-000000000000', '01990000-0000-7000-8000-000000000001'],
        reason: 'Father and son',
      },
      response: z.object({
        lead_ids: z.array(Id),
        pairs: z.int().describe('Of how many pairs this was not said before.'),
      }),
    },
    ({ ctx, body }) => (name === 'dismiss' ? dismissDuplicates(ctx, body) : restoreDuplicates(ctx, body)),
  )

/** Leads that are one, or may be: found, said not to be, merged, taken apart. */
export const leadDuplicates = [
  route(
    {
      method: 'GET',
      path: '/api/leads/duplicates',
      permission: 'leads:read',
      summary: 'Leads that are, or may be, the same',
      description:
        '`data` are groups of open leads that share a key (e-mail address, phone number, external id, company domain and name), each with the keys; leads that are connected through others are one group. `near` are pairs that share none and are alike, with their reasons; `near=true` makes them `data`, page by page, `near=false` leaves them out. Nothing is merged unless somebody says so.',
      query: z.object({ near: YesNo.optional(), limit: Limit, cursor: z.string().max(300).optional() }),
      response: z.object({
        data: z.array(DuplicateGroup),
        next_cursor: z.string().nullable(),
        near: z.array(DuplicateGroup).describe('The most alike, beside the first page.'),
      }),
    },
    async ({ ctx, query: { near, ...query } }) => {
      if (near === true) return { ...(await listNearDuplicates(ctx, query)), near: [] }
      const beside = near === undefined && query.cursor === undefined
      return {
        ...(await listDuplicates(ctx, query)),
        near: beside ? (await listNearDuplicates(ctx, { limit: query.limit })).data : [],
      }
    },
  ),
  said(
    'dismiss',
    'Say that leads are not the same',
    'No two of them are offered any more, whatever they share. Kept until somebody takes it back.',
  ),
  said(
    'restore',
    'Take back that leads are not the same',
    'Where they share something they are offered again.',
  ),
  route(
    {
      method: 'GET',
      path: '/api/leads/:id/duplicates',
      permission: 'leads:read',
      summary: 'The duplicates of one lead',
      description:
        'Open leads that share a key with it first, then near ones, each with its reasons; what was said not to be the same; and what was merged into it.',
      params: ById,
      response: z.object({
        data: z.array(
          z.object({
            lead: DuplicateLead,
            near: z.boolean(),
            keys: z.array(SharedKey),
            points: z.int(),
            reasons: Reasons,
            primary_id: Id.describe('Which of the two would best stay.'),
            primary_reason: z.string(),
          }),
        ),
        dismissed: z.array(
          z.object({ lead_id: Id, name: z.string(), dismissed_at: Time, dismissed_by: Actor }),
        ),
        merged: z.array(
          z.object({ merge_id: Id, lead_id: Id, name: z.string(), merged_at: Time, merged_by: Actor }),
        ),
      }),
    },
    ({ ctx, params }) => duplicatesOf(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/leads/:id/merge',
      permission: 'leads:write',
      summary: 'Merge a duplicate into a lead',
      description:
        'Into the lead in the path, the primary: it keeps its values but for those of `fields`, which take the duplicate’s (custom ones as `custom.<key>`); its blanks are filled, tags are joined. An amount comes with its currency: `currency` chosen without the `value_minor` that it is of is 422. Tasks, timeline, notes, files, submissions, touchpoints, messages, contacts, accounts and the deal that the duplicate was converted into are the primary’s from then on; the duplicate goes to the archive with `merged_into`, and a submission with its address joins the primary. What waited for approval on the duplicate is withdrawn. Taken back by `/unmerge`.',
      params: ById,
      body: MergeLeads,
      example: {
        duplicate_id: '01990000-0000-7000-8000-000000000000',
        fields: ['title'],
        reason: 'The same person',
      },
      response: OpportunityShape.extend({
        merge_id: Id,
        moved: z.array(z.object({ what: z.string(), count: z.int() })),
        changes: z.array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() })),
        withdrawn: z.array(Id).describe('Approvals that waited on the duplicate.'),
      }).meta({ id: 'MergedLead' }),
      versioned: 'optional',
    },
    async ({ ctx, params, body, version }) => {
      const { lead, ...merged } = await mergeLeads(ctx, params.id, { ...body, version })
      return { ...lead, ...merged }
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/leads/:id/unmerge',
      permission: 'leads:write',
      summary: 'Take a merge back',
      description:
        'Of either of the two leads. Both are as they were, but for what somebody edited since: that stays, and `kept` names it. What came in meanwhile by what only the duplicate is known by (submissions and what they filled, visits, messages) goes back with it; what both are known by stays and is named. Where several leads were merged into this one, `duplicate_id` says which, in any order: the others stay merged, and what they brought stays.',
      params: ById,
      body: UnmergeLeads,
      example: { reason: 'They are father and son' },
      response: z.object({
        primary: OpportunityShape,
        duplicate: OpportunityShape,
        kept: z.array(
          z.object({
            what: z.string(),
            reason: z.string(),
            left: z.unknown().optional(),
            now: z.unknown().optional(),
          }),
        ),
      }),
      versioned: 'optional',
    },
    ({ ctx, params, body, version }) => unmergeLeads(ctx, params.id, { ...body, version }),
  ),
]
