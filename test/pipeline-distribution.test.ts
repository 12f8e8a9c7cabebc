import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setExchangeRate } from '../db/exchange-rates.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { changeStage } from '../db/pipeline-stages.ts'
import { getPipeline, type Pipeline } from '../db/pipelines.ts'
import { archiveRecord } from '../db/records.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal, stageIn } from './cards.ts'
import { loseCard } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
  const { version } = await readSettings(api.ctx)
  await changeSettings(api.ctx, { version, changes: { currency: 'EUR' } })
})
afterAll(() => api.stop())

const fresh = (): Promise<Pipeline> => createPipeline(api.ctx, { template: 'sales' })

/** A deal of a stage; `value` in minor units of its currency. */
const deal = (pipeline: Pipeline, which: number, value: number, currency = 'EUR') =>
  makeDeal(api.ctx, {
    pipeline_id: pipeline.id,
    stage_id: stageIn(pipeline, which).id,
    value_minor: value,
    currency,
  })

const total = (count: number, value_minor: number, weighted_minor: number, currency = 'EUR') => ({
  currency,
  count,
  value_minor,
  weighted_minor,
})

describe('F13: distribution', () => {
  test('says per stage and currency how many cards there are, what they are worth and how they weigh', async () => {
    const pipeline = await fresh()
    await deal(pipeline, 0, 10_000)
    await deal(pipeline, 0, 5_005)
    await makeDeal(api.ctx, { pipeline_id: pipeline.id, value_minor: undefined, currency: 'EUR' })
    await deal(pipeline, 1, 1_000)
    await deal(pipeline, 1, 3_000, 'JPY')
    await closeOpportunity(api.ctx, (await deal(pipeline, 2, 7_000)).id, { outcome: 'won' })
    await loseCard(api.ctx, (await deal(pipeline, 2, 9_000)).id)
    await archiveRecord(api.ctx, { kind: 'deal', id: (await deal(pipeline, 0, 1_000_000)).id })

    const { status, body } = await api.json('GET', `/api/pipelines/${pipeline.id}/distribution`)
    expect(status).toBe(200)
    expect(body.stages.map((stage: any) => [stage.label, stage.count, stage.totals])).toEqual([
      ['Prospect', 3, [total(3, 15_005, 1_501)]],
      ['Qualified', 2, [total(1, 1_000, 300), total(1, 3_000, 900, 'JPY')]],
      ['Negotiation', 0, []],
      ['Won', 1, [total(1, 7_000, 7_000)]],
      ['Lost', 1, [total(1, 9_000, 0)]],
    ])
    expect(body).toMatchObject({
      id: pipeline.id,
      name: 'Sales',
      count: 7,
      totals: [total(6, 32_005, 8_801), total(1, 3_000, 900, 'JPY')],
      open: { count: 5, totals: [total(4, 16_005, 1_801), total(1, 3_000, 900, 'JPY')] },
    })
    // No rate for yen: they are left out, and named.
    expect(body.open.converted).toEqual({ ...total(4, 16_005, 1_801), without_rate: ['JPY'] })
  })

  test('converts by the exchange rates, whatever the minor units of a currency are', async () => {
    const pipeline = await fresh()
    await deal(pipeline, 0, 10_000) // 100.00 EUR
    await deal(pipeline, 0, 20_000, 'USD') // 200.00 USD
    await deal(pipeline, 0, 30_000, 'JPY') // 30,000 JPY
    await deal(pipeline, 0, 5_000, 'KWD') // 5.000 KWD
    await deal(pipeline, 0, 1_000, 'CHF')
    for (const [currency, rate] of [
      ['USD', 0.9],
      ['JPY', 0.006],
      ['KWD', 3],
    ] as const)
      await setExchangeRate(api.ctx, currency, rate)
    const { body } = await api.json('GET', `/api/pipelines/${pipeline.id}/distribution`)
    // 100 + 180 + 180 + 15 EUR
    expect(body.converted).toEqual({ ...total(4, 47_500, 4_750), without_rate: ['CHF'] })
    expect(body.stages[0].converted).toEqual(body.converted)
    expect(body.stages[1].converted).toEqual({ ...total(0, 0, 0), without_rate: [] })
  })

  test('F44: what was closed is worth what it was worth then, whatever the rate is now', async () => {
    const pipeline = await fresh()
    await setExchangeRate(api.ctx, 'USD', 0.5)
    const { id } = await deal(pipeline, 0, 10_000, 'USD')
    await closeOpportunity(api.ctx, id, { outcome: 'won' })
    await deal(pipeline, 0, 10_000, 'USD')
    await setExchangeRate(api.ctx, 'USD', 0.9)
    const read = async () => (await api.json('GET', `/api/pipelines/${pipeline.id}/distribution`)).body
    const stageOf = (body: any, kind: string) =>
      body.stages.find((stage: { kind: string; count: number }) => stage.kind === kind && stage.count > 0)
    const body = await read()
    expect(stageOf(body, 'won')).toMatchObject({
      totals: [total(1, 10_000, 10_000, 'USD')],
      converted: { ...total(1, 5_000, 5_000), without_rate: [] },
    })
    expect(stageOf(body, 'open').converted).toEqual({ ...total(1, 9_000, 900), without_rate: [] })
    expect(body.converted).toEqual({ ...total(2, 14_000, 5_900), without_rate: [] })
    expect(body.open.converted).toEqual({ ...total(1, 9_000, 900), without_rate: [] })
    const { body: all } = await api.json('GET', '/api/pipelines/distribution')
    expect(all.data.find((one: { id: string }) => one.id === pipeline.id)).toEqual(body)
    // A correction is worth what it would have been, here and among the closings.
    const { body: card } = await api.json('GET', `/api/deals/${id}`)
    await api.json('PATCH', `/api/deals/${id}`, { version: card.version, value_minor: 20_000 })
    expect(stageOf(await read(), 'won').converted).toMatchObject({ value_minor: 10_000 })
    const { body: closings } = await api.json('GET', `/api/opportunities/${id}/closings`)
    expect(closings.data).toMatchObject([
      { value_minor: 20_000, exchange_rate: 0.5, base_value_minor: 10_000 },
    ])
    const patched = await api.json('PATCH', `/api/deals/${id}`, {
      version: card.version + 1,
      currency: 'EUR',
    })
    expect(patched.body).toMatchObject({ currency: 'EUR', exchange_rate: 1, base_value_minor: 20_000 })
    const { body: corrected } = await api.json('GET', `/api/opportunities/${id}/closings`)
    expect(corrected.data).toMatchObject([{ currency: 'EUR', exchange_rate: 1, base_value_minor: 20_000 }])
    expect(stageOf(await read(), 'won').converted).toMatchObject({ value_minor: 20_000 })
  })

  test('is there for all pipelines at once, and equals each one’s', async () => {
    await deal(await fresh(), 1, 4_000)
    const { body } = await api.json('GET', '/api/pipelines/distribution')
    const list = await api.json('GET', '/api/pipelines')
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(
      list.body.data.map(({ id }: { id: string }) => id),
    )
    expect(body.data.length).toBeGreaterThan(3)
    for (const one of body.data)
      expect((await api.json('GET', `/api/pipelines/${one.id}/distribution`)).body).toEqual(one)
  })
})

