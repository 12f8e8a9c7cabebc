import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readBoard } from '../db/board.ts'
import { inTx } from '../db/context.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { changeStage } from '../db/pipeline-stages.ts'
import { defaultPipeline, type Pipeline } from '../db/pipelines.ts'
import { archiveRecord } from '../db/records.ts'
import { openApi, type ApiWorld } from './api.ts'
import { columnOf, makeDeal, stageIn } from './cards.ts'
import { makeLead, parkEmail } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const fresh = (record_kind: 'lead' | 'deal' = 'deal'): Promise<Pipeline> =>
  createPipeline(api.ctx, { template: 'sales', record_kind })

const dealIn = (pipeline: Pipeline, which: number, fields: Parameters<typeof makeDeal>[1] = {}) =>
  makeDeal(api.ctx, { pipeline_id: pipeline.id, stage_id: stageIn(pipeline, which).id, ...fields })

const board = async (pipeline: Pipeline, query = '') => {
  const { status, body } = await api.json('GET', `/api/board?pipeline_id=${pipeline.id}${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

const idsOf = (column: { cards: { id: string }[] }): string[] => column.cards.map(({ id }) => id)

/** Puts a card's arrival in its stage some days back. */
const enteredDaysAgo = (id: string, days: number) =>
  inTx(
    api.ctx,
    ({ tx, organization_id }) => tx`
      update opportunities set stage_entered_at = now() - make_interval(days => ${days}) - interval '1 minute'
      where organization_id = ${organization_id} and id = ${id}`,
  )

describe('F1: the board', () => {
  test('has every stage with its count and sums, and its cards in their order', async () => {
    const pipeline = await fresh()
    const cards: Opportunity[] = []
    for (let n = 0; n < 4; n++)
      cards.push(await dealIn(pipeline, 0, { value_minor: 1_000 * n, currency: 'EUR' }))
    const other = await dealIn(pipeline, 2, { value_minor: 500, currency: 'USD' })
    await archiveRecord(api.ctx, { kind: 'deal', id: cards[1]!.id })
    await moveOpportunity(api.ctx, cards[3]!.id, {
      stage_id: stageIn(pipeline, 0).id,
      before_id: cards[0]!.id,
    })

    const { pipeline: head, stages } = await board(pipeline)
    expect(head).toMatchObject({ id: pipeline.id, name: 'Sales', record_kind: 'deal' })
    expect(
      stages.map((stage: any) => [stage.label, stage.kind, stage.count, stage.totals, stage.next_cursor]),
    ).toEqual([
      ['Prospect', 'open', 3, [{ currency: 'EUR', count: 3, value_minor: 5_000, weighted_minor: 500 }], null],
      ['Qualified', 'open', 0, [], null],
      [
        'Negotiation',
        'open',
        1,
        [{ currency: 'USD', count: 1, value_minor: 500, weighted_minor: 300 }],
        null,
      ],
      ['Won', 'won', 0, [], null],
      ['Lost', 'lost', 0, [], null],
    ])
    expect(idsOf(stages[0])).toEqual([cards[3]!.id, cards[0]!.id, cards[2]!.id])
    // Only a card by itself says where each of its fields came from.
    const { origins, ...alone } = (await api.json('GET', `/api/opportunities/${other.id}`)).body
    expect(origins.length).toBeGreaterThan(0)
    expect(stages[2].cards[0]).toEqual(alone)
  })

  test('pages each column by itself, and misses and repeats no card while others are added and moved', async () => {
    const pipeline = await fresh()
    for (let n = 0; n < 7; n++) await dealIn(pipeline, 0)
    const away = (await dealIn(pipeline, 1)).id
    const order = await columnOf(api.ctx, stageIn(pipeline, 0).id)
    const first = (await board(pipeline, '&limit=3')).stages
    expect(first[0]).toMatchObject({ count: 7 })
    expect(idsOf(first[0])).toEqual(order.slice(0, 3))
    expect(first[1].next_cursor).toBeNull()

    const stage_id = stageIn(pipeline, 0).id
    const seen = idsOf(first[0])
    let cursor: string | null = first[0].next_cursor
    await moveOpportunity(api.ctx, away, { stage_id, before_id: order[0] })
    await dealIn(pipeline, 0)
    while (cursor !== null) {
      const { stages } = await board(pipeline, `&limit=3&stage_id=${stage_id}&cursor=${cursor}`)
      expect(stages).toHaveLength(1)
      expect(stages[0]).toMatchObject({ id: stage_id, count: 9 })
      seen.push(...idsOf(stages[0]))
      cursor = stages[0].next_cursor
    }
    expect(seen.slice(0, 7)).toEqual(order)
    expect(seen).toHaveLength(8)
    expect(new Set(seen).size).toBe(8)
  })

  test('cards at one and the same place are still all there, once', async () => {
    const pipeline = await fresh()
    for (let n = 0; n < 5; n++) await dealIn(pipeline, 0)
    const stage_id = stageIn(pipeline, 0).id
    await inTx(
      api.ctx,
      ({ tx, organization_id }) =>
        tx`update opportunities set position = 'a0' where organization_id = ${organization_id} and stage_id = ${stage_id}`,
    )
    const seen: string[] = []
    let cursor: string | null | undefined
    do {
      const { stages } = await board(
        pipeline,
        `&limit=2&stage_id=${stage_id}${cursor ? `&cursor=${cursor}` : ''}`,
      )
      seen.push(...idsOf(stages[0]))
      cursor = stages[0].next_cursor
    } while (cursor)
    expect(seen.toSorted()).toEqual((await columnOf(api.ctx, stage_id)).toSorted())
  })

  test('big letters come before small ones in the order of a column, as fractional indexes want it', async () => {
    const pipeline = await fresh()
    const stage_id = stageIn(pipeline, 0).id
    const [a, b, c] = [await dealIn(pipeline, 0), await dealIn(pipeline, 0), await dealIn(pipeline, 0)]
    for (const [card, position] of [
      [a, 'a0a'],
      [b, 'Zz'],
      [c, 'a0V'],
    ] as const)
      await inTx(
        api.ctx,
        ({ tx, organization_id }) =>
          tx`update opportunities set position = ${position} where organization_id = ${organization_id} and id = ${card.id}`,
      )
    expect(idsOf((await board(pipeline)).stages[0])).toEqual([b.id, c.id, a.id])
    const [first] = (await board(pipeline, `&limit=1`)).stages
    const next = await board(pipeline, `&limit=1&stage_id=${stage_id}&cursor=${first.next_cursor}`)
    expect(idsOf(next.stages[0])).toEqual([c.id])
  })
})

test('F5: each card says how long it has been in its stage, and whether it is stuck there', async () => {
  const pipeline = await fresh()
  const { id: stage_id } = stageIn(pipeline, 0)
  await changeStage(api.ctx, pipeline.id, stage_id, { rot_days: 7 })
  const [young, due, old] = [await dealIn(pipeline, 0), await dealIn(pipeline, 0), await dealIn(pipeline, 0)]
  const never = await dealIn(pipeline, 1)
  await enteredDaysAgo(due.id, 6)
  await enteredDaysAgo(old.id, 8)
  await enteredDaysAgo(never.id, 400)
  const { stages } = await board(pipeline)
  const says = stages
    .flatMap(({ cards }: { cards: any[] }) => cards)
    .map((card: any) => [card.id, card.days_in_stage, card.stuck])
  expect(says).toEqual([
    [young.id, 0, false],
    [due.id, 6, false],
    [old.id, 8, true],
    [never.id, 400, false],
  ])
  await moveOpportunity(api.ctx, old.id, { stage_id: stageIn(pipeline, 1).id })
  const [, qualified] = (await board(pipeline)).stages
  expect(qualified.cards.at(-1)).toMatchObject({ id: old.id, days_in_stage: 0, stuck: false })
})

describe('F21: filters and search on the board', () => {
  test('leave only what matches, counted and summed', async () => {
    const pipeline = await fresh()
    await dealIn(pipeline, 0, { name: 'Grinders for Brightside', value_minor: 5_000, tags: ['vip'] })
    await dealIn(pipeline, 0, { name: 'Filters for Moss', value_minor: 100, tags: ['vip', 'late'] })
    await dealIn(pipeline, 1, { name: 'Kettles for Brightside', value_minor: 7_000 })
    const counts = async (query: string): Promise<[number, number][]> =>
      (await board(pipeline, query)).stages
        .slice(0, 2)
        .map((stage: any) => [stage.count, stage.totals[0]?.value_minor ?? 0])
    const filter = (value: unknown) => `&filter=${encodeURIComponent(JSON.stringify(value))}`
    expect(await counts('')).toEqual([
      [2, 5_100],
      [1, 7_000],
    ])
    expect(await counts(filter({ field: 'value_minor', op: 'gte', value: 5_000 }))).toEqual([
      [1, 5_000],
      [1, 7_000],
    ])
    expect(await counts(filter({ field: 'tags', op: 'any', value: ['vip'] }))).toEqual([
      [2, 5_100],
      [0, 0],
    ])
    expect(await counts('&q=brightside')).toEqual([
      [1, 5_000],
      [1, 7_000],
    ])
    expect(await counts(`&q=brightside${filter({ field: 'value_minor', op: 'lt', value: 6_000 })}`)).toEqual([
      [1, 5_000],
      [0, 0],
    ])
    const { stages } = await board(pipeline, '&q=brightside')
    expect(stages[0].cards.map(({ name }: { name: string }) => name)).toEqual(['Grinders for Brightside'])
  })

  test('a filtered column goes on where it stopped', async () => {
    const pipeline = await fresh()
    for (let n = 0; n < 9; n++) await dealIn(pipeline, 0, { tags: n % 2 ? ['odd'] : ['even'] })
    const filter = `&filter=${encodeURIComponent(JSON.stringify({ field: 'tags', op: 'any', value: ['even'] }))}`
    const [first] = (await board(pipeline, `&limit=2${filter}`)).stages
    expect(first).toMatchObject({ count: 5, cards: { length: 2 } })
    const [next] = (
      await board(pipeline, `&limit=200${filter}&stage_id=${first.id}&cursor=${first.next_cursor}`)
    ).stages
    expect(next).toMatchObject({ count: 5, cards: { length: 3 }, next_cursor: null })
  })

  test('stuck cards alone, and archived ones when asked for', async () => {
    const pipeline = await fresh()
    await changeStage(api.ctx, pipeline.id, stageIn(pipeline, 0).id, { rot_days: 1 })
    const [old, gone] = [await dealIn(pipeline, 0), await dealIn(pipeline, 0)]
    await dealIn(pipeline, 0)
    await enteredDaysAgo(old.id, 3)
    await archiveRecord(api.ctx, { kind: 'deal', id: gone.id })
    const found = async (filter: unknown): Promise<string[]> =>
      idsOf((await board(pipeline, `&filter=${encodeURIComponent(JSON.stringify(filter))}`)).stages[0])
    expect(await found({ field: 'stuck', op: 'eq', value: true })).toEqual([old.id])
    expect(await found({ field: 'archived', op: 'eq', value: true })).toEqual([gone.id])
  })
})

test('a board of leads shows what waits for a person on them', async () => {
  const pipeline = await fresh('lead')
  const lead = await makeLead(api.ctx, { pipeline_id: pipeline.id })
  await parkEmail({ db: api.db, ctx: api.ctx }, lead)
  const { stages } = await board(pipeline)
  expect(stages[0].cards).toMatchObject([{ id: lead.id, kind: 'lead', pending_approvals: 1 }])
})

test.each([
  ['', 422, 'invalid_input', '/pipeline_id'],
  ['?pipeline_id=leads', 422, 'invalid_input', '/pipeline_id'],
  ['?pipeline_id=$&limit=0', 422, 'invalid_input', '/limit'],
  ['?pipeline_id=$&limit=201', 422, 'invalid_input', '/limit'],
  ['?pipeline_id=$&sort=name', 422, 'invalid_input', '/sort'],
  ['?pipeline_id=$&cursor=abc', 422, 'stage_required', '/stage_id'],
  ['?pipeline_id=$&stage_id=#&cursor=abc', 422, 'invalid_cursor', '/cursor'],
  ['?pipeline_id=$&stage_id=#&cursor=WyJwb3NpdGlvbixpZCIsMSwyXQ', 422, 'invalid_cursor', '/cursor'],
  ['?pipeline_id=$&filter={', 422, 'invalid_input', '/filter'],
  [
    '?pipeline_id=$&filter={"field":"vaule_minor","op":"gt","value":1}',
    422,
    'unknown_field',
    '/filter/field',
  ],
])('%s is refused, and says what is wrong', async (query, status, code, pointer) => {
  const pipeline = await defaultPipeline(api.ctx, 'deal')
  const answer = await api.json(
    'GET',
    `/api/board${query.replace('$', pipeline.id).replace('#', pipeline.stages[0]!.id)}`,
  )
  expect(answer).toMatchObject({ status, body: { code } })
  expect(answer.body.errors[0].pointer).toBe(pointer)
})

test('there is no board of a pipeline, nor a column of a stage, that is not there', async () => {
  const pipeline = await defaultPipeline(api.ctx, 'deal')
  const nobody = '01990000-0000-7000-8000-000000000000'
  expect(await api.json('GET', `/api/board?pipeline_id=${nobody}`)).toMatchObject({
    status: 404,
    body: { code: 'pipeline_not_found' },
  })
  const { stages } = await defaultPipeline(api.ctx, 'lead')
  for (const stage_id of [nobody, stages[0]!.id])
    expect(await api.json('GET', `/api/board?pipeline_id=${pipeline.id}&stage_id=${stage_id}`)).toMatchObject(
      {
        status: 404,
        body: { code: 'stage_not_found' },
      },
    )
})

test('archived cards are passed over, however many lie on top, and count for nothing', async () => {
  const pipeline = await fresh()
  const { id } = await dealIn(pipeline, 0)
  await inTx(
    api.ctx,
    ({ tx, organization_id }) => tx`
      insert into opportunities (organization_id, id, kind, name, pipeline_id, stage_id, position, origin, value_minor, currency, archived_at)
      select ${organization_id}, gen_random_uuid(), 'deal', 'Deal ' || n, pipeline_id, stage_id, 'a' || lpad(n::text, 6, '0') || 'V', origin, 100, 'EUR',
        case when n <= 3000 then now() end
      from opportunities, generate_series(1, 9000) n where organization_id = ${organization_id} and id = ${id}`,
  )
  const { stages } = await readBoard(api.ctx, { pipeline_id: pipeline.id })
  expect(stages[0]).toMatchObject({ count: 6_001, cards: { length: 25 } })
  expect(stages[0]!.cards.slice(0, 3).map(({ name }) => name)).toEqual([
    'Machines for 12 cafés',
    'Deal 3001',
    'Deal 3002',
  ])
  const next = await moveOpportunity(api.ctx, (await dealIn(pipeline, 1)).id, {
    stage_id: stageIn(pipeline, 0).id,
  })
  expect((await columnOf(api.ctx, stageIn(pipeline, 0).id)).at(-1)).toBe(next.id)
})
