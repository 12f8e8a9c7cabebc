import { z } from 'zod'
import { changeSettings, readSettings, SettingsChange, type Settings } from '../../db/settings.ts'
import { route } from '../route.ts'
import { Anything, Id, Text } from '../shapes.ts'

/** The organization's settings. */
export const SettingsShape = z
  .object({
    organization: z.object({ id: Id, name: z.string() }),
    ai_enabled: z.boolean(),
    currency: z.string(),
    default_country: Text,
    timezone: z.string(),
    business_hours: Anything,
    sender_name: Text,
    create_campaigns: z.boolean().describe('Whether a campaign that a lead names and nobody made is made.'),
    influence_days: z
      .int()
      .describe('How long before a lead came in a campaign may have touched it to have influenced it.'),
    version: z.int(),
  })
  .meta({ id: 'Settings' })

const present = ({ organization_id, organization_name, ...settings }: Settings) => ({
  organization: { id: organization_id, name: organization_name },
  ai_enabled: settings.ai_enabled,
  currency: settings.currency,
  default_country: settings.default_country,
  timezone: settings.timezone,
  business_hours: settings.business_hours,
  sender_name: settings.sender_name,
  create_campaigns: settings.create_campaigns,
  influence_days: settings.influence_days,
  version: settings.version,
})

/** The organization's settings. */
export const settings = [
  route(
    {
      method: 'GET',
      path: '/api/settings',
      permission: 'settings:read',
      summary: 'The organization’s settings',
      response: SettingsShape,
    },
    async ({ ctx }) => present(await readSettings(ctx)),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/settings',
      permission: 'settings:write',
      summary: 'Change settings',
      description: '`ai_enabled: false` stops every agent before its next act.',
      body: SettingsChange.partial(),
      example: { version: 1, currency: 'EUR' },
      response: SettingsShape,
      versioned: true,
    },
    async ({ ctx, body, version }) => present(await changeSettings(ctx, { version, changes: body })),
  ),
]
