import { describe, expect, test } from 'vitest'
import { verifyAudit, sealAll } from '../db/audit.ts'
import { createContact } from '../db/contacts.ts'
import { createField } from '../db/fields.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { moves } from '../db/lead-moves.ts'
import { updateLead } from '../db/leads.ts'
import { addNote } from '../db/notes.ts'
import { createTask } from '../db/tasks.ts'
import { placeFile } from './documents.ts'
import { openMergingWorld } from './merging-world.ts'
import { makeLead, putToWork } from './worked-lead.ts'

const { api, owner, pair, unmerge, get, timeline } = await openMergingWorld()
await createField(api.ctx, { record_kind: 'lead', key: 'seats', label: 'Seats', type: 'integer' })

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

  test('F27: values of a field that was archived since are taken back, too, and nobody is said to have edited them', async () => {
    const { body: field } = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      label: 'Merged tier',
      type: 'short_text',
    })
    const { primary, duplicate } = await pair({}, { custom: { [field.key]: 'gold' } })
    await mergeLeads(api.ctx, primary.id, { duplicate_id: duplicate.id })
    await api.json('DELETE', `/api/fields/${field.id}`)
    const { status, body } = await unmerge(duplicate.id)
    expect([status, body.kept]).toEqual([200, []])
    await api.json('POST', `/api/fields/${field.id}/restore`)
    expect((await get(primary.id)).custom).toEqual({})
    expect((await get(duplicate.id)).custom).toEqual({ [field.key]: 'gold' })
  })

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
