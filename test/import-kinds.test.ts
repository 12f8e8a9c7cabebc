import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { openApi, type ApiWorld } from './api.ts'
import { nothing, openImporting, problemsOf, recordsOf } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

describe('F68: associations', () => {
  test('accounts by id, domain or name, contacts by id, address or name; what several may be is asked', async () => {
    const own = await openImporting(api)
    const brightside = await createAccount(own.ctx, {
      name: 'Brightside',
      website: 'https://brightside.example',
    })
    const twins = [
      await createAccount(own.ctx, { name: 'Twins' }),
      await createAccount(own.ctx, { name: 'Twins' }),
    ]
    const ana = await createContact(own.ctx, { name: 'Ana Ruiz', email: 'ana@brightside.example' })
    const worked = await own.run(
      'Name,E-mail,Account,Contact\n' +
        `A,a@linked.example,${brightside.id},ana@brightside.example\n` +
        'B,b@linked.example,www.brightside.example,Ana Ruiz\n' +
        'C,c@linked.example,Brightside,\n' +
        'D,d@linked.example,Twins,\n' +
        `E,e@linked.example,${twins[1]?.id},\n` +
        'F,f@linked.example,Newcomer,Nina New\n' +
        'G,g@linked.example,Newcomer; Brightside,\n' +
        `H,h@linked.example,${own.organization_id},\n`,
    )
    const leads = await recordsOf(own, worked)
    const accounts = await own.list('accounts')
    const newcomer = accounts.find(({ name }) => name === 'Newcomer')
    expect(accounts.filter(({ name }) => name === 'Newcomer')).toHaveLength(1)
    expect(leads.map((lead) => lead?.account_ids)).toEqual([
      [brightside.id],
      [brightside.id],
      [brightside.id],
      undefined,
      [twins[1]?.id],
      [newcomer.id],
      [newcomer.id, brightside.id],
      undefined,
    ])
    expect([leads[0].contact_ids, leads[1].contact_ids]).toEqual([[ana.id], [ana.id]])
    const [nina] = (await own.list('contacts')).filter(({ name }) => name === 'Nina New')
    expect(leads[5].contact_ids).toEqual([nina.id])
    expect(problemsOf(worked)[3]).toMatchObject({
      code: 'account_ambiguous',
      accepted: expect.arrayContaining([`${twins[0]?.id} (Twins)`]),
    })
    expect(problemsOf(worked)[7]?.code).toBe('account_unknown')
    const strict = await own.run('Name,E-mail,Account\nZ,z@linked.example,Unheard of\n', {
      create_associations: false,
    })
    expect(strict.rows[0]?.problems[0]).toMatchObject({ code: 'account_unknown', column: 'Account' })
  })
})

describe('F68: names are found whatever their case, accents and punctuation', () => {
  test('accounts and contacts that a row names, there or made by a row before', async () => {
    const own = await openImporting(api)
    const cafe = await createAccount(own.ctx, { name: 'Café Núñez, Inc.' })
    const [upper, lower] = [
      await createAccount(own.ctx, { name: 'TWINS' }),
      await createAccount(own.ctx, { name: 'Twins' }),
    ]
    const jose = await createContact(own.ctx, { name: 'José Ruiz' })
    const file =
      'Name,E-mail,Account,Contact\n' +
      'A,a@spelt.example,CAFE NUNEZ INC,jose  ruiz\n' +
      'B,b@spelt.example,Twins,\n' +
      'C,c@spelt.example,twins,\n' +
      'D,d@spelt.example,Smith & Sons,\n' +
      'E,e@spelt.example,"SMITH, SONS",\n'
    const tried = await own.dryRun(file)
    const worked = await own.run(file)
    expect(worked.body.counts).toEqual(tried.body.counts)
    const leads = await recordsOf(own, worked)
    const smith = (await own.list('accounts')).filter(({ name }) => /smith/i.test(name))
    expect(smith.map(({ name }) => name)).toEqual(['Smith & Sons'])
    expect(leads.map((lead) => lead?.account_ids)).toEqual([
      [cafe.id],
      [lower.id],
      undefined,
      [smith[0].id],
      [smith[0].id],
    ])
    expect(leads[0].contact_ids).toEqual([jose.id])
    expect(problemsOf(worked)[2]).toMatchObject({
      code: 'account_ambiguous',
      accepted: [`${upper.id} (TWINS)`, `${lower.id} (Twins)`],
    })
  })

  test('F70: accounts are recognised so, by nature and where the name was picked', async () => {
    const own = await openImporting(api)
    const account = await createAccount(own.ctx, { name: 'Café Núñez' })
    for (const match_by of [undefined, 'name']) {
      const city = `City of ${match_by}`
      const worked = await own.run(`Name,City\nCAFE NUNEZ,${city}\n`, {
        kind: 'account',
        mode: 'update',
        ...(match_by ? { match_by } : {}),
      })
      expect(worked.body.counts, String(match_by)).toEqual({ ...nothing, update: 1 })
      expect((await own.ask('GET', `/api/accounts/${account.id}`)).body).toMatchObject({ city })
      // Of two, the one that is written so.
      const other = await createAccount(own.ctx, { name: `TWINS ${match_by}` })
      const written = await createAccount(own.ctx, { name: `Twins ${match_by}` })
      const twins = await own.run(`Name,City\nTwins ${match_by},Bern\n`, {
        kind: 'account',
        mode: 'update',
        ...(match_by ? { match_by } : {}),
      })
      expect(twins.rows[0]?.record?.id).toBe(written.id)
      expect((await own.ask('GET', `/api/accounts/${other.id}`)).body.city).toBeNull()
    }
  })
})

