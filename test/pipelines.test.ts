import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { changePipeline } from '../db/pipeline-editing.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deletePipeline } from '../db/pipeline-deletion.ts'
import { restorePipeline } from '../db/pipeline-restoring.ts'
import { addStage, changeStage, deleteStage } from '../db/pipeline-stages.ts'
import { defaultPipeline, getPipeline } from '../db/pipelines.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { asAgent } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const made = async (body: unknown) => {
  const answer = await api.json('POST', '/api/pipelines', body)
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body
}

const labels = ({ stages }: { stages: { label: string }[] }): string[] => stages.map(({ label }) => label)

/** The newest line about a pipeline. */
const lastLine = async (id: string) => {
  const { data } = await listActivities(api.ctx, { subject: { kind: 'pipeline', id }, limit: 1 })
  return data[0]!
}

describe('F6, F7: pipelines are set up', () => {
  test('from each of the three templates, as many as one likes', async () => {
    for (const [template, name, open] of [
      ['sales', 'Sales', 3],
      ['opportunities', 'Opportunities', 4],
      ['agent_funnel', 'Leads', 5],
    ] as const) {
      const pipeline = await made({ template })
      expect(pipeline).toMatchObject({
        name,
        template,
        is_default: false,
        lost_reason: 'required',
        version: 1,
      })
      expect(pipeline.stages.map(({ kind }: { kind: string }) => kind)).toEqual([
        ...Array.from({ length: open }, () => 'open'),
        'won',
        'lost',
      ])
    }
    for (let n = 0; n < 20; n++) await made({ template: 'sales', name: `Region ${n}` })
    const { body } = await api.json('GET', '/api/pipelines')
    expect(body.data.filter(({ name }: { name: string }) => name.startsWith('Region'))).toHaveLength(20)
  })

  test('with nothing said, from the template for its kind of record: one button does it', async () => {
    expect(await made({})).toMatchObject({ template: 'opportunities', record_kind: 'deal' })
    expect(await made({ record_kind: 'lead' })).toMatchObject({
      template: 'agent_funnel',
      record_kind: 'lead',
    })
  })

  test('an organization whose deal pipelines are all gone gets its first one by that button, and it is the default', async () => {
    const { ctx, owner } = await api.other()
    const key = await api.keyFor('owner', ctx)
    const as = { authorization: `Bearer ${key}` }
    const deals = await defaultPipeline(ctx, 'deal')
    expect((await api.json('DELETE', `/api/pipelines/${deals.id}`, undefined, as)).status).toBe(204)
    await expect(defaultPipeline(ctx, 'deal')).rejects.toMatchObject({ code: 'pipeline_missing' })
    const { body } = await api.json('POST', '/api/pipelines', {}, as)
    expect(body).toMatchObject({ record_kind: 'deal', is_default: true })
    expect((await defaultPipeline(ctx, 'deal')).id).toBe(body.id)
    expect(owner.role).toBe('owner')
  })

  test('with stages of its own, which get a way to win and one to lose', async () => {
    const pipeline = await made({
      name: 'Onboarding',
      description: 'After the signature',
      record_kind: 'deal',
      lost_reason: 'optional',
      stages: [
        { label: 'Kick-off', close_probability: 20, rot_days: 7, color: 'teal', description: 'First call' },
        { label: 'Live' },
        { label: 'Churned', kind: 'lost', color: '#AA0000' },
      ],
    })
    expect(pipeline).toMatchObject({
      template: null,
      lost_reason: 'optional',
      description: 'After the signature',
    })
    expect(
      pipeline.stages.map((stage: Record<string, unknown>) => [
        stage['label'],
        stage['kind'],
        stage['close_probability'],
        stage['rot_days'],
        stage['color'],
        stage['position'],
      ]),
    ).toEqual([
      ['Kick-off', 'open', 20, 7, 'teal', 0],
      ['Live', 'open', 75, null, 'neutral', 1],
      ['Churned', 'lost', 0, null, '#AA0000', 2],
      ['Won', 'won', 100, null, 'neutral', 3],
    ])
  })

  test.each([
    [{ template: 'enterprise' }, 422, 'invalid_input', '/template'],
    [{ template: 'sales', stages: [{ label: 'A' }] }, 422, 'template_or_stages', '/stages'],
    [{ stages: [{ label: 'A' }] }, 422, 'pipeline_name_required', '/name'],
    [{ name: 'X', stages: [] }, 422, 'invalid_input', '/stages'],
    [{ name: 'X', stages: [{ label: 'Won', kind: 'won' }] }, 422, 'stage_missing', '/stages'],
    [
      { name: 'X', stages: [{ label: 'A' }, { label: 'B', kind: 'won' }, { label: 'C', kind: 'won' }] },
      409,
      'stage_protected',
      '/stages/2/kind',
    ],
    [{ name: 'X', stages: [{ label: 'A' }, { label: ' a ' }] }, 409, 'stage_label_taken', '/stages'],
    [
      { name: 'X', stages: [{ label: 'A', close_probability: 100 }] },
      422,
      'stage_probability',
      '/stages/0/close_probability',
    ],
    [
      { name: 'X', stages: [{ label: 'A', close_probability: 12.5 }] },
      422,
      'stage_probability',
      '/stages/0/close_probability',
    ],
    [{ name: 'X', stages: [{ label: '' }] }, 422, 'invalid_input', '/stages/0/label'],
    [{ name: 'X', stages: [{ label: 'A', color: 'mauve' }] }, 422, 'invalid_input', '/stages/0/color'],
    [{ name: 'X', stages: [{ label: 'A', rot_days: 0 }] }, 422, 'invalid_input', '/stages/0/rot_days'],
    [{ name: 'X', record_kind: 'account' }, 422, 'invalid_input', '/record_kind'],
    [{ name: 'X'.repeat(81) }, 422, 'invalid_input', '/name'],
    [{ nmae: 'X' }, 422, 'invalid_input', '/nmae'],
    [{ after_id: '01990000-0000-7000-8000-000000000000' }, 422, 'neighbour_not_found', '/after_id'],
    [
      { name: 'X', stages: Array.from({ length: 50 }, (_, n) => ({ label: `S${n}` })) },
      422,
      'too_many_stages',
      '/stages',
    ],
  ])('bad input %j is refused, and says where', async (body, status, code, pointer) => {
    const answer = await api.json('POST', '/api/pipelines', body)
    expect(answer).toMatchObject({ status, body: { code } })
    expect(answer.body.errors.map((each: { pointer: string }) => each.pointer)).toContain(pointer)
  })
})

