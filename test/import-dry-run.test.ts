import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { importWork } from '../db/import-leases.ts'
import { createLead } from '../db/leads.ts'
import { openApi, type ApiWorld } from './api.ts'
import { tableOfRows } from './csv-files.ts'
import { type Asked, type Importing, nothing, openImporting } from './import-world.ts'
import { changedTables, openRows } from './rows.ts'

let api: ApiWorld
let owner: postgres.Sql
const piece = importWork.piece
beforeAll(async () => {
  api = await openApi()
  owner = postgres(api.owner_url, { max: 2, onnotice: () => {} })
})
afterAll(async () => {
  importWork.piece = piece
  await owner.end()
  await api.stop()
})

const jobs = async (): Promise<string> => {
  const [row] = await owner<{ all: string }[]>`
    select coalesce(string_agg(name || ' ' || id, ',' order by id), '') as all from pgboss.job`
  return row?.all ?? ''
}

/** Where it is kept what a dry run came to. */
const OWN = ['public.imports', 'public.import_rows']

describe('F68: a dry run writes nothing and keeps nobody waiting', () => {
  test('no table but the import’s own says anything else, and nothing is queued', async () => {
    const own = await openImporting(api, ['Ida'])
    await own.rule({ to: 'Ida' })
    const rowsOf = await openRows(owner)
    await own.run('Name,E-mail,City\nAna,ana@dry.example,Rome\n')
    const { body } = await own.queue(
      'dry-run',
      'Name,E-mail,City,Stage,Account,Contact\nAna,ana@dry.example,Bern,Closed-Won,Elm,Ana\nBo,bo@dry.example,,,Oak,\nCy,x,,,,\n',
      { mode: 'update', work: true },
    )
    const [before, queued] = [await rowsOf(own.organization_id), await jobs()]
    const tried = await own.work(body.id)
    expect(tried.body).toMatchObject({ status: 'dry_run_done', counts: { create: 1, update: 1, error: 1 } })
    expect(changedTables(before, await rowsOf(own.organization_id), OWN)).toEqual([])
    expect(await jobs()).toBe(queued)
    expect(tried.rows[0]?.changes).toEqual([
      { field: 'city', before: 'Rome', after: 'Bern' },
      { field: 'stage', before: 'New lead', after: 'Closed-Won' },
      { field: 'account', before: null, after: 'Elm' },
      { field: 'contact', before: null, after: 'Ana' },
    ])
    expect(tried.rows[1]?.record).toBeNull()
  })

  test('others lock and change the same leads while it runs, and never wait; nor does it for them', async () => {
    const own = await openImporting(api)
    importWork.piece = 100
    const people = Array.from({ length: 300 }, (_, n) => `P ${n},p${n}@wait.example`)
    await own.run(`Name,E-mail\n${people.join('\n')}\n`)
    const file = `Name,E-mail,City,Stage\n${people.map((line) => `${line},Rome,Qualified`).join('\n')}\n`
    const { organization_id } = own
    const { body } = await own.queue('dry-run', file, { mode: 'update' })
    let ended = false
    const trying = own.work(body.id).finally(() => (ended = true))
    let changes = 0
    while (!ended) {
      await owner.begin(async (tx) => {
        await tx`set local lock_timeout = '2ms'`
        await tx`select id from opportunities where organization_id = ${organization_id} order by id for update`
        await tx`
          update opportunities set message = ${`changed ${changes}`}
          where organization_id = ${organization_id} and email like 'p1%@wait.example'`
      })
      await createLead(own.ctx, { email: `new${changes}@wait.example` }, { door: 'api' })
      changes += 1
    }
    const tried = await trying
    process.stdout.write(`dry run: ${changes} changes of the 300 leads it was over went through meanwhile\n`)
    expect(changes).toBeGreaterThan(1)
    expect(tried.body.counts).toEqual({ ...nothing, update: 300 })
    // Somebody else holds every lead and brings the same newcomers, and has not ended yet.
    const held = await owner.begin(async (tx) => {
      await tx`select id from opportunities where organization_id = ${organization_id} order by id for update`
      await tx`lock table opportunities in share row exclusive mode`
      return own.dryRun(file, { mode: 'update' })
    })
    expect(held.body.counts).toEqual({ ...nothing, update: 300 })
    const joined = await inTx(own.ctx, async (ctx) => {
      await createLead(ctx, { email: 'held@wait.example' }, { door: 'api' })
      return own.dryRun('Name,E-mail\nHeld,held@wait.example\n')
    })
    expect(joined.body.counts).toEqual({ ...nothing, create: 1 })
  })
})

/** Mostly nothing, or one of these; now and then one that cannot be read. */
const maybe = (values: string[], wrong: string[] = []) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant('') },
    { weight: 5, arbitrary: fc.constantFrom(...values) },
    ...(wrong.length > 0 ? [{ weight: 1, arbitrary: fc.constantFrom(...wrong) }] : []),
  )
