import { afterAll, beforeAll, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import type { Bulk } from '../db/bulk.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const { work, read, done } = bulksOf(() => api)

const undo = async ({ id }: Bulk): Promise<Bulk> => {
  const { body } = await api.json('POST', `/api/bulk/${id}/undo`)
  await work(body)
  return read(body)
}
const answered = async (method: string, path: string, body: object) => {
  const answer = await api.json(method, path, body)
  expect([answer.status < 300, answer.body.detail]).toEqual([true, undefined])
  return answer.body
}
const tier = { value: 'gold', label: 'Gold' }
const others = [
  { value: 'silver', label: 'Silver' },
  { value: 'bronze', label: 'Bronze' },
]
const changeOptions = async (id: string, options: object[]) => {
  const { version } = (await api.json('GET', `/api/fields/${id}`)).body
  await answered('PATCH', `/api/fields/${id}`, { version, options })
}
const optionsOf = async (id: string) => (await api.json('GET', `/api/fields/${id}`)).body.options

const HOWS = { retired: [{ ...tier, retired: true }, ...others], removed: others }

test.each([
  ['select', 'retired', 'gold', 'silver'],
  ['select', 'removed', 'gold', 'silver'],
  ['multi_select', 'retired', ['gold', 'bronze'], ['silver']],
  ['multi_select', 'removed', ['gold', 'bronze'], ['silver']],
] as const)(
  'F20: what is taken back has the choice that it had: of a %s, %s since; in bulk, one by one, and again',
  async (type, how, was, is) => {
    const key = `tier_${type}_${how}`
    const options = [tier, ...others]
    const field = await answered('POST', '/api/fields', {
      record_kind: 'lead',
      key,
      label: key,
      type,
      options,
    })
    const ids: string[] = []
    for (const name of ['One', 'Two', 'Three'])
      ids.push(
        (await answered('POST', '/api/leads', { name, city: 'Old', custom: { [key]: was } })).id as string,
      )
    const standing = () =>
      Promise.all(
        ids.map(async (id) => {
          const { city, custom } = (await api.json('GET', `/api/leads/${id}`)).body
          return [city, custom[key]]
        }),
      )
    const bulk = await done({
      kind: 'lead',
      ids,
      act: 'update',
      input: { city: 'New', custom: { [key]: is } },
    })
    await changeOptions(field.id, HOWS[how])

    const { data } = await listActivities(api.ctx, { subject: { kind: 'lead', id: ids[0]! }, limit: 1 })
    await answered('POST', `/api/activities/${data[0]!.id}/undo`, {})
    const first = await undo(bulk)
    expect(first.counts).toEqual({ changed: 2, unchanged: 0, skipped: 0, failed: 0 })
    expect(await standing()).toEqual(ids.map(() => ['Old', was]))

    // It stays where it was chosen, and nobody chooses it anew.
    expect((await optionsOf(field.id)).find(({ value }: any) => value === 'gold')).toEqual({
      ...tier,
      retired: true,
    })
    const about = await listActivities(api.ctx, { subject: { kind: 'field', id: field.id }, limit: 9 })
    expect(about.data.map(({ type, reason }) => [type, reason])).toEqual([
      ...(how === 'removed' ? [['record_updated', expect.stringContaining('Taken back: ')]] : []),
      ['record_updated', undefined],
      ['record_created', undefined],
    ])
    expect(await api.json('POST', '/api/leads', { name: 'Four', custom: { [key]: was } })).toMatchObject({
      status: 422,
      body: { code: 'invalid_custom_value' },
    })

    expect((await undo(first)).counts).toEqual({ changed: 2, unchanged: 0, skipped: 0, failed: 0 })
    expect((await standing()).slice(1)).toEqual([
      ['New', is],
      ['New', is],
    ])
  },
)

test('a choice that comes back does not take the label of one that was added since', async () => {
  const field = await answered('POST', '/api/fields', {
    record_kind: 'lead',
    key: 'grade',
    label: 'Grade',
    type: 'select',
    options: [tier, ...others],
  })
  const lead = await answered('POST', '/api/leads', { name: 'Harbour', custom: { grade: 'gold' } })
  await answered('PATCH', `/api/leads/${lead.id}`, { version: lead.version, custom: { grade: 'silver' } })
  const { data } = await listActivities(api.ctx, { subject: { kind: 'lead', id: lead.id }, limit: 1 })
  await changeOptions(field.id, [...others, { value: 'au', label: 'Gold' }])
  await answered('POST', `/api/activities/${data[0]!.id}/undo`, {})
  expect((await api.json('GET', `/api/leads/${lead.id}`)).body.custom.grade).toBe('gold')
  const options = await optionsOf(field.id)
  expect(options).toContainEqual({ value: 'gold', label: 'Gold (gold)', retired: true })
  // What there is now is taken as it is.
  await changeOptions(field.id, options.toReversed())
})
