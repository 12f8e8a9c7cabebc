import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyAudit, sealAll } from '../db/audit.ts'
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
import { openApi, type ApiWorld } from './api.ts'
import { asAgent } from './cards.ts'
import { placeFile } from './documents.ts'
import { fillTenant } from './tenant.ts'
import { loseCard, makeLead, parkEmail, putToWork } from './worked-lead.ts'

let api: ApiWorld
let owner: postgres.Sql
beforeAll(async () => {
  api = await openApi()
  owner = postgres(api.owner_url, { max: 2, onnotice: () => {} })
})
afterAll(async () => {
  await owner.end()
  await api.stop()
})

const merge = (id: string, body: object, headers?: Record<string, string>) =>
  api.json('POST', `/api/leads/${id}/merge`, body, headers)
const unmerge = (id: string, body: object = {}) => api.json('POST', `/api/leads/${id}/unmerge`, body)
const get = async (id: string) => (await api.json('GET', `/api/leads/${id}`)).body
const timeline = async (id: string): Promise<any[]> =>
  (await api.json('GET', `/api/leads/${id}/timeline?limit=200`)).body.data
const countOf = async (path: string): Promise<number> => (await api.json('GET', path)).body.data.length

let n = 0
/** Two leads that are one person. */
const pair = async (first: object = {}, second: object = {}) => {
  n += 1
  const primary = await makeLead(api.ctx, {
    email: `ana@one${n}.example`,
    contact_name: 'Ana Ruiz',
    ...first,
  })
  const duplicate = await makeLead(api.ctx, {
    email: `ana@two${n}.example`,
    contact_name: 'Ana Ruiz',
    ...second,
  })
  return { primary, duplicate }
}

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
    const { primary, duplicate } = await pair()
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

