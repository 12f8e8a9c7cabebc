import { listActivities } from './activities.ts'
import { listApprovals } from './approvals.ts'
import { inTx, type Ctx } from './context.ts'
import { listDiscardReasons } from './discard-reasons.ts'
import { duplicatesOf } from './duplicates.ts'
import { wishOf, type Wish } from './lead-wish.ts'
import { getOpportunity } from './opportunities.ts'
import { findOptOut } from './opt-outs.ts'
import { readPipeline, type StageKind } from './pipelines.ts'
import { readSettings } from './settings.ts'
import { clip, visibleText } from './text.ts'

/** How much of a lead a model is shown. */
const limits = {
  message: 6_000,
  fact: 300,
  facts: 25,
  activities: 20,
  activity: 200,
  discard_reasons: 50,
  duplicates: 3,
}

/** A lead as a model reads it: bounded, visible characters only, the stages it may move to beside it. */
export type LeadForPrompt = {
  lead: Record<string, unknown>
  message: string | null
  wish: Wish
  /** Why its address must not be written to, if so. */
  opted_out: string | null
  /** Whether an e-mail to it was ever put before a person, whatever became of it. */
  email_proposed: boolean
  facts: { key: string; value: string; source_url: string }[]
  stages: { id: string; label: string; kind: StageKind }[]
  /** Why it may be lost. */
  discard_reasons: { id: string; label: string }[]
  /** Open leads that are, or may be, the same; which of the two would stay in a merge. */
  duplicates: {
    id: string
    name: string
    company: string | null
    near: boolean
    points: number
    reason: string
    primary_id: string
  }[]
  waiting: { tool: string; summary: string }[]
  activities: string[]
  sender: { name: string; organization: string }
}

/** Renders a lead for a model; its length is bounded whatever came in. */
export const leadForPrompt = (ctx: Ctx, id: string): Promise<LeadForPrompt> =>
  inTx(ctx, async (ctx) => {
    const [lead, { data: waiting }, { data: mails }, { data: activities }, settings] = await Promise.all([
      getOpportunity(ctx, id, 'lead'),
      listApprovals(ctx, { subject_id: id, status: ['pending', 'stale'], limit: 20 }),
      listApprovals(ctx, { subject_id: id, tool: 'send_email', limit: 1 }),
      listActivities(ctx, { subject: { kind: 'lead', id }, limit: limits.activities }),
      readSettings(ctx),
    ])
    const [{ stages }, reasons, opted_out, { data: duplicates }] = await Promise.all([
      readPipeline(ctx, lead.pipeline_id),
      listDiscardReasons(ctx),
      lead.email ? findOptOut(ctx, lead.email) : undefined,
      duplicatesOf(ctx, id),
    ])
    const show = (text: string | null, length = 300): string | null =>
      text === null ? null : clip(visibleText(text), length)
    return {
      lead: {
        id: lead.id,
        name: show(lead.contact_name ?? lead.name),
        title: show(lead.title),
        company: show(lead.company_name),
        email: lead.email,
        phone: lead.phone,
        website: show(lead.website),
        place: show([lead.city, lead.state, lead.country].filter(Boolean).join(', ') || null),
        industry: show(lead.industry),
        source: show(lead.source),
        stage: lead.stage,
        score: lead.score,
        verdict: lead.verdict,
        verdict_reason: show(lead.verdict_reason, 600),
      },
      message: show(lead.message, limits.message),
      wish: wishOf(lead.message),
      opted_out: opted_out ?? null,
      email_proposed: mails.length > 0,
      facts: (lead.enrichment?.facts ?? []).slice(0, limits.facts).map(({ key, value, source_url }) => ({
        key,
        value: clip(visibleText(value), limits.fact),
        source_url,
      })),
      stages: stages.map(({ id, label, kind }) => ({ id, label, kind })),
      discard_reasons: reasons.slice(0, limits.discard_reasons).map(({ id, label }) => ({ id, label })),
      duplicates: duplicates
        .slice(0, limits.duplicates)
        .map(({ lead: other, near, keys, points, reasons, ...which }) => ({
          id: other.id,
          name: clip(visibleText(other.contact_name ?? other.name), 300),
          company: show(other.company_name),
          near,
          points,
          reason: clip(
            visibleText(
              (near
                ? reasons.filter((one) => one.points > 0).map(({ reason }) => reason)
                : keys.map(({ label }) => `Same ${label}`)
              ).join('; '),
            ),
            400,
          ),
          primary_id: which.primary_id,
        })),
      waiting: waiting.map(({ tool, summary }) => ({ tool, summary: clip(visibleText(summary), 200) })),
      activities: activities.map(({ occurred_at, actor, summary }) =>
        clip(visibleText(`${occurred_at.toISOString()} ${actor.name} ${summary}`), limits.activity),
      ),
      sender: {
        name: settings.sender_name ?? lead.owner?.name ?? settings.organization_name,
        organization: settings.organization_name,
      },
    }
  })
