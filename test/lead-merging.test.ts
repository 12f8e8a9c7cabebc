import { describe, expect, test } from 'vitest'
import { convertLead } from '../db/lead-conversion.ts'
import { createContact } from '../db/contacts.ts'
import { createField } from '../db/fields.ts'
import { receiveLead } from '../db/lead-intake.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { moves } from '../db/lead-moves.ts'
import { unmergeLeads } from '../db/lead-unmerging.ts'
import { updateLead } from '../db/leads.ts'
import { addNote } from '../db/notes.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { createTask } from '../db/tasks.ts'
import { asAgent } from './cards.ts'
import { placeFile } from './documents.ts'
import { openMergingWorld } from './merging-world.ts'
import { fillTenant } from './tenant.ts'
import { loseCard, makeLead, parkEmail } from './worked-lead.ts'

const { api, owner, pair, merge, unmerge, get, timeline } = await openMergingWorld()
const countOf = async (path: string): Promise<number> => (await api.json('GET', path)).body.data.length

describe('F31: merging two leads', () => {
  test('moves what hangs on the duplicate, archives it, and tells it in one line that both show', async () => {
    const { primary, duplicate } = await pair()
    const subject = { kind: 'lead' as const, id: duplicate.id }
    await addNote(api.ctx, { subject, body: 'Prefers calls' })
    await createTask(api.ctx, { title: 'Call Ana', priority: 'normal', subjects: [subject] })
    await placeFile(api.ctx, subject, 'offer.txt', 'Offer for 40 seats')
    const contact = await createContact(api.ctx, { name: 'Ana Ruiz' })
    await updateLead(api.ctx, duplicate.id, { contact_ids: [contact.id] })
    const { status, body } = await merge(primary.id, {
      duplicate_id: duplicate.id,
      reason: 'The same person',
    })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body).toMatchObject({ id: primary.id, contact_ids: [contact.id], version: primary.version + 1 })
    expect(Object.fromEntries(body.moved.map(({ what, count }: any) => [what, count]))).toMatchObject({
      notes: 1,
      tasks: 1,
      files: 1,
      contacts: 1,
    })
    expect(await get(duplicate.id)).toMatchObject({
      merged_into: primary.id,
      archived_at: expect.any(String),
    })
    expect(await countOf(`/api/notes?subject_kind=lead&subject_id=${primary.id}`)).toBe(1)
    expect(await countOf(`/api/files?subject_kind=lead&subject_id=${primary.id}`)).toBe(1)
    expect(await countOf(`/api/tasks?subject_kind=lead&subject_id=${primary.id}`)).toBe(1)

    const [lines, theirs] = [await timeline(primary.id), await timeline(duplicate.id)]
    const told = lines.filter(({ type }) => type === 'merged')
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({
      reason: 'The same person',
      actor: { kind: 'api_key' },
      subjects: [
        { kind: 'lead', id: primary.id },
        { kind: 'lead', id: duplicate.id },
      ],
    })
    expect(theirs.map(({ id }) => id)).toContain(told[0].id)
    // What happened to the duplicate is the primary's past, too.
    for (const line of theirs) expect(lines.map(({ id }) => id)).toContain(line.id)
  })

  test('fills blanks, joins tags, keeps what the primary says, and takes the fields that are chosen', async () => {
    await createField(api.ctx, { record_kind: 'lead', key: 'tier', label: 'Tier', type: 'short_text' })
    await createField(api.ctx, { record_kind: 'lead', key: 'seats', label: 'Seats', type: 'integer' })
    const { primary, duplicate } = await pair(
      { title: 'Buyer', tags: ['vip'], custom: { tier: 'gold' } },
      {
        title: 'Head of purchasing',
        phone: '+49 30 901820',
        city: 'Berlin',
        tags: ['VIP', 'fair'],
        external_id: 'erp-1',
        value_minor: 5_000,
        currency: 'USD',
        custom: { tier: 'silver', seats: 40 },
      },
    )
    const { body } = await merge(primary.id, { duplicate_id: duplicate.id, fields: ['title', 'custom.tier'] })
    expect(body).toMatchObject({
      email: primary.email,
      title: 'Head of purchasing',
      phone: '+4930901820',
      phone_original: '+49 30 901820',
      city: 'Berlin',
      tags: ['vip', 'fair'],
      external_id: 'erp-1',
      value_minor: 5_000,
      currency: 'USD',
      custom: { tier: 'silver', seats: 40 },
    })
    expect(body.changes.map(({ field }: any) => field).toSorted()).toEqual([
      'city',
      'currency',
      'custom.seats',
      'custom.tier',
      'external_id',
      'phone',
      'phone_original',
      'tags',
      'title',
      'value_minor',
    ])
    const chosen = await pair({ city: 'Bonn' }, { city: 'Berlin', title: 'Buyer' })
    const by_map = await merge(chosen.primary.id, {
      duplicate_id: chosen.duplicate.id,
      fields: { city: 'duplicate', title: 'primary' },
    })
    expect(by_map.body).toMatchObject({ city: 'Berlin', title: null })
  })

  test('a submission with either address joins the primary, also when it was merged on', async () => {
    const { n, primary, duplicate } = await pair()
    const last = await makeLead(api.ctx, { contact_name: 'Ana Ruiz', email: `ana@three${n}.example` })
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id })
    await mergeLeads(api.ctx, last.id, { duplicate_id: primary.id })
    expect(await get(duplicate.id)).toMatchObject({ merged_into: last.id })
    for (const email of [primary.email, duplicate.email, last.email]) {
      const received = await receiveLead(
        api.ctx,
        { contact_name: 'Ana Ruiz', email: email! },
        { door: 'webhook' },
      )
      expect(received).toMatchObject({ joined: true, lead: { id: last.id } })
    }
    // Taken apart from the last one, the first two are one again.
    await unmergeLeads(api.ctx, primary.id)
    expect(await get(duplicate.id)).toMatchObject({ merged_into: primary.id })
    const received = await receiveLead(api.ctx, { email: duplicate.email! }, { door: 'webhook' })
    expect(received.lead.id).toBe(primary.id)
  })

  test('withdraws what waited on the duplicate and stops its agents', async () => {
    const { primary, duplicate } = await pair()
    const approval = await parkEmail(api, duplicate)
    const { body } = await merge(primary.id, { duplicate_id: duplicate.id })
    expect(body.withdrawn).toEqual([approval.id])
    const { body: withdrawn } = await api.json('GET', `/api/approvals/${approval.id}`)
    expect(withdrawn).toMatchObject({ status: 'withdrawn' })
    expect(await countOf(`/api/runs?subject_id=${duplicate.id}&status=running`)).toBe(0)
  })

  test('a converted duplicate is merged; its deal names the primary from then on', async () => {
    const { primary, duplicate } = await pair()
    await convertLead(api.ctx, duplicate.id, {})
    const { converted } = await getOpportunity(api.ctx, duplicate.id)
    const { status, body } = await merge(primary.id, { duplicate_id: duplicate.id })
    expect(status, JSON.stringify(body)).toBe(200)
    const deal = await api.json('GET', `/api/deals/${converted?.deal_id}`)
    expect(deal.body).toMatchObject({ source_lead_id: primary.id })
    const reversed = await api.json('POST', `/api/leads/${duplicate.id}/convert/reverse`, {})
    expect([reversed.status, reversed.body.code]).toEqual([409, 'lead_merged'])
    expect((await unmerge(duplicate.id)).status).toBe(200)
    const after = await api.json('GET', `/api/deals/${converted?.deal_id}`)
    expect(after.body).toMatchObject({ source_lead_id: duplicate.id })
    expect(await get(duplicate.id)).toMatchObject({ archived_at: expect.any(String), merged_into: null })
  })

  test('refuses what makes no sense, each with its reason', async () => {
    const { primary, duplicate } = await pair()
    const asked = async (id: string, body: object, headers?: Record<string, string>) => {
      const answer = await merge(id, body, headers)
      return [answer.status, answer.body.code]
    }
    expect(await asked(primary.id, { duplicate_id: primary.id })).toEqual([422, 'merged_with_itself'])
    expect(await asked(primary.id, { duplicate_id: '01990000-0000-7000-8000-000000000000' })).toEqual([
      404,
      'lead_not_found',
    ])
    const { ctx: there } = await api.other()
    const theirs = await makeLead(there)
    expect(await asked(primary.id, { duplicate_id: theirs.id })).toEqual([404, 'lead_not_found'])
    expect(await asked(theirs.id, { duplicate_id: primary.id })).toEqual([404, 'lead_not_found'])
    const unknown = await merge(primary.id, { duplicate_id: duplicate.id, fields: ['titel'] })
    expect([unknown.status, unknown.body.code]).toEqual([422, 'unknown_field'])
    expect(unknown.body.errors[0]).toMatchObject({
      pointer: '/fields/0',
      message: expect.stringContaining('“title”'),
    })
    expect(await asked(primary.id, { duplicate_id: duplicate.id, version: 99 })).toEqual([
      412,
      'version_mismatch',
    ])
    expect(await asked(primary.id, { duplicate_id: duplicate.id }, { 'if-match': '"99"' })).toEqual([
      412,
      'version_mismatch',
    ])
    expect(await asked(primary.id, { duplicate_id: duplicate.id, duplicate_version: 99 })).toEqual([
      412,
      'version_mismatch',
    ])
    const lost = await makeLead(api.ctx)
    await loseCard(api.ctx, lost.id)
    expect(await asked(primary.id, { duplicate_id: lost.id })).toEqual([409, 'opportunity_closed'])
    expect(await asked(lost.id, { duplicate_id: primary.id })).toEqual([409, 'opportunity_closed'])
    const gone = await makeLead(api.ctx)
    await api.ask('DELETE', `/api/leads/${gone.id}`)
    expect(await asked(primary.id, { duplicate_id: gone.id })).toEqual([409, 'record_archived'])
    expect(await asked(gone.id, { duplicate_id: primary.id })).toEqual([409, 'record_archived'])
    expect(await asked(primary.id, { duplicate_id: duplicate.id })).toEqual([200, undefined])
    expect(await asked(primary.id, { duplicate_id: duplicate.id })).toEqual([409, 'lead_merged'])
    expect(await asked(duplicate.id, { duplicate_id: primary.id })).toEqual([409, 'lead_merged'])
    const restored = await api.json('POST', `/api/leads/${duplicate.id}/restore`, {})
    expect([restored.status, restored.body.code]).toEqual([409, 'lead_merged'])
    await expect(
      mergeLeads(asAgent(api.ctx), primary.id, { duplicate_id: gone.id, reason: 'x' }),
    ).rejects.toMatchObject({ code: 'record_archived' })
    const { primary: another, duplicate: its } = await pair()
    await expect(
      mergeLeads(asAgent(api.ctx), another.id, { duplicate_id: its.id, reason: 'x' }),
    ).rejects.toMatchObject({ code: 'approval_required' })
  })

  test('two people who merge the same pair both ways at once: one does, the other is told', async () => {
    for (let round = 0; round < 5; round++) {
      const { primary, duplicate } = await pair()
      const answers = await Promise.all([
        merge(primary.id, { duplicate_id: duplicate.id }),
        merge(duplicate.id, { duplicate_id: primary.id }),
      ])
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])
    }
  })
})

