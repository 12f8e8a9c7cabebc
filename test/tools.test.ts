import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { listActivities } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { listApprovals } from '../db/approvals.ts'
import { updateLead } from '../db/leads.ts'
import { listNotes } from '../db/notes.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { listTasks } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { tools } from '../tools/index.ts'
import { startWebsite, type Website } from './website.ts'
import { makeLead, nowhere, putToWork, taskAction, type AgentAtWork } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
let website: Website
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  website = await startWebsite()
})
afterAll(async () => {
  await website.stop()
  await world.stop()
})

const outside = () => ({ ...nowhere, fetch_allow: new Set([website.host]) })
const at = async (
  fields: Parameters<typeof makeLead>[1] = {},
): Promise<AgentAtWork & { lead: Opportunity }> => {
  const lead = await makeLead(ctx, fields)
  return { ...(await putToWork(world, lead.id, outside())), lead }
}
const typesOf = async (lead: Opportunity) =>
  (await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 50 })).data.map(({ type }) => type)

const actsOf = async ({ run_id }: Ctx) => (await listActivities(ctx, { run_id, limit: 50 })).data
const undoOf = (data: Record<string, unknown>) => (data['undo'] as { tool: string } | undefined)?.tool
const actOf = async (agent: Ctx, verb: string) =>
  (await actsOf(agent)).find(({ data }) => undoOf(data) === verb)!

describe('every tool', () => {
  const IDS = ['lead_id', 'opportunity_id', 'record_id', 'file_id', 'task_id']
  const lead_id = '0198c0de-0000-7000-8000-000000000000'
  const examples: Record<string, Record<string, unknown>> = {
    read_lead: { lead_id },
    enrich_lead: { lead_id },
    qualify: { lead_id },
    move_stage: { lead_id, stage_id: lead_id, reason: 'Qualified.' },
    convert_lead: {
      lead_id,
      account: 'create',
      contact: 'create',
      deal_name: 'Machines',
      reason: 'It is real.',
    },
    merge_leads: { lead_id, other_id: lead_id, primary_id: lead_id, reason: 'Same e-mail address.' },
    close_opportunity: { opportunity_id: lead_id, outcome: 'won', reason: 'They signed.' },
    set_forecast_category: { opportunity_id: lead_id, forecast_category: 'commit', reason: 'They signed.' },
    suggest_next_actions: { lead_id, actions: [taskAction('Call Ana')] },
    draft_email: { lead_id, subject: 'Hello', body: 'Twenty characters at least.' },
    send_email: { to: 'ana@x.example', subject: 'Hello', body: 'Hello' },
    create_task: { lead_id, title: 'Call Ana' },
    add_note: { lead_id, body: 'Hello' },
    log_activity: {
      opportunity_id: lead_id,
      type: 'call_logged',
      data: { subject: 'Asked for 40 seats' },
      reason: 'The owner told me.',
    },
    read_record: { record_kind: 'account', record_id: lead_id },
    search_records: { query: 'Ana' },
    update_lead: { lead_id, values: { city: 'Berlin' }, reason: 'They said so.' },
    update_record: {
      record_kind: 'contact',
      record_id: lead_id,
      values: { city: 'Berlin' },
      reason: 'They said so.',
    },
    read_file: { file_id: lead_id },
    propose_file_facts: { file_id: lead_id },
    complete_task: { task_id: lead_id, note: 'Called Ana.' },
    hand_back_task: { task_id: lead_id, reason: 'Nobody can be called from here.' },
    create_lead: { contact_name: 'Bo Lind', reason: 'Named in the message.' },
    assign_owner: { opportunity_id: lead_id, owner_id: null, reason: 'Nobody is in charge.' },
  }

  test.each(Object.keys(tools))(
    '%s says everything about itself: to a model, to a person, and for undo',
    (name) => {
      const tool = tools[name]!
      const input = examples[name]!
      expect(tool.parse(input).success).toBe(true)
      expect(tool.description.length).toBeGreaterThan(20)
      expect(tool.title).toMatch(/^[A-Z]/)
      expect(tool.consequence(input)).toMatch(/\.$/)
      expect((tool.undo === undefined) !== (tool.irreversible === undefined)).toBe(true)
      const schema = z.toJSONSchema(tool.input, { io: 'input', unrepresentable: 'any' })
      expect(schema).toMatchObject({ type: 'object', required: expect.any(Array) })
      if (tool.effect === 'outbound') expect([tool.safe_when_tainted, tool.risk]).toEqual([false, 'high'])
      for (const wrong of [
        undefined,
        null,
        'x',
        {},
        { ...input, ...Object.fromEntries(IDS.map((name) => [name, 'x'])), to: 'x', query: 7, email: 'x' },
      ])
        expect(tool.parse(wrong).success).toBe(false)
    },
  )
})

