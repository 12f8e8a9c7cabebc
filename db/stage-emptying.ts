import { generateNKeysBetween } from 'fractional-indexing'
import { v7 as uuidv7 } from 'uuid'
import { recordActivities } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { sendStatement, type TxCtx } from './context.ts'
import { stageChange, type Lane } from './opportunity-stages.ts'
import type { Pipeline, Stage } from './pipelines.ts'

/** How many cards go in one statement. */
const BATCH = 1_000

/** Cards of a stage, archived ones too. */
export type Held = { count: number; archived: number }

/** A mark that the lines of a deletion's cards carry, by which they are found again. Such lines are written after it. */
export const newDeletion = (): string => uuidv7()

/**
 * Moves every card of a stage to the end of another one, archived cards too, in their order and with a line on each one's
 * timeline: what a single move does, for all of them. Answers how many.
 */
export const emptyStage = async (
  ctx: TxCtx,
  pipeline: Pipeline,
  stage: Stage,
  lane: Lane,
  { reason, deletion_id }: { reason: string; deletion_id: string },
): Promise<number> => {
  const { tx, organization_id } = ctx
  const [last] = await tx<{ position: string }[]>`
    select position from opportunities
    where organization_id = ${organization_id} and stage_id = ${lane.id} and archived_at is null
    order by position desc limit 1`
  let end = last?.position ?? null
  let moved = 0
  // Each in the order of the index, which has them apart.
  for (const archived of [false, true]) {
    let left: Leaving | undefined
    for (;;) {
      // Each batch leaves the stage before the next is read, and is not walked past again: it stays in the index until the commit.
      const cards: Leaving[] = await tx<Leaving[]>`
        select id, kind, version, stage_entered_at, position from opportunities
        where organization_id = ${organization_id} and stage_id = ${stage.id}
          and ${archived ? tx`archived_at is not null` : tx`archived_at is null`}
          ${left ? tx`and (position, id) > (${left.position}, ${left.id}::uuid)` : tx``}
        order by position, id limit ${BATCH} for update`
      left = cards.at(-1)
      if (!left) break
      const positions = generateNKeysBetween(end, null, cards.length)
      end = positions.at(-1) ?? null
      moved += cards.length
      // One statement after another on one connection.
      await moveCards(ctx, { pipeline, stage, lane, reason }, cards, positions, {
        deletion_id,
        irreversible: `The stage that it left, “${stage.label}”, is gone. Take its deletion back instead.`,
      })
    }
  }
  return moved
}

/** How many cards a stage holds, archived ones too. */
export const countHeld = async (
  { tx, organization_id }: TxCtx,
  stage_ids: readonly string[],
): Promise<Map<string, Held>> => {
  const rows = await tx<(Held & { stage_id: string })[]>`
    select stage_id, count(*) as count, count(archived_at) as archived from opportunities
    where organization_id = ${organization_id} and stage_id = any(${[...stage_ids]}::uuid[]) group by stage_id`
  return new Map(rows.map(({ stage_id, ...held }) => [stage_id, held]))
}

/** From here on nobody brings a card into these stages until the transaction ends; who did so before is seen. */
export const holdStages = (ctx: TxCtx, stage_ids: readonly string[]): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      select 1 from stages where organization_id = ${organization_id} and id = any(${[...stage_ids]}::uuid[])
      order by id for update`,
  )
}

/** `3 cards, 1 of them archived` */
export const cardsHeld = ({ count, archived }: Held): string =>
  `${count} ${count === 1 ? 'card' : 'cards'}${archived > 0 ? `, ${archived} of them archived` : ''}`

/** A card that leaves a stage together with others. */
export type Leaving = {
  id: string
  kind: 'lead' | 'deal'
  version: number
  stage_entered_at: Date
  position: string
}

type Way = { pipeline: Pick<Pipeline, 'id' | 'name'>; stage: Stage; lane: Lane; reason: string | undefined }

/**
 * Moves cards from one stage to another, each to its position and with its line, up to a thousand.
 * @param data what the lines say beside; each also keeps where its card stood, and since when it is where it goes
 */
export const moveCards = async (
  ctx: TxCtx,
  { pipeline, stage, lane, reason }: Way,
  cards: readonly Leaving[],
  positions: string[],
  data: Record<string, unknown>,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const at = new Date()
  const ids = cards.map(({ id }) => id)
  sendStatement(
    ctx,
    tx`
      update opportunities o set pipeline_id = ${lane.pipeline_id}, stage_id = ${lane.id}, stage_entered_at = ${at},
        position = moved.position, version = o.version + 1, updated_at = ${at}
      from unnest(${ids}::uuid[], ${positions}::text[]) as moved (id, position)
      where o.organization_id = ${organization_id} and o.id = moved.id`,
  )
  recordActivities(
    ctx,
    cards.map((card) =>
      stageChange(
        { ...card, pipeline_id: pipeline.id, pipeline: pipeline.name, stage_id: stage.id, stage },
        lane,
        at,
        { reason, data: { ...data, position: card.position, entered_at: at.toISOString() } },
      ),
    ),
  )
  const waiting = await tx<{ kind: string; id: string }[]>`
    select distinct subject_kind as kind, subject_id as id from approvals
    where organization_id = ${organization_id} and subject_kind in ('lead', 'deal') and subject_id = any(${ids}::uuid[])
      and status in ('pending', 'stale')`
  for (const subject of waiting) {
    // Few of them, on one connection.
    await recheckApprovals(ctx, subject)
  }
}
