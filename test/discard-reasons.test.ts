import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { DEFAULT_REASONS, listDiscardReasons } from '../db/discard-reasons.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal, stageOf } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const labels = async (query = ''): Promise<string[]> =>
  (await api.json('GET', `/api/discard-reasons${query}`)).body.data.map(
    ({ label }: { label: string }) => label,
  )
const create = (body: object) => api.json('POST', '/api/discard-reasons', body)
const change = (id: string, body: object) => api.json('PATCH', `/api/discard-reasons/${id}`, body)

describe('F18: the list of discard reasons', () => {
  test('is there in every organization, also in one that was there before: the migration writes the same', async () => {
    expect(await labels()).toEqual(DEFAULT_REASONS)
    expect(await labels()).toEqual(
      (await listDiscardReasons((await api.other()).ctx)).map(({ label }) => label),
    )
    const sql = readFileSync(new URL('../db/migrations/0003_totals_and_search.sql', import.meta.url), 'utf8')
    const inserted = sql.slice(sql.indexOf('INSERT INTO discard_reasons'))
    expect([...inserted.matchAll(/\('([^']+)', '(a\d)'\)/g)].map(([, label]) => label)).toEqual(
      DEFAULT_REASONS,
    )
  })

  test('is added to, renamed, described and put in order', async () => {
    const made = await create({
      label: '  In-house   solution ',
      before_id: (await listDiscardReasons(ctx))[0]!.id,
    })
    expect(made).toMatchObject({
      status: 201,
      body: { label: 'In-house solution', retired_at: null, version: 1 },
    })
    expect((await labels())[0]).toBe('In-house solution')
    const { id } = made.body
    expect(
      await change(id, { label: 'Built it themselves', description: 'Say with what', version: 1 }),
    ).toMatchObject({
      status: 200,
      body: { label: 'Built it themselves', description: 'Say with what', version: 2 },
    })
    const last = (await listDiscardReasons(ctx)).at(-1)!
    expect(await change(id, { after_id: last.id, version: 2 })).toMatchObject({
      status: 200,
      body: { version: 3 },
    })
    expect((await labels()).at(-1)).toBe('Built it themselves')
    expect(await change(id, { label: 'x', version: 1 })).toMatchObject({
      status: 412,
      body: { current: { version: 3 } },
    })
    expect(await change(id, { label: 'x' })).toMatchObject({ status: 428 })
    expect(await change(id, { label: ' ', version: 3 })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/label' }] },
    })
  })

  test('holds a label once, whatever its case, also when two add it at once; a retired one frees it', async () => {
    expect(await create({ label: 'pRICE' })).toMatchObject({
      status: 409,
      body: { code: 'discard_reason_exists', errors: [{ pointer: '/label' }] },
    })
    const both = await Promise.all([create({ label: 'Twice' }), create({ label: 'twice' })])
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409])
    const { id } = both.find(({ status }) => status === 201)!.body
    expect((await api.ask('DELETE', `/api/discard-reasons/${id}`)).status).toBe(204)
    expect(await create({ label: 'Twice' })).toMatchObject({ status: 201 })
    expect(await api.json('POST', `/api/discard-reasons/${id}/restore`)).toMatchObject({
      status: 409,
      body: { code: 'discard_reason_exists' },
    })
  })

  test('retires instead of deleting: nobody can choose it, cards that name it keep it, and it comes back', async () => {
    const { body: reason } = await create({ label: 'Moved abroad' })
    const lead = await makeLead(ctx)
    await closeOpportunity(ctx, lead.id, { outcome: 'lost', discard_reason_id: reason.id })
    for (let n = 0; n < 2; n++)
      expect((await api.ask('DELETE', `/api/discard-reasons/${reason.id}`)).status).toBe(204)
    expect(await labels()).not.toContain('Moved abroad')
    expect((await labels('?include_retired=true')).at(-1)).toBe('Moved abroad')
    expect(await getOpportunity(ctx, lead.id)).toMatchObject({ discard_reason: { label: 'Moved abroad' } })
    const other = await makeLead(ctx)
    const close = () =>
      api.json('POST', `/api/opportunities/${other.id}/close`, {
        outcome: 'lost',
        discard_reason_id: reason.id,
      })
    const refused = await close()
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_retired', errors: [{ pointer: '/discard_reason_id' }] },
    })
    expect(refused.body.errors[0].accepted.map(({ label }: { label: string }) => label)).toEqual(
      await labels(),
    )
    await api.json('POST', `/api/discard-reasons/${reason.id}/restore`)
    expect(await close()).toMatchObject({ status: 200 })
  })

  test('changes stand on the organization’s timeline and are taken back', async () => {
    const { body: reason } = await create({ label: 'No reply' })
    await change(reason.id, { label: 'Silent', version: 1 })
    await api.ask('DELETE', `/api/discard-reasons/${reason.id}`)
    const { data } = await listActivities(ctx, { limit: 3 })
    expect(data.map(({ summary }) => summary)).toEqual([
      'changed the discard reason “Silent”',
      'changed the discard reason “No reply”',
      'changed the discard reason “No reply”',
    ])
    const [retired, renamed, created] = data
    await undoActivity(ctx, retired!.id)
    expect(await labels()).toContain('Silent')
    await undoActivity(ctx, renamed!.id)
    expect(await labels()).toContain('No reply')
    await undoActivity(ctx, created!.id)
    expect(await labels()).not.toContain('No reply')
  })
})

