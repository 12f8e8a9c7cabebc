import { z } from 'zod'
import { getAccount } from '../../db/accounts.ts'
import { getContact } from '../../db/contacts.ts'
import type { Ctx } from '../../db/context.ts'
import { convertLead, ConvertLead, previewConversion } from '../../db/lead-conversion.ts'
import { sameBecause } from '../../db/lead-conversion-candidates.ts'
import { reverseConversion } from '../../db/lead-conversion-reversal.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { type Principal, requirePermission } from '../principal.ts'
import { ById, route } from '../route.ts'
import { Anything, Id } from '../shapes.ts'
import { AccountShape } from './accounts.ts'
import { ContactShape } from './contacts.ts'
import { OpportunityShape } from './opportunities.ts'

const Candidate = z.object({ id: Id, name: z.string(), because: z.enum(sameBecause) })
const Created = z.object({ act: z.literal('create'), values: Anything })
const Part = z.union([Created, Candidate.extend({ act: z.literal('link') })]).nullable()

const PlanShape = z
  .object({
    lead: z.object({ id: Id, name: z.string(), version: z.int() }),
    account: Part.describe('Null: the lead names no company, or none was wanted.'),
    contact: Part,
    deal: Created.extend({
      pipeline: z.object({ id: Id, name: z.string() }),
      stage: z.object({ id: Id, label: z.string() }),
      agents_paused: z.boolean().describe('As on the lead.'),
    }).nullable(),
    candidates: z
      .object({ account: z.array(Candidate), contact: z.array(Candidate) })
      .describe('Others that could be meant: say one’s id to link it instead.'),
    custom: z
      .array(
        z.object({
          key: z.string(),
          label: z.string(),
          value: z.unknown(),
          to: z.array(z.enum(['account', 'contact', 'deal'])),
        }),
      )
      .describe(
        'The lead’s custom values, and which new records have a field of the same key and type for them. The rest stays on the lead.',
      ),
    stays: z
      .array(z.object({ field: z.string(), value: z.unknown() }))
      .describe('The lead’s other values that no new record takes: they stay on the lead.'),
  })
  .meta({ id: 'ConversionPlan' })

const Kinds = z.array(z.enum(['account', 'contact', 'deal']))

const ConversionShape = z
  .object({
    lead: OpportunityShape,
    account: AccountShape.nullable(),
    contact: ContactShape.nullable(),
    deal: OpportunityShape.nullable(),
    created: Kinds,
    linked: Kinds,
  })
  .meta({ id: 'Conversion' })

const ReversalShape = z
  .object({
    lead: OpportunityShape,
    archived: Kinds,
    kept: z.array(
      z.object({ kind: z.enum(['account', 'contact']), id: Id, name: z.string(), because: z.string() }),
    ),
  })
  .meta({ id: 'ConversionReversal' })

/** Who converts makes records of three kinds. */
const requireAll = (principal: Principal): void => {
  requirePermission(principal, 'accounts:write')
  requirePermission(principal, 'contacts:write')
}

const converted = async (ctx: Ctx, id: string, input: ConvertLead) => {
  const { lead, account_id, contact_id, deal_id, created } = await convertLead(ctx, id, input)
  const [account, contact, deal] = await Promise.all([
    account_id && getAccount(ctx, account_id),
    contact_id && getContact(ctx, contact_id),
    deal_id && getOpportunity(ctx, deal_id),
  ])
  const parts = { account: account || null, contact: contact || null, deal: deal || null }
  const linked = (['account', 'contact'] as const).filter((kind) => parts[kind] && !created.includes(kind))
  return { lead, ...parts, created, linked }
}

/** A lead that turned out to be real. */
export const leadConversion = [
  route(
    {
      method: 'POST',
      path: '/api/leads/:id/convert/preview',
      permission: 'leads:read',
      summary: 'What converting a lead would create and link',
      description:
        'Takes what `convert` takes, refuses what it refuses, shows values as they will be stored, and writes nothing.',
      params: ById,
      body: ConvertLead,
      example: {},
      response: PlanShape,
    },
    ({ ctx, params, body, principal }) => {
      requirePermission(principal, 'accounts:read')
      requirePermission(principal, 'contacts:read')
      return previewConversion(ctx, params.id, body)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/leads/:id/convert',
      permission: 'leads:write',
      summary: 'Convert a lead into an account, a contact and a deal',
      description:
        'An account or contact that is plainly the same is linked, else made; `account` and `contact` may say an id, `create` or `none`, and `deal: null` makes no deal. The deal keeps `source_lead_id`; the lead is archived as converted, with its history. 409 `already_converted` with what came of it.',
      params: ById,
      body: ConvertLead,
      example: {
        deal: { name: 'Machines for 12 cafés', value_minor: 480_000 },
        reason: 'They asked for an offer',
      },
      response: ConversionShape,
    },
    ({ ctx, params, body, principal }) => {
      requireAll(principal)
      return converted(ctx, params.id, body)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/leads/:id/convert/reverse',
      permission: 'leads:write',
      summary: 'Take a conversion back',
      description:
        'The lead is where it was; the deal, and the account and contact that were made for it, go to the archive. 409 `deal_edited` once the deal was edited, or has a note, a task, a file, an e-mail or a logged call of its own; an account or contact that somebody worked on so is kept and named.',
      params: ById,
      body: z.object({ reason: z.string().trim().min(1).max(2_000).optional() }),
      example: { reason: 'It was not real yet' },
      response: ReversalShape,
    },
    ({ ctx, params, body, principal }) => {
      requireAll(principal)
      return reverseConversion(ctx, params.id, body.reason)
    },
  ),
]
