import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterEach, describe, expect, it } from 'vitest'
import { DataFolderBusy, startEmbedded, type Embedded } from '../db/embedded.ts'

// everything that a test leaves behind, last one first
const leftovers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const clear of leftovers.splice(0).toReversed()) await clear()
})

const dataFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'leadhand-embedded-'))
  leftovers.push(() => rmSync(folder, { recursive: true }))
  return folder
}

const start = async (options: Parameters<typeof startEmbedded>[0]): Promise<Embedded> => {
  const embedded = await startEmbedded({ fast: true, ...options })
  leftovers.push(embedded.stop)
  return embedded
}

/** Another process that owns the folder, as `npm start` would; resolves when it is up. */
const startElsewhere = async (
  dir: string,
): Promise<{ child: ChildProcess; server: { pid: number; url: string } }> => {
  const program = `
    const { startEmbedded } = await import(${JSON.stringify(new URL('../db/embedded.ts', import.meta.url).href)})
    const { pid, url } = await startEmbedded({ dir: process.argv[1], fast: true, address: 'http://127.0.0.1:3999' })
    console.log(JSON.stringify({ pid, url }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  leftovers.push(() => void child.kill('SIGKILL'))
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve)
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)))
  })
  return { child, server: JSON.parse(line) }
}

const killHard = (child: ChildProcess) =>
  new Promise((resolve) => {
    child.once('exit', resolve)
    child.kill('SIGKILL')
  })

const ask = async <Row>(url: string, question: string): Promise<Row[]> => {
  const sql = postgres(url, { max: 1 })
  try {
    return await sql.unsafe<(Row & object)[]>(question)
  } finally {
    await sql.end()
  }
}

const answers = (url: string) =>
  ask(url, 'select 1').then(
    () => true,
    () => false,
  )

const until = async (condition: () => Promise<boolean>) => {
  const deadline = Date.now() + 15_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen within 15 s')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('the embedded database', () => {
  it('keeps what was written from one start to the next, behind a password of its own', async () => {
    const dir = dataFolder()
    const first = await start({ dir })
    expect(first.adopted).toBe(false)
    await ask(first.url, 'create table kept as select 42 as answer')
    await first.stop()
    expect(await answers(first.url)).toBe(false)

    const second = await start({ dir })
    expect(second.adopted).toBe(false)
    expect(await ask(second.url, 'select answer from kept')).toEqual([{ answer: 42 }])
    const stranger = new URL(second.url)
    stranger.password = 'guess'
    await expect(ask(stranger.href, 'select 1')).rejects.toThrow(/password authentication failed/)
    expect(statSync(join(dir, 'pg.password')).mode & 0o777).toBe(0o600)
  })

  it('is adopted by the next start when its process was killed, and stopped by it', async () => {
    const dir = dataFolder()
    const { child, server } = await startElsewhere(dir)
    await ask(server.url, 'create table kept as select 42 as answer')
    await killHard(child)

    const heir = await start({ dir })
    expect(heir).toMatchObject({ adopted: true, pid: server.pid, url: server.url })
    expect(await ask(heir.url, 'select answer from kept')).toEqual([{ answer: 42 }])
    await heir.stop()
    expect(await answers(heir.url)).toBe(false)
    expect(existsSync(join(dir, 'pg', 'postmaster.pid'))).toBe(false)
  })

  it('belongs to one process: a second start says which one, since when and where', async () => {
    const dir = dataFolder()
    const { child } = await startElsewhere(dir)
    const refusal = await startEmbedded({ dir, fast: true }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(DataFolderBusy)
    expect(String(refusal)).toMatch(
      new RegExp(`in use by process ${child.pid} since 20\\d\\d-.*http://127.0.0.1:3999.*DATA_DIR`),
    )
    await killHard(child)
    expect((await start({ dir })).adopted).toBe(true)
  })

  it('goes to one of several starts at the same moment', async () => {
    const dir = dataFolder()
    const starts = await Promise.allSettled([start({ dir }), start({ dir }), start({ dir })])
    expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const attempt of starts)
      if (attempt.status === 'rejected') expect(attempt.reason).toBeInstanceOf(DataFolderBusy)
  })

  it.each([
    ['has ended', () => 2 ** 22 - 1],
    ['is another program by now', () => process.pid],
  ])('starts over a stale pid file whose process %s', async (_, pid) => {
    const dir = dataFolder()
    const first = await start({ dir })
    await ask(first.url, 'create table kept as select 42 as answer')
    const pidFile = readFileSync(join(dir, 'pg', 'postmaster.pid'), 'utf8')
    await first.stop()
    writeFileSync(join(dir, 'pg', 'postmaster.pid'), pidFile.replace(/^\d+/, String(pid())))

    const second = await start({ dir })
    expect(second.adopted).toBe(false)
    expect(await ask(second.url, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  it('starts over what a killed first start left half made', async () => {
    const dir = dataFolder()
    mkdirSync(join(dir, `pg.draft-${2 ** 22 - 1}`, 'base'), { recursive: true })
    await start({ dir })
    expect(existsSync(join(dir, `pg.draft-${2 ** 22 - 1}`))).toBe(false)
  })

  it('tells that the port it was given is taken', async () => {
    const squatter = createServer()
    const port = await new Promise<number>((resolve) =>
      squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port)),
    )
    leftovers.push(() => void squatter.close())
    await expect(startEmbedded({ dir: dataFolder(), fast: true, port })).rejects.toThrow(`Port ${port}`)
  })

  it('comes back at the same address when its server is killed', async () => {
    const dir = dataFolder()
    const embedded = await start({ dir, fast: false })
    await ask(embedded.url, 'create table kept as select 42 as answer')
    const before = embedded.pid
    process.kill(before, 'SIGKILL')
    await until(async () => embedded.pid !== before && (await answers(embedded.url)))
    expect(await ask(embedded.url, 'select answer from kept')).toEqual([{ answer: 42 }])
    await expect(startEmbedded({ dir, fast: true })).rejects.toThrow(DataFolderBusy)
  })

  it('says why PostgreSQL did not start', async () => {
    const dir = dataFolder()
    await (await start({ dir })).stop()
    writeFileSync(join(dir, 'pg', 'postgresql.conf'), `${randomBytes(4).toString('hex')} = 'nonsense`)
    await expect(startEmbedded({ dir, fast: true })).rejects.toThrow(/ended at once.*\n.*syntax error/)
  })
})
