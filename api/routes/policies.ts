import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { agentCatalogue, levels, readLevels, setLevel } from '../../db/policies.ts'
import { tools } from '../../tools/index.ts'
import { nothingHere } from '../problem.ts'
import { route } from '../route.ts'
import { listOf } from '../shapes.ts'

/** What an agent may do with a tool. */
export const PolicyShape = z
  .object({ agent: z.string(), tool: z.string(), level: z.enum(levels) })
  .meta({ id: 'Policy' })

const policiesOf = async (ctx: Ctx, agent: string) =>
  Object.entries(await readLevels(ctx, agent)).map(([tool, level]) => ({ agent, tool, level }))

/** What agents may do. */
export const policies = [
  route(
    {
      method: 'GET',
      path: '/api/policies',
      permission: 'agents:read',
      summary: 'What each agent may do with each tool',
      response: listOf(PolicyShape),
    },
    async ({ ctx }) => ({
      data: (await Promise.all(Object.keys(agentCatalogue).map((agent) => policiesOf(ctx, agent)))).flat(),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'PUT',
      path: '/api/policies/:agent/:tool',
      permission: 'agents:write',
      summary: 'Set what an agent may do with a tool',
      description:
        '`off`: not given to it. `deny`: refused. `suggest`: always asks a person. `act`: does it, where nothing else speaks against it.',
      params: z.object({ agent: z.string(), tool: z.string() }),
      body: z.object({ level: z.enum(levels) }),
      example: { level: 'suggest' },
      response: PolicyShape,
    },
    async ({ ctx, params, body }) => {
      if (!Object.hasOwn(agentCatalogue, params.agent) || !Object.hasOwn(tools, params.tool))
        throw nothingHere()
      await setLevel(ctx, { ...params, ...body })
      return { ...params, ...body }
    },
  ),
]
