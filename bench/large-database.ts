import { z } from 'zod'
import { createApiKey, resolveApiKey } from '../db/identity.ts'
import { openBenchDatabase, openRecord, SECRET } from './database.ts'
import { fillLargeRecord, million } from './large-record.ts'
import { access, startProduct, type Product } from './product.ts'

/** Where the filled database is: what `npm run bench` hands from one benchmark to the next, so that it is filled once. */
const Place = z.object({
  folder: z.string(),
  owner_url: z.string(),
  app_url: z.string(),
  organization_id: z.string(),
  user_id: z.string(),
  pipeline_id: z.string(),
  busy_lead_id: z.string(),
})
type Place = z.infer<typeof Place>

/** The name of the variable in which the place is handed on. */
export const LARGE_DATABASE = 'BENCH_LARGE_DATABASE'

/** A database with a million leads; `stop` removes it unless it was handed in. */
export type LargeDatabase = Place & { stop: () => Promise<void> }

/** Opens the one that was handed in, or fills one: that takes some minutes. */
export const openLargeDatabase = async (): Promise<LargeDatabase> => {
  const handed = process.env[LARGE_DATABASE]
  if (handed) return { ...Place.parse(JSON.parse(handed)), stop: async () => {} }
  const database = await openBenchDatabase()
  const { db, close } = await openRecord(database, { works: false })
  try {
    const started = performance.now()
    const { ctx, ...where } = await fillLargeRecord(db, database.owner_url, million)
    console.error(`filled ${million.leads} leads in ${Math.round((performance.now() - started) / 1_000)} s`)
    const { folder, owner_url, app_url, stop } = database
    return {
      folder,
      owner_url,
      app_url,
      ...where,
      organization_id: ctx.organization_id,
      user_id: ctx.actor.id,
      stop,
    }
  } finally {
    await close()
  }
}

/** Starts the API on it; `access.api_key` reads the biggest organization as its owner. */
export const serveLargeDatabase = async (database: LargeDatabase): Promise<Product> => {
  const { db, close } = await openRecord(database, { works: false })
  try {
    const { organization_id, user_id } = database
    const ctx = { db, organization_id, actor: { kind: 'user' as const, id: user_id, name: 'Owner 0' } }
    if (!(await resolveApiKey(db, access.api_key)))
      await createApiKey(ctx, { name: 'Benchmark', scopes: ['*'], user_id, text: access.api_key })
  } finally {
    await close()
  }
  return startProduct({ DATABASE_URL: database.owner_url, APP_SECRET: SECRET, DATA_DIR: database.folder }, [
    '--only',
    'api',
  ])
}
