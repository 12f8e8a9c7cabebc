import { afterAll, beforeAll, expect, test } from 'vitest'
import { permissionsOf } from '../api/permissions.ts'
import { bulkPermissions } from '../api/record-permissions.ts'
import { startBulk, type Bulk } from '../db/bulk.ts'
import { bulkRoles } from '../db/bulk-requesters.ts'
import { bulkWork } from '../db/bulk-work.ts'
import { addMember, createApiKey, revokeApiKey, roles, type Member, type Role } from '../db/identity.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { eventually } from './eventually.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const { work, read, fill, countLeads } = bulksOf(() => api)

let made = 0
/** A member with a key; what is done in the member's own name goes through the same. */
const member = async (role: Role = 'rep'): Promise<{ member: Member; key: string; key_id: string }> => {
  made += 1
  const { id: organization_id } = api.organization
  const joined = await addMember(api.db, {
    organization_id,
    name: `Ana ${made}`,
    email: `ana.${made}@northwind.example`,
    role,
  })
  const { key, id } = await createApiKey(api.ctx, {
    name: `Key of Ana ${made}`,
    scopes: ['*'],
    user_id: joined.user_id,
  })
  return { member: joined, key, key_id: id }
}
const ask = async (key: string, source: string): Promise<Bulk> => {
  const filter = { field: 'source', op: 'eq', value: source }
  const body = { kind: 'lead', filter, act: 'update', input: { city: 'Kiel' } }
  return (await api.json('POST', '/api/bulk', body, { authorization: `Bearer ${key}` })).body
}
const leave = ({ user_id }: Member) =>
  api.db
    .sql`delete from identity.members where organization_id = ${api.organization.id} and user_id = ${user_id}`
const become = ({ user_id }: Member, role: Role) =>
  api.db
    .sql`update identity.members set role = ${role} where organization_id = ${api.organization.id} and user_id = ${user_id}`

test.each<[string, (asker: Awaited<ReturnType<typeof member>>) => PromiseLike<unknown>, RegExp]>([
  ['was removed', ({ member }) => leave(member), /“Key of Ana \d+” is an API key .* whose member has left/],
  [
    'was made a viewer',
    ({ member }) => become(member, 'viewer'),
    /may not change records any more \(viewer\)/,
  ],
  ['has a key that was revoked', ({ key_id }) => revokeApiKey(api.ctx, key_id), /revoked/],
])('F20: of a member who %s before it begins, nothing is done', async (what, lose, reason) => {
  const source = `before ${what}`
  await fill(5, source)
  const asker = await member()
  const bulk = await ask(asker.key, source)
  await lose(asker)
  await work(bulk)
  expect(await read(bulk)).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(reason),
    progress: { done: 0 },
    counts: { changed: 0 },
  })
  expect(await countLeads({ source })).toBe(5)
})

test('F20: of a member who is removed meanwhile, the act stops at the next chunk; what it did is counted, and others take it back', async () => {
  Object.assign(bulkWork, { chunk: 10 })
  await fill(400, 'meanwhile')
  const asker = await member()
  const bulk = await ask(asker.key, 'meanwhile')
  const working = work(bulk)
  await eventually(async () => (await read(bulk)).progress.done > 0)
  await leave(asker.member)
  const at = (await read(bulk)).progress.done
  await working
  const after = await read(bulk)
  expect(after).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('The act was stopped; what it did already stays'),
  })
  expect(after.progress.done).toBeGreaterThan(0)
  expect(after.progress.done).toBeLessThanOrEqual(at + 2 * bulkWork.chunk)
  expect(after.counts.changed).toBe(after.progress.done)
  const finished = (await api.json('GET', '/api/activities?type=bulk_finished&limit=1')).body.data[0]
  expect(finished).toMatchObject({
    reason: after.error,
    data: { status: 'failed', counts: { changed: after.counts.changed } },
  })
  const { body: undo } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
  await work(undo)
  expect(await read(undo)).toMatchObject({ status: 'done', counts: { changed: after.counts.changed } })
  expect(await countLeads({ source: 'meanwhile' })).toBe(400)
})

test('F20: the same for a person without a key, and whoever still may goes on', async () => {
  await fill(3, 'person')
  const { member: ana } = await member('manager')
  const filter = { field: 'source', op: 'eq' as const, value: 'person' }
  const asAna = { ...api.ctx, actor: { kind: 'user' as const, id: ana.user_id, name: ana.name } }
  const input = { kind: 'lead' as const, filter, act: 'update' as const, input: { city: 'Kiel' } }
  const first = await startBulk(asAna, input)
  await become(ana, 'rep')
  await work(first)
  expect(await read(first)).toMatchObject({ status: 'done', counts: { changed: 3 } })
  const second = await startBulk(asAna, { ...input, input: { city: 'Bonn' } })
  await leave(ana)
  await work(second)
  expect(await read(second)).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/^“Ana \d+” is not a member of this organization any more/),
  })
})

test('F20: who may go on is who may begin: the roles are those that may write every kind', () => {
  for (const role of roles) {
    const may = permissionsOf(role)
    const needed = ['bulk:write', ...Object.values(bulkPermissions).map(({ write }) => write)] as const
    expect([role, needed.every((permission) => may.some((one) => one === permission))]).toEqual([
      role,
      bulkRoles.includes(role),
    ])
  }
})
