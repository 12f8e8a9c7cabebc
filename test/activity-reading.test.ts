import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

type Key = Record<string, string>

const keyWith = async (...scopes: string[]): Promise<Key> => {
  const { body } = await api.json('POST', '/api/api-keys', { name: scopes.join(' '), scopes })
  return { authorization: `Bearer ${body.key}` }
}

/** A record on which everything was written, changed, deleted and taken back, each text with a word of its own. */
const furnish = async (noun: 'leads' | 'contacts' | 'accounts') => {
  const made = async (path: string, body: object) => {
    const answer = await api.json('POST', path, body)
    expect(answer.status, `${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300)
    return answer.body
  }
  const kind = noun.slice(0, -1)
  const { id } = await made(`/api/${noun}`, { name: 'Brightside' })
  const subject = { kind, id }
  const note = await made('/api/notes', { subject, body: 'secretnote one' })
  await api.json('PATCH', `/api/notes/${note.id}`, { version: 1, body: 'secretnote two' })
  await api.json('DELETE', `/api/notes/${note.id}`)
  const task = await made('/api/tasks', { title: 'secrettask one', subjects: [subject] })
  await api.json('PATCH', `/api/tasks/${task.id}`, { version: 1, title: 'secrettask two' })
  await made(`/api/tasks/${task.id}/complete`, {})
  await made('/api/activities', {
    type: 'call_logged',
    subjects: [subject],
    data: { subject: 'secretcall', body: 'secretcall body' },
  })
  const form = new FormData()
  form.set('subject_kind', kind)
  form.set('subject_id', id)
  form.set('file', new File(['Offer'], 'secretfile.txt'))
  const headers = { authorization: `Bearer ${api.key}` }
  expect((await api.app.request('/api/files', { method: 'POST', headers, body: form })).status).toBe(201)
  const { data: lines } = (await api.json('GET', `/api/${noun}/${id}/timeline?limit=200`)).body
  for (const type of ['note_deleted', 'task_completed']) {
    const one = lines.find((line: any) => line.type === type)
    const undone = await made(`/api/activities/${one.id}/undo`, {})
    // Taken back again: what stands in that line says it, too.
    await made(`/api/activities/${undone.id}/undo`, {})
  }
  return { id, path: `/api/${noun}/${id}/timeline?limit=200` }
}

const secrets = ['secretnote', 'secrettask', 'secretcall', 'secretfile']
const among = (text: string): string[] => secrets.filter((secret) => text.includes(secret))

test('F85: a timeline tells of notes, tasks, calls and files only to whoever may read those; the lines stay', async () => {
  for (const noun of ['leads', 'contacts', 'accounts'] as const) {
    const { path } = await furnish(noun)
    const read = async (...scopes: string[]) => {
      const { status, body } = await api.json('GET', path, undefined, await keyWith(...scopes))
      expect(status).toBe(200)
      return { lines: body.data as any[], tells: among(JSON.stringify(body)) }
    }
    const all = await read('*')
    expect(all.tells, noun).toEqual(secrets)
    const narrow = await read(`${noun}:read`)
    expect(narrow.tells, noun).toEqual([])
    const frame = ({ id, type, occurred_at, actor, version, subjects }: any) => ({
      id,
      type,
      occurred_at,
      actor,
      version,
      subjects,
    })
    expect(narrow.lines.map(frame)).toEqual(all.lines.map(frame))
    const added = narrow.lines.find(({ type }) => type === 'note_added')
    expect([added.data, added.summary, added.reason]).toEqual([{}, 'note added', undefined])
    // What is its own, it reads whole.
    const created = ({ lines }: { lines: any[] }) =>
      lines.find(({ type }) => type === 'record_created' || type === 'lead_imported')
    expect(created(narrow)).toEqual(created(all))
    const one = async (scope: string) => (await read(`${noun}:read`, scope)).tells
    expect(await one('notes:read')).toEqual(['secretnote'])
    expect(await one('tasks:read')).toEqual(['secrettask'])
    expect(await one('activities:read')).toEqual(['secretcall'])
    expect(await one('files:read')).toEqual(['secretfile'])
  }
})

test('F85: lists of activities, one by one, by programs and as a file say as much as the timeline', async () => {
  const { id } = await furnish('leads')
  const key = await keyWith('leads:read', 'activities:read', 'tasks:read', 'exports:write')
  const of = `subject_kind=lead&subject_id=${id}&limit=200`
  for (const version of ['/api', '/external/v1'])
    for (const query of [of, `${of}&sort=type`]) {
      const { body } = await api.json('GET', `${version}/activities?${query}`, undefined, key)
      expect(among(JSON.stringify(body)), query).toEqual(['secrettask', 'secretcall'])
      for (const line of body.data) {
        const single = await api.json('GET', `${version}/activities/${line.id}`, undefined, key)
        expect(single.body).toEqual(line)
      }
    }
  const files = async (one: Key, query = '') =>
    among(await (await api.ask('GET', `/api/exports/activities${query}`, undefined, one)).text())
  expect(await files(key)).toEqual(['secrettask', 'secretcall'])
  expect(await files(await keyWith('*'))).toEqual(secrets)
  expect(await files(key, '?columns=id,summary,reason,data.body')).toEqual(['secrettask', 'secretcall'])
})

const linked = async () => {
  const { body: account } = await api.json('POST', '/api/accounts', { name: 'Hiddenworks' })
  const { body: contact } = await api.json('POST', '/api/contacts', {
    name: 'Eve Hiddenperson',
    account_ids: [account.id],
  })
  return { account, contact }
}

test('F85: lines about links name contacts and accounts only to whoever may read those', async () => {
  const { account, contact } = await linked()
  const { body: lead } = await api.json('POST', '/api/leads', { name: 'Bo', contact_ids: [contact.id] })
  const timeline = async (path: string, ...scopes: string[]) =>
    JSON.stringify((await api.json('GET', `${path}/timeline`, undefined, await keyWith(...scopes))).body)
  const of_contact = `/api/contacts/${contact.id}`
  await api.json('DELETE', `${of_contact}/accounts/${account.id}`)
  expect(await timeline(of_contact, 'contacts:read')).not.toContain('Hiddenworks')
  expect(await timeline(of_contact, 'contacts:read', 'accounts:read')).toContain('Hiddenworks')
  const unlinked = `/api/opportunities/${lead.id}/contacts/${contact.id}`
  expect((await api.ask('DELETE', unlinked)).status).toBeLessThan(300)
  const of_lead = `/api/leads/${lead.id}`
  expect(await timeline(of_lead, 'leads:read')).not.toContain('Hiddenperson')
  expect(await timeline(of_lead, 'leads:read', 'contacts:read')).toContain('Hiddenperson')
})

test('F85: a contact names its account only to whoever may read accounts; the id is told to everybody', async () => {
  const { account, contact } = await linked()
  const narrow = await keyWith('contacts:read')
  const wide = await keyWith('contacts:read', 'accounts:read')
  for (const path of ['/api/contacts', '/external/v1/contacts']) {
    const told = async (key: Key) => {
      const { data } = (await api.json('GET', path, undefined, key)).body
      const { body: one } = await api.json('GET', `${path}/${contact.id}`, undefined, key)
      return [data.find(({ id }: any) => id === contact.id), one].map(({ account }) => account)
    }
    expect(await told(narrow)).toEqual([{ id: account.id }, { id: account.id }])
    const whole = { id: account.id, name: 'Hiddenworks' }
    expect(await told(wide)).toEqual([whole, whole])
  }
})
