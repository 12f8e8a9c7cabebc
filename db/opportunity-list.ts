import { inTx, type Ctx, type TxCtx } from './context.ts'
import { filterCondition, parseSort, type Filter, type FilterFields } from './filters.ts'
import { selectOpportunity, type Opportunity, type SqlPart } from './opportunities.ts'
import { page, packCursor, unpackCursor, type Page } from './page.ts'
import { storableText } from './text.ts'

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
