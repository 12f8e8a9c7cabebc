import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { csvLine } from './csv-writing.ts'
import { cellText } from './export-columns.ts'
import type { Sink } from './exports.ts'
import { getOpportunity, type SqlPart } from './opportunities.ts'
import { packCursor, page, unpackCursor, type Page, type Position } from './page.ts'
import { readSettings } from './settings.ts'

/** One closing of a card, as it was when it was closed. */
export type Closing = {
  id: string
  opportunity_id: string
  opportunity: { id: string; kind: 'lead' | 'deal'; name: string }
  outcome: 'won' | 'lost'
  pipeline_id: string
  stage: { id: string; label: string }
  /** Where it was closed from. */
  from_stage: { id: string; label: string }
  discard_reason: { id: string; label: string } | null
  discard_note: string | null
  value_minor: number | null
  currency: string
  exchange_rate: number | null
  base_currency: string
  base_value_minor: number | null
  owner_id: string | null
  source: string | null
  closed_at: Date
  closed_by: Actor
  /** Absent while it stands. */
  reopened_at: Date | null
  reopened_by: Actor | null
}

/** Days of the organization's time zone, both included. */
export type Days = { from?: string | undefined; to?: string | undefined }

export type ClosingFilter = Days & {
  outcome?: 'won' | 'lost' | undefined
  kind?: 'lead' | 'deal' | undefined
  discard_reason_id?: string | undefined
  owner_id?: string | undefined
  source?: string | undefined
  pipeline_id?: string | undefined
  /** Only those that stand, or only those that were reopened. */
  standing?: boolean | undefined
}

const ORDER = [
  { name: 'closed_at', type: 'time', descending: true },
  { name: 'id', type: 'uuid', descending: true },
]

/** Everything that was ever closed, the latest first. */
export const listClosings = (
  ctx: Ctx,
  { cursor, limit, ...filter }: ClosingFilter & { cursor?: string | undefined; limit: number },
): Promise<Page<Closing>> =>
  inTx(ctx, async (ctx) => {
    const { timezone } = await readSettings(ctx)
    const after = cursor ? unpackCursor(cursor, ORDER) : undefined
    const rows = await selectClosings(ctx, filter, timezone, { after, limit: limit + 1 })
    const listed = page(rows, limit, ({ closed_text, id }) => packCursor([closed_text, id], ORDER))
    return {
      data: listed.data.map(({ closed_text: _, ...closing }) => closing),
      next_cursor: listed.next_cursor,
    }
  })

/** The same as CSV, however many there are, as they stood at one moment. */
export const exportClosings = (ctx: Ctx, filter: ClosingFilter, write: Sink): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { timezone } = await readSettings(ctx)
    let head = csvLine(COLUMNS)
    for await (const rows of selectClosings(ctx, filter, timezone).cursor(CHUNK)) {
      await write(head + rows.map((row) => csvLine(COLUMNS.map((name) => cellOf(row, name)))).join(''))
      head = ''
    }
    if (head !== '') await write(head)
  })

/** How many rows are read and written at a time. */
const CHUNK = 1_000

const COLUMNS = [
  'id',
  'opportunity_id',
  'opportunity.kind',
  'opportunity.name',
  'outcome',
  'pipeline_id',
  'stage.id',
  'stage.label',
  'from_stage.id',
  'from_stage.label',
  'discard_reason.id',
  'discard_reason.label',
  'discard_note',
  'value_minor',
  'currency',
  'exchange_rate',
  'base_currency',
  'base_value_minor',
  'owner_id',
  'source',
  'closed_at',
  'closed_by.kind',
  'closed_by.id',
  'closed_by.name',
  'reopened_at',
  'reopened_by.kind',
  'reopened_by.id',
  'reopened_by.name',
]

const cellOf = (closing: Closing, name: string): string => {
  const value = name
    .split('.')
    .reduce<unknown>((at, part) => (at as Record<string, unknown> | null)?.[part], closing)
  return value instanceof Date ? value.toISOString() : cellText(value)
}

