import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact, getContact } from '../db/contacts.ts'
import { linkRecords, unlinkRecords } from '../db/links.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { type RecordRef } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const contact = async (name: string): Promise<RecordRef> => ({
  kind: 'contact',
  id: (await createContact(api.ctx, { name })).id,
})
const account = async (name: string): Promise<RecordRef> => ({
  kind: 'account',
  id: (await createAccount(api.ctx, { name })).id,
})
const deal = async (): Promise<RecordRef> => ({ kind: 'deal', id: (await makeDeal(api.ctx)).id })

const linesOf = async (record: RecordRef, type: string) =>
  (await listTimeline(api.ctx, record, { limit: 50 })).data.filter((line) => line.type === type)

/** The names of a card's people with the primary one marked. */
const peopleOf = async (card: RecordRef): Promise<string[]> =>
  (await api.json('GET', `/api/opportunities/${card.id}/contacts`)).body.data.map(
    ({ name, link }: any) => `${name}${link.role ? ` (${link.role})` : ''}${link.is_primary ? ' *' : ''}`,
  )

describe('F41: cards are linked to many contacts and companies, each with a role', () => {
  test('over HTTP: link, change, unlink; the first is the primary, and there is one at most', async () => {
    const card = await deal()
    const [ana, bo] = [await contact('Ana'), await contact('Bo')]
    const path = `/api/opportunities/${card.id}/contacts`
    expect(await api.json('POST', path, { contact_id: ana.id, role: 'Decision maker' })).toMatchObject({
      status: 201,
      body: { contact_id: ana.id, role: 'Decision maker', is_primary: true, linked_at: expect.any(String) },
    })
    await api.json('POST', path, { contact_id: bo.id })
    expect(await peopleOf(card)).toEqual(['Ana (Decision maker) *', 'Bo'])
    await api.json('PATCH', `${path}/${bo.id}`, { is_primary: true, role: 'Buyer' })
    expect(await peopleOf(card)).toEqual(['Ana (Decision maker)', 'Bo (Buyer) *'])
    expect((await getOpportunity(api.ctx, card.id)).contact_ids).toEqual([bo.id, ana.id])
    expect((await api.json('DELETE', `${path}/${bo.id}`)).status).toBe(204)
    expect(await peopleOf(card)).toEqual(['Ana (Decision maker) *'])
    expect((await api.json('DELETE', `${path}/${bo.id}`)).status).toBe(204)
    expect(await api.json('PATCH', `${path}/${bo.id}`, { role: 'x' })).toMatchObject({
      status: 404,
      body: { code: 'link_not_found' },
    })
  })

  test('accounts of a card, contacts of an account and accounts of a contact go the same way', async () => {
    const card = await deal()
    const [ana, shop, chain] = [await contact('Ana'), await account('Shop'), await account('Chain')]
    await api.json('POST', `/api/opportunities/${card.id}/accounts`, { account_id: shop.id })
    await api.json('POST', `/api/opportunities/${card.id}/accounts`, { account_id: chain.id, role: 'Parent' })
    expect((await getOpportunity(api.ctx, card.id)).account_ids).toEqual([shop.id, chain.id])
    await api.json('POST', `/api/accounts/${chain.id}/contacts`, { contact_id: ana.id, role: 'Director' })
    await api.json('POST', `/api/contacts/${ana.id}/accounts`, { account_id: shop.id, is_primary: true })
    expect(await getContact(api.ctx, ana.id)).toMatchObject({
      account_ids: [shop.id, chain.id],
      account: { name: 'Shop' },
    })
    const [person] = (await api.json('GET', `/api/accounts/${chain.id}/contacts`)).body.data
    expect(person).toMatchObject({ name: 'Ana', link: { role: 'Director', is_primary: false } })
  })

  test('a link is on the timelines of both, with who, why and both names', async () => {
    const [card, ana] = [await deal(), await contact('Ana')]
    await linkRecords(api.ctx, { from: ana, to: card }, { role: 'Buyer' }, 'Met at the fair')
    for (const record of [card, ana]) {
      expect(await linesOf(record, 'record_linked')).toMatchObject([
        {
          actor: { id: api.owner.user_id },
          reason: 'Met at the fair',
          subjects: [card, ana],
          summary: 'linked Machines for 12 cafés and Ana (Buyer)',
          data: { role: 'Buyer', is_primary: true },
        },
      ])
    }
  })

  test('raises the version of the card, so that nobody replaces links that they have not seen', async () => {
    const [card, ana, bo] = [await deal(), await contact('Ana'), await contact('Bo')]
    await linkRecords(api.ctx, { from: card, to: ana })
    expect(
      await api.json('PATCH', `/api/deals/${card.id}`, { version: 1, contact_ids: [bo.id] }),
    ).toMatchObject({ status: 412, body: { current: { contact_ids: [ana.id] } } })
  })

  test('the same again changes nothing', async () => {
    const [card, ana] = [await deal(), await contact('Ana')]
    await linkRecords(api.ctx, { from: card, to: ana }, { role: 'Buyer' })
    const { version } = await getOpportunity(api.ctx, card.id)
    await linkRecords(api.ctx, { from: card, to: ana }, { role: 'Buyer' })
    await linkRecords(api.ctx, { from: card, to: ana })
    expect((await getOpportunity(api.ctx, card.id)).version).toBe(version)
    expect(await linesOf(card, 'record_linked')).toHaveLength(1)
    expect(await linesOf(card, 'record_updated')).toEqual([])
  })

  test('many at once leave one primary contact', async () => {
    const card = await deal()
    const people = await Promise.all(['A', 'B', 'C', 'D', 'E'].map(contact))
    await Promise.all(people.map((to) => linkRecords(api.ctx, { from: card, to }, { is_primary: true })))
    const listed = await peopleOf(card)
    expect(listed).toHaveLength(5)
    expect(listed.filter((name) => name.endsWith('*'))).toHaveLength(1)
  })

  test('what cannot be linked, or is not there, or is somebody else’s, is refused', async () => {
    const [card, other] = [await deal(), await deal()]
    await expect(linkRecords(api.ctx, { from: card, to: other })).rejects.toMatchObject({
      kind: 'invalid',
      code: 'not_linkable',
    })
    const { ctx } = await api.other()
    const theirs: RecordRef = { kind: 'contact', id: (await createContact(ctx, { name: 'Theirs' })).id }
    await expect(linkRecords(api.ctx, { from: card, to: theirs })).rejects.toMatchObject({
      code: 'contact_not_found',
    })
    await expect(linkRecords(ctx, { from: card, to: theirs })).rejects.toMatchObject({
      code: 'deal_not_found',
    })
    const path = `/api/opportunities/${theirs.id}/contacts`
    expect(await api.json('POST', path, { contact_id: theirs.id })).toMatchObject({
      status: 404,
      body: { code: 'opportunity_not_found' },
    })
  })
})

