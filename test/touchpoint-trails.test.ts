import { expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { createSource } from '../db/intake-sources.ts'
import { createLead } from '../db/leads.ts'
import { processSubmission } from '../db/submissions.ts'
import { openVisitedWorld, visit } from './visited-world.ts'

const { api, send, stored, storedOf, submit, trail } = await openVisitedWorld()

test('F36: every submission that says where it came from is a touch of its lead, once', async () => {
  const { body: campaign } = await api.json('POST', '/api/campaigns', {
    name: 'Spring',
    aliases: ['spring-26'],
  })
  const lead = await submit({
    name: 'Cy Moss',
    email: 'cy@moss.example',
    source: 'Contact form',
    utm_source: 'google',
    utm_medium: 'cpc',
    utm_campaign: 'Spring-26',
    utm_term: 'espresso',
    utm_content: 'red',
    gclid: 'Cj0',
    landing_page: 'https://brightside.example/contact?email=cy@moss.example',
    referrer: 'https://www.google.com/',
  })
  const again = await submit({ name: 'Cy Moss', email: 'cy@moss.example', message: 'And?' })
  expect(again).toBe(lead)
  await submit({ name: 'Cy Moss', email: 'cy@moss.example', source: 'Newsletter' })
  const touches = await trail(lead)
  expect(touches).toMatchObject([
    {
      campaign: 'Spring-26',
      campaign_id: campaign.id,
      source: 'google',
      medium: 'cpc',
      term: 'espresso',
      content: 'red',
      click_ids: { gclid: 'Cj0' },
      landing_page: 'https://brightside.example/contact',
      referrer: 'https://www.google.com/',
      door: 'webhook',
      submission_id: expect.any(String),
      visitor_id: null,
      consent: null,
    },
    { source: 'Newsletter', door: 'webhook' },
  ])
  // What was read twice is one touch.
  await inTx(
    api.ctx,
    ({ tx }) => tx`update submissions set status = 'received' where id = ${touches[0].submission_id}`,
  )
  await processSubmission(api.db, api.organization.id, touches[0].submission_id)
  expect(await trail(lead)).toHaveLength(2)
  const { body: card } = await api.json('GET', `/api/leads/${lead}`)
  expect(card).toMatchObject({
    campaign_id: campaign.id,
    origin: { door: 'webhook', submission_id: touches[0].submission_id },
    first_touch: {
      campaign_id: campaign.id,
      source: 'google',
      medium: 'cpc',
      occurred_at: touches[0].occurred_at,
    },
    last_touch: { campaign_id: null, source: 'Newsletter', occurred_at: touches[1].occurred_at },
  })
})

test('a lead that says nothing of where it came from has no touch; of a file, a source alone is none', async () => {
  const make = async (door: string, more: object) =>
    trail((await createLead(api.ctx, { contact_name: 'Dee', ...more }, { door })).id)
  expect(await make('api', {})).toEqual([])
  const texts = { extra: { content: 'A long message', medium: 'water', term: 'long' } }
  expect(
    await trail((await createLead(api.ctx, { contact_name: 'Dee' }, { door: 'form', ...texts })).id),
  ).toEqual([])
  expect(await make('import', { source: 'Old CRM' })).toEqual([])
  expect(await make('import', { source: 'Old CRM', campaign: 'Fair' })).toMatchObject([{ source: 'Old CRM' }])
  expect(await make('api', { source: 'Referral' })).toMatchObject([{ source: 'Referral', door: 'api' }])
})

test('F36: whoever says who they are brings the visits before along, and the ones after', async () => {
  const visitor_id = 'visitor-eve-1'
  await send(visit({ visitor_id, occurred_at: '2026-10-01T10:00:00Z' }))
  await send(
    visit({
      visitor_id,
      page: 'https://brightside.example/?utm_campaign=autumn',
      occurred_at: '2026-10-02T10:00:00Z',
    }),
  )
  await send(visit({ visitor_id: 'visitor-other' }))
  const lead = await submit({
    name: 'Eve Stone',
    email: 'eve@stone.example',
    source: 'Form',
    leadhand_visitor: visitor_id,
  })
  expect(await trail(lead)).toMatchObject([
    { campaign: 'spring', occurred_at: '2026-10-01T10:00:00.000Z', visitor_id, lead_id: lead },
    { campaign: 'autumn' },
    { source: 'Form', visitor_id },
  ])
  await send(visit({ visitor_id, page: 'https://brightside.example/?utm_campaign=late' }))
  expect((await trail(lead)).at(-1)).toMatchObject({ campaign: 'late', lead_id: lead })
  expect((await storedOf('visitor-other'))[0]).toMatchObject({ lead_id: null })
  // Somebody else on the same machine: what was Eve's stays hers, what comes is the other one's.
  const other = await submit({ name: 'Fay Holm', email: 'fay@holm.example', leadhand_visitor: visitor_id })
  await send(visit({ visitor_id, page: 'https://brightside.example/?utm_campaign=hers' }))
  expect(await trail(lead)).toHaveLength(4)
  expect(await trail(other)).toMatchObject([{ campaign: 'hers' }])
  expect(await submit({ name: 'Gus Lane', email: 'gus@lane.example', leadhand_visitor: 'no id!' })).toEqual(
    expect.any(String),
  )
})

test('a visit that comes while its visitor becomes known is never lost to the lead', async () => {
  for (let round = 0; round < 5; round++) {
    const visitor_id = `visitor-race-${round}`
    await send(visit({ visitor_id }))
    const [lead] = await Promise.all([
      submit({ name: `Racer ${round}`, email: `racer${round}@lane.example`, leadhand_visitor: visitor_id }),
      ...Array.from({ length: 6 }, () => send(visit({ visitor_id }))),
    ])
    expect(await trail(lead)).toHaveLength(7)
    expect((await api.json('GET', `/api/leads/${lead}/attribution`)).body.touches).toBe(7)
    // Known by now, it comes and writes at once: neither is in the other's way.
    const again = {
      name: `Racer ${round}`,
      email: `racer${round}@lane.example`,
      leadhand_visitor: visitor_id,
    }
    const answers = await Promise.all(
      Array.from({ length: 6 }, async (_, n) =>
        n % 2 === 0 ? (await send(visit({ visitor_id }))).status : submit({ ...again, source: `again ${n}` }),
      ),
    )
    expect(answers).toEqual([202, lead, 202, lead, 202, lead])
    expect(await trail(lead)).toHaveLength(13)
  }
})

test('the trail is told from the beginning, page by page, in the order in which it happened', async () => {
  const visitor_id = 'visitor-trail'
  const days = [5, 1, 9, 3, 7, 2]
  for (const day of days)
    await send(
      visit({ visitor_id, occurred_at: `2026-09-0${day}T10:00:00Z`, page: `https://b.example/${day}` }),
    )
  const lead = await submit({ name: 'Hal Moore', email: 'hal@moore.example', leadhand_visitor: visitor_id })
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body }: { body: any } = await api.json(
      'GET',
      `/api/leads/${lead}/touchpoints?limit=2${cursor ? `&cursor=${cursor}` : ''}`,
    )
    expect(body.data.length).toBeLessThanOrEqual(2)
    seen.push(...body.data.map(({ landing_page }: any) => landing_page.at(-1)))
    cursor = body.next_cursor
  }
  expect(seen).toEqual(['1', '2', '3', '5', '7', '9'])
  expect(await api.json('GET', '/api/leads/01990000-0000-7000-8000-000000000000/touchpoints')).toMatchObject({
    status: 404,
    body: { code: 'lead_not_found' },
  })
})

test('visits of one organization are nobody else’s', async () => {
  const { ctx } = await api.other()
  const door = await createSource(ctx, { name: 'Theirs' })
  await send(visit({ visitor_id: 'visitor-shared' }))
  await send(visit({ visitor_id: 'visitor-shared' }), {}, door.token)
  expect(await stored(ctx)).toHaveLength(1)
  await submit({ name: 'Ida', email: 'ida@lane.example', leadhand_visitor: 'visitor-shared' })
  expect(await stored(ctx)).toMatchObject([{ lead_id: null }])
})
