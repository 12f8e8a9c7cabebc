import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { updateLead } from '../db/leads.ts'
import { changeAgentSettings } from '../db/models.ts'
import {
  agentCatalogue,
  decide,
  levels,
  readLevels,
  readStanding,
  setLevel,
  type Question,
} from '../db/policies.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { tools } from '../tools/index.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

/** A harmless write that policy allows. */
const harmless: Question = {
  tool: 'add_note',
  effect: 'write',
  level: 'act',
  ai_enabled: true,
  agent_enabled: true,
  record_paused: false,
  tainted: false,
  safe_when_tainted: true,
  suggestion: false,
}

describe('the decision table', () => {
  test.each<[rule: string, verdict: 'run' | 'park' | 'deny', question: Partial<Question>]>([
    ['policy_act', 'run', {}],
    ['policy_act', 'run', { tainted: true }],
    ['policy_suggest', 'park', { level: 'suggest' }],
    ['policy_deny', 'deny', { level: 'deny' }],
    ['not_granted', 'deny', { level: 'off' }],
    ['not_granted', 'deny', { level: undefined }],
    ['not_granted', 'deny', { level: undefined, effect: 'read' }],
    ['read_only', 'run', { effect: 'read' }],
    ['read_only', 'run', { effect: 'read', level: 'suggest', tainted: true }],
    ['outbound', 'park', { effect: 'outbound' }],
    ['outbound', 'park', { effect: 'outbound', level: 'suggest', tainted: true }],
    ['policy_deny', 'deny', { effect: 'outbound', level: 'deny' }],
    ['consequential', 'park', { consequence: 'Closing a lead needs a person.' }],
    ['policy_deny', 'deny', { consequence: 'Closing a lead needs a person.', level: 'deny' }],
    ['tainted', 'park', { tainted: true, safe_when_tainted: false }],
    ['policy_act', 'run', { tainted: false, safe_when_tainted: false }],
    ['suggestion', 'park', { suggestion: true }],
    ['suggestion', 'park', { suggestion: true, effect: 'outbound' }],
    ['suggestion', 'park', { suggestion: true, effect: 'read' }],
    ['ai_off', 'deny', { ai_enabled: false }],
    ['ai_off', 'deny', { ai_enabled: false, effect: 'read' }],
    ['ai_off', 'deny', { ai_enabled: false, agent_enabled: false, record_paused: true, level: undefined }],
    ['agent_off', 'deny', { agent_enabled: false }],
    ['record_off', 'deny', { record_paused: true, suggestion: true }],
  ])('%s: %s when %o', (rule, verdict, question) => {
    expect(decide({ ...harmless, ...question })).toMatchObject({
      rule,
      verdict,
      text: expect.stringMatching(/\w/),
    })
  })

  const anyQuestion = fc.record({
    tool: fc.constantFrom(...Object.keys(tools), 'unknown'),
    effect: fc.constantFrom('read' as const, 'write' as const, 'outbound' as const),
    level: fc.constantFrom(...levels, undefined),
    ai_enabled: fc.boolean(),
    agent_enabled: fc.boolean(),
    record_paused: fc.boolean(),
    tainted: fc.boolean(),
    safe_when_tainted: fc.boolean(),
    consequence: fc.constantFrom(undefined, 'It closes something.'),
    suggestion: fc.boolean(),
  })

  test('whatever is asked, nothing runs by itself that must not', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const { verdict } = decide(question)
        const switched_off = !question.ai_enabled || !question.agent_enabled || question.record_paused
        const granted = question.level !== undefined && !['off', 'deny'].includes(question.level)
        if (switched_off || !granted) return verdict === 'deny'
        if (question.effect === 'read' && !question.suggestion) return verdict === 'run'
        const needs_person =
          question.suggestion ||
          question.effect === 'outbound' ||
          question.consequence !== undefined ||
          question.level === 'suggest' ||
          (question.tainted && !question.safe_when_tainted)
        return verdict === (needs_person ? 'park' : 'run')
      }),
      { numRuns: 5_000 },
    )
  })
})

test('an agent has what it declares, narrowed or widened by what the organization set, and nothing else', async () => {
  const { ctx } = world
  expect(await readLevels(ctx, 'lead_worker')).toEqual(agentCatalogue['lead_worker']?.levels)
  expect(await readLevels(ctx, 'somebody')).toEqual({})
  await setLevel(ctx, { agent: 'lead_worker', tool: 'add_note', level: 'suggest' })
  await setLevel(ctx, { agent: 'lead_worker', tool: 'add_note', level: 'off' })
  expect((await readLevels(ctx, 'lead_worker'))['add_note']).toBe('off')
  const other = await world.other()
  expect((await readLevels(other.ctx, 'lead_worker'))['add_note']).toBe('act')
})

test('every tool of the catalogue exists, and what is outbound never acts by itself', () => {
  for (const { levels } of Object.values(agentCatalogue)) {
    for (const [tool, level] of Object.entries(levels)) {
      expect(tools[tool]?.name).toBe(tool)
      if (tools[tool]?.effect === 'outbound') expect(level).toBe('suggest')
    }
  }
})

test('each switch is its own: organization, agent, record; and who threw it is on record', async () => {
  const { organization, ctx } = await world.other()
  const lead = await makeLead(ctx)
  const switches = async () => {
    const { ai_enabled, agent_enabled, record_paused } = await readStanding(ctx, 'lead_worker', {
      kind: 'lead',
      id: lead.id,
    })
    return { ai_enabled, agent_enabled, record_paused }
  }
  expect(await switches()).toEqual({ ai_enabled: true, agent_enabled: true, record_paused: false })
  await changeAgentSettings(ctx, 'lead_worker', { enabled: false })
  expect(await switches()).toEqual({ ai_enabled: true, agent_enabled: false, record_paused: false })
  await updateLead(ctx, lead.id, { agents_paused: true })
  const { version } = await readSettings(ctx)
  await changeSettings(ctx, { version, changes: { ai_enabled: false } })
  expect(await switches()).toEqual({ ai_enabled: false, agent_enabled: false, record_paused: true })
  await setLevel(ctx, { agent: 'lead_worker', tool: 'add_note', level: 'deny' })

  const { data } = await listActivities(ctx, { limit: 20 })
  const said = data
    .filter(({ subjects }) => subjects[0]?.id === organization.id)
    .map(({ summary }) => summary)
  expect(said).toEqual([
    'changed what lead_worker may do with add_note',
    'changed ai enabled',
    'changed the agent lead_worker',
  ])
  expect(data.every(({ actor }) => actor.kind === 'user')).toBe(true)
})
