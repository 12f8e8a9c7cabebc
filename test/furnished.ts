import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { proposeApproval } from '../db/approval-proposals.ts'
import { logActivity } from '../db/activity-logging.ts'
import { startBulk } from '../db/bulk.ts'
import { workBulk } from '../db/bulk-work.ts'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { createCampaign } from '../db/campaigns.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { createDiscardReason } from '../db/discard-reasons.ts'
import { setExchangeRate } from '../db/exchange-rates.ts'
import { createField } from '../db/fields.ts'
import { addFile } from '../db/files.ts'
import { createApiKey } from '../db/identity.ts'
import { startImport } from '../db/import-acts.ts'
import { createMapping } from '../db/import-mappings.ts'
import { ImportRequest } from '../db/import-request.ts'
import { createImport } from '../db/import-surveys.ts'
import { workImport } from '../db/import-work.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { createLead } from '../db/leads.ts'
import { saveEnrichment } from '../db/lead-enrichment.ts'
import { queueMessage } from '../db/messages.ts'
import { addNote } from '../db/notes.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { optOut } from '../db/opt-outs.ts'
import { listPipelines } from '../db/pipelines.ts'
import { agentActor } from '../db/policies.ts'
import { createRoutingPool } from '../db/routing-pools.ts'
import { createRoutingRule } from '../db/routing-rules.ts'
import { queueRun } from '../db/runs.ts'
import { storeSubmission } from '../db/submissions.ts'
import { activateScoreFormula } from '../db/score-activation.ts'
import { startBackTest } from '../db/score-backtest-reads.ts'
import { builtInFormula } from '../db/score-built-in.ts'
import { createScoreFormula } from '../db/score-formulas.ts'
import { workScoreJob } from '../db/score-work.ts'
import { createTask } from '../db/tasks.ts'
import { addTimeOff } from '../db/time-off.ts'
import { listTimeline } from '../db/timeline.ts'
import { createView } from '../db/views.ts'
import { tools } from '../tools/index.ts'
import { NOBODYS } from './operations.ts'

/** One of everything that an organization can have, by what it is. */
export type Furnished = Record<
  | 'lead'
  | 'deal'
  | 'account'
  | 'contact'
  | 'closed_lead'
  | 'duplicate'
  | 'discard_reason'
  | 'campaign'
  | 'note'
  | 'task'
  | 'approval'
  | 'rejected'
  | 'run'
  | 'failed_run'
  | 'source'
  | 'submission'
  | 'message'
  | 'api_key'
  | 'pipeline'
  | 'field'
  | 'view'
  | 'stage'
  | 'user'
  | 'activity'
  | 'entry'
  | 'file'
  | 'bulk'
  | 'import'
  | 'waiting_import'
  | 'import_mapping'
  | 'score_formula'
  | 'active_formula'
  | 'routing_rule'
  | 'routing_pool'
  | 'time_off',
  string
>

const NO_FORMULAS = { score_formula: NOBODYS, active_formula: NOBODYS }
const NO_IMPORTS = { import: NOBODYS, waiting_import: NOBODYS, import_mapping: NOBODYS }

/**
 * Puts one of everything into an organization.
 * @param path of the one operation that will be asked: what takes long and it is not about is left out
 */