describe('F31: taking a merge back', () => {
  /** Everything of two leads, as the database holds it, but for what any change raises. */
  const everything = async (ids: string[]) => {
    const state: Record<string, unknown[]> = {}
    for (const { table, column } of moves) {
      if (['lead_merges', 'duplicate_pairs', 'activity_subjects'].includes(table)) continue
      state[`${table}.${column}`] = (
        await owner<{ row: object }[]>`
          select to_jsonb(t) - 'version' - 'updated_at' - 'scored_at' - 'refreshed_at' as row from ${owner(table)} t where ${owner(column)} = any(${ids}::uuid[])
          order by 1`
      ).map(({ row }) => row)
    }
    state['leads'] = (
      await owner<{ row: object }[]>`
        select to_jsonb(o) - 'version' - 'updated_at' as row from opportunities o where id = any(${ids}::uuid[]) order by id`
    ).map(({ row }) => row)
    return state
  }

  test('brings both leads back exactly', async () => {
    const { primary, duplicate } = await pair(
      { tags: ['vip'], title: 'Buyer' },
      {
        tags: ['fair'],
        title: 'Head of purchasing',
        phone: '+49 30 901821',
        external_id: `erp-back`,
        custom: { seats: 40 },
      },
    )
    const subject = { kind: 'lead' as const, id: duplicate.id }
    const contacts = [
      await createContact(api.ctx, { name: 'Ana Ruiz' }),
      await createContact(api.ctx, { name: 'Bo Lind' }),
    ]
    await updateLead(api.ctx, primary.id, { contact_ids: [contacts[0]!.id] })
    await updateLead(api.ctx, duplicate.id, { contact_ids: contacts.toReversed().map(({ id }) => id) })
    await addNote(api.ctx, { subject, body: 'Prefers calls' })
    await createTask(api.ctx, {
      title: 'Call Ana',
      priority: 'normal',
      subjects: [subject, { kind: 'lead', id: primary.id }],
    })
    await placeFile(api.ctx, subject, 'offer.txt', 'Offer for 40 seats')
    const { call } = await putToWork(api, duplicate.id)
    await call('qualify', { lead_id: duplicate.id })
    await api.json(
      'POST',
      `/api/runs/${(await api.json('GET', `/api/runs?subject_id=${duplicate.id}`)).body.data[0].id}/cancel`,
      {},
    )
    const ids = [primary.id, duplicate.id]
    const before = await everything(ids)
    const lines = { primary: await timeline(primary.id), duplicate: await timeline(duplicate.id) }
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id, fields: ['title'] })
    expect(await everything(ids)).not.toEqual(before)
    const { status, body } = await unmerge(duplicate.id, { reason: 'Father and son' })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body.kept).toEqual([])
    expect(await everything(ids)).toEqual(before)
    const told = ['merged', 'unmerged']
    for (const which of ['primary', 'duplicate'] as const) {
      const now = await timeline(body[which].id)
      expect(now.filter(({ type }) => told.includes(type)).map(({ type }) => type)).toEqual([
        'unmerged',
        'merged',
      ])
      expect(now.filter(({ type }) => !told.includes(type)).map(({ id }) => id)).toEqual(
        lines[which].map(({ id }) => id),
      )
    }
    await sealAll(api.db, `${api.folder}/heads.jsonl`)
    expect(
      (await verifyAudit(api.db, api.ctx.organization_id, `${api.folder}/heads.jsonl`)).problem,
    ).toBeNull()
  })

  test('keeps what was edited since, and names it', async () => {
    const { primary, duplicate } = await pair({}, { title: 'Buyer', city: 'Berlin', custom: { seats: 40 } })
    const note = await addNote(api.ctx, {
      subject: { kind: 'lead', id: duplicate.id },
      body: 'Prefers calls',
    })
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id })
    await updateLead(api.ctx, primary.id, { title: 'Head of purchasing', custom: { seats: 60 } })
    await owner`update notes set subject_id = ${(await makeLead(api.ctx)).id} where id = ${note.id}`
    const { body } = await unmerge(primary.id)
    expect(body.primary).toMatchObject({ title: 'Head of purchasing', city: null, custom: { seats: 60 } })
    expect(body.duplicate).toMatchObject({
      title: 'Buyer',
      archived_at: null,
      merged_into: null,
      custom: { seats: 40 },
    })
    expect(body.kept).toEqual([
      { what: 'title', reason: 'It was edited since', left: 'Buyer', now: 'Head of purchasing' },
      { what: 'custom.seats', reason: 'It was edited since', left: 40, now: 60 },
      { what: 'notes', reason: '1 of them belong elsewhere by now' },
    ])
  })

  test('is the ordinary undo of the line, which can be taken back itself', async () => {
    const { primary, duplicate } = await pair({}, { city: 'Berlin' })
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id })
    const [line] = (await timeline(primary.id)).filter(({ type }) => type === 'merged')
    const undone = await api.json('POST', `/api/activities/${line.id}/undo`, { reason: 'Wrong person' })
    expect(undone.status, JSON.stringify(undone.body)).toBe(200)
    expect(await get(primary.id)).toMatchObject({ city: null })
    expect(await get(duplicate.id)).toMatchObject({ archived_at: null, merged_into: null })
    const redone = await api.json('POST', `/api/activities/${undone.body.id}/undo`, {})
    expect(redone.status, JSON.stringify(redone.body)).toBe(200)
    expect(await get(primary.id)).toMatchObject({ city: 'Berlin' })
    expect(await get(duplicate.id)).toMatchObject({ merged_into: primary.id })
  })

  test('says which one, refuses what is not merged', async () => {
    const { primary, duplicate } = await pair()
    expect((await unmerge(primary.id)).body.code).toBe('not_merged')
    const third = await makeLead(api.ctx, { contact_name: 'Ana Ruiz' })
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id })
    await mergeLeads(api.ctx, primary.id, { duplicate_id: third.id })
    const several = await unmerge(primary.id)
    expect([several.status, several.body.code]).toEqual([409, 'several_merged'])
    expect(several.body.errors[0].accepted.map(({ id }: any) => id).toSorted()).toEqual(
      [duplicate.id, third.id].toSorted(),
    )
    expect((await unmerge(primary.id, { duplicate_id: third.id })).body.duplicate.id).toBe(third.id)
    expect((await unmerge(primary.id)).body.duplicate.id).toBe(duplicate.id)
    // A merged primary is taken out first.
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id })
    await mergeLeads(api.ctx, third.id, { duplicate_id: primary.id })
    expect((await unmerge(duplicate.id)).body.code).toBe('lead_merged')
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
