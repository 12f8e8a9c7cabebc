import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { readAhead } from '../db/read-ahead.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

/** Rows 1 to 10, four at a time; dividing by zero at row `fails`. */
const chunks = (fails: number, read: (ns: number[]) => Promise<unknown>, stopAt = 10): Promise<number> =>
  inTx(world.ctx, async ({ tx }) => {
    const rows = tx<{ n: number }[]>`select n + 0 / (n - ${fails}::int) as n from generate_series(1, 10) as n`
    for await (const chunk of readAhead(rows.cursor(4))) {
      const ns = chunk.map(({ n }) => n)
      await read(ns)
      if (ns.includes(stopAt)) break
    }
    const [row] = await tx<{ one: number }[]>`select 1 as one`
    return row!.one
  })

test('what a cursor hands out comes whole and in its order, and its connection goes on', async () => {
  const seen: number[][] = []
  expect(await chunks(99, async (ns) => seen.push(ns))).toBe(1)
  expect(seen).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10],
  ])
})

test('the next is asked for before this one is worked on, and no more than that', async () => {
  const told: string[] = []
  const source = async function* () {
    for (let n = 1; n <= 3; n++) {
      told.push(`asked for ${n}`)
      yield n
    }
  }
  for await (const n of readAhead(source())) {
    told.push(`working on ${n}`)
    await pause(1)
  }
  expect(told).toEqual([
    'asked for 1',
    'asked for 2',
    'working on 1',
    'asked for 3',
    'working on 2',
    'working on 3',
  ])
})

test('what fails while its forerunner is worked on is told to who comes for it', async () => {
  const seen: number[][] = []
  const failed = chunks(7, async (ns) => {
    seen.push(ns)
    await pause(50)
  })
  await expect(failed).rejects.toThrow('division by zero')
  expect(seen).toEqual([[1, 2, 3, 4]])
})

test('who stops early ends the cursor: its connection goes on, and what fails later is nobody’s', async () => {
  expect(await chunks(99, async () => {}, 4)).toBe(1)
  await expect(
    chunks(99, async () => {
      throw new Error('the disk is full')
    }),
  ).rejects.toThrow('the disk is full')
})
