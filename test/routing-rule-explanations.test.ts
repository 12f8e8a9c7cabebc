import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Filter } from '../db/filters.ts'
import { covers } from '../db/routing-shadows.ts'
import { openApi, type ApiWorld } from './api.ts'
import { addRule, sieveOf, to } from './routing-rules.ts'
import { openTeam } from './team.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const segmentOf = (filter: Filter) => ({ segment: [{ filter }] })

describe('F33: a rule that takes from others is pointed out', () => {
  test('F33: one that fits everybody before others: when it is made, changed or moved, and in the list', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const fair = await addRule(own, {
      name: 'Fair',
      conditions: { source: ['Fair'] },
      target: to('Ada', own),
    })
    const all = await addRule(own, { name: 'All', target: to('Bo', own) })
    expect([fair.body.warnings, all.body.warnings]).toEqual([[], []])
    const warning = {
      code: 'rule_shadows',
      message:
        '“All” fits everybody and is tried before: “Fair” gets nothing. Put it behind, or narrow it down.',
      rule_ids: [all.body.id, fair.body.id],
    }
    const moved = await own.ask('POST', '/api/routing-rules/reorder', {
      rule_ids: [all.body.id, fair.body.id],
    })
    expect(moved.body.warnings).toEqual([warning])
    expect((await own.ask('GET', '/api/routing-rules')).body.warnings).toEqual([warning])
    expect((await own.ask('GET', `/api/routing-rules/${fair.body.id}`)).body.warnings).toEqual([warning])
    const early = await addRule(own, { name: 'Early', priority: 0, conditions: {}, target: to('Ada', own) })
    expect(early.body.warnings).toMatchObject([
      { code: 'rule_shadows', rule_ids: [early.body.id, all.body.id, fair.body.id] },
    ])
    const off = await own.ask('PATCH', `/api/routing-rules/${early.body.id}`, { active: false, version: 1 })
    expect(off.body.warnings).toEqual([])
    const narrower = await own.ask('PATCH', `/api/routing-rules/${all.body.id}`, {
      conditions: { source: ['fáir', 'Web'] },
      version: 2,
    })
    expect(narrower.body.warnings).toMatchObject([
      {
        message:
          '“All” fits every lead that “Fair” fits and is tried before: “Fair” gets nothing. Put it behind, or narrow it down.',
      },
    ])
    const other = await own.ask('PATCH', `/api/routing-rules/${all.body.id}`, {
      conditions: { source: ['Web'] },
      version: 3,
    })
    expect(other.body.warnings).toEqual([])
  })

  test('F33: what is gone that a rule names: a view, a member, a pool', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const { body: view } = await own.ask('POST', '/api/views', { name: 'Leads', record_kind: 'lead' })
    await addRule(own, {
      name: 'Viewed',
      conditions: { segment: [{ view_id: view.id }] },
      target: to('Ada', own),
    })
    await own.ask('PATCH', '/api/routing-settings', { fallback: to('Bo', own), version: 1 })
    await own.ask('DELETE', `/api/views/${view.id}`)
    await api.db
      .sql`delete from identity.members where organization_id = ${own.organization_id} and user_id = any(${Object.values(own.ids)}::uuid[])`
    expect(
      (await own.ask('GET', '/api/routing-rules')).body.warnings.map(({ code, message }: any) => [
        code,
        message,
      ]),
    ).toEqual([
      ['view_deleted', '“Viewed” asks for a segment whose view was deleted: nobody is in it.'],
      ['member_left', '“Viewed” gives leads to somebody who is no member any more.'],
      ['member_left', 'The fallback gives leads to somebody who is no member any more.'],
    ])
    const lead = await own.ask('POST', '/api/leads', { contact_name: 'Ana Ruiz' })
    expect([lead.status, lead.body.owner_id]).toEqual([201, null])
  })

  test('F33: by what the conditions say, not how they are written', () => {
    const yes: [object, object][] = [
      [{}, { source: ['a'] }],
      [{ source: ['A', 'b'] }, { source: ['á'], country: ['DE'] }],
      [{ email_domain: ['x.example'] }, { email_domain: ['mail.x.example', 'x.example'] }],
      [{ landing_page: { starts_with: ['/demo'] } }, { landing_page: { starts_with: ['/demo/now'] } }],
      [
        { landing_page: { contains: ['demo'] } },
        { landing_page: { starts_with: ['/a-demo'], contains: ['x demo'] } },
      ],
      [{ score: { min: 40 } }, { score: { min: 50, max: 60 } }],
      [{ score: { min: 0, max: 100 } }, { score: { max: 7 } }],
      [{ industry: ['Food & Beverage'] }, { industry: ['food and beverage'] }],
      [{ sectors: ['IT'] }, { industry: ['it'] }],
      [
        segmentOf({ field: 'city', op: 'eq', value: 'Ulm' }),
        segmentOf({
          and: [
            { field: 'city', op: 'eq', value: 'Ulm' },
            { field: 'state', op: 'eq', value: 'x' },
          ],
        }),
      ],
      [
        segmentOf({
          or: [
            { field: 'city', op: 'eq', value: 'Ulm' },
            { field: 'city', op: 'eq', value: 'Bonn' },
          ],
        }),
        segmentOf({ op: 'eq', field: 'city', value: 'Bonn' }),
      ],
    ]
    const no: [object, object][] = [
      [{ source: ['a'] }, {}],
      [{ source: ['a'] }, { source: ['a', 'b'] }],
      [{ source: ['a'] }, { campaign: ['a'] }],
      [{ email_domain: ['mail.x.example'] }, { email_domain: ['x.example'] }],
      [{ email_domain: ['x.example'] }, { email_domain: ['yx.example'] }],
      [{ landing_page: { starts_with: ['/demo/now'] } }, { landing_page: { starts_with: ['/demo'] } }],
      [{ landing_page: { starts_with: ['/demo'] } }, { landing_page: { contains: ['/demo'] } }],
      [{ score: { min: 50 } }, { score: { min: 40 } }],
      [{ score: { min: 0, max: 100 } }, {}],
      [{ industry: ['IT'] }, { industry: ['Software and IT'] }],
      [{ sectors: ['IT'], industry: ['Food'] }, { industry: ['IT'] }],
      [
        segmentOf({
          and: [
            { field: 'city', op: 'eq', value: 'Ulm' },
            { field: 'state', op: 'eq', value: 'x' },
          ],
        }),
        segmentOf({ field: 'city', op: 'eq', value: 'Ulm' }),
      ],
    ]
    for (const [wide, narrow] of yes)
      expect([wide, narrow, covers(sieveOf(wide), sieveOf(narrow))]).toEqual([wide, narrow, true])
    for (const [wide, narrow] of no)
      expect([wide, narrow, covers(sieveOf(wide), sieveOf(narrow))]).toEqual([wide, narrow, false])
  })
})

