import type { TxCtx } from './context.ts'
import { refreshAttributions } from './lead-attribution.ts'

/**
 * Every column that can hold the id of a lead, and what becomes of its rows when the lead is merged into another. A table
 * that gains one is listed here: `test/lead-merging.test.ts` looks at the database's own catalogue.
 */
export const moves: readonly Move[] = [
  { table: 'notes', column: 'subject_id', kind: 'subject_kind', how: 'move', key: ['id'], what: 'notes' },
  { table: 'files', column: 'subject_id', kind: 'subject_kind', how: 'move', key: ['id'], what: 'files' },
  {
    table: 'task_subjects',
    column: 'subject_id',
    kind: 'kind',
    how: 'move',
    key: ['task_id'],
    shared: true,
    what: 'tasks',
  },
  { table: 'submissions', column: 'lead_id', how: 'move', key: ['id'], what: 'submissions' },
  { table: 'messages', column: 'record_id', kind: 'record_kind', how: 'move', key: ['id'], what: 'messages' },
  { table: 'touchpoints', column: 'lead_id', how: 'move', key: ['id'], what: 'touchpoints' },
  { table: 'visitors', column: 'lead_id', how: 'move', key: ['visitor_id'], what: 'visitors' },
  { table: 'opportunities', column: 'source_lead_id', how: 'move', key: ['id'], what: 'deals' },
  {
    table: 'opportunity_contacts',
    column: 'opportunity_id',
    how: 'move',
    key: ['contact_id'],
    shared: true,
    primary: true,
    what: 'contacts',
  },
  {
    table: 'opportunity_accounts',
    column: 'opportunity_id',
    how: 'move',
    key: ['account_id'],
    shared: true,
    primary: true,
    what: 'accounts',
  },
  { table: 'enrichments', column: 'opportunity_id', how: 'move', key: [], shared: true, what: 'enrichment' },

  // The sealed lines stay as they are; the primary's timeline shows them, too.
  { table: 'activity_subjects', column: 'subject_id', how: 'share' },
  { table: 'opportunities', column: 'merged_into', how: 'share' },
  { table: 'custom_values', column: 'record_id', how: 'field' },
  { table: 'record_origins', column: 'record_id', how: 'field' },
  { table: 'approvals', column: 'subject_id', how: 'end' },
  { table: 'runs', column: 'subject_id', how: 'end' },

  // By these the duplicate is known again; what is looked up by them is answered with the primary.
  { table: 'opportunity_keys', column: 'opportunity_id', how: 'stay' },
  { table: 'lead_hints', column: 'opportunity_id', how: 'stay' },
  { table: 'duplicate_pairs', column: 'lead_id', how: 'stay' },
  { table: 'duplicate_pairs', column: 'other_id', how: 'stay' },
  { table: 'lead_merges', column: 'primary_id', how: 'stay' },
  { table: 'lead_merges', column: 'duplicate_id', how: 'stay' },
  // What happened to this card and to no other.
  { table: 'closings', column: 'opportunity_id', how: 'stay' },
  { table: 'milestones', column: 'opportunity_id', how: 'stay' },
  { table: 'close_date_moves', column: 'opportunity_id', how: 'stay' },
  { table: 'conversions', column: 'lead_id', how: 'stay' },
  { table: 'bulk_rows', column: 'record_id', how: 'stay' },
  { table: 'score_changes', column: 'opportunity_id', how: 'stay' },
  { table: 'import_rows', column: 'record_id', how: 'stay' },
  { table: 'allowances', column: 'id', how: 'stay' },
  // Computed from the rest.
  { table: 'deal_risks', column: 'opportunity_id', how: 'stay' },
  { table: 'opportunity_scores', column: 'opportunity_id', how: 'stay' },
  { table: 'attributions', column: 'opportunity_id', how: 'stay' },
  { table: 'campaign_influences', column: 'opportunity_id', how: 'stay' },
]

/**
 * `move`: the rows become the primary's, unless it has the same one; `share`: they are shown with both; `field`: they follow
 * the fields that are taken over; `end`: what is open is ended, the rest is history; `stay`: they are the duplicate's own.
 */
