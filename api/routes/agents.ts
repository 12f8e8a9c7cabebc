import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { readAgentStats } from '../../db/agent-stats.ts'
import { Budget, changeAgentSettings, readAgentSettings } from '../../db/models.ts'
import { agentCatalogue, levels, readLevels } from '../../db/policies.ts'
import { agentTriggers } from '../../db/runs.ts'
import { nothingHere } from '../problem.ts'
import { route } from '../route.ts'
import { listOf } from '../shapes.ts'

/** An agent, what it may do and how it was judged. */
export const AgentShape = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string(),
    enabled: z.boolean(),
    version: z.int(),
    model: z.string(),
    /** Caps per run that the organization set; others are the agent's own. */
    budget: Budget.partial(),
    /** What wakes it beside what always does. */
    triggers: z.record(z.enum(agentTriggers), z.boolean()),
    autonomy: z.array(z.object({ tool: z.string(), level: z.enum(levels) })),
    stats: z.object({ runs: z.int(), approved_unchanged: z.int(), decided: z.int() }),
  })
  .meta({ id: 'Agent' })

const read = async (ctx: Ctx, name: string, model: string) => {
  const declared = Object.hasOwn(agentCatalogue, name) ? agentCatalogue[name] : undefined
  if (!declared) throw nothingHere()
  const [settings, granted, stats] = [
    await readAgentSettings(ctx, name),
    await readLevels(ctx, name),
    await readAgentStats(ctx, name),
  ]
  return {
    name,
    title: declared.title,
    description: declared.description,
    enabled: settings.enabled,
    version: settings.version,
    model: settings.model ?? model,
    budget: settings.budget,
    triggers: settings.triggers,
    autonomy: Object.entries(granted).map(([tool, level]) => ({ tool, level })),
    stats,
  }
}

/** The agents of the organization. */
export const agents = [
  route(
    {
      method: 'GET',
      path: '/api/agents',
      permission: 'agents:read',
      summary: 'Agents, what they may do and how they were judged',
      response: listOf(AgentShape),
    },
    async ({ ctx, model }) => ({
      data: await Promise.all(Object.keys(agentCatalogue).map((name) => read(ctx, name, model))),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/agents/:name',
      permission: 'agents:write',
      summary: 'Pause or resume an agent, give it a model or caps of its own; counts before its next act',
      description:
        '`triggers` chooses what else wakes it, all off at first. `stage.stuck`: a lead has been in its stage for longer than the stage’s `rot_days`; the agent proposes next steps.',
      params: z.object({ name: z.string() }),
      body: z.object({
        enabled: z.boolean().optional(),
        model: z
          .string()
          .regex(/^(rules|openai:\S+)$/, '“rules” or “openai:<model name>”; null for the default')
          .nullable()
          .optional(),
        budget: Budget.partial().optional(),
        triggers: z
          .record(z.string().max(100), z.boolean())
          .describe(`By name: ${agentTriggers.join(', ')}.`)
          .optional(),
      }),
      example: { version: 1, enabled: false, triggers: { 'stage.stuck': true } },
      response: AgentShape,
      versioned: true,
    },
    async ({ ctx, params, body, model, version }) => {
      await read(ctx, params.name, model)
      await changeAgentSettings(ctx, params.name, { ...body, version })
      return read(ctx, params.name, model)
    },
  ),
]
