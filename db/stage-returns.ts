import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { readLane } from './opportunity-stages.ts'
import { readPipeline, stageOf, type Pipeline, type Stage } from './pipelines.ts'
import { type Leaving, moveCards } from './stage-emptying.ts'

/** The cards that a deletion moved: the mark of their lines, and how many they were. */
export const Emptied = z.object({ deletion_id: z.uuid(), moved: z.int().positive() })
export type Emptied = z.infer<typeof Emptied>

/** How many cards go in one statement. */
const BATCH = 1_000

/**
 * Brings the cards that a deletion moved back to the stages that they were in, to the places that they had; each gets its
 * line. All of them or none.
 * @throws {DomainError} `changed_since` with how many are where the deletion put them, when some were moved or closed since
 */
export const returnCards = async (
  ctx: TxCtx,
  { deletion_id, moved }: Emptied,
  reason: string | undefined,
): Promise<void> => {
  const moves = await readMoves(ctx, deletion_id)
  const there: Returning[] = []
  for (let at = 0; at < moves.length; at += BATCH)
    // One statement after another on one connection.
    there.push(...(await lockThere(ctx, moves.slice(at, at + BATCH))))
  if (there.length < moved || there.length < moves.length) throw movedSince(moves.length, there.length)
  const pipelines = new Map<string, Pipeline>()
  const pipelineOf = async (id: string): Promise<Pipeline> => {
    const pipeline = pipelines.get(id) ?? (await readPipeline(ctx, id))
    pipelines.set(id, pipeline)
    return pipeline
  }
  for (const cards of Map.groupBy(there, ({ from, to }) => `${from} ${to}`).values()) {
    const [{ from, to, pipeline_id } = missing()] = cards
    const pipeline = await pipelineOf(pipeline_id)
    const stage: Stage = stageOf(pipeline, to)
    const lane = await readLane(ctx, { id: from })
    for (let at = 0; at < cards.length; at += BATCH) {
      const batch = cards.slice(at, at + BATCH)
      const positions = batch.map(({ stood_at }) => stood_at)
      await moveCards(ctx, { pipeline, stage, lane, reason }, batch, positions, {})
    }
  }
}

/** Where a deletion moved a card, and from where. */
type Move = { id: string; from: string; to: string; stood_at: string; entered_at: string }
type Returning = Leaving & Move & { pipeline_id: string }

/** The last move of each card by this deletion: one that was taken back and done again moved them twice. */
const readMoves = async ({ tx, organization_id }: TxCtx, deletion_id: string): Promise<Move[]> => [
  ...(await tx<Move[]>`
    select distinct on (1) subjects -> 0 ->> 'id' as id, data ->> 'from' as from, data ->> 'to' as to,
      data ->> 'position' as stood_at, data ->> 'entered_at' as entered_at
    from activities where organization_id = ${organization_id} and type = 'stage_changed' and id > ${deletion_id}
      and data ->> 'deletion_id' = ${deletion_id}
    order by 1, activities.id desc`),
]

/** Those that are still where the move put them, locked. */
const lockThere = async ({ tx, organization_id }: TxCtx, moves: Move[]): Promise<Returning[]> => {
  const cards = await tx<(Leaving & { stage_id: string; pipeline_id: string })[]>`
    select id, kind, version, stage_id, pipeline_id, stage_entered_at, position from opportunities
    where organization_id = ${organization_id} and id = any(${moves.map(({ id }) => id)}::uuid[])
    order by id for update`
  const moveOf = new Map(moves.map((move) => [move.id, move]))
  return cards.flatMap(({ stage_id, ...card }) => {
    const move = moveOf.get(card.id)
    return move?.to === stage_id && move.entered_at === card.stage_entered_at.toISOString()
      ? [{ ...card, ...move }]
      : []
  })
}

const movedSince = (moved: number, there: number): DomainError =>
  new DomainError(
    'conflict',
    'changed_since',
    `Of the ${moved} cards that this moved, ${moved - there} went on since; nothing was taken back. Move them back first, or add a stage like it and move there what belongs there.`,
    { extra: { changed: [{ field: 'cards', left: moved, now: there }] } },
  )

const missing = (): never => {
  throw new Error('a group of cards has none')
}
