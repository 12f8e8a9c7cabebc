import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { nothing, openImporting, post } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

test('F68: a row tells the move and the links that it makes, foreseen as done, and its undo takes them back', async () => {
  const own = await openImporting(api)
  const [elm, oak] = [
    await post(own, 'accounts', { name: 'Elm' }),
    await post(own, 'accounts', { name: 'Oak' }),
  ]
  const lead = await post(own, 'leads', { email: 'a@acts.example', account_ids: [elm.id, oak.id] })
  const moved = await post(own, 'leads', { email: 'b@acts.example' })
  const file =
    'E-mail,Stage,Account,Contact,City\n' +
    'a@acts.example,Negotiation,Oak; Elm; Ash,Nina,Rome\n' +
    'b@acts.example,Closed-Won,,,\n' +
    'b@acts.example,Closed-Won,Elm,,\n'
  const stages = [lead.stage.label, 'Negotiation', 'Closed-Won']
  const told = [
    [
      { field: 'city', before: null, after: 'Rome' },
      { field: 'stage', before: stages[0], after: stages[1] },
      { field: 'account', before: null, after: 'Ash' },
      { field: 'primary_account', before: 'Elm', after: 'Oak' },
      { field: 'contact', before: null, after: 'Nina' },
    ],
    [{ field: 'stage', before: stages[0], after: stages[2] }],
    [{ field: 'account', before: null, after: 'Elm' }],
  ]
  const tried = await own.dryRun(file, { mode: 'update', match_by: 'email' })
  expect(tried.rows.map(({ result, changes }) => [result, changes])).toEqual(
    told.map((all) => ['update', all]),
  )
  const run = await own.run(file, { mode: 'update', match_by: 'email' })
  expect(run.rows.map(({ result, changes }) => [result, changes])).toEqual(told.map((all) => ['update', all]))
  const undone = await own.undo(run.id)
  expect(undone.body).toMatchObject({ status: 'undone', undo: { restored: 2, kept_records: 0, kept: [] } })
  for (const before of [lead, moved]) {
    const after = (await own.ask('GET', `/api/leads/${before.id}`)).body
    const { stage, city, account_ids, contact_ids } = before
    expect(after).toMatchObject({ stage: { id: stage.id }, city, account_ids, contact_ids })
  }
})

test('F68: a move to another pipeline names both', async () => {
  const own = await openImporting(api)
  const { body } = await own.ask('GET', '/api/pipelines')
  const first = body.data.find(({ record_kind }: any) => record_kind === 'deal')
  const second = await post(own, 'pipelines', {
    name: 'Renewals',
    record_kind: 'deal',
    stages: [
      { label: 'Due', kind: 'open' },
      { label: 'Kept', kind: 'won' },
      { label: 'Gone', kind: 'lost' },
    ],
  })
  const deal = await post(own, 'deals', { name: 'Machines' })
  const worked = await own.run(`id,Pipeline,Stage\n${deal.id},${second.name},Due\n`, {
    kind: 'deal',
    mode: 'update',
    mapping: { id: 'id', Pipeline: 'pipeline', Stage: 'stage' },
  })
  expect(worked.rows[0]?.changes).toEqual([
    { field: 'pipeline', before: first.name, after: 'Renewals' },
    { field: 'stage', before: deal.stage.label, after: 'Due' },
  ])
})

test('F70: an external id that is somebody’s is kept aside, and the row says so as the lead does', async () => {
  const own = await openImporting(api)
  await post(own, 'leads', { name: 'First', external_id: 'x-1' })
  const file = 'Name,External id\nSecond,x-1\n'
  for (const worked of [
    await own.dryRun(file, { mode: 'create_and_flag' }),
    await own.run(file, { mode: 'create_and_flag' }),
  ]) {
    expect(worked.body.counts).toEqual({ ...nothing, create: 1 })
    expect(worked.rows[0]?.problems).toEqual([
      expect.objectContaining({ code: 'possible_duplicate' }),
      {
        column: 'External id',
        field: 'external_id',
        code: 'external_id_taken',
        message: '“x-1” belongs to “First”; it was kept but not used.',
      },
    ])
  }
  const [, second] = await own.list('leads')
  expect(second).toMatchObject({ external_id: null, extra: { external_id: 'x-1' } })
  expect(second.warnings).toContainEqual(expect.objectContaining({ field: 'external_id' }))
})
