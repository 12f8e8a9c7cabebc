import type { Ctx } from '../db/context.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { conclude, interleave, print } from './comparison.ts'
import { openRecord } from './database.ts'
import { openLargeDatabase } from './large-database.ts'
import { ratePerSecond, startLimit } from './limit.ts'

const MOVES = { warm_up: 100, round: 600, at_once: 8 }

const database = await openLargeDatabase()
const { db, close } = await openRecord(database, { works: false })
const limit = startLimit()
try {
  const { organization_id, pipeline_id } = database
  const ctx: Ctx = {
    db,
    organization_id,
    actor: { kind: 'user', id: database.user_id, name: 'Owner 0' },
  }
  const { cards, stage_id } = await db.sql.begin(async (tx) => {
    await tx`select set_config('app.organization_id', ${organization_id}, true)`
    const stages = await tx<{ id: string }[]>`
      select id from stages where organization_id = ${organization_id} and pipeline_id = ${pipeline_id} order by position limit 2`
    const found = await tx<{ id: string }[]>`
      select id from opportunities where organization_id = ${organization_id} and stage_id = ${stages[0]?.id ?? ''}
      limit ${2 * (MOVES.warm_up + 3 * MOVES.round)}`
    return { cards: found.map(({ id }) => id), stage_id: stages[1]?.id ?? '' }
  })
  const next = (count: number): string[] => {
    const taken = cards.splice(0, count)
    if (taken.length < count) throw new Error('there are not enough cards in the first stage')
    return taken
  }
  const ours = (count = MOVES.round) =>
    ratePerSecond(next(count), MOVES.at_once, (id) => moveOpportunity(ctx, id, { stage_id }))
  const bare = (count = MOVES.round) =>
    limit.ask({
      limit: 'moves',
      app_url: database.app_url,
      organization_id,
      stage_id,
      cards: next(count),
      at_once: MOVES.at_once,
    })
  await ours(MOVES.warm_up)
  await bare(MOVES.warm_up)
  print(
    conclude(
      {
        name: 'move',
        unit: 'moves/s',
        more: true,
        target: { ratio: 0.4 },
        how: `moveOpportunity between two stages of a pipeline with 300,000 cards, ${MOVES.at_once} at once. Limit: a bare transaction that locks the card and writes the same rows`,
      },
      await interleave(ours, bare),
    ),
  )
} finally {
  await limit.stop()
  await close()
  await database.stop()
}
