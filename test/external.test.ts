import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addMember } from '../db/identity.ts'
import { listPipelines, type Pipeline } from '../db/pipelines.ts'
import { APP_URL, openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
let leadPipeline: Pipeline
let dealPipeline: Pipeline
beforeAll(async () => {
  api = await openApi()
  const pipelines = await listPipelines(api.ctx)
  leadPipeline = pipelines.find(({ record_kind }) => record_kind === 'lead')!
  dealPipeline = pipelines.find(({ record_kind }) => record_kind === 'deal')!
})
afterAll(() => api.stop())

const CARDS = '/external/v1/opportunities'

const make = async (body: object): Promise<any> => {
  const made = await api.json('POST', CARDS, body)
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return made.body
}

describe('who is let in', () => {
  test('F71: a key, not a session: whoever is signed in is told so, whoever is nobody is asked for a key', async () => {
    await addMember(api.db, {
      organization_id: api.organization.id,
      name: 'Eve Field',
      email: 'eve@northwind.example',
      password: 'a long enough one',
      role: 'owner',
    })
    const signed = await api.app.request('/api/auth/sign-in/email', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: APP_URL },
      body: JSON.stringify({ email: 'eve@northwind.example', password: 'a long enough one' }),
    })
    const cookie = signed.headers
      .getSetCookie()
      .map((text) => text.split(';')[0])
      .join('; ')
    expect((await api.json('GET', '/api/leads', undefined, { cookie })).status).toBe(200)
    for (const [method, path, body] of [
      ['GET', CARDS, undefined],
      ['POST', CARDS, { contact_name: 'x' }],
      ['GET', '/external/v1/tasks', undefined],
    ] as const) {
      expect(await api.json(method, path, body, { cookie, origin: APP_URL })).toMatchObject({
        status: 403,
        body: { code: 'api_key_required', detail: expect.stringContaining('API key') },
      })
      expect(await api.json(method, path, body, { authorization: '' })).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated' },
      })
    }
  })

  test('scopes count as they do below /api; what is not there is a problem, too', async () => {
    const { body } = await api.json('POST', '/api/api-keys', { name: 'Reader', scopes: ['leads:read'] })
    const authorization = `Bearer ${body.key}`
    expect((await api.json('GET', CARDS, undefined, { authorization })).status).toBe(200)
    expect(await api.json('POST', CARDS, { contact_name: 'x' }, { authorization })).toMatchObject({
      status: 403,
      body: { code: 'permission_missing', permission: 'leads:write' },
    })
    expect(await api.json('GET', '/external/v1/nothing')).toMatchObject({ status: 404 })
    const wrong = await api.ask('DELETE', CARDS)
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, POST'])
  })
})

