import { generateKeyBetween } from 'fractional-indexing'
import type { PendingQuery, Row } from 'postgres'
import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { filterCondition, parseSort, type Filter, type FilterFields } from './filters.ts'
import { page, packCursor, unpackCursor, type Page } from './page.ts'
import { getPipeline, getStage, type StageKind } from './pipelines.ts'
import { storableText } from './text.ts'

export type ScoreReason = { factor: string; points: number; reason: string }
export type Fact = { key: string; value: string; source_url: string; snippet: string }

/** A card in a pipeline, as it is answered everywhere. */
export type Opportunity = {
  id: string
  kind: 'lead' | 'deal'
  name: string
  contact_name: string | null
  company_name: string | null
  title: string | null
  email: string | null
  phone: string | null
  phone_original: string | null
  website: string | null
  city: string | null
  state: string | null
  country: string | null
  industry: string | null
  message: string | null
  pipeline_id: string
  stage_id: string
  stage: { id: string; label: string; kind: StageKind; position: number }
  stage_entered_at: Date
  owner_id: string | null
  owner: { id: string; name: string } | null
  source: string | null
  campaign: string | null
  campaign_id: string | null
  landing_page: string | null
  origin: { door: string; submission_id?: string }
  value_minor: number | null
  currency: string
  forecast_category: string | null
  expected_close_on: string | null
  score: number | null
  score_reasons: ScoreReason[]
  verdict: string | null
  verdict_reason: string | null
  tags: string[]
  custom: Record<string, unknown>
  extra: Record<string, unknown>
  warnings: { field: string; message: string }[]
  enrichment: { website: string; summary: string; facts: Fact[]; read_at: string } | null
  sent_at: Date | null
  accepted_at: Date | null
  qualifying_started_at: Date | null
  qualified_at: Date | null
  scheduled_at: Date | null
  won_at: Date | null
  lost_at: Date | null
  discard_reason_id: string | null
  contact_ids: string[]
  account_ids: string[]
  source_lead_id: string | null
  external_id: string | null
  agents_paused: boolean
  archived_at: Date | null
  /** Approvals that wait for a person. */
  pending_approvals: number
  /** State of the newest run on it. */
  run_status: string | null
  created_at: Date
  updated_at: Date
  version: number
}

/** What lists of opportunities can be filtered and sorted by. */
export const opportunityFields: FilterFields = {
  id: { column: 'o.id', type: 'uuid' },
  kind: { column: 'o.kind', type: 'text' },
  name: { column: 'o.name', type: 'text' },
  contact_name: { column: 'o.contact_name', type: 'text' },
  company_name: { column: 'o.company_name', type: 'text' },
  title: { column: 'o.title', type: 'text' },
  email: { column: 'o.email', type: 'text' },
  phone: { column: 'o.phone', type: 'text' },
  website: { column: 'o.website', type: 'text' },
  city: { column: 'o.city', type: 'text' },
  state: { column: 'o.state', type: 'text' },
  country: { column: 'o.country', type: 'text' },
  industry: { column: 'o.industry', type: 'text' },
  pipeline_id: { column: 'o.pipeline_id', type: 'uuid' },
  stage_id: { column: 'o.stage_id', type: 'uuid' },
  stage_kind: { column: 's.kind', type: 'text' },
  stage_entered_at: { column: 'o.stage_entered_at', type: 'time' },
  owner_id: { column: 'o.owner_id', type: 'uuid' },
  source: { column: 'o.source', type: 'text' },
  campaign: { column: 'o.campaign', type: 'text' },
  value_minor: { column: 'o.value_minor', type: 'number' },
  currency: { column: 'o.currency', type: 'text' },
  expected_close_on: { column: 'o.expected_close_on', type: 'date' },
  score: { column: 'sc.score', type: 'number' },
  verdict: { column: 'sc.verdict', type: 'text' },
  tags: { column: 'o.tags', type: 'tags' },
  external_id: { column: 'o.external_id', type: 'text' },
  qualified_at: { column: 'o.qualified_at', type: 'time' },
  won_at: { column: 'o.won_at', type: 'time' },
  lost_at: { column: 'o.lost_at', type: 'time' },
  created_at: { column: 'o.created_at', type: 'time' },
  updated_at: { column: 'o.updated_at', type: 'time' },
}

export type ListOpportunities = {
  kind?: 'lead' | 'deal' | undefined
  filter?: Filter | undefined
  sort?: string | undefined
  q?: string | undefined
  cursor?: string | undefined
  limit: number
}

