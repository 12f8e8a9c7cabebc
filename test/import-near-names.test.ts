import { afterAll, beforeAll, expect, test } from 'vitest'
import { importWork } from '../db/import-leases.ts'
import { createAccounts } from '../db/accounts.ts'
import { inTx } from '../db/context.ts'
import { openApi, type ApiWorld } from './api.ts'
import { nothing, openImporting, post, problemsOf } from './import-world.ts'

let api: ApiWorld
const { piece } = importWork
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => {
  importWork.piece = piece
  return api.stop()
})

const file =
  'Name,Company,Contact\n' +
  'Roof,Zaunkonig Bau,Xaver Newman\n' +
  'Wall,Zaunkönig Bua GmbH,\n' +
  'Door,Zaunkonig Bau,Xaver Newman\n' +
  'Gate,Quite Another Ltd,Maria Sommer\n' +
  'Step,ZAUNKÖNIG  Bau GmbH,\n'
const asked = {
  kind: 'deal' as const,
  mapping: { Name: 'name', Company: 'account', Contact: 'contact' },
}

const openSite = async () => {
  const own = await openImporting(api)
  await post(own, 'accounts', { name: 'Zaunkönig Bau GmbH' })
  await post(own, 'contacts', { name: 'Xaver Neumann', email: 'xaver.neumann@zaunkoenig.example' })
  return own
}

test('F89: an account or contact that nobody is called is told with the nearest there is', async () => {
  const own = await openSite()
  const strict = { ...asked, create_associations: false }
  for (const worked of [await own.dryRun(file, strict), await own.run(file, strict)]) {
    expect(worked.body.counts).toEqual({ ...nothing, create: 1, error: 4 })
    expect(worked.rows[0]?.problems).toMatchObject([
      { column: 'Company', code: 'account_unknown', nearest: 'Zaunkönig Bau GmbH' },
      { column: 'Contact', code: 'contact_unknown', nearest: 'Xaver Neumann' },
    ])
    expect(worked.rows[1]?.problems).toMatchObject([{ nearest: 'Zaunkönig Bau GmbH' }])
    for (const problem of worked.rows[3]?.problems ?? []) expect(problem).not.toHaveProperty('nearest')
    const errors = await own.csv(`/api/imports/${worked.id}/errors`)
    expect(errors.text).toContain('Nearest: Zaunkönig Bau GmbH.')
  }
  const byAddress = await own.dryRun('Name,Contact\nRoof,xaver.newmann@zaunkoenig.example\n', {
    ...strict,
    mapping: { Name: 'name', Contact: 'contact' },
  })
  expect(problemsOf(byAddress)[0]).toMatchObject({ nearest: 'xaver.neumann@zaunkoenig.example' })
})

test('F89: accounts and contacts that rows make are counted, and one that is nearly there already is warned of, foreseen as done', async () => {
  const made = { accounts: 3, contacts: 2 }
  const warning = (kind: string, column: string, name: string, near: string) => ({
    column,
    field: kind,
    code: `${kind}_nearly_known`,
    message: `This row makes a new ${kind} “${name}”; there is “${near}”.`,
    nearest: near,
  })
  const warnings = [
    [
      warning('account', 'Company', 'Zaunkonig Bau', 'Zaunkönig Bau GmbH'),
      warning('contact', 'Contact', 'Xaver Newman', 'Xaver Neumann'),
    ],
    [warning('account', 'Company', 'Zaunkönig Bua GmbH', 'Zaunkönig Bau GmbH')],
    [],
    [],
    [],
  ]
  // In one transaction, and where each row finds what the one before it made.
  for (const rows of [piece, 1]) {
    importWork.piece = rows
    const own = await openSite()
    const tried = await own.dryRun(file, asked)
    expect(tried.body.counts).toEqual({ ...nothing, create: 5 })
    expect(tried.body.new_associations).toEqual(made)
    expect(tried.rows.map(({ problems }) => problems)).toEqual(warnings)
    expect(await own.list('accounts')).toHaveLength(1)
    const run = await own.run(file, asked)
    expect(run.body.counts).toEqual({ ...nothing, create: 5 })
    expect(run.body.new_associations).toEqual(made)
    expect(run.rows.map(({ problems }) => problems)).toEqual(warnings)
    expect(await own.list('accounts')).toHaveLength(1 + made.accounts)
    expect(await own.list('contacts')).toHaveLength(1 + made.contacts)
    const [ended] = await own.timeline('import', run.id)
    expect(ended).toMatchObject({ data: { counts: { new_accounts: 3, new_contacts: 2 } } })
    expect(ended.summary).toContain('5 created, 3 new accounts, 2 new contacts')
  }
})