describe('F68: other kinds of records', () => {
  test('deals enter their own pipeline, with what they are worth', async () => {
    const own = await openImporting(api)
    const worked = await own.run(
      'Deal name,Amount,Currency,Stage,Close date,Account,Forecast category\n' +
        'Machines,"1,200.50",EUR,Offer made,2027-05-01,Brightside,commit\n' +
        'Machines,10,EUR,New lead,,,\n' +
        ',,,,,,\n' +
        'Beans,5,EUR,,,,sure\n' +
        'Cups,7,EUR,,,,\n',
      { kind: 'deal' },
    )
    expect(worked.body).toMatchObject({
      kind: 'deal',
      progress: { total: 4 },
      counts: { create: 2, error: 2 },
    })
    const deals = await recordsOf(own, worked, 'deals')
    expect(deals[0]).toMatchObject({
      kind: 'deal',
      name: 'Machines',
      value_minor: 120_050,
      stage: { label: 'Offer made' },
      expected_close_on: '2027-05-01',
      forecast_category: 'commit',
    })
    expect(deals[3]).toMatchObject({ name: 'Cups', stage: { label: 'Initial contact' } })
    expect(problemsOf(worked)[1]).toMatchObject({ code: 'stage_unknown' })
    expect(problemsOf(worked)[2]).toMatchObject({ field: 'forecast_category' })
  })

  test('accounts and contacts: found again by domain and name, by address; people are linked with their company', async () => {
    const own = await openImporting(api, ['Ida'])
    const companies =
      'Company,Website,Employees,Revenue,Currency,Owner\n' +
      'Brightside GmbH,https://www.brightside.example,"1,200","3,000,000",EUR,Ida\n' +
      'Elm,,,,,\n' +
      'Brightside GmbH,brightside.example,,,,\n'
    const worked = await own.run(companies, { kind: 'account' })
    expect(worked.body.counts, JSON.stringify(worked.rows)).toEqual({ ...nothing, create: 2, skip: 1 })
    const [account] = await recordsOf(own, worked, 'accounts')
    expect(account).toMatchObject({
      domain: 'brightside.example',
      size: 1_200,
      revenue_minor: 300_000_000,
      owner_id: own.ids['Ida'],
    })
    expect((await own.run(companies, { kind: 'account', mode: 'update' })).body.counts.create).toBe(0)
    const people =
      'First name,Last name,Email,Company\nAna,Ruiz,ana@brightside.example,Brightside GmbH\nBo,Lind,,Elm\nAna,Ruiz,ANA@brightside.example,\n'
    const imported = await own.run(people, { kind: 'contact' })
    expect(imported.body.counts, JSON.stringify(imported.rows)).toEqual({ ...nothing, create: 2, skip: 1 })
    const [ana] = await recordsOf(own, imported, 'contacts')
    expect(ana).toMatchObject({ name: 'Ana Ruiz', account_ids: [account.id] })
    expect((await own.run(people, { kind: 'contact', mode: 'update' })).body.counts).toEqual({
      ...nothing,
      skip: 3,
    })
    expect([await own.list('accounts'), await own.list('contacts')].map((all) => all.length)).toEqual([2, 2])
  })
})
