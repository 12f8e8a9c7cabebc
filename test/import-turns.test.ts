import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { importWork } from '../db/import-leases.ts'
import { createLead } from '../db/leads.ts'
import { openApi, type ApiWorld } from './api.ts'
import { type Asked, type Importing, openImporting, type Worked } from './import-world.ts'

let api: ApiWorld
const piece = importWork.piece
beforeAll(async () => {
  api = await openApi()
  importWork.piece = 20
})
afterAll(async () => {
  importWork.piece = piece
  await api.stop()
})

const lines = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => `${line(n)}\n`).join('')

/** Queues each file first, so that the runs begin at the same moment. */
const runTogether = async (own: Importing, asked: [file: string, Asked?][]): Promise<Worked[]> => {
  const ids: string[] = []
  for (const [file, request] of asked) ids.push((await own.queue('run', file, request)).body.id)
  return Promise.all(ids.map((id) => own.work(id)))
}

const sum = (runs: Worked[], result: 'create' | 'skip'): number =>
  runs.reduce((all, { body }) => all + body.counts[result], 0)

describe('F70: the same file, run twice at the same time, adds nothing the second time', () => {
  const files: [what: string, noun: string, file: string, asked?: Asked][] = [
    ['leads without a key', 'leads', `Name,E-mail\n${lines(120, (n) => `Nobody ${n},`)}`],
    ['deals', 'deals', `Name,Amount\n${lines(120, (n) => `Deal ${n},${n}`)}`, { kind: 'deal' }],
    ['accounts by name', 'accounts', `Name,City\n${lines(120, (n) => `Elm ${n},Rome`)}`, { kind: 'account' }],
    [
      'accounts with a website',
      'accounts',
      `Name,Website\n${lines(120, (n) => `Oak ${n},https://oak${n}.example`)}`,
      { kind: 'account' },
    ],
    [
      'contacts with an address',
      'contacts',
      `Name,E-mail\n${lines(120, (n) => `Ash ${n},ash${n}@turns.example`)}`,
      { kind: 'contact' },
    ],
    [
      'leads that are made beside others',
      'leads',
      `Name,E-mail\n${lines(120, (n) => `Beside ${n},beside${n}@turns.example`)}`,
      { mode: 'create_and_flag' },
    ],
  ]
  test.each(files)('%s', async (_, noun, file, asked) => {
    const own = await openImporting(api)
    const runs = await runTogether(own, [
      [file, asked],
      [file, asked],
    ])
    expect(runs.map(({ body }) => body.status)).toEqual(['done', 'done'])
    expect(await own.list(noun)).toHaveLength(120)
    expect([sum(runs, 'create'), sum(runs, 'skip')]).toEqual([120, 120])
  })

  test('companies and people that two files of different kinds name are made once', async () => {
    const own = await openImporting(api)
    const companies = (n: number) => `Pine ${n % 5}`
    const contacts = `Name,Account\n${lines(60, (n) => `Guest ${n},${companies(n)}`)}`
    const deals = `Name,Account,Contact\n${lines(60, (n) => `Order ${n},${companies(n)},fern${n % 5}@turns.example`)}`
    const leads = `Name,Account,Contact\n${lines(60, (n) => `Asked ${n},${companies(n)},fern${n % 5}@turns.example`)}`
    const runs = await runTogether(own, [
      [contacts, { kind: 'contact' }],
      [deals, { kind: 'deal' }],
      [leads, { kind: 'lead' }],
    ])
    expect(runs.map(({ body }) => body.counts.create)).toEqual([60, 60, 60])
    expect(await own.list('accounts')).toHaveLength(5)
    expect((await own.list('contacts')).filter(({ email }) => email !== null)).toHaveLength(5)
  })
})

test('F68: who brings a lead through another door waits for a piece of an import at most, not for its turn', async () => {
  const own = await openImporting(api)
  const file = `Name,E-mail\n${lines(200, (n) => `Slow ${n},`)}`
  const { body } = await own.queue('run', file)
  let ended = false
  const held = inTx(own.ctx, async (ctx) => {
    // As another import's piece would.
    await ctx.tx`select pg_advisory_xact_lock(hashtextextended(${`${own.organization_id} imports`}, 0))`
    const run = own.work(body.id).finally(() => (ended = true))
    const lead = await createLead({ ...own.ctx }, { email: 'beside@turns.example' }, { door: 'api' })
    const dry = await own.dryRun(file)
    expect([lead.id !== '', dry.body.counts.create, ended]).toEqual([true, 200, false])
    return { run }
  })
  const { run } = await held
  expect((await run).body.counts.create).toBe(200)
})
