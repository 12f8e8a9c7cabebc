import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono, type Context } from 'hono'
import type { Database } from '../db/client.ts'
import { log } from '../log.ts'
import type { Outside } from '../tools/tool.ts'
import { CLIENT_ADDRESS, explained, signInProblem, type Auth } from './auth.ts'
import { docsPage } from './docs.ts'
import { openFeed } from './event-feed.ts'
import { eventsOperation, streamEvents } from './events.ts'
import { checkReadiness, type WorkerHeartbeat } from './health.ts'
import { openDoors } from './intake/doors.ts'
import { answerTouchPreflight, receiveTouch, TOUCH } from './intake/touch.ts'
import { serveTouchScript, TOUCH_SCRIPT } from './intake/touch-script.ts'
import { answerPreflight, receiveWebhook, WEBHOOK } from './intake/webhook.ts'
import { describeApi } from './openapi.ts'
import { createAuthenticate, refuseForeignPage, type Principal } from './principal.ts'
import { answerProblem, nothingHere, Problem } from './problem.ts'
import { readBody } from './body.ts'
import { countRequest, openAllowances } from './rate-limit.ts'
import type { Parts } from './route.ts'
import type { Route } from './route.ts'
import { routes } from './routes/list.ts'
import { askToUnsubscribe, unsubscribe } from './unsubscribe.ts'
import { serveWebApp } from './web-app.ts'

/** What the API is made of. */
export type AppOptions = {
  db: Database
  outside: Outside
  app_url: string
  auth: Auth
  /** The default model (`MODEL`), as it is shown. */
  model: string
  /** The folder of the built web app; `web/dist` beside this one unless told otherwise. */
  web_dist?: string
  /** Of one uploaded file; 512 unless told otherwise. */
  max_upload_mb?: number
  /** Given where this process runs the worker: its silence makes `/readyz` fail. */
  worker_heartbeat?: WorkerHeartbeat
}

/** The whole HTTP surface; `stop` ends the streams that would otherwise keep connections open. */
export type App = Hono & { stop(): Promise<void> }

/** Composes the HTTP surface. It never thinks: it writes a row and a job, and answers. */
export const createApp = (options: AppOptions): App => {
  const { db, auth, outside, app_url, model } = options
  const feed = openFeed(db)
  const allowances = openAllowances(db)
  const parts: Parts = {
    db,
    outside,
    app_url,
    model,
    feed,
    max_upload_bytes: (options.max_upload_mb ?? 512) * 1024 * 1024,
    doors: openDoors(db),
    authenticate: createAuthenticate({ db, auth, app_url }),
    readerAt,
  }
  const app = new Hono()

  // The hot path comes before everything that costs time per request.
  app.options(WEBHOOK, answerPreflight)
  app.post(WEBHOOK, (c) =>
    logged(c, (request_id) => receiveWebhook(parts, c.req.raw, c.req.param('token'), request_id)),
  )
  app.options(TOUCH, (c) => answerTouchPreflight(parts, c.req.raw, c.req.param('token')))
  app.post(TOUCH, (c) =>
    logged(c, (request_id) => receiveTouch(parts, c.req.raw, c.req.param('token'), request_id)),
  )

  app.use('*', async (c, next) => {
    const request_id = randomUUID()
    const started = performance.now()
    requestIds.set(c.req.raw, request_id)
    await next()
    for (const [name, value] of Object.entries(SECURITY)) {
      // What people uploaded says for itself how little a browser may do with it.
      if (!(name === 'content-security-policy' && c.res.headers.has(name))) c.res.headers.set(name, value)
    }
    if (app_url.startsWith('https:')) c.res.headers.set('strict-transport-security', 'max-age=31536000')
    for (const [name, value] of Object.entries(limits.get(c.req.raw) ?? {})) c.res.headers.set(name, value)
    c.res.headers.set('x-request-id', request_id)
    logAccess(c, c.res.status, request_id, started)
  })
  app.onError((error, c) => answerProblem(error, requestIdOf(c)))
  app.notFound((c) => answerProblem(nothingHere(), requestIdOf(c)))

  app.get('/healthz', (c) => c.json({ status: 'alive' }))
  app.get('/readyz', async (c) => {
    const { status, body } = await checkReadiness(db, options.worker_heartbeat)
    return c.json(body, status, status === 503 ? { 'retry-after': '2' } : {})
  })

  const document = describeApi(routes, app_url, readerAt)
  app.get('/openapi.json', (c) => c.json(document))
  app.get('/docs', (c) => c.html(docsPage(document)))

  app.get(TOUCH_SCRIPT, (c) => serveTouchScript(c.req.raw))
  app.get('/unsubscribe/:token', async (c) => c.html(await askToUnsubscribe(db, c.req.param('token'))))
  app.post('/unsubscribe/:token', async (c) => c.html(await unsubscribe(db, c.req.param('token'))))

  app.on(['GET', 'POST'], '/api/auth/*', async (c) => {
    refuseForeignPage(c.req.raw, app_url)
    const request = await forSignIn(c)
    const answer = await explained(db, () => auth.handle(request))
    if (c.req.path.endsWith('/sign-out')) parts.authenticate.forget()
    return answer.status < 400 && !answer.headers.get('content-type')?.startsWith('text/html')
      ? answer
      : answerProblem(await signInProblem(answer), requestIdOf(c))
  })

  /** Who asks, counted: what is left is said with the answer, whatever that is. */
  const admit = async ({ req: { raw } }: Context): Promise<Principal> => {
    const principal = await parts.authenticate(raw)
    const { headers, refusal } = await countRequest(allowances, principal)
    limits.set(raw, headers)
    if (refusal) throw refusal
    return principal
  }
  app.get(eventsOperation.path, async (c) => {
    const request = c.req.raw
    const principal = await admit(c)
    return streamEvents(parts, principal, request, () => parts.authenticate(request))
  })
  for (const operation of routes) {
    const { definition } = operation
    app.on(definition.method, definition.path, async (c) => {
      const principal = await admit(c)
      const response = await operation.answer(parts, principal, c.req.raw, c.req.param(), requestIdOf(c))
      for (const cookie of principal.renewed) response.headers.append('set-cookie', cookie)
      return response
    })
  }
  for (const below of ['/api/*', '/external/*']) app.all(below, (c) => refuseMethod(c.req.path))

  serveWebApp(app, options.web_dist ?? fileURLToPath(new URL('../web/dist', import.meta.url)))
  return Object.assign(app, { stop: () => feed.close() })
}

