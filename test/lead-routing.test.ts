import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveApi } from '../api/server.ts'
import { changeAvailability } from '../db/availability.ts'
import { connect } from '../db/client.ts'
import { asSystem, inTx } from '../db/context.ts'
import { createField } from '../db/fields.ts'
import { fillBlanks } from '../db/lead-enrichment.ts'
import { qualifyLead } from '../db/lead-qualification.ts'
import { rerouteLead } from '../db/lead-rerouting.ts'
import { routeLeads } from '../db/lead-routing.ts'
import { createLead, createLeads, updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { retireRoutingPool, updateRoutingPool } from '../db/routing-pools.ts'
import { updateRoutingRule } from '../db/routing-rules.ts'
import { changeFallback } from '../db/routing-settings.ts'
import { lockTurns } from '../db/routing-turns.ts'
import { changeSettings } from '../db/settings.ts'
import { getSubmission, processSubmission } from '../db/submissions.ts'
import { addTimeOff, removeTimeOff } from '../db/time-off.ts'
import { undoActivity } from '../db/undo.ts'
import { createView } from '../db/views.ts'
import { openApi, type ApiWorld } from './api.ts'
import { openTeam, sharesOf, type Team } from './team.ts'
import { loseCard, putToWork } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const api_door = { door: 'api' }
let made = 0
const somebody = () => {
  made += 1
  return { contact_name: `Ana Ruiz ${made}`, email: `ana.${made}@brightside.example` }
}
const days = (from: number, until: number) => ({
  from_on: dayFrom(from),
  until_on: dayFrom(until),
})
const dayFrom = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10)
const leadOf = async (team: Team, submission_id: string) =>
  getOpportunity(team.ctx, (await getSubmission(team.ctx, submission_id)).lead_id!)
const ownerOf = async (team: Team, lead: { id: string }) =>
  team.nameOf((await getOpportunity(team.ctx, lead.id)).owner_id)
const most = (shares: Record<string, number>) => Math.max(...Object.values(shares))
const least = (shares: Record<string, number>) => Math.min(...Object.values(shares))

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

