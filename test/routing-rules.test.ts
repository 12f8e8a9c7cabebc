import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import type { Filter } from '../db/filters.ts'
import { factsOf, readConditions, RoutingConditions, segmentKey } from '../db/routing-conditions.ts'
import { sectorFinder } from '../db/routing-sectors.ts'
import { covers, readSieve } from '../db/routing-shadows.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { openTeam, type Team } from './team.ts'

let api: ApiWorld
let team: Team
beforeAll(async () => {
  api = await openApi()
  team = await openTeam(api, ['Ada', 'Bo'])
})
afterAll(() => api.stop())

const to = (name: string, of = team) => ({ kind: 'member', user_id: of.ids[name] })
const add = async (of: Team, body: object) => of.ask('POST', '/api/routing-rules', body)
const lastChange = async (of: Team) =>
  (await listActivities(of.ctx, { types: ['settings_changed'], limit: 1 })).data[0]!

describe('F33: rules are kept', () => {
  test('F33: made, read, changed upon a version, put in order, deleted and restored, each with its author, each taken back', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const rules = async () =>
      (await own.ask('GET', '/api/routing-rules')).body.data.map((rule: any) => [rule.name, rule.priority])
    const first = await add(own, {
      name: ' Demo   requests ',
      conditions: { country: ['Germany', 'at'] },
      target: to('Ada', own),
    })
    expect(first).toMatchObject({
      status: 201,
      body: {
        name: 'Demo requests',
        priority: 10,
        active: true,
        conditions: { country: ['DE', 'AT'] },
        version: 1,
        warnings: [],
      },
    })
    const { id } = first.body
    const second = await add(own, { name: 'Fair', conditions: { source: ['Fair'] }, target: to('Bo', own) })
    expect(second.body.priority).toBe(20)
    expect(await lastChange(own)).toMatchObject({
      actor: { kind: 'api_key', name: 'Owner’s' },
      summary: 'changed the routing rule “Fair”',
      subjects: [{ kind: 'routing_rule', id: second.body.id }, { kind: 'organization' }],
    })
    expect(await own.ask('PATCH', `/api/routing-rules/${id}`, { name: 'x' })).toMatchObject({ status: 428 })
    const changed = await own.ask('PATCH', `/api/routing-rules/${id}`, {
      name: 'Demos',
      active: false,
      version: 1,
    })
    expect(changed).toMatchObject({
      status: 200,
      body: { name: 'Demos', active: false, version: 2, conditions: { country: ['DE', 'AT'] } },
    })
    expect(await own.ask('PATCH', `/api/routing-rules/${id}`, { name: 'x', version: 1 })).toMatchObject({
      status: 412,
      body: { current: { version: 2 } },
    })
    const same = await own.ask('PATCH', `/api/routing-rules/${id}`, {
      target: { user_id: own.ids['Ada'], kind: 'member' },
      version: 2,
    })
    expect(same.body.version).toBe(2)
    await undoActivity(own.ctx, (await lastChange(own)).id)
    expect((await own.ask('GET', `/api/routing-rules/${id}`)).body).toMatchObject({
      name: 'Demo requests',
      active: true,
      version: 3,
    })

    const ordered = await own.ask('POST', '/api/routing-rules/reorder', { rule_ids: [second.body.id, id] })
    expect(ordered).toMatchObject({
      status: 200,
      body: {
        data: [
          { name: 'Fair', priority: 10 },
          { name: 'Demo requests', priority: 20 },
        ],
      },
    })
    await undoActivity(own.ctx, (await lastChange(own)).id)
    expect(await rules()).toEqual([
      ['Demo requests', 10],
      ['Fair', 20],
    ])
    const wrong = await own.ask('POST', '/api/routing-rules/reorder', { rule_ids: [id, id] })
    expect(wrong).toMatchObject({
      status: 422,
      body: {
        code: 'rules_incomplete',
        errors: [
          { pointer: '/rule_ids/1' },
          {
            pointer: '/rule_ids',
            message: 'leaves out “Fair”',
            accepted: [
              { id, name: 'Demo requests' },
              { id: second.body.id, name: 'Fair' },
            ],
          },
        ],
      },
    })

    expect((await own.ask('DELETE', `/api/routing-rules/${id}`)).status).toBe(204)
    expect(await rules()).toEqual([['Fair', 20]])
    expect(await own.ask('PATCH', `/api/routing-rules/${id}`, { name: 'x', version: 4 })).toMatchObject({
      status: 404,
    })
    expect((await own.ask('POST', `/api/routing-rules/${id}/restore`)).body).toMatchObject({
      name: 'Demo requests',
      archived_at: null,
    })
    await undoActivity(own.ctx, (await lastChange(own)).id)
    expect(await rules()).toEqual([['Fair', 20]])
  })

  test('F33: what could not be followed is refused at its place, with what is accepted', async () => {
    const nobody = '01990000-0000-7000-8000-000000000000'
    const pool = await team.pool('Team')
    const refused = async (body: object, code: string, pointer: string): Promise<any> => {
      const answer = await add(team, { name: 'x', target: to('Ada'), ...body })
      expect([JSON.stringify(body), answer.status, answer.body.code, answer.body.errors[0].pointer]).toEqual([
        JSON.stringify(body),
        422,
        code,
        pointer,
      ])
      return answer.body.errors[0]
    }
    expect(
      (await refused({ target: { kind: 'member', user_id: nobody } }, 'member_unknown', '/target/user_id'))
        .accepted,
    ).toContainEqual({ user_id: team.ids['Ada'], name: 'Ada' })
    expect(
      (await refused({ target: { kind: 'pool', pool_id: nobody } }, 'pool_unknown', '/target/pool_id'))
        .accepted,
    ).toEqual([{ pool_id: pool, name: 'Team' }])
    const sectors = [
      { sector: 'Food', to: to('Ada') },
      { sector: 'IT', to: { kind: 'pool', pool_id: nobody } },
    ]
    await refused({ target: { kind: 'sector', sectors } }, 'pool_unknown', '/target/sectors/1/to/pool_id')
    await refused({ target: { kind: 'sector', sectors: [] } }, 'invalid_input', '/target/sectors')
    await refused({ target: { kind: 'everybody' } }, 'invalid_input', '/target/kind')
    const { body: view } = await team.ask('POST', '/api/views', { name: 'Leads', record_kind: 'lead' })
    const { body: deals } = await team.ask('POST', '/api/views', { name: 'Deals', record_kind: 'deal' })
    for (const id of [nobody, deals.id])
      expect(
        (
          await refused(
            { conditions: { segment: [{ view_id: id }] } },
            'view_unknown',
            '/conditions/segment/0/view_id',
          )
        ).accepted,
      ).toEqual([{ view_id: view.id, name: 'Leads' }])
    const filter = (filter: object) => ({ conditions: { segment: [{ filter }] } })
    expect(
      (
        await refused(
          filter({ field: 'contry', op: 'eq', value: 'DE' }),
          'unknown_field',
          '/conditions/segment/0/filter/field',
        )
      ).message,
    ).toContain('“country”')
    await refused(
      filter({ field: 'owner_id', op: 'eq', value: 'me' }),
      'invalid_filter',
      '/conditions/segment/0/filter/value',
    )
    await refused(filter({ field: 'country', op: 'like' }), 'invalid_input', '/conditions/segment/0')
    await refused({ conditions: { country: ['DE', 'Atlantis'] } }, 'invalid_input', '/conditions/country/1')
    await refused(
      { conditions: { email_domain: ['not a domain'] } },
      'invalid_input',
      '/conditions/email_domain/0',
    )
    await refused({ conditions: { source: [] } }, 'invalid_input', '/conditions/source')
    await refused({ conditions: { source: ['  '] } }, 'invalid_input', '/conditions/source/0')
    await refused({ conditions: { score: { min: 60, max: 40 } } }, 'invalid_input', '/conditions/score')
    await refused({ conditions: { score: {} } }, 'invalid_input', '/conditions/score')
    await refused({ conditions: { score: { max: 101 } } }, 'invalid_input', '/conditions/score/max')
    await refused({ conditions: { landing_page: {} } }, 'invalid_input', '/conditions/landing_page')
    await refused({ conditions: { colour: ['red'] } }, 'invalid_input', '/conditions/colour')
    await refused({ priority: -1 }, 'invalid_input', '/priority')
    expect(
      (
        await add(team, {
          name: 'A source that nobody has used yet is fine',
          conditions: { source: ['Moon'] },
          target: to('Ada'),
        })
      ).status,
    ).toBe(201)
  })

  test('F33: pools are kept likewise; one that is in use stays, and says who uses it', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const members = [{ user_id: own.ids['Bo'], weight: 2 }, { user_id: own.ids['Ada'] }]
    const made = await own.ask('POST', '/api/routing-pools', { name: 'Inbound', members })
    expect(made).toMatchObject({
      status: 201,
      body: {
        name: 'Inbound',
        version: 1,
        members: [
          { name: 'Bo', weight: 2, taken: 0, passed_over: null },
          { name: 'Ada', weight: 1 },
        ],
      },
    })
    const { id } = made.body
    const refused = async (members: object[], code: string, pointer: string) =>
      expect(await own.ask('POST', '/api/routing-pools', { name: 'x', members })).toMatchObject({
        status: 422,
        body: { code, errors: [{ pointer }] },
      })
    await refused([], 'invalid_input', '/members')
    await refused(
      [{ user_id: own.ids['Ada'] }, { user_id: own.ids['Ada'] }],
      'member_twice',
      '/members/1/user_id',
    )
    await refused([{ user_id: id }], 'member_unknown', '/members/0/user_id')
    await refused([{ user_id: own.ids['Ada'], weight: 0 }], 'invalid_input', '/members/0/weight')
    const changed = await own.ask('PATCH', `/api/routing-pools/${id}`, {
      name: 'Europe',
      members: [{ user_id: own.ids['Ada'] }],
      version: 1,
    })
    expect(changed.body).toMatchObject({ name: 'Europe', version: 2, members: [{ name: 'Ada' }] })
    await undoActivity(own.ctx, (await lastChange(own)).id)
    expect((await own.ask('GET', `/api/routing-pools/${id}`)).body).toMatchObject({
      name: 'Inbound',
      members: [{ name: 'Bo', weight: 2 }, { name: 'Ada' }],
    })

    await add(own, { name: 'Fair', target: { kind: 'pool', pool_id: id } })
    await add(own, {
      name: 'Sectors',
      priority: 1,
      target: { kind: 'sector', sectors: [{ sector: 'IT', to: { kind: 'pool', pool_id: id } }] },
    })
    const set = await own.ask('PATCH', '/api/routing-settings', {
      fallback: { kind: 'pool', pool_id: id },
      version: 1,
    })
    expect(set).toMatchObject({ status: 200, body: { fallback: { kind: 'pool', pool_id: id }, version: 2 } })
    const inUse = await own.ask('DELETE', `/api/routing-pools/${id}`)
    expect(inUse).toMatchObject({
      status: 409,
      body: { code: 'pool_in_use', rules: [{ name: 'Sectors' }, { name: 'Fair' }], fallback: true },
    })
    expect(inUse.body.detail).toBe(
      '“Inbound” is where the rule “Sectors”, the rule “Fair”, and the fallback send leads. Send them elsewhere first.',
    )
    expect(
      await own.ask('PATCH', '/api/routing-settings', { fallback: { kind: 'nobody' }, version: 1 }),
    ).toMatchObject({ status: 412 })
    await undoActivity(own.ctx, (await lastChange(own)).id)
    expect((await own.ask('GET', '/api/routing-settings')).body.fallback).toEqual({ kind: 'nobody' })
    for (const rule of (await own.ask('GET', '/api/routing-rules')).body.data)
      await own.ask('DELETE', `/api/routing-rules/${rule.id}`)
    expect((await own.ask('DELETE', `/api/routing-pools/${id}`)).status).toBe(204)
    expect((await own.ask('GET', '/api/routing-pools')).body.data).toEqual([])
    expect((await own.ask('GET', '/api/routing-pools?include_retired=true')).body.data).toHaveLength(1)
    expect(await add(own, { name: 'x', target: { kind: 'pool', pool_id: id } })).toMatchObject({
      status: 422,
      body: { code: 'pool_unknown' },
    })
    expect((await own.ask('POST', `/api/routing-pools/${id}/restore`)).body).toMatchObject({
      name: 'Inbound',
      archived_at: null,
    })
  })
})

