import { expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { makeLead } from './worked-lead.ts'
import { openMergingWorld } from './merging-world.ts'

const { api, merge, unmerge, timeline } = await openMergingWorld()

/** A contact and an account, and leads that are linked with both. */
const furnish = async (...roles: (string | null | undefined)[]) => {
  const contact = await createContact(api.ctx, { name: 'Xenia' })
  const account = await createAccount(api.ctx, { name: 'Brightside' })
  const leads: string[] = []
  for (const role of roles) {
    const lead = await makeLead(api.ctx, { contact_name: 'Bo' })
    if (role !== undefined) {
      await api.json('POST', `/api/opportunities/${lead.id}/contacts`, { contact_id: contact.id, role })
      await api.json('POST', `/api/opportunities/${lead.id}/accounts`, { account_id: account.id, role })
    }
    leads.push(lead.id)
  }
  /** Absent where the lead is not linked with them. */
  const rolesOf = async (id: string) => {
    const told: (string | null | undefined)[] = []
    for (const noun of ['contacts', 'accounts'])
      told.push((await api.json('GET', `/api/opportunities/${id}/${noun}`)).body.data[0]?.link.role)
    return told
  }
  const setRoles = async (id: string, role: string | null) => {
    await api.json('PATCH', `/api/opportunities/${id}/contacts/${contact.id}`, { role })
    await api.json('PATCH', `/api/opportunities/${id}/accounts/${account.id}`, { role })
  }
  return { leads, rolesOf, setRoles }
}
const both = (role: string | null | undefined) => [role, role]
const mergeInto = async (id: string, duplicate_id: string) =>
  expect((await merge(id, { duplicate_id })).status).toBe(200)
const takeOut = async (id: string) => {
  const { status, body } = await unmerge(id)
  expect(status).toBe(200)
  return body.kept
}

test('F31: a role that the primary does not have is filled from the duplicate, and goes back with it', async () => {
  const { leads, rolesOf } = await furnish(null, 'Buyer')
  const [primary = '', duplicate = ''] = leads
  await mergeInto(primary, duplicate)
  expect(await rolesOf(primary)).toEqual(both('Buyer'))
  const [line] = await timeline(primary)
  expect(line.data.roles).toMatchObject([{ role: 'Buyer' }, { role: 'Buyer' }])
  expect(await takeOut(duplicate)).toEqual([])
  expect([await rolesOf(primary), await rolesOf(duplicate)]).toEqual([both(null), both('Buyer')])
})

test('F31: a role that the primary has stays; one that was written since the merge stays and is named', async () => {
  const { leads, rolesOf, setRoles } = await furnish('Sponsor', 'Buyer')
  const [primary = '', duplicate = ''] = leads
  await mergeInto(primary, duplicate)
  expect(await rolesOf(primary)).toEqual(both('Sponsor'))
  expect(await takeOut(duplicate)).toEqual([])
  expect([await rolesOf(primary), await rolesOf(duplicate)]).toEqual([both('Sponsor'), both('Buyer')])

  await setRoles(primary, null)
  await mergeInto(primary, duplicate)
  await setRoles(primary, 'Decision maker')
  expect(await takeOut(duplicate)).toMatchObject([{ what: 'roles', reason: '2 of them were changed since' }])
  expect(await rolesOf(primary)).toEqual(both('Decision maker'))

  // A role that somebody took away is no blank to be filled by the next one.
  const { leads: more, ...others } = await furnish(null, 'Buyer', 'Seller')
  const [third = '', fourth = '', fifth = ''] = more
  await mergeInto(third, fourth)
  await mergeInto(third, fifth)
  await others.setRoles(third, null)
  await takeOut(fourth)
  expect(await others.rolesOf(third)).toEqual(both(null))
})

test('F31: of several that were merged in, the next one fills the role that the one taken out had filled', async () => {
  const { leads, rolesOf } = await furnish(null, 'Buyer', 'Seller')
  const [primary = '', first = '', second = ''] = leads
  await mergeInto(primary, first)
  await mergeInto(primary, second)
  expect(await rolesOf(primary)).toEqual(both('Buyer'))
  await takeOut(first)
  expect(await rolesOf(primary)).toEqual(both('Seller'))
  await takeOut(second)
  expect(await rolesOf(primary)).toEqual(both(null))
  expect([await rolesOf(first), await rolesOf(second)]).toEqual([both('Buyer'), both('Seller')])
})

test('F31: a link that one brought goes back without the role that another filled', async () => {
  const { leads, rolesOf } = await furnish(undefined, null, 'Seller')
  const [primary = '', first = '', second = ''] = leads
  await mergeInto(primary, first)
  await mergeInto(primary, second)
  expect(await rolesOf(primary)).toEqual(both('Seller'))
  expect(await takeOut(first)).toEqual([])
  expect(await rolesOf(first)).toEqual(both(null))
  expect(await takeOut(second)).toEqual([])
  expect([await rolesOf(primary), await rolesOf(second)]).toEqual([both(undefined), both('Seller')])
})