test('F89: an update that makes an account counts it and warns of it, too', async () => {
  const own = await openSite()
  const deal = await post(own, 'deals', { name: 'Roof' })
  const worked = await own.run(`id,Company\n${deal.id},Zaunkonig Bau\n`, {
    ...asked,
    mapping: { id: 'id', Company: 'account' },
    mode: 'update',
  })
  expect(worked.body.counts).toEqual({ ...nothing, update: 1 })
  expect(worked.body.new_associations).toEqual({ accounts: 1, contacts: 0 })
  expect(problemsOf(worked)).toMatchObject([{ code: 'account_nearly_known', nearest: 'Zaunkönig Bau GmbH' }])
})

test('F89: who is called otherwise is made without a warning', async () => {
  const own = await openImporting(api)
  for (const name of ['Krone Foods', 'Halle 1', 'Acme']) await post(own, 'accounts', { name })
  for (const name of ['Xaver Neumann', 'Maria Sommer']) await post(own, 'contacts', { name })
  const worked = await own.dryRun(
    'Name,Company,Contact\nA,Krone Tools,Anna Neumann\nB,Halle 2,Maria Winter\nC,acme.example,\n',
    asked,
  )
  expect(worked.body.counts).toEqual({ ...nothing, create: 3 })
  expect(worked.body.new_associations).toEqual({ accounts: 3, contacts: 2 })
  expect(worked.rows.map(({ problems }) => problems.map(({ nearest }) => nearest))).toEqual([
    [],
    [],
    ['Acme'],
  ])
})

test('F89: the nearest is found among many, and of a file in which nobody is known only the first names are looked up', async () => {
  const own = await openImporting(api)
  await post(own, 'accounts', { name: 'Zaunkönig Bau GmbH' })
  const many = Array.from({ length: 1_500 }, (_, n) => ({
    input: { name: `${WORDS[n % 7]} ${WORDS[(n % 5) + 7]} ${n} Bau GmbH` },
  }))
  await inTx(own.ctx, (ctx) => createAccounts(ctx, many))
  const names = Array.from({ length: 120 }, (_, n) => `Unheard ${n} Of ${n} Ltd`)
  const text = `Name,Company\nFirst,Zaunkonig Bau\n${names.map((name) => `D,${name}\n`).join('')}Last,Zaunkönig Bua\n`
  const strict = { ...asked, mapping: { Name: 'name', Company: 'account' }, create_associations: false }
  const started = performance.now()
  const worked = await own.dryRun(text, strict)
  const took = performance.now() - started
  process.stdout.write(`near names: 122 unknown among 1,501 accounts took ${Math.round(took)} ms\n`)
  expect(worked.body.counts).toEqual({ ...nothing, error: 122 })
  expect(worked.rows[0]?.problems).toMatchObject([{ nearest: 'Zaunkönig Bau GmbH' }])
  expect(worked.rows.map(({ n }) => n)).toEqual(worked.rows.map((_, n) => n + 1))
  expect(worked.rows.at(-1)?.problems[0]).not.toHaveProperty('nearest')
})

const WORDS = 'Amsel Drossel Fink Star Meise Lerche Sperling Werk Hof Haus Turm Tor'.split(' ')
