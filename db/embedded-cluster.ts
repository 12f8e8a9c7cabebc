import { execFile } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keepSecret, makeDataFolder } from '../env.ts'
import { findPrograms, giveToPostgres, spawnOptions, type Programs } from './embedded-programs.ts'

/** Where a cluster lives: `data` is PostgreSQL's own folder; its log, its password and its lock lie beside it. */
export type Cluster = { dir: string; data: string; log: string; password: string; programs: Programs }

/** The superuser of an embedded cluster, and the name of the application's database in it. */
export const clusterOwner = 'leadhand'

/**
 * Opens the cluster of a folder, and makes it when there is none. It is made in a draft folder that is renamed
 * at the end, so that a cluster is there whole or not at all, whenever the process is killed.
 */
export const openCluster = (dir: string, { fast = false } = {}): Promise<Cluster> => {
  // One after the other within a process: they would share a draft.
  const turn = (turns.get(dir) ?? Promise.resolve()).then(
    () => open(dir, fast),
    () => open(dir, fast),
  )
  turns.set(dir, turn)
  return turn
}

const turns = new Map<string, Promise<unknown>>()

const open = async (dir: string, fast: boolean): Promise<Cluster> => {
  makeDataFolder(dir)
  const data = join(dir, 'pg')
  const isMade = fs.existsSync(join(data, 'PG_VERSION'))
  if (isMade && !fs.existsSync(join(dir, 'pg.password')))
    throw new Error(`${join(dir, 'pg.password')} is missing: restore it, it opens the database in ${data}`)
  const password = keepSecret(dir, 'pg.password')
  const cluster = { dir, data, log: join(dir, 'postgres.log'), password, programs: findPrograms(dir) }
  removeAbandonedDrafts(dir)
  if (!isMade) await makeCluster(cluster, fast)
  return cluster
}

/** Whether a process of this number is there, whatever it is. */
export const processRuns = (pid: number): boolean => {
  if (!(pid > 0)) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

const run = promisify(execFile)

const removeAbandonedDrafts = (dir: string): void => {
  for (const name of fs.readdirSync(dir)) {
    const pid = /^pg\.draft-(\d+)/.exec(name)?.[1]
    if (pid && (Number(pid) === process.pid || !processRuns(Number(pid))))
      fs.rmSync(join(dir, name), { recursive: true, force: true })
  }
}

const makeCluster = async (cluster: Cluster, fast: boolean): Promise<void> => {
  const draft = `${cluster.data}.draft-${process.pid}`
  const passwordFile = `${draft}.password`
  try {
    fs.mkdirSync(draft, { mode: 0o700 })
    fs.writeFileSync(passwordFile, cluster.password, { mode: 0o600 })
    for (const path of [draft, passwordFile]) giveToPostgres(cluster.programs, path)
    const { file, args } = cluster.programs.command('initdb', [
      ...['-D', draft, '-U', clusterOwner, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8'],
      ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '--no-instructions'],
      `--lc-ctype=${process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'}`,
      ...(fast ? ['--no-sync'] : []),
    ])
    // Not waited for synchronously: the rest of the program is loaded meanwhile.
    await run(file, args, spawnOptions(cluster.programs)).catch((error: Error & { stderr?: string }) => {
      throw new Error(`No database could be made in ${cluster.data}:\n${error.stderr || error.message}`, {
        cause: error,
      })
    })
    fs.renameSync(draft, cluster.data)
  } catch (error) {
    // another start on the same folder came first: its cluster has the same password
    if (!fs.existsSync(join(cluster.data, 'PG_VERSION'))) throw error
  } finally {
    fs.rmSync(draft, { recursive: true, force: true })
    fs.rmSync(passwordFile, { force: true })
  }
}
