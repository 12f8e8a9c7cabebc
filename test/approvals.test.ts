import { expect, test } from 'vitest'
import { proposeApproval } from '../db/approval-proposals.ts'
import { countApprovals, getApproval, listApprovals } from '../db/approvals.ts'
import { approveApproval, rejectApproval } from '../db/approval-decisions.ts'
import { inTx } from '../db/context.ts'
import { updateLead } from '../db/leads.ts'
import { listMessages } from '../db/messages.ts'
import { listTasks } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { approveCall, executeApproval, presentApprovals } from '../tools/approvals.ts'
import { sweep } from '../tools/jobs.ts'
import { startWorker } from '../worker.ts'
import { openApprovalWorld } from './approval-world.ts'
import { eventually } from './eventually.ts'
import { makeLead, nowhere, parkEmail, parkTask, putToWork, taskAction } from './worked-lead.ts'
import { openWorld } from './world.ts'

const { world, ctx, execute, messagesOf, tasksOf, typesOf, rewrite } = await openApprovalWorld()

test('Q1 a declined call is never carried out, also after a restart', async () => {
  const running = await openWorld({ works: true })
  try {
    const { db, ctx } = running
    const lead = await makeLead(ctx)
    const email = await parkEmail(running, lead)
    const task = await parkTask(running, lead, 'Call Ana')
    for (const { id } of [email, task]) await rejectApproval(ctx, id, { reason_code: 'not_needed' })
    for (const { id } of [email, task]) await executeApproval(db, ctx.organization_id, id, nowhere)
    await sweep(db, nowhere)

    // A worker that starts now finds two declined calls and an approved one: only the approved one happens.
    const other = await parkTask(running, lead, 'Prepare an offer')
    await approveApproval(ctx, other.id, {})
    const heads_file = `${running.folder}/heads.jsonl`
    const worker = await startWorker({ db, outside: nowhere, model: 'rules', heads_file })
    await eventually(async () => (await getApproval(ctx, other.id)).status === 'executed')
    await worker.stop()

    const tasks = await listTasks(ctx, { subject_id: lead.id, limit: 10 })
    expect(tasks.data.map(({ title }) => title)).toEqual(['Prepare an offer'])
    expect((await listMessages(ctx, { limit: 10 })).data).toEqual([])
    for (const { id } of [email, task])
      expect(await getApproval(ctx, id)).toMatchObject({ status: 'rejected' })
  } finally {
    await running.stop()
  }
})

test('Q4 an approved call really runs, and its real result is on the approval and the timeline', async () => {
  const lead = await makeLead(ctx)
  const { id } = await parkTask(world, lead, 'Call Ana')
  await approveApproval(ctx, id, { reason: 'good idea' })
  expect(await tasksOf(lead)).toEqual([])
  await execute(id)
  const [task] = await tasksOf(lead)
  expect(task).toMatchObject({ title: 'Call Ana', created_by: { kind: 'agent', id: 'lead_worker' } })
  expect(await getApproval(ctx, id)).toMatchObject({
    status: 'executed',
    result: { task_id: task?.id, title: 'Call Ana' },
    decided_by: { kind: 'user', id: world.owner.user_id },
    decision_reason: 'good idea',
  })
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 20 })
  expect(data.find(({ type }) => type === 'task_created')).toMatchObject({
    actor: { kind: 'agent', id: 'lead_worker' },
    on_behalf_of: { kind: 'user', id: world.owner.user_id },
    approval_id: id,
    data: { task_id: task?.id },
  })
  expect(data.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['approval_requested', 'approved', 'approval_executed']),
  )
})

test('an edited call runs as edited, and the proposal stays beside it', async () => {
  const lead = await makeLead(ctx)
  const proposed = await parkTask(world, lead, 'Call Ana')
  const input = { lead_id: lead.id, title: 'Call Ana on Monday', priority: 'high' }
  const approved = await approveCall(ctx, proposed.id, { input })
  expect(approved).toMatchObject({
    input,
    proposed_input: proposed.input,
    summary: 'Create the task “Call Ana on Monday”',
  })
  await execute(proposed.id)
  expect(await tasksOf(lead)).toMatchObject([{ title: 'Call Ana on Monday', priority: 'high' }])
})

test('an edit that does not fit the tool is refused with the fields, and nothing is decided', async () => {
  const lead = await makeLead(ctx)
  const { id } = await parkEmail(world, lead)
  await expect(approveCall(ctx, id, { input: { to: 'nobody', subject: '' } })).rejects.toMatchObject({
    kind: 'invalid',
    code: 'invalid_input',
    errors: expect.arrayContaining([
      expect.objectContaining({ pointer: '/input/to' }),
      expect.objectContaining({ pointer: '/input/body' }),
    ]),
  })
  expect(await getApproval(ctx, id)).toMatchObject({ status: 'pending' })
})

test('an edit of the recipient that is the approved one is sent to it, though the lead has another address', async () => {
  const lead = await makeLead(ctx)
  const { id, input } = await parkEmail(world, lead)
  await approveCall(ctx, id, { input: { ...input, to: 'Buyer@Brightside.Example' } })
  await execute(id)
  expect(await messagesOf(lead)).toMatchObject([{ to: 'buyer@brightside.example' }])
})