describe('F18 F19: the report of lost reasons', () => {
  test('counts what stands by owner, source and stage, with the win rate of each and of each reason', async () => {
    const { ctx: there, owner } = await api.other()
    const [price, budget] = await listDiscardReasons(there)
    const second = await stageOf(there, 'deal', 1)
    const deal = async (fields: object, close: (id: string) => Promise<unknown>) => {
      const { id } = await makeDeal(there, { value_minor: 1_000, ...fields })
      await close(id)
      return id
    }
    const win = (id: string) => closeOpportunity(there, id, { outcome: 'won' })
    const lose =
      (reason = price) =>
      (id: string) =>
        closeOpportunity(there, id, { outcome: 'lost', discard_reason_id: reason!.id })
    const fair = { source: 'Fair', owner_id: owner.user_id }
    await deal(fair, win)
    await deal({ ...fair, currency: 'USD' }, lose())
    await deal(fair, lose(budget))
    await deal({}, async (id) => {
      await moveOpportunity(there, id, { stage_id: second.id })
      await lose()(id)
    })
    // Lost for its price, won in the end.
    await deal(fair, async (id) => {
      await lose()(id)
      await reopenOpportunity(there, id, {})
      await win(id)
    })
    // Open again: it counts nowhere.
    await deal(fair, async (id) => {
      await lose()(id)
      await reopenOpportunity(there, id, {})
    })
    const key = await api.keyFor('viewer', there)
    const report = async (query: string) =>
      (
        await api.json('GET', `/api/reports/lost-reasons?${query}`, undefined, {
          authorization: `Bearer ${key}`,
        })
      ).body
    const by_source = await report('by=source')
    expect(by_source).toMatchObject({
      by: 'source',
      total: { won: 2, lost: 3, win_rate: 0.4 },
      groups: [
        {
          key: 'Fair',
          won: 2,
          lost: 2,
          win_rate: 0.5,
          values: [
            { currency: 'EUR', won_minor: 2_000, lost_minor: 1_000 },
            { currency: 'USD', won_minor: 0, lost_minor: 1_000 },
          ],
          reasons: [
            { label: budget!.label, lost: 1, share: 0.5 },
            { label: price!.label, lost: 1, share: 0.5 },
          ],
        },
        { key: null, label: 'Unknown', won: 0, lost: 1, win_rate: 0 },
      ],
      reasons: [
        { discard_reason_id: price!.id, label: 'Price', lost: 2, share: 0.6667, won: 1, win_rate: 0.3333 },
        { discard_reason_id: budget!.id, lost: 1, won: 0, win_rate: 0 },
      ],
    })
    expect((await report('by=owner')).groups).toMatchObject([
      { key: owner.user_id, label: owner.name, won: 2, lost: 2 },
      { key: null, label: 'Nobody', lost: 1 },
    ])
    expect((await report('by=stage')).groups).toMatchObject([
      { label: 'Initial contact', lost: 2, won: 2 },
      { key: second.id, label: second.label, lost: 1 },
    ])
    const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10)
    expect(await report(`by=source&from=${tomorrow}`)).toMatchObject({
      total: { won: 0, lost: 0, win_rate: null },
      groups: [],
      reasons: [],
    })
    expect((await report(`by=source&pipeline_id=${second.id}`)).groups).toEqual([])
    expect(await report('by=weather')).toMatchObject({ code: 'invalid_input', errors: [{ pointer: '/by' }] })
  })
})
