import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { variableNames } from '../env.ts'
import manifest from '../package.json' with { type: 'json' }

const ROOT = path.join(import.meta.dirname, '..')
const STARTS_WITHIN_MS = 60_000
/** Asking more often takes the processor away from what starts. */
const LOOK_EVERY_MS = 25

/** What a benchmark provisions the product with. */
export const access = {
  api_key: 'bench_key_0123456789abcdefghij',
  intake_token: 'bench_token_0123456789abcdefghij',
}

/** The real thing: `node start.ts` as `npm start` runs it, in a process of its own, ready. */
export type Product = {
  url: string
  pid: number
  /** From the start of the process to the first 200 of `/readyz`. */
  ready_ms: number
  stop: () => Promise<void>
}

/** Starts the product on a free port with this environment and nothing else of ours; resolves when it is ready. */
export const startProduct = async (env: Record<string, string>, args: string[] = []): Promise<Product> => {
  const port = await freePort()
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !variableNames.includes(name)),
  )
  const started = performance.now()
  const child = spawn(process.execPath, [...nodeFlags, 'start.ts', ...args], {
    cwd: ROOT,
    env: { ...inherited, LOG_LEVEL: 'warn', PORT: String(port), ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const url = `http://127.0.0.1:${port}`
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let over = false
  void ended.then(() => (over = true))
  while (!(await isReady(url))) {
    if (over || performance.now() - started > STARTS_WITHIN_MS) {
      child.kill('SIGKILL')
      throw new Error(
        `the product did not become ready; it ${over ? `ended with ${await ended}` : 'still starts'}`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return {
    url,
    pid: child.pid ?? 0,
    ready_ms: performance.now() - started,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** The flags that `npm start` gives to node. */
const nodeFlags = manifest.scripts.start.split(' ').filter((word) => word.startsWith('--max-'))

/** An empty folder for the product's data. */
export const dataFolder = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'leadhand-bench-'))

const isReady = async (url: string): Promise<boolean> => {
  try {
    const answer = await fetch(`${url}/readyz`)
    await answer.body?.cancel()
    return answer.status === 200
  } catch {
    return false // not listening yet
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
