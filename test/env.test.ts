import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { appUrl, ConfigurationError, loadAppSecret, makeDataFolder, readEnv, variableNames } from '../env.ts'

const folders: string[] = []
const temporaryFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'leadhand-env-'))
  folders.push(folder)
  return folder
}
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })))

const problemsOf = (source: NodeJS.ProcessEnv): readonly string[] => {
  try {
    readEnv(source)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
}
const secret = 's'.repeat(32)
const db = 'postgres://owner:hunter2@127.0.0.1:5432/crm'

describe('the environment', () => {
  it('needs nothing to be set', () => {
    expect(readEnv({})).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      DATA_DIR: resolve('.data'),
      MODEL: 'rules',
      SEED_DEMO: true,
      ALLOW_PRIVATE_HOSTS: new Set(),
      MAX_UPLOAD_MB: 512,
      LOG_LEVEL: 'info',
    })
  })

  it('is told in .env.example, every variable with its default', () => {
    const example = parseEnv(readFileSync(new URL('../.env.example', import.meta.url), 'utf8'))
    expect(Object.keys(example).toSorted()).toEqual(variableNames.toSorted())
    expect(readEnv(example)).toEqual(readEnv({}))
  })

  it('counts a blank variable as unset', () => {
    expect(readEnv({ PORT: ' ', DATABASE_URL: '', APP_SECRET: '  ', SEED_DEMO: '' })).toEqual(readEnv({}))
  })

  it('tells every problem at once, naming the variable and what would be accepted', () => {
    const problems = problemsOf({
      PORT: 'abc',
      DATABASE_URL: 'mysql://x:hunter2@y/z',
      APP_URL: 'crm.example.com',
      SEED_DEMO: 'maybe',
      LOG_LEVEL: 'loud',
      BOOTSTRAP_API_KEY: 'short',
    })
    expect(problems).toHaveLength(7)
    expect(problems).toContain('PORT: expected a number from 0 to 65535, got "abc"')
    expect(problems).toContain('SEED_DEMO: expected true or false, got "maybe"')
    for (const name of ['DATABASE_URL', 'APP_URL', 'LOG_LEVEL', 'BOOTSTRAP_API_KEY', 'APP_SECRET'])
      expect(problems.filter((problem) => problem.startsWith(`${name}: `))).toHaveLength(1)
    expect(problems.join('\n')).not.toContain('hunter2')
    expect(problems.join('\n')).not.toContain('"short"')
  })

  it.each([['65536'], ['-1'], ['3e3'], ['80.5'], ['0x50']])('refuses the port %s', (PORT) => {
    expect(problemsOf({ PORT })).toHaveLength(1)
  })

  it('asks for a long secret when the database is somebody’s own', () => {
    expect(problemsOf({ DATABASE_URL: db })[0]).toMatch(/^APP_SECRET: required with DATABASE_URL/)
    expect(problemsOf({ DATABASE_URL: db, APP_SECRET: 'x'.repeat(31) })).toEqual([
      'APP_SECRET: expected at least 32 characters, got a value of 31 characters',
    ])
    expect(readEnv({ DATABASE_URL: db, APP_SECRET: secret }).DATABASE_URL).toBe(db)
  })

  it('refuses the app’s login without the owner’s', () => {
    expect(problemsOf({ DATABASE_APP_URL: db, DATABASE_DIRECT_URL: db })).toEqual([
      'DATABASE_APP_URL: expected DATABASE_URL to be set as well',
      'DATABASE_DIRECT_URL: expected DATABASE_URL to be set as well',
    ])
  })

  it('wants an owner for a bootstrap password, and long keys and tokens', () => {
    expect(problemsOf({ BOOTSTRAP_PASSWORD: 'long enough' })[0]).toMatch(/^BOOTSTRAP_EMAIL: required/)
    expect(problemsOf({ BOOTSTRAP_EMAIL: 'me', BOOTSTRAP_PASSWORD: 'seven77' })).toHaveLength(2)
    expect(
      problemsOf({ BOOTSTRAP_API_KEY: 'k'.repeat(19), BOOTSTRAP_INTAKE_TOKEN: 't'.repeat(19) }),
    ).toHaveLength(2)
    for (const BOOTSTRAP_API_KEY of ['a key with spaces, long enough', `schlüssel-${'k'.repeat(20)}`])
      expect(problemsOf({ BOOTSTRAP_API_KEY })[0]).toMatch(
        /^BOOTSTRAP_API_KEY: expected at least 20 characters of ASCII without spaces, got a value of \d+ char/,
      )
    expect(problemsOf({ BOOTSTRAP_API_KEY: 'k'.repeat(20), BOOTSTRAP_INTAKE_TOKEN: 't'.repeat(20) })).toEqual(
      [],
    )
    expect(readEnv({ BOOTSTRAP_EMAIL: ' Ada@Example.com' }).BOOTSTRAP_EMAIL).toBe('ada@example.com')
  })

  it('chooses the model by the key, and refuses one it cannot reach', () => {
    expect(readEnv({ OPENAI_API_KEY: 'k' }).MODEL).toBe('openai:gpt-5-mini')
    expect(readEnv({ OPENAI_API_KEY: 'k', MODEL: 'rules' }).MODEL).toBe('rules')
    expect(readEnv({ OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1/', MODEL: 'openai:llama' })).toMatchObject({
      MODEL: 'openai:llama',
      OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1',
    })
    expect(problemsOf({ MODEL: 'openai:gpt-5' })[0]).toMatch(/^MODEL: openai:gpt-5 needs OPENAI_API_KEY/)
    expect(problemsOf({ MODEL: 'gpt-5' })).toHaveLength(1)
  })

  it('shows the demo only to this machine, and only where nothing is bootstrapped', () => {
    expect(problemsOf({ HOST: '0.0.0.0', SEED_DEMO: 'true' })[0]).toMatch(/^SEED_DEMO: true is accepted only/)
    expect(readEnv({ HOST: '0.0.0.0' }).SEED_DEMO).toBe(false)
    expect(readEnv({ BOOTSTRAP_ORGANIZATION: 'Acme' }).SEED_DEMO).toBe(false)
    expect(readEnv({ BOOTSTRAP_ORGANIZATION: 'Acme', SEED_DEMO: 'TRUE' }).SEED_DEMO).toBe(true)
    expect(readEnv({ HOST: '::1', SEED_DEMO: 'true' }).SEED_DEMO).toBe(true)
  })

  it('reads the private hosts that may be fetched', () => {
    expect(
      readEnv({ ALLOW_PRIVATE_HOSTS: '127.0.0.1:8080, Intranet.example:443,[::1]:9,' }).ALLOW_PRIVATE_HOSTS,
    ).toEqual(new Set(['127.0.0.1:8080', 'intranet.example:443', '[::1]:9']))
    for (const ALLOW_PRIVATE_HOSTS of ['127.0.0.1', 'a:0', 'a:65536', 'http://a:80'])
      expect(problemsOf({ ALLOW_PRIVATE_HOSTS })).toHaveLength(1)
  })

  it('takes mail settings as people write them', () => {
    expect(
      problemsOf({ SMTP_URL: 'smtps://u:p@mail.example.com', MAIL_FROM: 'Ada <ada@example.com>' }),
    ).toEqual([])
    expect(problemsOf({ SMTP_URL: 'mail.example.com', MAIL_FROM: 'Ada' })).toHaveLength(2)
  })

  it('derives the address people open', () => {
    expect(appUrl(readEnv({ APP_URL: 'https://crm.example.com/' }))).toBe('https://crm.example.com')
    expect(appUrl(readEnv({ PORT: '0' }), 4321)).toBe('http://127.0.0.1:4321')
    expect(appUrl(readEnv({ HOST: '0.0.0.0', SEED_DEMO: 'false' }))).toBe('http://127.0.0.1:3000')
    expect(appUrl(readEnv({ HOST: '::1' }))).toBe('http://[::1]:3000')
  })
})