export const furnish = async (ctx: Ctx, user_id: string, path?: string): Promise<Furnished> => {
  const isAbout = (noun: string): boolean => path === undefined || path.includes(noun)
  const email = `ana@${ctx.organization_id.slice(-8)}.example`
  const lead = await createLead(
    ctx,
    { contact_name: 'Ana Ruiz', email, owner_id: user_id, tags: ['vip'], campaign: 'autumn letter' },
    { door: 'ui' },
  )
  const other = await createLead(ctx, { contact_name: 'Bo Lind', campaign: 'Nobody’s' }, { door: 'ui' })
  const duplicate = await createLead(ctx, { contact_name: 'Ana Ruiz', email }, { door: 'ui' })
  const account = await createAccount(ctx, {
    name: 'Brightside',
    website: 'brightside.example',
    owner_id: user_id,
  })
  const contact = await createContact(ctx, {
    name: 'Ana Ruiz',
    email,
    owner_id: user_id,
    account_ids: [account.id],
  })
  const deal = await createDeal(
    ctx,
    {
      name: 'Machines for 12 cafés',
      value_minor: 1_850_000,
      owner_id: user_id,
      account_ids: [account.id],
      contact_ids: [contact.id],
    },
    { door: 'ui' },
  )
  const subject = { kind: 'lead' as const, id: lead.id }
  await saveEnrichment(ctx, lead.id, {
    website: 'https://brightside.example',
    summary: 'They roast coffee.',
    facts: [
      {
        key: 'founded',
        value: '2012',
        source_url: 'https://brightside.example/about',
        snippet: 'since 2012',
      },
    ],
    pages: [{ url: 'https://brightside.example', title: 'Brightside', status: 200 }],
  })
  const reason = await createDiscardReason(ctx, { label: `Moved away ${ctx.organization_id.slice(-4)}` })
  const closed = await createLead(
    ctx,
    { contact_name: 'Cy Moss', value_minor: 1_000, currency: 'USD' },
    { door: 'ui' },
  )
  await setExchangeRate(ctx, 'USD', 0.9)
  await closeOpportunity(ctx, closed.id, {
    outcome: 'lost',
    discard_reason_id: reason.id,
    reason: 'They left town',
  })
  const run = await queueRun(ctx, { agent: 'lead_worker', subject, trigger: { kind: 'request' } })
  const failed = await queueRun(ctx, {
    agent: 'lead_worker',
    subject: { kind: 'lead', id: other.id },
    trigger: { kind: 'request' },
  })
  const source = await createSource(ctx, {
    name: 'Website',
    signature_required: true,
    mapping: { email: 'mail' },
  })
  const open = await openSource(ctx.db, ctx.organization_id, source.id)
  if (!open) throw new Error('the door is closed')
  const payload = { name: 'Cy', mail: 'cy@moss.example' }
  const stored = await storeSubmission(ctx.db, open, {
    content_type: 'application/json',
    raw: Buffer.from(JSON.stringify(payload)),
    payload,
  })
  const [approval, rejected] = [
    await park(ctx, lead.id, email, 'reply'),
    await park(ctx, other.id, email, 'again'),
  ]
  const message = await inTx({ ...ctx, approval_id: approval }, (ctx) =>
    queueMessage(ctx, {
      message_id: `<${approval}@northwind.example>`,
      from: 'sales@northwind.example',
      to: email,
      subject: 'Your question',
      body: 'Hello',
      headers: { 'Auto-Submitted': 'no' },
      record: subject,
    }),
  )
  await inTx(ctx, async ({ tx }) => {
    await tx`
      update runs set status = 'failed', finished_at = now(), error = ${tx.json({ code: 'x', message: 'It broke.' })} where id = ${failed.id}`
    await tx`
      update approvals set status = 'rejected', decided_at = now(), decided_by = ${tx.json(ctx.actor)}, decision_code = 'other' where id = ${rejected}`
    await tx`
      insert into run_steps ${tx({
        organization_id: ctx.organization_id,
        run_id: failed.id,
        n: 1,
        kind: 'tool',
        tool: 'read_lead',
        input: tx.json({}),
        verdict: 'run',
        rule: 'read_only',
        output: tx.json({ name: 'Bo Lind' }),
        started_at: new Date(),
        finished_at: new Date(),
      })}`
  })
  const key = await createApiKey(ctx, { name: 'Key', scopes: ['leads:read'], user_id })
  await optOut(ctx, 'gone@brightside.example', 'unsubscribed')
  const [pipeline] = await listPipelines(ctx)
  const entry = await logActivity(ctx, {
    type: 'call_logged',
    subjects: [subject],
    data: { subject: 'Hello' },
  })
  return {
    lead: lead.id,
    deal: deal.id,
    account: account.id,
    contact: contact.id,
    closed_lead: closed.id,
    duplicate: duplicate.id,
    discard_reason: reason.id,
    campaign: (await createCampaign(ctx, { name: 'Autumn letter' })).id,
    note: (await addNote(ctx, { subject, body: 'Prefers calls' })).id,
    task: (
      await createTask(ctx, {
        title: 'Call',
        priority: 'normal',
        subjects: [subject],
        assignee: { kind: 'user', id: user_id },
      })
    ).id,
    approval,
    rejected,
    run: run.id,
    failed_run: failed.id,
    source: source.id,
    submission: stored.submission_id,
    message,
    api_key: key.id,
    pipeline: pipeline?.id ?? '',
    stage: pipeline?.stages[1]?.id ?? '',
    user: user_id,
    entry: entry.id,
    file: await putFile(ctx, lead.id),
    field: (await createField(ctx, { record_kind: 'lead', label: 'Team size', type: 'integer' })).id,
    activity: (await listTimeline(ctx, subject, { limit: 1 })).data[0]?.id ?? '',
    bulk: await doneBulk(ctx, lead.id),
    ...(await furnishRouting(ctx, user_id)),
    ...(isAbout('score-formulas') ? await putFormulas(ctx) : NO_FORMULAS),
    ...(isAbout('import') ? await putImports(ctx) : NO_IMPORTS),
    view: (await createView(ctx, { name: 'Large teams', record_kind: 'lead', sort: '-custom.team_size' })).id,
  }
}

