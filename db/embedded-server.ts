import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processRuns, type Cluster } from './embedded-cluster.ts'
import { giveToPostgres, spawnOptions } from './embedded-programs.ts'

const limits = {
  ready_ms: 60_000,
  shutdown_ms: 10_000,
  poll_ms: 10,
  writing_ms: 2_000,
  log_bytes: 10 * 2 ** 20,
}

/** A server that runs: its process, and its port on 127.0.0.1. */
export type Server = { pid: number; port: number }

/**
 * The server that runs on the cluster, once it is ready; undefined when there is none. Waits for one that is
 * starting or stopping. A pid file whose process is gone, or is some other program by now, is removed.
 */
export const findServer = async (cluster: Cluster): Promise<Server | undefined> => {
  const deadline = Date.now() + limits.ready_ms
  for (;;) {
    const found = readPidFile(cluster)
    if (!found) return undefined
    if (found.isBeingWritten) {
      await sleep(limits.poll_ms)
      continue
    }
    if (!servesCluster(cluster, found.pid)) {
      if (readPidFile(cluster)?.text === found.text) fs.rmSync(pidFile(cluster), { force: true })
      return undefined
    }
    if (found.status === 'ready') return { pid: found.pid, port: found.port }
    if (Date.now() > deadline)
      throw new Error(
        `PostgreSQL (process ${found.pid}) is ${found.status} for a minute:\n${lastLines(cluster)}`,
      )
    await sleep(limits.poll_ms)
  }
}

/**
 * Starts a server in a session of its own, so that neither Ctrl+C nor the death of this process reaches it, on
 * a free port unless one is given. Throws with PostgreSQL's last log lines when it does not come up.
 */
export const launchServer = async (
  cluster: Cluster,
  { port, fast = false }: { port?: number; fast?: boolean },
): Promise<Server> => {
  if (port && !(await portIsFree(port)))
    throw new Error(
      `Port ${port} on 127.0.0.1 is taken by another program: name another one, or none for a free one`,
    )
  giveToPostgres(cluster.programs, cluster.data)
  const { file, args } = cluster.programs.command('postgres', [
    ...['-D', cluster.data, '-p', String(port ?? (await freePort()))],
    ...Object.entries(settings(fast)).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  const { handle, from } = openLog(cluster)
  const child = spawn(file, args, {
    ...spawnOptions(cluster.programs),
    detached: true,
    stdio: ['ignore', handle, handle],
  })
  fs.closeSync(handle)
  let ended: string | undefined
  child.once('exit', (code, signal) => (ended = `PostgreSQL ended at once (${signal ?? `code ${code}`})`))
  child.once('error', (error) => (ended = `PostgreSQL could not be started: ${error.message}`))
  child.unref()
  const deadline = Date.now() + limits.ready_ms
  for (;;) {
    await sleep(limits.poll_ms)
    if (ended) throw new Error(`${ended}:\n${lastLines(cluster, from)}`)
    const found = readPidFile(cluster)
    if (found?.pid === child.pid && found?.status === 'ready') return { pid: found.pid, port: found.port }
    if (Date.now() < deadline) continue
    child.kill('SIGQUIT')
    throw new Error(`PostgreSQL did not come up within a minute:\n${lastLines(cluster, from)}`)
  }
}

/** Shuts a server down (fast; immediately when that takes 10 s) and returns when its process is gone. */
export const stopServer = async (cluster: Cluster, { pid }: Server): Promise<void> => {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!servesCluster(cluster, pid)) return
    process.kill(pid, signal)
    const deadline = Date.now() + limits.shutdown_ms
    while (Date.now() < deadline && servesCluster(cluster, pid)) await sleep(limits.poll_ms)
  }
  if (servesCluster(cluster, pid))
    throw new Error(`PostgreSQL (process ${pid}) does not stop:\n${lastLines(cluster)}`)
}

/** Whether a process is PostgreSQL on this cluster, and not gone, nor some program that was given its number. */
export const servesCluster = (cluster: Cluster, pid: number): boolean => {
  if (!processRuns(pid)) return false
  if (process.platform !== 'linux') {
    const command = spawnSync('ps', ['-o', 'stat=,command=', '-p', String(pid)], { encoding: 'utf8' }).stdout
    return !command.startsWith('Z') && command.includes('postgres') && command.includes(cluster.data)
  }
  try {
    const [program = ''] = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const folder = () => fs.realpathSync(`/proc/${pid}/cwd`)
    return basename(program) === 'postgres' && folder() === fs.realpathSync(cluster.data)
  } catch {
    return false // it ended between the two looks, or is somebody else's and may not be looked at
  }
}

const settings = (fast: boolean): Record<string, string> => ({
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  jit: 'off',
  // a first import fills tables of which no statistics tell yet: plans for empty ones get slower with every row
  autovacuum_naptime: '5s',
  autovacuum_analyze_scale_factor: '0.3',
  autovacuum_vacuum_insert_scale_factor: '0.5',
  timezone: 'UTC',
  wal_level: 'minimal',
  max_wal_senders: '0',
  // failed statements are the application's to log: they carry what people wrote
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  ...(fast && { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
})

const pidFile = (cluster: Cluster): string => join(cluster.data, 'postmaster.pid')

const readPidFile = (cluster: Cluster) => {
  let text: string
  let age_ms: number
  try {
    text = fs.readFileSync(pidFile(cluster), 'utf8')
    age_ms = Date.now() - fs.statSync(pidFile(cluster)).mtimeMs
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const [pid, , , port, , , , status] = text.split('\n')
  return {
    text,
    pid: Number(pid),
    port: Number(port),
    status: status?.trim() || 'starting',
    isBeingWritten: text === '' && age_ms < limits.writing_ms,
  }
}

const openLog = (cluster: Cluster): { handle: number; from: number } => {
  if (fs.existsSync(cluster.log) && fs.statSync(cluster.log).size > limits.log_bytes)
    fs.renameSync(cluster.log, `${cluster.log}.1`)
  const handle = fs.openSync(cluster.log, 'a', 0o600)
  return { handle, from: fs.fstatSync(handle).size }
}

const lastLines = (cluster: Cluster, from = 0): string =>
  fs.readFileSync(cluster.log).subarray(from).toString('utf8').trimEnd().split('\n').slice(-15).join('\n')

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
