import { closedWithin, type Days } from './closings.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import type { SqlPart } from './opportunities.ts'
import { readSettings } from './settings.ts'

/** What the report is broken down by. */
export const breakdowns = ['owner', 'source', 'stage'] as const
export type Breakdown = (typeof breakdowns)[number]

/** How often it came out which way; `win_rate` is won ÷ (won + lost), null when nothing was closed. */
type Outcomes = { won: number; lost: number; win_rate: number | null }

export type LostReasons = Days & {
  by: Breakdown
  total: Outcomes
  groups: (Outcomes & {
    key: string | null
    label: string
    values: { currency: string; won_minor: number; lost_minor: number }[]
    reasons: { discard_reason_id: string | null; label: string; lost: number; share: number }[]
  })[]
  /** Per reason: `lost` stand, `won` were lost for it once, reopened, and won in the end. */
  reasons: (Outcomes & { discard_reason_id: string | null; label: string; share: number })[]
}

type Row = {
  key: string | null
  label: string | null
  outcome: 'won' | 'lost'
  discard_reason_id: string | null
  reason: string | null
  currency: string
  n: number
  value_minor: number
}

/** Why cards are lost, and how often they are won, out of the closings that stand. */
export const reportLostReasons = (
  ctx: Ctx,
  { by, pipeline_id, ...days }: Days & { by: Breakdown; pipeline_id?: string | undefined },
): Promise<LostReasons> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { timezone } = await readSettings(ctx)
    const within = tx`c.organization_id = ${organization_id} ${closedWithin(tx, days, timezone)}
      ${pipeline_id ? tx`and c.pipeline_id = ${pipeline_id}` : tx``}`
    const { key, label } = groupOf(tx, by)
    const [rows, recovered] = await Promise.all([
      tx<Row[]>`
        select ${key} as key, max(${label}) as label, c.outcome, c.discard_reason_id,
          coalesce(max(d.label), max(c.discard_reason_label)) as reason, c.currency, count(*)::int as n,
          coalesce(sum(c.value_minor), 0)::float8 as value_minor
        from closings c
        left join discard_reasons d on d.organization_id = c.organization_id and d.id = c.discard_reason_id
        left join identity.users u on u.id = c.owner_id
        where ${within} and c.reopened_at is null
        group by 1, c.outcome, c.discard_reason_id, c.currency`,
      tx<{ discard_reason_id: string | null; reason: string | null; n: number }[]>`
        select c.discard_reason_id, coalesce(max(d.label), max(c.discard_reason_label)) as reason,
          count(distinct c.opportunity_id)::int as n
        from closings c
        join closings won on won.organization_id = c.organization_id and won.opportunity_id = c.opportunity_id
          and won.outcome = 'won' and won.reopened_at is null
        left join discard_reasons d on d.organization_id = c.organization_id and d.id = c.discard_reason_id
        where ${within} and c.outcome = 'lost'
        group by 1`,
    ])
    const lost = rows.filter(({ outcome }) => outcome === 'lost')
    const groups = Object.values(Object.groupBy(rows, ({ key }) => key ?? '')).map((group = []) => ({
      key: group[0]?.key ?? null,
      label: group[0]?.label ?? NOBODY[by],
      ...outcomesOf(group),
      values: valuesOf(group),
      reasons: reasonsOf(group.filter(({ outcome }) => outcome === 'lost')),
    }))
    const named = reasonsOf([...lost, ...recovered.map((reason): Row => ({ ...NONE, ...reason, n: 0 }))])
    return {
      by,
      ...days,
      total: outcomesOf(rows),
      groups: groups.toSorted((a, b) => b.lost - a.lost || a.label.localeCompare(b.label)),
      reasons: named.map((reason) => {
        const won = recovered.find((each) => each.discard_reason_id === reason.discard_reason_id)?.n ?? 0
        return { ...reason, won, win_rate: rate(won, reason.lost) }
      }),
    }
  })

const NONE: Row = {
  key: null,
  label: null,
  outcome: 'lost',
  discard_reason_id: null,
  reason: null,
  currency: '',
  n: 0,
  value_minor: 0,
}

const NOBODY: Record<Breakdown, string> = { owner: 'Nobody', source: 'Unknown', stage: 'Unknown' }

const groupOf = (tx: TxCtx['tx'], by: Breakdown): { key: SqlPart; label: SqlPart } => {
  switch (by) {
    case 'owner':
      return { key: tx`c.owner_id::text`, label: tx`u.name` }
    case 'source':
      return { key: tx`c.source`, label: tx`c.source` }
    case 'stage':
      return { key: tx`c.from_stage_id::text`, label: tx`c.from_stage_label` }
  }
}

const sum = (rows: Row[], outcome: Row['outcome'], of: (row: Row) => number = ({ n }) => n): number =>
  rows.filter((row) => row.outcome === outcome).reduce((total, row) => total + of(row), 0)

const rate = (won: number, lost: number): number | null =>
  won + lost === 0 ? null : Number((won / (won + lost)).toFixed(4))

const outcomesOf = (rows: Row[]): Outcomes => {
  const [won, lost] = [sum(rows, 'won'), sum(rows, 'lost')]
  return { won, lost, win_rate: rate(won, lost) }
}

const valuesOf = (rows: Row[]): LostReasons['groups'][number]['values'] =>
  Object.entries(Object.groupBy(rows, ({ currency }) => currency))
    .map(([currency, group = []]) => ({
      currency,
      won_minor: sum(group, 'won', ({ value_minor }) => value_minor),
      lost_minor: sum(group, 'lost', ({ value_minor }) => value_minor),
    }))
    .toSorted((a, b) => a.currency.localeCompare(b.currency))

const reasonsOf = (lost: Row[]): LostReasons['groups'][number]['reasons'] => {
  const all = sum(lost, 'lost')
  return Object.values(Object.groupBy(lost, ({ discard_reason_id }) => discard_reason_id ?? ''))
    .map((group = []) => ({
      discard_reason_id: group[0]?.discard_reason_id ?? null,
      label: group[0]?.reason ?? 'No reason given',
      lost: sum(group, 'lost'),
      share: all === 0 ? 0 : Number((sum(group, 'lost') / all).toFixed(4)),
    }))
    .toSorted((a, b) => b.lost - a.lost || a.label.localeCompare(b.label))
}
