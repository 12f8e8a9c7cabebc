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
const lacks = (permission: string) => ({ status: 403, body: { code: 'permission_missing', permission } })

const upload = async (kind: string, id: string, key: Key = { authorization: `Bearer ${api.key}` }) => {
  const form = new FormData()
  form.set('subject_kind', kind)
  form.set('subject_id', id)
  form.set('file', new File(['Secret plan of a file'], `secret-${kind}.txt`))
  const response = await api.app.request('/api/files', { method: 'POST', headers: key, body: form })
  return { status: response.status, body: (await response.json()) as any }
}

/** A lead with its contact and its account, and on each of them a note, a task, a file and a call. */
const furnish = async () => {
  const made = async (path: string, body: object) => (await api.json('POST', path, body)).body
  const account = await made('/api/accounts', { name: 'Hidden Works' })
  const contact = await made('/api/contacts', { name: 'Eve Hidden', account_ids: [account.id] })
  const linked = { contact_ids: [contact.id], account_ids: [account.id] }
  const lead = await made('/api/leads', { contact_name: 'Bo', ...linked })
  const deal = await made('/api/deals', { name: 'Fifty seats', value_minor: 90_000, ...linked })
  const on = async (kind: 'lead' | 'contact' | 'account', id: string) => ({
    note: (await made('/api/notes', { subject: { kind, id }, body: `Secret note on a ${kind}` })).id,
    task: (await made('/api/tasks', { title: `Secret task on a ${kind}`, subjects: [{ kind, id }] })).id,
    activity: (
      await made('/api/activities', {
        type: 'call_logged',
        subjects: [{ kind, id }],
        data: { subject: `Secret call with a ${kind}` },
      })
    ).id,
    file: (await upload(kind, id)).body.id,
  })
  return {
    account,
    contact,
    lead,
    deal,
    on_lead: await on('lead', lead.id),
    on_contact: await on('contact', contact.id),
    on_account: await on('account', account.id),
  }
}

const nouns = { note: 'notes', task: 'tasks', activity: 'activities', file: 'files' } as const
const kinds = Object.keys(nouns) as (keyof typeof nouns)[]

test('F85: what is on a contact or an account is read only by whoever may read those: in lists, one by one, as a file', async () => {
  const { lead, contact, on_lead, on_contact, on_account } = await furnish()
  const both = await api.json('POST', '/api/tasks', {
    title: 'About both',
    subjects: [
      { kind: 'contact', id: contact.id },
      { kind: 'lead', id: lead.id },
    ],
  })
  const free = await api.json('POST', '/api/tasks', { title: 'About nothing' })
  const all = ['notes:read', 'tasks:read', 'activities:read', 'files:read', 'exports:write']
  const narrow = await keyWith('leads:read', ...all)
  const wider = await keyWith('leads:read', 'contacts:read', ...all)
  const everything = await keyWith('*')
  const get = (path: string, key: Key) => api.json('GET', path, undefined, key)

  for (const kind of kinds) {
    const noun = nouns[kind]
    for (const version of kind === 'file' ? ['/api'] : ['/api', '/external/v1']) {
      const ids = async (key: Key, query = '') => {
        const found: string[] = []
        let cursor = ''
        do {
          const { status, body } = await get(`${version}/${noun}?limit=2${query}${cursor}`, key)
          expect(status).toBe(200)
          // Rows that are left out leave no holes in pages.
          if (body.next_cursor) expect(body.data).toHaveLength(2)
          found.push(...body.data.map(({ id }: { id: string }) => id))
          cursor = body.next_cursor ? `&cursor=${encodeURIComponent(body.next_cursor)}` : ''
        } while (cursor)
        return found
      }
      const readBy = async (key: Key, query = '') => {
        const found = await ids(key, query)
        return [on_lead, on_contact, on_account].map((on) => found.includes(on[kind]))
      }
      expect([await readBy(narrow), await readBy(wider), await readBy(everything)], noun).toEqual([
        [true, false, false],
        [true, true, false],
        [true, true, true],
      ])
      const sorted = `&sort=${kind === 'activity' ? 'type' : 'created_at'}`
      expect(await readBy(narrow, sorted)).toEqual([true, false, false])
      expect(await readBy(narrow, `&subject_id=${contact.id}`)).toEqual([false, false, false])
      const of_contact = `${version}/${noun}?subject_kind=contact&subject_id=${contact.id}`
      expect(await get(of_contact, narrow)).toMatchObject(lacks('contacts:read'))
      expect((await get(of_contact, wider)).status).toBe(200)

      const one = (on: typeof on_lead) => `${version}/${noun}/${on[kind]}`
      expect((await get(one(on_lead), narrow)).status).toBe(200)
      expect(await get(one(on_contact), narrow)).toMatchObject(lacks('contacts:read'))
      expect(await get(one(on_account), wider)).toMatchObject(lacks('accounts:read'))
      expect((await get(one(on_account), everything)).status).toBe(200)
      if (kind === 'task') {
        const found = await ids(narrow)
        expect([both.body.id, free.body.id].map((id) => found.includes(id))).toEqual([true, true])
        expect((await get(`${version}/tasks/${both.body.id}`, narrow)).status).toBe(200)
      }
    }
    const response = await api.ask('GET', `/api/exports/${noun}`, undefined, narrow)
    const text = await response.text()
    expect([on_lead, on_contact, on_account].map((on) => text.includes(on[kind]))).toEqual([
      true,
      false,
      false,
    ])
  }
  for (const part of ['content', 'text'])
    expect(await get(`/api/files/${on_account.file}/${part}`, narrow)).toMatchObject(lacks('accounts:read'))
  expect((await get(`/api/files/${on_lead.file}/text`, narrow)).status).toBe(200)
  expect(await get(`/api/activities/${on_contact.activity}/revisions`, narrow)).toMatchObject(
    lacks('contacts:read'),
  )
  const beside = encodeURIComponent(
    JSON.stringify({ linked: 'activities', some: { field: 'type', op: 'eq', value: 'call_logged' } }),
  )
  expect((await get(`/api/leads?filter=${beside}`, narrow)).body.data).toHaveLength(1)
})

