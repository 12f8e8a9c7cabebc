import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { getActivity, listActivities } from '../db/activities.ts'
import { approveApproval } from '../db/approval-decisions.ts'
import { createContact } from '../db/contacts.ts'
import type { Ctx } from '../db/context.ts'
import { addMember } from '../db/identity.ts'
import { createField } from '../db/fields.ts'
import { saveEnrichment } from '../db/lead-enrichment.ts'
import { updateLead } from '../db/leads.ts'
import { addNote } from '../db/notes.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { listOrigins } from '../db/origins.ts'
import { agentActor, setLevel } from '../db/policies.ts'
import { queueRun } from '../db/runs.ts'
import { claimRun } from '../db/run-lease.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { executeApproval } from '../tools/approvals.ts'
import { callTool } from '../tools/gate.ts'
import { tools } from '../tools/index.ts'
import { makeLead, nowhere } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  for (const tool of ['search_records', 'read_record', 'update_lead', 'create_lead', 'assign_owner'])
    await setLevel(ctx, { agent: 'lead_worker', tool, level: 'act' })
})
afterAll(() => world.stop())

/** An agent at work on a lead: woken by a submission unless a person asked. */
const at = async (lead_id: string, asked = false) => {
  const subject = { kind: 'lead', id: lead_id }
  const trigger = { kind: asked ? ('request' as const) : ('submission' as const) }
  const { id } = await queueRun(ctx, { agent: 'lead_worker', subject, trigger })
  const claimed = await claimRun(world.db, ctx.organization_id, id, 'test')
  const agent: Ctx = { ...ctx, actor: agentActor('lead_worker'), run_id: id, lease: claimed!.lease }
  let step = 0
  return {
    run_id: id,
    call: (name: string, input: unknown, tainted = true) =>
      callTool(agent, tools[name], name, input, {
        agent: 'lead_worker',
        subject,
        tainted_by: tainted ? [{ kind: 'record', id: lead_id }] : [],
        call_id: `call_${step}`,
        step: step++,
        outside: nowhere,
        tools,
      }),
  }
}
const lineOf = async (run_id: string, type: string) =>
  (await listActivities(ctx, { run_id, limit: 20 })).data.find((line) => line.type === type)!