describe('F33: who would get this lead, and why', () => {
  test('F33: every rule with every condition, everybody who could have it, and the end of it', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const pool = await own.pool('Inbound')
    await addRule(own, {
      name: 'Fair',
      conditions: { source: ['Fair'], country: ['DE'] },
      target: to('Ada', own),
    })
    await addRule(own, {
      name: 'Germany',
      conditions: { country: ['DE'] },
      target: { kind: 'pool', pool_id: pool },
    })
    await addRule(own, { name: 'Off', active: false, target: to('Ada', own) })
    await own.ask('PATCH', `/api/members/${own.ids['Ada']}/availability`, { max_open_leads: 0, version: 1 })
    const asked = { lead: { contact_name: 'Ana Ruiz', country: 'Germany', source: 'Web' } }
    const { status, body } = await own.ask('POST', '/api/routing-rules/dry-run', asked)
    expect(status).toBe(200)
    const passed_over = { code: 'at_capacity', reason: 'is at capacity: 0 open leads of 0' }
    expect(body).toMatchObject({
      by: 'rule',
      owner_id: own.ids['Bo'],
      owner_name: 'Bo',
      rule_name: 'Germany',
      target: { kind: 'pool', id: pool, name: 'Inbound' },
      reason:
        '“Germany” fits: its country is DE. It is the turn of Bo in “Inbound”. Passed over: Ada is at capacity: 0 open leads of 0.',
      rules: [
        {
          name: 'Fair',
          asked: true,
          matched: false,
          conditions: [
            { condition: 'source', holds: false, because: 'its source is “Web”', wants: '“Fair”' },
            { condition: 'country', holds: true, because: 'its country is DE', wants: 'DE' },
          ],
        },
        { name: 'Germany', asked: true, matched: true },
        { name: 'Off', active: false, asked: false, matched: true, conditions: [] },
      ],
      candidates: [
        { of: 'target', name: 'Ada', weight: 1, taken: 0, passed_over },
        { of: 'target', name: 'Bo', passed_over: null },
      ],
    })
    expect((await own.ask('GET', '/api/leads')).body.data).toEqual([])

    const real = await own.ask('POST', '/api/leads', asked.lead)
    expect(real.body.owner_id).toBe(own.ids['Bo'])
    const unsaved = await own.ask('POST', '/api/routing-rules/dry-run', {
      lead_id: real.body.id,
      rules: [{ name: 'New', conditions: { source: ['web'] }, target: to('Ada', own) }],
      fallback: to('Bo', own),
    })
    expect(unsaved.body).toMatchObject({
      by: 'fallback',
      owner_name: 'Bo',
      rule_id: null,
      rules: [{ rule_id: null, name: 'New', matched: true }],
      candidates: [
        { of: 'target', name: 'Ada', passed_over },
        { of: 'fallback', name: 'Bo' },
      ],
    })
    for (const wrong of [{}, { ...asked, lead_id: real.body.id }])
      expect(await own.ask('POST', '/api/routing-rules/dry-run', wrong)).toMatchObject({
        status: 422,
        body: { code: 'lead_missing' },
      })
    expect(
      await own.ask('POST', '/api/routing-rules/dry-run', {
        ...asked,
        rules: [{ name: 'x', target: { kind: 'pool', pool_id: own.ids['Ada'] } }],
      }),
    ).toMatchObject({
      status: 422,
      body: { code: 'pool_unknown', errors: [{ pointer: '/rules/0/target/pool_id' }] },
    })
    expect(await own.ask('POST', '/api/routing-rules/dry-run', { lead_id: pool })).toMatchObject({
      status: 404,
      body: { code: 'lead_not_found' },
    })
  })
})
