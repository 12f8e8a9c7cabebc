import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { rebaseRates } from './exchange-rates.ts'
import { Currency } from './lead-fields.ts'
import { resumeStoppedRuns } from './runs.ts'
import { once } from './together.ts'

const HourOfDay = z.string().regex(/^([01]\d|2[0-4]):[0-5]\d$/, 'a time of day as HH:MM')

/** ISO weekday (1 = Monday) → when the organization opens and closes; a missing day is closed. */
export const BusinessHours = z
  .record(z.enum(['1', '2', '3', '4', '5', '6', '7']), z.tuple([HourOfDay, HourOfDay]))
  .or(z.partialRecord(z.enum(['1', '2', '3', '4', '5', '6', '7']), z.tuple([HourOfDay, HourOfDay])))
export type BusinessHours = Partial<Record<string, [string, string]>>

/** What a person may change about the organization. */
export const SettingsChange = z.object({
  ai_enabled: z.boolean(),
  currency: Currency,
  default_country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'an ISO 3166 code such as DE')
    .nullable(),
  timezone: z.string().refine(isTimezone, 'an IANA time zone such as Europe/Berlin'),
  business_hours: BusinessHours,
  sender_name: z.string().trim().min(1).max(120).nullable(),
  model_prices: z.record(
    z.string().max(200),
    z.object({ input_minor_per_million: z.number().min(0), output_minor_per_million: z.number().min(0) }),
  ),
  create_campaigns: z.boolean(),
  influence_days: z.int().min(1).max(3_650),
})
export type SettingsChange = z.infer<typeof SettingsChange>

export type Settings = {
  organization_id: string
  organization_name: string
  ai_enabled: boolean
  currency: string
  default_country: string | null
  timezone: string
  business_hours: BusinessHours
  sender_name: string | null
  model_prices: Record<string, { input_minor_per_million: number; output_minor_per_million: number }>
  /** A campaign that a lead names and nobody made is made. */
  create_campaigns: boolean
  /** How long before a lead came in a campaign may have touched it to have influenced it. */
  influence_days: number
  version: number
}

/** Monday to Friday, nine to five. */
export const OFFICE_HOURS: BusinessHours = Object.fromEntries(
  ['1', '2', '3', '4', '5'].map((day) => [day, ['09:00', '17:00']]),
)

/** The organization's settings with its name. */
export const readSettings = once((ctx: Ctx): Promise<Settings> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<Settings[]>`
        select s.*, o.name as organization_name from settings s
        join identity.organizations o on o.id = s.organization_id
        where s.organization_id = ${organization_id}`
    if (!row) throw notFound('organization', organization_id)
    return row
  }),
)

/**
 * Changes settings; the off switch for agents takes effect before their next act, and what it stopped is started anew
 * when it is on again.
 * @throws {DomainError} stale when `version` is not the current one
 */
export const changeSettings = (
  ctx: Ctx,
  input: { version?: number | undefined; changes: Partial<SettingsChange> },
): Promise<Settings> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await readSettings(ctx)
    const changed = Object.entries(input.changes).filter(([, value]) => value !== undefined)
    if (changed.length > 0) {
      const values = Object.fromEntries(
        changed.map(([key, value]) => [
          key,
          ['business_hours', 'model_prices'].includes(key) ? tx.json(value as never) : value,
        ]),
      )
      const updated = await tx`
        update settings set ${tx(values)}, version = version + 1, updated_at = now()
        where organization_id = ${organization_id} and version = ${input.version ?? before.version} returning version`
      if (updated.length === 0) throw staleVersion(before)
      if (input.changes.currency) await rebaseRates(ctx, before.currency, input.changes.currency)
      const resumed_runs = input.changes.ai_enabled && !before.ai_enabled ? await resumeStoppedRuns(ctx) : 0
      await recordActivity(ctx, {
        type: 'settings_changed',
        subjects: [{ kind: 'organization', id: organization_id }],
        data: {
          what: changed.map(([key]) => key.replaceAll('_', ' ')).join(', '),
          changes: changed.map(([field, after]) => ({
            field,
            before: before[field as keyof Settings],
            after,
          })),
          ...(resumed_runs > 0 ? { resumed_runs } : {}),
        },
      })
    }
    return readSettings(ctx)
  })

function isTimezone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