describe('F33: a rule that takes from others is pointed out', () => {
  test('F33: one that fits everybody before others: when it is made, changed or moved, and in the list', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const fair = await add(own, { name: 'Fair', conditions: { source: ['Fair'] }, target: to('Ada', own) })
    const all = await add(own, { name: 'All', target: to('Bo', own) })
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
    const early = await add(own, { name: 'Early', priority: 0, conditions: {}, target: to('Ada', own) })
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
    await add(own, {
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

/** Of what a rule asks for, and the sectors of its target. */
const sieveOf = ({ sectors, ...conditions }: object & { sectors?: string[] }) =>
  readSieve(RoutingConditions.parse(conditions), sectors, () => false)

const segmentOf = (filter: Filter) => ({ segment: [{ filter }] })

describe('F33: random rules and leads', () => {
  const word = fc.constantFrom(
    'Fair',
    'FAIR',
    'fáir',
    'Web form',
    'web  form',
    'Referral',
    'Straße',
    'STRASSE',
  )
  const words = fc.uniqueArray(word, { minLength: 1, maxLength: 3 })
  const domain = fc.constantFrom('x.example', 'mail.x.example', 'yx.example', 'y.example')
  const page = fc.constantFrom('/demo', '/demo/now', 'x.example/demo', 'https://x.example', 'now', '/')
  const pages = fc.uniqueArray(page, { minLength: 1, maxLength: 2 })
  const country = fc.constantFrom('DE', 'Germany', 'FR', 'Atlantis', 'de')
  const points = fc.integer({ min: 0, max: 100 })
  const SEGMENTS: Filter[] = [
    { field: 'city', op: 'eq', value: 'Ulm' },
    { field: 'city', op: 'eq', value: 'Bonn' },
    {
      and: [
        { field: 'city', op: 'eq', value: 'Ulm' },
        { field: 'state', op: 'eq', value: 'BW' },
      ],
    },
    {
      or: [
        { field: 'city', op: 'eq', value: 'Ulm' },
        { field: 'city', op: 'eq', value: 'Bonn' },
      ],
    },
  ]
  const segment = fc.constantFrom(...SEGMENTS)
  const every = fc.record({
    source: words,
    campaign: words,
    country: fc.uniqueArray(fc.constantFrom('DE', 'Germany', 'FR'), { minLength: 1, maxLength: 2 }),
    email_domain: fc.uniqueArray(domain, { minLength: 1, maxLength: 2 }),
    landing_page: fc
      .record({ starts_with: pages, contains: pages }, { requiredKeys: [] })
      .filter(({ starts_with, contains }) => starts_with !== undefined || contains !== undefined),
    score: fc.tuple(points, points).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
    segment: fc.uniqueArray(
      segment.map((filter) => ({ filter })),
      { minLength: 1, maxLength: 2 },
    ),
  })
  type Given = Partial<typeof every extends fc.Arbitrary<infer One> ? One : never>
  const NAMES = ['source', 'campaign', 'country', 'email_domain', 'landing_page', 'score', 'segment'] as const
  /** Two at most: more fit next to nobody. */
  const conditions = fc
    .tuple(every, fc.shuffledSubarray([...NAMES], { maxLength: 2 }))
    .map(([all, kept]): Given => Object.fromEntries(kept.map((name) => [name, all[name]])))
  const lead = fc.record({
    source: fc.option(word),
    campaign: fc.option(word),
    country: fc.option(country),
    email: fc.option(domain.map((at) => `ana@${at}`)),
    landing_page: fc.option(
      fc.constantFrom(
        'https://www.x.example/demo/now',
        'http://x.example/',
        '/demo',
        'x.example/demo?a=now',
        'https://y.example/a/demo',
      ),
    ),
    score: fc.option(points),
    city: fc.option(fc.constantFrom('Ulm', 'Bonn')),
    state: fc.option(fc.constantFrom('BW', 'NW')),
  })
  type Lead = typeof lead extends fc.Arbitrary<infer One> ? One : never

  // The model: each condition written out as a person would say it, without anything that the product shares.
  const plain = (text: string | null) =>
    (text ?? '\u0000').toLowerCase().replaceAll('á', 'a').replaceAll('ß', 'ss').replaceAll(/ +/g, ' ')
  const codes: Record<string, string> = { DE: 'DE', de: 'DE', Germany: 'DE', FR: 'FR' }
  const isIn = (filter: Filter, one: Lead): boolean => {
    if ('and' in filter) return filter.and.every((part) => isIn(part, one))
    if ('or' in filter) return filter.or.some((part) => isIn(part, one))
    const { field, value } = filter as { field: 'city' | 'state'; value: string }
    return one[field] === value
  }
  const modelFits = (given: Given, one: Lead): boolean => {
    if (given.source && !given.source.some((each) => plain(each) === plain(one.source))) return false
    if (given.campaign && !given.campaign.some((each) => plain(each) === plain(one.campaign))) return false
    if (given.country && !given.country.some((each) => codes[each] === codes[one.country ?? ''])) return false
    if (
      given.email_domain &&
      !given.email_domain.some((each) =>
        new RegExp(`[@.]${each.replaceAll('.', '\\.')}$`).test(one.email ?? ''),
      )
    )
      return false
    if (given.score && !(one.score !== null && one.score >= given.score.min && one.score <= given.score.max))
      return false
    if (given.segment && !given.segment.some(({ filter }) => isIn(filter, one))) return false
    if (given.landing_page) {
      const { starts_with = [], contains = [] } = given.landing_page
      const url = one.landing_page
      if (url === null) return false
      const without = url.replace(/^https?:\/\//, '')
      const path = url.startsWith('/') ? url : (/\/.*$/.exec(without)?.[0] ?? '\u0000')
      const begins = [url, without, without.replace('www.', ''), path]
      if (
        !starts_with.some((each) => begins.some((begin) => begin.startsWith(each))) &&
        !contains.some((each) => url.includes(each))
      )
        return false
    }
    return true
  }
  const factsAbout = (one: Lead) =>
    factsOf({
      ...one,
      industry: null,
      segments: new Set(
        SEGMENTS.filter((filter) => isIn(filter, one)).map((filter) => segmentKey({ filter })),
      ),
    })
  const fits = (given: RoutingConditions, one: Lead): boolean =>
    readConditions(given, () => 'x').every((condition) => condition.holds(factsAbout(one)))

  test('F33: what fits is what the model says', () => {
    fc.assert(
      fc.property(conditions, lead, (given, one) => {
        expect(fits(RoutingConditions.parse(given), one)).toBe(modelFits(given, one))
      }),
      { numRuns: 3_000 },
    )
  })

  test('F33: where one is said to cover another, no lead fits the other alone', () => {
    let covered = 0
    fc.assert(
      fc.property(
        conditions,
        conditions,
        fc.array(lead, { minLength: 20, maxLength: 20 }),
        (wide, narrow, leads) => {
          const [a, b] = [sieveOf(wide), sieveOf(narrow)]
          if (!covers(a, b)) return
          covered += 1
          for (const one of leads) if (modelFits(narrow, one)) expect(modelFits(wide, one)).toBe(true)
        },
      ),
      { numRuns: 5_000 },
    )
    expect(covered).toBeGreaterThan(50)
  })

  test('F33: leads go where the model sends them, by the rules of the database and its filters', async () => {
    const own = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    const names = ['Ada', 'Bo', 'Cy']
    const rule = fc.record({
      conditions,
      member: fc.constantFrom(...names),
      priority: fc.integer({ min: 0, max: 3 }),
      active: fc.boolean(),
    })
    let decided = 0
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 6 }), lead, async (rules, one) => {
        const given = rules.map(({ member, ...rest }, n) => ({
          ...rest,
          name: `Rule ${n}`,
          target: to(member, own),
        }))
        const values = Object.fromEntries(
          Object.entries(one).filter(([key, value]) => value !== null && key !== 'score'),
        )
        const { status, body } = await own.ask('POST', '/api/routing-rules/dry-run', {
          lead: { ...values, score: one.score },
          rules: given,
        })
        expect(status, JSON.stringify(body)).toBe(200)
        const wanted = rules
          .map((each, n) => ({ ...each, n }))
          .filter(({ active }) => active)
          .toSorted((a, b) => a.priority - b.priority || a.n - b.n)
          .find((each) => modelFits(each.conditions, one))
        expect(own.nameOf(body.owner_id)).toBe(wanted?.member ?? 'nobody')
        if (wanted) decided += 1
      }),
      { numRuns: 150 },
    )
    expect(decided).toBeGreaterThan(20)
  })
})

describe('F33: who would get this lead, and why', () => {
  test('F33: every rule with every condition, everybody who could have it, and the end of it', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const pool = await own.pool('Inbound')
    await add(own, {
      name: 'Fair',
      conditions: { source: ['Fair'], country: ['DE'] },
      target: to('Ada', own),
    })
    await add(own, {
      name: 'Germany',
      conditions: { country: ['DE'] },
      target: { kind: 'pool', pool_id: pool },
    })
    await add(own, { name: 'Off', active: false, target: to('Ada', own) })
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

test('F33: a sector is found by the nearest words of the industry', () => {
  const sectors = [
    'Software and IT',
    'Food and beverage',
    'Financial services',
    'Healthcare',
    'Real estate',
    'Medical devices',
    'Logistics',
    'Devices',
  ]
  const find = sectorFinder(sectors)
  const cases: [industry: string, sector: string | undefined][] = [
    ['Software', 'Software and IT'],
    ['SOFTWARE DEVELOPMENT', 'Software and IT'],
    ['Softwareentwicklung', 'Software and IT'],
    ['IT-Dienstleistungen', 'Software and IT'],
    ['food & beverages', 'Food and beverage'],
    ['Food production', 'Food and beverage'],
    ['Foods', 'Food and beverage'],
    ['Foot care', undefined],
    ['Finance', 'Financial services'],
    ['Cleaning services', undefined],
    ['Health care provider', 'Healthcare'],
    ['Helathcare', 'Healthcare'],
    ['Real food', 'Food and beverage'],
    ['Commercial real-estate', 'Real estate'],
    ['medical device maker', 'Medical devices'],
    ['Devices', 'Devices'],
    ['Logistik', 'Logistics'],
    ['Lógistics', 'Logistics'],
    ['Steel', undefined],
    ['', undefined],
    ['!!!', undefined],
  ]
  for (const [industry, sector] of cases) expect([industry, find(industry)]).toEqual([industry, sector])
})