describe('F11: a pipeline is changed', () => {
  test('its name, description and what losing takes, upon the version that was read, with a line that can be taken back', async () => {
    const pipeline = await made({ template: 'sales' })
    const path = `/api/pipelines/${pipeline.id}`
    const change = { name: 'Partners', description: 'Through partners', lost_reason: 'optional' }
    expect(await api.json('PATCH', path, change)).toMatchObject({
      status: 428,
      body: { code: 'version_required' },
    })
    expect(await api.json('PATCH', path, { ...change, version: 1 })).toMatchObject({
      status: 200,
      body: { ...change, version: 2 },
    })
    expect(await api.json('PATCH', path, { name: 'Late', version: 1 })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { id: pipeline.id, version: 2, name: 'Partners' } },
    })
    expect(await api.json('PATCH', path, { name: 'Header' }, { 'if-match': '"2"' })).toMatchObject({
      status: 200,
      body: { name: 'Header', version: 3 },
    })
    const line = await lastLine(pipeline.id)
    expect(line).toMatchObject({
      type: 'settings_changed',
      actor: { kind: 'api_key' },
      data: { changes: [{ field: 'name', before: 'Partners', after: 'Header' }] },
      summary: 'changed the pipeline “Partners”: name',
    })
    await undoActivity(api.ctx, line.id)
    expect(await getPipeline(api.ctx, pipeline.id)).toMatchObject({ name: 'Partners', version: 4 })
    const same = await api.json('PATCH', path, { name: 'Partners', version: 4 })
    expect(same.body.version).toBe(4)
  })

  test('names and probabilities of several stages and their order at once, or nothing of it', async () => {
    const pipeline = await made({ template: 'sales' })
    const path = `/api/pipelines/${pipeline.id}`
    const [prospect, qualified, negotiation, won, lost] = pipeline.stages
    const answer = await api.json('PATCH', path, {
      stages: [
        { id: prospect.id, label: 'Qualified', close_probability: 25 },
        { id: qualified.id, label: 'Prospect' },
        { id: won.id, label: 'Signed', color: 'green', rot_days: null },
      ],
      stage_ids: [qualified.id, prospect.id, negotiation.id, lost.id, won.id],
      version: 1,
    })
    expect(answer.status).toBe(200)
    expect(labels(answer.body)).toEqual(['Prospect', 'Qualified', 'Negotiation', 'Lost', 'Signed'])
    expect(answer.body.stages.map(({ position }: { position: number }) => position)).toEqual([0, 1, 2, 3, 4])
    expect(answer.body.version).toBe(2)

    const half = await api.json('PATCH', path, {
      name: 'Never',
      stages: [
        { id: prospect.id, close_probability: 30 },
        { id: lost.id, close_probability: 5 },
      ],
      version: 2,
    })
    expect(half).toMatchObject({ status: 422, body: { code: 'stage_probability' } })
    expect(half.body.errors[0]).toMatchObject({ pointer: '/stages/1/close_probability', accepted: [0] })
    expect((await api.json('GET', path)).body).toEqual(answer.body)

    await undoActivity(api.ctx, (await lastLine(pipeline.id)).id)
    const back = await getPipeline(api.ctx, pipeline.id)
    expect(labels(back)).toEqual(labels(pipeline))
    expect(back.stages.map(({ close_probability }) => close_probability)).toEqual([10, 30, 60, 100, 0])
  })

  test.each([
    [{ stage_ids: [] }, 422, 'stage_order_incomplete'],
    [{ stages: [{ id: '01990000-0000-7000-8000-000000000000', label: 'X' }] }, 404, 'stage_not_found'],
    [{ stages: [{ label: 'X' }] }, 422, 'invalid_input'],
    [{ record_kind: 'lead' }, 422, 'invalid_input'],
    [{ lost_reason: 'never' }, 422, 'invalid_input'],
    [{ name: '   ' }, 422, 'invalid_input'],
    [{ name: null }, 422, 'invalid_input'],
  ])('%j is refused', async (change, status, code) => {
    const { id } = await made({ template: 'sales' })
    const answer = await api.json('PATCH', `/api/pipelines/${id}`, { ...change, version: 1 })
    expect(answer).toMatchObject({ status, body: { code } })
    expect((await getPipeline(api.ctx, id)).version).toBe(1)
  })

  test('the default is one of its kind: another one takes its place, nobody just gives it up', async () => {
    const old = await defaultPipeline(api.ctx, 'deal')
    const pipeline = await made({ template: 'sales', name: 'New default' })
    const taken = await api.json('PATCH', `/api/pipelines/${pipeline.id}`, { is_default: true, version: 1 })
    expect(taken.body.is_default).toBe(true)
    expect((await getPipeline(api.ctx, old.id)).is_default).toBe(false)
    expect((await defaultPipeline(api.ctx, 'deal')).id).toBe(pipeline.id)
    expect(
      await api.json('PATCH', `/api/pipelines/${pipeline.id}`, { is_default: false, version: 2 }),
    ).toMatchObject({ status: 409, body: { code: 'pipeline_is_default' } })
    expect((await defaultPipeline(api.ctx, 'lead')).record_kind).toBe('lead')
    const third = await made({ template: 'sales', is_default: true })
    expect((await defaultPipeline(api.ctx, 'deal')).id).toBe(third.id)
  })

  test('they stand in the order that people give them', async () => {
    const ids = async (): Promise<string[]> =>
      (await api.json('GET', '/api/pipelines')).body.data.map(({ id }: { id: string }) => id)
    const [first, second] = await ids()
    const last = await made({ template: 'sales' })
    expect((await ids()).at(-1)).toBe(last.id)
    const moved = await api.json('PATCH', `/api/pipelines/${last.id}`, { before_id: second, version: 1 })
    expect(moved).toMatchObject({ status: 200, body: { version: 2 } })
    expect((await ids()).slice(0, 3)).toEqual([first, last.id, second])
    expect(
      await api.json('PATCH', `/api/pipelines/${last.id}`, { after_id: last.id, version: 2 }),
    ).toMatchObject({
      status: 422,
      body: { code: 'neighbour_not_found' },
    })
  })

  test('people who change it at once do not lose each other’s change', async () => {
    const { id, stages } = await made({ template: 'sales' })
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        api.json('PATCH', `/api/pipelines/${id}/stages/${stages[0].id}`, { label: `Try ${n}`, version: 1 }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: 7 }, () => 412),
    ])
    expect((await getPipeline(api.ctx, id)).version).toBe(2)
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        api.json('POST', `/api/pipelines/${id}/stages`, { label: `Added ${n}`, close_probability: 50 }),
      ),
    )
    const after = await getPipeline(api.ctx, id)
    expect(after.stages.map(({ position }) => position)).toEqual(after.stages.map((_, n) => n))
    expect(after).toMatchObject({ version: 10, stages: expect.objectContaining({ length: 13 }) })
  })
})