describe('search_records and read_record', () => {
  test('find what there is, by words, address, number or domain; what is found taints the run', async () => {
    const account = await createAccount(ctx, { name: 'Harbour Bakery', website: 'https://harbour.example' })
    const contact = await createContact(ctx, {
      name: 'Ida Berg',
      email: 'ida@harbour.example',
      account_ids: [account.id],
    })
    const lead = await makeLead(ctx, { company_name: 'Harbour Bakery' })
    const { call } = await at(lead.id)
    const { verdict, output, tainted_by } = await call('search_records', { query: 'harbour' }, false)
    expect(verdict).toBe('run')
    expect(output['found']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'account', id: account.id, name: 'Harbour Bakery' }),
        expect.objectContaining({ kind: 'lead', id: lead.id }),
      ]),
    )
    expect(tainted_by).toContainEqual({ kind: 'record', id: account.id })
    const byMail = await call('search_records', { query: 'ida@harbour.example', kinds: ['contact'] })
    expect(byMail.output['found']).toMatchObject([{ kind: 'contact', id: contact.id }])
    expect((await call('search_records', { query: 'nobody at all' }, false)).tainted_by).toEqual([])
  })

  test('shows a record of any kind, what it is linked with, its notes and what happened; invisible signs are left out', async () => {
    const account = await createAccount(ctx, { name: 'Quay Foods\u202e', city: 'Hamburg' })
    const contact = await createContact(ctx, { name: 'Jo Quay', account_ids: [account.id] })
    await addNote(ctx, {
      subject: { kind: 'account', id: account.id },
      body: `Pays late ${'x'.repeat(2_000)}`,
    })
    const lead = await makeLead(ctx, { account_ids: [account.id] })
    const { call } = await at(lead.id)
    const { output, tainted_by } = await call('read_record', {
      record_kind: 'account',
      record_id: account.id,
    })
    expect(output).toMatchObject({
      record: { kind: 'account', id: account.id, name: 'Quay Foods', city: 'Hamburg' },
      linked: expect.arrayContaining([
        { kind: 'contact', id: contact.id, name: 'Jo Quay' },
        expect.objectContaining({ kind: 'lead', id: lead.id }),
      ]),
      notes: [expect.stringMatching(/^Pays late x+…$/)],
    })
    expect((output['notes'] as string[])[0]!.length).toBeLessThanOrEqual(600)
    expect(tainted_by).toContainEqual({ kind: 'record', id: account.id })
    const shown = await call('read_record', { record_kind: 'lead', record_id: lead.id })
    expect(shown.output).toMatchObject({ linked: [{ kind: 'account', id: account.id }] })
  })

  test('another tenant’s records are not there', async () => {
    const { ctx: other } = await world.other()
    const theirs = await makeLead(other, { contact_name: 'Foreign Person' })
    const their_account = await createAccount(other, { name: 'Foreign Company' })
    const { call } = await at((await makeLead(ctx)).id)
    expect((await call('search_records', { query: 'foreign' })).output['found']).toEqual([])
    expect(await call('read_record', { record_kind: 'lead', record_id: theirs.id })).toMatchObject({
      verdict: 'failed',
      rule: 'lead_not_found',
    })
    expect(await call('read_record', { record_kind: 'account', record_id: their_account.id })).toMatchObject({
      verdict: 'failed',
      rule: 'account_not_found',
    })
    for (const [name, input] of [
      ['update_lead', { lead_id: theirs.id, values: { city: 'Kiel' }, reason: 'x' }],
      ['assign_owner', { opportunity_id: theirs.id, owner_id: null, reason: 'x' }],
    ] as const)
      expect(await call(name, input, false)).toMatchObject({ verdict: 'deny', rule: 'other_record' })
    expect((await getOpportunity(other, theirs.id)).city).toBeNull()
  })
})

