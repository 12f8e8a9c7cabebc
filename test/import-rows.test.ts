import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPipeline, NewPipeline } from '../db/pipeline-creation.ts'
import { openApi, type ApiWorld } from './api.ts'
import { type Importing, nothing, openImporting, problemsOf, recordsOf } from './import-world.ts'

let api: ApiWorld
let org: Importing
beforeAll(async () => {
  api = await openApi()
  org = await openImporting(api, ['Rosa', 'Tom'])
})
afterAll(() => api.stop())

describe('F89: what the cells of a lead say', () => {
  test('every standard field, each read as what it is', async () => {
    const file =
      'Name;Company;Title;E-Mail;Phone;Website;City;State;Country;Industry;Message;Source;Campaign;Landing page;External id;Owner;Value;Currency;Expected close;Tags\n' +
      '"Núñez, José";Brightside;Owner;JOSE@Brightside.Example ;+49 30 1234567;https://brightside.example;Berlin;BE;Germany;Coffee;"Line 1\n“2”";Fair;Spring;https://x.example/?a=1;crm-7;Rosa;1.234.567,89;EUR;31.12.2027;"hot; ""a; b"""\n' +
      'Bo;;;bo@fields.example;;;;;;;;;;;;;;;01.12.2027;\n'
    const worked = await org.run(file, { defaults: { source: 'List', tags: 'new' } })
    expect(worked.body.counts, JSON.stringify(worked.rows)).toEqual({ ...nothing, create: 2 })
    const [lead, second] = await recordsOf(org, worked)
    expect(lead).toMatchObject({
      contact_name: 'Núñez, José',
      company_name: 'Brightside',
      title: 'Owner',
      email: 'jose@brightside.example',
      phone: '+49301234567',
      website: 'https://brightside.example',
      city: 'Berlin',
      country: 'DE',
      message: 'Line 1\n“2”',
      source: 'Fair',
      campaign: 'Spring',
      landing_page: 'https://x.example/?a=1',
      external_id: 'crm-7',
      owner_id: org.ids['Rosa'],
      value_minor: 123_456_789,
      currency: 'EUR',
      expected_close_on: '2027-12-31',
      tags: ['hot', 'a; b'],
    })
    // Where its row says nothing, a new lead has the defaults.
    expect(second).toMatchObject({ source: 'List', tags: ['new'], expected_close_on: '2027-12-01' })
  })

  test('money is in major units, in the currency of its row, its cell or the organization; contradictions are told', async () => {
    const { body: settings } = await org.ask('GET', '/api/settings')
    const worked = await org.run(
      'Name,E-mail,Value,Currency\n' +
        'A,a@money.example,"1,234.5",USD\n' +
        'B,b@money.example,€ 99,\n' +
        'C,c@money.example,1500,JPY\n' +
        'D,d@money.example,12,\n' +
        'E,e@money.example,15.5,JPY\n' +
        'F,f@money.example,€ 5,USD\n' +
        'G,g@money.example,-3,USD\n' +
        'H,h@money.example,12k,USD\n' +
        'I,i@money.example,0.00,usd\n',
    )
    const leads = await recordsOf(org, worked)
    expect(leads.map((lead) => lead && [lead.value_minor, lead.currency])).toEqual([
      [123_450, 'USD'],
      [9_900, 'EUR'],
      [1_500, 'JPY'],
      [1_200, settings.currency],
      null,
      null,
      null,
      null,
      [0, 'USD'],
    ])
    const problems = problemsOf(worked)
    expect(problems[4]).toMatchObject({
      column: 'Value',
      message: expect.stringContaining('JPY has no decimals'),
    })
    expect(problems[5]?.message).toMatch(/EUR.*USD/)
    expect(problems[6]).toMatchObject({ message: expect.stringContaining('less than nothing'), nearest: '3' })
    expect(problems[7]?.message).toContain('12k')
  })

  test('custom fields of every type, and a select that is none names the nearest', async () => {
    const own = await openImporting(api)
    for (const field of [
      { key: 'code', label: 'Code', type: 'short_text' },
      { key: 'story', label: 'Story', type: 'long_text' },
      { key: 'seats', label: 'Seats', type: 'integer' },
      { key: 'area', label: 'Area', type: 'decimal' },
      { key: 'opens', label: 'Opens', type: 'date' },
      { key: 'plan', label: 'Plan', type: 'select', options: [{ label: 'Starter' }, { label: 'Größer' }] },
      {
        key: 'uses',
        label: 'Uses',
        type: 'multi_select',
        options: [{ label: 'Cafés' }, { label: 'Offices' }],
      },
    ])
      expect((await own.ask('POST', '/api/fields', { record_kind: 'lead', ...field })).status).toBe(201)
    const worked = await own.run(
      'Name,E-mail,Code,Story,Seats,Area,Opens,Plan,Uses\n' +
        'A,a@custom.example,X-1,"One\ntwo",1250,12.5,2027-02-03,GRÖßER,offices; Cafés\n' +
        'B,b@custom.example,,,,,,,\n' +
        'C,c@custom.example,,,12.5,,,,\n' +
        'D,d@custom.example,,,,,2027-02-30,,\n' +
        'E,e@custom.example,,,,,,Startr,\n' +
        'F,f@custom.example,,,,,,,Cafés; Ofices\n',
    )
    const leads = await recordsOf(own, worked)
    expect(leads[0].custom, JSON.stringify(worked.rows[0])).toEqual({
      code: 'X-1',
      story: 'One\ntwo',
      seats: 1250,
      area: 12.5,
      opens: '2027-02-03',
      plan: expect.stringMatching(/^gr/),
      uses: ['cafes', 'offices'],
    })
    expect(leads[1].custom).toEqual({})
    expect(problemsOf(worked).slice(2)).toMatchObject([
      { field: 'custom.seats' },
      { field: 'custom.opens' },
      { field: 'custom.plan', nearest: 'Starter', accepted: ['Starter', 'Größer'] },
      { field: 'custom.uses', nearest: 'Offices' },
    ])
  })

  test('choices whose labels hold commas are parted by what parts them, and named in quotes where one is none', async () => {
    const own = await openImporting(api)
    const options = [{ label: 'Alpha, first' }, { label: 'Beta' }]
    await own.ask('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'uses',
      label: 'Uses',
      type: 'multi_select',
      options,
    })
    const worked = await own.run(
      'Name;E-mail;Uses\nA;a@comma.example;Alpha, first|Beta\nB;b@comma.example;Alpha, first|Betta\n',
    )
    const [lead] = await recordsOf(own, worked)
    expect(lead.custom.uses).toHaveLength(2)
    const { rows } = await own.csv(`/api/imports/${worked.id}/errors`)
    expect(rows.map(({ error }) => error)).toEqual([
      expect.stringContaining(
        '“Betta” is none of the choices. Nearest: Beta. Accepted: "Alpha, first"; Beta.',
      ),
    ])
  })

  test('unknown stage, owner, pipeline: an error of the row that names the nearest; nothing silently becomes a default', async () => {
    const before = (await org.list('leads')).length
    const worked = await org.run(
      'Name,E-mail,Stage,Owner,Pipeline\n' +
        'A,a@unknown.example,Qualifed,,\n' +
        'B,b@unknown.example,,Rosaa,\n' +
        'C,c@unknown.example,,,Laeds\n' +
        'D,d@unknown.example,zzz,nobody@nowhere.example,qqq\n',
    )
    expect(worked.body.counts, JSON.stringify(worked.body.suggestions)).toEqual({ ...nothing, error: 4 })
    expect(worked.rows[0]?.problems).toMatchObject([
      {
        column: 'Stage',
        field: 'stage',
        code: 'stage_unknown',
        nearest: 'Qualified',
        accepted: expect.arrayContaining(['New lead']),
      },
    ])
    expect(worked.rows[1]?.problems).toMatchObject([
      { column: 'Owner', code: 'owner_unknown', nearest: expect.stringContaining('rosa@') },
    ])
    expect(worked.rows[2]?.problems).toMatchObject([
      { column: 'Pipeline', code: 'pipeline_unknown', nearest: 'Leads' },
    ])
    expect(worked.rows[3]?.problems[0]?.code).toMatch(/_unknown$/)
    expect(await org.list('leads')).toHaveLength(before)
    // Known or not, a stage that there is not is told of, in every mode.
    await org.run('Name,E-mail\nA,a@unknown.example\n')
    for (const mode of ['skip', 'update', 'create_and_flag'] as const) {
      const again = await org.run('Name,E-mail,Stage\nA,a@unknown.example,Qualifed\n', { mode })
      expect(again.body.counts, mode).toEqual({ ...nothing, error: 1 })
    }
  })

  test('a row that is wrong in several ways is told all of them at once', async () => {
    const worked = await org.run(
      'Name,E-mail,Value,Expected close,Stage,Owner,Account\n' +
        'A,a@,12k?,31.02.2027,Qualifed,Rosaa,Nowhere Ltd\n' +
        'B,b@several.example,,,Qualifed,,Nowhere Ltd\n' +
        'C,c@several.example,12.5,28.02.2027,Qualified,Rosa,\n',
      { create_associations: false },
    )
    expect(worked.body.counts, JSON.stringify(worked.rows)).toEqual({ ...nothing, create: 1, error: 2 })
    expect(worked.rows[0]?.problems.map(({ column }) => column).toSorted()).toEqual(
      ['Account', 'E-mail', 'Expected close', 'Owner', 'Stage', 'Value'].toSorted(),
    )
    expect(worked.rows[1]?.problems.map(({ code }) => code).toSorted()).toEqual([
      'account_unknown',
      'stage_unknown',
    ])
    const unknown = await org.run(`Id,Name,Stage\n${org.organization_id},A,Qualifed\n`, {
      mapping: { Id: 'id', Name: 'name', Stage: 'stage' },
      mode: 'update',
    })
    expect(unknown.rows[0]?.problems.map(({ code }) => code)).toEqual(['id_unknown', 'stage_unknown'])
  })

  test('dates are read in the style of their column, however many of its cells are none', async () => {
    const worked = await org.run(
      'Name,E-mail,Expected close\nA,a@dates.example,soon\nB,b@dates.example,28.02.2027\nC,c@dates.example,tba\nD,d@dates.example,31.02.2027\n',
      { mapping: { Name: 'name', 'E-mail': 'email', 'Expected close': 'expected_close_on' } },
    )
    expect(worked.body.counts, JSON.stringify(worked.rows)).toEqual({ ...nothing, create: 1, error: 3 })
    expect((await recordsOf(org, worked))[1].expected_close_on).toBe('2027-02-28')
    expect(problemsOf(worked)[3]).toMatchObject({ nearest: '2027-02-28' })
  })

  test('a stage by its name or id, in whichever pipeline has it; one that several have needs its pipeline', async () => {
    const own = await openImporting(api)
    const ladder = (name: string, stages: string[]) =>
      createPipeline(
        own.ctx,
        NewPipeline.parse({
          name,
          record_kind: 'lead',
          stages: [
            ...stages.map((label) => ({ label, kind: 'open' })),
            { label: 'Yes', kind: 'won' },
            { label: 'No', kind: 'lost' },
          ],
        }),
      )
    const partners = await ladder('Partners', ['First', 'Shared', 'Qualified'])
    await ladder('Press', ['Asked', 'Shared'])
    const worked = await own.run(
      'Name,E-mail,Stage,Pipeline\n' +
        'A,a@stage.example,qualified,\n' +
        'B,b@stage.example,First,\n' +
        'C,c@stage.example,Shared,\n' +
        'D,d@stage.example,Shared,press\n' +
        'E,e@stage.example,,Partners\n' +
        `F,f@stage.example,${partners.stages[1]?.id},\n` +
        'G,g@stage.example,Asked,Partners\n',
    )
    const leads = await recordsOf(own, worked)
    expect(leads.map((lead) => lead?.stage.label)).toEqual([
      'Qualified',
      'First',
      undefined,
      'Shared',
      'First',
      'Shared',
      undefined,
    ])
    expect(leads[0].pipeline_id).not.toBe(partners.id)
    expect(leads[5].pipeline_id).toBe(partners.id)
    expect(problemsOf(worked)[2]).toMatchObject({
      code: 'stage_ambiguous',
      message: expect.stringContaining('Press'),
    })
    expect(problemsOf(worked)[6]?.code).toBe('stage_unknown')
  })

  test('into a closing stage: won is won, lost needs its reason', async () => {
    const reasons = (await org.ask('GET', '/api/discard-reasons')).body.data
    const worked = await org.run(
      'Name,E-mail,Stage,Discard reason\n' +
        'A,a@closing.example,Closed-Won,\n' +
        `B,b@closing.example,Closed-Lost,${reasons[0].label}\n` +
        'C,c@closing.example,Closed-Lost,\n' +
        `D,d@closing.example,Closed-Won,${reasons[0].label}\n` +
        `E,e@closing.example,Qualified,${reasons[0].label}\n` +
        'F,f@closing.example,Closed-Lost,because\n',
    )
    const leads = await recordsOf(org, worked)
    expect(leads[0], JSON.stringify(worked.rows)).toMatchObject({
      won_at: expect.any(String),
      stage: { kind: 'won' },
    })
    expect(leads[1]).toMatchObject({
      lost_at: expect.any(String),
      stage: { kind: 'lost' },
      discard_reason_id: reasons[0].id,
    })
    expect(problemsOf(worked).map((problem) => problem?.code)).toEqual([
      undefined,
      undefined,
      'discard_reason_required',
      'discard_reason_on_won',
      'discard_reason_on_open',
      'discard_reason_unknown',
    ])
    expect(problemsOf(worked)[2]?.accepted).toContain(reasons[0].label)
    expect((await org.timeline('lead', leads[1].id)).map(({ type }) => type)).toEqual([
      'lead_imported',
      'stage_changed',
    ])
  })
})

