import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities, recordActivity } from '../db/activities.ts'
import { sealAll, verifyAudit } from '../db/audit.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { addNote } from '../db/notes.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { agentActor } from '../db/policies.ts'
import type { RecordKind } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let world: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  world = await openApi()
  ctx = world.ctx
})
afterAll(() => world.stop())

const NOBODY = '0198c0de-0000-7000-8000-000000000000'
const on = (...ids: string[]) => ids.map((id) => ({ kind: 'lead', id }))
const call = (id: string, more: object = {}) => ({
  type: 'call_logged',
  subjects: on(id),
  data: { subject: 'Asked for 40 seats', body: 'Wants an offer by Friday.', duration_min: 12 },
  ...more,
})
const log = async (entry: object, headers?: Record<string, string>): Promise<any> => {
  const { status, body } = await world.json('POST', '/api/activities', entry, headers)
  expect([status, body.errors]).toEqual([201, undefined])
  return body
}
const timelineOf = async (id: string, kind: RecordKind = 'lead') =>
  (await listTimeline(ctx, { kind, id }, { limit: 50 })).data
const as = async (role: 'rep' | 'manager' | 'viewer') => ({
  authorization: `Bearer ${await world.keyFor(role)}`,
})
const daysAgo = (n: number) => new Date(Date.now() - n * 86_400_000)

