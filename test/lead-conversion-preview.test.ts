import { expect, test } from 'vitest'
import { createField } from '../db/fields.ts'
import { setForecastCategory } from '../db/forecast-categories.ts'
import { updateLead } from '../db/leads.ts'
import { openConversionWorld } from './conversion-world.ts'

const { api, lead, preview, convert } = await openConversionWorld()
await createField(api.ctx, {
  record_kind: 'deal',
  key: 'tier',
  label: 'Tier',
  type: 'select',
  options: [{ label: 'gold' }],
})
const NOBODY = '01990000-0000-7000-8000-000000000000'

test.each([
  ['an unknown owner', { owner_id: NOBODY }, 'owner_unknown', '/deal/owner_id'],
  [
    'a value that a field does not take',
    { custom: { tier: 'bronze' } },
    'invalid_custom_value',
    '/deal/custom/tier',
  ],
  ['a field that is not there', { custom: { nope: 1 } }, 'unknown_field', '/deal/custom/nope'],
  ['a currency without its amount', { currency: 'JPY' }, 'currency_of_other_amount', '/deal/currency'],
  ['a stage that is closed', 'won', 'stage_closed', '/deal/stage_id'],
])(
  'F29: the preview refuses what converting refuses, at the same place: %s',
  async (_what, deal, code, pointer) => {
    const { id, version } = await lead()
    const { body } = await api.json('GET', '/api/pipelines')
    const { stages } = body.data.find((one: { record_kind: string }) => one.record_kind === 'deal')
    const won = stages.find(({ kind }: { kind: string }) => kind === 'won').id
    const terms = { deal: deal === 'won' ? { stage_id: won } : deal }
    for (const answer of [await preview(id, terms), await convert(id, terms)])
      expect(answer, JSON.stringify(answer.body)).toMatchObject({
        status: 422,
        body: { code, errors: [{ pointer }] },
      })
    expect((await api.json('GET', `/api/leads/${id}`)).body).toMatchObject({ version, converted: null })
  },
)

test('F29: the preview takes what converting takes, and refuses a version that is not the current one', async () => {
  const { id, version } = await lead()
  expect((await preview(id, { version, reason: 'They asked for an offer' })).status).toBe(200)
  expect(await preview(id, { version: version + 1 })).toMatchObject({
    status: 412,
    body: { code: 'version_mismatch' },
  })
})

test('F29: the preview shows every value as it is stored then, and what stays on the lead', async () => {
  const { id } = await lead({
    phone: '020 7946 0321',
    country: 'United Kingdom',
    message: 'What does it cost?',
    external_id: 'erp-1',
    expected_close_on: '2027-01-31',
  })
  await setForecastCategory(api.ctx, id, { forecast_category: 'commit' })
  await updateLead(api.ctx, id, { agents_paused: true })
  const terms = { deal: { custom: { tier: 'gold' } } }
  const { body: plan } = await preview(id, terms)
  expect(plan.contact.values).toMatchObject({
    phone: '+442079460321',
    phone_original: '020 7946 0321',
    country: 'GB',
  })
  expect(plan.deal).toMatchObject({
    agents_paused: true,
    values: { phone: '+442079460321', forecast_category: 'commit', custom: { tier: 'gold' } },
  })
  expect(plan.stays).toEqual([
    { field: 'message', value: 'What does it cost?' },
    { field: 'external_id', value: 'erp-1' },
  ])
  const { body } = await convert(id, terms)
  for (const kind of ['account', 'contact', 'deal']) expect(body[kind], kind).toMatchObject(plan[kind].values)
  expect(body.deal).toMatchObject({ agents_paused: true, forecast_category: 'commit' })
  expect(body.lead).toMatchObject({
    message: 'What does it cost?',
    external_id: 'erp-1',
    forecast_category: 'commit',
  })
})

test('F29: a deal of a lead without a forecast category begins in the pipeline; what is said of it counts', async () => {
  const one = await lead()
  expect((await preview(one.id)).body.deal.values.forecast_category).toBe('pipeline')
  expect((await convert(one.id)).body.deal.forecast_category).toBe('pipeline')
  const two = await lead()
  await setForecastCategory(api.ctx, two.id, { forecast_category: 'commit' })
  expect((await preview(two.id, { deal: null })).body.stays).toContainEqual({
    field: 'forecast_category',
    value: 'commit',
  })
  const { body } = await convert(two.id, { deal: { forecast_category: 'omitted', value_minor: null } })
  expect(body.deal).toMatchObject({ forecast_category: 'omitted', value_minor: null })
})
