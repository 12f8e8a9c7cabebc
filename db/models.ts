import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx } from './context.ts'
import { invalid, staleVersion } from './errors.ts'
import { agentTriggers, resumeStoppedRuns, type AgentTrigger } from './runs.ts'

/** Caps of one run; it stops with a reason at the first that is reached. */
export const Budget = z.object({
  max_steps: z.int().min(1).max(100),
  max_input_tokens: z.int().min(1).max(10_000_000),
  max_output_tokens: z.int().min(1).max(10_000_000),
  /** In minor units of the organization's currency; counts where the model has a price. */
  max_cost_minor: z.int().min(0).optional(),
})
export type Budget = z.infer<typeof Budget>

/** What an organization set for an agent: another model, other caps, a pause, or what wakes it. */
export type AgentSettings = {
  enabled: boolean
  model: string | null
  budget: Partial<Budget>
  triggers: Record<AgentTrigger, boolean>
  version: number
}

const NO_TRIGGERS: AgentSettings['triggers'] = { 'stage.stuck': false }

/** An agent's settings; as declared where nothing was set. */
export const readAgentSettings = (ctx: Ctx, name: string): Promise<AgentSettings> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<AgentSettings[]>`
      select enabled, model, budget, triggers, version from agents
      where organization_id = ${organization_id} and name = ${name}`
    return row
      ? { ...row, triggers: { ...NO_TRIGGERS, ...row.triggers } }
      : { enabled: true, model: null, budget: {}, triggers: NO_TRIGGERS, version: 1 }
  })

/**
 * Pauses or resumes an agent, gives it another model or other caps, or chooses what wakes it; looked at before its next
 * act. What the pause stopped is started anew when it is over.
 * @throws {DomainError} `trigger_unknown`, naming those that there are
 */
export const changeAgentSettings = (
  ctx: Ctx,
  name: string,
  change: {
    enabled?: boolean | undefined
    model?: string | null | undefined
    budget?: Partial<Budget> | undefined
    /** By their names; those that are not named stay as they are. */
    triggers?: Record<string, boolean> | undefined
    version?: number
  },
): Promise<AgentSettings> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const now = await readAgentSettings(ctx, name)
    if (change.version !== undefined && change.version !== now.version) throw staleVersion(now)
    requireTriggers(change.triggers ?? {})
    const next = {
      enabled: change.enabled ?? now.enabled,
      model: change.model === undefined ? now.model : change.model,
      budget: { ...now.budget, ...change.budget },
      triggers: { ...now.triggers, ...change.triggers },
    }
    await tx`
      insert into agents ${tx({ organization_id, name, enabled: next.enabled, model: next.model, budget: tx.json(next.budget), triggers: tx.json(next.triggers), version: now.version + 1 })}
      on conflict (organization_id, name) do update set enabled = excluded.enabled, model = excluded.model,
        budget = excluded.budget, triggers = excluded.triggers, version = agents.version + 1, updated_at = now()`
    const resumed_runs = next.enabled && !now.enabled ? await resumeStoppedRuns(ctx) : 0
    await recordActivity(ctx, {
      type: 'settings_changed',
      subjects: [{ kind: 'organization', id: organization_id }],
      data: {
        what: `the agent ${name}`,
        changes: (['enabled', 'model', 'budget', 'triggers'] as const)
          .filter((field) => JSON.stringify(now[field]) !== JSON.stringify(next[field]))
          .map((field) => ({ field: `${name}.${field}`, before: now[field], after: next[field] })),
        ...(resumed_runs > 0 ? { resumed_runs } : {}),
      },
    })
    return readAgentSettings(ctx, name)
  })

const requireTriggers = (triggers: Record<string, boolean>): void => {
  const unknown = Object.keys(triggers).find((name) => !Object.hasOwn(NO_TRIGGERS, name))
  if (unknown === undefined) return
  throw invalid('trigger_unknown', '/triggers', `Nothing called “${unknown}” wakes an agent here.`, [
    ...agentTriggers,
  ])
}

/** The agents that their organization wants woken by something; none while they, or all of them, are switched off. */
export const listWokenBy = (ctx: Ctx, trigger: AgentTrigger): Promise<string[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<{ name: string }[]>`
      select name from agents where organization_id = ${organization_id} and enabled
        and (triggers -> ${trigger}::text) = 'true'::jsonb
        and (select ai_enabled from settings where organization_id = ${organization_id})
      order by name`
    return rows.map(({ name }) => name)
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