describe('F51: logging an activity', () => {
  test('with type and clear context, it stands on every record that it is about, with who logged it', async () => {
    const [one, two] = [await makeLead(ctx), await makeLead(ctx)]
    const rep = await as('rep')
    const logged = await log(
      { ...call(one.id, { reason: 'They called our main number.' }), subjects: on(one.id, two.id) },
      rep,
    )
    expect(logged).toMatchObject({
      type: 'call_logged',
      actor: { kind: 'api_key', name: 'Key of a rep' },
      reason: 'They called our main number.',
      summary: 'logged a call: Asked for 40 seats',
      data: { subject: 'Asked for 40 seats', body: 'Wants an offer by Friday.', duration_min: 12 },
      version: 1,
    })
    for (const { id } of [one, two]) expect((await timelineOf(id))[0]?.id).toBe(logged.id)
    expect((await world.json('GET', `/api/activities/${logged.id}`)).body).toMatchObject({ id: logged.id })
  })

  test('F52: of every type that people log; each reads as a sentence', async () => {
    const { id } = await makeLead(ctx)
    const data = { subject: 'The offer' }
    const entries = [
      { type: 'meeting_logged', data: { ...data, status: 'held', duration_min: 45 } },
      { type: 'email_sent', data },
      { type: 'email_received', data },
      { type: 'sms_sent', data },
      { type: 'sms_received', data },
      { type: 'whatsapp_sent', data },
      { type: 'whatsapp_received', data },
    ]
    for (const entry of entries) {
      const { summary } = await log({ ...entry, subjects: on(id) })
      expect(summary, entry.type).toMatch(/^(?:logged|sent|received) an? .+: The offer$/)
    }
  })

  test('what it was about, and what goes together, is checked, each with its place', async () => {
    const { id } = await makeLead(ctx)
    const wrong: [object, string][] = [
      [{ type: 'lunch_logged' }, '/type'],
      [{ type: 'task_completed' }, '/type'],
      [{ subjects: [] }, '/subjects'],
      [{ subjects: [{ kind: 'invoice', id }] }, '/subjects/0/kind'],
      [{ data: {} }, '/data/subject'],
      [{ data: { subject: '  ' } }, '/data/subject'],
      [{ data: { subject: 'x', status: 'held' } }, '/data/status'],
      [{ type: 'meeting_logged', data: { subject: 'x', status: 'scheduled' } }, '/data/starts_at'],
      [{ type: 'email_sent', data: { subject: 'x', direction: 'inbound' } }, '/data/direction'],
      [{ type: 'sms_sent', data: { subject: 'x', duration_min: 3 } }, '/data/duration_min'],
      [{ data: { subject: 'x', logged: false } }, '/data/logged'],
      [{ data: { subject: 'x', undo: { tool: 'archive_record', input: {} } } }, '/data/undo'],
      [{ occurred_at: daysAgo(-1).toISOString() }, '/occurred_at'],
      [{ occurred_at: '1969-12-31T23:59:59Z' }, '/occurred_at'],
      [{ occurred_at: 'yesterday' }, '/occurred_at'],
    ]
    for (const [fields, pointer] of wrong) {
      const { status, body } = await world.json('POST', '/api/activities', { ...call(id), ...fields })
      expect([fields, status, body.errors?.[0]?.pointer]).toEqual([fields, 422, pointer])
    }
    expect(await world.json('POST', '/api/activities', call(NOBODY))).toMatchObject({ status: 404 })
    const theirs = await makeLead((await world.other()).ctx)
    expect(await world.json('POST', '/api/activities', call(theirs.id))).toMatchObject({ status: 404 })
    expect(await timelineOf(id)).toHaveLength(1)
  })

  test('what happened earlier stands where it belongs in the order of things', async () => {
    const { id } = await makeLead(ctx)
    const first = await log(call(id, { occurred_at: daysAgo(3).toISOString() }))
    const second = await log(call(id, { occurred_at: daysAgo(9).toISOString() }))
    expect((await timelineOf(id)).map((one) => one.id).slice(1)).toEqual([first.id, second.id])
    const between = await listActivities(ctx, {
      subject: { kind: 'lead', id },
      from: daysAgo(10),
      to: daysAgo(5),
      limit: 5,
    })
    expect(between.data.map((one) => one.id)).toEqual([second.id])
  })

  test('F51: the list of everything is filtered, sorted and searched as every list is, and paged without a gap', async () => {
    const { id } = await makeLead(ctx)
    const reason = `because ${id}`
    const calls = [3, 9, 1].map((days) => call(id, { reason, occurred_at: daysAgo(days).toISOString() }))
    const [second, first, third] = [await log(calls[0]!), await log(calls[1]!), await log(calls[2]!)]
    await log({ type: 'meeting_logged', subjects: on(id), data: { subject: 'Demo', status: 'held' } })
    const found = async (query: Record<string, unknown>) => {
      const texts = Object.entries(query).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : JSON.stringify(value),
      ])
      const address = new URLSearchParams(Object.fromEntries(texts))
      const { status, body } = await world.json('GET', `/api/activities?${address.toString()}`)
      expect(status, JSON.stringify(body)).toBe(200)
      return body
    }
    const idsOf = ({ data }: any) => data.map((one: any) => one.id)
    const ours = { field: 'reason', op: 'eq', value: reason }
    const in_order = [first.id, second.id, third.id]
    expect(idsOf(await found({ filter: ours }))).toEqual(in_order.toReversed())
    expect(idsOf(await found({ filter: ours, sort: 'occurred_at' }))).toEqual(in_order)
    expect(idsOf(await found({ q: reason }))).toEqual(in_order.toReversed())
    const lately = { field: 'occurred_at', op: 'within_last', value: { n: 2, unit: 'day' } }
    expect(idsOf(await found({ filter: { and: [ours, lately] } }))).toEqual([third.id])
    const meetings = { field: 'type', op: 'eq', value: 'meeting_logged' }
    expect(idsOf(await found({ filter: meetings, subject_kind: 'lead', subject_id: id }))).toHaveLength(1)
    expect(idsOf(await found({ filter: ours, subject_kind: 'deal' }))).toEqual([])
    expect(idsOf(await found({ filter: ours, type: 'meeting_logged' }))).toEqual([])
    const pages: string[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      // The next page is known by the one before it.
      const page = await found({ filter: ours, limit: '1', ...(cursor ? { cursor } : {}) })
      pages.push(...idsOf(page))
      cursor = page.next_cursor ?? undefined
    }
    expect(pages).toEqual(in_order.toReversed())
    expect(
      await world.json('GET', '/api/activities?filter={"field":"typ","op":"eq","value":"x"}'),
    ).toMatchObject({
      status: 422,
      body: { code: 'unknown_field', detail: expect.stringContaining('“type”') },
    })
    expect(await world.json('GET', '/api/activities?cursor=nowhere')).toMatchObject({
      status: 422,
      body: { code: 'invalid_cursor' },
    })
  })

  test('a meeting that is scheduled and an e-mail that was sent are milestones of the card', async () => {
    const [met, written, only] = [await makeLead(ctx), await makeLead(ctx), await makeLead(ctx)]
    const yesterday = daysAgo(1)
    await log({
      type: 'meeting_logged',
      subjects: on(met.id),
      data: { subject: 'Demo', status: 'scheduled', starts_at: '2027-01-04T09:00:00Z' },
    })
    await log({
      type: 'email_sent',
      subjects: on(written.id),
      occurred_at: yesterday.toISOString(),
      data: { subject: 'Our offer' },
    })
    await log({ type: 'meeting_logged', subjects: on(only.id), data: { subject: 'Demo', status: 'held' } })
    expect(await getOpportunity(ctx, met.id)).toMatchObject({ scheduled_at: expect.any(Date), sent_at: null })
    expect(await getOpportunity(ctx, written.id)).toMatchObject({ sent_at: yesterday, scheduled_at: null })
    expect(await getOpportunity(ctx, only.id)).toMatchObject({ sent_at: null, scheduled_at: null })
  })
})

