import { describe, expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { createField } from '../db/fields.ts'
import { createLead, updateLead, type NewLead } from '../db/leads.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { listOrigins } from '../db/origins.ts'
import { openVisitedWorld, visit } from './visited-world.ts'

const { api, send, submit, trail } = await openVisitedWorld()
await createField(api.ctx, { record_kind: 'lead', key: 'seats', label: 'Seats', type: 'integer' })

let n = 0
/** A lead of its own company; no two share a key unless `fields` say so. */
const lead = (name: string, fields: Partial<NewLead> = {}) => {
  n += 1
  return createLead(
    api.ctx,
    {
      contact_name: `${name} ${n}`,
      email: `${name.toLowerCase()}@${name.toLowerCase()}${n}.example`,
      ...fields,
    },
    { door: 'api' },
  )
}
const get = async (id: string) => (await api.json('GET', `/api/leads/${id}`)).body
const unmerge = async (id: string) => {
  const { status, body } = await api.json('POST', `/api/leads/${id}/unmerge`, {})
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}
const submissionsOf = async (id: string): Promise<string[]> =>
  (await api.json('GET', `/api/submissions?lead_id=${id}`)).body.data.map((one: { id: string }) => one.id)
const linesOf = async (id: string): Promise<any[]> =>
  (await api.json('GET', `/api/leads/${id}/timeline?limit=200`)).body.data
const VALUES = [
  'title',
  'city',
  'country',
  'industry',
  'phone',
  'phone_original',
  'value_minor',
  'currency',
  'message',
  'tags',
  'custom',
  'agents_paused',
] as const
const valuesOf = async (id: string) => {
  const now = await get(id)
  return Object.fromEntries(VALUES.map((field) => [field, now[field]]))
}

describe('F31: merges into one lead are taken apart in any order', () => {
  test.each([['the first one first'], ['the last one first']])('%s: all are as they were', async (order) => {
    const b = await lead('Bea', { city: 'Bonn', tags: ['b'], custom: { seats: 1 } })
    const a = await lead('Al', {
      city: 'Aachen',
      title: 'CEO',
      tags: ['x', 'both'],
      phone: '+49 241 900100',
      value_minor: 50_000,
      currency: 'JPY',
      custom: { seats: 2 },
    })
    const c = await lead('Cy', {
      city: 'Celle',
      title: 'Buyer',
      industry: 'Steel',
      tags: ['y', 'both'],
      phone: '+49 5141 900200',
      value_minor: 700,
      currency: 'CHF',
      custom: { seats: 3 },
    })
    const all = [a.id, b.id, c.id]
    const before = await Promise.all(all.map((id) => valuesOf(id)))
    const origins = await listOrigins(api.ctx, { kind: 'lead', id: b.id })
    const fields = ['city', 'custom.seats']
    await mergeLeads(api.ctx, b.id, { duplicate_id: a.id, fields })
    await mergeLeads(api.ctx, b.id, { duplicate_id: c.id, fields })
    expect(await get(b.id)).toMatchObject({ city: 'Celle', title: 'CEO', tags: ['b', 'x', 'both', 'y'] })
    const [first, second] = order === 'the first one first' ? [a, c] : [c, a]
    expect((await unmerge(first.id)).kept).toEqual([])
    // What is left is what there would be had the first one never been merged.
    expect(await get(b.id)).toMatchObject(
      first === a
        ? {
            city: 'Celle',
            title: 'Buyer',
            tags: ['b', 'y', 'both'].toSorted(),
            phone_original: '+49 5141 900200',
            value_minor: 700,
            currency: 'CHF',
            custom: { seats: 3 },
          }
        : { city: 'Aachen', title: 'CEO', tags: ['b', 'x', 'both'], value_minor: 50_000, currency: 'JPY' },
    )
    expect((await unmerge(second.id)).kept).toEqual([])
    expect(await Promise.all(all.map((id) => valuesOf(id)))).toEqual(before)
    expect(await listOrigins(api.ctx, { kind: 'lead', id: b.id })).toEqual(origins)
  })

  test('what somebody edited in between stays, with what goes with it, and is named', async () => {
    const b = await lead('Bea', { city: 'Bonn', tags: ['b'] })
    const a = await lead('Al', { city: 'Aachen', tags: ['x'], value_minor: 50_000, currency: 'JPY' })
    const c = await lead('Cy', { city: 'Celle', tags: ['y'] })
    await mergeLeads(api.ctx, b.id, { duplicate_id: a.id, fields: ['city'] })
    await updateLead(api.ctx, b.id, { city: 'Berlin', tags: ['b', 'x', 'vip'], value_minor: 60_000 })
    await mergeLeads(api.ctx, b.id, { duplicate_id: c.id, fields: ['city'] })
    expect((await unmerge(a.id)).kept).toEqual([
      { what: 'city', reason: 'It was edited since', left: 'Aachen', now: 'Celle' },
      { what: 'value_minor', reason: 'It was edited since', left: 50_000, now: 60_000 },
      {
        what: 'currency',
        reason: 'It goes with value_minor, which was edited since',
        left: 'JPY',
        now: 'JPY',
      },
    ])
    expect((await unmerge(c.id)).kept).toEqual([])
    expect(await get(b.id)).toMatchObject({
      city: 'Berlin',
      tags: ['b', 'vip'],
      value_minor: 60_000,
      currency: 'JPY',
    })
  })
})

test('F31: what somebody wrote stays, also where a lead that was taken out before had brought the same', async () => {
  const p = await lead('Pia')
  const a = await lead('Al', { city: 'Aachen', message: 'Hello' })
  const c = await lead('Cy', { city: 'Celle' })
  await mergeLeads(api.ctx, p.id, { duplicate_id: a.id })
  await unmerge(a.id)
  await updateLead(api.ctx, p.id, { city: 'Aachen', message: 'Hello' })
  await mergeLeads(api.ctx, p.id, { duplicate_id: c.id, fields: ['city'] })
  await submit({ contact_name: c.contact_name, email: c.email, message: 'Of Cy' })
  expect(await get(p.id)).toMatchObject({ city: 'Celle', message: 'Of Cy' })
  expect((await unmerge(c.id)).kept).toEqual([])
  expect(await get(p.id)).toMatchObject({ city: 'Aachen', message: 'Hello' })
})

describe('F31: what came in while two leads were merged goes back with whom it is of', () => {
  test('submissions with the fields that they filled, visits and messages', async () => {
    const p = await lead('Pia', { message: 'What does it cost?' })
    const a = await lead('Al')
    const visitor = `visitor-of-al-${n}`
    await submit({
      contact_name: a.contact_name,
      email: a.email,
      leadhand_visitor: visitor,
      utm_source: 'fair',
    })
    const before = await valuesOf(p.id)
    const origins = await listOrigins(api.ctx, { kind: 'lead', id: p.id })
    expect(await trail(a.id)).toHaveLength(1)
    await mergeLeads(api.ctx, p.id, { duplicate_id: a.id })
    const joined = await submit({
      contact_name: a.contact_name,
      email: a.email,
      title: 'CEO',
      city: 'Rome',
      message: 'My secret wish',
    })
    expect(joined).toBe(p.id)
    await submit({ contact_name: p.contact_name, email: p.email, country: 'Italy' })
    await send(visit({ visitor_id: visitor, id: `later-${n}` }))
    await inTx(api.ctx, async ({ tx, organization_id }) => {
      for (const recipient of [a.email!, p.email!])
        await tx`
          insert into messages (organization_id, id, message_id, sender, recipient, subject, body, record_kind, record_id)
          values (${organization_id}, gen_random_uuid(), ${`<${recipient}>`}, 'sales@northwind.example', ${recipient}, 'Offer', 'Here', 'lead', ${p.id})`
    })
    expect(await get(p.id)).toMatchObject({ title: 'CEO', city: 'Rome', message: 'My secret wish' })
    expect(await submissionsOf(p.id)).toHaveLength(3)

    expect((await unmerge(a.id)).kept).toEqual([])
    expect(await valuesOf(p.id)).toEqual({ ...before, country: 'IT' })
    expect(
      (await listOrigins(api.ctx, { kind: 'lead', id: p.id })).filter(({ field }) => field !== 'country'),
    ).toEqual(origins)
    expect(await get(a.id)).toMatchObject({ title: 'CEO', city: 'Rome', message: 'My secret wish' })
    expect([await submissionsOf(p.id), await submissionsOf(a.id)].map(({ length }) => length)).toEqual([1, 2])
    expect([await trail(p.id), await trail(a.id)].map(({ length }) => length)).toEqual([0, 2])
    expect((await get(p.id)).first_touch).toBeNull()
    const recipients = await inTx(
      api.ctx,
      ({ tx }) => tx`
      select recipient, record_id from messages where record_id in (${p.id}, ${a.id}) order by record_id = ${a.id}`,
    )
    expect(recipients.map(({ recipient, record_id }) => [recipient, record_id])).toEqual([
      [p.email, p.id],
      [a.email, a.id],
    ])
    const types = (lines: any[]) =>
      lines.filter(({ type }) => type === 'submission_joined').map(({ data }) => data.message ?? null)
    expect(types(await linesOf(a.id))).toEqual(['My secret wish', null])
    expect(types(await linesOf(p.id))).toEqual([null])
    expect(
      (await listOrigins(api.ctx, { kind: 'lead', id: a.id })).find(({ field }) => field === 'title'),
    ).toMatchObject({ origin: { kind: 'submission' }, tainted: true })
    // Whoever writes next is known by their own address again.
    expect(await submit({ contact_name: a.contact_name, email: a.email, message: 'Still there?' })).toBe(a.id)
  })

  test('what the primary had another value for reaches the duplicate; what somebody edited stays and is named', async () => {
    const p = await lead('Pia', { title: 'Buyer' })
    const a = await lead('Al')
    await mergeLeads(api.ctx, p.id, { duplicate_id: a.id })
    await submit({ contact_name: a.contact_name, email: a.email, title: 'CEO', city: 'Rome' })
    await updateLead(api.ctx, p.id, { city: 'Florence' })
    expect((await unmerge(a.id)).kept).toEqual([
      { what: 'city', reason: 'It was edited since', left: 'Rome', now: 'Florence' },
    ])
    expect(await get(p.id)).toMatchObject({ title: 'Buyer', city: 'Florence' })
    expect(await get(a.id)).toMatchObject({ title: 'CEO', city: 'Rome' })
  })

  test('of several that are merged, each takes its own, in any order', async () => {
    const p = await lead('Pia')
    const a = await lead('Al', { message: 'First of Al' })
    const c = await lead('Cy')
    await mergeLeads(api.ctx, p.id, { duplicate_id: a.id })
    await mergeLeads(api.ctx, p.id, { duplicate_id: c.id })
    await submit({ contact_name: a.contact_name, email: a.email, message: 'Second of Al', city: 'Aachen' })
    await submit({ contact_name: c.contact_name, email: c.email, message: 'First of Cy', title: 'CEO' })
    expect(await get(p.id)).toMatchObject({ message: 'First of Cy', city: 'Aachen', title: 'CEO' })
    expect((await unmerge(a.id)).kept).toEqual([])
    expect(await get(p.id)).toMatchObject({ message: 'First of Cy', city: null, title: 'CEO' })
    expect(await get(a.id)).toMatchObject({ message: 'Second of Al', city: 'Aachen', title: null })
    expect((await unmerge(c.id)).kept).toEqual([])
    expect(await get(p.id)).toMatchObject({ message: null, city: null, title: null })
    expect(await get(c.id)).toMatchObject({ message: 'First of Cy', title: 'CEO', city: null })
  })

  test('what came by an address that both have stays with the primary and is named', async () => {
    const p = await lead('Pia')
    const a = await lead('Al', { email: p.email!, contact_name: p.contact_name! })
    await mergeLeads(api.ctx, p.id, { duplicate_id: a.id })
    await submit({ contact_name: p.contact_name, email: p.email, city: 'Rome' })
    expect((await unmerge(a.id)).kept).toEqual([
      { what: 'submissions', reason: '1 of them came by what both leads are known by' },
    ])
    expect(await get(p.id)).toMatchObject({ city: 'Rome' })
    expect(await submissionsOf(p.id)).toHaveLength(1)
  })
})