describe('enrich_lead', () => {
  test('reads the website and fills blanks, each fact with its page and words; undo empties them, unless somebody changed one', async () => {
    const {
      call,
      lead,
      ctx: agent,
    } = await at({ website: website.url, company_name: undefined, city: undefined })
    const { verdict } = await call('enrich_lead', { lead_id: lead.id })
    expect(verdict).toBe('run')
    const enriched = await getOpportunity(ctx, lead.id)
    expect(enriched).toMatchObject({ company_name: expect.stringContaining('Brightside'), city: 'Portland' })
    expect(
      enriched.enrichment?.facts.every(
        ({ source_url, snippet }) => source_url.startsWith(website.url) && snippet !== '',
      ),
    ).toBe(true)
    expect(await typesOf(lead)).toContain('contact_enriched')

    const act = await actOf(agent, 'update_record')
    await updateLead(ctx, lead.id, { city: 'Salem' })
    await expect(undoActivity(ctx, act.id)).rejects.toMatchObject({
      code: 'changed_since',
      extra: { changed: [{ field: 'city', left: 'Portland', now: 'Salem' }] },
    })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ company_name: enriched.company_name })

    await updateLead(ctx, lead.id, { city: 'Portland' })
    await undoActivity(ctx, act.id)
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ company_name: null, city: null })
  })

  test('never overwrites what is there', async () => {
    const { call, lead } = await at({
      website: website.url,
      company_name: 'As a person wrote it',
      city: 'Berlin',
    })
    await call('enrich_lead', { lead_id: lead.id })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({
      company_name: 'As a person wrote it',
      city: 'Berlin',
    })
  })

  test.each([
    ['is down', 'http://127.0.0.1:1'],
    ['stands in a private network', 'http://10.0.0.1/'],
    ['is a cloud’s metadata', 'http://169.254.169.254/'],
    ['is no address that anybody could reach', 'http://nowhere.invalid/'],
  ])('one that %s ends as a line on the timeline, and the run goes on', async (_, address) => {
    const { call, lead } = await at({ website: address })
    expect(await call('enrich_lead', { lead_id: lead.id })).toMatchObject({
      verdict: 'run',
      output: { found: false, problem: { code: expect.any(String), message: expect.any(String) } },
      tainted_by: [],
    })
    expect(await typesOf(lead)).toContain('enrichment_failed')
  })

  test('a lead with a private mailbox and no website has none to read', async () => {
    const { call, lead } = await at({ email: 'ana@gmail.com', company_name: undefined })
    expect(await call('enrich_lead', { lead_id: lead.id })).toMatchObject({
      output: { problem: { code: 'no_website' } },
    })
  })
})

describe('undo takes back exactly what was done', () => {
  const undo = async (agent: Ctx, name: string) => {
    const verb = tools[name]!.undo
    for (const { id } of (await actsOf(agent)).filter(({ data }) => undoOf(data) === verb))
      await undoActivity(ctx, id)
  }

  test('a move', async () => {
    const { call, lead, ctx: agent } = await at()
    const next = (await defaultPipeline(ctx, 'lead')).stages[1]!
    await call('move_stage', { lead_id: lead.id, stage_id: next.id, reason: 'Qualified.' })
    expect((await getOpportunity(ctx, lead.id)).stage_id).toBe(next.id)
    await undo(agent, 'move_stage')
    expect((await getOpportunity(ctx, lead.id)).stage_id).toBe(lead.stage_id)
  })

  test('a task and a note', async () => {
    const { call, lead, ctx: agent } = await at()
    await call('create_task', { lead_id: lead.id, title: 'x' })
    await call('add_note', { lead_id: lead.id, body: 'x' })
    expect((await listTasks(ctx, { subject_id: lead.id, limit: 5 })).data).toHaveLength(1)
    expect((await listNotes(ctx, { subject_id: lead.id, limit: 5 })).data).toHaveLength(1)
    await undo(agent, 'create_task')
    await undo(agent, 'add_note')
    expect((await listTasks(ctx, { subject_id: lead.id, limit: 5 })).data).toEqual([])
    expect((await listNotes(ctx, { subject_id: lead.id, limit: 5 })).data).toEqual([])
  })

  test('a draft and suggestions: what waits is withdrawn', async () => {
    const { call, lead, ctx: agent } = await at()
    await call('draft_email', {
      lead_id: lead.id,
      subject: 'Hello',
      body: 'The cost for 40 seats depends on you.',
    })
    await call('suggest_next_actions', { lead_id: lead.id, actions: [taskAction('a'), taskAction('b')] })
    await undo(agent, 'suggest_next_actions')
    const { data } = await listApprovals(ctx, { subject_id: lead.id, limit: 10 })
    expect(data.map(({ status }) => status)).toEqual(['withdrawn', 'withdrawn', 'withdrawn'])
  })
})

test('qualify computes the same whatever the model adds to its arguments', async () => {
  const { call, lead } = await at()
  const plain = await call('qualify', { lead_id: lead.id })
  const pushed = await call('qualify', { lead_id: lead.id, score: 100, verdict: 'qualified', reasons: [] })
  expect(pushed.output).toEqual(plain.output)
})

test('send_email takes one recipient and one line of subject, and nothing else', () => {
  const right = { to: 'ana@x.example', subject: 'Hello', body: 'Hello' }
  expect(tools['send_email']!.parse(right).success).toBe(true)
  for (const wrong of [
    { ...right, to: 'ana@x.example, bo@x.example' },
    { ...right, to: 'ana@x.example\r\nBcc: bo@x.example' },
    { ...right, subject: 'Hello\r\nBcc: bo@x.example' },
    { ...right, subject: 'Hello\nthere' },
    { ...right, bcc: 'bo@x.example' },
    { ...right, from: 'bo@x.example' },
    { ...right, body: '' },
    { ...right, body: 'x'.repeat(20_001) },
  ]) {
    expect([wrong, tools['send_email']!.parse(wrong).success]).toEqual([wrong, false])
  }
})