test('F85: what is counted of linked records is told to whoever may read those', async () => {
  const { account, contact } = await furnish()
  const summary = async (path: string, ...scopes: string[]) =>
    (await api.json('GET', path, undefined, await keyWith(...scopes))).body.summary
  const of_account = `/api/accounts/${account.id}`
  expect(Object.keys(await summary(of_account, 'accounts:read'))).toEqual(['last_activity_at'])
  expect(await summary(of_account, 'accounts:read', 'leads:read')).toEqual({
    open_deals: 1,
    open_deal_values: [{ currency: 'EUR', deals: 1, value_minor: 90_000 }],
    last_activity_at: expect.any(String),
  })
  expect(await summary(of_account, 'accounts:read', 'contacts:read', 'tasks:read')).toEqual({
    contacts: 1,
    open_tasks: 1,
    last_activity_at: expect.any(String),
  })
  expect(await summary(`/api/contacts/${contact.id}`, '*')).toEqual({
    open_deals: 1,
    open_deal_values: [{ currency: 'EUR', deals: 1, value_minor: 90_000 }],
    accounts: 1,
    open_tasks: 1,
    last_activity_at: expect.any(String),
  })
})

test('F85: who writes about a record may read it', async () => {
  const { account, contact, lead, on_lead, on_contact } = await furnish()
  const writes = kinds.map((kind) => `${nouns[kind]}:write`)
  const narrow = await keyWith('leads:read', ...writes)
  const wider = await keyWith('leads:read', 'contacts:read', ...writes)
  const subject = { kind: 'contact', id: contact.id }
  const call = { type: 'call_logged', data: { subject: 'Rang' } }
  const about: [method: string, path: string, body?: object][] = [
    ['POST', '/api/notes', { subject, body: 'x' }],
    ['POST', '/external/v1/notes', { subject, body: 'x' }],
    ['POST', '/api/tasks', { title: 'x', subjects: [{ kind: 'lead', id: lead.id }, subject] }],
    ['POST', '/external/v1/tasks', { title: 'x', subjects: [subject] }],
    ['PATCH', `/api/tasks/${on_lead.task}`, { version: 1, subjects: [subject] }],
    ['POST', '/api/activities', { ...call, subjects: [subject] }],
    ['PATCH', `/api/activities/${on_lead.activity}`, { version: 1, subjects: [subject] }],
    ['PATCH', `/api/notes/${on_contact.note}`, { version: 1, body: 'x' }],
    ['DELETE', `/api/notes/${on_contact.note}`],
    ['PATCH', `/api/tasks/${on_contact.task}`, { version: 1, title: 'x' }],
    ['POST', `/api/tasks/${on_contact.task}/complete`, {}],
    ['DELETE', `/api/tasks/${on_contact.task}`],
    ['PATCH', `/api/activities/${on_contact.activity}`, { version: 1, data: { duration_min: 1 } }],
    ['POST', `/api/activities/${on_contact.activity}/undo`, {}],
    ['DELETE', `/api/files/${on_contact.file}`],
  ]
  for (const [method, path, body] of about)
    expect(await api.json(method, path, body, narrow), `${method} ${path}`).toMatchObject(
      lacks('contacts:read'),
    )
  expect(await upload('account', account.id, wider)).toMatchObject(lacks('accounts:read'))
  const batch = await api.json(
    'POST',
    '/external/v1/notes/batch',
    { items: [{ subject, body: 'x' }] },
    narrow,
  )
  expect(JSON.stringify(batch.body)).toContain('permission_missing')
  expect((await api.json('POST', '/api/notes', { subject, body: 'x' }, wider)).status).toBe(201)
  expect((await api.json('POST', `/api/tasks/${on_contact.task}/complete`, {}, wider)).status).toBe(200)
  expect((await api.json('DELETE', `/api/files/${on_lead.file}`, undefined, narrow)).status).toBe(204)

  // Acts on many tasks name them, and everything is in an archive.
  const bulk = await keyWith('tasks:read', 'tasks:write', 'leads:read', 'bulk:write')
  const act = { kind: 'task', ids: [on_lead.task], act: 'complete', dry_run: true }
  expect(await api.json('POST', '/api/bulk', act, bulk)).toMatchObject(lacks('accounts:read'))
  const archive = await keyWith('settings:write', 'exports:write', 'leads:read', 'accounts:read')
  expect(await api.json('GET', '/api/exports/archive', undefined, archive)).toMatchObject(
    lacks('contacts:read'),
  )
})