describe('update_lead', () => {
  const message = 'We are Tidal Roasters in Bremen and need a price for 40 seats.'
  const cites = [
    { field: 'city', snippet: 'Tidal Roasters in  BREMEN' },
    { field: 'company_name', snippet: 'We are Tidal Roasters' },
  ]

  test('fills blanks with what the lead said, each with where it stands; undo empties them', async () => {
    const lead = await makeLead(ctx, { message, company_name: undefined })
    const { call, run_id } = await at(lead.id)
    const values = { city: 'Bremen', company_name: 'Tidal Roasters' }
    const answer = await call('update_lead', { lead_id: lead.id, values, cites, reason: 'It says so.' })
    expect(answer).toMatchObject({ verdict: 'run', output: { changed: ['company_name', 'city'] } })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject(values)
    expect(
      (await listOrigins(ctx, { kind: 'lead', id: lead.id })).find(({ field }) => field === 'city'),
    ).toMatchObject({
      tainted: true,
      origin: { kind: 'submission', snippet: 'Tidal Roasters in  BREMEN', run_id },
    })
    const line = await lineOf(run_id, 'record_updated')
    expect(line).toMatchObject({ actor: { kind: 'agent' }, reason: 'It says so.' })
    await undoActivity(ctx, line.id)
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ city: null, company_name: null })
  })

  test('a fact of its website counts, and an own field is filled like any other', async () => {
    await createField(ctx, { record_kind: 'lead', key: 'founded', label: 'Founded', type: 'integer' })
    const lead = await makeLead(ctx)
    await saveEnrichment(ctx, lead.id, {
      website: 'https://tidal.example',
      summary: '',
      facts: [
        {
          key: 'founded',
          value: '2012',
          source_url: 'https://tidal.example/about',
          snippet: 'Roasting since 2012',
        },
      ],
      pages: [],
    })
    const { call } = await at(lead.id)
    const input = {
      lead_id: lead.id,
      values: { custom: { founded: 2012 } },
      cites: [{ field: 'custom.founded', snippet: 'roasting since 2012' }],
      reason: 'Its website says so.',
    }
    expect(await call('update_lead', input)).toMatchObject({
      verdict: 'run',
      output: { changed: ['custom.founded'] },
    })
    expect((await getOpportunity(ctx, lead.id)).custom).toEqual({ founded: 2012 })
  })

  test.each([
    [
      'a value that is there',
      { company_name: 'Evil Inc' },
      [{ field: 'company_name', snippet: 'We are Tidal' }],
      'not_blank',
    ],
    [
      'words that stand nowhere',
      { city: 'Kiel' },
      [{ field: 'city', snippet: 'our office in Kiel' }],
      'not_cited',
    ],
    [
      'the words of another field',
      { city: 'Kiel' },
      [{ field: 'title', snippet: 'Tidal Roasters' }],
      'not_cited',
    ],
    ['no words at all', { city: 'Kiel' }, [], 'not_cited'],
  ])('nobody asked: %s is refused, and nothing is written', async (_, values, cites, code) => {
    const lead = await makeLead(ctx, { message, company_name: 'As a person wrote it' })
    const { call } = await at(lead.id)
    for (const tainted of [true, false]) {
      const answer = await call('update_lead', { lead_id: lead.id, values, cites, reason: 'x' }, tainted)
      expect(answer).toMatchObject({ verdict: 'failed', rule: code })
    }
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({
      company_name: 'As a person wrote it',
      city: null,
    })
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ version: lead.version })
  })

  test('a person asked: a value is replaced, unless the run has read from outside; then a person decides', async () => {
    const lead = await makeLead(ctx, { city: 'Berlin' })
    const { call } = await at(lead.id, true)
    const input = (city: string) => ({ lead_id: lead.id, values: { city }, reason: 'You asked for it.' })
    expect((await call('update_lead', input('Kiel'), false)).verdict).toBe('run')
    expect((await getOpportunity(ctx, lead.id)).city).toBe('Kiel')
    const parked = await call('update_lead', input('Bremen'), true)
    expect(parked).toMatchObject({ verdict: 'park', rule: 'consequential' })
    expect((await getOpportunity(ctx, lead.id)).city).toBe('Kiel')
    const id = String(parked.output['approval_id'])
    await approveApproval(ctx, id, {})
    await executeApproval(world.db, ctx.organization_id, id, nowhere)
    expect((await getOpportunity(ctx, lead.id)).city).toBe('Bremen')
  })

  test('what it may not touch is not among its fields', async () => {
    const lead = await makeLead(ctx)
    for (const values of [
      { owner_id: world.owner.user_id },
      { stage_id: lead.stage_id },
      { agents_paused: false },
      { source: 'x' },
      {},
    ])
      expect(tools['update_lead']!.parse({ lead_id: lead.id, values, reason: 'x' }).success).toBe(false)
  })
})

describe('assign_owner', () => {
  test('gives a lead to a member, with the reason; a tainted run asks first; undo gives it back', async () => {
    const lead = await makeLead(ctx)
    const owner_id = world.owner.user_id
    const input = { opportunity_id: lead.id, owner_id, reason: 'She knows the trade.' }
    const tainted = await (await at(lead.id)).call('assign_owner', input)
    expect(tainted).toMatchObject({ verdict: 'park', rule: 'tainted' })
    expect((await getOpportunity(ctx, lead.id)).owner_id).toBeNull()
    const { call, run_id } = await at((await makeLead(ctx)).id)
    expect(await call('assign_owner', input, false)).toMatchObject({ verdict: 'deny', rule: 'other_record' })
    const own = await at(lead.id)
    expect(await own.call('assign_owner', { ...input, reason: 'She asked for it.' }, false)).toMatchObject({
      verdict: 'run',
      output: { owner: world.owner.name },
    })
    expect((await getOpportunity(ctx, lead.id)).owner_id).toBe(owner_id)
    await undoActivity(ctx, (await lineOf(own.run_id, 'record_updated')).id)
    expect((await getOpportunity(ctx, lead.id)).owner_id).toBeNull()
    expect(await lineOf(run_id, 'record_updated')).toBeUndefined()
  })

  test('an owner who is nobody here is answered with who is', async () => {
    const { owner: foreign } = await world.other()
    const colleague = await addMember(world.db, {
      organization_id: ctx.organization_id,
      name: 'Cy Rep',
      email: 'cy@northwind.example',
      role: 'rep',
    })
    const lead = await makeLead(ctx)
    const { call } = await at(lead.id)
    const answer = await call('assign_owner', {
      opportunity_id: lead.id,
      owner_id: foreign.user_id,
      reason: 'x',
    })
    expect(answer).toMatchObject({ verdict: 'failed', rule: 'owner_unknown' })
    expect(String(answer.output['message'])).toContain(colleague.user_id)
  })
})

