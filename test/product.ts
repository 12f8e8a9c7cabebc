import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTestDatabase, testSecret } from './database.ts'
import { eventually } from './eventually.ts'

/** What an answer of the API is looked at by. */
export type Answer = { status: number; headers: Headers; body: any }

/** The real product in a process of its own, on a database of its own, as an operator runs it. */
export type Product = {
  url: string
  api_key: string
  intake_token: string
  email: string
  password: string
  /** Asks the API with the key that may do everything. */
  api: (
    path: string,
    init?: { method?: string; body?: unknown; headers?: Record<string, string> },
  ) => Promise<Answer>
  /** Posts a lead to the webhook. */
  post: (payload: unknown, headers?: Record<string, string>) => Promise<Answer>
  start: () => Promise<void>
  /** SIGKILL: no chance to finish anything. */
  kill: () => Promise<void>
  /** SIGTERM; answers the exit code. */
  terminate: () => Promise<number | null>
  /** Bytes that the process has in memory now, its threads included. */
  memory: () => number
  /** What the process printed so far. */
  output: () => string
  /** Ends the process and drops the database. */
  stop: () => Promise<void>
}

/** Prepares the product and starts it; `environment` goes to the process. */
export const startProduct = async (environment: Record<string, string> = {}): Promise<Product> => {
  const database = await createTestDatabase()
  const folder = mkdtempSync(path.join(tmpdir(), 'leadhand-product-'))
  const port = await ownPort()
  const url = `http://127.0.0.1:${port}`
  const access = {
    api_key: `key-${randomBytes(16).toString('hex')}`,
    intake_token: `token-${randomBytes(16).toString('hex')}`,
    email: 'owner@northwind.example',
    password: 'a password of the tests',
  }
  let child: ChildProcess | undefined
  let printed = ''

  const exited = (): Promise<number | null> =>
    new Promise((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) resolve(child?.exitCode ?? null)
      else child.once('exit', (code) => resolve(code))
    })
  const ask = async (
    where: string,
    init: { method?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer> => {
    const response = await fetch(`${url}${where}`, {
      method: init.method ?? (init.body === undefined ? 'GET' : 'POST'),
      headers: { 'content-type': 'application/json', ...init.headers },
      ...(init.body === undefined
        ? {}
        : { body: typeof init.body === 'string' ? init.body : JSON.stringify(init.body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
    }
  }

  const product: Product = {
    url,
    ...access,
    api: (where, init = {}) =>
      ask(where, { ...init, headers: { authorization: `Bearer ${access.api_key}`, ...init.headers } }),
    post: (payload, headers = {}) =>
      ask(`/intake/webhook/${access.intake_token}`, { method: 'POST', body: payload, headers }),
    output: () => printed,
    memory: () => residentBytes(child?.pid),
    start: async () => {
      child = spawn(process.execPath, ['start.ts'], {
        cwd: path.resolve(import.meta.dirname, '..'),
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          HOME: process.env['HOME'],
          NODE_ENV: 'production',
          PORT: String(port),
          DATA_DIR: folder,
          DATABASE_URL: database.owner_url,
          DATABASE_APP_URL: database.app_url,
          APP_SECRET: testSecret,
          BOOTSTRAP_ORGANIZATION: 'Northwind',
          BOOTSTRAP_EMAIL: access.email,
          BOOTSTRAP_PASSWORD: access.password,
          BOOTSTRAP_API_KEY: access.api_key,
          BOOTSTRAP_INTAKE_TOKEN: access.intake_token,
          ...environment,
        },
      })
      const started = child
      for (const stream of [started.stdout, started.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          printed += text
        })
      }
      await eventually(async () => started.exitCode !== null || (await fetch(`${url}/readyz`)).ok, 60_000)
      if (started.exitCode !== null)
        throw new Error(`the product ended with ${started.exitCode}:\n${printed}`)
    },
    kill: async () => {
      child?.kill('SIGKILL')
      await exited()
    },
    terminate: async () => {
      child?.kill('SIGTERM')
      return exited()
    },
    stop: async () => {
      child?.kill('SIGKILL')
      await exited()
      await database.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await product.start()
  return product
}

const residentBytes = (pid: number | undefined): number =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024

/** Below the ports that the system lends: there somebody else would be given that of a product while it is dead. */
const PORTS = { from: 20_000, to: 32_000 }
const given = new Set<number>()

const ownPort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