describe('opportunities', () => {
  test('F71: what is made follows its pipeline; without one it is a lead in the default one', async () => {
    const lead = await make({ contact_name: 'Ana Ruiz', email: 'ana@brightside.example' })
    expect(lead).toMatchObject({
      kind: 'lead',
      pipeline_id: leadPipeline.id,
      origin: { door: 'api' },
      run_status: null,
    })
    expect(await make({ name: 'Machines', pipeline_id: dealPipeline.id })).toMatchObject({
      kind: 'deal',
      pipeline_id: dealPipeline.id,
    })
    const stage = dealPipeline.stages[1]!
    expect(await make({ name: 'Grinders', stage_id: stage.id })).toMatchObject({
      kind: 'deal',
      stage: { id: stage.id },
    })
    expect(await make({ name: 'Cups', kind: 'deal' })).toMatchObject({ kind: 'deal' })
    expect(await make({ contact_name: 'Bo Lind', work: true })).toMatchObject({ run_status: 'queued' })
    expect(
      await api.json('POST', CARDS, { name: 'x', kind: 'lead', pipeline_id: dealPipeline.id }),
    ).toMatchObject({
      status: 422,
      body: { code: 'kind_contradicts_pipeline', errors: [{ pointer: '/kind', accepted: ['deal'] }] },
    })
    expect(await api.json('POST', CARDS, { pipeline_id: dealPipeline.id })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/name' }] },
    })
    expect(await api.json('POST', CARDS, { contact_name: 'x', emial: 'y' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/emial', message: expect.stringContaining('“email”') }] },
    })
  })

  test('F71: both kinds are listed, one when asked for, filtered, sorted and paged as everywhere', async () => {
    const all = await api.json('GET', `${CARDS}?limit=200`)
    expect(new Set(all.body.data.map(({ kind }: any) => kind))).toEqual(new Set(['lead', 'deal']))
    for (const kind of ['lead', 'deal']) {
      const { body } = await api.json('GET', `${CARDS}?kind=${kind}`)
      expect(new Set(body.data.map((card: any) => card.kind))).toEqual(new Set([kind]))
    }
    const filter = encodeURIComponent(JSON.stringify({ field: 'name', op: 'contains', value: 'grind' }))
    expect((await api.json('GET', `${CARDS}?filter=${filter}`)).body.data).toMatchObject([
      { name: 'Grinders' },
    ])
    expect((await api.json('GET', `${CARDS}?q=brightside`)).body.data).toMatchObject([
      { contact_name: 'Ana Ruiz' },
    ])
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await api.json(
        'GET',
        `${CARDS}?limit=2&sort=name&cursor=${encodeURIComponent(cursor)}`,
      )
      seen.push(...body.data.map(({ id }: any) => id))
      cursor = body.next_cursor ?? ''
    } while (cursor)
    expect(seen.toSorted()).toEqual(all.body.data.map(({ id }: any) => id).toSorted())
  })

  test('F71: a card is moved to a stage by its id or its label, whatever the case; the refusals are those of the one move', async () => {
    const { id } = await make({ contact_name: 'Cy Moss' })
    const move = (body: object, headers = {}) => api.json('PATCH', `${CARDS}/${id}/stage`, body, headers)
    expect(await move({ stage: '  qUALIFIED ', reason: 'They called' })).toMatchObject({
      status: 200,
      body: { stage: { label: 'Qualified' } },
    })
    expect(await move({ stage_id: leadPipeline.stages[2]!.id })).toMatchObject({
      body: { stage: { label: leadPipeline.stages[2]!.label } },
    })
    expect(await move({ stage: 'Qualifed' })).toMatchObject({
      status: 422,
      body: {
        code: 'stage_unknown',
        errors: [{ pointer: '/stage', accepted: leadPipeline.stages.map(({ label }) => label) }],
      },
    })
    expect(await move({})).toMatchObject({ status: 422, body: { code: 'stage_required' } })
    expect(await move({ stage: 'Qualified', stage_id: leadPipeline.stages[0]!.id })).toMatchObject({
      status: 422,
      body: { code: 'stage_contradicts_label' },
    })
    expect(await move({ stage: 'Qualified' }, { 'if-match': '"1"' })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { version: 3 } },
    })
    expect(await move({ stage: 'closed-lost' })).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_required' },
    })
    const [reason] = (await api.json('GET', '/api/discard-reasons')).body.data
    expect(await move({ stage: 'Closed-Lost', discard_reason_id: reason.id })).toMatchObject({
      status: 200,
      body: { stage: { kind: 'lost' }, discard_reason_id: reason.id, lost_at: expect.any(String) },
    })
    expect(await move({ stage: 'New lead', reason: 'They came back' })).toMatchObject({
      body: { stage: { kind: 'open' }, lost_at: null },
    })
    const { body } = await api.json('GET', `/api/leads/${id}/timeline`)
    const lines = body.data.map(({ type, actor, data }: any) => [type, actor.kind, data.outcome])
    expect(lines).toEqual([
      ['stage_changed', 'api_key', undefined],
      ['stage_changed', 'api_key', 'lost'],
      ['stage_changed', 'api_key', undefined],
      ['stage_changed', 'api_key', undefined],
      ['lead_imported', 'api_key', undefined],
    ])
    expect(
      await api.json('PATCH', `${CARDS}/01990000-0000-7000-8000-000000000000/stage`, { stage: 'Won' }),
    ).toMatchObject({ status: 404 })
  })

  test('F71: other fields of either kind are changed; a version counts where one is sent', async () => {
    for (const card of [
      await make({ contact_name: 'Dee Park' }),
      await make({ name: 'Mugs', kind: 'deal' }),
    ]) {
      const path = `${CARDS}/${card.id}`
      expect(await api.json('PATCH', path, { title: 'CEO', value_minor: 5_000 })).toMatchObject({
        status: 200,
        body: { title: 'CEO', value_minor: 5_000, version: 2 },
      })
      expect(await api.json('PATCH', path, { title: 'x', version: 1 })).toMatchObject({ status: 412 })
      expect(await api.json('PATCH', path, { title: 'x' }, { 'if-match': '"1"' })).toMatchObject({
        status: 412,
      })
      expect(await api.json('PATCH', path, { title: 'x' }, { 'if-match': 'yesterday' })).toMatchObject({
        status: 400,
        body: { code: 'invalid_if_match' },
      })
      expect(await api.json('PATCH', path, { title: null, version: 2 })).toMatchObject({
        status: 200,
        body: { title: null, version: 3 },
      })
      expect((await api.json('GET', path)).body).toMatchObject({ id: card.id, version: 3 })
      expect(await api.json('PATCH', path, { titel: 'x' })).toMatchObject({
        status: 422,
        body: { errors: [{ pointer: '/titel' }] },
      })
    }
  })

  test('F83: an external id is one record’s: POST says whose, PUT changes it, and makes it where there is none', async () => {
    const first = await make({ contact_name: 'Em Hall', external_id: 'erp 1/ä' })
    expect(await api.json('POST', CARDS, { contact_name: 'Em', external_id: 'erp 1/ä' })).toMatchObject({
      status: 409,
      body: { code: 'external_id_taken', lead_id: first.id },
    })
    const path = `${CARDS}/by-external-id/${encodeURIComponent('erp 1/ä')}`
    expect(await api.json('PUT', path, { contact_name: 'Em Hall', title: 'CTO', work: true })).toMatchObject({
      status: 200,
      body: { id: first.id, title: 'CTO', external_id: 'erp 1/ä', version: 2 },
    })
    expect(await api.json('PUT', path, { contact_name: 'Em', external_id: 'another' })).toMatchObject({
      status: 422,
      body: { code: 'external_id_contradicts_address' },
    })
    expect(await api.json('PUT', path, { contact_nam: 'Em' })).toMatchObject({ status: 422 })
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        api.json('PUT', `${CARDS}/by-external-id/new-1`, { name: `Beans ${n}`, kind: 'deal' }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(answers[0]!.body).toMatchObject({ kind: 'deal', external_id: 'new-1' })
    for (const [noun, body] of [
      ['leads', { contact_name: 'Fay' }],
      ['accounts', { name: 'Brightside' }],
      ['contacts', { name: 'Gus Oak' }],
    ] as const) {
      const at = `/external/v1/${noun}/by-external-id/sap-1`
      const made = await api.json('PUT', at, body)
      expect(made, noun).toMatchObject({ status: 200, body: { external_id: 'sap-1', version: 1 } })
      expect(await api.json('PUT', at, { ...body, tags: ['vip'] }), noun).toMatchObject({
        status: 200,
        body: { id: made.body.id, tags: ['vip'], version: 2 },
      })
    }
  })
})

