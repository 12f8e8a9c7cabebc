import { z } from 'zod'
import { tools as listed } from '../../tools/index.ts'
import { route } from '../route.ts'
import { Anything, listOf } from '../shapes.ts'

/** A tool that agents can be given. */
export const ToolShape = z
  .object({
    name: z.string(),
    effect: z.string(),
    title: z.string(),
    description: z.string(),
    input_schema: Anything,
  })
  .meta({ id: 'Tool' })

const data = Object.values(listed).map(({ name, effect, title, description, input }) => ({
  name,
  effect,
  title,
  description,
  input_schema: z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }),
}))

/** How agents act. */
export const tools = [
  route(
    {
      method: 'GET',
      path: '/api/tools',
      permission: 'agents:read',
      summary: 'Every tool there is, with the JSON Schema of its input',
      response: listOf(ToolShape),
    },
    async () => ({ data, next_cursor: null }),
  ),
]