describe('create_lead', () => {
  test('makes a lead, or joins the open one that the person is; undo archives it', async () => {
    const lead = await makeLead(ctx)
    const input = {
      contact_name: 'Bo Lind',
      email: 'bo@tidal.example',
      city: 'Bremen',
      reason: 'Ana names him as the buyer.',
    }
    expect(await (await at(lead.id)).call('create_lead', input)).toMatchObject({
      verdict: 'park',
      rule: 'tainted',
    })
    const { call, run_id } = await at((await makeLead(ctx)).id)
    const made = await call('create_lead', { ...input, title: 'Buyer' }, false)
    expect(made).toMatchObject({ verdict: 'run', output: { joined: false, name: 'Bo Lind' } })
    const id = String(made.output['lead_id'])
    const { data } = await listTimeline(ctx, { kind: 'lead', id }, { limit: 5 })
    expect(data[0]).toMatchObject({ type: 'lead_imported', reason: input.reason, data: { door: 'agent' } })
    const again = await call(
      'create_lead',
      { email: 'BO@tidal.example', phone: '+49 421 7654321', reason: 'x' },
      false,
    )
    expect(again.output).toMatchObject({ joined: true, lead_id: id })
    expect((await getOpportunity(ctx, id)).phone).toBe('+494217654321')
    await undoActivity(ctx, (await lineOf(run_id, 'lead_imported')).id)
    expect((await getOpportunity(ctx, id)).archived_at).toBeInstanceOf(Date)
  })

  test('one that nobody could reach is not made, and nobody is asked about it', async () => {
    const { call } = await at((await makeLead(ctx)).id)
    for (const tainted of [true, false])
      expect(await call('create_lead', { company_name: 'Tidal', reason: 'x' }, tainted)).toMatchObject({
        verdict: 'failed',
        rule: 'lead_unidentified',
      })
  })
})

test('what a person approved is done as it was read, also over a value that was there', async () => {
  const lead = await makeLead(ctx, { city: 'Berlin' })
  const { call } = await at(lead.id)
  const { output } = await call('suggest_next_actions', {
    lead_id: lead.id,
    actions: [
      {
        tool: 'update_lead',
        input: { values: { city: 'Kiel' }, reason: 'They moved.' },
        reason: 'They moved.',
      },
    ],
  })
  const [{ approval_id }] = output['suggestions'] as [{ approval_id: string }]
  await approveApproval(ctx, approval_id, {})
  await updateLead(ctx, lead.id, { state: 'SH' })
  await executeApproval(world.db, ctx.organization_id, approval_id, nowhere)
  expect((await getOpportunity(ctx, lead.id)).city).toBe('Kiel')
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 10 })
  const line = data.find(({ type, approval_id: by }) => type === 'record_updated' && by === approval_id)!
  expect(line).toMatchObject({ actor: { kind: 'agent' }, on_behalf_of: { kind: 'user' } })
  expect((await getActivity(ctx, (await undoActivity(ctx, line.id)).id)).type).toBe('undone')
  expect((await getOpportunity(ctx, lead.id)).city).toBe('Berlin')
})
