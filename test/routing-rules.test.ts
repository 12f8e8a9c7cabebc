import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { addRule, to } from './routing-rules.ts'
import { openTeam, type Team } from './team.ts'

let api: ApiWorld
let team: Team
beforeAll(async () => {
  api = await openApi()
  team = await openTeam(api, ['Ada', 'Bo'])
})
afterAll(() => api.stop())

const lastChange = async (of: Team) =>
  (await listActivities(of.ctx, { types: ['settings_changed'], limit: 1 })).data[0]!

describe('F33: rules are kept', () => {
  test('F33: made, read, changed upon a version, put in order, deleted and restored, each with its author, each taken back', async () => {
    const own = await openTeam(api, ['Ada', 'Bo'])
    const rules = async () =>
      (await own.ask('GET', '/api/routing-rules')).body.data.map((rule: any) => [rule.name, rule.priority])
    const first = await addRule(own, {
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
    const second = await addRule(own, {
      name: 'Fair',
      conditions: { source: ['Fair'] },
      target: to('Bo', own),
    })
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
      const answer = await addRule(team, { name: 'x', target: to('Ada', team), ...body })
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
      { sector: 'Food', to: to('Ada', team) },
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
        await addRule(team, {
          name: 'A source that nobody has used yet is fine',
          conditions: { source: ['Moon'] },
          target: to('Ada', team),
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

    await addRule(own, { name: 'Fair', target: { kind: 'pool', pool_id: id } })
    await addRule(own, {
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
    expect(await addRule(own, { name: 'x', target: { kind: 'pool', pool_id: id } })).toMatchObject({
      status: 422,
      body: { code: 'pool_unknown' },
    })
    expect((await own.ask('POST', `/api/routing-pools/${id}/restore`)).body).toMatchObject({
      name: 'Inbound',
      archived_at: null,
    })
  })
})
