import type { LanguageModelV4 } from '@ai-sdk/provider'
import { describe, expect, test } from 'vitest'
import { updateLead, type NewLead } from '../db/leads.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { optOut } from '../db/opt-outs.ts'
import { getPipeline } from '../db/pipelines.ts'
import { setLevel, type Level } from '../db/policies.ts'
import type { Run } from '../db/runs.ts'
import { listTimeline } from '../db/timeline.ts'
import {
  ASKED,
  lazy,
  openOwingWorld,
  reasonsOf,
  STOOD_IN,
  timesAsked,
  turnsOf,
  verdictsOf,
  type Worked,
} from './owing-world.ts'
import { callOf, unruly } from './run-world.ts'
import { parkEmail } from './worked-lead.ts'

// What a run owes when its model ends without it: every open lead that asked for something and can be written to ends
// its first run with exactly one e-mail that waits for a person.

const { world, ctx, mailsTo, workedBy } = await openOwingWorld()

describe('a model that ends without an answer is asked once more', () => {
  test('and when it drafts then, the answer is its own', async () => {
    const worked = await workedBy(lazy(2))
    expect(worked.run).toMatchObject({ status: 'done', stop_reason: 'finished', attempts: 1 })
    expect(worked.mails).toMatchObject([{ status: 'pending', input: { to: worked.lead.email } }])
    expect(reasonsOf(worked)).toEqual([ASKED])
    expect(turnsOf(worked, 'rules')).toEqual([])
  })

  test('and when it does not, the rules draft through the same gate, and everybody can see that it was they', async () => {
    const seen: number[] = []
    const worked = await workedBy(lazy(Infinity, seen))
    expect(worked.run).toMatchObject({ status: 'done', stop_reason: 'finished' })
    expect(worked.mails).toMatchObject([
      { status: 'pending', rule: 'outbound', proposed_by: { kind: 'agent', id: 'lead_worker' } },
    ])
    expect(new Set(seen)).toEqual(new Set([1, 2]))
    expect(reasonsOf(worked)).toEqual([ASKED, STOOD_IN])
    expect(verdictsOf(worked).slice(-2)).toEqual(['read_lead run', 'draft_email run'])
    expect(turnsOf(worked, 'rules')).toHaveLength(3)
    // The rules cost nothing, so what the run used is what its own model used.
    expect(turnsOf(worked, 'rules').map(({ usage }) => usage)).toEqual([null, null, null])
    expect(worked.run.usage.input_tokens).toBe(
      turnsOf(worked).reduce((sum, { usage }) => sum + usage!.input_tokens, 0),
    )
    const { data } = await listTimeline(ctx, { kind: 'lead', id: worked.lead.id }, { limit: 1 })
    expect(data).toMatchObject([{ type: 'agent_run', reason: expect.stringContaining(STOOD_IN) }])
  })

  test.each<[what: string, fields: Partial<NewLead>]>([
    ['has no website', { website: undefined }],
    ['has a website that cannot be reached', { website: 'http://127.0.0.1:1' }],
    ['wrote one word', { message: 'Hi' }],
    ['wants to sell', { message: 'We offer SEO services and backlinks to increase your traffic.' }],
  ])('also where the lead %s', async (_, fields) => {
    const { mails } = await workedBy(lazy(), fields)
    expect(mails).toMatchObject([{ status: 'pending' }])
  })

  test('and one that never even read the lead', async () => {
    const worked = await workedBy(unruly(() => [{ type: 'text', text: 'Nothing to do.' }]))
    expect(worked.run).toMatchObject({ status: 'done' })
    expect(verdictsOf(worked)).toEqual(['read_lead run', 'draft_email run'])
    expect(worked.mails).toHaveLength(1)
  })

  test('a second run owes nothing: what a person made of the first answer stands', async () => {
    const { lead } = await workedBy(lazy(2))
    const again = await world.workToTheEnd(await world.queue(lead.id), lazy())
    expect(again).toMatchObject({ status: 'done' })
    expect(again.steps.filter(({ tool }) => tool === 'draft_email')).toEqual([])
    expect(await mailsTo(lead.id)).toHaveLength(1)
  })
})

