import { afterAll, beforeAll, expect, test } from 'vitest'
import { listAccounts } from '../db/accounts.ts'
import { listContacts } from '../db/contacts.ts'
import { systemCtx } from '../db/context.ts'
import { findOrganization } from '../db/identity.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { seedDemo } from '../db/seed.ts'
import { listTasks } from '../db/tasks.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

test('the demo has leads, and deals with people and companies; made again it is only given a new password', async () => {
  const first = await seedDemo(world.db)
  const organization = await findOrganization(world.db, first.organization)
  const ctx = systemCtx(world.db, organization?.id ?? '', 'test')
  const count = async () => {
    const [leads, deals, accounts, contacts, tasks] = await Promise.all([
      listOpportunities(ctx, { kind: 'lead', limit: 200 }),
      listOpportunities(ctx, { kind: 'deal', limit: 200 }),
      listAccounts(ctx, { limit: 200 }),
      listContacts(ctx, { limit: 200 }),
      listTasks(ctx, { limit: 200 }),
    ])
    return { leads, deals, accounts, contacts, tasks }
  }
  const { leads, deals, accounts, contacts, tasks } = await count()
  for (const list of [leads, deals, accounts, contacts, tasks]) expect(list.data.length).toBeGreaterThan(2)
  for (const deal of deals.data) {
    expect([deal.name, deal.account_ids.length, deal.contact_ids.length > 0]).toEqual([deal.name, 1, true])
    expect(deal.owner_id).not.toBeNull()
  }
  expect(new Set(deals.data.map(({ stage }) => stage.kind))).toEqual(new Set(['open', 'won']))
  for (const contact of contacts.data)
    expect([contact.name, contact.account]).not.toEqual([contact.name, null])

  const again = await seedDemo(world.db)
  expect(again.password).not.toBe(first.password)
  expect((await count()).deals.data).toHaveLength(deals.data.length)
})