describe('the data folder', () => {
  it('is made with its parents, for the owner’s eyes only, and left alone when it is there', () => {
    const folder = join(temporaryFolder(), 'a', 'b')
    makeDataFolder(folder)
    writeFileSync(join(folder, 'kept'), 'kept')
    makeDataFolder(folder)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(folder)).toEqual(['kept'])
  })

  it('that cannot be one is refused at once, naming the variable and what would be accepted', () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    // /proc answers ENOENT for ever, on which a recursive mkdir goes round in circles.
    const hopeless = ['/proc/nope', '/proc/nope/deeper', file, join(file, 'in')]
    for (const folder of process.platform === 'linux' ? hopeless : hopeless.slice(2)) {
      expect(() => makeDataFolder(folder), folder).toThrow(ConfigurationError)
      expect(() => makeDataFolder(folder), folder).toThrow(
        `DATA_DIR: expected a folder that user ${process.getuid?.()} may make, read and write, got ${JSON.stringify(folder)}`,
      )
    }
  })

  it('is said to be the reason when the program cannot start', () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, ['start.ts'], {
      cwd: resolve(import.meta.dirname, '..'),
      env: { PATH: process.env['PATH'], PORT: '0', DATA_DIR: join(import.meta.filename, 'in') },
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(stderr).toMatch(/The configuration cannot be used:\n {2}DATA_DIR: expected a folder/)
    expect([status, stdout]).toEqual([1, ''])
  })
})

describe('the secret', () => {
  it('is the one that was given', () => {
    expect(loadAppSecret({ APP_SECRET: secret, DATA_DIR: '/nowhere' })).toBe(secret)
  })

  it('is made once, for the owner’s eyes only, and stays', () => {
    const DATA_DIR = join(temporaryFolder(), 'data')
    const first = loadAppSecret({ APP_SECRET: undefined, DATA_DIR })
    expect(Buffer.from(first, 'base64url')).toHaveLength(32)
    expect(loadAppSecret({ APP_SECRET: undefined, DATA_DIR })).toBe(first)
    expect(statSync(join(DATA_DIR, 'secret')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(DATA_DIR, 'secret'), 'utf8').trim()).toBe(first)
    expect(readdirSync(DATA_DIR)).toEqual(['secret'])
  })

  it('is never replaced when its file is damaged', () => {
    const DATA_DIR = temporaryFolder()
    writeFileSync(join(DATA_DIR, 'secret'), 'cut')
    expect(() => loadAppSecret({ APP_SECRET: undefined, DATA_DIR })).toThrow(/restore it from a backup/)
  })
})
