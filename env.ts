import { randomBytes, randomUUID } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'

const hostAndPort = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):([1-9]\d{0,4})$/

const url = (protocols: string[], accepted: string) =>
  z
    .string()
    .trim()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol))
    .optional()
    .describe(accepted)

const webUrl = (accepted: string) =>
  z
    .string()
    .trim()
    .refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text))
    .transform((text) => text.replace(/\/+$/, ''))
    .optional()
    .describe(accepted)

const postgresUrl = () =>
  url(['postgres:', 'postgresql:'], 'a PostgreSQL address like postgres://user:password@host:5432/database')

const secret = (length: number) => z.string().min(length).optional().describe(`at least ${length} characters`)

const wholeNumber = (from: number, to: number, initial: number) =>
  z
    .string()
    .trim()
    .regex(/^\d{1,9}$/)
    .default(String(initial))
    .transform(Number)
    .refine((number) => number >= from && number <= to)
    .describe(`a number from ${from} to ${to}`)

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const Variables = z.object({
  PORT: wholeNumber(0, 65_535, 3000),
  HOST: z
    .string()
    .trim()
    .regex(/^[\w.:[\]-]+$/)
    .default('127.0.0.1')
    .describe('a host name or an IP address to listen on, like 127.0.0.1'),
  DATABASE_URL: postgresUrl(),
  DATABASE_APP_URL: postgresUrl(),
  DATABASE_DIRECT_URL: postgresUrl(),
  DATA_DIR: z
    .string()
    .trim()
    .default('.data')
    .transform((folder) => resolve(folder))
    .describe('a folder'),
  APP_URL: webUrl('the http or https address people open, like https://crm.example.com'),
  APP_SECRET: secret(32),
  APP_SECRET_PREVIOUS: secret(32),
  MODEL: z
    .string()
    .trim()
    .regex(/^(rules|openai:\S+)$/)
    .optional()
    .describe('"rules" or "openai:<model name>"'),
  OPENAI_API_KEY: z.string().trim().optional().describe('a key'),
  OPENAI_BASE_URL: webUrl(
    'the http or https address of an OpenAI-compatible server, like http://127.0.0.1:11434/v1',
  ),
  SMTP_URL: url(['smtp:', 'smtps:'], 'a mail server like smtp://user:password@mail.example.com:587'),
  MAIL_FROM: z
    .string()
    .trim()
    .regex(/^([^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/)
    .optional()
    .describe('an address like sales@example.com or Sales <sales@example.com>'),
  BOOTSTRAP_ORGANIZATION: z.string().trim().max(200).optional().describe('a name of at most 200 characters'),
  BOOTSTRAP_EMAIL: z.string().trim().toLowerCase().pipe(z.email()).optional().describe('an e-mail address'),
  BOOTSTRAP_PASSWORD: secret(8),
  // what could not be sent behind “Bearer ” would open nothing
  BOOTSTRAP_API_KEY: z
    .string()
    .regex(/^[!-~]{20,}$/)
    .optional()
    .describe('at least 20 characters of ASCII without spaces'),
  BOOTSTRAP_INTAKE_TOKEN: secret(20),
  SEED_DEMO: z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(['true', 'false']))
    .transform((text) => text === 'true')
    .optional()
    .describe('true or false'),
  ALLOW_PRIVATE_HOSTS: z
    .string()
    .default('')
    .transform(
      (text) =>
        new Set(
          text
            .toLowerCase()
            .split(/[\s,]+/)
            .filter(Boolean),
        ),
    )
    .refine((hosts) => [...hosts].every((host) => Number(hostAndPort.exec(host)?.[2] ?? 65_536) <= 65_535))
    .describe('a comma list of host:port, like 127.0.0.1:8080,intranet.example:443'),
  MAX_UPLOAD_MB: wholeNumber(1, 10_240, 512),
  LOG_LEVEL: z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(logLevels))
    .default('info')
    .describe(logLevels.join(', ')),
})

/** The name of every variable that is read. */
export const variableNames: readonly string[] = Object.keys(Variables.shape)

// what a file .env says counts where the environment says nothing
if (existsSync('.env')) process.loadEnvFile('.env')
// a blank variable counts as unset for libraries too: one refuses to load with an empty OPENAI_BASE_URL
for (const name of variableNames) if (process.env[name]?.trim() === '') delete process.env[name]

type Parsed = z.infer<typeof Variables>

/**
 * The environment after parsing: one property per variable, named like it. `DATA_DIR` is absolute,
 * `APP_URL` is unset unless given (see `appUrl`), `SEED_DEMO` says what holds on a first start.
 */
export type Env = Omit<Parsed, 'MODEL' | 'SEED_DEMO'> & { MODEL: string; SEED_DEMO: boolean }

/** What is wrong with the configuration: every problem at once, each line naming the variable and what would be accepted. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

/** Reads the environment once; blank variables count as unset. Throws `ConfigurationError` with all problems. */
export const readEnv = (source: NodeJS.ProcessEnv = process.env): Env => {
  const given = givenVariables(source)
  const parsed = Variables.safeParse(given)
  const invalid = new Set(parsed.error?.issues.map((issue) => String(issue.path[0])))
  const problems = [...invalid].map((name) => describeProblem(name, given[name] ?? ''))
  problems.push(
    ...contradictions(given)
      .filter(({ name }) => !invalid.has(name))
      .map(({ problem }) => problem),
  )
  if (!parsed.success || problems.length > 0) throw new ConfigurationError(problems)
  const env = parsed.data
  const bootstraps = Object.keys(given).some((name) => name.startsWith('BOOTSTRAP_'))
  return {
    ...env,
    MODEL: env.MODEL ?? (env.OPENAI_API_KEY ? 'openai:gpt-5-mini' : 'rules'),
    SEED_DEMO: env.SEED_DEMO ?? (!bootstraps && isLoopbackHost(env.HOST)),
  }
}

