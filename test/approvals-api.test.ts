import { createApiKey } from '../db/identity.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { proposeApproval } from '../db/approval-proposals.ts'
import type { Approval } from '../db/approvals.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createLead } from '../db/leads.ts'
import { optOut } from '../db/opt-outs.ts'
import { agentActor } from '../db/policies.ts'
import { tools } from '../tools/index.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

let people = 0

/** A drafted e-mail of the lead worker that waits for a person. */
const park = async (ctx: Ctx = api.ctx): Promise<{ approval: Approval; lead_id: string; email: string }> => {
  const email = `person-${++people}@brightside.example`
  const lead = await createLead(ctx, { contact_name: `Person ${people}`, email }, { door: 'ui' })
  const input = { to: email, subject: 'Your question', body: 'Hello,\n\nforty seats cost 400.\n\nAda' }
  const proposed = await proposeApproval(
    { ...ctx, actor: agentActor('lead_worker') },
    {
      tool: 'send_email',
      summary: `E-mail to ${email}`,
      input,
      reason: 'They asked for a price',
      evidence: [{ label: 'Their message', snippet: 'What does it cost?' }],
      subject: { kind: 'lead', id: lead.id },
      purpose: 'reply',
      rule: 'outbound',
      risk: 'medium',
      reads: tools['send_email']!.reads(input),
    },
  )
  return { approval: proposed.approval, lead_id: lead.id, email }
}

const act = (
  approval: { id: string },
  name: string,
  body: object = {},
  headers: Record<string, string> = {},
) => api.json('POST', `/api/approvals/${approval.id}/${name}`, body, headers)

test('an approval shows exactly what would happen, and why it asks', async () => {
  const { approval, lead_id, email } = await park()
  const { body } = await api.json('GET', `/api/approvals/${approval.id}`)
  expect(body).toMatchObject({
    status: 'pending',
    tool: 'send_email',
    tool_title: expect.any(String),
    effect: 'outbound',
    subject: { kind: 'lead', id: lead_id },
    subject_label: `Person ${people}`,
    purpose: 'reply',
    rule: 'outbound',
    rule_text: expect.any(String),
    reason: 'They asked for a price',
    evidence: [{ label: 'Their message' }],
    proposed_by: { kind: 'agent', id: 'lead_worker' },
    mail: { to: email, subject: 'Your question', body: expect.stringContaining('forty seats') },
    input_schema: { properties: expect.objectContaining({ subject: expect.anything() }) },
    edited: false,
    restorable_until: null,
  })
  expect((await api.json('GET', `/api/approvals?status=pending&lead_id=${lead_id}`)).body.data).toHaveLength(
    1,
  )
  expect(
    (await api.json('GET', `/api/approvals?status=stale,expired&lead_id=${lead_id}`)).body.data,
  ).toHaveLength(0)
  expect((await api.json('GET', '/api/approvals/counts')).body.pending).toBeGreaterThan(0)
})

test('approved once; the second one hears who was faster', async () => {
  const { approval } = await park()
  const answers = await Promise.all(Array.from({ length: 5 }, () => act(approval, 'approve', {})))
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
  const colleague = await api.keyFor('rep')
  expect(await act(approval, 'approve', {}, { authorization: `Bearer ${colleague}` })).toMatchObject({
    status: 409,
    body: {
      code: 'approval_not_pending',
      status: 'approved',
      decided_by: { kind: 'api_key', name: 'Everything' },
    },
  })
  expect(await act(approval, 'reject', { reason_code: 'other' })).toMatchObject({
    status: 409,
    body: { status: 'approved' },
  })
})

test('an edit is checked by the tool, and shown as one', async () => {
  const { approval } = await park()
  expect(await act(approval, 'approve', { input: { ...approval.input, to: 'nobody' } })).toMatchObject({
    status: 422,
  })
  expect(
    await act(approval, 'approve', {
      input: { ...approval.input, subject: 'Edited' },
      version: approval.version + 1,
    }),
  ).toMatchObject({ status: 412 })
  expect(
    await act(approval, 'approve', {
      input: { ...approval.input, subject: 'Edited' },
      version: approval.version,
    }),
  ).toMatchObject({
    status: 200,
    body: { status: 'approved', edited: true, mail: { subject: 'Edited' }, decided_by: { kind: 'api_key' } },
  })
})

test('a rejection names its reason, and can be taken back by the same person', async () => {
  const { approval } = await park()
  expect(await act(approval, 'reject', {})).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/reason_code', accepted: expect.arrayContaining(['wrong_tone']) }] },
  })
  const rejected = await act(approval, 'reject', { reason_code: 'wrong_tone', reason: 'Less formal' })
  expect(rejected).toMatchObject({
    status: 200,
    body: { status: 'rejected', decision_code: 'wrong_tone', restorable_until: expect.any(String) },
  })
  const colleague = await api.keyFor('rep')
  expect(await act(approval, 'restore', {}, { authorization: `Bearer ${colleague}` })).toMatchObject({
    status: 403,
    body: { code: 'not_your_decision' },
  })
  expect(await act(approval, 'restore')).toMatchObject({ status: 200, body: { status: 'pending' } })
  expect(await act(approval, 'restore')).toMatchObject({ status: 409 })
})

