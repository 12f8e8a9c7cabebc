import { createApp, type App } from '../api/app.ts'
import { openAuth, type Auth } from '../api/auth.ts'
import { addMember, createApiKey, type Role } from '../db/identity.ts'
import type { Ctx } from '../db/context.ts'
import type { Outside } from '../tools/tool.ts'
import { openWorld, type World } from './world.ts'

/** The HTTP surface over a fresh world, asked without a port. */
export type ApiWorld = World & {
  app: App
  auth: Auth
  /** An API key of the owner with every scope. */
  key: string
  /** Asks as the owner's key unless told otherwise; `body` is sent as JSON. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** The same, and the answer's JSON. */
  json(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: any }>
  /** A key with every scope for a new member with this role. */
  keyFor(role: Role, ctx?: Ctx): Promise<string>
}

/** Where the tests pretend that people open the app. */
export const APP_URL = 'http://127.0.0.1:3000'

/** What the app may reach outside in tests: nothing, and mail is captured. */
export const nothingOutside: Outside = {
  fetch_allow: new Set(),
  mail: { from: 'sales@northwind.example' },
  app_url: APP_URL,
}

/** Opens a world with its HTTP surface; `works` lets a worker run in it. */
export const openApi = async (options: { works?: boolean } = {}): Promise<ApiWorld> => {
  const world = await openWorld(options)
  const auth = openAuth({
    database_url: world.app_url,
    app_url: APP_URL,
    secret: world.db.keys.current.sessions,
  })
  const app = createApp({ db: world.db, auth, outside: nothingOutside, app_url: APP_URL, model: 'rules' })
  const made = await createApiKey(world.ctx, {
    name: 'Everything',
    scopes: ['*'],
    user_id: world.owner.user_id,
  })

  const ask: ApiWorld['ask'] = async (method, path, body, headers = {}) =>
    app.request(path, {
      method,
      headers: {
        ...('authorization' in headers || 'cookie' in headers ? {} : { authorization: `Bearer ${made.key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })

  return {
    ...world,
    app,
    auth,
    key: made.key,
    ask,
    json: async (method, path, body, headers) => {
      const response = await ask(method, path, body, headers)
      const text = await response.text()
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
    },
    keyFor: async (role, ctx = world.ctx) => {
      const member = await addMember(world.db, {
        organization_id: ctx.organization_id,
        name: `A ${role}`,
        email: `${role}-${Math.random().toString(36).slice(2)}@northwind.example`,
        role,
      })
      return (await createApiKey(ctx, { name: `Key of a ${role}`, scopes: ['*'], user_id: member.user_id }))
        .key
    },
    stop: async () => {
      await app.stop()
      await auth.close()
      await world.stop()
    },
  }
}
