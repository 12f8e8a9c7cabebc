import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { postLead } from './posted-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const makeLead = (fields?: object) => postLead(api, fields)

describe('versions', () => {
  test('a change names the version it was made upon, in the body or as If-Match', async () => {
    const lead = await makeLead({ email: 'version@brightside.example' })
    const path = `/api/leads/${lead.id}`
    expect(await api.json('PATCH', path, { title: 'CEO' })).toMatchObject({
      status: 428,
      body: { code: 'version_required' },
    })
    expect(await api.json('PATCH', path, { title: 'CEO', version: lead.version })).toMatchObject({
      status: 200,
      body: { title: 'CEO', version: lead.version + 1 },
    })
    expect(await api.json('PATCH', path, { title: 'CFO', version: lead.version })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { title: 'CEO', version: lead.version + 1 } },
    })
    const etag = (await api.ask('GET', path)).headers.get('etag')!
    expect(etag).toBe(`"${lead.version + 1}"`)
    expect(await api.json('PATCH', path, { title: null }, { 'if-match': etag })).toMatchObject({
      status: 200,
      body: { title: null },
    })
    expect(await api.json('PATCH', path, { title: 'x', version: 'seven' })).toMatchObject({ status: 422 })
  })

  test('an act may name one: as version or If-Match it counts, without it goes through', async () => {
    const lead = await makeLead({ email: 'act@brightside.example' })
    const { body: pipelines } = await api.json('GET', '/api/pipelines')
    const { stages } = pipelines.data.find((pipeline: any) => pipeline.id === lead.pipeline_id)
    const move = (stage: number, more: object = {}, headers: Record<string, string> = {}) =>
      api.json('POST', `/api/opportunities/${lead.id}/move`, { stage_id: stages[stage].id, ...more }, headers)
    const late = { status: 412, body: { code: 'version_mismatch', current: { version: lead.version } } }
    expect(await move(1, { version: lead.version + 1 })).toMatchObject(late)
    expect(await move(1, {}, { 'if-match': `"${lead.version + 1}"` })).toMatchObject(late)
    expect(await move(1, {}, { 'if-match': `"${lead.version}"` })).toMatchObject({ status: 200 })
    expect(await move(2)).toMatchObject({ status: 200, body: { version: lead.version + 2 } })
  })
})

describe('leads', () => {
  test('one is made, found, moved and worked, and its timeline tells who did it', async () => {
    const lead = await makeLead({ contact_name: 'Bo Lind', email: 'bo@lind.example', work: true })
    expect(lead).toMatchObject({
      kind: 'lead',
      run_status: 'queued',
      origin: { door: 'api' },
      origins: expect.any(Array),
    })
    const found = await api.json('GET', `/api/leads?q=lind&sort=-created_at&limit=1`)
    expect(found.body.data).toMatchObject([{ id: lead.id }])
    const { body: pipelines } = await api.json('GET', '/api/pipelines')
    const stages = pipelines.data.find((pipeline: any) => pipeline.id === lead.pipeline_id).stages
    const moved = await api.json('POST', `/api/opportunities/${lead.id}/move`, {
      stage_id: stages[1].id,
      reason: 'They called',
    })
    expect(moved).toMatchObject({ status: 200, body: { stage: { label: stages[1].label } } })
    const timeline = await api.json('GET', `/api/leads/${lead.id}/timeline?actor=human`)
    expect(timeline.body.data.map(({ type, actor }: any) => [type, actor.kind, actor.name])).toEqual([
      ['stage_changed', 'api_key', 'Everything'],
      ['lead_imported', 'api_key', 'Everything'],
    ])
    expect(timeline.body.data[0]).toMatchObject({
      reason: 'They called',
      summary: expect.stringContaining('moved it from'),
    })
  })

  test('F25: the line that tells of it calls it by its own name, and without one by who it is', async () => {
    for (const [fields, name] of [
      [{ name: 'Twelve cafés', contact_name: 'Ana Ruiz', company_name: 'Brightside' }, 'Twelve cafés'],
      [{ contact_name: 'Ana Ruiz', company_name: 'Brightside' }, 'Ana Ruiz'],
      [{ contact_name: undefined, email: 'nameless@brightside.example' }, 'nameless@brightside.example'],
    ] as const) {
      const lead = await makeLead(fields)
      const { body } = await api.json('GET', `/api/leads/${lead.id}/timeline`)
      expect(body.data.find(({ type }: any) => type === 'lead_imported').data).toMatchObject({ name })
    }
  })

  test('one that is made by hand or by a program wakes no agent unless it is said so', async () => {
    const lead = await makeLead({ email: 'quiet@brightside.example' })
    expect(lead).toMatchObject({ run_status: null })
    expect((await api.json('GET', `/api/runs?subject_id=${lead.id}`)).body.data).toEqual([])
  })

  test('asking an agent answers at once with a run; asking twice is one', async () => {
    const lead = await makeLead({ email: 'ask@brightside.example' })
    const first = await api.json('POST', `/api/leads/${lead.id}/suggest`)
    expect(first).toMatchObject({ status: 202, body: { run_id: expect.any(String) } })
    expect((await api.json('POST', `/api/leads/${lead.id}/suggest`, {})).body).toEqual(first.body)
    const run = await api.json('GET', `/api/runs/${first.body.run_id}`)
    expect(run.body).toMatchObject({
      status: 'queued',
      agent_title: 'Lead worker',
      subject_label: 'Ana Ruiz',
      trigger: { kind: 'request', ask: 'suggest' },
      requested_by: { kind: 'api_key' },
      steps: [],
    })
    expect(await api.json('POST', `/api/runs/${run.body.id}/retry`)).toMatchObject({
      status: 409,
      body: { code: 'run_not_ended', status: 409, state: 'queued' },
    })
    expect(await api.json('POST', `/api/runs/${run.body.id}/cancel`)).toMatchObject({
      status: 200,
      body: { status: 'cancelled' },
    })
    expect(await api.json('POST', `/api/runs/${run.body.id}/retry`)).toMatchObject({ status: 202 })
  })

  test('pages neither repeat nor miss a lead', async () => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await api.json(
        'GET',
        `/api/leads?limit=2&sort=name&cursor=${encodeURIComponent(cursor)}`,
      )
      seen.push(...body.data.map(({ id }: any) => id))
      cursor = body.next_cursor ?? ''
    } while (cursor)
    const all = await api.json('GET', '/api/leads?limit=200')
    expect(seen.toSorted()).toEqual(all.body.data.map(({ id }: any) => id).toSorted())
  })

  test('notes and tasks are put on a lead', async () => {
    const lead = await makeLead({ email: 'notes@brightside.example' })
    const subject = { kind: 'lead', id: lead.id }
    expect(await api.json('POST', '/api/notes', { subject, body: 'Call before noon' })).toMatchObject({
      status: 201,
    })
    expect((await api.json('GET', `/api/notes?subject_id=${lead.id}`)).body.data).toMatchObject([
      { body: 'Call before noon' },
    ])
    const task = await api.json('POST', '/api/tasks', { title: 'Call', subjects: [subject] })
    expect(task.status).toBe(201)
    expect(await api.json('POST', `/api/tasks/${task.body.id}/complete`)).toMatchObject({
      status: 200,
      body: { status: 'done' },
    })
    expect((await api.json('GET', `/api/tasks?subject_id=${lead.id}&status=done`)).body.data).toHaveLength(1)
    expect(
      await api.json('POST', '/api/notes', {
        subject: { kind: 'lead', id: '01990000-0000-7000-8000-000000000000' },
        body: 'x',
      }),
    ).toMatchObject({ status: 404 })
  })
})
