import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { proposeApproval } from '../db/approval-proposals.ts'
import { inTx } from '../db/context.ts'
import { queueMessage } from '../db/messages.ts'
import { type RecordKind, type RecordRef, recordKinds } from '../db/records.ts'
import { createTask } from '../db/tasks.ts'
import { openApi, type ApiWorld } from './api.ts'
import { placeFile } from './documents.ts'
import { type Importing, openImporting, post } from './import-world.ts'

let api: ApiWorld
let own: Importing
beforeAll(async () => {
  api = await openApi()
  own = await openImporting(api)
})
afterAll(() => api.stop())

const read = async ({ kind, id }: RecordRef) => (await own.ask('GET', `/api/${kind}s/${id}`)).body
const note = (subject: RecordRef) => post(own, 'notes', { subject, body: 'Prefers calls' })
const call = (subject: RecordRef) =>
  post(own, 'activities', { type: 'call_logged', subjects: [subject], data: { body: 'They want a demo' } })
const queue = (record: RecordRef) =>
  inTx(own.ctx, (ctx) =>
    queueMessage(ctx, {
      message_id: `<${record.id}@northwind.example>`,
      from: 'a@northwind.example',
      to: 'ana@worked.example',
      subject: 'Hello',
      body: 'Hello',
      headers: {},
      record,
    }),
  )
const propose = (subject: RecordRef) =>
  proposeApproval(
    { ...own.ctx, actor: { kind: 'agent', id: 'lead_worker', name: 'lead_worker' } },
    {
      tool: 'create_task',
      summary: 'Create the task “Call Ana”',
      input: { lead_id: subject.id, title: 'Call Ana' },
      evidence: [],
      subject,
      rule: 'policy_suggest',
      risk: 'low',
      reads: [],
    },
  )

const works: [string, (subject: RecordRef) => Promise<unknown>][] = [
  ['note', note],
  ['task', (subject) => createTask(own.ctx, { title: 'Call', subjects: [subject] })],
  ['file', (subject) => placeFile(own.ctx, subject, 'offer.txt', 'Offer')],
  ['activity', call],
  ['message', queue],
  ['approval', propose],
]

describe('F68: what somebody worked on since stays when the import that made it is taken back', () => {
  let file = 0
  /** Imports a record for each kind of work, and one that nobody touches. */
  const imported = async (kind: RecordKind) => {
    file += 1
    const names = [...works.map(([what]) => `${what} ${file}`), `alone ${file}`]
    const worked = await own.run(`Name\n${names.join('\n')}\n`, { kind, mapping: { Name: nameOf(kind) } })
    return { import_id: worked.id, ids: worked.rows.map(({ record }) => record?.id ?? '') }
  }
  const nameOf = (kind: RecordKind) => (kind === 'lead' ? 'contact_name' : 'name')

  test.each(recordKinds)('of kind %s, named with what and by whom', async (kind) => {
    const { import_id, ids } = await imported(kind)
    for (const [n, [, add]] of works.entries()) await add({ kind, id: ids[n] ?? '' })
    const { body } = await own.undo(import_id)
    expect(body.undo, JSON.stringify(body.undo)).toMatchObject({ restored: 1, kept_records: works.length })
    const kept = new Map(body.undo.kept.map((one: any) => [one.record.id, one]))
    for (const [n, [what]] of works.entries()) {
      expect(kept.get(ids[n]), what).toMatchObject({ fields: [what] })
      expect((await read({ kind, id: ids[n] ?? '' })).archived_at, what).toBeNull()
    }
    expect(kept.get(ids[0])).toMatchObject({
      changed_by: expect.objectContaining({ kind: 'api_key' }),
      changed_at: expect.any(String),
    })
    expect(kept.get(ids[5])).toMatchObject({ changed_by: { kind: 'agent', name: 'lead_worker' } })
    expect((await read({ kind, id: ids[works.length] ?? '' })).archived_at).not.toBeNull()
  })

  test('what was taken back itself is no work, nor is what the import, scoring and routing wrote', async () => {
    const { import_id, ids } = await imported('lead')
    for (const id of ids) {
      const { id: note_id } = await note({ kind: 'lead', id })
      expect((await own.ask('DELETE', `/api/notes/${note_id}`)).status).toBeLessThan(300)
      const { id: task_id } = await post(own, 'tasks', { title: 'Call', subjects: [{ kind: 'lead', id }] })
      expect((await own.ask('DELETE', `/api/tasks/${task_id}`)).status).toBeLessThan(300)
    }
    const { body } = await own.undo(import_id)
    expect(body.undo, JSON.stringify(body.undo)).toMatchObject({ restored: ids.length, kept_records: 0 })
  })

  test.each(['account', 'contact'] as const)(
    'an imported %s that somebody linked a deal with',
    async (kind) => {
      const { import_id, ids } = await imported(kind)
      const [id = ''] = ids
      await post(own, 'deals', { name: `Machines for ${kind}`, [`${kind}_ids`]: [id] })
      const { body } = await own.undo(import_id)
      expect(body.undo).toMatchObject({
        restored: ids.length - 1,
        kept: [{ record: { kind, id }, fields: ['linked'] }],
      })
      expect((await read({ kind, id })).archived_at).toBeNull()
    },
  )

  test('an account that was made for a lead on which somebody worked stays with it', async () => {
    const worked = await own.run('Name,Account\nAna,Elm of Ana\nBo,Oak of Bo\n')
    await note({ kind: 'lead', id: worked.rows[0]?.record?.id ?? '' })
    const { body } = await own.undo(worked.id)
    expect(body.undo).toMatchObject({ restored: 1, kept_records: 2 })
    const names = (await own.list('accounts')).map(({ name }) => name)
    expect(names).toContain('Elm of Ana')
    expect(names).not.toContain('Oak of Bo')
  })
})