describe('F51: editing an entry', () => {
  test('is a revision that every list shows; what it said before is its history', async () => {
    const [from, to] = [await makeLead(ctx), await makeLead(ctx)]
    const { id } = await log(call(from.id))
    const path = `/api/activities/${id}`
    expect(await world.json('PATCH', path, { data: { subject: 'x' } })).toMatchObject({ status: 428 })
    const occurred_at = daysAgo(1).toISOString()
    const edited = await world.json('PATCH', path, {
      version: 1,
      data: { subject: 'Asked for 50 seats', duration_min: null, direction: 'inbound' },
      subjects: on(to.id),
      occurred_at,
      reason: 'Heard it wrong.',
    })
    const now = {
      id,
      version: 2,
      summary: 'logged a call: Asked for 50 seats',
      reason: 'Heard it wrong.',
      occurred_at,
      subjects: on(to.id),
      edited_by: { kind: 'api_key' },
      data: { subject: 'Asked for 50 seats', body: 'Wants an offer by Friday.', direction: 'inbound' },
    }
    expect(edited).toMatchObject({ status: 200, body: now })
    expect(edited.body.data).not.toHaveProperty('duration_min')
    for (const list of [
      `/api/activities?subject_kind=lead&subject_id=${to.id}&type=call_logged`,
      `/api/leads/${to.id}/timeline`,
    ]) {
      const { data } = (await world.json('GET', list)).body
      expect(
        data.find((one: any) => one.id === id),
        list,
      ).toMatchObject(now)
    }
    expect((await timelineOf(from.id)).map(({ type }) => type)).toEqual(['activity_edited', 'lead_imported'])
    // Where it was first said to have occurred: another time does not move it.
    expect((await timelineOf(to.id)).map(({ type }) => type)).toEqual([
      'activity_edited',
      'call_logged',
      'lead_imported',
    ])
    const { data: history } = (await world.json('GET', `${path}/revisions`)).body
    expect(history).toMatchObject([
      { version: 1, data: { subject: 'Asked for 40 seats', duration_min: 12 }, subjects: on(from.id) },
      { version: 2, data: { subject: 'Asked for 50 seats' }, subjects: on(to.id), reason: 'Heard it wrong.' },
    ])
  })

  test('upon a version that is not the newest is refused with what there is now; nothing new is no revision', async () => {
    const { id: lead } = await makeLead(ctx)
    const { id } = await log(call(lead))
    const path = `/api/activities/${id}`
    const tries = await Promise.all(
      ['a', 'b', 'c'].map((subject) => world.json('PATCH', path, { version: 1, data: { subject } })),
    )
    expect(tries.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412, 412])
    expect(tries.find(({ status }) => status === 412)?.body.current).toMatchObject({ version: 2 })
    const { body } = await world.json('GET', path)
    expect(
      (await world.json('PATCH', path, { version: 2, data: { subject: body.data.subject } })).body,
    ).toEqual(body)
  })

  test('keeps what goes together', async () => {
    const { id: lead } = await makeLead(ctx)
    const { id } = await log({ ...call(lead), data: { subject: 'x' } })
    for (const [data, pointer] of [
      [{ subject: null }, '/data/subject'],
      [{ status: 'held' }, '/data/status'],
      [{ nonsense: 1 }, '/data/nonsense'],
    ] as const) {
      expect(await world.json('PATCH', `/api/activities/${id}`, { version: 1, data })).toMatchObject({
        status: 422,
        body: { errors: [{ pointer }] },
      })
    }
  })

  test('is its author’s, and a manager’s', async () => {
    const { id: lead } = await makeLead(ctx)
    const [rep, other, manager, viewer] = [
      await as('rep'),
      await as('rep'),
      await as('manager'),
      await as('viewer'),
    ]
    const { id } = await log(call(lead), rep)
    const path = `/api/activities/${id}`
    const change = (subject: string, version: number) => ({ version, data: { subject } })
    expect(await world.json('PATCH', path, change('x', 1), other)).toMatchObject({
      status: 403,
      body: { code: 'not_the_author' },
    })
    expect(await world.json('DELETE', path, undefined, other)).toMatchObject({ status: 403 })
    expect(await world.json('PATCH', path, change('x', 1), viewer)).toMatchObject({
      status: 403,
      body: { code: 'permission_missing' },
    })
    expect((await world.json('PATCH', path, change('mine', 1), rep)).status).toBe(200)
    expect((await world.json('PATCH', path, change('tidied', 2), manager)).status).toBe(200)
    expect((await world.json('DELETE', path, undefined, rep)).status).toBe(204)
  })
})

