import type { PendingQuery, Row, TransactionSql } from 'postgres'

/** Where links are kept: which column names the one that has them, which the one that is linked, and where those are. */
export const linkTables = {
  opportunity_contacts: { holder_id: 'opportunity_id', member_id: 'contact_id', members: 'contacts' },
  opportunity_accounts: { holder_id: 'opportunity_id', member_id: 'account_id', members: 'accounts' },
  account_contacts: { holder_id: 'contact_id', member_id: 'account_id', members: 'accounts' },
} as const
export type LinkTable = keyof typeof linkTables

type SqlPart = PendingQuery<Row[]>

/** The ids of what `holder` is linked with and what is not archived, the primary first. */
export const linkedIds = (tx: TransactionSql, table: LinkTable, holder: string): SqlPart => {
  const { holder_id, member_id, members } = linkTables[table]
  return tx`array(
    select l.${tx(member_id)} from ${tx(table)} l
    join ${tx(members)} m on m.organization_id = l.organization_id and m.id = l.${tx(member_id)} and m.archived_at is null
    where l.organization_id = ${tx(holder)}.organization_id and l.${tx(holder_id)} = ${tx(holder)}.id
    order by l.is_primary desc, l.linked_at, l.${tx(member_id)})`
}

/**
 * Whether the link `l` to the record `m` is the primary one as things are: while that is archived, the first linked one that
 * is not stands in for it. Nothing of that is kept, so that what is restored is what it was.
 */
export const isPrimaryNow = (tx: TransactionSql, table: LinkTable, l: string, m: string): SqlPart => {
  const { holder_id, member_id, members } = linkTables[table]
  const held = (alias: string): SqlPart =>
    tx`${tx(alias)}.organization_id = ${tx(l)}.organization_id and ${tx(alias)}.${tx(holder_id)} = ${tx(l)}.${tx(holder_id)}`
  return tx`case when ${tx(m)}.archived_at is not null then false when ${tx(l)}.is_primary then true else
    exists (select from ${tx(table)} chosen where ${held('chosen')} and chosen.is_primary)
    and not exists (select from ${tx(table)} earlier
      join ${tx(members)} there on there.organization_id = earlier.organization_id
        and there.id = earlier.${tx(member_id)} and there.archived_at is null
      where ${held('earlier')} and (earlier.is_primary
        or (earlier.linked_at, earlier.${tx(member_id)}) < (${tx(l)}.linked_at, ${tx(l)}.${tx(member_id)}))) end`
}