/** One page of cards; the order is total, so pages neither repeat nor miss a card while others are added. */
export const listOpportunities = (ctx: Ctx, input: ListOpportunities): Promise<Page<Opportunity>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const sort = [
      ...parseSort(opportunityFields, input.sort ?? '-created_at'),
      { name: 'id', column: 'o.id', type: 'uuid' as const, descending: (input.sort ?? '-').startsWith('-') },
    ]
    const order = sort
      .map(
        ({ column, descending }) =>
          tx`${tx.unsafe(column)} ${descending ? tx`desc nulls last` : tx`asc nulls last`}`,
      )
      .reduce((all, next) => tx`${all}, ${next}`)
    const position = input.cursor ? unpackCursor(input.cursor, sort) : undefined
    const q = input.q === undefined ? undefined : storableText(input.q).trim()
    const rows = await tx<(Opportunity & { sort_position: (string | number | null)[] })[]>`
      ${selectOpportunity(tx, tx`jsonb_build_array(${sort.map(({ column, type }) => (type === 'time' || type === 'date' ? tx`${tx.unsafe(column)}::text` : tx`${tx.unsafe(column)}`)).reduce((all, next) => tx`${all}, ${next}`)}) as sort_position`)}
      where o.organization_id = ${organization_id} and o.archived_at is null
        ${input.kind ? tx`and o.kind = ${input.kind}` : tx``}
        ${input.filter ? tx`and (${filterCondition(tx, opportunityFields, input.filter)})` : tx``}
        ${q ? tx`and (concat_ws(' ', o.name, o.contact_name, o.company_name, o.email, o.phone, o.website) ilike ${`%${q.replaceAll(/[\\%_]/g, '\\$&')}%`})` : tx``}
        ${position ? tx`and (${after(tx, sort, position)})` : tx``}
      order by ${order} limit ${input.limit + 1}`
    const listed = page(rows, input.limit, (row) => packCursor(row.sort_position, sort))
    return { data: listed.data.map(({ sort_position: _, ...card }) => card), next_cursor: listed.next_cursor }
  })

/** One card; of another kind than asked for is not there. */
export const getOpportunity = (ctx: Ctx, id: string, kind?: 'lead' | 'deal'): Promise<Opportunity> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<Opportunity[]>`
      ${selectOpportunity(tx)} where o.organization_id = ${organization_id} and o.id = ${id}
        ${kind ? tx`and o.kind = ${kind}` : tx``}`
    if (!row) throw notFound(kind ?? 'opportunity', id)
    return row
  })

export const MoveOpportunity = z.object({
  stage_id: z.uuid(),
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.number().int().positive().optional(),
})
export type MoveOpportunity = z.infer<typeof MoveOpportunity>

/**
 * Moves a card to another stage of its pipeline. The one move there is, whatever door it comes through.
 * Entering a won or lost stage sets `won_at` or `lost_at`; leaving one clears it, the timeline keeps both.
 * @throws {DomainError} `stage_of_other_pipeline`, `reason_required` (agents always give one), stale on a version mismatch
 */
export const moveOpportunity = (ctx: Ctx, id: string, input: MoveOpportunity): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [locked] = await tx<{ version: number }[]>`
      select version from opportunities where organization_id = ${organization_id} and id = ${id} for update`
    if (!locked) throw notFound('opportunity', id)
    const before = await getOpportunity(ctx, id)
    if (input.version !== undefined && input.version !== before.version) throw staleVersion(before)
    const stage = await getStage(ctx, input.stage_id)
    if (stage.pipeline_id !== before.pipeline_id) {
      const { stages } = await getPipeline(ctx, before.pipeline_id)
      throw invalid(
        'stage_of_other_pipeline',
        '/stage_id',
        `“${stage.label}” belongs to another pipeline.`,
        stages.map(({ id, label }) => ({ id, label })),
      )
    }
    if (ctx.actor.kind === 'agent' && !input.reason) {
      throw invalid('reason_required', '/reason', 'Say why: an agent moves nothing without a reason.')
    }
    if (stage.id === before.stage_id) return before
    const at = new Date()
    await tx`
      update opportunities set stage_id = ${stage.id}, stage_entered_at = ${at}, position = ${await lastPosition(ctx, stage.id)},
        won_at = ${stage.kind === 'won' ? at : null}, lost_at = ${stage.kind === 'lost' ? at : null},
        version = version + 1, updated_at = ${at}
      where organization_id = ${organization_id} and id = ${id}`
    await recordActivity(ctx, {
      type: 'stage_changed',
      subjects: [{ kind: before.kind, id }],
      reason: input.reason,
      record_version: before.version + 1,
      data: {
        from: before.stage_id,
        to: stage.id,
        from_label: before.stage.label,
        to_label: stage.label,
        from_kind: before.stage.kind,
        to_kind: stage.kind,
        changes: [{ field: 'stage', before: before.stage.label, after: stage.label }],
        undo: { tool: 'move_stage', input: { lead_id: id, stage_id: before.stage_id } },
      },
    })
    await recheckApprovals(ctx, { kind: before.kind, id })
    return getOpportunity(ctx, id)
  })

