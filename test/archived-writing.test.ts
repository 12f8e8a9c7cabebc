import { expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { archiveRecord } from '../db/records.ts'
import { setLevel } from '../db/policies.ts'
import { makeDeal } from './cards.ts'
import { openMergingWorld } from './merging-world.ts'
import { makeLead, putToWork } from './worked-lead.ts'

const { api, merge, unmerge, pair, timeline } = await openMergingWorld()

const addFile = async (kind: string, id: string) => {
  const form = new FormData()
  form.set('subject_kind', kind)
  form.set('subject_id', id)
  form.set('file', new File(['Hello'], 'hello.txt'))
  const response = await api.app.request('/api/files', {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${api.key}` },
  })
  return { status: response.status, body: await response.json() }
}

/** Everything that is written on a record without changing its fields, by every door. */
const writings = async (kind: string, id: string, members: { contact_id: string; account_id: string }) => {
  const subject = { kind, id }
  const entry = { type: 'call_logged', subjects: [subject], data: { subject: 'A call' } }
  const answers: [door: string, answer: { status: number; body: any }][] = [
    ['note', await api.json('POST', '/api/notes', { subject, body: 'A note' })],
    ['task', await api.json('POST', '/api/tasks', { title: 'A task', subjects: [subject] })],
    ['activity', await api.json('POST', '/api/activities', entry)],
    ['file', await addFile(kind, id)],
    ['external note', await api.json('POST', '/external/v1/notes', { subject, body: 'A note' })],
    ['external task', await api.json('POST', '/external/v1/tasks', { title: 'A task', subjects: [subject] })],
    ['external activity', await api.json('POST', '/external/v1/activities', entry)],
  ]
  const linked = kind === 'lead' || kind === 'deal' ? 'opportunities' : `${kind}s`
  if (kind !== 'contact' && members.contact_id)
    answers.push([
      'contact',
      await api.json('POST', `/api/${linked}/${id}/contacts`, { contact_id: members.contact_id }),
    ])
  if (kind !== 'account')
    answers.push([
      'account',
      await api.json('POST', `/api/${linked}/${id}/accounts`, { account_id: members.account_id }),
    ])
  return answers
}

const makeMembers = async () => ({
  contact_id: (await createContact(api.ctx, { name: 'Jo Quay' })).id,
  account_id: (await createAccount(api.ctx, { name: 'Quay Foods' })).id,
})

test('F20: nothing is written on what is archived, by any door; restored, all of it is', async () => {
  const { ctx } = api
  const records = [
    ['lead', (await makeLead(ctx)).id],
    ['deal', (await makeDeal(ctx)).id],
    ['account', (await createAccount(ctx, { name: 'Pier Foods' })).id],
    ['contact', (await createContact(ctx, { name: 'Bo Pier' })).id],
  ] as const
  for (const [kind, id] of records) {
    const members = await makeMembers()
    await archiveRecord(ctx, { kind, id })
    const before = (await api.json('GET', `/api/${kind}s/${id}/timeline`)).body.data
    for (const [door, answer] of await writings(kind, id, members))
      expect(answer, `${door} on a ${kind}`).toMatchObject({
        status: 409,
        body: { code: 'record_archived', restore: `/api/${kind}s/${id}/restore` },
      })
    expect((await api.json('GET', `/api/${kind}s/${id}/timeline`)).body.data).toEqual(before)
    expect((await api.json('POST', `/api/${kind}s/${id}/restore`)).status).toBe(200)
    for (const [door, { status }] of await writings(kind, id, members))
      expect(status, `${door} on a ${kind}`).toBe(201)
  }
})

test('F20: agents write nothing on what is archived, and are told why', async () => {
  const { ctx } = api
  const lead = await makeLead(ctx)
  for (const tool of ['add_note', 'create_task', 'log_activity'])
    await setLevel(ctx, { agent: 'lead_worker', tool, level: 'act' })
  const { call } = await putToWork(api, lead.id)
  await archiveRecord(ctx, { kind: 'lead', id: lead.id })
  const lines = (await timeline(lead.id)).length
  const [lead_id, opportunity_id, data] = [lead.id, lead.id, { subject: 'A call' }]
  for (const [tool, input] of [
    ['add_note', { lead_id, body: 'A note' }],
    ['create_task', { lead_id, title: 'A task' }],
    ['log_activity', { opportunity_id, type: 'call_logged', data, reason: 'They called' }],
  ] as const)
    expect(JSON.stringify((await call(tool, input)).output), tool).toContain('Restore it first')
  expect(await timeline(lead.id)).toHaveLength(lines)
})

test('F20: what hangs on an archived record is edited and ended, and links of others to it are taken away', async () => {
  const { ctx } = api
  const [lead, deal, { contact_id }] = [await makeLead(ctx), await makeDeal(ctx), await makeMembers()]
  const subjects = [{ kind: 'lead', id: lead.id }]
  const { body: task } = await api.json('POST', '/api/tasks', { title: 'A task', subjects })
  const { body: call } = await api.json('POST', '/api/activities', {
    type: 'call_logged',
    subjects,
    data: { subject: 'A call' },
  })
  await api.json('POST', `/api/deals/${deal.id}/contacts`, { contact_id })
  const path = `/api/opportunities/${deal.id}/contacts`
  expect((await api.json('POST', path, { contact_id })).status).toBe(201)
  await archiveRecord(ctx, { kind: 'lead', id: lead.id })
  await archiveRecord(ctx, { kind: 'contact', id: contact_id })
  const both = [...subjects, { kind: 'deal', id: deal.id }]
  const changed = await api.json('PATCH', `/api/tasks/${task.id}`, { version: task.version, subjects: both })
  expect(changed.status).toBe(200)
  const edited = { version: call.version, subjects: both }
  expect((await api.json('PATCH', `/api/activities/${call.id}`, edited)).status).toBe(200)
  expect((await api.json('POST', `/api/tasks/${task.id}/complete`)).status).toBe(200)
  const other = await makeLead(ctx)
  await archiveRecord(ctx, { kind: 'lead', id: other.id })
  const { body: second } = await api.json('POST', '/api/tasks', { title: 'Another task' })
  expect(
    await api.json('PATCH', `/api/tasks/${second.id}`, {
      version: second.version,
      subjects: [{ kind: 'lead', id: other.id }],
    }),
  ).toMatchObject({ status: 409, body: { code: 'record_archived' } })
  expect((await api.ask('DELETE', `${path}/${contact_id}`)).status).toBe(204)
  expect(await api.json('POST', path, { contact_id })).toMatchObject({
    status: 409,
    body: { code: 'record_archived', restore: `/api/contacts/${contact_id}/restore` },
  })
  const made = await api.json('POST', '/api/deals', { name: 'New', contact_ids: [contact_id] })
  expect(made).toMatchObject({ status: 409, body: { code: 'record_archived' } })
})

test('F30: a merged lead says at once which lead goes on and how it is taken apart, whatever is done to it', async () => {
  const { primary, duplicate } = await pair()
  const members = await makeMembers()
  await merge(primary.id, { duplicate_id: duplicate.id })
  const { version } = (await api.json('GET', `/api/leads/${duplicate.id}`)).body
  const refused = {
    status: 409,
    body: {
      code: 'lead_merged',
      detail: expect.stringContaining(`/api/leads/${primary.id}`),
      merged_into: primary.id,
      unmerge: `/api/leads/${primary.id}/unmerge`,
    },
  }
  const lines = (await timeline(duplicate.id)).length
  const path = `/api/leads/${duplicate.id}`
  const doors: [string, { status: number; body: any }][] = [
    ...(await writings('lead', duplicate.id, members)),
    ['PATCH', await api.json('PATCH', path, { version, city: 'Kiel' })],
    ['external', await api.json('PATCH', `/external/v1/leads/${duplicate.id}`, { city: 'Kiel' })],
    [
      'move',
      await api.json('POST', `/api/opportunities/${duplicate.id}/move`, { stage_id: duplicate.stage.id }),
    ],
    ['restore', await api.json('POST', `${path}/restore`)],
  ]
  for (const [door, answer] of doors) expect(answer, door).toMatchObject(refused)
  expect(await timeline(duplicate.id)).toHaveLength(lines)
  // What the refusal says to do works, and then the writing does.
  expect((await unmerge(primary.id, { duplicate_id: duplicate.id })).status).toBe(200)
  for (const [door, { status }] of await writings('lead', duplicate.id, members))
    expect(status, door).toBe(201)
})

test('F31: a converted lead names its deal and how the conversion is taken back, whatever is done to it', async () => {
  const lead = await makeLead(api.ctx, { company_name: 'Harbour Ltd', contact_name: 'Ana Ruiz' })
  const { body: conversion } = await api.json('POST', `/api/leads/${lead.id}/convert`, {
    version: lead.version,
  })
  const { version } = (await api.json('GET', `/api/leads/${lead.id}`)).body
  const refused = {
    status: 409,
    body: {
      code: 'lead_converted',
      detail: expect.stringContaining('Go on with its deal'),
      deal_id: conversion.deal.id,
      reverse: `/api/leads/${lead.id}/convert/reverse`,
    },
  }
  for (const [door, answer] of await writings('lead', lead.id, await makeMembers()))
    expect(answer, door).toMatchObject(refused)
  expect(await api.json('PATCH', `/api/leads/${lead.id}`, { version, city: 'Kiel' })).toMatchObject(refused)
  expect(await api.json('POST', `/api/leads/${lead.id}/restore`)).toMatchObject(refused)
})