/** The address people open: `APP_URL`, or one made of `HOST` and the port that is really served. */
export const appUrl = (env: Pick<Env, 'APP_URL' | 'HOST' | 'PORT'>, port = env.PORT): string => {
  if (env.APP_URL) return env.APP_URL
  const host = ['0.0.0.0', '::', '[::]'].includes(env.HOST) ? '127.0.0.1' : env.HOST
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

/** Whether only this machine can reach a server that listens on `host`. */
export const isLoopbackHost = (host: string): boolean =>
  ['localhost', '::1', '[::1]'].includes(host.toLowerCase()) || /^127(\.\d{1,3}){3}$/.test(host)

/**
 * The secret that signs and encrypts: `APP_SECRET`, or the one kept in `DATA_DIR/secret`, made on first use
 * (32 random bytes, readable by the owner only). Two processes that start at once get the same one.
 */
export const loadAppSecret = (env: Pick<Env, 'APP_SECRET' | 'DATA_DIR'>): string =>
  env.APP_SECRET ?? keepSecret(env.DATA_DIR, 'secret')

/**
 * Makes `DATA_DIR` with its parents where they are missing, for the owner's eyes only.
 * @throws {ConfigurationError} when it cannot be made, is no folder, or may not be read and written
 */
export const makeDataFolder = (folder: string): void => {
  try {
    makeFolder(folder)
    if (!statSync(folder).isDirectory()) throw new Error('it is a file')
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ConfigurationError([
      `DATA_DIR: expected a folder that user ${process.getuid?.() ?? 'of this process'} may make, read and write, got ${JSON.stringify(folder)} (${why})`,
    ])
  }
}

/** Reads a random secret kept in a file, or makes it there: atomically, 0600, the first of several processes decides. */
export const keepSecret = (folder: string, name: string): string => {
  const file = join(folder, name)
  if (!existsSync(file)) createSecret(folder, file)
  const secret = readFileSync(file, 'utf8').trim()
  if (secret.length >= 32) return secret
  throw new ConfigurationError([
    `${file}: expected a secret of at least 32 characters; restore it from a backup`,
  ])
}

const givenVariables = (source: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    variableNames.flatMap((name) => {
      const value = source[name]
      return value === undefined || value.trim() === '' ? [] : [[name, value]]
    }),
  )

const describeProblem = (name: string, value: string): string => {
  const accepted = Variables.shape[name as keyof typeof Variables.shape].description
  const hidden = /SECRET|KEY|PASSWORD|TOKEN|^DATABASE|^SMTP/.test(name)
  return `${name}: expected ${accepted}, got ${hidden ? `a value of ${value.length} characters` : JSON.stringify(value)}`
}

type Contradiction = { name: string; problem: string }

const contradictions = (given: Record<string, string>): Contradiction[] => {
  const found: Contradiction[] = []
  const refuse = (name: string, problem: string) => found.push({ name, problem: `${name}: ${problem}` })
  if (given.DATABASE_URL && !given.APP_SECRET)
    refuse(
      'APP_SECRET',
      'required with DATABASE_URL: expected at least 32 characters, the same in every process',
    )
  for (const name of ['DATABASE_APP_URL', 'DATABASE_DIRECT_URL'])
    if (given[name] && !given.DATABASE_URL) refuse(name, 'expected DATABASE_URL to be set as well')
  if (given.BOOTSTRAP_PASSWORD && !given.BOOTSTRAP_EMAIL)
    refuse('BOOTSTRAP_EMAIL', 'required with BOOTSTRAP_PASSWORD: expected the e-mail address of the owner')
  if (given.MODEL?.trim().startsWith('openai:') && !given.OPENAI_API_KEY && !given.OPENAI_BASE_URL)
    refuse(
      'MODEL',
      `${given.MODEL.trim()} needs OPENAI_API_KEY, or OPENAI_BASE_URL for a server that needs no key`,
    )
  if (given.SEED_DEMO?.trim().toLowerCase() === 'true' && given.HOST && !isLoopbackHost(given.HOST.trim()))
    refuse(
      'SEED_DEMO',
      `true is accepted only when HOST is a loopback address like 127.0.0.1, got HOST ${given.HOST}`,
    )
  return found
}

/** Step by step: Node's own recursive mkdir never returns where a file system refuses with ENOENT, as /proc does. */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another start made it between the two lines.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

const createSecret = (folder: string, file: string): void => {
  makeDataFolder(folder)
  const draft = `${file}.${randomUUID()}`
  const handle = openSync(draft, 'wx', 0o600)
  writeSync(handle, `${randomBytes(32).toString('base64url')}\n`)
  fsyncSync(handle)
  closeSync(handle)
  try {
    linkSync(draft, file) // refuses to replace: whoever comes first decides
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(draft)
  }
}
