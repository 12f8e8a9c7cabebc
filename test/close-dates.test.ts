import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { updateDeal } from '../db/deals.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { makeDeal } from './cards.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const movesOf = (id: string) =>
  inTx(ctx, async ({ tx }) => {
    const rows = await tx<{ before_on: string | null; after_on: string | null; slipped_days: number }[]>`
      select before_on, after_on, slipped_days from close_date_moves where opportunity_id = ${id} order by id`
    return [...rows]
  })

test('F91: every move of the expected close is kept, and one to a later day counts as a slip', async () => {
  const deal = await makeDeal(ctx, { expected_close_on: '2026-12-01' })
  expect(deal.expected_close_slips).toBe(0)
  for (const expected_close_on of [
    '2026-12-15',
    '2026-12-10',
    '2026-12-10',
    null,
    '2027-01-31',
    '2027-03-01',
  ])
    await updateDeal(ctx, deal.id, { expected_close_on })
  expect(await movesOf(deal.id)).toEqual([
    { before_on: '2026-12-01', after_on: '2026-12-15', slipped_days: 14 },
    { before_on: '2026-12-15', after_on: '2026-12-10', slipped_days: -5 },
    { before_on: '2026-12-10', after_on: null, slipped_days: 0 },
    { before_on: null, after_on: '2027-01-31', slipped_days: 52 },
    { before_on: '2027-01-31', after_on: '2027-03-01', slipped_days: 29 },
  ])
  // The count is derived: it raises no version.
  expect(await getOpportunity(ctx, deal.id)).toMatchObject({ expected_close_slips: 3, version: 6 })
})

test('F91: what is taken back counts no more, and again when that is taken back', async () => {
  const deal = await makeDeal(ctx, { expected_close_on: '2026-12-01' })
  const slips = async () => (await getOpportunity(ctx, deal.id)).expected_close_slips
  const lastLine = async () =>
    (await listTimeline(ctx, { kind: 'deal', id: deal.id }, { limit: 1 })).data[0]!.id
  await updateDeal(ctx, deal.id, { expected_close_on: '2026-12-15' })
  const slipped = await lastLine()
  await updateDeal(ctx, deal.id, { expected_close_on: '2026-12-10' })
  await undoActivity(ctx, await lastLine())
  // It had been pulled in, which is no slip; nor is it one that this is not so.
  expect(await slips()).toBe(1)
  await undoActivity(ctx, slipped)
  expect(await slips()).toBe(0)
  await undoActivity(ctx, await lastLine())
  expect(await getOpportunity(ctx, deal.id)).toMatchObject({
    expected_close_on: '2026-12-15',
    expected_close_slips: 1,
  })
})

test('F91: a blank between two days hides no slip, and what was taken back is not remembered', async () => {
  const deal = await makeDeal(ctx, { expected_close_on: '2026-12-01' })
  const setTo = async (expected_close_on: string | null) =>
    (await updateDeal(ctx, deal.id, { expected_close_on })).expected_close_slips
  const lastLine = async () =>
    (await listTimeline(ctx, { kind: 'deal', id: deal.id }, { limit: 1 })).data[0]!.id
  const takeBack = async (line: string) => {
    await undoActivity(ctx, line)
    return (await getOpportunity(ctx, deal.id)).expected_close_slips
  }
  expect(await setTo(null)).toBe(0)
  expect(await setTo('2027-06-01')).toBe(1)
  const slipped = await lastLine()
  expect(await takeBack(slipped)).toBe(0)
  expect(await takeBack(await lastLine())).toBe(1)
  expect(await takeBack(slipped)).toBe(0)
  // Blank again, and the day that was taken back counts for nothing: it is compared with the first one.
  expect(await setTo('2026-11-01')).toBe(0)
  expect(await setTo(null)).toBe(0)
  expect(await setTo('2026-11-02')).toBe(1)

  const blank = await makeDeal(ctx)
  await updateDeal(ctx, blank.id, { expected_close_on: '2026-12-01' })
  const { data } = await listTimeline(ctx, { kind: 'deal', id: blank.id }, { limit: 1 })
  await undoActivity(ctx, data[0]!.id)
  expect(await updateDeal(ctx, blank.id, { expected_close_on: '2027-06-01' })).toMatchObject({
    expected_close_slips: 0,
  })
})

test('F91: a closing that names another day counts the same', async () => {
  const deal = await makeDeal(ctx, { expected_close_on: '2026-12-01' })
  const closed = await closeOpportunity(ctx, deal.id, { outcome: 'won', expected_close_on: '2026-12-24' })
  expect(closed).toMatchObject({ expected_close_on: '2026-12-24', expected_close_slips: 1 })
  expect(await movesOf(deal.id)).toMatchObject([{ slipped_days: 23 }])
})
