import { z } from 'zod'
import { sendStatement, type Ctx, type TxCtx } from './context.ts'
import { invalid, notFound } from './errors.ts'
import { type LinkTable, linkTables } from './link-tables.ts'
import { type RecordLabel, RecordRef, requireRecords, tableOf } from './records.ts'

/** Two records that belong together, named in either order. */
export const LinkedPair = z.object({ from: RecordRef, to: RecordRef })
export type LinkedPair = z.infer<typeof LinkedPair>

/** How two records hang together. */
export type Link = { role: string | null; is_primary: boolean; linked_at: Date }

/** Where the links of a record are kept: at most one of them is its primary. */
export type LinksOf = {
  table: LinkTable
  holder_id: (typeof linkTables)[LinkTable]['holder_id']
  member_id: (typeof linkTables)[LinkTable]['member_id']
  holder: RecordLabel
}

/** The place of one link. */
export type LinkPlace = LinksOf & { member: RecordLabel }

/** A link as its holder has it. */
export type HeldLink = NewLink & { name: string; archived_at: Date | null }
type NewLink = { id: string; role: string | null; is_primary: boolean }

/**
 * The links of a card or contact to records of one kind.
 * @throws {DomainError} `not_linkable`
 */
export const linksOf = (holder: RecordLabel, kind: RecordRef['kind']): LinksOf => {
  const card = holder.kind === 'lead' || holder.kind === 'deal'
  if (card && kind === 'contact') return linksIn('opportunity_contacts', holder)
  if (card && kind === 'account') return linksIn('opportunity_accounts', holder)
  if (holder.kind === 'contact' && kind === 'account') return linksIn('account_contacts', holder)
  throw invalid('not_linkable', '/to/kind', `A ${holder.kind} and a ${kind} are not linked to each other.`, [
    'a lead or deal and a contact',
    'a lead or deal and an account',
    'a contact and an account',
  ])
}

const linksIn = (table: LinkTable, holder: RecordLabel): LinksOf => {
  const { holder_id, member_id } = linkTables[table]
  return { table, holder_id, member_id, holder }
}

/**
 * Where the link of two records is kept, whichever was named first.
 * @throws {DomainError} `<kind>_not_found`, `not_linkable`
 */
export const placeOf = async (ctx: Ctx, { from, to }: LinkedPair): Promise<LinkPlace> => {
  const [holder, member] = await requireRecords(
    ctx,
    RANK[from.kind] <= RANK[to.kind] ? [from, to] : [to, from],
  )
  if (!holder || !member) throw notFound('record')
  return { ...linksOf(holder, member.kind), member }
}

/** The links, the first linked first; nobody else changes them until the transaction ends. */
export const lockLinks = async (
  ctx: TxCtx,
  { table, holder_id, member_id, holder }: LinksOf,
): Promise<HeldLink[]> => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      select 1 from ${tx(tableOf[holder.kind])} where organization_id = ${organization_id} and id = ${holder.id} for update`,
  )
  return tx<HeldLink[]>`
    select m.id, m.name, m.archived_at, l.role, l.is_primary from ${tx(table)} l
    join ${tx(linkTables[table].members)} m
      on m.organization_id = l.organization_id and m.id = l.${tx(member_id)}
    where l.organization_id = ${organization_id} and l.${tx(holder_id)} = ${holder.id}
    order by l.linked_at, m.id`
}

/** @throws {DomainError} `link_not_found` */
export const readLink = async (ctx: TxCtx, place: LinkPlace): Promise<Link> => {
  const { tx } = ctx
  const [link] = await tx<Link[]>`
    select role, is_primary, linked_at from ${tx(place.table)} where ${thisLink(ctx, place)}`
  if (!link) throw notFound('link')
  return link
}

export const insertLinks = (ctx: TxCtx, { holder, ...place }: LinksOf, links: NewLink[]): Promise<void> =>
  insertLinksOf(ctx, place, [{ holder_id: holder.id, links }])

/** Links of many holders of one kind, in one statement. */
export const insertLinksOf = async (
  { tx, organization_id }: TxCtx,
  { table, holder_id, member_id }: Omit<LinksOf, 'holder'>,
  held: readonly { holder_id: string; links: NewLink[] }[],
): Promise<void> => {
  const rows = held.flatMap(({ holder_id, links }) => links.map((link) => ({ ...link, holder_id })))
  if (rows.length === 0) return
  // A microsecond apart, so that they stay in the order they were given in.
  await tx`
    insert into ${tx(table)} (organization_id, ${tx(holder_id)}, ${tx(member_id)}, role, is_primary, linked_at)
    select ${organization_id}, link.holder_id, link.id, link.role, link.is_primary,
      clock_timestamp() + n * interval '1 microsecond'
    from rows from (jsonb_to_recordset(${tx.json(rows)}) as (holder_id uuid, id uuid, role text, is_primary boolean))
      with ordinality as link (holder_id, id, role, is_primary, n)`
}

export const updateRole = async (ctx: TxCtx, place: LinkPlace, role: string | null): Promise<void> => {
  const { tx } = ctx
  await tx`update ${tx(place.table)} set role = ${role} where ${thisLink(ctx, place)}`
}

export const deleteLink = async (ctx: TxCtx, place: LinkPlace): Promise<void> => {
  const { tx } = ctx
  await tx`delete from ${tx(place.table)} where ${thisLink(ctx, place)}`
}

/** At most one is the primary at any moment: the old one goes first. */
export const setPrimary = async (
  { tx, organization_id }: TxCtx,
  { table, holder_id, member_id, holder }: LinksOf,
  id: string | null,
): Promise<void> => {
  const held = () => tx`organization_id = ${organization_id} and ${tx(holder_id)} = ${holder.id}`
  await tx`
    update ${tx(table)} set is_primary = false
    where ${held()} and is_primary and ${tx(member_id)} is distinct from ${id}`
  if (id !== null)
    await tx`update ${tx(table)} set is_primary = true where ${held()} and ${tx(member_id)} = ${id}`
}

/** What is linked is part of a card and of a contact: who read it before reads it again. */
export const raiseVersion = (ctx: TxCtx, { holder }: LinksOf): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update ${tx(tableOf[holder.kind])} set version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${holder.id}`,
  )
}

const thisLink = ({ tx, organization_id }: TxCtx, { holder_id, member_id, holder, member }: LinkPlace) =>
  tx`organization_id = ${organization_id} and ${tx(holder_id)} = ${holder.id} and ${tx(member_id)} = ${member.id}`

/** Cards hold contacts and accounts, contacts hold accounts. */
const RANK: Record<RecordRef['kind'], number> = { lead: 0, deal: 0, contact: 1, account: 2 }
