import { appUrl, ConfigurationError, loadAppSecret, makeDataFolder, readEnv, type Env } from './env.ts'
import { enableCompileCache, flushCompileCache } from 'node:module'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { buildWeb, WEB_DIST } from './build.ts'
import { connect, type Database } from './db/client.ts'
import { DataFolderBusy, startEmbedded } from './db/embedded.ts'
import { deriveKeys } from './db/keys.ts'
import { CannotConnect, migrate, MissingRights } from './db/migrate.ts'
import { openQueue } from './db/queue.ts'
import type { DemoAccess } from './db/seed.ts'
import { log } from './log.ts'
import type { Outside } from './tools/tool.ts'

/** What one process runs; `seed` makes the demo organization and ends. */
type Part = 'api' | 'worker' | 'seed'

/** How long a stop may take before the process ends anyway. */
const STOP_MS = 14_000

/** What was opened, the last one first: the order in which it is closed. */
const closing: (() => Promise<unknown>)[] = []

// Half as much garbage again as there is data, then it is collected: left alone, 50 MB of data grow to 250 on a large machine.
setFlagsFromString('--heap-growing-percent=50')

// A third of the time to load the program goes into compiling it. Where it cannot be kept, it is compiled every time.
enableCompileCache(path.join(import.meta.dirname, 'node_modules/.cache/compiled'))

const main = async (): Promise<void> => {
  const env = readEnv()
  const parts = readParts(env)
  // The embedded database lives there, and the worker's sealed heads: told now, not a second into the work.
  if (!env.DATABASE_URL || parts.has('worker')) makeDataFolder(env.DATA_DIR)
  stopOnSignal()

  const [database_url, web, product] = await Promise.all([
    openServer(env),
    parts.has('api') ? buildWeb() : 'current',
    loadProduct(),
  ])
  const secret = loadAppSecret(env)
  const { appUrl: app_login } = await migrate(database_url, {
    appSecret: secret,
    appUrl: env.DATABASE_APP_URL,
  })
  const logins = loginsOf(env, app_login)
  const db = await openDatabase(env, logins, secret, parts)
  closing.unshift(async () => {
    await db.queue.close()
    await Promise.all([db.sql.end({ timeout: 5 }), db.direct?.end({ timeout: 5 })])
  })
  const access = await provision(product, env, db, parts)
  if (parts.has('seed')) {
    await stopAll()
    return announceDemo(access)
  }

  const heads_file = path.join(env.DATA_DIR, 'sealed-heads.jsonl')
  const outside: Outside = {
    fetch_allow: env.ALLOW_PRIVATE_HOSTS,
    mail: {
      mailer: env.SMTP_URL ? product.openMailer(env.SMTP_URL) : undefined,
      from: env.MAIL_FROM ?? env.BOOTSTRAP_EMAIL,
    },
    app_url: appUrl(env),
  }
  const worker = parts.has('worker')
    ? await product.startWorker({
        db,
        outside,
        model: env.MODEL,
        openai_api_key: env.OPENAI_API_KEY,
        openai_base_url: env.OPENAI_BASE_URL,
        heads_file,
      })
    : undefined
  if (worker) closing.unshift(worker.stop)
  if (!parts.has('api')) return log.info('worker ready')

  const auth = product.openAuth({
    database_url: logins.direct,
    app_url: outside.app_url,
    secret: db.keys.current.sessions,
  })
  closing.unshift(() => auth.close())
  const app = product.createApp({
    db,
    auth,
    outside,
    app_url: outside.app_url,
    model: env.MODEL,
    max_upload_mb: env.MAX_UPLOAD_MB,
    web_dist: WEB_DIST,
    ...(worker ? { worker_heartbeat: worker.lastBeat } : {}),
  })
  const served = await product.serveApi(app, { host: env.HOST, port: env.PORT })
  closing.unshift(() => served.close())
  log.info({ web, url: served.url }, 'ready')
  process.stdout.write(`\n  Leadhand is ready: ${served.url}\n`)
  announceDemo(access)
  // Now rather than at the end, which may be a SIGKILL.
  flushCompileCache()
}