const place = fc.oneof(
  { weight: 6, arbitrary: fc.constant(['', '']) },
  { weight: 5, arbitrary: fc.constantFrom(['New lead', ''], ['Qualified', ''], ['Closed-Won', '']) },
  { weight: 2, arbitrary: fc.constant(['Closed-Lost', 'Budget']) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ['Closed-Lost', ''],
      ['Qualifid', ''],
      ['', 'Budget'],
      ['Closed-Lost', 'budgt'],
    ),
  },
)
/** A row that says one thing or another, of few people. */
const row = fc
  .tuple(
    maybe(['Ana Ruiz', 'ana RUIZ', 'Bo Lind', 'Cy']),
    maybe(
      ['ana@p.example', ' ANA@p.example', 'bo@p.example', 'info@p.example', 'cy@q.example'],
      ['no address'],
    ),
    maybe(['+49 30 1234567', '0049301234567', '+49 30 7654321', '12']),
    maybe(['https://p.example', 'www.p.example', 'q.example']),
    maybe(['x-1', 'x-2', 'x-3']),
    maybe(['Rome', 'Bern', '=1+1']),
    maybe(['12', '1,200.50'], ['15.555', '12k']),
    maybe(['EUR', 'USD'], ['JPY', 'Euros?']),
    maybe(['2027-01-31'], ['2027-02-31']),
    maybe(['a; b', 'b; a', 'c']),
    maybe(['Ida'], ['Idda']),
    maybe(['Elm', 'Oak; Elm'], ['Twins']),
    maybe(['ana@p.example', 'Nina']),
    maybe(['1', '2'], ['1.5']),
    place,
    fc.subarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], { maxLength: 6 }),
  )
  .map(([...parts]): string[] => {
    const said = parts.pop() as number[]
    const [stage = '', reason = ''] = parts.pop() as unknown as string[]
    const cells = (parts as string[]).map((cell, n) => (n < 2 || said.includes(n) ? cell : ''))
    return [...cells, stage, reason]
  })
const mapping = {
  Name: 'contact_name',
  'E-mail': 'email',
  Phone: 'phone',
  Website: 'website',
  'External id': 'external_id',
  City: 'city',
  Value: 'value',
  Currency: 'currency',
  Close: 'expected_close_on',
  Tags: 'tags',
  Owner: 'owner',
  Account: 'account',
  Contact: 'contact',
  Seats: 'custom.seats',
  Stage: 'stage',
  'Discard reason': 'discard_reason',
}
const columns = Object.keys(mapping)
const asked = fc.record({
  mode: fc.constantFrom('skip', 'update', 'create_and_flag'),
  erase_blanks: fc.boolean(),
  create_associations: fc.boolean(),
  match_by: fc.constantFrom(undefined, undefined, 'email', 'external_id', 'custom.seats', 'phone'),
  left_out: fc.subarray(columns, { maxLength: 3 }),
  piece: fc.constantFrom(1, 3, 500),
})

const settle = async (): Promise<Importing> => {
  const own = await openImporting(api, ['Ida'])
  await own.ask('POST', '/api/fields', { record_kind: 'lead', key: 'seats', label: 'Seats', type: 'integer' })
  await own.ask('POST', '/api/discard-reasons', { label: 'Budget' })
  for (const name of ['Twins', 'Twins']) await own.ask('POST', '/api/accounts', { name })
  await own.ask('POST', '/api/leads', {
    contact_name: 'Ana Ruiz',
    email: 'ana@p.example',
    phone: '+49 30 1234567',
  })
  await own.ask('POST', '/api/leads', {
    contact_name: 'Zoe',
    external_id: 'x-2',
    website: 'https://q.example',
  })
  return own
}

test(
  'F68: whatever the file and the mode, the rows come to what the dry run said',
  { timeout: 120_000 },
  async () => {
    const seen = { create: 0, update: 0, skip: 0, error: 0 }
    let files = 0
    let own = await settle()
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 14 }),
        asked,
        fc.boolean(),
        async (rows, { left_out, piece, match_by, ...options }, anew) => {
          const cells = rows.filter((row) => row.some((cell) => cell !== ''))
          fc.pre(cells.length > 0)
          if (anew) own = await settle()
          importWork.piece = piece
          const kept = Object.fromEntries(
            Object.entries(mapping).filter(([column]) => !left_out.includes(column)),
          )
          const request: Asked = {
            mapping: kept,
            ...options,
            dialect: { delimiter: ',', header: true, decimal: '.' },
            ...(match_by && Object.values(kept).includes(match_by) ? { match_by } : {}),
          }
          const file = tableOfRows([columns, ...rows])
          const dry = await own.dryRun(file, request)
          const run = await own.run(file, request)
          const results = (one: typeof run) =>
            one.rows.map(({ n, line, result, matched_by }) => [n, line, result, matched_by])
          expect(results(run), JSON.stringify(run.rows)).toEqual(results(dry))
          expect(run.body.counts).toEqual(dry.body.counts)
          expect(run.body.new_associations).toEqual(dry.body.new_associations)
          const problems = (one: typeof run) =>
            one.rows.map(
              ({ result, problems }) =>
                result === 'error' && problems.map(({ code, column }) => [code, column]),
            )
          expect(problems(run)).toEqual(problems(dry))
          expect(run.body.progress).toEqual({ done: cells.length, total: cells.length })
          for (const result of ['create', 'update', 'skip', 'error'] as const)
            seen[result] += run.body.counts[result]
          files += 1
          const again = await own.run(file, request)
          expect(again.body.counts.create, JSON.stringify(again.rows)).toBe(0)
        },
      ),
      { numRuns: 20 },
    )
    process.stdout.write(
      `dry run: ${files} files came to what was foreseen (${JSON.stringify(seen)}), and to nothing new again\n`,
    )
    for (const [result, count] of Object.entries(seen)) expect(count, result).toBeGreaterThan(0)
  },
)