describe('a lead that is made by import', () => {
  test('F87: enters at New lead, has a score with reasons, an owner by routing, and says where it came from', async () => {
    const own = await openImporting(api, ['Ida', 'Ole'])
    await own.rule({ to: { pool: await own.pool('Both') } })
    const worked = await own.run(
      `Name,E-mail\n${Array.from({ length: 10 }, (_, n) => `P ${n},p${n}@door.example`).join('\n')}\n`,
    )
    const leads = await recordsOf(own, worked)
    for (const lead of leads) {
      expect(lead).toMatchObject({ stage: { label: 'New lead' }, score: expect.any(Number) })
      expect(lead.score_reasons.length).toBeGreaterThan(0)
    }
    const shares = Object.groupBy(leads, ({ owner_id }) => own.nameOf(owner_id))
    expect([shares['Ida']?.length, shares['Ole']?.length]).toEqual([5, 5])
    const lines = await own.timeline('lead', leads[0].id)
    expect(new Set(lines.map(({ type }) => type))).toEqual(new Set(['lead_imported', 'lead_routed']))
    expect(lines).toHaveLength(2)
    expect(lines.find(({ type }) => type === 'lead_imported')).toMatchObject({
      actor: { kind: 'api_key' },
      data: { door: 'import', import_id: worked.id },
    })
    expect(lines.find(({ type }) => type === 'lead_routed').reason).toMatch(/\w/)
    // A row that names its owner is not routed.
    const named = await own.run('Name,E-mail,Owner\nQ,q@door.example,Ole\n')
    const [lead] = await recordsOf(own, named)
    expect(own.nameOf(lead.owner_id)).toBe('Ole')
    expect(await own.routings(lead.id)).toEqual([])
  })

  test('wakes no agent, unless that is asked for', async () => {
    const own = await openImporting(api)
    await own.run('Name,E-mail\nA,a@asleep.example\n')
    expect((await own.ask('GET', '/api/runs')).body.data).toEqual([])
    const worked = await own.run('Name,E-mail\nA,a@asleep.example\nB,b@awake.example\n', { work: true })
    const { data } = (await own.ask('GET', '/api/runs')).body
    expect(data).toMatchObject([
      { agent: 'lead_worker', status: 'queued', subject: { kind: 'lead', id: worked.rows[1]?.record?.id } },
    ])
  })
})