test('F31: every column that can hold a lead’s id is listed, with what becomes of it in a merge', async () => {
  await fillTenant(api, api.ctx)
  const [first, second] = [await makeLead(api.ctx), await makeLead(api.ctx)]
  await mergeLeads(api.ctx, first.id, { duplicate_id: second.id })
  const columns = await owner<{ table: string; column: string }[]>`
    select c.relname as "table", a.attname as "column" from pg_attribute a
    join pg_class c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    where a.atttypid = 'uuid'::regtype and a.attnum > 0 and not a.attisdropped order by 1, 2`
  const listed = new Set(moves.map(({ table, column }) => `${table}.${column}`))
  const own = new Set(['opportunities.id'])
  const named = /^(lead|opportunity|record|subject|source_lead|merged_into|primary|duplicate|other)(_id)?$/
  const missing: string[] = []
  for (const { table, column } of columns) {
    const name = `${table}.${column}`
    if (listed.has(name) || own.has(name)) continue
    const [holds] = await owner`
      select 1 from ${owner(table)} t where exists (select from opportunities o where o.id = t.${owner(column)} and o.kind = 'lead') limit 1`
    if (named.test(column) || holds) missing.push(name)
  }
  expect(missing).toEqual([])
  const there = new Set(columns.map(({ table, column }) => `${table}.${column}`))
  expect([...listed].filter((name) => !there.has(name))).toEqual([])
})
