import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { Filter } from '../db/filters.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  const { version } = await readSettings(ctx)
  await changeSettings(ctx, { version, changes: { timezone: 'America/New_York' } })
  // The 21st begins at 05:00 UTC there, and summer time ends on the 1st of November.
  for (const [name, at] of [
    ['the evening before', '2026-11-21T04:59:59.999Z'],
    ['the first moment', '2026-11-21T05:00:00Z'],
    ['noon', '2026-11-21T17:00:00Z'],
    ['the last moment', '2026-11-22T04:59:59.999Z'],
    ['the morning after', '2026-11-22T05:00:00Z'],
    ['the long day', '2026-11-02T04:30:00Z'],
  ] as const) {
    const { id } = await makeLead(ctx, { contact_name: name })
    await inTx(ctx, ({ tx }) => tx`update opportunities set created_at = ${at} where id = ${id}`)
  }
})
afterAll(() => world.stop())

const find = async (op: string, value: unknown): Promise<string[]> => {
  const filter = Filter.parse({ field: 'created_at', op, value })
  const { data } = await listOpportunities(ctx, { limit: 50, filter, sort: 'created_at' })
  return data.map(({ name }) => name)
}

const day = ['the first moment', 'noon', 'the last moment']

test('F21: a day is a whole day where the organization is, both ends of a span included', async () => {
  expect(await find('eq', '2026-11-21')).toEqual(day)
  expect(await find('ne', '2026-11-21')).toEqual(['the long day', 'the evening before', 'the morning after'])
  expect(await find('in', ['2026-11-21', '2026-11-22T05:00:00Z'])).toEqual([...day, 'the morning after'])
  expect(await find('not_in', ['2026-11-21', '2026-11-01'])).toEqual([
    'the evening before',
    'the morning after',
  ])
  expect(await find('lt', '2026-11-21')).toEqual(['the long day', 'the evening before'])
  expect(await find('lte', '2026-11-21')).toEqual(['the long day', 'the evening before', ...day])
  expect(await find('gt', '2026-11-21')).toEqual(['the morning after'])
  expect(await find('gte', '2026-11-21')).toEqual([...day, 'the morning after'])
  expect(await find('between', ['2026-11-20', '2026-11-21'])).toEqual(['the evening before', ...day])
  expect(await find('between', ['2026-11-21', '2026-11-21T17:00:00Z'])).toEqual(['the first moment', 'noon'])
  // Of 25 hours.
  expect(await find('eq', '2026-11-01')).toEqual(['the long day'])
  // A moment is a moment.
  expect(await find('eq', '2026-11-21T17:00:00Z')).toEqual(['noon'])
})

test.each([
  ['between', '2026-11-21', 'list of values'],
  ['between', ['2026-11-21'], 'list of two values'],
  ['in', '2026-11-21', 'list of values'],
  ['eq', ['2026-11-21'], 'ISO 8601'],
  ['gte', '2026-02-30', 'ISO 8601'],
])('“%s” of %j is refused', async (op, value, why) => {
  await expect(find(op, value)).rejects.toMatchObject({
    code: 'invalid_filter',
    errors: [{ message: expect.stringContaining(why) }],
  })
})
