import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const made = async (path: string, body: object) => {
  const answer = await api.json('POST', path, body)
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
  return answer.body
}
const read = async (path: string) => (await api.json('GET', path)).body
const archive = (kind: string, id: string) => api.json('DELETE', `/api/${kind}s/${id}`)
const restore = (kind: string, id: string) => api.json('POST', `/api/${kind}s/${id}/restore`)
const others = { contact: 'contact_ids', account: 'account_ids' } as const

test.each(['contact', 'account'] as const)(
  'F41: an archived %s is among what a card is linked with as little as in the list of it, and comes back as it was',
  async (kind) => {
    const noun = `${kind}s`
    const [one, two, three] = [
      (await made(`/api/${noun}`, { name: 'One' })).id,
      (await made(`/api/${noun}`, { name: 'Two' })).id,
      (await made(`/api/${noun}`, { name: 'Three' })).id,
    ]
    const deal = await made('/api/deals', { name: 'Seats', [others[kind]]: [one, two, three] })
    const links = `/api/opportunities/${deal.id}/${noun}`
    await api.json('PATCH', `${links}/${one}`, { role: 'Buyer' })
    const told = async () => {
      const { data } = await read(links)
      const ids: string[] = (await read(`/api/deals/${deal.id}`))[others[kind]]
      const listed: { id: string; link: { is_primary: boolean; role: string | null } }[] = data
      expect(listed.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
      expect((await read(`/api/deals?limit=5&q=Seats`)).data[0][others[kind]]).toEqual(ids)
      const primary = listed.filter(({ link }) => link.is_primary)
      expect(primary.map(({ id }) => id)).toEqual(ids.slice(0, 1))
      return { ids, role: listed.find(({ id }) => id === one)?.link.role }
    }
    expect(await told()).toEqual({ ids: [one, two, three], role: 'Buyer' })
    await archive(kind, one)
    expect((await told()).ids).toEqual([two, three])
    await archive(kind, two)
    expect((await told()).ids).toEqual([three])
    await restore(kind, two)
    expect((await told()).ids).toEqual([two, three])

    // Whoever writes back what was read means nothing about who was not there.
    const { version } = await read(`/api/deals/${deal.id}`)
    await api.json('PATCH', `/api/deals/${deal.id}`, { version, [others[kind]]: [two, three] })
    expect((await read(`/api/deals/${deal.id}`)).version).toBe(version)
    await api.json('PATCH', `/api/deals/${deal.id}`, { version, [others[kind]]: [two] })
    expect((await told()).ids).toEqual([two])
    await restore(kind, one)
    expect(await told()).toEqual({ ids: [one, two], role: 'Buyer' })

    // A new primary is one also when the former comes back.
    await archive(kind, one)
    const again = await read(`/api/deals/${deal.id}`)
    await api.json('PATCH', `/api/deals/${deal.id}`, { version: again.version, [others[kind]]: [three, two] })
    expect((await told()).ids).toEqual([three, two])
    await restore(kind, one)
    expect((await told()).ids).toEqual([three, one, two])
  },
)

test('F41: the account of a contact is one that is not archived', async () => {
  const [one, two] = [
    await made('/api/accounts', { name: 'One' }),
    await made('/api/accounts', { name: 'Two' }),
  ]
  const contact = await made('/api/contacts', { name: 'Ana', account_ids: [one.id, two.id] })
  const told = async () => {
    const { account, account_ids } = await read(`/api/contacts/${contact.id}`)
    return [account?.id, ...account_ids]
  }
  expect(await told()).toEqual([one.id, one.id, two.id])
  await archive('account', one.id)
  expect(await told()).toEqual([two.id, two.id])
  await archive('account', two.id)
  expect(await told()).toEqual([undefined])
  await restore('account', one.id)
  expect(await told()).toEqual([one.id, one.id])
})

test('F43: a deal whose second contact was archived has a single one, until that comes back', async () => {
  const [one, two] = [
    await made('/api/contacts', { name: 'One' }),
    await made('/api/contacts', { name: 'Two' }),
  ]
  const deal = await made('/api/deals', { name: 'Seats', contact_ids: [one.id, two.id] })
  const single = async () => {
    const { risk_reasons } = await read(`/api/deals/${deal.id}`)
    return risk_reasons.some(({ factor }: { factor: string }) => factor === 'single_contact')
  }
  expect(await single()).toBe(false)
  await archive('contact', one.id)
  expect(await single()).toBe(true)
  await restore('contact', one.id)
  expect(await single()).toBe(false)
})