/** The place below the last card of a stage. */
export const lastPosition = async ({ tx, organization_id }: TxCtx, stage_id: string): Promise<string> => {
  const [last] = await tx<{ position: string }[]>`
    select position from opportunities where organization_id = ${organization_id} and stage_id = ${stage_id}
    order by position collate "C" desc limit 1`
  return generateKeyBetween(last?.position ?? null, null)
}

/** Refuses acts on a card that is closed: what an agent may not do to one without a person. */
export const requireOpen = (card: Opportunity): void => {
  if (card.stage.kind !== 'open') {
    throw new DomainError(
      'conflict',
      'opportunity_closed',
      `“${card.name}” is closed (${card.stage.label}). Reopen it first.`,
    )
  }
}

const selectOpportunity = (tx: TxCtx['tx'], extra?: SqlPart) => tx`
  select o.id, o.kind, o.name, o.contact_name, o.company_name, o.title, o.email, o.phone, o.phone_original, o.website,
    o.city, o.state, o.country, o.industry, o.message, o.pipeline_id, o.stage_id,
    jsonb_build_object('id', s.id, 'label', s.label, 'kind', s.kind, 'position', s.position) as stage,
    o.stage_entered_at, o.owner_id,
    case when u.id is not null then jsonb_build_object('id', u.id, 'name', u.name) end as owner,
    o.source, o.campaign, o.campaign_id, o.landing_page, o.origin, o.value_minor, o.currency, o.forecast_category,
    o.expected_close_on, sc.score, coalesce(sc.reasons, '[]') as score_reasons, sc.verdict, sc.verdict_reason,
    o.tags, '{}'::jsonb as custom, o.extra, o.warnings,
    case when e.opportunity_id is not null then
      jsonb_build_object('website', e.website, 'summary', e.summary, 'facts', e.facts, 'read_at', e.read_at) end as enrichment,
    o.sent_at, o.accepted_at, o.qualifying_started_at, o.qualified_at, o.scheduled_at, o.won_at, o.lost_at,
    o.discard_reason_id, '{}'::uuid[] as contact_ids, '{}'::uuid[] as account_ids, o.source_lead_id, o.external_id,
    o.agents_paused, o.archived_at,
    (select count(*) from approvals a where a.organization_id = o.organization_id and a.subject_kind = o.kind
      and a.subject_id = o.id and a.status in ('pending', 'stale', 'outcome_unknown'))::int as pending_approvals,
    (select r.status from runs r where r.organization_id = o.organization_id and r.subject_kind = o.kind
      and r.subject_id = o.id order by r.id desc limit 1) as run_status,
    o.created_at, o.updated_at, o.version
    ${extra ? tx`, ${extra}` : tx``}
  from opportunities o
  join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
  left join opportunity_scores sc on sc.organization_id = o.organization_id and sc.opportunity_id = o.id
  left join enrichments e on e.organization_id = o.organization_id and e.opportunity_id = o.id
  left join identity.users u on u.id = o.owner_id`

type SqlPart = PendingQuery<Row[]>
type SortPart = ReturnType<typeof parseSort>[number]

/** Rows after a position in an order of several columns with nulls last. */
const after = (tx: TxCtx['tx'], sort: SortPart[], position: (string | number | null)[]): SqlPart => {
  const branches = sort.map((part, n) => {
    const equal = sort.slice(0, n).map((earlier, m) => {
      const value = position[m] ?? null
      return value === null
        ? tx`${tx.unsafe(earlier.column)} is null`
        : tx`${tx.unsafe(earlier.column)} = ${value}${cast(tx, earlier)}`
    })
    const value = position[n] ?? null
    const beyond =
      value === null
        ? tx`false`
        : tx`(${tx.unsafe(part.column)} ${part.descending ? tx`<` : tx`>`} ${value}${cast(tx, part)} or ${tx.unsafe(part.column)} is null)`
    return [...equal, beyond].reduce((all, next) => tx`${all} and ${next}`)
  })
  return branches.map((branch) => tx`(${branch})`).reduce((all, next) => tx`${all} or ${next}`)
}

/** Times go as text: the driver would cut them to milliseconds. */
const CASTS: Partial<Record<SortPart['type'], string>> = {
  time: '::text::timestamptz',
  date: '::text::date',
  uuid: '::uuid',
  number: '::float8',
}

const cast = (tx: TxCtx['tx'], part: SortPart) => tx.unsafe(CASTS[part.type] ?? '::text')