describe('a model whose drafts are refused', () => {
  const draft = (subject: string, body: string) => (lead_id: string) =>
    callOf('draft_email', JSON.stringify({ lead_id, subject, body }))
  const badly = async (
    given: ReturnType<typeof draft>,
    fields: Partial<NewLead> = { website: undefined },
  ): Promise<Worked> => {
    const lead = await world.sameLead(fields)
    // It reads, tries twice, gives up, is asked once more, tries again, and gives up for good.
    const model = unruly((turn) => {
      if (turn === 0) return [callOf('read_lead', JSON.stringify({ lead_id: lead.id }))]
      return [1, 2, 4].includes(turn) ? [given(lead.id)] : [{ type: 'text', text: 'I give up.' }]
    })
    const run = await world.workToTheEnd(await world.queue(lead.id), model)
    return { lead, run, mails: await mailsTo(lead.id) }
  }

  test.each([
    ['placeholder', draft('Your question', 'Hello [Your Name], the cost for 40 seats follows.')],
    ['does_not_answer', draft('Hello', 'We wish everybody a very good morning today.')],
    [
      'not_sendable',
      draft('Your\nquestion', 'What it costs for 40 seats depends on the start. Shall we talk?'),
    ],
    ['invalid_input', draft('', 'x')],
  ])('for %s, twice, and again', async (rule, given) => {
    const worked = await badly(given)
    expect(worked.run).toMatchObject({ status: 'done' })
    expect(worked.run.steps.filter((step) => step.rule === rule)).toHaveLength(3)
    expect(reasonsOf(worked)).toEqual([ASKED, STOOD_IN])
    expect(worked.mails).toMatchObject([{ status: 'pending' }])
    expect(String(worked.mails[0]!.input['body'])).toContain('40 seats')
    // Nothing is kept of a draft that was refused.
    const { data } = await listTimeline(ctx, { kind: 'lead', id: worked.lead.id }, { limit: 50 })
    expect(data.filter(({ type }) => type === 'email_drafted')).toHaveLength(1)
  })

  test('what no better words would change is not asked for again', async () => {
    const lead = await world.sameLead()
    const seen: number[] = []
    const model = unruly((turn, asked) => {
      seen.push(asked)
      if (turn === 0) return [callOf('read_lead', JSON.stringify({ lead_id: lead.id }))]
      return turn === 1
        ? [draft('Your question', 'What it costs for 40 seats depends.')(lead.id)]
        : [{ type: 'text', text: 'Done.' }]
    })
    const id = await world.queue(lead.id)
    // The address opts out between the reading and the drafting.
    const model_of_one_turn: LanguageModelV4 = {
      ...model,
      doGenerate: async (options) => {
        if (seen.length === 1) await optOut(ctx, lead.email!, 'asked by telephone')
        return model.doGenerate(options)
      },
    }
    try {
      const run = await world.workToTheEnd(id, model_of_one_turn)
      expect(run.steps.map(({ rule }) => rule)).toContain('opted_out')
      expect(seen).toEqual([1, 1, 1])
      expect(await mailsTo(lead.id)).toEqual([])
    } finally {
      await forget(lead.email!)
    }
  })
})

const forget = (email: string) =>
  world.db.sql.begin(async (tx) => {
    await tx`select set_config('app.organization_id', ${ctx.organization_id}, true)`
    await tx`delete from opt_outs where email = ${email}`
  })

