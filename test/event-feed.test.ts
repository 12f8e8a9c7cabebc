import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFeed } from '../api/event-feed.ts'
import { eventBounds } from '../db/activity-events.ts'
import { sealAll } from '../db/audit.ts'
import { createLead } from '../db/leads.ts'
import { eventually } from './eventually.ts'
import { openWorld, type World } from './world.ts'

let world: World
let owner: postgres.Sql
beforeAll(async () => {
  world = await openWorld()
  owner = postgres(world.owner_url, { max: 2 })
})
afterAll(async () => {
  await owner.end()
  await world.stop()
})

test('F71: who comes while others are read to, and stands further back, is read everything from there', async () => {
  const { ctx, db } = world
  for (let n = 0; n < 12; n++) await createLead(ctx, { contact_name: `Told ${n}` }, { door: 'api' })
  await sealAll(db, `${world.folder}/heads.jsonl`)
  const { newest } = await eventBounds(ctx)
  expect(newest).toBeGreaterThan(10)
  const feed = openFeed(db)
  const heard = { front: [] as number[], back: [] as number[] }
  const follow = (who: keyof typeof heard, seq: number) =>
    feed.follow(
      ctx,
      seq,
      (events) => heard[who].push(...events.map(({ id }) => id)),
      () => {},
    )
  const waits = async (): Promise<boolean> => {
    const [row] = await owner`
      select from pg_locks where relation = 'activities'::regclass and not granted`
    return row !== undefined
  }
  await owner.begin(async (tx) => {
    await tx`lock table activities in access exclusive mode`
    follow('front', newest - 1)
    await eventually(waits)
    follow('back', 0)
  })
  const all = Array.from({ length: newest }, (_, n) => n + 1)
  await eventually(() => heard.back.at(-1) === newest)
  expect(heard).toEqual({ front: [newest], back: all })
  await feed.close()
})
