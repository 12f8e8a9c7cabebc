import { randomUUID } from 'node:crypto'
import { generateText, isStepCount, jsonSchema, tool as sdkTool, type ToolSet } from 'ai'
import { z } from 'zod'
import { lead_worker } from '../agents/lead_worker.ts'
import { NO_TASK } from '../agents/task-orders.ts'
import { proposeApproval } from '../db/approval-proposals.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { agentActor } from '../db/policies.ts'
import { loadPrompt } from '../prompts/load.ts'
import { tools } from '../tools/index.ts'
import type { Running, Tool } from '../tools/tool.ts'
import { fiveCalls, nowhere } from './lead-run.ts'
import { scriptedModel } from './scripted-model.ts'

/**
 * What is left of a run when nothing keeps it: the AI SDK's loop, each tool's own statements in one transaction, and a
 * message that waits. No run, no claim, no lease, no policy, no journal.
 */
export const openBareLoop = async (ctx: Ctx): Promise<(lead_id: string) => Promise<void>> => {
  const model = scriptedModel(await fiveCalls(ctx))
  const prompt = loadPrompt(lead_worker.prompt)
  const instructions = prompt.render({ agent: lead_worker.name, task: NO_TASK })
  const offered = lead_worker.tools.flatMap((name) =>
    tools[name] ? [{ name, tool: tools[name], schema: schemaOf(tools[name]) }] : [],
  )
  return async (lead_id) => {
    const acting: Ctx = { ...ctx, actor: agentActor(lead_worker.name), run_id: randomUUID() }
    const offer: ToolSet = Object.fromEntries(
      offered.map(({ name, tool, schema }) => [
        name,
        sdkTool({
          description: tool.description,
          inputSchema: schema,
          execute: async (input) => {
            const prepared = await tool.prepare?.(acting, input, nowhere)
            return inTx(acting, (ctx) => tool.run(ctx, input, running(lead_id), prepared))
          },
        }),
      ]),
    )
    const { steps } = await generateText({
      model,
      instructions,
      messages: [{ role: 'user', content: `Work the lead ${lead_id}.` }],
      tools: offer,
      stopWhen: isStepCount(16),
      maxRetries: 0,
      toolCallConcurrency: 1,
    })
    if (steps.length !== 6) throw new Error(`the bare loop took ${steps.length} turns, not 6`)
    const failed = steps.flatMap(({ content }) => content.filter(({ type }) => type === 'tool-error'))
    if (failed.length > 0) throw new Error(`the bare loop failed: ${JSON.stringify(failed[0])}`)
  }
}

const schemaOf = (tool: Tool) =>
  jsonSchema<Record<string, unknown>>(z.toJSONSchema(tool.input, { io: 'input', unrepresentable: 'any' }))

const running = (lead_id: string): Running => ({
  subject: { kind: 'lead', id: lead_id },
  outside: nowhere,
  tools,
  propose: async (ctx, tool, input, why) => {
    const parsed = tool.parse(input)
    if (!parsed.success) throw parsed.error
    const { approval } = await proposeApproval(ctx, {
      tool: tool.name,
      summary: await tool.summary(parsed.data, ctx),
      input: parsed.data,
      reason: why.reason,
      evidence: why.evidence ?? [],
      subject: { kind: 'lead', id: lead_id },
      purpose: why.purpose,
      rule: 'outbound',
      risk: tool.risk,
      reads: tool.reads(parsed.data),
    })
    return {
      verdict: 'park',
      rule: 'outbound',
      output: { parked: true, approval_id: approval.id },
      tainted_by: [],
    }
  },
})