describe('contact_ids and account_ids', () => {
  test('replace what is linked: order says the primary, roles of those that stay are kept', async () => {
    const [ana, bo, cy] = [await contact('Ana'), await contact('Bo'), await contact('Cy')]
    const shop = await account('Shop')
    const lead = await makeLead(api.ctx, { contact_ids: [ana.id, bo.id], account_ids: [shop.id] })
    const card: RecordRef = { kind: 'lead', id: lead.id }
    await linkRecords(api.ctx, { from: card, to: bo }, { role: 'Buyer' })
    const { version } = await getOpportunity(api.ctx, lead.id)
    const changed = await api.json('PATCH', `/api/leads/${lead.id}`, {
      version,
      contact_ids: [bo.id, cy.id, bo.id],
      account_ids: [],
    })
    expect(changed.body).toMatchObject({ contact_ids: [bo.id, cy.id], account_ids: [] })
    expect(await peopleOf(card)).toEqual(['Bo (Buyer) *', 'Cy'])
    const again = await api.json('PATCH', `/api/leads/${lead.id}`, {
      version: changed.body.version,
      contact_ids: [cy.id, bo.id],
    })
    expect(again.body.contact_ids).toEqual([cy.id, bo.id])
    expect(await linesOf(card, 'record_updated')).toMatchObject([
      {
        summary: `made Cy the primary contact of ${lead.name}`,
        data: { changes: [{ field: 'primary_contact_id', before: bo.id, after: cy.id }] },
      },
      {
        summary: 'changed the role of Bo to “Buyer”',
        data: { changes: [{ field: 'role', before: null, after: 'Buyer' }] },
      },
    ])
    expect((await linesOf(card, 'record_unlinked')).map(({ summary }) => summary)).toEqual([
      `unlinked ${lead.name} and Shop`,
      `unlinked ${lead.name} and Ana`,
    ])
    const same = await api.json('PATCH', `/api/leads/${lead.id}`, {
      version: again.body.version,
      contact_ids: [cy.id, bo.id],
    })
    expect(same.body.version).toBe(again.body.version)
  })
})

describe('rule 12: links are taken back', () => {
  const newest = async (record: RecordRef) => (await listTimeline(api.ctx, record, { limit: 1 })).data[0]!

  test('a new primary that took it from another one gives it back', async () => {
    const card = await deal()
    const people = [await contact('Ana'), await contact('Bo'), await contact('Cy')]
    for (const to of people.slice(0, 2)) await linkRecords(api.ctx, { from: card, to })
    await linkRecords(api.ctx, { from: card, to: people[1]! }, { is_primary: true })
    await linkRecords(api.ctx, { from: card, to: people[2]! }, { is_primary: true, role: 'Boss' })
    expect(await peopleOf(card)).toEqual(['Ana', 'Bo', 'Cy (Boss) *'])
    await undoActivity(api.ctx, (await newest(card)).id)
    expect(await peopleOf(card)).toEqual(['Ana', 'Bo *'])
  })

  test('an unlinked contact comes back with its role and its place as the primary', async () => {
    const [card, ana, bo] = [await deal(), await contact('Ana'), await contact('Bo')]
    await linkRecords(api.ctx, { from: card, to: ana }, { role: 'Buyer' })
    await linkRecords(api.ctx, { from: card, to: bo })
    await unlinkRecords(api.ctx, { from: card, to: ana })
    expect(await peopleOf(card)).toEqual(['Bo *'])
    await undoActivity(api.ctx, (await newest(card)).id)
    expect(await peopleOf(card)).toEqual(['Ana (Buyer) *', 'Bo'])
  })

  test('a role that somebody changed since is left as it is', async () => {
    const [card, ana] = [await deal(), await contact('Ana')]
    await linkRecords(api.ctx, { from: card, to: ana }, { role: 'Buyer' })
    await linkRecords(api.ctx, { from: card, to: ana }, { role: 'Boss' })
    const line = await newest(card)
    await linkRecords(api.ctx, { from: card, to: ana }, { role: 'Owner' })
    await expect(undoActivity(api.ctx, line.id)).rejects.toMatchObject({ code: 'changed_since' })
    expect(await peopleOf(card)).toEqual(['Ana (Owner) *'])
  })
})
