import { ping, type Database } from '../db/client.ts'
import { checkMigrations } from '../db/migrate.ts'
import { log } from '../log.ts'

/** When the worker of this process last looked for work. */
export type WorkerHeartbeat = () => Date

/** So long may one look take before it counts as failed. */
const PATIENCE_MS = 5_000
/** So long may the worker be silent before this process is not ready. */
const SILENCE_MS = 30_000

type Check = { ok: boolean; detail?: string }

/**
 * Whether this process can do its work: the database, its tables, the queue, and the worker where it runs here.
 * @param heartbeat of the worker of this process; absent where another process runs it
 */
export const checkReadiness = async (
  db: Database,
  heartbeat: WorkerHeartbeat | undefined,
): Promise<{ status: 200 | 503; body: Record<string, unknown> }> => {
  const [database, migrations, queue] = await Promise.all([
    look('the database', () => ping(db)),
    look('the tables', () => checkMigrations(db.sql)),
    look('the queue', () => db.queue.check()),
  ])
  const silence_ms = heartbeat ? Date.now() - heartbeat().getTime() : undefined
  const worker: Check =
    silence_ms === undefined
      ? { ok: true, detail: 'runs in another process' }
      : silence_ms <= SILENCE_MS
        ? { ok: true }
        : {
            ok: false,
            detail: `the worker of this process has been silent for ${Math.round(silence_ms / 1_000)} s`,
          }
  const ready = [database, migrations, queue, worker].every(({ ok }) => ok)
  return {
    status: ready ? 200 : 503,
    body: { status: ready ? 'ready' : 'not_ready', checks: { database, migrations, queue, worker } },
  }
}

const look = async (what: string, check: () => Promise<unknown>): Promise<Check> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS)
  })
  try {
    await Promise.race([check(), late])
    return { ok: true }
  } catch (error) {
    log.warn({ err: error }, `${what} cannot be used`)
    return { ok: false, detail: `${what} cannot be used` }
  } finally {
    clearTimeout(timer)
  }
}
