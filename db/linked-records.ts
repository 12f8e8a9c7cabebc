import { type Account, accountReaders } from './accounts.ts'
import type { Entry, EntryReaders } from './address-book.ts'
import { type Contact, contactReaders } from './contacts.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { filterKinds } from './filter-kinds.ts'
import type { Link } from './link-rows.ts'
import { isPrimaryNow, type LinkTable, linkTables } from './link-tables.ts'
import { listRecords, type ListQuery, type ListSource } from './listing.ts'
import { type Opportunity, selectOpportunity } from './opportunities.ts'
import type { Page } from './page.ts'
import { mayRead } from './reading.ts'
import type { RecordKind, RecordRef } from './records.ts'
import { lastActivityAt } from './timeline.ts'

/** A record in the list of another one that it is linked with. */
export type Linked<T> = T & { link: Omit<Link, 'linked_at'> & { linked_at: string } }

/** The people of a card or account, by name. */
export const listLinkedContacts = (
  ctx: Ctx,
  of: RecordRef,
  query: ListQuery,
): Promise<Page<Linked<Contact>>> => listEntries(ctx, of, contactReaders, query)

/** The companies of a card or contact, by name. */
export const listLinkedAccounts = (
  ctx: Ctx,
  of: RecordRef,
  query: ListQuery,
): Promise<Page<Linked<Account>>> => listEntries(ctx, of, accountReaders, query)

const listEntries = async <T extends Entry>(
  ctx: Ctx,
  of: RecordRef,
  { source, present }: EntryReaders<T>,
  query: ListQuery,
): Promise<Page<Linked<T>>> => {
  const listed = await listRecords<Linked<T>>(ctx, linkedTo(ctx, of, source, 'name'), query)
  return { ...listed, data: listed.data.map((row) => present(ctx, row)) }
}

/** The deals of an account or contact, the newest first. */
export const listLinkedDeals = (
  ctx: Ctx,
  of: RecordRef,
  query: ListQuery,
): Promise<Page<Linked<Opportunity>>> =>
  listRecords(
    ctx,
    linkedTo(ctx, of, { kind: 'deal', default_sort: '-created_at', select: selectOpportunity }),
    query,
  )

/** What an account or contact amounts to. */
export type RecordSummary = {
  open_deals?: number
  /** What the open deals are worth, per currency. */
  open_deal_values?: { currency: string; deals: number; value_minor: number }[]
  /** Of an account: its people. */
  contacts?: number
  /** Of a contact: its companies. */
  accounts?: number
  open_tasks?: number
  last_activity_at: Date | null
}

/**
 * Counts of what is linked with an account or contact and not archived, where whoever asks may read it; values in minor
 * units.
 */
export const summariseRecord = (
  ctx: Ctx,
  record: { kind: 'account' | 'contact'; id: string },
): Promise<RecordSummary> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { kind, id } = record
    const own = `${kind}_id`
    const other = kind === 'account' ? 'contact' : 'account'
    const [values, counts, last_activity_at] = await Promise.all([
      tx<NonNullable<RecordSummary['open_deal_values']>>`
        select o.currency, count(*)::int as deals, coalesce(sum(o.value_minor), 0)::float8 as value_minor
        from ${tx(`opportunity_${kind}s`)} l
        join opportunities o on o.organization_id = l.organization_id and o.id = l.opportunity_id
        join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
        where l.organization_id = ${organization_id} and l.${tx(own)} = ${id}
          and o.kind = 'deal' and s.kind = 'open' and o.archived_at is null
        group by o.currency order by o.currency`,
      tx<{ linked: number; open_tasks: number }[]>`
        select
          (select count(*) from account_contacts l
            join ${tx(`${other}s`)} r on r.organization_id = l.organization_id and r.id = l.${tx(`${other}_id`)}
            where l.organization_id = ${organization_id} and l.${tx(own)} = ${id} and r.archived_at is null)::int as linked,
          (select count(*) from task_subjects l
            join tasks t on t.organization_id = l.organization_id and t.id = l.task_id
            where l.organization_id = ${organization_id} and l.kind = ${kind} and l.subject_id = ${id}
              and t.status = 'open' and t.archived_at is null)::int as open_tasks`,
      lastActivityAt(ctx, record),
    ])
    const { linked = 0, open_tasks = 0 } = counts[0] ?? {}
    return {
      ...(mayRead(ctx, 'deal') && {
        open_deals: values.reduce((sum, { deals }) => sum + deals, 0),
        open_deal_values: [...values],
      }),
      ...(mayRead(ctx, other) && { [other === 'contact' ? 'contacts' : 'accounts']: linked }),
      ...(mayRead(ctx, 'task') && { open_tasks }),
      last_activity_at,
    }
  })

/** Which table links the two, and under which names. */
const THROUGH: Record<RecordKind, { column: string; table: Partial<Record<RecordKind, LinkTable>> }> = {
  lead: {
    column: 'opportunity_id',
    table: { contact: 'opportunity_contacts', account: 'opportunity_accounts' },
  },
  deal: {
    column: 'opportunity_id',
    table: { contact: 'opportunity_contacts', account: 'opportunity_accounts' },
  },
  contact: { column: 'contact_id', table: { account: 'account_contacts', deal: 'opportunity_contacts' } },
  account: { column: 'account_id', table: { contact: 'account_contacts', deal: 'opportunity_accounts' } },
}

/** A list, narrowed to what one record is linked with, and how. */
const linkedTo = (
  { organization_id }: Ctx,
  of: RecordRef,
  list: ListSource & { kind: RecordKind },
  default_sort = list.default_sort,
): ListSource => {
  const table = THROUGH[of.kind].table[list.kind]
  if (table === undefined) throw new Error(`a ${of.kind} has no ${list.kind}s`)
  const primary = (tx: TxCtx['tx']) => {
    const { members, member_id } = linkTables[table]
    return tx`(select ${isPrimaryNow(tx, table, 'l', 'm')} from ${tx(members)} m
      where m.organization_id = l.organization_id and m.id = l.${tx(member_id)})`
  }
  const [own, other] = [THROUGH[of.kind].column, THROUGH[list.kind].column]
  const links = (tx: TxCtx['tx']) => tx`
    from ${tx(table)} l where l.organization_id = ${organization_id} and l.${tx(own)} = ${of.id}`
  return {
    kind: list.kind,
    default_sort,
    where: (tx, alias) => tx`${tx(alias)}.id in (select l.${tx(other)} ${links(tx)})`,
    select: (tx, more) =>
      list.select(
        tx,
        tx`${more}, (select jsonb_build_object('role', l.role, 'is_primary', ${primary(tx)}, 'linked_at',
            to_char(l.linked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
          ${links(tx)} and l.${tx(other)} = ${tx(filterKinds[list.kind].alias)}.id) as link`,
      ),
  }
}
