import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { resolveToken } from '../db/identity.ts'
import {
  archiveSource,
  changeSource,
  checkSignature,
  createSource,
  getSource,
  listSources,
  openSource,
  rotateSecret,
} from '../db/intake-sources.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const open = (id: string) => openSource(world.db, ctx.organization_id, id)

test('a source is opened by its token, which is answered once and kept as a hash', async () => {
  const { token, ...source } = await createSource(ctx, { name: 'Website' })
  expect(token).toMatch(/^in_[\w-]{43}$/)
  expect(await resolveToken(world.db, 'intake', token)).toEqual({
    organization_id: ctx.organization_id,
    principal: source.id,
  })
  expect(await resolveToken(world.db, 'intake', `${token}x`)).toBeUndefined()
  expect(JSON.stringify([await getSource(ctx, source.id), await listSources(ctx)])).not.toContain(token)
  const rows = await inTx(ctx, ({ tx }) => tx`select * from intake_sources`)
  expect(JSON.stringify(rows)).not.toContain(token)
})

test('a closed source opens nothing any more', async () => {
  const { id, token } = await createSource(ctx, { name: 'Old form' })
  await archiveSource(ctx, id)
  expect(await resolveToken(world.db, 'intake', token)).toBeUndefined()
  expect(await open(id)).toBeUndefined()
  expect((await listSources(ctx)).map((source) => source.id)).not.toContain(id)
})

test('a source of another organization is not there', async () => {
  const { id } = await createSource(ctx, { name: 'Website' })
  const other = await world.other()
  await expect(getSource(other.ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
  await expect(changeSource(other.ctx, id, { version: 1, changes: { name: 'Mine' } })).rejects.toMatchObject({
    kind: 'not_found',
  })
  await expect(archiveSource(other.ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
  await expect(rotateSecret(other.ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
})

test('a change needs the version that was read, and stands on the timeline', async () => {
  const { id } = await createSource(ctx, { name: 'Website' })
  const changed = await changeSource(ctx, id, {
    version: 1,
    changes: { mapping: { email: 'contact.email' }, defaults: { source: 'Ads' } },
  })
  expect(changed).toMatchObject({
    version: 2,
    mapping: { email: 'contact.email' },
    defaults: { source: 'Ads' },
    name: 'Website',
  })
  await expect(changeSource(ctx, id, { version: 1, changes: { name: 'Late' } })).rejects.toMatchObject({
    kind: 'stale',
    extra: { current: { version: 2 } },
  })
  expect(await changeSource(ctx, id, { version: 2, changes: { mapping: null } })).toMatchObject({
    mapping: null,
  })
  const { data } = await listActivities(ctx, { limit: 1 })
  expect(data).toMatchObject([{ type: 'settings_changed', summary: 'changed the intake source “Website”' }])
})

describe('a signature', () => {
  const body = '{"name":"Ana"}'
  const signed = (secret: string, at = new Date(), id = 'msg_1') => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  })

  test('is good for what was signed with the source’s secret, within 300 seconds', async () => {
    const { id, signing_secret = '' } = await createSource(ctx, { name: 'Signed', signature_required: true })
    const { secrets } = (await open(id))!
    expect(secrets).toEqual([signing_secret])
    const headers = signed(signing_secret)
    expect(checkSignature(secrets, headers, body)).toBe('good')
    expect(
      checkSignature(
        secrets,
        { ...headers, 'webhook-signature': `v1,wrong ${headers['webhook-signature']}` },
        body,
      ),
    ).toBe('good')
    expect(checkSignature(secrets, headers, `${body} `)).toBe('forged')
    expect(checkSignature(secrets, { ...headers, 'webhook-id': 'msg_2' }, body)).toBe('forged')
    expect(checkSignature([], headers, body)).toBe('forged')
    for (const seconds of [301, -301]) {
      expect(
        checkSignature(secrets, signed(signing_secret, new Date(Date.now() - seconds * 1_000)), body),
      ).toBe('expired')
    }
    for (const seconds of [295, -295]) {
      expect(
        checkSignature(secrets, signed(signing_secret, new Date(Date.now() - seconds * 1_000)), body),
      ).toBe('good')
    }
    for (const missing of Object.keys(headers))
      expect(checkSignature(secrets, { ...headers, [missing]: undefined }, body)).toBe('missing')
    for (const at of ['soon', '1e99', '1.5', '-1', '99999999999999999999']) {
      expect([at, checkSignature(secrets, { ...headers, 'webhook-timestamp': at }, body)]).toEqual([
        at,
        'forged',
      ])
    }
  })

  test('by the secret before a rotation is good for a day', async () => {
    const { id, signing_secret = '' } = await createSource(ctx, { name: 'Rotated', signature_required: true })
    const { signing_secret: next, previous_secret_until } = await rotateSecret(ctx, id)
    expect(next).not.toBe(signing_secret)
    expect(previous_secret_until.getTime() - Date.now()).toBeGreaterThan(23 * 3_600_000)
    const { secrets } = (await open(id))!
    expect(secrets).toEqual([next, signing_secret])
    for (const secret of secrets) expect(checkSignature(secrets, signed(secret), body)).toBe('good')
    await inTx(
      ctx,
      ({ tx }) =>
        tx`update intake_sources set previous_secret_until = now() - interval '1 second' where id = ${id}`,
    )
    expect((await open(id))!.secrets).toEqual([next])
  })

  test('secrets are stored encrypted', async () => {
    const { signing_secret = '' } = await createSource(ctx, { name: 'Signed', signature_required: true })
    const rows = await inTx(ctx, ({ tx }) => tx`select * from intake_sources`)
    expect(JSON.stringify(rows)).not.toContain(signing_secret.slice(6))
  })

  test('that is required for the first time makes a secret, which is answered once', async () => {
    const { id } = await createSource(ctx, { name: 'Later signed' })
    expect((await open(id))!.secrets).toEqual([])
    const changed = await changeSource(ctx, id, { version: 1, changes: { signature_required: true } })
    expect(changed.signing_secret).toMatch(/^whsec_/)
    expect(await changeSource(ctx, id, { version: 2, changes: { name: 'Again' } })).not.toHaveProperty(
      'signing_secret',
    )
  })
})
