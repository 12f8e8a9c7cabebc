import { createAccount } from '../db/accounts.ts'
import { reserveAllowance } from '../db/allowances.ts'
import { createContact } from '../db/contacts.ts'
import { beginRiskDays, measureStays } from '../db/deal-risk-days.ts'
import { createDeal } from '../db/deals.ts'
import { logActivity } from '../db/activity-logging.ts'
import { editActivity } from '../db/activity-revisions.ts'
import { sealAll } from '../db/audit.ts'
import { changeAvailability } from '../db/availability.ts'
import { approveApproval } from '../db/approval-decisions.ts'
import { startBulk } from '../db/bulk.ts'
import { workBulk } from '../db/bulk-work.ts'
import { createCampaign } from '../db/campaigns.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { writeCustomValues } from '../db/custom-values.ts'
import { dismissDuplicates } from '../db/duplicate-dismissals.ts'
import { setExchangeRate } from '../db/exchange-rates.ts'
import { createField } from '../db/fields.ts'
import { writeOnce } from '../db/idempotency.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { convertLead } from '../db/lead-conversion.ts'
import { saveEnrichment } from '../db/lead-enrichment.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { changeAgentSettings } from '../db/models.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { optOut } from '../db/opt-outs.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { setLevel } from '../db/policies.ts'
import { writePreference } from '../db/preferences.ts'
import { createRoutingPool } from '../db/routing-pools.ts'
import { createRoutingRule } from '../db/routing-rules.ts'
import { changeFallback } from '../db/routing-settings.ts'
import { processSubmission, storeSubmission } from '../db/submissions.ts'
import { addTimeOff } from '../db/time-off.ts'
import { startBackTest } from '../db/score-backtest-reads.ts'
import { builtInFormula } from '../db/score-built-in.ts'
import { createScoreFormula } from '../db/score-formulas.ts'
import { workScoreJob } from '../db/score-work.ts'
import { createView } from '../db/views.ts'
import { executeApproval } from '../tools/approvals.ts'
import { makeLead, nowhere, parkEmail, putToWork } from './worked-lead.ts'
import { placeFile } from './documents.ts'
import { putImports } from './furnished.ts'
import type { World } from './world.ts'

/** Uses the product until every table holds rows of the organization: what a test of tenants needs to mean something. */
export const fillTenant = async (world: World, ctx: Ctx): Promise<void> => {
  const at = { db: world.db, ctx }
  const lead = await makeLead(ctx)
  const account = await createAccount(ctx, { name: 'Brightside' })
  const contact = await createContact(ctx, { name: 'Ana Ruiz', account_ids: [account.id] })
  await createDeal(
    ctx,
    { name: 'Machines for 12 cafés', account_ids: [account.id], contact_ids: [contact.id] },
    { door: 'api' },
  )
  const { deal_id } = await convertLead(ctx, (await makeLead(ctx)).id, {})
  const next = (await defaultPipeline(ctx, 'deal')).stages.find(({ position }) => position === 1)
  await moveOpportunity(ctx, String(deal_id), { stage_id: String(next?.id) })
  await measureStays(ctx)
  await beginRiskDays(world.db)
  const { call } = await putToWork(at, lead.id)
  await call('qualify', { lead_id: lead.id })
  await call('add_note', { lead_id: lead.id, body: 'Knows us from a fair.' })
  await call('create_task', { lead_id: lead.id, title: 'Call Ana' })
  await saveEnrichment(ctx, lead.id, {
    website: 'https://brightside.example',
    summary: '',
    facts: [],
    pages: [],
  })
  const closed = await makeLead(ctx, { value_minor: 1_000, currency: 'USD', expected_close_on: '2026-12-01' })
  await setExchangeRate(ctx, 'USD', 0.9)
  await closeOpportunity(ctx, closed.id, { outcome: 'won', expected_close_on: '2026-12-20' })
  const bulk = await startBulk(ctx, {
    kind: 'lead',
    ids: [lead.id],
    act: 'add_tags',
    input: { tags: ['vip'] },
  })
  await workBulk(world.db, ctx.organization_id, bulk.id)
  const { id } = await parkEmail(at, await makeLead(ctx))
  await approveApproval(ctx, id, {})
  await executeApproval(world.db, ctx.organization_id, id, nowhere)
  const user_id = ctx.actor.id
  const pool = await createRoutingPool(ctx, { name: 'Inbound', members: [{ user_id, weight: 1 }] })
  const target = { kind: 'pool' as const, pool_id: pool.id }
  await createRoutingRule(ctx, { name: 'Fair', conditions: { source: ['Fair'] }, target })
  await changeFallback(ctx, { fallback: { kind: 'member', user_id } })
  await changeAvailability(ctx, user_id, { max_open_leads: 1_000 })
  await addTimeOff(ctx, user_id, { from_on: '2020-01-01', until_on: '2020-01-02' })
  await optOut(ctx, 'nobody@brightside.example', 'one click')
  await changeAgentSettings(ctx, 'lead_worker', { enabled: true })
  await setLevel(ctx, { agent: 'lead_worker', tool: 'add_note', level: 'act' })
  const source = await openSource(
    world.db,
    ctx.organization_id,
    (await createSource(ctx, { name: 'Website' })).id,
  )
  await createCampaign(ctx, { name: 'Spring fair' })
  const payload = { name: 'Bo Lind', campaign: 'Spring fair', leadhand_visitor: 'visitor-1' }
  const raw = Buffer.from(JSON.stringify(payload))
  const stored = await storeSubmission(world.db, source!, { content_type: 'application/json', raw, payload })
  await processSubmission(world.db, ctx.organization_id, stored.submission_id)
  await writeOnce(ctx, { key: 'once', request_hash: 'x' }, () =>
    Promise.resolve({
      answer: { status: 200, body: '{}', content_type: 'application/json' },
      keep: 'all' as const,
    }),
  )
  await createField(ctx, { record_kind: 'lead', key: 'team_size', label: 'Team size', type: 'integer' })
  await inTx(ctx, (ctx) => writeCustomValues(ctx, 'lead', lead.id, { team_size: 12 }))
  const raised = { ...builtInFormula, base: builtInFormula.base + 5 }
  const formula = await createScoreFormula(ctx, { definition: raised })
  const tried = await startBackTest(ctx, formula.id)
  await workScoreJob(world.db, ctx.organization_id, tried.id)
  await putImports(ctx)
  await createView(ctx, { name: 'Large teams', record_kind: 'lead', sort: '-custom.team_size' })
  await writePreference(ctx, 'view', 'list')
  const subject = { kind: 'lead' as const, id: lead.id }
  const entry = await logActivity(ctx, {
    type: 'call_logged',
    subjects: [subject],
    data: { subject: 'Asked for 40 seats' },
  })
  await editActivity(ctx, entry.id, { changes: { data: { subject: 'Asked for 50 seats' } } })
  await placeFile(ctx, subject, 'offer.txt', 'Offer for 40 seats')
  await reserveAllowance(world.db, {
    organization_id: ctx.organization_id,
    id: lead.id,
    per_minute: 60,
    wanted: 1,
    unused: 0,
  })
  const twin = () => makeLead(ctx, { email: 'twin@brightside.example' })
  const primary = await twin()
  await mergeLeads(ctx, primary.id, { duplicate_id: (await twin()).id })
  await dismissDuplicates(ctx, { lead_ids: [primary.id, (await twin()).id] })
  await sealAll(world.db, `${world.folder}/heads.jsonl`)
}
