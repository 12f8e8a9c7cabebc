import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx } from './context.ts'
import { staleVersion } from './errors.ts'
import { resumeStoppedRuns } from './runs.ts'

/** Caps of one run; it stops with a reason at the first that is reached. */
export const Budget = z.object({
  max_steps: z.int().min(1).max(100),
  max_input_tokens: z.int().min(1).max(10_000_000),
  max_output_tokens: z.int().min(1).max(10_000_000),
  /** In minor units of the organization's currency; counts where the model has a price. */
  max_cost_minor: z.int().min(0).optional(),
})
export type Budget = z.infer<typeof Budget>

/** What an organization set for an agent: another model, other caps, or a pause. */
export type AgentSettings = {
  enabled: boolean
  model: string | null
  budget: Partial<Budget>
  version: number
}

/** An agent's settings; as declared where nothing was set. */
export const readAgentSettings = (ctx: Ctx, name: string): Promise<AgentSettings> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<AgentSettings[]>`
      select enabled, model, budget, version from agents where organization_id = ${organization_id} and name = ${name}`
    return row ?? { enabled: true, model: null, budget: {}, version: 1 }
  })

/**
 * Pauses or resumes an agent, or gives it another model or other caps; looked at before its next act. What the pause
 * stopped is started anew when it is over.
 */
export const changeAgentSettings = (
  ctx: Ctx,
  name: string,
  change: {
    enabled?: boolean | undefined
    model?: string | null | undefined
    budget?: Partial<Budget> | undefined
    version?: number
  },
): Promise<AgentSettings> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const now = await readAgentSettings(ctx, name)
    if (change.version !== undefined && change.version !== now.version) throw staleVersion(now)
    const next = {
      enabled: change.enabled ?? now.enabled,
      model: change.model === undefined ? now.model : change.model,
      budget: { ...now.budget, ...change.budget },
    }
    await tx`
      insert into agents ${tx({ organization_id, name, enabled: next.enabled, model: next.model, budget: tx.json(next.budget), version: now.version + 1 })}
      on conflict (organization_id, name) do update set enabled = excluded.enabled, model = excluded.model,
        budget = excluded.budget, version = agents.version + 1, updated_at = now()`
    const resumed_runs = next.enabled && !now.enabled ? await resumeStoppedRuns(ctx) : 0
    await recordActivity(ctx, {
      type: 'settings_changed',
      subjects: [{ kind: 'organization', id: organization_id }],
      data: {
        what: `the agent ${name}`,
        changes: (['enabled', 'model', 'budget'] as const)
          .filter((field) => JSON.stringify(now[field]) !== JSON.stringify(next[field]))
          .map((field) => ({ field: `${name}.${field}`, before: now[field], after: next[field] })),
        ...(resumed_runs > 0 ? { resumed_runs } : {}),
      },
    })
    return readAgentSettings(ctx, name)
  })

/** What a model charges, in minor units of `currency` per million tokens. */
export type ModelPrice = {
  input_minor_per_million: number
  output_minor_per_million: number
  currency: string
}

/** The price that the organization set for a model; the built-in rules cost nothing. */
export const readModelPrice = (ctx: Ctx, spec: string): Promise<ModelPrice | undefined> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<{ currency: string; price: Omit<ModelPrice, 'currency'> | null }[]>`
      select currency, model_prices -> ${spec}::text as price from settings where organization_id = ${organization_id}`
    if (!row) return undefined
    if (spec === 'rules')
      return { input_minor_per_million: 0, output_minor_per_million: 0, currency: row.currency }
    return row.price ? { ...row.price, currency: row.currency } : undefined
  })
