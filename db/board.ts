import type { PendingQuery, Row } from 'postgres'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import type { Filter } from './filters.ts'
import { matching } from './listing.ts'
import { selectOpportunity, type Opportunity } from './opportunities.ts'
import { packCursor, page, unpackCursor } from './page.ts'
import { totalsOf, type CurrencyTotal } from './pipeline-distribution.ts'
import { readPipeline, stageOf, type Pipeline, type Stage } from './pipelines.ts'
import { readStageTotals, type StageTotal } from './stage-totals.ts'

export type BoardQuery = {
  pipeline_id: string
  filter?: Filter | undefined
  /** Words that each card holds somewhere. */
  q?: string | undefined
  /** Cards per column. */
  limit?: number | undefined
  /** Only this column. */
  stage_id?: string | undefined
  /** Where the column goes on. */
  cursor?: string | undefined
}

/** A column: all of its cards are counted and summed, the first of them are there. */
export type BoardStage = Stage & {
  count: number
  totals: CurrencyTotal[]
  cards: Opportunity[]
  next_cursor: string | null
}

export type Board = { pipeline: Omit<Pipeline, 'stages'>; stages: BoardStage[] }

/** As many as fit a tall screen. */
export const CARDS_PER_COLUMN = 25

/**
 * A pipeline as a board: its columns with what they hold, and a page of cards of each in the order of the board. Without
 * a filter, counts and sums come out of the ledger of totals, and all of it in one round trip.
 * @throws {DomainError} `pipeline_not_found`, `stage_not_found`, `stage_required` for a cursor without its column,
 * `invalid_cursor`, and what a filter refuses
 */
export const readBoard = (ctx: Ctx, query: BoardQuery): Promise<Board> =>
  inTx(ctx, async (ctx) => {
    const { pipeline_id, stage_id, filter, q } = query
    if (query.cursor !== undefined && stage_id === undefined)
      throw invalid('stage_required', '/stage_id', 'A cursor goes on in one column: say in which.')
    const pipeline = readPipeline(ctx, pipeline_id)
    const found =
      filter || q ? await matching(ctx, (await pipeline).record_kind, { filter, q }, 'o') : undefined
    const [{ stages, ...read }, totals, cards] = await Promise.all([
      pipeline,
      found ? countCards(ctx, pipeline_id, found) : readStageTotals(ctx, pipeline_id),
      readCards(ctx, query, found),
    ])
    const limit = query.limit ?? CARDS_PER_COLUMN
    const columns = stage_id ? [stageOf({ ...read, stages }, stage_id)] : stages
    return { pipeline: read, stages: columns.map((stage) => columnOf(stage, totals, cards, limit)) }
  })

/** A condition on cards that the statement calls `o`; in an object, because SQL that is awaited would be sent. */
type Found = { condition: PendingQuery<Row[]> }

type Card = Opportunity & { board_position: string }

/** The order of a column. */
const COLUMN = [
  { name: 'position', type: 'text', descending: false },
  { name: 'id', type: 'uuid', descending: false },
]

const columnOf = (
  stage: Stage,
  totals: readonly StageTotal[],
  cards: readonly Card[],
  limit: number,
): BoardStage => {
  const own = cards.filter(({ stage_id }) => stage_id === stage.id)
  const { data, next_cursor } = page(own, limit, (card) => packCursor([card.board_position, card.id], COLUMN))
  const sums = totalsOf(stage, totals)
  return {
    ...stage,
    count: sums.reduce((sum, { count }) => sum + count, 0),
    totals: sums,
    cards: data.map(({ board_position: _, ...card }) => card),
    next_cursor,
  }
}

/** Of each column its page and one card more, found in the order of the index; only they are read whole. */
const readCards = async (
  { tx, organization_id }: TxCtx,
  { pipeline_id, stage_id, cursor, limit = CARDS_PER_COLUMN }: BoardQuery,
  found: Found | undefined,
): Promise<Card[]> => {
  const [position, id] = cursor === undefined ? [] : unpackCursor(cursor, COLUMN)
  const rows = await tx<Card[]>`
    with shown as materialized (
      select card.id from stages column_of
      cross join lateral (
        select o.id from opportunities o
        where o.organization_id = ${organization_id} and o.stage_id = column_of.id
          and ${found ? found.condition : tx`o.archived_at is null`}
          ${cursor === undefined ? tx`` : tx`and (o.position, o.id) > (${position ?? null}, ${id ?? null}::uuid)`}
        order by o.position, o.id limit ${limit + 1}
      ) as card
      where column_of.organization_id = ${organization_id} and column_of.pipeline_id = ${pipeline_id}
        ${stage_id ? tx`and column_of.id = ${stage_id}` : tx``}
    )
    ${selectOpportunity(tx, tx`o.position as board_position`)}
    where o.organization_id = ${organization_id} and o.id = any(array(select shown.id from shown))
    order by o.position, o.id`
  return [...rows]
}

/** What is found in each column, as the ledger would say it of all. */
const countCards = async (
  { tx, organization_id }: TxCtx,
  pipeline_id: string,
  { condition }: Found,
): Promise<StageTotal[]> => {
  const rows = await tx<StageTotal[]>`
    select o.pipeline_id, o.stage_id, o.currency, count(*) as count, coalesce(sum(o.value_minor), 0)::float8 as value_minor
    from opportunities o
    where o.organization_id = ${organization_id} and o.pipeline_id = ${pipeline_id}
      and o.stage_id = any(array(
        select s.id from stages s where s.organization_id = ${organization_id} and s.pipeline_id = ${pipeline_id}))
      and ${condition}
    group by o.pipeline_id, o.stage_id, o.currency order by o.stage_id, o.currency`
  return [...rows]
}
