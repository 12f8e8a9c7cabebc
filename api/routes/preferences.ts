import { z } from 'zod'
import { PreferenceKey, readPreference, writePreference } from '../../db/preferences.ts'
import { route } from '../route.ts'
import { Time } from '../shapes.ts'

const ByKey = z.object({ key: PreferenceKey })

/** What a member set for their own screens. */
export const PreferenceShape = z
  .object({ key: z.string(), value: z.unknown(), updated_at: Time.nullable() })
  .meta({ id: 'Preference' })

/** Each member’s own settings of their screens, kept on the server: the same on every device. */
export const preferences = [
  route(
    {
      method: 'GET',
      path: '/api/preferences/:key',
      summary: 'What you set under a key; null when nothing',
      params: ByKey,
      response: PreferenceShape,
    },
    ({ ctx, params }) => readPreference(ctx, params.key),
  ),
  route(
    {
      method: 'PUT',
      path: '/api/preferences/:key',
      summary: 'Set something for your own screens, such as `view:<pipeline_id>`',
      description: 'Any JSON of at most 10,000 bytes; the last one set counts, null takes it away.',
      params: ByKey,
      body: z.object({ value: z.unknown() }),
      example: { value: 'list' },
      response: PreferenceShape,
    },
    ({ ctx, params, body }) => writePreference(ctx, params.key, body.value ?? null),
  ),
]