/** Something that comes as an upload: `take` is told where it lies. */
const upload = async <T>(
  name: string,
  text: string,
  take: (file: { name: string; path: string; size: number; sha256: string }) => Promise<T>,
): Promise<T> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'leadhand-file-'))
  try {
    const file = path.join(folder, name)
    await writeFile(file, text)
    return await take({
      name,
      path: file,
      size: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const putFile = (ctx: Ctx, lead_id: string): Promise<string> =>
  upload('offer.txt', 'Offer for 40 seats\n', async (file) => {
    const { id } = await addFile(ctx, { subject: { kind: 'lead', id: lead_id }, ...file })
    return id
  })

/** An import that ran, one row of which could not be taken; one that waits for what is said of it; how both are read. */
export const putImports = async (
  ctx: Ctx,
): Promise<Pick<Furnished, 'import' | 'waiting_import' | 'import_mapping'>> => {
  // Of each organization another list: columns and rows are known by what they say.
  const own = ctx.organization_id.slice(-6)
  const columns = ['Name', 'E-mail', 'Firma', 'Stage', `Note ${own}`]
  const text = `${columns.join(',')}\nDee Holt,,Holt,New lead,${own}\nEli Marsh,,Marsh,Nowhere,${own}\n`
  const mapping = { Name: 'contact_name', Firma: 'company_name', Stage: 'stage', [`Note ${own}`]: 'message' }
  const bring = () => upload('leads.csv', text, (file) => createImport(ctx, { kind: 'lead', ...file }))
  const { id } = await bring()
  await startImport(ctx, id, 'run', ImportRequest.parse({ mapping, mode: 'skip' }))
  await workImport(ctx.db, ctx.organization_id, id)
  const saved = { name: 'Our list', kind: 'lead' as const, columns, mapping }
  return {
    import: id,
    waiting_import: (await bring()).id,
    import_mapping: (await createMapping(ctx, saved)).id,
  }
}

/** A rule that fits nobody, a pool that no rule comes to, and a time off that is long over. */
const furnishRouting = async (ctx: Ctx, user_id: string) => {
  const target = { kind: 'member' as const, user_id }
  const conditions = { source: ['Nobody’s fair'] }
  const rule = await createRoutingRule(ctx, { name: 'Fair', priority: 7, conditions, target })
  const pool = await createRoutingPool(ctx, { name: 'Inbound', members: [{ user_id, weight: 1 }] })
  const days = { from_on: '2020-01-01', until_on: '2020-01-02' }
  const { id } = await addTimeOff(ctx, user_id, days)
  return { routing_rule: rule.id, routing_pool: pool.id, time_off: id }
}

/** A version of the score formula that is in force, and a draft that may be: both are back-tested. */
const putFormulas = async (ctx: Ctx): Promise<Pick<Furnished, 'score_formula' | 'active_formula'>> => {
  const made = async (base: number): Promise<string> => {
    const { id } = await createScoreFormula(ctx, { definition: { ...builtInFormula, base } })
    const job = await startBackTest(ctx, id)
    await workScoreJob(ctx.db, ctx.organization_id, job.id)
    return id
  }
  const active_formula = await made(builtInFormula.base)
  await activateScoreFormula(ctx, active_formula)
  return { active_formula, score_formula: await made(builtInFormula.base + 5) }
}

/** An act on many records that has been done. */
const doneBulk = async (ctx: Ctx, lead_id: string): Promise<string> => {
  const { id } = await startBulk(ctx, {
    kind: 'lead',
    ids: [lead_id],
    act: 'add_tags',
    input: { tags: ['spring fair'] },
  })
  await workBulk(ctx.db, ctx.organization_id, id)
  return id
}

const park = async (ctx: Ctx, lead_id: string, to: string, purpose: string): Promise<string> => {
  const input = { to, subject: 'Your question', body: 'Hello,\n\nforty seats cost 400.' }
  const { approval } = await proposeApproval(
    { ...ctx, actor: agentActor('lead_worker') },
    {
      tool: 'send_email',
      summary: `Send 1 e-mail to ${to}`,
      input,
      evidence: [],
      subject: { kind: 'lead', id: lead_id },
      purpose,
      rule: 'outbound',
      risk: 'medium',
      reads: tools['send_email']?.reads(input) ?? [],
    },
  )
  return approval.id
}