test('counts and archived pipelines are there when asked for', async () => {
  const { id, stages } = await made({ template: 'agent_funnel', name: 'Counted' })
  await makeLead(api.ctx, { pipeline_id: id })
  await makeLead(api.ctx, { pipeline_id: id, stage_id: stages[1].id })
  await makeLead(api.ctx, { pipeline_id: id, stage_id: stages[1].id })
  const one = await api.json('GET', `/api/pipelines/${id}?counts=true`)
  expect(one.body.stages.map(({ count }: { count: number }) => count)).toEqual([1, 2, 0, 0, 0, 0, 0])
  const list = await api.json('GET', '/api/pipelines?counts=true')
  expect(list.body.data.find((each: { id: string }) => each.id === id).stages[1].count).toBe(2)
  const plain = await api.json('GET', `/api/pipelines/${id}`)
  expect(plain.body.stages[0]).not.toHaveProperty('count')

  const gone = await made({ template: 'sales', name: 'Gone' })
  expect((await api.json('DELETE', `/api/pipelines/${gone.id}`)).status).toBe(204)
  const names = async (query: string): Promise<string[]> =>
    (await api.json('GET', `/api/pipelines${query}`)).body.data.map(({ name }: { name: string }) => name)
  expect(await names('')).not.toContain('Gone')
  expect(await names('?include_archived=false')).not.toContain('Gone')
  expect((await names('?include_archived=true')).at(-1)).toBe('Gone')
  expect(await api.json('GET', '/api/pipelines?include_archived=perhaps')).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/include_archived' }] },
  })
  expect((await api.json('GET', `/api/pipelines/${gone.id}`)).body.archived_at).toBeTruthy()
})

