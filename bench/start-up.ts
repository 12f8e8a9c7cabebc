import { rm } from 'node:fs/promises'
import { buildWeb } from '../build.ts'
import { conclude, print, type Round } from './comparison.ts'
import { startLimit } from './limit.ts'
import { dataFolder, startProduct } from './product.ts'

const ROUNDS = 3

/** One round: both start on empty folders of their own, stop, and start again. */
const round = async (): Promise<{ first: Round; next: Round }> => {
  const ours = await dataFolder()
  const bare = await dataFolder()
  const limit = startLimit()
  try {
    const start = async (): Promise<number> => {
      const product = await startProduct({ DATA_DIR: ours })
      await product.stop()
      return product.ready_ms
    }
    const startBare = () => limit.ask({ limit: 'postgres', dir: bare })
    const first = { value: await start(), limit: await startBare() }
    const next = { value: await start(), limit: await startBare() }
    return { first, next }
  } finally {
    await limit.stop()
    for (const folder of [ours, bare]) await rm(folder, { recursive: true })
  }
}

await buildWeb()
const rounds: Awaited<ReturnType<typeof round>>[] = []
for (let n = 0; n < ROUNDS; n++) rounds.push(await round())

const shown = { unit: 'ms', more: false }
print(
  conclude(
    {
      ...shown,
      name: 'first-start',
      target: { at_most: 4_000 },
      how: 'installed and built, empty DATA_DIR: from the start of `node start.ts` to /readyz 200, demo organization included. Limit: initdb and start of the bare embedded PostgreSQL to its first answer',
    },
    rounds.map(({ first }) => first),
  ),
)
print(
  conclude(
    {
      ...shown,
      name: 'next-start',
      target: { at_most: 2_000 },
      how: 'the same DATA_DIR again: from the start of `node start.ts` to /readyz 200. Limit: start of the bare embedded PostgreSQL to its first answer',
    },
    rounds.map(({ next }) => next),
  ),
)
