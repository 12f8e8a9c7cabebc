import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createField } from '../db/fields.ts'
import { createLead, createLeads } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { updateRoutingRule } from '../db/routing-rules.ts'
import { changeFallback } from '../db/routing-settings.ts'
import { createView } from '../db/views.ts'
import { openApi, type ApiWorld } from './api.ts'
import { api_door, leadOf, ownerOf, somebody } from './routed-lead.ts'
import { openTeam } from './team.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

describe('F33: a new lead is given to whom the first rule says that it fits', () => {
  test('F33: whatever door it comes by, in the insert itself, with the rule and the reason on its timeline', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await team.rule({ name: 'Germany', conditions: { country: ['Germany'] }, to: 'Ada' })
    const person = { ...somebody(), country: 'DE' }
    const external = await team.ask('POST', '/external/v1/leads', { ...person, ...somebody() })
    const batch = await team.ask('POST', '/external/v1/leads/batch', {
      items: [{ ...person, ...somebody() }],
    })
    const ids = {
      api: (await team.ask('POST', '/api/leads', { ...person, ...somebody() })).body.id,
      card: (await team.ask('POST', '/api/opportunities', { kind: 'lead', ...person, ...somebody() })).body
        .id,
      external: external.body.id,
      batch: batch.body.results[0].id,
      webhook: (
        await leadOf(
          team,
          await team.deliver({ name: 'Cy', email: 'cy@moss.example', country: 'Deutschland' }),
        )
      ).id,
      many: (
        await createLeads(team.ctx, [{ input: { ...person, ...somebody() }, origin: { door: 'import' } }])
      )[0]!.id,
    }
    for (const [door, id] of Object.entries(ids)) {
      expect(await getOpportunity(team.ctx, id), door).toMatchObject({
        owner: { id: team.ids['Ada'], name: 'Ada' },
        version: 1,
      })
      const [routed, ...others] = await team.routings(id)
      expect(others, door).toEqual([])
      expect(routed, door).toMatchObject({
        actor: { kind: 'system', name: 'routing' },
        summary: 'gave it to Ada by the rule “Germany”',
        reason: '“Germany” fits: its country is DE. It goes to Ada.',
        data: {
          by: 'rule',
          rule: 'Germany',
          owner_id: team.ids['Ada'],
          target: { kind: 'member', id: team.ids['Ada'], name: 'Ada' },
          passed_over: [],
        },
      })
    }
    expect((await team.routings(ids.webhook))[0]!.on_behalf_of).toMatchObject({ kind: 'visitor' })
    expect((await team.routings(ids.api))[0]!.on_behalf_of).toMatchObject({
      kind: 'api_key',
      name: 'Owner’s',
    })
    const elsewhere = await createLead(team.ctx, { ...somebody(), country: 'FR' }, api_door)
    expect(elsewhere.owner).toBeNull()
    expect((await team.routings(elsewhere.id))[0]).toMatchObject({
      summary: 'found nobody to give it to',
      reason: 'No rule fits. There is no fallback, so nobody takes it.',
    })
  })

  test('F33: in ascending priority, then in the order of their ids; one that is off or deleted is not asked', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di'])
    const owner = async () => ownerOf(team, await createLead(team.ctx, somebody(), api_door))
    const last = await team.rule({ name: 'Last', priority: 30, to: 'Ada' })
    expect(await owner()).toBe('Ada')
    const first = await team.rule({ name: 'First', priority: 20, to: 'Bo' })
    expect(await owner()).toBe('Bo')
    await team.rule({ name: 'As early', priority: 20, to: 'Cy' })
    expect(await owner()).toBe('Bo')
    await updateRoutingRule(team.ctx, first.id, { active: false })
    expect(await owner()).toBe('Cy')
    await updateRoutingRule(team.ctx, last.id, { priority: 1 })
    expect(await owner()).toBe('Ada')
    await team.ask('DELETE', `/api/routing-rules/${last.id}`)
    expect(await owner()).toBe('Cy')
  })

  test('F33: an owner who was given stays, a closed lead is nobody’s to work, and without rules nothing is said', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const before = await createLead(team.ctx, somebody(), api_door)
    expect([before.owner_id, await team.routings(before.id)]).toEqual([null, []])
    await team.rule({ to: 'Ada' })
    const given = await createLead(team.ctx, { ...somebody(), owner_id: team.ids['Bo']! }, api_door)
    expect([await ownerOf(team, given), await team.routings(given.id)]).toEqual(['Bo', []])
    const won =
      before.stage.kind === 'open' && (await team.ask('GET', `/api/pipelines/${before.pipeline_id}`)).body
    const { id: stage_id } = won.stages.find(({ kind }: { kind: string }) => kind === 'won')
    const closed = await createLead(team.ctx, { ...somebody(), stage_id }, api_door)
    expect([closed.owner_id, await team.routings(closed.id)]).toEqual([null, []])
    const deal = await team.ask('POST', '/api/deals', { name: 'Machines' })
    expect(deal.body.owner_id).toBeNull()
  })

  test('F33: by source, campaign, landing page, e-mail domain, country, score and industry, in the words that people use', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const rule = await team.rule({ to: 'Ada' })
    await changeFallback(team.ctx, { fallback: { kind: 'member', user_id: team.ids['Bo']! } })
    const fits = async (conditions: object, lead: object): Promise<boolean> => {
      const changed = await team.ask('PATCH', `/api/routing-rules/${rule.id}`, {
        conditions,
        version: (await team.ask('GET', `/api/routing-rules/${rule.id}`)).body.version,
      })
      expect(changed.status, JSON.stringify(changed.body)).toBe(200)
      const { body } = await team.ask('POST', '/api/leads', { ...somebody(), ...lead })
      const owner = team.nameOf(body.owner_id)
      const dry = await team.ask('POST', '/api/routing-rules/dry-run', { lead: { ...somebody(), ...lead } })
      expect([dry.status, team.nameOf(dry.body.owner_id)], JSON.stringify([conditions, lead])).toEqual([
        200,
        owner,
      ])
      return owner === 'Ada'
    }
    const cases: [conditions: object, lead: object, fits: boolean][] = [
      [{ source: ['messe münchen'] }, { source: 'Messe  Munchen' }, true],
      [{ source: ['Fair', 'Referral'] }, { source: 'referral' }, true],
      [{ source: ['Fair'] }, { source: 'Fair trade' }, false],
      [{ source: ['Fair'] }, {}, false],
      [{ campaign: ['Spring 2026'] }, { campaign: 'SPRING 2026' }, true],
      [{ campaign: ['Spring 2026'] }, { campaign: 'Spring' }, false],
      [
        { landing_page: { starts_with: ['/demo'] } },
        { landing_page: 'https://www.northwind.example/Demo/now?x=1' },
        true,
      ],
      [
        { landing_page: { starts_with: ['northwind.example/demo'] } },
        { landing_page: 'https://www.northwind.example/demo' },
        true,
      ],
      [
        { landing_page: { starts_with: ['https://northwind.example'] } },
        { landing_page: 'https://northwind.example/a' },
        true,
      ],
      [{ landing_page: { starts_with: ['/demo'] } }, { landing_page: '/demo-day' }, true],
      [{ landing_page: { starts_with: ['/demo'] } }, { landing_page: 'https://x.example/a/demo' }, false],
      [
        { landing_page: { contains: ['utm_source=ads'] } },
        { landing_page: 'https://x.example/?utm_source=ads' },
        true,
      ],
      [
        { landing_page: { starts_with: ['/a'], contains: ['b'] } },
        { landing_page: 'https://x.example/b' },
        true,
      ],
      [{ email_domain: ['Brightside.example'] }, { email: 'a@brightside.example' }, true],
      [{ email_domain: ['brightside.example'] }, { email: 'a@mail.brightside.example' }, true],
      [{ email_domain: ['@brightside.example'] }, { email: 'a@notbrightside.example' }, false],
      [{ email_domain: ['brightside.example'] }, { email: undefined }, false],
      [{ country: ['Germany', 'at'] }, { country: 'Österreich' }, true],
      [{ country: ['DE'] }, { country: 'Atlantis' }, false],
      [{ industry: ['Food and beverage'] }, { industry: 'Beverages, wholesale' }, true],
      [{ industry: ['Software'] }, { industry: 'Baking' }, false],
      [{ score: { min: 0, max: 100 } }, {}, true],
      [{ score: { min: 90 } }, {}, false],
      [{ source: ['Fair'], country: ['DE'] }, { source: 'Fair', country: 'DE' }, true],
      [{ source: ['Fair'], country: ['DE'] }, { source: 'Fair', country: 'FR' }, false],
      [{}, {}, true],
    ]
    for (const [conditions, lead, expected] of cases)
      expect([conditions, lead, await fits(conditions, lead)]).toEqual([conditions, lead, expected])
  })

  test('F33: by segment: a saved view of leads or a filter, asked of a lead before it is written, as lists ask', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await createField(team.ctx, {
      record_kind: 'lead',
      key: 'team_size',
      label: 'Team size',
      type: 'integer',
    })
    const { body: account } = await team.ask('POST', '/api/accounts', {
      name: 'Brightside',
      lifecycle: 'partner',
    })
    const view = await createView(team.ctx, {
      name: 'Large teams',
      record_kind: 'lead',
      filter: {
        and: [
          { field: 'custom.team_size', op: 'gte', value: 40 },
          { field: 'is_open', op: 'eq', value: true },
        ],
      },
    })
    const partner = { linked: 'accounts', some: { field: 'lifecycle', op: 'eq' as const, value: 'partner' } }
    const segments = [
      { view_id: view.id },
      { filter: partner },
      {
        filter: {
          and: [
            { field: 'tags', op: 'any' as const, value: ['vip'] },
            { linked: 'activities', none: {} },
          ],
        },
      },
    ]
    await team.rule({ name: 'Large', conditions: { segment: segments }, to: 'Ada' })
    const owner = async (lead: object) =>
      team.nameOf((await team.ask('POST', '/api/leads', { ...somebody(), ...lead })).body.owner_id)
    expect(await owner({ custom: { team_size: 40 } })).toBe('Ada')
    expect(await owner({ custom: { team_size: 39 } })).toBe('nobody')
    expect(await owner({})).toBe('nobody')
    expect(await owner({ account_ids: [account.id] })).toBe('Ada')
    expect(await owner({ tags: ['vip'] })).toBe('Ada')
    const large = await team.ask('POST', '/api/leads', { ...somebody(), custom: { team_size: 41 } })
    expect((await team.routings(large.body.id))[0]!.reason).toBe(
      '“Large” fits: it is in the segment “Large teams”. It goes to Ada.',
    )
    const wrong = await team.ask('POST', '/api/leads', { ...somebody(), custom: { team_size: 'many' } })
    expect(wrong).toMatchObject({ status: 422, body: { code: 'invalid_custom_value' } })
    const scored = { filter: { field: 'score', op: 'between' as const, value: [0, 100] } }
    await team.rule({ name: 'Scored', conditions: { segment: [scored] }, to: 'Bo' })
    expect(await owner({})).toBe('Bo')
  })

  test('F33: by sector, to the nearest one; a lead of no sector there goes on to the next rule', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    const pool = await team.pool('Hospitality', ['Bo'])
    const sectors = [
      { sector: 'Software and IT', to: { kind: 'member', user_id: team.ids['Ada'] } },
      { sector: 'Restaurants and hospitality', to: { kind: 'pool', pool_id: pool } },
    ]
    const { status } = await team.ask('POST', '/api/routing-rules', {
      name: 'Sectors',
      target: { kind: 'sector', sectors },
    })
    expect(status).toBe(201)
    await team.rule({ name: 'The rest', to: 'Cy' })
    const owner = async (industry?: string) =>
      ownerOf(team, await createLead(team.ctx, { ...somebody(), industry }, api_door))
    expect(await owner('softwareentwicklung')).toBe('Ada')
    expect(await owner('Hotels & Restaurants')).toBe('Bo')
    expect(await owner('Steel')).toBe('Cy')
    expect(await owner()).toBe('Cy')
  })
})
