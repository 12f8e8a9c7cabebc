import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { NewOpportunity, OpportunityChange } from '../../db/opportunity-fields.ts'
import { kindOfNew, kindsOfNew } from '../../db/opportunity-kinds.ts'
import { newOf } from '../../db/record-fields.ts'
import { archiveRecord, restoreRecord, type RecordRef } from '../../db/records.ts'
import { listTimeline } from '../../db/timeline.ts'
import { ById, type Made, operationAt, type Performing, route } from '../route.ts'
import { listOf } from '../shapes.ts'
import { ActivityShape, presentTimeline, TimelineQuery } from './activities.ts'
import { deals } from './deals.ts'
import { leads } from './leads.ts'
import { OpportunityShape } from './opportunities.ts'
import { cardChanges } from './records.ts'

const PATH = '/api/opportunities'

const create = {
  lead: operationAt(leads, 'POST', '/api/leads'),
  deal: operationAt(deals, 'POST', '/api/deals'),
}
const change = {
  lead: operationAt(leads, 'PATCH', '/api/leads/:id').at(PATH, { versioned: 'optional' }),
  deal: operationAt(deals, 'PATCH', '/api/deals/:id').at(PATH, { versioned: 'optional' }),
}

/** What tells the kind of a card before it is made. */
export const Destined = newOf({
  kind: z.enum(['lead', 'deal']).describe('Follows the pipeline; without one, a lead.'),
  pipeline_id: z.uuid(),
  stage_id: z.uuid(),
}).shape

const card = { permission: 'leads:write', response: OpportunityShape } as const

/** Makes a card of the kind that its pipeline is for, as that kind is made. */
export const createCard = route(
  {
    ...card,
    method: 'POST',
    path: PATH,
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
  // Those of one kind that follow each other: leads and deals stay in the order in which they came.
  async (call, bodies) => {
    const kinds = await kindsOfNew(call.ctx, bodies)
    const made: Made[] = []
    for (let from = 0, to; from < bodies.length; from = to) {
      const kind = kinds[from] ?? 'lead'
      const other = kinds.findIndex((one, n) => n > from && one !== kind)
      to = other < 0 ? bodies.length : other
      made.push(...(await createRun(kind, call, bodies.slice(from, to))))
    }
    return made
  },
)

const createRun = async (
  kind: keyof typeof create,
  call: Performing,
  bodies: readonly Record<string, unknown>[],
): Promise<readonly Made[]> => {
  const { together } = create[kind]
  if (!together) throw new Error(`several ${kind}s are not made at once`)
  const read = bodies.map(({ kind: _, ...values }) => together.read(values))
  return together.make(call, read)
}

/** Changes a card, as its kind is changed. */
export const changeCard = route(
  {
    ...card,
    method: 'PATCH',
    path: `${PATH}/:id`,
    summary: 'Change a card',
    description: `Absent fields stay, null empties one${cardChanges}. Send the \`version\` you read.`,
    params: ById,
    body: z.looseObject({}),
    described_body: OpportunityChange.omit({ version: true }),
    example: { version: 1, title: 'Head of purchasing' },
    versioned: true,
  },
  async ({ params: { id }, body, version, ...call }) => {
    const { kind } = await getOpportunity(call.ctx, id)
    return change[kind].perform(call, { id }, { ...body, version })
  },
)

/** Cards of both kinds, by what every kind of record can be asked and told. */
export const opportunityKinds = [
  createCard,
  changeCard,
  route(
    {
      method: 'DELETE',
      path: `${PATH}/:id`,
      permission: 'leads:write',
      summary: 'Archive a card',
      description: 'It leaves lists, boards and totals; everything about it stays, and it can be restored.',
      params: ById,
      status: 204,
    },
    async ({ ctx, params }) => archiveRecord(ctx, await cardOf(ctx, params.id)),
  ),
  route(
    {
      ...card,
      method: 'POST',
      path: `${PATH}/:id/restore`,
      summary: 'Bring a card back from the archive',
      params: ById,
    },
    async ({ ctx, params }) => {
      await restoreRecord(ctx, await cardOf(ctx, params.id))
      return getOpportunity(ctx, params.id)
    },
  ),
  route(
    {
      method: 'GET',
      path: `${PATH}/:id/timeline`,
      permission: 'leads:read',
      summary: 'Everything that happened to a card, newest first',
      description:
        'What was logged on the contacts and accounts it is linked with is told, too, where you may read those.',
      params: ById,
      query: TimelineQuery,
      response: listOf(ActivityShape),
    },
    async ({ ctx, params, query }) =>
      presentTimeline(ctx, await listTimeline(ctx, await cardOf(ctx, params.id), query)),
  ),
]

const cardOf = async (ctx: Ctx, id: string): Promise<RecordRef> => {
  const { kind } = await getOpportunity(ctx, id)
  return { kind, id }
}