/** In the order of the list; `part`: a page of it. */
const selectClosings = (
  { tx, organization_id }: TxCtx,
  filter: ClosingFilter,
  timezone: string,
  part?: { after: Position | undefined; limit: number },
) => {
  const after = part?.after
  const newest = tx`order by c.closed_at desc, c.id desc ${part ? tx`limit ${part.limit}` : tx``}`
  // Each outcome by itself: the index gives each in its order.
  return tx<(Closing & { closed_text: string })[]>`
      select ${columns(tx)}, c.closed_at::text as closed_text
      from unnest(${filter.outcome ? [filter.outcome] : ['won', 'lost']}::text[]) as which (outcome)
      cross join lateral (
        select c.*, o.name as opportunity_name, o.kind as opportunity_kind from closings c
        join opportunities o on o.organization_id = c.organization_id and o.id = c.opportunity_id
        where c.organization_id = ${organization_id} and c.outcome = which.outcome
          ${closedWithin(tx, filter, timezone)}
          ${filter.kind ? tx`and o.kind = ${filter.kind}` : tx``}
          ${filter.discard_reason_id ? tx`and c.discard_reason_id = ${filter.discard_reason_id}` : tx``}
          ${filter.owner_id ? tx`and c.owner_id = ${filter.owner_id}` : tx``}
          ${filter.source ? tx`and c.source = ${filter.source}` : tx``}
          ${filter.pipeline_id ? tx`and c.pipeline_id = ${filter.pipeline_id}` : tx``}
          ${filter.standing === undefined ? tx`` : filter.standing ? tx`and c.reopened_at is null` : tx`and c.reopened_at is not null`}
          ${after ? tx`and (c.closed_at, c.id) < (${after[0] ?? null}::text::timestamptz, ${after[1] ?? null}::uuid)` : tx``}
        ${newest}
      ) as c ${newest}`
}

/** Every closing of one card, the latest first. */
export const listClosingsOf = (ctx: Ctx, opportunity_id: string): Promise<Closing[]> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await getOpportunity(ctx, opportunity_id)
    const rows = await tx<Closing[]>`
      select ${columns(tx)} from (
        select c.*, o.name as opportunity_name, o.kind as opportunity_kind from closings c
        join opportunities o on o.organization_id = c.organization_id and o.id = c.opportunity_id
        where c.organization_id = ${organization_id} and c.opportunity_id = ${opportunity_id}
      ) as c order by c.closed_at desc, c.id desc`
    return [...rows]
  })

/** Closed on one of the days, as the organization's clocks go. */
export const closedWithin = (tx: TxCtx['tx'], { from, to }: Days, timezone: string): SqlPart => {
  const startOf = (day: string, later: number): SqlPart =>
    tx`((${day}::text::date + ${later}::int)::timestamp at time zone ${timezone})`
  return tx`
    ${from ? tx`and c.closed_at >= ${startOf(from, 0)}` : tx``}
    ${to ? tx`and c.closed_at < ${startOf(to, 1)}` : tx``}`
}

const columns = (tx: TxCtx['tx']): SqlPart => tx`
  c.id, c.opportunity_id,
  jsonb_build_object('id', c.opportunity_id, 'kind', c.opportunity_kind, 'name', c.opportunity_name) as opportunity,
  c.outcome, c.pipeline_id, jsonb_build_object('id', c.stage_id, 'label', c.stage_label) as stage,
  jsonb_build_object('id', c.from_stage_id, 'label', c.from_stage_label) as from_stage,
  case when c.discard_reason_id is not null then
    jsonb_build_object('id', c.discard_reason_id, 'label', c.discard_reason_label) end as discard_reason,
  c.note as discard_note, c.value_minor, c.currency, c.exchange_rate, c.base_currency, c.base_value_minor, c.owner_id,
  c.source, c.closed_at, c.closed_by, c.reopened_at, c.reopened_by`
