import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { NewOpportunity, OpportunityChange } from '../../db/opportunity-fields.ts'
import { kindOfNew, MoveToStage, moveToStage } from '../../db/opportunity-kinds.ts'
import { ById, operationAt, route } from '../route.ts'
import { deals } from '../routes/deals.ts'
import { leads } from '../routes/leads.ts'
import { OpportunityShape } from '../routes/opportunities.ts'

/** Where programs find cards of both kinds. */
const CARDS = '/external/v1/opportunities'

const create = {
  lead: operationAt(leads, 'POST', '/api/leads'),
  deal: operationAt(deals, 'POST', '/api/deals'),
}
const change = {
  lead: operationAt(leads, 'PATCH', '/api/leads/:id').at(CARDS, { versioned: 'optional' }),
  deal: operationAt(deals, 'PATCH', '/api/deals/:id').at(CARDS, { versioned: 'optional' }),
}

const card = {
  permission: 'leads:write',
  response: OpportunityShape,
  keys_only: true,
  tag: 'external',
} as const

const Destined = {
  kind: z.enum(['lead', 'deal']).optional().describe('Follows the pipeline; without one, a lead.'),
  pipeline_id: z.uuid().optional(),
  stage_id: z.uuid().optional(),
}

/** Makes a card of the kind that its pipeline is for, as that kind is made. */
export const createCard = route(
  {
    ...card,
    method: 'POST',
    path: CARDS,
    summary: 'Make a card',
    description:
      'A lead or a deal, whichever its pipeline is for; without a pipeline or stage, a lead in the default pipeline of leads. A lead needs a name, an e-mail address or a phone number, a deal a name. An `external_id` that another one has is 409 `external_id_taken`, with its id.',
    body: z.looseObject(Destined),
    described_body: NewOpportunity.extend({
      ...Destined,
      work: z.boolean().optional().describe('Puts the lead worker on a lead.'),
    }),
    example: {
      contact_name: 'Ana Ruiz',
      company_name: 'Brightside',
      email: 'ana@brightside.example',
      external_id: 'erp-4711',
    },
    status: 201,
  },
  async ({ body: { kind, ...values }, ...call }) =>
    create[await kindOfNew(call.ctx, { ...values, kind })].perform(call, {}, values),
)

/** Changes a card, as its kind is changed. */
export const changeCard = route(
  {
    ...card,
    method: 'PATCH',
    path: `${CARDS}/:id`,
    summary: 'Change a card',
    description:
      'Absent fields stay, null empties one. With `version` or If-Match only if nobody changed it since.',
    params: ById,
    body: z.looseObject({}),
    described_body: OpportunityChange.omit({ version: true }),
    example: { title: 'Head of purchasing' },
    versioned: 'optional',
  },
  async ({ params: { id }, body, version, ...call }) => {
    const { kind } = await getOpportunity(call.ctx, id)
    return change[kind].perform(call, { id }, { ...body, version })
  },
)

/** Moves a card to a stage of this name or id. */
export const moveCard = route(
  {
    ...card,
    method: 'PATCH',
    path: `${CARDS}/:id/stage`,
    summary: 'Move a card to another stage',
    description:
      'The same move as everywhere: onto a won or lost stage it closes the card, out of one it reopens it. A lost card needs a discard reason where its pipeline says so.',
    params: ById,
    body: MoveToStage,
    example: { stage: 'Qualified', reason: 'They asked for an offer' },
  },
  ({ ctx, params, body }) => moveToStage(ctx, params.id, body),
)

/** Among which kinds a card is looked for: the one that is said, else both. */
export const kindsOfCard = async (ctx: Ctx, sent: Record<string, unknown>): Promise<('lead' | 'deal')[]> => {
  const said = z.object(Destined).safeParse(sent)
  return said.success && Object.keys(said.data).length > 0
    ? [await kindOfNew(ctx, said.data)]
    : ['lead', 'deal']
}