/** Most of the program, loaded while the database comes up: the two take about as long as each other. */
const loadProduct = async () => {
  // Loading keeps the event loop to itself: whatever the database needs is begun first.
  await setImmediate()
  const [app, auth, server, worker, email, setup, identity, seed] = await Promise.all([
    import('./api/app.ts'),
    import('./api/auth.ts'),
    import('./api/server.ts'),
    import('./worker.ts'),
    import('./tools/vendors/email.ts'),
    import('./db/bootstrap.ts'),
    import('./db/identity.ts'),
    import('./db/seed.ts'),
  ])
  return {
    createApp: app.createApp,
    openAuth: auth.openAuth,
    serveApi: server.serveApi,
    startWorker: worker.startWorker,
    openMailer: email.openMailer,
    bootstrap: setup.bootstrap,
    hasOrganizations: identity.hasOrganizations,
    seedDemo: seed.seedDemo,
  }
}
type Product = Awaited<ReturnType<typeof loadProduct>>

const readParts = (env: Env): ReadonlySet<Part> => {
  const { values } = parseArgs({ options: { only: { type: 'string' } } })
  const only = values.only
  if (only === undefined) return new Set(['api', 'worker'])
  if (only !== 'api' && only !== 'worker' && only !== 'seed') {
    throw new ConfigurationError([`--only: expected api, worker or seed, got "${only}"`])
  }
  if (only !== 'seed' && !env.DATABASE_URL) {
    throw new ConfigurationError([
      `DATABASE_URL: needed with --only ${only}, because one process owns the embedded database; give the address of a PostgreSQL, or start without --only`,
    ])
  }
  return new Set([only])
}

/** The owner's connection: `DATABASE_URL`, or the embedded PostgreSQL, which this process then owns. */
const openServer = async (env: Env): Promise<string> => {
  if (env.DATABASE_URL) return env.DATABASE_DIRECT_URL ?? env.DATABASE_URL
  const embedded = await startEmbedded({ dir: env.DATA_DIR, address: appUrl(env) })
  closing.unshift(embedded.stop)
  return embedded.url
}

const openDatabase = async (
  env: Env,
  logins: Logins,
  secret: string,
  parts: ReadonlySet<Part>,
): Promise<Database> => ({
  sql: connect(logins.app, { unprepared: logins.pooled }),
  ...(logins.pooled ? { direct: connect(logins.direct, { max: 1 }) } : {}),
  queue: await openQueue(logins.direct, { works: parts.has('worker') }),
  keys: deriveKeys(secret, env.APP_SECRET_PREVIOUS),
})

/** The app's login, and the same past the pooler, which can neither listen nor keep prepared statements. */
type Logins = { app: string; direct: string; pooled: boolean }

const loginsOf = (env: Env, app: string): Logins => {
  if (!env.DATABASE_DIRECT_URL || !env.DATABASE_APP_URL) return { app, direct: app, pooled: false }
  const direct = new URL(env.DATABASE_DIRECT_URL)
  const { username, password } = new URL(app)
  return { app, direct: Object.assign(direct, { username, password }).toString(), pooled: true }
}

const provision = async (
  product: Product,
  env: Env,
  db: Database,
  parts: ReadonlySet<Part>,
): Promise<DemoAccess | undefined> => {
  const first = !(await product.hasOrganizations(db))
  await product.bootstrap(db, {
    organization: env.BOOTSTRAP_ORGANIZATION,
    email: env.BOOTSTRAP_EMAIL,
    password: env.BOOTSTRAP_PASSWORD,
    api_key: env.BOOTSTRAP_API_KEY,
    intake_token: env.BOOTSTRAP_INTAKE_TOKEN,
  })
  return parts.has('seed') || (first && env.SEED_DEMO) ? product.seedDemo(db) : undefined
}

const announceDemo = (access: DemoAccess | undefined): void => {
  if (access) {
    process.stdout.write(
      `  Demo organization: ${access.organization}\n  Sign in as ${access.email} with the password ${access.password}\n  (shown once; \`npm run seed\` makes a new one while Leadhand is stopped)\n\n`,
    )
  } else process.stdout.write('  Sign in with your account.\n\n')
}

const stopOnSignal = (): void => {
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      log.info({ signal }, 'stopping')
      setTimeout(() => {
        log.error('stopping took too long; what was under way is taken up at the next start')
        process.exit(1)
      }, STOP_MS).unref()
      stopAll().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'stopping failed')
          process.exit(1)
        },
      )
    })
  }
}

/** Last opened, first closed. */
const stopAll = async (): Promise<void> => {
  for (const close of closing.splice(0)) await close()
}

main().catch(async (error: unknown) => {
  const expected = [ConfigurationError, DataFolderBusy, MissingRights, CannotConnect].some(
    (kind) => error instanceof kind,
  )
  if (expected && error instanceof Error) process.stderr.write(`\n${error.message}\n\n`)
  else log.fatal({ err: error }, 'could not start')
  await stopAll().catch((closing: unknown) => log.error({ err: closing }, 'closing failed'))
  process.exit(1)
})
