import { z } from 'zod'
import { createApiKey, listApiKeys, revokeApiKey } from '../../db/identity.ts'
import { Line, Moment } from '../../db/lead-fields.ts'
import { EVERYTHING, permissions } from '../permissions.ts'
import { Problem } from '../problem.ts'
import { ById, route } from '../route.ts'
import { Id, listOf, Time } from '../shapes.ts'

/** A key of the API, without its text. */
export const ApiKeyShape = z
  .object({
    id: Id,
    name: z.string(),
    prefix: z.string(),
    scopes: z.array(z.string()),
    rate_limit_per_minute: z.int(),
    created_at: Time,
    last_used_at: Time.nullable(),
    expires_at: Time.nullable(),
    revoked_at: Time.nullable(),
  })
  .meta({ id: 'ApiKey' })

/** A new key; its text is shown once. */
export const MadeApiKey = ApiKeyShape.extend({ key: z.string() }).meta({ id: 'MadeApiKey' })

const scopes = [EVERYTHING, ...permissions] as const

const NewApiKey = z.object({
  name: Line(120).pipe(z.string().min(1)),
  scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
  expires_at: Moment.optional(),
  rate_limit_per_minute: z.int().min(1).max(10_000_000).optional(),
})

/** Keys of integrations; each acts for the member who made it. */
export const apiKeys = [
  route(
    {
      method: 'GET',
      path: '/api/api-keys',
      permission: 'keys:read',
      summary: 'API keys, newest first',
      response: listOf(ApiKeyShape),
    },
    async ({ ctx }) => ({ data: await listApiKeys(ctx), next_cursor: null }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/api-keys',
      permission: 'keys:write',
      summary: 'Make an API key',
      description:
        'Its text is shown this once. It can never do more than you; a key cannot give what it does not have. It may ask `rate_limit_per_minute` times a minute, 600,000 unless told otherwise; all API processes on one database count together.',
      body: NewApiKey,
      example: { name: 'Zapier', scopes: ['leads:read', 'leads:write'] },
      response: MadeApiKey,
      status: 201,
    },
    ({ ctx, body, principal }) => {
      const held: readonly string[] = principal.permissions
      const missing = body.scopes.filter((scope) =>
        scope === EVERYTHING ? held.length < permissions.length : !held.includes(scope),
      )
      if (missing.length > 0) {
        throw new Problem(
          403,
          'scope_not_held',
          `You cannot give what you do not have: ${missing.join(', ')}.`,
          {
            errors: [{ pointer: '/scopes', message: 'more than you may do yourself', accepted: held }],
          },
        )
      }
      return createApiKey(ctx, { ...body, user_id: principal.user_id })
    },
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/api-keys/:id',
      permission: 'keys:write',
      summary: 'End a key at once',
      params: ById,
      status: 204,
    },
    async ({ ctx, params, authenticate }) => {
      await revokeApiKey(ctx, params.id)
      authenticate.forget()
    },
  ),
]