describe('F33: turns', () => {
  test('F33: fifty concurrent intakes by webhook, API and batches over several connections: shares differ by at most one', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di', 'Ed', 'Flo', 'Gil'])
    await team.rule({ to: { pool: await team.pool('Everybody') } })
    const server = await serveApi(api.app, { host: '127.0.0.1', port: 0 })
    const post = async (path: string, body: object) => {
      const response = await fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${team.key}` },
        body: JSON.stringify(body),
      })
      expect(response.status).toBeLessThan(300)
      return response.json() as Promise<any>
    }
    try {
      const begun = performance.now()
      await Promise.all(Array.from({ length: 50 }, () => post('/api/leads', somebody())))
      const took_ms = Math.round(performance.now() - begun)
      const byApi = await sharesOf(team)
      await Promise.all(Array.from({ length: 50 }, () => team.deliver(somebody())))
      const byWebhook = await sharesOf(team)
      await Promise.all(
        Array.from({ length: 5 }, () =>
          post('/external/v1/leads/batch', { items: Array.from({ length: 23 }, somebody) }),
        ),
      )
      const byBatch = await sharesOf(team)
      const figures = JSON.stringify([byApi, byWebhook, byBatch])
      process.stdout.write(`F33 shares of 50, 100 and 215 leads: ${figures}; 50 by API in ${took_ms} ms\n`)
      for (const [shares, count] of [
        [byApi, 50],
        [byWebhook, 100],
        [byBatch, 215],
      ] as const) {
        expect(Object.values(shares).reduce((sum, leads) => sum + leads, 0)).toBe(count)
        expect(Object.keys(shares).toSorted()).toEqual(['Ada', 'Bo', 'Cy', 'Di', 'Ed', 'Flo', 'Gil'])
        expect(most(shares) - least(shares)).toBeLessThanOrEqual(1)
      }
    } finally {
      await server.close()
    }
  })

  test('F33: many pools at once, in any order, and nobody waits for nobody: no intake is lost to a deadlock', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di'])
    await team.rule({
      name: 'Fair',
      conditions: { source: ['Fair'] },
      to: { pool: await team.pool('One', ['Ada', 'Bo']) },
    })
    await team.rule({
      name: 'Web',
      conditions: { source: ['Web'] },
      to: { pool: await team.pool('Two', ['Cy', 'Di']) },
    })
    const sources = ['Fair', 'Web']
    const items = (from: number) =>
      Array.from({ length: 20 }, (_, n) => ({ ...somebody(), source: sources[(n + from) % 2] }))
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => team.ask('POST', '/external/v1/leads/batch', { items: items(n) })),
    )
    expect(answers.map(({ body }) => body.failed)).toEqual(Array(8).fill(0))
    expect(await sharesOf(team)).toEqual({ Ada: 40, Bo: 40, Cy: 40, Di: 40 })
  })

  test('F33: what is rolled back gives its turn back', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await team.rule({ to: { pool: await team.pool('Both') } })
    const owners: string[] = []
    for (let n = 0; n < 6; n++) {
      const rolledBack = inTx(team.ctx, async (ctx) => {
        await createLead(ctx, somebody(), api_door)
        throw new Error('somebody pulled the plug')
      })
      await expect(rolledBack).rejects.toThrow('pulled the plug')
      owners.push(await ownerOf(team, await createLead(team.ctx, somebody(), api_door)))
    }
    expect(owners).toEqual(['Ada', 'Bo', 'Ada', 'Bo', 'Ada', 'Bo'])
  })

  test('F33: who weighs more takes more, spread among the others', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    const members = [
      { user_id: team.ids['Ada'], weight: 3 },
      { user_id: team.ids['Bo'], weight: 1 },
      { user_id: team.ids['Cy'] },
    ]
    const { body: pool } = await team.ask('POST', '/api/routing-pools', { name: 'Weighted', members })
    await team.rule({ to: { pool: pool.id } })
    const owners: string[] = []
    for (let n = 0; n < 50; n++)
      owners.push(await ownerOf(team, await createLead(team.ctx, somebody(), api_door)))
    expect(await sharesOf(team)).toEqual({ Ada: 30, Bo: 10, Cy: 10 })
    for (let from = 0; from < 50; from += 5)
      expect(owners.slice(from, from + 5).toSorted()).toEqual(['Ada', 'Ada', 'Ada', 'Bo', 'Cy'])
    const { members: now } = (await team.ask('GET', `/api/routing-pools/${pool.id}`)).body
    expect(now.map(({ name, taken, weight }: any) => [name, taken, weight])).toEqual([
      ['Ada', 30, 3],
      ['Bo', 10, 1],
      ['Cy', 10, 1],
    ])
  })

  test('F33: who comes back, or comes new, takes turns like the others, not all that was missed', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di'])
    const pool = await team.pool('Team', ['Ada', 'Bo', 'Cy'])
    await team.rule({ to: { pool } })
    const away = await addTimeOff(team.ctx, team.ids['Bo']!, days(-2, 2))
    const add = async (n: number) => {
      await createLeads(
        team.ctx,
        Array.from({ length: n }, () => ({ input: somebody(), origin: api_door })),
      )
      return sharesOf(team)
    }
    expect(await add(40)).toEqual({ Ada: 20, Cy: 20 })
    await removeTimeOff(team.ctx, team.ids['Bo']!, away.id)
    expect(await add(30)).toEqual({ Ada: 30, Bo: 10, Cy: 30 })
    await updateRoutingPool(team.ctx, pool, {
      members: ['Di', 'Ada', 'Bo'].map((name) => ({ user_id: team.ids[name]!, weight: 1 })),
    })
    expect(await add(30)).toEqual({ Ada: 40, Bo: 20, Cy: 30, Di: 10 })
  })
})

describe('F33: who is away, full or gone is passed over', () => {
  test('F33: the timeline says who and why; where all are out the fallback takes it, then nobody', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di'])
    const pool = await team.pool('Team', ['Ada', 'Bo', 'Cy'])
    await team.rule({ name: 'All', to: { pool } })
    const until = dayFrom(3)
    await addTimeOff(team.ctx, team.ids['Ada']!, { from_on: dayFrom(-1), until_on: until })
    await addTimeOff(team.ctx, team.ids['Bo']!, days(10, 20))
    await changeAvailability(team.ctx, team.ids['Bo']!, { max_open_leads: 2 })
    await api.db
      .sql`delete from identity.members where user_id = ${team.ids['Cy']!} and organization_id = ${team.organization_id}`
    const leads = []
    for (let n = 0; n < 3; n++) leads.push(await createLead(team.ctx, somebody(), api_door))
    expect(await sharesOf(team)).toEqual({ Bo: 2, nobody: 1 })
    const [first, , third] = leads
    expect((await team.routings(first!.id))[0]).toMatchObject({
      reason: `“All” fits. It is the turn of Bo in “Team”. Passed over: Ada is away until ${until}; Cy is no member any more.`,
      data: {
        passed_over: [
          { user_id: team.ids['Ada'], name: 'Ada', code: 'away', reason: `is away until ${until}` },
          { user_id: team.ids['Cy'], code: 'no_member' },
        ],
      },
    })
    const [said] = await team.routings(third!.id)
    expect(said).toMatchObject({ data: { by: 'nobody', owner_id: null } })
    expect(said!.reason).toBe(
      `“All” fits. Nobody there can take it. There is no fallback, so nobody takes it. Passed over: Ada is away until ${until}; Bo is at capacity: 2 open leads of 2; Cy is no member any more.`,
    )
    await changeFallback(team.ctx, { fallback: { kind: 'member', user_id: team.ids['Di']! } })
    const fourth = await createLead(team.ctx, somebody(), api_door)
    expect((await team.routings(fourth.id))[0]).toMatchObject({
      summary: 'gave it to Di, the fallback',
      data: { by: 'fallback', rule_id: null, owner: 'Di' },
    })
    await addTimeOff(team.ctx, team.ids['Di']!, days(-1, 1))
    const fifth = await createLead(team.ctx, somebody(), api_door)
    expect(fifth.owner).toBeNull()
    expect((await team.routings(fifth.id))[0]!.reason).toContain('Nor can the fallback, so nobody takes it.')
    await loseCard(team.ctx, first!.id)
    expect(await ownerOf(team, await createLead(team.ctx, somebody(), api_door))).toBe('Bo')
  })

  test('F33: a member who is a rule’s target is passed over, too, and a pool that was retired gives to nobody', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await team.rule({ name: 'Ada’s', to: 'Ada' })
    const spare = await team.pool('Spare', ['Bo'])
    await changeFallback(team.ctx, { fallback: { kind: 'pool', pool_id: spare } })
    await changeAvailability(team.ctx, team.ids['Ada']!, { max_open_leads: 0 })
    const lead = await createLead(team.ctx, somebody(), api_door)
    expect((await team.routings(lead.id))[0]!.reason).toBe(
      '“Ada’s” fits. Nobody there can take it. The fallback takes it. It is the turn of Bo in “Spare”. Passed over: Ada is at capacity: 0 open leads of 0.',
    )
    await expect(retireRoutingPool(team.ctx, spare)).rejects.toMatchObject({ code: 'pool_in_use' })
    // As an older copy of the settings would have it.
    await inTx(team.ctx, ({ tx }) => tx`update routing_pools set archived_at = now() where id = ${spare}`)
    expect((await createLead(team.ctx, somebody(), api_door)).owner).toBeNull()
  })

  test('F33: a day off is a day where the organization is', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await team.rule({ to: { pool: await team.pool('Both') } })
    const dayIn = (timezone: string) =>
      new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short' }).format(new Date())
    // Twenty-five hours apart: never the same day.
    const [east, west] = ['Pacific/Kiritimati', 'Pacific/Niue']
    expect(dayIn(east)).not.toBe(dayIn(west))
    await addTimeOff(team.ctx, team.ids['Ada']!, { from_on: dayIn(east), until_on: dayIn(east) })
    const owners = async (timezone: string) => {
      await changeSettings(team.ctx, { changes: { timezone } })
      const leads = []
      for (let n = 0; n < 2; n++)
        leads.push(await ownerOf(team, await createLead(team.ctx, somebody(), api_door)))
      return leads.toSorted()
    }
    expect(await owners(east)).toEqual(['Bo', 'Bo'])
    expect(await owners(west)).toEqual(['Ada', 'Bo'])
  })

  test('F33: a limit holds also when many come at once, in two pools and by name', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    await team.rule({
      name: 'A',
      conditions: { source: ['a'] },
      to: { pool: await team.pool('One', ['Ada', 'Bo']) },
    })
    await team.rule({
      name: 'B',
      conditions: { source: ['b'] },
      to: { pool: await team.pool('Two', ['Ada']) },
    })
    await team.rule({ name: 'C', to: 'Ada' })
    await changeFallback(team.ctx, { fallback: { kind: 'member', user_id: team.ids['Cy']! } })
    await changeAvailability(team.ctx, team.ids['Ada']!, { max_open_leads: 5 })
    await changeAvailability(team.ctx, team.ids['Bo']!, { max_open_leads: 3 })
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        createLead(team.ctx, { ...somebody(), source: ['a', 'b', 'c'][n % 3] }, api_door),
      ),
    )
    expect(await sharesOf(team)).toEqual({ Ada: 5, Bo: 3, Cy: 22 })
  })
})

describe('F33: a lead that is there', () => {
  test('F33: whose person writes again, and that nobody owns, is routed; one that somebody owns is not', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const payload = { name: 'Ana Ruiz', email: 'ana@brightside.example' }
    const lead = await leadOf(team, await team.deliver(payload))
    expect(lead.owner).toBeNull()
    const rule = await team.rule({ name: 'All', to: 'Ada' })
    await team.deliver({ ...payload, message: 'Still there?' })
    expect(await ownerOf(team, lead)).toBe('Ada')
    expect(await team.routings(lead.id)).toMatchObject([
      { reason: '“All” fits. It goes to Ada.', on_behalf_of: { kind: 'visitor' } },
    ])
    await updateRoutingRule(team.ctx, rule.id, { target: { kind: 'member', user_id: team.ids['Bo']! } })
    await team.deliver({ ...payload, message: 'Hello?' })
    expect(await ownerOf(team, lead)).toBe('Ada')
  })

  test('F33: that only the fallback or nobody took goes to a rule’s owner once more is known of it, and once', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    await team.rule({ name: 'Food', conditions: { industry: ['Food'] }, to: 'Ada' })
    const nobodys = await createLead(team.ctx, somebody(), api_door)
    await changeFallback(team.ctx, { fallback: { kind: 'member', user_id: team.ids['Bo']! } })
    const fallbacks = await createLead(team.ctx, somebody(), api_door)
    const persons = await createLead(team.ctx, somebody(), api_door)
    await updateLead(team.ctx, persons.id, { owner_id: team.ids['Cy']! })
    const emptied = await createLead(team.ctx, somebody(), api_door)
    await updateLead(team.ctx, emptied.id, { owner_id: null })
    const leads = [nobodys, fallbacks, persons, emptied]
    const owners = () => Promise.all(leads.map((lead) => ownerOf(team, lead)))
    expect(await owners()).toEqual(['nobody', 'Bo', 'Cy', 'nobody'])
    for (const { id } of leads) {
      await fillBlanks(team.ctx, id, [
        { field: 'industry', value: 'Food and beverage', origin: { kind: 'url', url: 'https://x.example' } },
      ])
      await rerouteLead(asSystem(team.ctx, 'test'), id)
    }
    expect(await owners()).toEqual(['Ada', 'Ada', 'Cy', 'nobody'])
    const [again, first] = await team.routings(fallbacks.id)
    expect([first!.summary, again!.summary]).toEqual([
      'gave it to Bo, the fallback',
      'gave it to Ada by the rule “Food”',
    ])
    expect(again!.data['changes']).toEqual([
      { field: 'owner_id', before: team.ids['Bo'], after: team.ids['Ada'] },
    ])
    expect((await getOpportunity(team.ctx, fallbacks.id)).version).toBe(3)
    // What a rule gave stays, whatever the rules say later.
    await team.rule({ name: 'Later', priority: 1, to: 'Cy' })
    for (const { id } of leads) await rerouteLead(team.ctx, id)
    expect(await owners()).toEqual(['Ada', 'Ada', 'Cy', 'nobody'])
  })

  test('F33: the agent’s reading and scoring route it again; taking the run’s act back gives the owner before', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await changeFallback(team.ctx, { fallback: { kind: 'member', user_id: team.ids['Bo']! } })
    const lead = await createLead(team.ctx, somebody(), api_door)
    await team.rule({ name: 'Scored', conditions: { score: { min: 1 } }, to: 'Ada' })
    const { call } = await putToWork({ db: api.db, ctx: team.ctx }, lead.id)
    await call('qualify', { lead_id: lead.id })
    expect(await ownerOf(team, lead)).toBe('Ada')
    const [routed] = await team.routings(lead.id)
    expect(routed).toMatchObject({
      on_behalf_of: { kind: 'agent', name: 'lead_worker' },
      run_id: expect.any(String),
    })
    await undoActivity(team.ctx, routed!.id)
    expect(await ownerOf(team, lead)).toBe('Bo')
    await qualifyLead(team.ctx, lead.id)
    expect(await ownerOf(team, lead)).toBe('Bo')
  })

  test('F33: the first routing is taken back like any other act, unless somebody changed the owner since', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await team.rule({ to: 'Ada' })
    const lead = await createLead(team.ctx, somebody(), api_door)
    const [routed] = await team.routings(lead.id)
    const answer = await team.ask('POST', `/api/activities/${routed!.id}/undo`, {})
    expect(answer.status).toBe(200)
    expect(await ownerOf(team, lead)).toBe('nobody')
    const other = await createLead(team.ctx, somebody(), api_door)
    await updateLead(team.ctx, other.id, { owner_id: team.ids['Bo']! })
    const [kept] = await team.routings(other.id)
    await expect(undoActivity(team.ctx, kept!.id)).rejects.toMatchObject({ code: 'changed_since' })
  })

  test('F33: closed or archived, it stays where it is', async () => {
    const team = await openTeam(api, ['Ada'])
    const [won, archived] = [
      await createLead(team.ctx, somebody(), api_door),
      await createLead(team.ctx, somebody(), api_door),
    ]
    await closeOpportunity(team.ctx, won.id, {
      outcome: 'won',
      value_minor: 100,
      expected_close_on: dayFrom(0),
    })
    await team.ask('DELETE', `/api/leads/${archived.id}`)
    await team.rule({ to: 'Ada' })
    for (const { id } of [won, archived]) await rerouteLead(team.ctx, id)
    expect(await sharesOf(team)).toEqual({ nobody: 2 })
  })
})

describe('F33: many at once', () => {
  test('F33: five hundred are decided with as many queries as one', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const view = await createView(team.ctx, {
      name: 'VIP',
      record_kind: 'lead',
      filter: { field: 'tags', op: 'any', value: ['vip'] },
    })
    const pool = await team.pool('Both')
    await team.rule({ name: 'VIP', conditions: { segment: [{ view_id: view.id }] }, to: { pool } })
    await team.rule({ name: 'Fair', conditions: { source: ['Fair'] }, to: 'Ada' })
    await changeFallback(team.ctx, { fallback: { kind: 'pool', pool_id: pool } })
    let statements = 0
    const sql = connect(api.app_url, { max: 1, onStatement: () => (statements += 1) })
    const route = (count: number) =>
      inTx({ ...team.ctx, db: { ...api.db, sql } }, async (ctx) => {
        const before = statements
        const leads = Array.from({ length: count }, (_, n) => ({
          values: { name: 'x', source: n % 2 ? 'Fair' : null, tags: n % 3 ? [] : ['vip'] },
        }))
        const decisions = await routeLeads(ctx, leads)
        return { statements: statements - before, decisions }
      })
    try {
      const one = await route(1)
      const begun = performance.now()
      const many = await route(500)
      const took_ms = Math.round(performance.now() - begun)
      process.stdout.write(`F33 500 leads decided in ${took_ms} ms by ${many.statements} statements\n`)
      expect(many.statements).toBe(one.statements)
      expect(many.statements).toBeLessThanOrEqual(10)
      expect(many.decisions.map(({ by, rule_name }) => rule_name ?? by)).toEqual(
        Array.from({ length: 500 }, (_, n) => (n % 3 === 0 ? 'VIP' : n % 2 ? 'Fair' : 'fallback')),
      )
    } finally {
      await sql.end()
    }
  })

  test('F33: what takes no turn waits for no turn', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const pool = await team.pool('Both')
    await team.rule({ conditions: { source: ['Fair'] }, to: 'Ada' })
    await changeFallback(team.ctx, { fallback: { kind: 'pool', pool_id: pool } })
    const create = (source: string) => team.ask('POST', '/api/leads', { ...somebody(), source })
    const { fair, waiting } = await inTx(team.ctx, async (ctx) => {
      lockTurns(ctx)
      await ctx.tx`select 1`
      const waiting = create('Web')
      const fair = await Promise.race([create('Fair'), pause(5_000, { status: 0, body: {} })])
      expect(await Promise.race([waiting.then(() => 'done'), pause(300, 'waits')])).toBe('waits')
      return { fair, waiting }
    })
    expect([fair.status, team.nameOf(fair.body.owner_id)]).toEqual([201, 'Ada'])
    expect(team.nameOf((await waiting).body.owner_id)).toBe('Ada')
    await addTimeOff(team.ctx, team.ids['Ada']!, days(-1, 1))
    expect(team.nameOf((await create('Fair')).body.owner_id)).toBe('Bo')
    expect((await team.ask('GET', `/api/routing-pools/${pool}`)).body.members).toMatchObject([
      { name: 'Ada', taken: 1 },
      { name: 'Bo', taken: 1 },
    ])
  })

  test('F33: trying it out waits for nobody and moves nothing', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const pool = await team.pool('Both')
    await team.rule({ to: { pool } })
    const lead = await createLead(team.ctx, somebody(), api_door)
    const turns = () =>
      inTx(team.ctx, async ({ tx }) => [...(await tx`select * from routing_pool_members order by user_id`)])
    const before = await turns()
    const answer = await inTx(team.ctx, async (ctx) => {
      lockTurns(ctx)
      await ctx.tx`select 1 from routing_pools for update`
      await ctx.tx`select 1 from routing_pool_members for update`
      await ctx.tx`select 1 from opportunities for update`
      return Promise.race([
        team.ask('POST', '/api/routing-rules/dry-run', { lead_id: lead.id }),
        pause(5_000, { status: 0, body: 'it waits' }),
      ])
    })
    expect(answer).toMatchObject({ status: 200, body: { owner_name: 'Bo', by: 'rule' } })
    expect(await turns()).toEqual(before)
    expect(await team.routings(lead.id)).toHaveLength(1)
    await processSubmission(api.db, team.organization_id, await team.deliver(somebody()))
    expect(await sharesOf(team)).toEqual({ Ada: 1, Bo: 1 })
  })
})
