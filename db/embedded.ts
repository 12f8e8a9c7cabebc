import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { z } from 'zod'
import { log } from '../log.ts'
import { clusterOwner, openCluster, processRuns, type Cluster } from './embedded-cluster.ts'
import { findServer, launchServer, stopServer, type Server } from './embedded-server.ts'

const limits = { attempts: 40, pause_ms: 250, owner_runs_ms: 1_000, owner_gone_ms: 10_000 }

const folderLock = 0x4c656164

/**
 * An embedded PostgreSQL that this process owns. `url` is the owner's login to the database `leadhand`;
 * `adopted` tells that the server was running already, left behind by a process that was killed.
 */
export type Embedded = {
  readonly url: string
  readonly pid: number
  readonly adopted: boolean
  stop: () => Promise<void>
}

/**
 * `dir` holds all of the database (cluster, log, password, owner). `fast` gives up durability, for tests.
 * `port` is a free one unless given; an adopted server keeps its own. `address` is what a second start is told.
 */
export type EmbeddedOptions = { dir: string; fast?: boolean; port?: number; address?: string }

/** Another process owns the folder: the message says which one, since when and where, and what to do. */
export class DataFolderBusy extends Error {
  constructor(dir: string, owner: Owner | undefined) {
    const holder = owner ? `process ${owner.pid} since ${owner.started_at} (${owner.url})` : 'another process'
    super(
      `${dir} is in use by ${holder}. Stop it first, or start this one with a DATA_DIR and a PORT of its own.`,
    )
    this.name = 'DataFolderBusy'
  }
}

/**
 * Starts PostgreSQL on a folder, or adopts the server that a killed process left running there. One process owns
 * a folder: it starts the server again, on the same port, when it dies, and `stop` shuts it down, adopted or not.
 * Throws `DataFolderBusy` when another process owns it.
 */
export const startEmbedded = async ({ dir, ...options }: EmbeddedOptions): Promise<Embedded> => {
  const cluster = await openCluster(resolve(dir), options)
  const first = await own(cluster, options)
  let held: Holding | undefined = first
  let stopping: Promise<void> | undefined

  const guard = async (holding: Holding): Promise<void> => {
    await holding.lost
    if (stopping) return
    log.warn({ pid: holding.server.pid }, 'the embedded PostgreSQL broke off')
    held = await recover(cluster, { ...options, port: holding.server.port }, () => stopping !== undefined)
    if (held) guarding = guard(held)
  }
  let guarding = guard(first)

  const stop = async (): Promise<void> => {
    if (!held) return
    rmSync(ownerFile(cluster), { force: true }) // before the server goes, for then the folder is anybody's
    await stopServer(cluster, held.server)
    await held.release()
    await guarding
  }
  return {
    url: ownerUrl(cluster, first.server),
    get pid() {
      return held?.server.pid ?? first.server.pid
    },
    adopted: first.adopted,
    stop: () => (stopping ??= stop()),
  }
}

const Owner = z.object({ pid: z.number(), started_at: z.string(), url: z.string() })
type Owner = z.infer<typeof Owner>

/** What owning a folder comes down to: a session that holds its lock. `lost` resolves when that session ends. */
type Holding = { server: Server; adopted: boolean; lost: Promise<void>; release: () => Promise<void> }

type OwnOptions = Omit<EmbeddedOptions, 'dir'>

const own = async (cluster: Cluster, options: OwnOptions): Promise<Holding> => {
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await findServer(cluster)
      if (found) return { ...(await holdFolder(cluster, found, options)), adopted: true }
      const server = await launchServer(cluster, options)
      try {
        return { ...(await holdFolder(cluster, server, options)), adopted: false }
      } catch (error) {
        if (!(error instanceof DataFolderBusy)) await stopServer(cluster, server)
        throw error
      }
    } catch (error) {
      if (attempt >= limits.attempts || !willPass(error, options)) throw error
      await sleep(limits.pause_ms)
    }
  }
}

