import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changeAvailability } from '../db/availability.ts'
import { asSystem, inTx } from '../db/context.ts'
import { fillBlanks } from '../db/lead-enrichment.ts'
import { qualifyLead } from '../db/lead-qualification.ts'
import { rerouteLead } from '../db/lead-rerouting.ts'
import { createLead, updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { retireRoutingPool } from '../db/routing-pools.ts'
import { updateRoutingRule } from '../db/routing-rules.ts'
import { changeFallback } from '../db/routing-settings.ts'
import { changeSettings } from '../db/settings.ts'
import { addTimeOff } from '../db/time-off.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { api_door, dayFrom, days, leadOf, ownerOf, somebody } from './routed-lead.ts'
import { openTeam, sharesOf } from './team.ts'
import { loseCard, putToWork } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

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
