import { afterAll, beforeAll, expect, test } from 'vitest'
import { listTimeline } from '../db/activities.ts'
import { listApprovals } from '../db/approvals.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { getRun, listRuns } from '../db/runs.ts'
import { getSubmission, storeSubmission } from '../db/submissions.ts'
import { approveCall, presentApprovals } from '../tools/approvals.ts'
import type { Outside } from '../tools/tool.ts'
import { openMailer } from '../tools/vendors/email.ts'
import { startWorker, type Worker } from '../worker.ts'
import { startSmtp, type Smtp } from './smtp.ts'
import { startWebsite, type Website } from './website.ts'
import { eventually } from './eventually.ts'
import { openWorld, type World } from './world.ts'

let world: World
let website: Website
let smtp: Smtp
let worker: Worker
let outside: Outside

beforeAll(async () => {
  world = await openWorld({ works: true })
  website = await startWebsite()
  smtp = await startSmtp()
  outside = {
    fetch_allow: new Set([website.host]),
    mail: { mailer: openMailer(smtp.url), from: 'Mira Kern <mira@northwind.example>' },
    app_url: 'http://127.0.0.1:3000',
  }
  worker = await startWorker({ db: world.db, outside, model: 'rules', heads_file: `${world.folder}/heads.jsonl` })
})
afterAll(async () => {
  await worker.stop()
  await smtp.stop()
  await website.stop()
  await world.stop()
})

test('a webhook becomes an e-mail, once, and only after a person says yes', async () => {
  const { ctx } = world
  const source = await createSource(ctx, { name: 'Website' })
  const open = await openSource(world.db, world.organization.id, source.id)
  const payload = {
    name: 'Ana Ruiz',
    email: 'ana.ruiz@brightside.example',
    phone: '+49 30 901820',
    company: 'Brightside Coffee Roasters',
    title: 'Head of Operations',
    website: website.url,
    message: 'What does it cost for 40 seats? We would like to start next month.',
  }
  const { submission_id } = await storeSubmission(world.db, open!, {
    content_type: 'application/json',
    raw: Buffer.from(JSON.stringify(payload)),
    payload,
  })

  const lead_id = await eventually(async () => (await getSubmission(ctx, submission_id)).lead_id)
  const run = await eventually(async () => (await listRuns(ctx, { subject_id: lead_id, limit: 1 })).data.find(({ status }) => status !== 'queued' && status !== 'running'))
  const { steps } = await getRun(ctx, run.id)
  expect(run).toMatchObject({ status: 'done', error: null })
  expect(steps.filter(({ kind }) => kind === 'tool').map(({ tool, verdict }) => `${tool} ${verdict}`)).toEqual([
    'read_lead run', 'enrich_lead run', 'qualify run', 'move_stage run', 'suggest_next_actions run', 'draft_email run', 'add_note run',
  ])
  expect(run).toMatchObject({ status: 'done', model: 'rules' })

  const lead = await getOpportunity(ctx, lead_id)
  expect(lead.stage.label).toBe('Qualified')
  expect(lead.score).toBeGreaterThanOrEqual(50)
  expect(lead.qualified_at).not.toBeNull()
  const timeline = await listTimeline(ctx, { kind: 'lead', id: lead_id }, { limit: 50 })
  for (const line of timeline.data.filter(({ type }) => type !== 'lead_imported')) {
    expect(line.actor).toMatchObject({ kind: 'agent', id: 'lead_worker' })
    expect(line.run_id).toBe(run.id)
  }
  expect(timeline.data.find(({ type }) => type === 'stage_changed')?.reason).toMatch(/Qualified with/)

  const { data: waiting } = await listApprovals(ctx, { subject_id: lead_id, status: ['pending'], tool: 'send_email', limit: 10 })
  expect(waiting).toHaveLength(1)
  const [card] = await presentApprovals(ctx, waiting, outside)
  expect(smtp.received).toHaveLength(0)

  await approveCall(ctx, card!.id, {})
  await eventually(async () => (await listApprovals(ctx, { status: ['executed'], tool: 'send_email', limit: 10 })).data[0])
  expect(smtp.received).toHaveLength(1)
  const sent = smtp.received[0]!
  expect(sent).toMatchObject({ subject: card!.mail!.subject })
  expect(sent.text.trim()).toBe(card!.mail!.body.trim())
  const line = (await listTimeline(ctx, { kind: 'lead', id: lead_id }, { limit: 50 })).data.find(({ type }) => type === 'email_sent')
  expect(line).toMatchObject({ actor: { kind: 'agent', id: 'lead_worker' }, on_behalf_of: { kind: 'user' }, approval_id: card!.id })
})
