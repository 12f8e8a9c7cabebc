import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createTestDatabase, testSecret } from './database.ts'
import { eventually } from './eventually.ts'

/** The program as `npm start` runs it: a process of its own, with nothing in its environment but what is given. */
type Started = {
  child: ChildProcess
  printed: () => string
  /** The address it says it is ready at. */
  url: () => Promise<string>
  /** Its exit code, once it has ended. */
  ended: () => Promise<number | null>
}

const leftovers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const clear of leftovers.splice(0).toReversed()) await clear()
})

const start = (environment: Record<string, string>, ...args: string[]): Started => {
  const child = spawn(process.execPath, ['start.ts', ...args], {
    cwd: path.resolve(import.meta.dirname, '..'),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  leftovers.push(async () => {
    child.kill('SIGTERM')
    await exit
  })
  return {
    child,
    printed: () => printed,
    url: () =>
      eventually(() => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${printed}`)
        return /is ready: (\S+)/.exec(printed)?.[1]
      }, 60_000),
    ended: () => exit,
  }
}

const folder = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), 'leadhand-start-'))
  leftovers.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const ask = async (
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: any; cookie: string }> => {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', origin: new URL(url).origin, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  return { status: response.status, body: await response.json(), cookie }
}

describe('with nothing set', () => {
  test('it makes its database and a demo, tells how to sign in, is alone in its folder, and comes back after a SIGKILL', async () => {
    const DATA_DIR = folder()
    const first = start({ DATA_DIR })
    const url = await first.url()
    await eventually(() => first.printed().includes('shown once'))
    const [, email, password] = /Sign in as (\S+) with the password (\S+)/.exec(first.printed()) ?? []
    const credentials = { email, password }
    const signedIn = await ask(`${url}/api/auth/sign-in/email`, 'POST', credentials, { origin: url })
    expect(signedIn.status).toBe(200)
    const cookie = { cookie: signedIn.cookie }
    const leads = async (at: string) => (await ask(`${at}/api/leads`, 'GET', undefined, cookie)).body.data
    const before = await leads(url)
    expect(before.length).toBeGreaterThan(0)
    expect(await ask(`${url}/readyz`, 'GET')).toMatchObject({
      status: 200,
      body: { checks: { worker: { ok: true } } },
    })

    const second = start({ DATA_DIR })
    expect(await second.ended()).toBe(1)
    expect(second.printed()).toMatch(new RegExp(`in use by process ${first.child.pid} since .* DATA_DIR`))
    expect((await ask(`${url}/healthz`, 'GET')).status).toBe(200)

    first.child.kill('SIGKILL')
    await first.ended()
    const third = start({ DATA_DIR })
    const again = await third.url()
    expect((await leads(again)).map(({ id }: any) => id).toSorted()).toEqual(
      before.map(({ id }: any) => id).toSorted(),
    )
    expect(third.printed()).not.toContain('with the password')

    third.child.kill('SIGTERM')
    expect(await third.ended()).toBe(0)
    expect(existsSync(path.join(DATA_DIR, 'pg', 'postmaster.pid'))).toBe(false)

    const seeded = start({ DATA_DIR }, '--only', 'seed')
    expect(await seeded.ended()).toBe(0)
    const renewed = / with the password (\S+)/.exec(seeded.printed())?.[1]
    expect(renewed).not.toBe(password)
    const last = await start({ DATA_DIR }).url()
    const signIn = (password?: string) =>
      ask(`${last}/api/auth/sign-in/email`, 'POST', { email, password }, { origin: last })
    expect((await signIn(password)).status).toBe(401)
    const renewedSignIn = await signIn(renewed)
    expect(renewedSignIn.status).toBe(200)
    // Who was signed in with the old one is not any more.
    expect(await leads(last)).toBeUndefined()
    cookie.cookie = renewedSignIn.cookie
    expect(await leads(last)).toHaveLength(before.length)
  }, 180_000)

  test('one part alone is refused, and so is a part that does not exist', async () => {
    for (const part of ['api', 'worker']) {
      const alone = start({ DATA_DIR: folder() }, '--only', part)
      expect(await alone.ended()).toBe(1)
      expect(alone.printed()).toMatch(new RegExp(`DATABASE_URL: needed with --only ${part}`))
    }
    const unknown = start({ DATA_DIR: folder() }, '--only', 'everything')
    expect(await unknown.ended()).toBe(1)
    expect(unknown.printed()).toContain('--only: expected api, worker or seed, got "everything"')
  })

  test('a port that is taken is told, and the database is stopped again', async () => {
    const DATA_DIR = folder()
    const first = start({ DATA_DIR: folder() })
    const PORT = new URL(await first.url()).port
    const second = start({ DATA_DIR, PORT })
    expect(await second.ended()).toBe(1)
    expect(second.printed()).toContain(PORT)
    expect(second.printed()).toContain('PORT')
    expect(existsSync(path.join(DATA_DIR, 'pg', 'postmaster.pid'))).toBe(false)
  }, 120_000)
})

test('an API and a worker of their own on one database share the work', async () => {
  const database = await createTestDatabase()
  leftovers.push(database.drop)
  const environment = {
    DATABASE_URL: database.owner_url,
    DATABASE_APP_URL: database.app_url,
    APP_SECRET: testSecret,
    BOOTSTRAP_API_KEY: 'key-of-the-tests-long-enough',
    BOOTSTRAP_INTAKE_TOKEN: 'token-of-the-tests-long-enough',
  }
  const api = start({ ...environment, DATA_DIR: folder() }, '--only', 'api')
  const url = await api.url()
  const key = { authorization: `Bearer ${environment.BOOTSTRAP_API_KEY}` }
  const posted = await ask(`${url}/intake/webhook/${environment.BOOTSTRAP_INTAKE_TOKEN}`, 'POST', {
    name: 'Ana Ruiz',
    email: 'ana@brightside.example',
    message: 'A quote, please.',
  })
  expect(posted.status).toBe(202)
  expect(await ask(`${url}/readyz`, 'GET')).toMatchObject({
    status: 200,
    body: { checks: { worker: { ok: true, detail: 'runs in another process' } } },
  })
  const submission = async () =>
    (await ask(`${url}/api/submissions/${posted.body.submission_id}`, 'GET', undefined, key)).body
  expect(await submission()).toMatchObject({ status: 'received', lead_id: null })

  start({ ...environment, DATA_DIR: folder() }, '--only', 'worker')
  const { lead_id } = await eventually(async () => {
    const now = await submission()
    return now.lead_id && now
  }, 30_000)
  await eventually(async () => {
    const { body } = await ask(
      `${url}/api/approvals?status=pending&lead_id=${lead_id}`,
      'GET',
      undefined,
      key,
    )
    return body.data.some(({ tool }: any) => tool === 'send_email')
  }, 30_000)
}, 180_000)
