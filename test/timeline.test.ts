import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type NewActivity, recordActivity } from '../db/activities.ts'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { linkRecords, unlinkRecords } from '../db/links.ts'
import type { RecordRef } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const agent = (ctx: Ctx): Ctx => ({
  ...ctx,
  actor: { kind: 'agent', id: 'lead_worker', name: 'lead_worker', version: '1' },
  run_id: uuidv7(),
})

const log = (
  subject: RecordRef,
  about: string,
  type: NewActivity['type'] = 'call_logged',
  as: Ctx = ctx,
): Promise<string> =>
  inTx(as, (ctx) => recordActivity(ctx, { type, subjects: [subject], data: { subject: about } }))

/** What was logged by these tests on the timeline of a record, the newest first. */
const said = async (record: RecordRef, filter: Parameters<typeof listTimeline>[2] = { limit: 100 }) =>
  (await listTimeline(ctx, record, filter)).data
    .map(({ data }) => data['subject'])
    .filter((about) => about !== undefined)

const ref = (kind: RecordRef['kind'], { id }: { id: string }): RecordRef => ({ kind, id })

/** An account with two people, one deal of both, and a deal of one of them elsewhere. */
const furnish = async () => {
  const account = ref('account', await createAccount(ctx, { name: 'Brightside' }))
  const [ana, bo] = [
    ref('contact', await createContact(ctx, { name: 'Ana', account_ids: [account.id] })),
    ref('contact', await createContact(ctx, { name: 'Bo', account_ids: [account.id] })),
  ]
  const deal = ref(
    'deal',
    await createDeal(
      ctx,
      { name: 'Machines', account_ids: [account.id], contact_ids: [ana.id, bo.id] },
      { door: 'ui' },
    ),
  )
  const aside = ref('deal', await createDeal(ctx, { name: 'Beans', contact_ids: [ana.id] }, { door: 'ui' }))
  return { account, ana, bo, deal, aside }
}

describe('F41: logged activities appear on all linked records', () => {
  test('a call on a deal appears on its contacts and its account, and on nobody else', async () => {
    const { account, ana, bo, deal, aside } = await furnish()
    await log(deal, 'the offer')
    for (const record of [deal, account, ana, bo]) expect(await said(record)).toEqual(['the offer'])
    expect(await said(aside)).toEqual([])
    expect(await said(ref('account', await createAccount(ctx, { name: 'Elsewhere' })))).toEqual([])
  })

  test('a call on a contact appears on its accounts and every one of its cards, not on its colleagues', async () => {
    const { account, ana, bo, deal, aside } = await furnish()
    await log(ana, 'a favour')
    for (const record of [ana, account, deal, aside]) expect(await said(record)).toEqual(['a favour'])
    expect(await said(bo)).toEqual([])
  })

  test('a card shows what was logged on its people and companies, and not each change of their fields', async () => {
    const { account, ana, deal } = await furnish()
    await log(account, 'a visit', 'meeting_logged')
    await log(account, 'a new segment', 'record_updated')
    await log(ana, 'a new title', 'record_updated')
    expect(await said(deal)).toEqual(['a visit'])
    expect(await said(account)).toEqual(['a new title', 'a new segment', 'a visit'])
  })

  test('what names several linked records is there once, and in order', async () => {
    const { account, ana, bo, deal } = await furnish()
    await log(bo, 'first')
    await inTx(ctx, (ctx) =>
      recordActivity(ctx, {
        type: 'call_logged',
        subjects: [deal, ana, bo, account],
        data: { subject: 'together' },
      }),
    )
    await log(deal, 'last')
    expect(await said(account)).toEqual(['last', 'together', 'first'])
    expect(await said(deal)).toEqual(['last', 'together', 'first'])
    expect(await said(ana)).toEqual(['last', 'together'])
  })

  test('is by query, not by copy: a link that goes takes its past along, one that comes brings it', async () => {
    const { account, deal, aside } = await furnish()
    await log(aside, 'the beans')
    expect(await said(account)).toEqual([])
    await linkRecords(ctx, { from: aside, to: account })
    expect(await said(account)).toEqual(['the beans'])
    await unlinkRecords(ctx, { from: account, to: aside })
    expect(await said(account)).toEqual([])
    expect(await said(deal)).toEqual([])
  })

  test('another organization’s timeline of the same record holds nothing', async () => {
    const { account, deal } = await furnish()
    await log(deal, 'the offer')
    const other = await world.other()
    expect((await listTimeline(other.ctx, account, { limit: 10 })).data).toEqual([])
  })
})

describe('a timeline', () => {
  test('is read in pages that neither repeat nor miss a line, also while new ones come', async () => {
    const { account, ana, deal } = await furnish()
    for (let n = 0; n < 10; n++) await log([account, ana, deal][n % 3]!, `call ${n}`)
    const all = (await listTimeline(ctx, account, { limit: 200 })).data.map(({ id }) => id)
    const pages: string[] = []
    let cursor: string | undefined
    do {
      const page = await listTimeline(ctx, account, { limit: 3, ...(cursor ? { cursor } : {}) })
      pages.push(...page.data.map(({ id }) => id))
      await log(deal, 'meanwhile')
      cursor = page.next_cursor ?? undefined
    } while (cursor)
    expect(pages).toEqual(all)
  })

  test('F88: is narrowed to people, agents or the system, and to one run', async () => {
    const { account, ana, deal } = await furnish()
    const by = agent(ctx)
    await log(deal, 'by an agent', 'call_logged', by)
    await log(ana, 'by another run', 'call_logged', agent(ctx))
    await log(account, 'by a person')
    expect(await said(account, { limit: 10, actor: 'human' })).toEqual(['by a person'])
    expect(await said(account, { limit: 10, actor: 'agent' })).toEqual(['by another run', 'by an agent'])
    expect(await said(account, { limit: 10, actor: 'system' })).toEqual([])
    expect(await said(account, { limit: 10, run_id: by.run_id })).toEqual(['by an agent'])
  })

  test('of an account with more cards than a page has lines shows the newest of each', async () => {
    const account = ref('account', await createAccount(ctx, { name: 'Wide' }))
    const deals: RecordRef[] = []
    for (let n = 0; n < 12; n++) {
      const made = await createDeal(ctx, { name: `Deal ${n}`, account_ids: [account.id] }, { door: 'ui' })
      deals.push(ref('deal', made))
    }
    // The oldest deal has the newest lines.
    for (let n = 0; n < 3; n++) await log(deals[0]!, `late ${n}`)
    expect((await listTimeline(ctx, account, { limit: 5 })).data.map(({ summary }) => summary)).toEqual([
      'logged a call: late 2',
      'logged a call: late 1',
      'logged a call: late 0',
      'created the deal “Deal 11”',
      'created the deal “Deal 10”',
    ])
  })
})