describe('F11: the preview of a change', () => {
  const preview = (pipeline: Pipeline, change: unknown) =>
    api.json('POST', `/api/pipelines/${pipeline.id}/preview`, change)

  test('says per stage and currency what it does to the forecast, writes nothing, and is what saving then does', async () => {
    const pipeline = await fresh()
    const [prospect, qualified] = pipeline.stages
    await deal(pipeline, 0, 10_000)
    await deal(pipeline, 0, 2_000, 'USD')
    await deal(pipeline, 1, 50_000)
    await deal(pipeline, 1, 50_000)
    await deal(pipeline, 2, 1_000)
    const change = {
      name: 'Better sales',
      stages: [
        { id: prospect!.id, close_probability: 15 },
        { id: qualified!.id, close_probability: 20, label: 'Looked at' },
      ],
    }
    const { status, body } = await preview(pipeline, change)
    expect(status).toBe(200)
    expect(body.affected).toBe(4)
    expect(
      body.stages.map((each: any) => [
        each.label,
        each.currency,
        each.count,
        each.value_minor,
        each.close_probability_before,
        each.close_probability_after,
        each.weighted_before_minor,
        each.weighted_after_minor,
        each.delta_minor,
      ]),
    ).toEqual([
      ['Prospect', 'EUR', 1, 10_000, 10, 15, 1_000, 1_500, 500],
      ['Prospect', 'USD', 1, 2_000, 10, 15, 200, 300, 100],
      ['Looked at', 'EUR', 2, 100_000, 30, 20, 30_000, 20_000, -10_000],
      ['Negotiation', 'EUR', 1, 1_000, 60, 60, 600, 600, 0],
    ])
    expect(body.totals).toEqual([
      {
        currency: 'EUR',
        count: 4,
        value_minor: 111_000,
        weighted_before_minor: 31_600,
        weighted_after_minor: 22_100,
        delta_minor: -9_500,
      },
      {
        currency: 'USD',
        count: 1,
        value_minor: 2_000,
        weighted_before_minor: 200,
        weighted_after_minor: 300,
        delta_minor: 100,
      },
    ])
    expect(await getPipeline(api.ctx, pipeline.id)).toEqual(pipeline)

    const saved = await api.json('PATCH', `/api/pipelines/${pipeline.id}`, { ...change, version: 1 })
    expect(saved.body.stages).toEqual(body.pipeline.stages)
    const after = await api.json('GET', `/api/pipelines/${pipeline.id}/distribution`)
    expect(after.body.totals.map((each: any) => each.weighted_minor)).toEqual(
      body.totals.map((each: any) => each.weighted_after_minor),
    )
  })

  test('of a deleted stage weighs its cards where they would go', async () => {
    const pipeline = await fresh()
    const [prospect, qualified] = pipeline.stages
    await deal(pipeline, 0, 10_000)
    await deal(pipeline, 1, 10_000)
    const { body } = await preview(pipeline, {
      delete_stage: { stage_id: prospect!.id, target_stage_id: qualified!.id },
    })
    expect(body).toMatchObject({
      affected: 1,
      stages: [
        { label: 'Prospect', count: 1, count_after: 0, close_probability_after: null, delta_minor: -1_000 },
        { label: 'Qualified', count: 1, count_after: 2, value_after_minor: 20_000, delta_minor: 3_000 },
      ],
      totals: [{ delta_minor: 2_000 }],
    })
    expect(body.pipeline.stages.map(({ label }: { label: string }) => label)).toEqual([
      'Qualified',
      'Negotiation',
      'Won',
      'Lost',
    ])
    expect(await preview(pipeline, { delete_stage: { stage_id: prospect!.id } })).toMatchObject({
      status: 422,
      body: { code: 'target_stage_invalid', errors: [{ pointer: '/delete_stage/target_stage_id' }] },
    })
    expect(
      await preview(pipeline, { delete_stage: { stage_id: stageIn(pipeline, 'won').id } }),
    ).toMatchObject({ status: 409, body: { code: 'stage_protected' } })
  })

  test('is refused what saving would be refused', async () => {
    const pipeline = await fresh()
    const won = stageIn(pipeline, 'won').id
    const open = stageIn(pipeline, 0).id
    for (const change of [
      { stages: [{ id: open, close_probability: 100 }] },
      { stages: [{ id: won, close_probability: 90 }] },
      { stages: [{ id: won, kind: 'open' }] },
      { stages: [{ id: open, label: 'Won' }] },
      { stage_ids: [open] },
      { name: '' },
      { weight: 1 },
    ]) {
      const [seen, saved] = [
        await preview(pipeline, change),
        await api.json('PATCH', `/api/pipelines/${pipeline.id}`, { ...change, version: 1 }),
      ]
      expect(seen.status, JSON.stringify(change)).toBeGreaterThanOrEqual(400)
      expect([seen.status, seen.body.code]).toEqual([saved.status, saved.body.code])
    }
  })
})

