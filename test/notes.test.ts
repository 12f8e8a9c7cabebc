import { afterAll, beforeAll, expect, test } from 'vitest'
import { listTimeline } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { addNote, archiveNote, listNotes, NewNote } from '../db/notes.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const note = (id: string, body: string) => NewNote.parse({ subject: { kind: 'lead', id }, body })

test('a note stands on its record with its author, and the timeline says that one was added', async () => {
  const lead = await makeLead(ctx)
  const added = await addNote(ctx, note(lead.id, ' Knows us\r\nfrom a fair.\u0000 '))
  expect(added).toMatchObject({
    body: 'Knows us\nfrom a fair.',
    subject: { kind: 'lead', id: lead.id },
    author: { kind: 'user' },
  })
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 1 })
  expect(data).toMatchObject([{ type: 'note_added', data: { note_id: added.id } }])
})

test('an archived note is on no list; the timeline still says that it was added', async () => {
  const lead = await makeLead(ctx)
  const { id } = await addNote(ctx, note(lead.id, 'Wrong lead'))
  await archiveNote(ctx, id)
  expect((await listNotes(ctx, { subject_id: lead.id, limit: 10 })).data).toEqual([])
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 10 })
  expect(data.map(({ type }) => type)).toContain('note_added')
})

test('a note on a record that is not there, or of another organization, is refused', async () => {
  const theirs = await makeLead((await world.other()).ctx)
  for (const id of [theirs.id, '0198c0de-0000-7000-8000-000000000000']) {
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
