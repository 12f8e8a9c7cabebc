import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { processSubmission } from '../db/submissions.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const made = async (path: string, body: object) => {
  const answer = await api.json('POST', path, body)
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
  return answer.body
}
const rowsOf = async (path: string, headers?: Record<string, string>): Promise<Record<string, string>[]> => {
  const response = await api.ask('GET', path, undefined, headers)
  expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  return parse(await response.text(), { bom: true, columns: true })
}
const withId = (rows: Record<string, string>[], id: string) => rows.find((row) => row['id'] === id)

test('F101: notes, files, tasks and activities say in their file what they belong to and what was said', async () => {
  const contact = await made('/api/contacts', { name: '=Eve()' })
  const lead = await made('/api/leads', { contact_name: 'Bo', contact_ids: [contact.id] })
  const note = await made('/api/notes', { subject: { kind: 'contact', id: contact.id }, body: '=1+1' })
  expect(withId(await rowsOf('/api/exports/notes'), note.id)).toMatchObject({
    body: "'=1+1",
    subject_kind: 'contact',
    subject_id: contact.id,
    subject_name: "'=Eve()",
    author: 'Everything',
  })

  const form = new FormData()
  form.set('subject_kind', 'lead')
  form.set('subject_id', lead.id)
  form.set('file', new File(['A plan'], 'plan.txt'))
  const uploaded = await api.app.request('/api/files', {
    method: 'POST',
    headers: { authorization: `Bearer ${api.key}` },
    body: form,
  })
  const file = (await uploaded.json()) as { id: string; sha256: string }
  expect(withId(await rowsOf('/api/exports/files'), file.id)).toMatchObject({
    name: 'plan.txt',
    subject_id: lead.id,
    subject_name: 'Bo',
    sha256: file.sha256,
    uploaded_by: 'Everything',
  })

  const subjects = [
    { kind: 'lead', id: lead.id },
    { kind: 'contact', id: contact.id },
  ]
  const task = await made('/api/tasks', { title: 'Call', subjects })
  const tasks = await rowsOf('/api/exports/tasks')
  const linked = { subjects: `contact:${contact.id}; lead:${lead.id}`, subject_names: "'=Eve(); Bo" }
  expect(withId(tasks, task.id)).toMatchObject({ ...linked, created_by: 'Everything' })
  expect((await rowsOf('/api/exports/tasks?columns=title,subjects'))[0]).toEqual({
    title: 'Call',
    subjects: linked.subjects,
  })

  const log = (subject: string) =>
    made('/api/activities', {
      type: 'call_logged',
      subjects,
      data: { subject, body: 'Wants 40 seats', duration_min: 12, direction: 'inbound' },
    })
  const [call, gone] = [await log('=Offer'), await log('Wrong number')]
  await api.json('PATCH', `/api/activities/${call.id}`, { version: 1, data: { duration_min: 15 } })
  await api.json('DELETE', `/api/activities/${gone.id}`)
  const lines = await rowsOf('/api/exports/activities')
  const { body: now } = await api.json('GET', `/api/activities/${call.id}`)
  expect(withId(lines, call.id)).toMatchObject({
    subjects: `lead:${lead.id}; contact:${contact.id}`,
    subject_names: 'Bo; =Eve()',
    summary: now.summary,
    'data.subject': "'=Offer",
    'data.body': 'Wants 40 seats',
    'data.duration_min': '15',
    'data.direction': 'inbound',
  })
  const { body: buried } = await api.json('GET', `/api/activities/${gone.id}`)
  expect(withId(lines, gone.id)).toMatchObject({
    'data.subject': '',
    'data.body': '',
    summary: buried.summary,
  })
  expect(JSON.stringify(lines)).not.toContain('Wrong number')

  // Names of kinds that the key may not read stay out; what each is about is told by id.
  const { body: key } = await api.json('POST', '/api/api-keys', {
    name: 'Narrow',
    scopes: ['leads:read', 'tasks:read', 'activities:read', 'exports:write'],
  })
  const narrow = { authorization: `Bearer ${key.key}` }
  for (const noun of ['tasks', 'activities']) {
    const rows = await rowsOf(`/api/exports/${noun}?columns=subjects,subject_names`, narrow)
    expect(rows.map((row) => row['subject_names'])).toContain('Bo')
    expect(JSON.stringify(rows)).not.toContain('Eve')
  }
})

test('F101: submissions say which lead came of them and what was sent; campaigns what they are and cost by day', async () => {
  const source = await made('/api/intake-sources', { name: 'Website', signature_required: false })
  const sent = await api.ask('POST', `/intake/webhook/${source.token}`, {
    name: 'Ana',
    message: '=HYPERLINK()',
  })
  const { submission_id } = (await sent.json()) as { submission_id: string }
  await processSubmission(api.db, api.ctx.organization_id, submission_id)
  const { lead_id } = (await api.json('GET', `/api/submissions/${submission_id}`)).body
  expect(lead_id).toEqual(expect.any(String))
  const row = withId(await rowsOf('/api/exports/submissions'), submission_id)
  expect(row).toMatchObject({ lead_id, problem: '' })
  expect(JSON.parse(row?.['payload'] ?? '')).toMatchObject({ name: 'Ana', message: '=HYPERLINK()' })

  const campaign = await made('/api/campaigns', {
    name: 'Fair',
    aliases: ['spring fair', 'a; b'],
    description: '@home',
    currency: 'EUR',
    costs: [
      { on: '2026-03-01', amount_minor: 12_500 },
      { on: '2026-03-02', amount_minor: 900 },
    ],
  })
  expect(withId(await rowsOf('/api/exports/campaigns'), campaign.id)).toMatchObject({
    description: "'@home",
    aliases: 'spring fair; "a; b"',
    costs: '2026-03-01:12500; 2026-03-02:900',
  })
})

test('F101: every closing is answered as CSV where that is asked for, however many a page holds', async () => {
  const names = ['Fifty seats', '=Ten()', 'Five']
  for (const name of names) {
    const deal = await made('/api/deals', { name, value_minor: 5_000, currency: 'EUR' })
    await made(`/api/opportunities/${deal.id}/close`, { outcome: 'won' })
  }
  const headers = { authorization: `Bearer ${api.key}`, accept: 'text/csv' }
  const rows = await rowsOf('/api/closings?limit=1&outcome=won', headers)
  expect(rows.map((row) => row['opportunity.name'])).toEqual(['Five', "'=Ten()", 'Fifty seats'])
  const { body } = await api.json('GET', '/api/closings?limit=1')
  expect(rows[0]).toMatchObject({
    id: body.data[0].id,
    'stage.label': body.data[0].stage.label,
    value_minor: '5000',
    closed_at: body.data[0].closed_at,
    'closed_by.name': 'Everything',
    'discard_reason.label': '',
    reopened_at: '',
  })
  expect(await rowsOf('/api/closings?outcome=lost', headers)).toEqual([])
  const { body: document } = await api.json('GET', '/openapi.json')
  expect(document.paths['/api/closings'].get.responses['200'].content).toHaveProperty('text/csv')
})