describe('F10: the history of probabilities', () => {
  const at = async (pipeline: Pipeline, moment?: Date) => {
    const query = moment ? `?at=${moment.toISOString()}` : ''
    const { status, body } = await api.json('GET', `/api/pipelines/${pipeline.id}/probabilities${query}`)
    expect(status).toBe(200)
    return body.data as any[]
  }
  const ladder = (rows: any[]) => rows.map(({ label, close_probability }) => [label, close_probability])

  /** A moment between two acts: the database’s clock is finer than what goes over the wire. */
  const moment = async (): Promise<Date> => {
    await setTimeout(10)
    const now = new Date()
    await setTimeout(10)
    return now
  }

  test('gives the ladder as it stood at any moment: an old forecast can be computed again', async () => {
    const before = await moment()
    const pipeline = await fresh()
    const made = await moment()
    const [prospect, qualified] = pipeline.stages
    await changeStage(api.ctx, pipeline.id, prospect!.id, { close_probability: 12 })
    const changed = await moment()
    await changeStage(api.ctx, pipeline.id, prospect!.id, { color: 'red', rot_days: 3 })
    await changeStage(api.ctx, pipeline.id, qualified!.id, { label: 'Checked' })
    const renamed = await moment()
    await api.json('DELETE', `/api/pipelines/${pipeline.id}/stages/${qualified!.id}`)
    await api.json('POST', `/api/pipelines/${pipeline.id}/stages`, {
      label: 'Demo',
      close_probability: 50,
      position: 1,
    })
    const last = await moment()

    expect(await at(pipeline, before)).toEqual([])
    expect(ladder(await at(pipeline, made))).toEqual([
      ['Prospect', 10],
      ['Qualified', 30],
      ['Negotiation', 60],
      ['Won', 100],
      ['Lost', 0],
    ])
    expect(ladder(await at(pipeline, changed)).slice(0, 2)).toEqual([
      ['Prospect', 12],
      ['Qualified', 30],
    ])
    expect(ladder(await at(pipeline, renamed)).slice(0, 2)).toEqual([
      ['Prospect', 12],
      ['Checked', 30],
    ])
    expect(ladder(await at(pipeline, last))).toEqual([
      ['Prospect', 12],
      ['Demo', 50],
      ['Negotiation', 60],
      ['Won', 100],
      ['Lost', 0],
    ])
    const gone = (await at(pipeline, made)).find(({ stage_id }) => stage_id === qualified!.id)
    expect(gone).toMatchObject({ deleted: true, label: 'Qualified', actor: { kind: 'user' } })

    const history = await at(pipeline)
    expect(history.filter(({ stage_id }) => stage_id === prospect!.id)).toMatchObject([
      { close_probability: 12, until: null },
      { close_probability: 10 },
    ])
    for (const { since, until } of history)
      if (until) expect(Date.parse(until)).toBeGreaterThan(Date.parse(since))
  })

  test('takes a moment, and says so', async () => {
    const pipeline = await fresh()
    for (const wrong of ['yesterday', '2026-13-01T00:00:00Z', '0'])
      expect(await api.json('GET', `/api/pipelines/${pipeline.id}/probabilities?at=${wrong}`)).toMatchObject({
        status: 422,
        body: { errors: [{ pointer: '/at' }] },
      })
  })

  test('starts with what an organization was founded with', async () => {
    const { body } = await api.json('GET', '/api/pipelines')
    const [leads] = body.data
    expect(ladder(await at(leads, await moment()))[0]).toEqual(['New lead', 5])
  })
})
