import { betterAuth } from 'better-auth'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { ping, type Database } from '../db/client.ts'
import { identityAdapter } from '../db/identity.ts'
import { nothingHere, Problem } from './problem.ts'

/** The signed-in person behind a session cookie; `renewed` are cookies to hand on when the session was prolonged. */
export type Session = {
  user: { id: string; name: string; email: string }
  active_organization_id: string | undefined
  renewed: string[]
}

/** Sign-in, sign-out and sessions. */
export type Auth = {
  /** Answers everything below `/api/auth/`. */
  handle(request: Request): Promise<Response>
  session(headers: Headers): Promise<Session | undefined>
  close(): Promise<void>
}

/** The header in which `app.ts` tells sign-in the address of the client; whatever a client sends in it is replaced. */
export const CLIENT_ADDRESS = 'x-leadhand-client'

/** Guessing passwords is slow: this many attempts per address. */
const SIGN_IN_LIMIT = { window: 60, max: 20 }

/**
 * Opens sign-in by e-mail and password. Accounts are made at boot or by invitation, never by signing up.
 * @param database_url the app's login
 * @param secret signs the session cookies (`keys.current.sessions`)
 */
export const openAuth = (options: { database_url: string; app_url: string; secret: string }): Auth => {
  const { adapter, close } = identityAdapter(options.database_url)
  const auth = betterAuth({
    appName: 'Leadhand',
    baseURL: options.app_url,
    basePath: '/api/auth',
    secret: options.secret,
    database: adapter,
    trustedOrigins: (request) =>
      request ? [...trustedOrigins(request, options.app_url)] : [options.app_url],
    emailAndPassword: { enabled: true, disableSignUp: true, minPasswordLength: 8, maxPasswordLength: 200 },
    user: { fields: { emailVerified: 'email_verified', ...times } },
    session: {
      fields: {
        userId: 'user_id',
        expiresAt: 'expires_at',
        ipAddress: 'ip_address',
        userAgent: 'user_agent',
        ...times,
      },
      additionalFields: { active_organization_id: { type: 'string', required: false, input: false } },
      expiresIn: 14 * 86_400,
    },
    account: {
      fields: {
        userId: 'user_id',
        accountId: 'account_id',
        providerId: 'provider_id',
        accessToken: 'access_token',
        refreshToken: 'refresh_token',
        accessTokenExpiresAt: 'access_token_expires_at',
        refreshTokenExpiresAt: 'refresh_token_expires_at',
        idToken: 'id_token',
        ...times,
      },
    },
    verification: { fields: { expiresAt: 'expires_at', ...times } },
    rateLimit: {
      enabled: true,
      window: 60,
      max: 600,
      // One count over every API process.
      storage: 'database',
      modelName: 'rateLimit',
      fields: { lastRequest: 'last_request' },
      customRules: { '/sign-in/email': SIGN_IN_LIMIT },
    },
    advanced: {
      database: { generateId: () => uuidv7() },
      useSecureCookies: options.app_url.startsWith('https:'),
      cookiePrefix: 'leadhand',
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS] },
    },
    // What people may do about themselves so far is sign in and out.
    disabledPaths: [
      '/sign-up/email',
      '/update-user',
      '/change-email',
      '/delete-user',
      '/request-password-reset',
      '/reset-password',
      '/sign-in/social',
      '/link-social',
      '/unlink-account',
      '/send-verification-email',
    ],
    telemetry: { enabled: false },
    logger: { disabled: true },
  })

  return {
    handle: (request) => auth.handler(request),
    session: async (headers) => {
      const { response, headers: answered } = await auth.api.getSession({ headers, returnHeaders: true })
      if (!response) return undefined
      const { user, session } = response
      return {
        user: { id: user.id, name: user.name, email: user.email },
        active_organization_id: session.active_organization_id ?? undefined,
        renewed: answered.getSetCookie(),
      }
    },
    close,
  }
}

/**
 * Sign-in says that it failed, not why: when the database is away, that is the reason.
 * @throws what the driver says then, else what sign-in said
 */
export const explained = async <T>(db: Database, act: () => Promise<T>): Promise<T> => {
  try {
    const answer = await act()
    if (answer instanceof Response && answer.status >= 500)
      throw new Error(`sign-in answered ${answer.status}`)
    return answer
  } catch (error) {
    await ping(db)
    throw error
  }
}

/** What sign-in refused, as every other refusal is told. */
export const signInProblem = async (answer: Response): Promise<Problem> => {
  const said = Refusal.safeParse(await answer.json().catch(() => undefined))
  if (!said.success) return nothingHere()
  const { code = `sign_in_${answer.status}`, message } = said.data
  const wait = answer.headers.get('x-retry-after') ?? answer.headers.get('retry-after')
  return new Problem(answer.status, code.toLowerCase(), message, {
    headers: wait ? { 'retry-after': wait } : {},
  })
}

const Refusal = z.object({ code: z.string().optional(), message: z.string() })

/** Where a page may stand that acts with a person's cookie: the app's address, and the one that was asked itself. */
export const trustedOrigins = (request: Request, app_url: string): ReadonlySet<string> => {
  const host = request.headers.get('host') ?? new URL(request.url).host
  return new Set([new URL(app_url).origin, `http://${host}`, `https://${host}`])
}

const times = { createdAt: 'created_at', updatedAt: 'updated_at' } as const
