import { expect, test } from 'vitest'
import { Webhook } from 'standardwebhooks'
import { inTx } from '../db/context.ts'
import { createSource } from '../db/intake-sources.ts'
import { openVisitedWorld, visit } from './visited-world.ts'

const { api, token, send, stored, storedOf } = await openVisitedWorld()

test('F36: a visit is kept by the way it came, and of its addresses no more than origin and path', async () => {
  const answer = await send(visit({ referrer: 'https://news.example/issue/12?reader=ana#x', id: 'once' }))
  expect(answer).toMatchObject({ status: 202, body: { recorded: true } })
  const [row] = await storedOf('visitor-0001')
  expect(row).toMatchObject({
    campaign: 'spring',
    source: 'newsletter',
    medium: null,
    landing_page: 'https://brightside.example/espresso',
    referrer: 'https://news.example/issue/12',
    door: 'website',
    consent: true,
    lead_id: null,
    campaign_id: null,
  })
  expect(JSON.stringify(row)).not.toContain('ana')
  expect((await send(visit({ id: 'once' }))).status).toBe(202)
  expect(await storedOf('visitor-0001')).toHaveLength(1)
})

test('F36: without consent nothing is kept, whatever is sent; nor of who asks not to be followed, nor of robots', async () => {
  const before = await stored()
  const cases: [object, Record<string, string>, string][] = [
    [{ consent: false }, {}, 'no_consent'],
    [{ consent: undefined }, {}, 'no_consent'],
    [{ consent: 'yes' }, {}, 'no_consent'],
    [{ consent: 1 }, {}, 'no_consent'],
    [{}, { 'sec-gpc': '1' }, 'do_not_track'],
    [{}, { dnt: '1' }, 'do_not_track'],
    [
      {},
      { 'user-agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' },
      'robot',
    ],
    [{}, { 'user-agent': 'facebookexternalhit/1.1' }, 'robot'],
  ]
  for (const [more, headers, reason] of cases)
    expect(await send(visit(more), headers), reason).toMatchObject({
      status: 202,
      body: { recorded: false, reason },
    })
  expect(await stored()).toEqual(before)
  const visitors = await inTx(api.ctx, ({ tx }) => tx`select 1 from visitors`)
  expect(visitors).toHaveLength(0)
})

test('the order of refusals: 404, 429, 401, 403, 413, 400, 422; none stores anything', async () => {
  const before = await stored()
  const big = JSON.stringify(visit({ page: `https://x.example/${'x'.repeat(20_000)}` }))
  expect(await send(big, {}, 'nobodys')).toMatchObject({
    status: 404,
    body: { code: 'intake_source_not_found' },
  })
  const narrow = await createSource(api.ctx, { name: 'Narrow', rate_limit_per_minute: 1 })
  await send({}, {}, narrow.token)
  expect(await send(big, {}, narrow.token)).toMatchObject({
    status: 429,
    body: { code: 'too_many_deliveries' },
  })
  // Visits are not in the way of leads.
  const lead = await api.app.request(`/intake/webhook/${narrow.token}`, {
    method: 'POST',
    body: '{"name":"Ana"}',
    headers: { 'content-type': 'application/json' },
  })
  expect(lead.status).toBe(202)
  const signed = await createSource(api.ctx, {
    name: 'Signed',
    signature_required: true,
    origins: ['https://brightside.example'],
  })
  expect(await send(big, {}, signed.token)).toMatchObject({
    status: 401,
    body: { code: 'signature_missing' },
  })
  const raw = JSON.stringify(visit({ visitor_id: 'visitor-sign' }))
  const at = new Date()
  const headers = {
    'webhook-id': 'v1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(signed.signing_secret!).sign('v1', at, raw),
  }
  expect(await send(`${raw} `, headers, signed.token)).toMatchObject({
    status: 401,
    body: { code: 'signature_forged' },
  })
  const foreign = { ...headers, origin: 'https://elsewhere.example' }
  expect(await send(big, foreign, signed.token)).toMatchObject({
    status: 403,
    body: { code: 'origin_not_allowed' },
  })
  expect(await send(big)).toMatchObject({
    status: 413,
    body: { code: 'body_too_large', limit_bytes: 16_000 },
  })
  expect(await send('{"consent":')).toMatchObject({ status: 400, body: { code: 'invalid_json' } })
  expect(await send('[1]')).toMatchObject({ status: 400, body: { code: 'invalid_json' } })
  expect(await send('<visit/>', { 'content-type': 'application/xml' })).toMatchObject({
    status: 400,
    body: { code: 'unsupported_body' },
  })
  for (const [more, pointer] of [
    [{ visitor_id: undefined }, '/visitor_id'],
    [{ visitor_id: 'short' }, '/visitor_id'],
    [{ visitor_id: 'ana@brightside.example' }, '/visitor_id'],
    [{ id: 7 }, '/id'],
    [{ occurred_at: 'yesterday' }, '/occurred_at'],
    [{ occurred_at: '2001-01-01T00:00:00Z' }, '/occurred_at'],
  ] as const)
    expect(await send(visit(more)), pointer).toMatchObject({
      status: 422,
      body: { code: 'invalid_input', errors: [{ pointer }] },
    })
  expect(await stored()).toEqual(before)
  expect(await send(raw, { ...headers, origin: 'https://brightside.example' }, signed.token)).toMatchObject({
    status: 202,
    body: { recorded: true },
  })
})