const recover = async (
  cluster: Cluster,
  options: OwnOptions,
  isStopping: () => boolean,
): Promise<Holding | undefined> => {
  for (;;) {
    try {
      const holding = await own(cluster, options)
      log.info({ pid: holding.server.pid, adopted: holding.adopted }, 'the embedded PostgreSQL is back')
      return holding
    } catch (error) {
      log.error({ error }, 'the embedded PostgreSQL is not back')
      if (isStopping() || error instanceof DataFolderBusy) return undefined
      await sleep(limits.pause_ms)
    }
  }
}

// the server is going down, coming up, or another start was quicker: looking again finds out which
const willPass = (error: unknown, { port }: OwnOptions): boolean => {
  if (!(error instanceof Error) || error instanceof DataFolderBusy) return false
  const code = 'code' in error ? String(error.code) : ''
  if (/^(57P0[123]|ECONN(REFUSED|RESET)|CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT)$/.test(code))
    return true
  if (/lock file "postmaster.pid" (already exists|is empty)|shared memory block/.test(error.message))
    return true
  return port === undefined && /could not bind|Address already in use/.test(error.message)
}

const holdFolder = async (
  cluster: Cluster,
  server: Server,
  options: OwnOptions,
): Promise<Omit<Holding, 'adopted'>> => {
  const { promise: lost, resolve: onclose } = Promise.withResolvers<void>()
  const session = postgres({
    ...{ host: '127.0.0.1', port: server.port, username: clusterOwner, password: cluster.password },
    ...{
      database: 'postgres',
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: 5,
      fetch_types: false,
    },
    connection: { application_name: `leadhand owner ${process.pid}` },
    onnotice: () => {},
    onclose: () => onclose(),
  })
  const release = () => session.end({ timeout: 1 })
  try {
    await refuseForeignServer(cluster, session)
    await takeLock(cluster, session)
    const [made] = await session`select from pg_database where datname = ${clusterOwner}`
    if (!made) await session`create database ${session(clusterOwner)}`
    writeOwner(cluster, options.address ?? `postgres://127.0.0.1:${server.port}/${clusterOwner}`)
    return { server, lost, release }
  } catch (error) {
    await release()
    throw error
  }
}

const refuseForeignServer = async (cluster: Cluster, session: postgres.Sql): Promise<void> => {
  const [row] = await session<{ folder: string }[]>`select current_setting('data_directory') as folder`
  if (!row || realpathSync(row.folder) !== realpathSync(cluster.data))
    throw new Error(
      `The server that answers for ${cluster.data} works on ${row?.folder}: stop that one first`,
    )
}

const takeLock = async (cluster: Cluster, session: postgres.Sql): Promise<void> => {
  const started = Date.now()
  for (;;) {
    const [row] = await session<{ taken: boolean }[]>`select pg_try_advisory_lock(${folderLock}) as taken`
    if (row?.taken) return
    // the session of a process that was killed ends a moment after it
    const owner = readOwner(cluster)
    const patience = owner && !processRuns(owner.pid) ? limits.owner_gone_ms : limits.owner_runs_ms
    if (Date.now() - started > patience) throw new DataFolderBusy(cluster.dir, owner)
    await sleep(limits.pause_ms / 5)
  }
}

const ownerUrl = (cluster: Cluster, { port }: Server): string =>
  `postgres://${clusterOwner}:${cluster.password}@127.0.0.1:${port}/${clusterOwner}`

const ownerFile = (cluster: Cluster): string => join(cluster.dir, 'owner.json')

const readOwner = (cluster: Cluster): Owner | undefined => {
  try {
    return Owner.parse(JSON.parse(readFileSync(ownerFile(cluster), 'utf8')))
  } catch {
    return undefined // it only serves the wording of a message; the lock decides
  }
}

const writeOwner = (cluster: Cluster, url: string): void => {
  const owner: Owner = { pid: process.pid, started_at: new Date().toISOString(), url }
  const draft = `${ownerFile(cluster)}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(owner, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(draft, ownerFile(cluster))
}
