import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ctx } from '../db/context.ts'
import { addNote, archiveNote, editNote, listNotes, NewNote } from '../db/notes.ts'
import { agentActor } from '../db/policies.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let world: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  world = await openApi()
  ctx = world.ctx
})
afterAll(() => world.stop())

const NOBODY = '0198c0de-0000-7000-8000-000000000000'
const note = (id: string, body: string) => NewNote.parse({ subject: { kind: 'lead', id }, body })
const timelineOf = async (id: string) => (await listTimeline(ctx, { kind: 'lead', id }, { limit: 10 })).data
const bodiesOn = async (id: string) =>
  (await world.json('GET', `/api/notes?subject_kind=lead&subject_id=${id}`)).body.data.map(
    ({ body }: { body: string }) => body,
  )

test('F46: a note stands on its record with its author, and the timeline says that one was added', async () => {
  const lead = await makeLead(ctx)
  const added = await addNote(ctx, note(lead.id, ' Knows us\r\nfrom a fair.\u0000 '))
  expect(added).toMatchObject({
    body: 'Knows us\nfrom a fair.',
    subject: { kind: 'lead', id: lead.id },
    author: { kind: 'user' },
  })
  const [newest] = await timelineOf(lead.id)
  expect(newest).toMatchObject({ type: 'note_added', data: { note_id: added.id } })
})

test('F46: a deleted note is on no list; the timeline, which is another thing, still says that it was added', async () => {
  const lead = await makeLead(ctx)
  const { id } = await addNote(ctx, note(lead.id, 'Wrong lead'))
  for (let twice = 0; twice < 2; twice++)
    expect((await world.ask('DELETE', `/api/notes/${id}`)).status).toBe(204)
  expect(await bodiesOn(lead.id)).toEqual([])
  expect((await timelineOf(lead.id)).map(({ type }) => type)).toEqual([
    'note_deleted',
    'note_added',
    'lead_imported',
  ])
  expect(await world.json('POST', `/api/notes/${id}/restore`)).toMatchObject({
    status: 200,
    body: { archived_at: null, version: 3 },
  })
  expect(await bodiesOn(lead.id)).toEqual(['Wrong lead'])
})

test('a note on a record that is not there, or of another organization, is refused', async () => {
  const theirs = await makeLead((await world.other()).ctx)
  for (const id of [theirs.id, NOBODY]) {
    await expect(addNote(ctx, note(id, 'x'))).rejects.toMatchObject({ kind: 'not_found' })
  }
})

test('an empty note is none, and a list goes page by page', async () => {
  const lead = await makeLead(ctx)
  for (const body of ['', ' \n ', '\u200b'])
    expect(NewNote.safeParse({ subject: { kind: 'lead', id: lead.id }, body }).success).toBe(false)
  for (const body of ['one', 'two', 'three']) await addNote(ctx, note(lead.id, body))
  const first = await listNotes(ctx, { subject_id: lead.id, limit: 2 })
  const second = await listNotes(ctx, { subject_id: lead.id, limit: 2, cursor: first.next_cursor! })
  expect([...first.data, ...second.data].map(({ body }) => body)).toEqual(['three', 'two', 'one'])
})

describe('F72: /api/notes', () => {
  test('creates, lists, edits and deletes on leads, deals, accounts and contacts', async () => {
    const records: [string, string, object][] = [
      ['lead', '/api/leads', { contact_name: 'Ana Ruiz' }],
      ['deal', '/api/deals', { name: '40 seats' }],
      ['account', '/api/accounts', { name: 'Brightside' }],
      ['contact', '/api/contacts', { name: 'Bo Lind' }],
    ]
    for (const [kind, path, fields] of records) {
      const { body: record } = await world.json('POST', path, fields)
      const subject = { kind, id: record.id }
      const made = await world.json('POST', '/api/notes', { subject, body: `On a ${kind}` })
      expect(made, kind).toMatchObject({ status: 201, body: { subject, version: 1 } })
      const at = `/api/notes/${made.body.id}`
      expect(await world.json('PATCH', at, { version: 1, body: 'Another' })).toMatchObject({
        status: 200,
        body: { body: 'Another', version: 2 },
      })
      expect((await world.json('GET', at)).body.body).toBe('Another')
      const listed = await world.json('GET', `/api/notes?subject_kind=${kind}&subject_id=${record.id}`)
      expect(listed.body.data).toMatchObject([{ body: 'Another' }])
      const wrongKind = kind === 'lead' ? 'deal' : 'lead'
      expect(
        (await world.json('GET', `/api/notes?subject_kind=${wrongKind}&subject_id=${record.id}`)).body.data,
      ).toEqual([])
      expect((await world.ask('DELETE', at)).status).toBe(204)
    }
    expect(
      await world.json('POST', '/api/notes', { subject: { kind: 'invoice', id: NOBODY }, body: 'x' }),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/subject/kind', accepted: expect.arrayContaining(['account']) }] },
    })
  })

  test('an edit needs the version that was read, and keeps the previous text on the timeline', async () => {
    const lead = await makeLead(ctx)
    const { id } = await addNote(ctx, note(lead.id, 'Calls before noon'))
    const path = `/api/notes/${id}`
    expect(await world.json('PATCH', path, { body: 'x' })).toMatchObject({ status: 428 })
    await world.json('PATCH', path, { version: 1, body: 'Calls after noon' })
    expect(await world.json('PATCH', path, { version: 1, body: 'Late' })).toMatchObject({
      status: 412,
      body: { current: { version: 2, body: 'Calls after noon' } },
    })
    const [newest] = await timelineOf(lead.id)
    expect(newest).toMatchObject({
      type: 'note_edited',
      data: {
        note_id: id,
        changes: [{ field: 'body', before: 'Calls before noon', after: 'Calls after noon' }],
      },
    })
  })

  test('people change their own notes and managers everybody’s; agents only what they wrote themselves', async () => {
    const lead = await makeLead(ctx)
    const as = async (role: 'rep' | 'manager') => ({ authorization: `Bearer ${await world.keyFor(role)}` })
    const [rep, other, manager] = [await as('rep'), await as('rep'), await as('manager')]
    const { body: theirs } = await world.json('POST', '/api/notes', note(lead.id, 'Mine'), rep)
    const path = `/api/notes/${theirs.id}`
    const refused = { status: 403, body: { code: 'not_the_author', author: { name: 'Key of a rep' } } }
    expect(await world.json('PATCH', path, { version: 1, body: 'x' }, other)).toMatchObject(refused)
    expect(await world.json('DELETE', path, undefined, other)).toMatchObject(refused)
    expect(await world.json('PATCH', path, { version: 1, body: 'Still mine' }, rep)).toMatchObject({
      status: 200,
    })
    expect(await world.json('PATCH', path, { version: 2, body: 'Tidied' }, manager)).toMatchObject({
      status: 200,
    })

    const agent = { ...ctx, actor: agentActor('lead_worker') }
    const own = await addNote(agent, note(lead.id, 'Found on the website'))
    await editNote(agent, own.id, { body: 'Found on their website' })
    await archiveNote(agent, own.id)
    for (const attempt of [
      () => editNote(agent, theirs.id, { body: 'x' }),
      () => archiveNote(agent, theirs.id),
    ])
      await expect(attempt()).rejects.toMatchObject({ kind: 'forbidden', code: 'not_the_author' })
    expect(await bodiesOn(lead.id)).toEqual(['Tidied'])
  })
})
