import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { kindOfNew, MoveToStage, moveToStage } from '../../db/opportunity-kinds.ts'
import { ById, route } from '../route.ts'
import { changeCard as change, createCard as create, Destined } from '../routes/opportunity-kinds.ts'
import { OpportunityShape } from '../routes/opportunities.ts'

/** Where programs find cards of both kinds. */
const CARDS = '/external/v1/opportunities'

const FOR_PROGRAMS = { keys_only: true, tag: 'external' } as const

/** Makes a card of the kind that its pipeline is for, as that kind is made. */
export const createCard = create.at(CARDS, FOR_PROGRAMS)

/** Changes a card, as its kind is changed. */
export const changeCard = change.at(`${CARDS}/:id`, {
  ...FOR_PROGRAMS,
  description:
    'Absent fields stay, null empties one. With `version` or If-Match only if nobody changed it since.',
  example: { title: 'Head of purchasing' },
  versioned: 'optional',
})

/** Moves a card to a stage of this name or id. */
export const moveCard = route(
  {
    ...FOR_PROGRAMS,
    permission: 'leads:write',
    response: OpportunityShape,
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
  return said.success && Object.values(said.data).some((value) => value !== undefined)
    ? [await kindOfNew(ctx, said.data)]
    : ['lead', 'deal']
}