test('a withdrawn one can be decided no more, and another organization’s is not there', async () => {
  const { approval, lead_id } = await park()
  const other = await api.other()
  const { key } = await createApiKey(other.ctx, {
    name: 'Theirs',
    scopes: ['*'],
    user_id: other.owner.user_id,
  })
  expect(await act(approval, 'withdraw', {}, { authorization: `Bearer ${key}` })).toMatchObject({
    status: 404,
  })
  expect(await act(approval, 'withdraw')).toMatchObject({ status: 200, body: { status: 'withdrawn' } })
  for (const [name, body] of [
    ['approve', {}],
    ['reject', { reason_code: 'other' }],
    ['withdraw', {}],
    ['reread', {}],
    ['restore', {}],
    ['resolve', { outcome: 'sent' }],
  ] as const) {
    expect(await act(approval, name, body), name).toMatchObject({
      status: 409,
      body: { status: 'withdrawn' },
    })
  }
  const { data } = (await api.json('GET', `/api/leads/${lead_id}/timeline`)).body
  expect(data[0]).toMatchObject({ type: 'withdrawn', approval_id: approval.id, actor: { kind: 'api_key' } })
})

test('what changed after it was proposed is shown, read again, and only then decided', async () => {
  const { approval, email } = await park()
  await optOut(api.ctx, email, 'unsubscribed')
  const refused = await act(approval, 'approve', {}, { 'idempotency-key': 'stale-1' })
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'approval_stale', status: 'stale', changed: [{ name: 'opt_out' }] },
  })
  expect((await api.json('GET', `/api/approvals/${approval.id}`)).body).toMatchObject({
    status: 'stale',
    changed: [{ name: 'opt_out' }],
  })
  expect(await act(approval, 'reread')).toMatchObject({ status: 409, body: { code: 'opted_out' } })
  expect(await act(approval, 'withdraw', { reason: 'They do not want e-mail' })).toMatchObject({
    status: 200,
    body: { status: 'withdrawn' },
  })
})

test('a staleness that is found while approving stays, also under an Idempotency-Key', async () => {
  const { approval, lead_id } = await park()
  await inTx(
    api.ctx,
    ({ tx }) => tx`update opportunities set email = 'moved@brightside.example' where id = ${lead_id}`,
  )
  expect(await act(approval, 'approve', {}, { 'idempotency-key': 'stale-2' })).toMatchObject({
    status: 409,
    body: { code: 'approval_stale' },
  })
  expect((await api.json('GET', `/api/approvals/${approval.id}`)).body.status).toBe('stale')
})

test('an unknown outcome is for a person to say', async () => {
  const { approval } = await park()
  expect(await act(approval, 'resolve', { outcome: 'sent' })).toMatchObject({
    status: 409,
    body: { code: 'outcome_known', status: 'pending' },
  })
  await inTx(
    api.ctx,
    ({ tx }) => tx`update approvals set status = 'outcome_unknown' where id = ${approval.id}`,
  )
  expect(await act(approval, 'resolve', { outcome: 'not_sent' })).toMatchObject({
    status: 200,
    body: { status: 'failed' },
  })
})

test('fifty decisions at once are one', async () => {
  const { approval } = await park()
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      n % 2 ? act(approval, 'approve') : act(approval, 'reject', { reason_code: 'not_needed' }),
    ),
  )
  const { body } = await api.json('GET', `/api/approvals/${approval.id}`)
  expect(['approved', 'rejected']).toContain(body.status)
  for (const answer of answers) {
    if (answer.status === 200) expect(answer.body.status).toBe(body.status)
    else expect(answer).toMatchObject({ status: 409, body: { status: body.status } })
  }
})

test('who may not decide does not, and what belongs to others is not there', async () => {
  const { approval } = await park()
  const viewer = await api.keyFor('viewer')
  expect(await act(approval, 'approve', {}, { authorization: `Bearer ${viewer}` })).toMatchObject({
    status: 403,
    body: { permission: 'approvals:decide' },
  })
  const other = await api.other()
  const theirs = await park(other.ctx)
  for (const name of ['approve', 'restore', 'reread', 'withdraw'])
    expect((await act(theirs.approval, name)).status, name).toBe(404)
  expect((await act(theirs.approval, 'reject', { reason_code: 'other' })).status).toBe(404)
})

test('a version in If-Match counts on a decision: another one is 412 with what is there now', async () => {
  const { approval } = await park()
  for (const [verb, body] of [
    ['approve', {}],
    ['reject', { reason_code: 'other' }],
  ] as const) {
    expect(await act(approval, verb, body, { 'if-match': '"77"' })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { id: approval.id } },
    })
  }
  expect(await act(approval, 'approve', {}, { 'if-match': `"${approval.version}"` })).toMatchObject({
    status: 200,
  })
})