test('only pages of the websites that a source names may send; without names, any', async () => {
  const { body: source } = await api.json('POST', '/api/intake-sources', {
    name: 'Shop',
    origins: ['https://shop.example/any/path', 'http://127.0.0.1:8080'],
  })
  expect(source).toMatchObject({
    origins: ['https://shop.example', 'http://127.0.0.1:8080'],
    snippet: `<script src="http://127.0.0.1:3000/touch.js" data-token="${source.token}" defer></script>`,
    script_integrity: expect.stringMatching(/^sha384-/),
  })
  const preflight = async (origin: string, to: string) =>
    (await api.app.request(`/intake/touch/${to}`, { method: 'OPTIONS', headers: { origin } })).headers.get(
      'access-control-allow-origin',
    )
  expect(await preflight('https://shop.example', source.token)).toBe('https://shop.example')
  expect(await preflight('https://elsewhere.example', source.token)).toBeNull()
  expect(await preflight('https://elsewhere.example', token)).toBe('*')
  const from = (origin: string) => send(visit({ visitor_id: 'visitor-shop' }), { origin }, source.token)
  expect((await from('https://elsewhere.example')).status).toBe(403)
  const own = await from('https://shop.example')
  expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([202, 'https://shop.example'])
  expect(
    await api.json('PATCH', `/api/intake-sources/${source.id}`, { version: 1, origins: ['shop'] }),
  ).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/origins/0' }] },
  })
  expect((await api.json('GET', `/api/intake-sources/${source.id}`)).body.snippet).toContain('YOUR_TOKEN')
})

test('where nobody says it, the mark of a click or the page before says where a visit came from', async () => {
  const cases: [object, object][] = [
    [
      { page: 'https://b.example/?gclid=Cj0&utm_medium=cpc' },
      { source: 'google', medium: 'cpc', click_ids: { gclid: 'Cj0' } },
    ],
    [{ page: 'https://b.example/?fbclid=Iw' }, { source: 'facebook', medium: 'social' }],
    [
      { page: 'https://b.example/', referrer: 'https://www.google.co.uk/search?q=x' },
      { source: 'google', medium: 'organic', referrer: 'https://www.google.co.uk/search' },
    ],
    [
      { page: 'https://b.example/', referrer: 'https://blog.example/p/1?x=y' },
      { source: 'blog.example', medium: 'referral' },
    ],
    [
      { page: 'https://b.example/x', referrer: 'https://www.b.example/y' },
      { source: null, medium: null, referrer: null },
    ],
    [
      {
        landing_page: '/pricing?plan=a',
        source: 'qr',
        medium: 'print',
        term: 'beans',
        content: 'a',
        campaign: ' Two   words ',
      },
      {
        landing_page: '/pricing',
        source: 'qr',
        medium: 'print',
        term: 'beans',
        content: 'a',
        campaign: 'Two words',
      },
    ],
    [
      { page: 'javascript:alert(1)', referrer: 'not an address' },
      { landing_page: null, referrer: null },
    ],
    [
      { page: `https://b.example/${'p'.repeat(5_000)}`, campaign: 'c'.repeat(4_000) },
      { landing_page: expect.stringMatching(/^.{1000}$/), campaign: expect.stringMatching(/^.{300}$/) },
    ],
    [{ page: 'https://ana:secret@b.example/a' }, { landing_page: 'https://b.example/a' }],
    [{ campaign: 'a\u0000b', source: '\ud800x' }, { campaign: 'ab' }],
    [
      { campaign: { a: 1 }, source: ['x'], page: 7 },
      { campaign: null, source: null, landing_page: null },
    ],
  ]
  for (const [n, [sent, kept]] of cases.entries()) {
    const visitor_id = `visitor-way-${n}`
    const answer = await send({ consent: true, visitor_id, ...sent })
    expect([answer.status, answer.body], JSON.stringify(sent).slice(0, 200)).toEqual([
      202,
      { recorded: true },
    ])
    expect((await storedOf(visitor_id))[0], JSON.stringify(sent).slice(0, 200)).toMatchObject(kept)
  }
})

test('F36: what was seen of a visit never changes; and no visit makes a campaign', async () => {
  const { body: settings } = await api.json('GET', '/api/settings')
  await api.json('PATCH', '/api/settings', { version: settings.version, create_campaigns: true })
  await send(visit({ visitor_id: 'visitor-fixed', page: 'https://b.example/?utm_campaign=invented' }))
  const { body } = await api.json('GET', '/api/campaigns/unmatched')
  expect(body.data).toContainEqual({ campaign: 'invented', leads: 0, deals: 0, touches: 1 })
  const rewritten = inTx(api.ctx, ({ tx }) => tx`update touchpoints set source = 'us', campaign = 'ours'`)
  await expect(rewritten).rejects.toThrow('what was seen of a visit never changes')
})

test('nobody comes by more than a thousand times', async () => {
  await inTx(
    api.ctx,
    ({ tx, organization_id }) => tx`
      insert into touchpoints (organization_id, id, visitor_id, consent, occurred_at, door)
      select ${organization_id}::uuid, gen_random_uuid(), 'visitor-many', true, now(), 'website' from generate_series(1, 999)`,
  )
  const answers = [
    await send(visit({ visitor_id: 'visitor-many' })),
    await send(visit({ visitor_id: 'visitor-many' })),
  ]
  expect(answers.map(({ status, body }) => [status, body])).toEqual([
    [202, { recorded: true }],
    [202, { recorded: false, reason: 'too_many' }],
  ])
})