test('Q5 one of three is rejected: the other two run, and the rejected one is refused with the reason when proposed again', async () => {
  const lead = await makeLead(ctx)
  const { call } = await putToWork(world, lead.id)
  const actions = ['First', 'Second', 'Third'].map(taskAction)
  await call('suggest_next_actions', { lead_id: lead.id, actions })
  const { data } = await listApprovals(ctx, { subject_id: lead.id, limit: 10 })
  const second = data.find(({ summary }) => summary.includes('Second'))
  expect(data).toHaveLength(3)
  await rejectApproval(ctx, second!.id, { reason_code: 'wrong_timing', reason: 'not before spring' })
  for (const { id } of data.filter(({ id }) => id !== second!.id)) await approveApproval(ctx, id, {})
  for (const { id } of data) await execute(id)
  expect((await tasksOf(lead)).map(({ title }) => title).toSorted()).toEqual(['First', 'Third'])

  const again = await call('suggest_next_actions', { lead_id: lead.id, actions: [taskAction('Second')] })
  expect(again.output['suggestions']).toMatchObject([
    { approval_id: null, message: expect.stringContaining('wrong timing: not before spring') },
  ])
  expect((await listApprovals(ctx, { subject_id: lead.id, limit: 10 })).data).toHaveLength(3)

  await rewrite(second!.id, { decided_at: new Date(Date.now() - 8 * 86_400_000) })
  const later = await call('suggest_next_actions', { lead_id: lead.id, actions: [taskAction('Second')] })
  expect(later.output['suggestions']).toMatchObject([{ approval_id: expect.any(String) }])
})

test('Q7 the same proposal is one card, however often and by however many at once', async () => {
  const lead = await makeLead(ctx)
  const propose = () =>
    proposeApproval(
      { ...ctx, actor: { kind: 'agent', id: 'lead_worker', name: 'lead_worker' } },
      {
        tool: 'create_task',
        summary: 'Create the task “Call Ana”',
        // The order of the members says nothing.
        input:
          Math.random() < 0.5
            ? { lead_id: lead.id, title: 'Call Ana' }
            : { title: 'Call Ana', lead_id: lead.id },
        evidence: [],
        subject: { kind: 'lead', id: lead.id },
        rule: 'suggestion',
        risk: 'low',
        reads: [{ name: 'stage_kind' }],
      },
    )
  const proposed = await Promise.all(Array.from({ length: 20 }, propose))
  proposed.push(await propose())
  expect(new Set(proposed.map(({ approval }) => approval.id)).size).toBe(1)
  expect(proposed.filter(({ outcome }) => outcome === 'parked')).toHaveLength(1)
  expect((await typesOf(lead)).filter((type) => type === 'approval_requested')).toHaveLength(1)

  // Approved and not carried out yet, it is still the same one.
  await approveApproval(ctx, proposed[0]!.approval.id, {})
  expect(await propose()).toMatchObject({ outcome: 'known' })
})

test('a card shows the exact e-mail, what happens on a yes, and which arguments an edit may have', async () => {
  const lead = await makeLead(ctx)
  const approval = await parkEmail(world, lead)
  const [card] = await presentApprovals(ctx, [approval], nowhere)
  expect(card).toMatchObject({
    effect: 'outbound',
    irreversible: expect.any(String),
    consequence: `If you approve: 1 e-mail to ${lead.email}.`,
    mail: {
      from: '"Mira Kern" <mira@northwind.example>',
      to: lead.email,
      body: approval.input['body'],
      headers: { 'Message-ID': `<${approval.id}@northwind.example>` },
    },
    input_schema: { type: 'object', required: ['to', 'subject', 'body'] },
    edited: false,
  })
})

test('the counts are those of the queue', async () => {
  const other = await world.other()
  const at = { db: world.db, ctx: other.ctx }
  const lead = await makeLead(other.ctx)
  await parkTask(at, lead, 'One')
  await parkTask(at, lead, 'Two')
  await parkEmail(at, lead)
  await updateLead(other.ctx, lead.id, { email: 'changed@brightside.example' })
  expect(await countApprovals(other.ctx)).toEqual({ pending: 2, stale: 1, outcome_unknown: 0, failed: 0 })
})

test('a call that cannot be carried out is failed with the reason, and nothing of it happened', async () => {
  const lead = await makeLead(ctx)
  const { id } = await parkTask(world, lead, 'Call Ana')
  await inTx(
    ctx,
    ({ tx, organization_id }) =>
      tx`update approvals set input = ${tx.json({ lead_id: '0198c0de-0000-7000-8000-000000000000', title: 'x' })}
        where organization_id = ${organization_id} and id = ${id}`,
  )
  await approveApproval(ctx, id, {})
  await execute(id)
  expect(await getApproval(ctx, id)).toMatchObject({
    status: 'failed',
    result: { error: { code: 'lead_not_found' } },
  })
  expect(await typesOf(lead)).toContain('approval_failed')
})