describe('F51: deleting an entry', () => {
  test('leaves a tombstone: it was there, who deleted it, and nothing of what it said in any answer', async () => {
    const { id: lead } = await makeLead(ctx)
    const { id } = await log(call(lead, { data: { subject: 'Canary-Heron', body: 'Canary-Otter' } }))
    const path = `/api/activities/${id}`
    await world.json('PATCH', path, { version: 1, data: { subject: 'Canary-Swift' } })
    for (let twice = 0; twice < 2; twice++) expect((await world.ask('DELETE', path)).status).toBe(204)
    const answers = [path, `${path}/revisions`, `/api/leads/${lead}/timeline`, '/api/activities?limit=200']
    for (const answer of answers)
      expect(await (await world.ask('GET', answer)).text(), answer).not.toMatch(/Canary/)
    expect((await world.json('GET', path)).body).toMatchObject({
      deleted: true,
      data: {},
      summary: 'logged a call (deleted)',
      version: 3,
    })
    expect((await timelineOf(lead)).map(({ type }) => type)).toEqual([
      'activity_deleted',
      'activity_edited',
      'call_logged',
      'lead_imported',
    ])
    expect(await world.json('PATCH', path, { version: 3, data: { subject: 'x' } })).toMatchObject({
      status: 409,
      body: { code: 'activity_deleted' },
    })
  })
})

test('F51: what agents and the system wrote is immutable: a refusal says to log a correction', async () => {
  const { id: lead } = await makeLead(ctx)
  const agent: Ctx = { ...ctx, actor: agentActor('lead_worker') }
  const byAgent = await inTx(agent, (tx) =>
    recordActivity(tx, {
      type: 'email_sent',
      subjects: on(lead),
      data: { to: 'ana@x.example', logged: true },
    }),
  )
  await addNote(ctx, { subject: { kind: 'lead', id: lead }, body: 'By a person, yet told by the record.' })
  for (const { id, type } of await timelineOf(lead)) {
    for (const [method, body] of [
      ['PATCH', { version: 1, data: { subject: 'Rewritten' } }],
      ['DELETE', undefined],
    ] as const) {
      const { status, body: problem } = await world.json(method, `/api/activities/${id}`, body)
      expect([type, method, status, problem.code]).toEqual([type, method, 409, 'activity_immutable'])
      expect(problem.detail).toMatch(/Log a correction/)
    }
  }
  expect((await world.json('GET', `/api/activities/${byAgent}`)).body.version).toBe(1)
})

test('F51: the sealed chain stays whole under every edit and deletion, and still shows tampering', async () => {
  const heads = `${world.folder}/heads.jsonl`
  const { id: lead } = await makeLead(ctx)
  const [kept, gone] = [await log(call(lead)), await log(call(lead))]
  await sealAll(world.db, heads)
  for (let version = 1; version <= 5; version++)
    await world.json('PATCH', `/api/activities/${kept.id}`, { version, data: { subject: `Take ${version}` } })
  await world.ask('DELETE', `/api/activities/${gone.id}`)
  await sealAll(world.db, heads)
  const verified = await verifyAudit(world.db, ctx.organization_id, heads)
  expect(verified).toMatchObject({ problem: null })
  expect(verified.activities).toBeGreaterThanOrEqual(9)
  await inTx(ctx, ({ tx }) => tx`update activities set data = '{"subject": "x"}' where id = ${gone.id}`)
  expect((await verifyAudit(world.db, ctx.organization_id, heads)).problem).toMatchObject({
    activity_id: gone.id,
  })
})

test('F51: the list is narrowed down by type, author, kind of author, record and time', async () => {
  const { ctx: at, owner } = await world.other()
  const key = {
    authorization: `Bearer ${await world.keyFor('rep', at)}`,
  }
  const lead = await makeLead(at)
  await log(call(lead.id), key)
  await log({ type: 'sms_sent', subjects: on(lead.id), data: { body: 'On my way' } }, key)
  const types = async (search: string) => {
    const { status, body } = await world.json('GET', `/api/activities?${search}`, undefined, key)
    expect([search, status]).toEqual([search, 200])
    return body.data.map(({ type }: any) => type)
  }
  expect(await types('type=sms_sent')).toEqual(['sms_sent'])
  expect(await types('type=call_logged,sms_sent')).toEqual(['sms_sent', 'call_logged'])
  expect(await types(`actor_id=${owner.user_id}&subject_id=${lead.id}`)).toEqual(['lead_imported'])
  expect(await types(`subject_kind=lead&subject_id=${lead.id}&actor=agent`)).toEqual([])
  expect(await types(`subject_kind=deal&subject_id=${lead.id}`)).toEqual([])
  expect(await types(`to=${daysAgo(1).toISOString()}`)).toEqual([])
  expect(await types(`from=${daysAgo(1).toISOString()}&type=call_logged`)).toEqual(['call_logged'])
  expect(await world.json('GET', '/api/activities?type=lunch_logged', undefined, key)).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/type/0' }] },
  })
})