describe('every noun', () => {
  test('F71: leads, contacts, accounts, tasks, notes and activities are listed, made, read and changed', async () => {
    const lead = await make({ contact_name: 'Hal Reed' })
    const subject = { kind: 'lead', id: lead.id }
    const nouns: [string, object, object][] = [
      ['leads', { contact_name: 'Ida Stone' }, { title: 'Buyer' }],
      ['contacts', { name: 'Jo West' }, { title: 'Buyer' }],
      ['accounts', { name: 'Westside' }, { segment: 'Cafés' }],
      ['tasks', { title: 'Call', subjects: [subject] }, { priority: 'high' }],
      ['notes', { subject, body: 'Prefers calls' }, { body: 'Prefers e-mail' }],
      [
        'activities',
        { type: 'call_logged', subjects: [subject], data: { subject: 'Hello' } },
        { data: { subject: 'Hello again' } },
      ],
    ]
    for (const [noun, body, change] of nouns) {
      const path = `/external/v1/${noun}`
      const made = await api.json('POST', path, body)
      expect(made.status, `${noun} ${JSON.stringify(made.body)}`).toBe(201)
      const one = `${path}/${made.body.id}`
      expect((await api.json('GET', one)).body.id, noun).toBe(made.body.id)
      const changed = await api.json('PATCH', one, change)
      expect(changed, noun).toMatchObject({ status: 200, body: change })
      expect(changed.body.version, noun).toBe(made.body.version + 1)
      expect(await api.json('PATCH', one, { ...change, version: made.body.version }), noun).toMatchObject({
        status: 412,
      })
      const { body: listed } = await api.json('GET', `${path}?limit=200`)
      expect(
        listed.data.map(({ id }: any) => id),
        noun,
      ).toContain(made.body.id)
      const batch = await api.json('POST', `${path}/batch`, {
        items: [body, { ...change, id: made.body.id }],
      })
      expect(batch, noun).toMatchObject({
        status: 200,
        body: {
          succeeded: 2,
          failed: 0,
          results: [
            { index: 0, status: 201, id: expect.any(String) },
            { index: 1, status: 200, id: made.body.id },
          ],
        },
      })
    }
  })
})