/** What every answer says to browsers. Styles may be inline because positions are computed; scripts never are. */
const SECURITY = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
}

const requestIds = new WeakMap<Request, string>()

/** What is left of a key's allowance, to be said with the answer. */
const limits = new WeakMap<Request, Record<string, string>>()

const requestIdOf = (c: Context): string => requestIds.get(c.req.raw) ?? randomUUID()

const logged = async (c: Context, answer: (request_id: string) => Promise<Response>): Promise<Response> => {
  const request_id = randomUUID()
  const started = performance.now()
  const response = await answer(request_id)
  logAccess(c, response.status, request_id, started)
  return response
}

/** One line per request: the address without what is secret in it, never a body. */
const logAccess = (c: Context, status: number, request_id: string, started: number): void => {
  const path = c.req.path.replace(/^\/(intake\/\w+|unsubscribe)\/[^/]+/, '/$1/…')
  log.info(
    { request_id, method: c.req.method, path, status, ms: Math.round(performance.now() - started) },
    'request',
  )
}

/** By the addresses of what they read. */
const readers = new Map(
  routes
    .filter(({ definition: { method } }) => method === 'GET')
    .map((route) => [route.definition.path, route] as const),
)
const readerAt = (path: string): Route | undefined => readers.get(path)

const patterns = routes.map(({ definition }) => ({
  method: definition.method,
  pattern: new RegExp(`^${definition.path.replaceAll(/:\w+/g, '[^/]+')}$`),
}))

const methodsAt = (path: string): string[] =>
  patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)

/** @throws {Problem} 405 where other methods are taken, else 404 */
const refuseMethod = (path: string): never => {
  const allowed = methodsAt(path)
  if (allowed.length === 0) throw nothingHere()
  throw new Problem(405, 'method_not_allowed', `This address takes ${allowed.join(', ')}.`, {
    headers: { allow: allowed.join(', ') },
  })
}

/** The request as sign-in sees it: with a bounded body and the client's address from the connection itself. */
const forSignIn = async (c: Context): Promise<Request> => {
  const headers = new Headers(c.req.raw.headers)
  headers.set(CLIENT_ADDRESS, addressOf(c))
  const body = c.req.method === 'POST' ? Buffer.from(await readBody(c.req.raw)) : undefined
  return new Request(c.req.url, { method: c.req.method, headers, ...(body ? { body } : {}) })
}

/** Behind a proxy on this machine, the address that the proxy saw; else the connection's own. */
const addressOf = (c: Context): string => {
  const direct = c.env && 'incoming' in c.env ? (getConnInfo(c).remote.address ?? UNKNOWN) : UNKNOWN
  const forwarded = c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
  return forwarded && /^(::1|(::ffff:)?127\.)/.test(direct) ? forwarded : direct
}

const UNKNOWN = '127.0.0.1'