describe('nothing is owed', () => {
  const ends = async (lead: Opportunity, ask?: 'suggest'): Promise<{ seen: number[]; run: Run }> => {
    const seen: number[] = []
    const run = await world.workToTheEnd(await world.queue(lead.id, ask), lazy(Infinity, seen))
    expect(run.steps.filter(({ output }) => Object(output).because || Object(output).model)).toEqual([])
    return { seen, run }
  }

  test.each<[what: string, fields: Partial<NewLead>]>([
    ['has no e-mail address', { email: undefined }],
    ['asked for nothing', { message: undefined }],
    ['asks to be left alone', { message: 'Please remove me from your list.' }],
  ])('to a lead that %s', async (_, fields) => {
    const lead = await world.sameLead(fields)
    const { seen, run } = await ends(lead)
    expect(run).toMatchObject({ status: 'done' })
    expect(new Set(seen)).toEqual(new Set([1]))
    expect(await mailsTo(lead.id)).toEqual([])
  })

  test('to a lead that opted out, is closed, or has an answer waiting', async () => {
    const gone = await world.sameLead({ email: 'gone@brightside.example' })
    await optOut(ctx, 'gone@brightside.example', 'unsubscribed')
    const closed = await world.sameLead()
    const { stages } = await getPipeline(ctx, closed.pipeline_id)
    await moveOpportunity(ctx, closed.id, { stage_id: stages.find(({ kind }) => kind === 'won')!.id })
    const answered = await world.sameLead()
    const waiting = await parkEmail(
      world,
      answered,
      'Hello Ana, the cost for 40 seats depends on when you would like to start. Shall we talk?',
    )
    for (const lead of [gone, closed, answered]) {
      expect((await ends(lead)).run).toMatchObject({ status: 'done' })
      expect((await mailsTo(lead.id)).map(({ id }) => id)).toEqual(lead === answered ? [waiting.id] : [])
    }
  })

  test('where a person asked for something else', async () => {
    const lead = await world.sameLead()
    const { seen } = await ends(lead, 'suggest')
    expect(new Set(seen)).toEqual(new Set([1]))
    expect(await mailsTo(lead.id)).toEqual([])
  })

  test.each<[tool: string, level: Level]>([
    ['draft_email', 'off'],
    ['draft_email', 'deny'],
    ['send_email', 'off'],
    ['send_email', 'deny'],
    ['read_lead', 'deny'],
  ])('where policy sets %s to %s', async (tool, level) => {
    const before = { draft_email: 'act', send_email: 'suggest', read_lead: 'act' } as const
    await setLevel(ctx, { agent: 'lead_worker', tool, level })
    try {
      const lead = await world.sameLead()
      await ends(lead)
      expect(await mailsTo(lead.id)).toEqual([])
    } finally {
      await setLevel(ctx, { agent: 'lead_worker', tool, level: before[tool as keyof typeof before] })
    }
  })

  test('and what not even the rules can settle is said', async () => {
    const lead = await world.sameLead()
    const thinker = lazy()
    try {
      const run = await world.workToTheEnd(await world.queue(lead.id), {
        ...thinker,
        doGenerate: async (options) => {
          // Policy takes the sending away after the run began.
          if (timesAsked(options) === 2)
            await setLevel(ctx, { agent: 'lead_worker', tool: 'send_email', level: 'off' })
          return thinker.doGenerate(options)
        },
      })
      expect(run).toMatchObject({ status: 'done' })
      expect(await mailsTo(lead.id)).toEqual([])
      const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 1 })
      expect(data[0]!.reason).toContain('the built-in rules could not see to it either')
    } finally {
      await setLevel(ctx, { agent: 'lead_worker', tool: 'send_email', level: 'suggest' })
    }
  })

  test('by an agent that is off: from the start, or thrown when the model ended', async () => {
    const paused = await world.sameLead()
    await updateLead(ctx, paused.id, { agents_paused: true })
    expect((await ends(paused)).run).toMatchObject({ status: 'stopped', stop_reason: 'record_off' })

    const lead = await world.sameLead()
    const model = unruly(() => [{ type: 'text', text: 'Done.' }])
    const run = await world.workToTheEnd(await world.queue(lead.id), {
      ...model,
      doGenerate: async (options) => {
        if (timesAsked(options) === 1) await updateLead(ctx, lead.id, { agents_paused: true })
        return model.doGenerate(options)
      },
    })
    expect(run).toMatchObject({ status: 'stopped', stop_reason: 'record_off' })
    expect(await mailsTo(lead.id)).toEqual([])
    expect((await getOpportunity(ctx, lead.id)).verdict).toBeNull()
  })
})
