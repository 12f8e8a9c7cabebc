import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { createAccount } from '../db/accounts.ts'
import { approveApproval } from '../db/approval-decisions.ts'
import { getApproval } from '../db/approvals.ts'
import { systemCtx, type Ctx } from '../db/context.ts'
import { archiveFile, getFile } from '../db/files.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { agentActor, setLevel, type Level } from '../db/policies.ts'
import type { RecordRef } from '../db/records.ts'
import { changeSettings } from '../db/settings.ts'
import { listRuns, queueRun } from '../db/runs.ts'
import { claimRun } from '../db/run-lease.ts'
import { executeApproval } from '../tools/approvals.ts'
import { queueFileProposal, readFileText } from '../tools/files.ts'
import { callTool } from '../tools/gate.ts'
import { tools } from '../tools/index.ts'
import { nothingOutside } from './api.ts'
import { placeFile } from './documents.ts'
import { makeLead, putToWork } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

describe('F45: at the gate', () => {
  let quiet: World
  beforeAll(async () => {
    quiet = await openWorld()
  })
  afterAll(() => quiet.stop())

  const content = 'Phone: +49 421 123456'
  /** A lead with a file that was read, and an agent at work on the lead. */
  const at = async (name = 'a.txt') => {
    const { id } = await makeLead(quiet.ctx)
    const file = await placeFile(quiet.ctx, { kind: 'lead', id }, name, content)
    await readFileText(quiet.db, quiet.ctx.organization_id, file.id)
    const cites = [{ field: 'phone', snippet: content, file_id: file.id }]
    const input = {
      lead_id: id,
      values: { phone: '+49421123456' },
      cites,
      reason: 'The file “a.txt” says so.',
    }
    return { id, file_id: file.id, input, ...(await putToWork(quiet, id)) }
  }
  const level = (to: Level) => setLevel(quiet.ctx, { agent: 'lead_worker', tool: 'update_lead', level: to })

  test('a policy that lets update_lead act changes nothing for a file; one that forbids it holds', async () => {
    const { id, file_id, input, call } = await at()
    await level('act')
    const proposed = await call('propose_file_facts', { file_id }, [])
    expect(proposed).toMatchObject({ verdict: 'run', output: { fields: ['phone'] } })
    const approval = await getApproval(quiet.ctx, String(proposed.output['approval_id']))
    expect(approval).toMatchObject({ status: 'pending', tool: 'update_lead', rule: 'suggestion', input })
    for (const tainted_by of [[], [{ kind: 'file' as const, id: file_id }]]) {
      const direct = { ...input, reason: `Another reason ${tainted_by.length}.` }
      expect(await call('update_lead', direct, tainted_by)).toMatchObject({
        verdict: 'park',
        rule: 'consequential',
      })
    }
    expect(await getOpportunity(quiet.ctx, id)).toMatchObject({ phone: null, version: 1 })
    await level('deny')
    const other = await at()
    expect(await other.call('propose_file_facts', { file_id: other.file_id })).toMatchObject({
      output: { approval_id: null, fields: [], message: expect.stringMatching(/never use update_lead/) },
    })
    await level('suggest')
  })

  test('taken up by two jobs it is proposed once; what an off switch stopped goes on when it is on again', async () => {
    const system = systemCtx(quiet.db, quiet.ctx.organization_id, 'files')
    const account = await createAccount(quiet.ctx, { name: 'Brightside' })
    const subject: RecordRef = { kind: 'account', id: account.id }
    const { id: file_id } = await placeFile(quiet.ctx, subject, 'a.txt', content)
    await readFileText(quiet.db, quiet.ctx.organization_id, file_id)
    const take = () => queueFileProposal(system, file_id, 'lead_worker')
    const runs = async () => (await listRuns(quiet.ctx, { subject_id: account.id, limit: 10 })).data
    const work = async () => {
      const waiting = (await runs()).find(({ status }) => status === 'queued')!
      const claimed = await claimRun(quiet.db, quiet.ctx.organization_id, waiting.id, 'test')
      await workRun({ db: quiet.db, outside: nothingOutside, model: 'rules' }, claimed!)
    }
    await Promise.all([take(), take()])
    await changeSettings(quiet.ctx, { changes: { ai_enabled: false } })
    await work()
    expect(await runs()).toMatchObject([{ status: 'stopped', stop_reason: 'ai_off' }])
    await changeSettings(quiet.ctx, { changes: { ai_enabled: true } })
    await work()
    expect(await runs()).toMatchObject([
      { status: 'done', trigger: { kind: 'retry', file_id } },
      { status: 'stopped' },
    ])
    const { proposals } = await getFile(quiet.ctx, file_id)
    expect(proposals).toHaveLength(1)
    await take()
    expect(await runs()).toHaveLength(2)
    expect((await getFile(quiet.ctx, file_id)).proposals).toEqual(proposals)
  })

  test('what waits is not filled from a file that is gone by then', async () => {
    const { id, file_id, input, call } = await at()
    const { output } = await call('update_lead', input)
    const approval_id = String(output['approval_id'])
    await approveApproval(quiet.ctx, approval_id, {})
    await archiveFile(quiet.ctx, file_id)
    await executeApproval(quiet.db, quiet.ctx.organization_id, approval_id, nothingOutside)
    expect(await getApproval(quiet.ctx, approval_id)).toMatchObject({
      status: 'stale',
      stale_because: [{ name: 'file', label: 'the file', after: 'archived' }],
    })
    expect(await getOpportunity(quiet.ctx, id)).toMatchObject({ phone: null })
  })

  test('words that stand in no file of the record are no citation', async () => {
    const { id, input, call } = await at()
    const other = await at('the secret plan.txt')
    const [cite] = input.cites
    await level('act')
    for (const wrong of [
      { ...cite, snippet: 'Phone: +49 30 1' },
      { ...cite, file_id: other.file_id },
    ])
      for (const name of ['update_lead', 'suggest_next_actions']) {
        const wanted = { ...input, cites: [wrong] }
        const actions = [{ tool: 'update_lead', input: wanted, reason: 'x' }]
        const answer = await call(name, name === 'update_lead' ? wanted : { lead_id: id, actions })
        expect(answer).toMatchObject({ rule: 'not_cited' })
        expect(JSON.stringify(answer.output)).not.toContain('secret')
      }
    await level('suggest')
  })

  test('a file of another record, or of another organization, is not there', async () => {
    const [own, other] = [await at(), await at()]
    const foreign = await quiet.other()
    const theirs = await putToWork({ db: quiet.db, ctx: foreign.ctx }, (await makeLead(foreign.ctx)).id)
    for (const name of ['read_file', 'propose_file_facts'])
      for (const { call } of [own, theirs])
        expect(await call(name, { file_id: other.file_id })).toMatchObject({
          verdict: 'failed',
          rule: 'file_not_found',
        })
  })

  test('a field that the kind of record does not have is refused, with those that it has', async () => {
    const account = await createAccount(quiet.ctx, { name: 'Brightside' })
    const { call } = await at()
    const input = {
      record_kind: 'account',
      record_id: account.id,
      values: { email: 'a@x.example' },
      reason: 'x',
    }
    expect(await call('update_record', input)).toMatchObject({ rule: 'other_record' })
    const subject = { kind: 'account' as const, id: account.id }
    const { id } = await queueRun(quiet.ctx, { agent: 'lead_worker', subject, trigger: { kind: 'request' } })
    const claimed = await claimRun(quiet.db, quiet.ctx.organization_id, id, 'test')
    const agent: Ctx = { ...quiet.ctx, actor: agentActor('lead_worker'), run_id: id, lease: claimed!.lease }
    const refused = await callTool(agent, tools['update_record'], 'update_record', input, {
      agent: 'lead_worker',
      subject,
      tainted_by: [],
      call_id: 'call',
      step: 0,
      outside: nothingOutside,
      tools,
    })
    expect(refused).toMatchObject({ verdict: 'failed', rule: 'unknown_field' })
    expect(refused.output['message']).toMatch(/An? account has no email.*"website"/)
  })
})
