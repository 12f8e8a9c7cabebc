import { afterAll, beforeAll, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { createApiKey } from '../db/identity.ts'
import { createLead } from '../db/leads.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { openTeam, type Team } from './team.ts'
import { loseCard } from './worked-lead.ts'

let api: ApiWorld
let team: Team
beforeAll(async () => {
  api = await openApi()
  team = await openTeam(api, ['Ada', 'Bo'])
})
afterAll(() => api.stop())

const keyOf = async (name: string, scopes = ['*']) =>
  (await createApiKey(team.ctx, { name, scopes, user_id: team.ids[name]! })).key
const asking = (key: string) => (method: string, path: string, body?: unknown) =>
  api.json(method, path, body, { authorization: `Bearer ${key}` })
const lastChange = async () =>
  (await listActivities(team.ctx, { types: ['settings_changed'], limit: 1 })).data[0]!
const today = new Date().toISOString().slice(0, 10)

test('F66: how many open leads a member takes on is set upon a version, and read with how many there are', async () => {
  const path = `/api/members/${team.ids['Ada']}/availability`
  expect(await team.ask('GET', path)).toMatchObject({
    status: 200,
    body: {
      name: 'Ada',
      user_id: team.ids['Ada'],
      max_open_leads: null,
      open_leads: 0,
      away_until: null,
      passed_over: null,
      version: 1,
    },
  })
  const leads = []
  for (let n = 0; n < 3; n++)
    leads.push(
      await createLead(team.ctx, { contact_name: `Ana ${n}`, owner_id: team.ids['Ada'] }, { door: 'ui' }),
    )
  await loseCard(team.ctx, leads[0]!.id)
  await team.ask('DELETE', `/api/leads/${leads[1]!.id}`)
  expect((await team.ask('GET', path)).body.open_leads).toBe(1)
  expect(await team.ask('PATCH', path, { max_open_leads: 1 })).toMatchObject({ status: 428 })
  expect(await team.ask('PATCH', path, { max_open_leads: 1, version: 1 })).toMatchObject({
    status: 200,
    body: {
      max_open_leads: 1,
      passed_over: { code: 'at_capacity', reason: 'is at capacity: 1 open leads of 1' },
      version: 2,
    },
  })
  expect(await lastChange()).toMatchObject({
    actor: { name: 'Owner’s' },
    summary: 'changed how many open leads Ada takes on',
    subjects: [{ kind: 'member', id: team.ids['Ada'] }, { kind: 'organization' }],
  })
  expect(await team.ask('PATCH', path, { max_open_leads: 9, version: 1 })).toMatchObject({
    status: 412,
    body: { current: { version: 2 } },
  })
  for (const wrong of [-1, 1.5, 'many'])
    expect(await team.ask('PATCH', path, { max_open_leads: wrong, version: 2 })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/max_open_leads' }] },
    })
  await undoActivity(team.ctx, (await lastChange()).id)
  expect((await team.ask('GET', path)).body).toMatchObject({ max_open_leads: null, version: 3 })
})

test('F66: a member is named by the id of the membership or of the person; anybody else is not there', async () => {
  const { body } = await team.ask('GET', '/api/members')
  const ada = body.data.find(({ name }: { name: string }) => name === 'Ada')
  for (const id of [ada.id, ada.user_id])
    expect((await team.ask('GET', `/api/members/${id}/availability`)).body).toMatchObject({
      name: 'Ada',
      member_id: ada.id,
    })
  const others = await openTeam(api, ['Cy'])
  for (const [method, path, sent] of [
    ['GET', 'availability', undefined],
    ['PATCH', 'availability', { max_open_leads: 1, version: 1 }],
    ['GET', 'time-off', undefined],
    ['POST', 'time-off', { from_on: today, until_on: today }],
  ] as const)
    expect(await team.ask(method, `/api/members/${others.ids['Cy']}/${path}`, sent)).toMatchObject({
      status: 404,
      body: { code: 'member_not_found' },
    })
})

test('F66: everybody enters when they are away themselves; that of others takes a manager', async () => {
  const [ada, bo] = [asking(await keyOf('Ada')), asking(await keyOf('Bo'))]
  const path = `/api/members/${team.ids['Ada']}/time-off`
  const skiing = { from_on: today, until_on: '2099-01-03', note: 'Skiing' }
  const made = await ada('POST', path, skiing)
  expect(made).toMatchObject({ status: 201, body: { ...skiing, user_id: team.ids['Ada'] } })
  expect((await team.ask('GET', `/api/members/${team.ids['Ada']}/availability`)).body).toMatchObject({
    away_until: '2099-01-03',
    passed_over: { code: 'away', reason: 'is away until 2099-01-03' },
  })
  expect(await bo('POST', path, skiing)).toMatchObject({
    status: 403,
    body: { permission: 'availability:write' },
  })
  expect(await bo('DELETE', `${path}/${made.body.id}`)).toMatchObject({ status: 403 })
  expect(
    await bo('PATCH', `/api/members/${team.ids['Bo']}/availability`, { max_open_leads: 1, version: 1 }),
  ).toMatchObject({ status: 403 })
  const narrow = asking(await keyOf('Ada', ['leads:read']))
  expect(await narrow('POST', path, skiing)).toMatchObject({
    status: 403,
    body: { permission: 'time_off:write' },
  })
  // Why somebody is away is for them and their managers.
  const notes = async (ask: ReturnType<typeof asking>) =>
    (await ask('GET', path)).body.data.map(({ note }: { note: string }) => note)
  expect([await notes(ada), await notes(bo), await notes(team.ask)]).toEqual([['Skiing'], [null], ['Skiing']])
  expect(await lastChange()).toMatchObject({
    summary: `changed the time off of Ada (${today} to 2099-01-03)`,
  })
  expect(JSON.stringify(await lastChange())).not.toContain('Skiing')
  const managers = await team.ask('POST', path, { from_on: '2020-01-01', until_on: '2020-01-01' })
  expect(managers.status).toBe(201)
  expect(await team.ask('DELETE', `/api/members/${team.ids['Bo']}/time-off/${made.body.id}`)).toMatchObject({
    status: 404,
    body: { code: 'time_off_not_found' },
  })
  expect((await ada('DELETE', `${path}/${made.body.id}`)).status).toBe(204)
  expect((await team.ask('GET', path)).body.data).toMatchObject([{ from_on: '2020-01-01' }])
  await undoActivity(team.ctx, (await lastChange()).id)
  expect((await team.ask('GET', `${path}?limit=1`)).body).toMatchObject({
    data: [{ from_on: '2020-01-01' }],
    next_cursor: managers.body.id,
  })
  expect((await team.ask('GET', `${path}?limit=1&cursor=${managers.body.id}`)).body).toMatchObject({
    data: [{ note: 'Skiing' }],
    next_cursor: null,
  })
})

test('F66: days that are none, or that end before they begin, are refused', async () => {
  const path = `/api/members/${team.ids['Bo']}/time-off`
  expect(await team.ask('POST', path, { from_on: '2026-12-21', until_on: '2026-12-20' })).toMatchObject({
    status: 422,
    body: {
      code: 'days_reversed',
      errors: [{ pointer: '/until_on', message: 'It ends before it begins: give a day from 2026-12-21 on.' }],
    },
  })
  for (const day of ['2026-02-30', 'tomorrow', '0000-01-01', ''])
    expect(await team.ask('POST', path, { from_on: day, until_on: '2026-12-20' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/from_on' }] },
    })
})