export type Move = { table: string; column: string } & (
  | { how: 'share' | 'field' | 'end' | 'stay' }
  | {
      how: 'move'
      /** The column that says what kind of record it is, where there are several. */
      kind?: string
      /** What tells a row apart beside whom it belongs to. */
      key: readonly string[]
      /** Both leads may have the same one: then the primary's row keeps its place. */
      shared?: boolean
      /** One of them is the primary one, `is_primary`: the one that is there stays it. */
      primary?: boolean
      /** What people call the rows. */
      what: string
    }
)

/** Rows that were moved, by table and column: what takes the move back. */
export type MovedRows = { table: string; column: string; what: string; rows: Record<string, unknown>[] }

type Moving = Extract<Move, { how: 'move' }>
const moving = moves.filter((move): move is Moving => move.how === 'move')

/** Makes the rows of one lead those of another. */
export const moveRows = async (ctx: TxCtx, from: string, to: string): Promise<MovedRows[]> => {
  const moved: MovedRows[] = []
  for (const move of moving) {
    const { table, column, what } = move
    const rows = await takeRows(ctx, move, from, to)
    if (rows.length > 0) moved.push({ table, column, what, rows })
  }
  refreshAttributions(ctx, [from, to])
  return moved
}

const takeRows = async (
  ctx: TxCtx,
  move: Moving,
  from: string,
  to: string,
): Promise<Record<string, unknown>[]> => {
  const { tx, organization_id } = ctx
  const { table, column, key, shared = false, primary = false } = move
  const named = [...key, ...(primary ? ['is_primary'] : [])]
  const same = key.map((name) => tx`and other.${tx(name)} = t.${tx(name)}`)
  const free = !shared
    ? tx``
    : tx`and not exists (
        select from ${tx(table)} other where other.organization_id = t.organization_id and other.${tx(column)} = ${to}
          ${ofLeads(ctx, move, 'other')} ${same.reduce((all, one) => tx`${all} ${one}`, tx``)})`
  const rows = await tx<Record<string, unknown>[]>`
    select ${named.length > 0 ? tx(named.map((name) => `t.${name}`)) : tx`1 as one`} from ${tx(table)} t
    where t.organization_id = ${organization_id} and t.${tx(column)} = ${from} ${ofLeads(ctx, move, 't')} ${free}
    for update`
  if (rows.length === 0) return []
  const keeps = primary
    ? tx`, is_primary = t.is_primary and not exists (select from ${tx(table)} other
        where other.organization_id = t.organization_id and other.${tx(column)} = ${to} and other.is_primary)`
    : tx``
  await tx`
    update ${tx(table)} t set ${tx(column)} = ${to} ${keeps}
    where t.organization_id = ${organization_id} and t.${tx(column)} = ${from} ${ofLeads(ctx, move, 't')}
      ${among(ctx, key, rows)}`
  return [...rows]
}

/**
 * Gives rows back to the lead that they were moved from. Answers how many are not the other one's any more, by what they
 * are: whoever changed that since keeps it.
 */
export const returnRows = async (
  ctx: TxCtx,
  moved: readonly MovedRows[],
  from: string,
  to: string,
): Promise<{ what: string; count: number }[]> => {
  const { tx, organization_id } = ctx
  const gone: { what: string; count: number }[] = []
  for (const { table, column, what, rows } of moved) {
    const move = moving.find((known) => known.table === table && known.column === column)
    if (!move) throw new Error(`rows of ${table}.${column} were moved once, and are not any more`)
    const was = move.primary
      ? tx`, is_primary = t.${tx(move.key[0] ?? '')} = any(${rows.filter((row) => row['is_primary'] === true).map((row) => String(row[move.key[0] ?? '']))}::uuid[])`
      : tx``
    const returned = await tx`
      update ${tx(table)} t set ${tx(column)} = ${to} ${was}
      where t.organization_id = ${organization_id} and t.${tx(column)} = ${from} ${ofLeads(ctx, move, 't')}
        ${among(ctx, move.key, rows)}
      returning 1`
    if (returned.length < rows.length) gone.push({ what, count: rows.length - returned.length })
  }
  refreshAttributions(ctx, [from, to])
  return gone
}

const ofLeads = ({ tx }: TxCtx, { kind }: Moving, alias: string) =>
  kind === undefined ? tx`` : tx`and ${tx(`${alias}.${kind}`)} = 'lead'`

const among = ({ tx }: TxCtx, [key]: readonly string[], rows: readonly Record<string, unknown>[]) =>
  key === undefined ? tx`` : tx`and t.${tx(key)}::text = any(${rows.map((row) => String(row[key]))}::text[])`