test('F8: the stage ladder is ground truth: an agent is refused every change of it, by the record itself', async () => {
  const { id, stages } = await made({ template: 'sales' })
  const agent = asAgent(api.ctx, '01990000-0000-7000-8000-000000000000')
  const before = await getPipeline(api.ctx, id)
  for (const act of [
    () => createPipeline(agent, { template: 'sales' }),
    () => changePipeline(agent, id, { name: 'Mine' }),
    () =>
      changePipeline(agent, id, { stage_ids: stages.map((stage: { id: string }) => stage.id).toReversed() }),
    () => addStage(agent, id, { label: 'Mine' }),
    () => changeStage(agent, id, stages[0].id, { close_probability: 90 }),
    () => deleteStage(agent, id, stages[0].id),
    () => deletePipeline(agent, id),
    () => restorePipeline(agent, id),
  ]) {
    await expect(act()).rejects.toMatchObject({ kind: 'forbidden', code: 'ladder_is_ground_truth' })
  }
  expect(await getPipeline(api.ctx, id)).toEqual(before)
})

test('another organization’s pipelines are not there', async () => {
  const { id, stages } = await made({ template: 'sales' })
  const { ctx } = await api.other()
  const as = { authorization: `Bearer ${await api.keyFor('owner', ctx)}` }
  const mine = await defaultPipeline(ctx, 'deal')
  const asked: [string, string, unknown?][] = [
    ['GET', `/api/pipelines/${id}`],
    ['PATCH', `/api/pipelines/${id}`, { name: 'Mine', version: 1 }],
    ['DELETE', `/api/pipelines/${id}`],
    ['POST', `/api/pipelines/${id}/restore`],
    ['POST', `/api/pipelines/${id}/preview`, {}],
    ['GET', `/api/pipelines/${id}/distribution`],
    ['GET', `/api/pipelines/${id}/probabilities`],
    ['POST', `/api/pipelines/${id}/stages`, { label: 'Mine' }],
    ['PATCH', `/api/pipelines/${id}/stages/${stages[0].id}`, { label: 'Mine', version: 1 }],
    ['DELETE', `/api/pipelines/${id}/stages/${stages[0].id}`],
    ['GET', `/api/board?pipeline_id=${id}`],
    ['PATCH', `/api/pipelines/${mine.id}/stages/${stages[0].id}`, { label: 'Mine', version: 1 }],
    ['GET', `/api/board?pipeline_id=${mine.id}&stage_id=${stages[0].id}`],
    ['DELETE', `/api/pipelines/${mine.id}`, { target_pipeline_id: id }],
  ]
  for (const [method, path, body] of asked)
    expect(await api.json(method, path, body, as), `${method} ${path}`).toMatchObject({ status: 404 })
  expect((await getPipeline(api.ctx, id)).version).toBe(1)
})
