import { describe, expect, test } from 'vitest'
import { createContact, updateContact } from '../db/contacts.ts'
import { updateDeal } from '../db/deals.ts'
import { createTask } from '../db/tasks.ts'
import { openConversionWorld } from './conversion-world.ts'
import { placeFile } from './documents.ts'

const { api, lead, convert, reverse, linesOf, listed } = await openConversionWorld()

describe('F29: taking a conversion back', () => {
  test('puts the lead where it was and archives what was made', async () => {
    const before = await lead()
    const { body } = await convert(before.id)
    const { status, body: reversed } = await reverse(before.id)
    expect(status, JSON.stringify(reversed)).toBe(200)
    expect(reversed).toMatchObject({
      archived: ['deal', 'contact', 'account'],
      kept: [],
      lead: {
        id: before.id,
        archived_at: null,
        converted: null,
        stage: { id: before.stage_id },
        contact_ids: [],
        account_ids: [],
      },
    })
    expect((await api.json('GET', `/api/deals/${body.deal.id}`)).body.archived_at).not.toBeNull()
    expect((await listed()).map(({ id }: { id: string }) => id)).toContain(before.id)
    expect(await reverse(before.id)).toMatchObject({ status: 409, body: { code: 'not_converted' } })
    // What is in the archive is not found again: the second conversion makes new records.
    expect((await convert(before.id)).body.created).toEqual(['account', 'contact', 'deal'])
  })

  test('is refused once the deal was edited, which is named', async () => {
    const { id } = await lead()
    const { body } = await convert(id)
    await updateDeal(api.ctx, body.deal.id, { value_minor: 1 })
    expect(await reverse(id)).toMatchObject({
      status: 409,
      body: { code: 'deal_edited', deal_id: body.deal.id },
    })
    const [line] = await linesOf('lead', id)
    expect(await api.json('POST', `/api/activities/${line.id}/undo`, {})).toMatchObject({
      status: 409,
      body: { code: 'deal_edited' },
    })
  })

  test('keeps an account or contact that somebody worked on since, and names it', async () => {
    const { id } = await lead()
    const { body } = await convert(id)
    await updateContact(api.ctx, body.contact.id, { title: 'CEO' })
    await createContact(api.ctx, { name: 'A colleague', account_ids: [body.account.id] })
    const { body: reversed } = await reverse(id)
    expect(reversed).toMatchObject({
      archived: ['deal'],
      kept: [
        { kind: 'contact', id: body.contact.id, because: 'It was edited since.' },
        { kind: 'account', id: body.account.id, because: 'Another contact is linked with it.' },
      ],
    })
  })

  test('is one undo of the line that says so', async () => {
    const { id } = await lead()
    await convert(id)
    const [line] = await linesOf('lead', id)
    const { status, body } = await api.json('POST', `/api/activities/${line.id}/undo`, {
      reason: 'Too early',
    })
    expect(status, JSON.stringify(body)).toBe(200)
    expect((await api.json('GET', `/api/leads/${id}`)).body).toMatchObject({
      archived_at: null,
      converted: null,
    })
  })

  describe('what hangs on a record that was made is not archived with it unseen', () => {
    type Subject = { kind: 'account' | 'contact' | 'deal'; id: string }
    const made = async (path: string, body: object): Promise<string> => {
      const answer = await api.json('POST', path, body)
      expect(answer.status, JSON.stringify(answer.body)).toBe(201)
      return `${path}/${answer.body.id}`
    }
    const note = (subject: Subject) => made('/api/notes', { subject, body: 'Prefers calls' })
    const entry = (subject: Subject) =>
      made('/api/activities', {
        type: 'call_logged',
        subjects: [subject],
        data: { body: 'They want a demo' },
      })
    const work: [string, (subject: Subject) => Promise<unknown>, string][] = [
      ['a note', note, 'It has a note.'],
      ['a task', (subject) => createTask(api.ctx, { title: 'Call', subjects: [subject] }), 'It has a task.'],
      ['a file', (subject) => placeFile(api.ctx, subject, 'offer.txt', 'Offer'), 'It has a file.'],
      ['a call', entry, 'A call, meeting or message was logged with it.'],
    ]

    test.each(work)(
      '%s on the account and the contact keeps them, and says why',
      async (_what, add, because) => {
        const { id } = await lead()
        const { body } = await convert(id)
        for (const kind of ['contact', 'account'] as const) await add({ kind, id: body[kind].id })
        expect((await reverse(id)).body).toMatchObject({
          archived: ['deal'],
          kept: [
            { kind: 'contact', id: body.contact.id, because },
            { kind: 'account', id: body.account.id, because },
          ],
        })
        for (const kind of ['contact', 'account'])
          expect((await api.json('GET', `/api/${kind}s/${body[kind].id}`)).body.archived_at).toBeNull()
      },
    )

    test.each(work)('%s on the deal makes it one of its own', async (_what, add, because) => {
      const before = await lead()
      const { body } = await convert(before.id)
      await add({ kind: 'deal', id: body.deal.id })
      const answer = await reverse(before.id)
      expect(answer).toMatchObject({ status: 409, body: { code: 'deal_edited', deal_id: body.deal.id } })
      expect(answer.body.detail).toContain(because)
      expect((await api.json('GET', `/api/deals/${body.deal.id}`)).body.archived_at).toBeNull()
      expect((await api.json('GET', `/api/leads/${before.id}`)).body.converted).not.toBeNull()
    })

    test('what was taken back is no work, nor is a task that the lead has, too', async () => {
      const { id } = await lead()
      await createTask(api.ctx, { title: 'Send an offer', subjects: [{ kind: 'lead', id }] })
      const { body } = await convert(id)
      for (const kind of ['account', 'contact', 'deal'] as const) {
        const subject = { kind, id: body[kind].id }
        for (const path of [await note(subject), await entry(subject)])
          expect((await api.ask('DELETE', path)).status).toBeLessThan(300)
      }
      expect((await reverse(id)).body).toMatchObject({ archived: ['deal', 'contact', 'account'], kept: [] })
    })
  })
})
