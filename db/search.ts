import { getDomain } from 'tldts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { normalisePhone } from './lead-fields.ts'
import { recordKinds, tableOf, type RecordKind } from './records.ts'
import { findRecords, waysOf } from './search-condition.ts'
import { readSettings } from './settings.ts'

/** A record that was found: what people know it by, and how alike it is, 1 being the address or number itself. */
export type SearchResult = {
  kind: RecordKind
  id: string
  name: string
  /** Company and e-mail of a card, domain of an account, e-mail of a contact. */
  detail: string | null
  likeness: number
}

/**
 * Finds records of any kind that are not archived, without words the newest: those with exactly this e-mail address, phone number (read as E.164) or
 * domain first, then those that hold every word, the most alike first. Where none does, those among the newest whose words
 * are nearly these: letters that changed places, went missing or are others.
 */
export const search = (
  ctx: Ctx,
  { q, kinds = recordKinds, limit }: { q: string; kinds?: readonly RecordKind[] | undefined; limit: number },
): Promise<SearchResult[]> =>
  inTx(ctx, async (ctx) => {
    const ways = waysOf(q).map((way) => way.filter((word) => /[\p{L}\p{N}]/u.test(word)))
    const [words = []] = ways
    if (kinds.length === 0) return []
    if (words.length === 0) return describe(ctx, q.trim() === '' ? await newest(ctx, kinds, limit) : [])
    const address = await addressIn(ctx, q.trim().toLowerCase())
    const exact = address ? await findExact(ctx, address, kinds, limit) : []
    const alike = exact.length < limit ? await findAny(ctx, kinds, ways.toReversed(), limit) : []
    if (exact.length + alike.length === 0 && !address)
      return describe(ctx, await findMisspelt(ctx, kinds, words, limit))
    const known = new Set(exact.map(({ id }) => id))
    const found = [
      ...exact.map((one) => ({ ...one, likeness: 1 })),
      ...alike.filter(({ id }) => !known.has(id)),
    ].slice(0, limit)
    return describe(ctx, found)
  })

/** What is found by the first of these ways that finds anything: digits of a number say more than its groups. */
const findAny = async (
  ctx: TxCtx,
  kinds: readonly RecordKind[],
  [way, ...others]: readonly string[][],
  limit: number,
): Promise<(Found & { likeness: number })[]> => {
  if (!way) return []
  const found = await findRecords(ctx, kinds, [way], limit, Math.min(1_000, 20 * limit))
  return found.length > 0 ? found : findAny(ctx, kinds, others, limit)
}

type Found = { kind: RecordKind; id: string }

/** Half of a word's trigrams in common is a slip of the fingers; each record is looked at, so only so many of a kind. */
const NEARLY = { likeness: 0.4, newest: 1_000 }

const findMisspelt = async (
  { tx, organization_id }: TxCtx,
  kinds: readonly RecordKind[],
  words: string[],
  limit: number,
): Promise<(Found & { likeness: number })[]> => {
  const newest = kinds.map(
    (kind) => tx`
      (select ${kind}::text as kind, id, search_text from ${tx(tableOf[kind])}
        where organization_id = ${organization_id} and archived_at is null ${ofKind(tx, kind)}
        order by id desc limit ${NEARLY.newest})`,
  )
  const rows = await tx<(Found & { likeness: number })[]>`
    select kind, id, likeness from (${newest.reduce((all, next) => tx`${all} union all ${next}`)}) as newest,
      lateral (select min(word_similarity(word, search_text)) as likeness from unnest(${words}::text[]) as word) as each
    where likeness >= ${NEARLY.likeness} order by likeness desc, id desc limit ${limit}`
  return [...rows]
}

/** Leads and deals share a table. */
const ofKind = (tx: TxCtx['tx'], kind: RecordKind) =>
  tableOf[kind] === 'opportunities' ? tx`and kind = ${kind}` : tx``

/** What is found by being exactly that. */
type Address = { kind: 'email' | 'phone' | 'domain'; value: string }

const addressIn = async (ctx: TxCtx, q: string): Promise<Address | undefined> => {
  if (/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(q)) return { kind: 'email', value: q }
  if (/^[+(\d][\d\s()./-]{5,}$/.test(q)) {
    const { phone } = normalisePhone(q, (await readSettings(ctx)).default_country)
    if (phone) return { kind: 'phone', value: phone }
  }
  const domain = /^\S+\.\S+$/.test(q) ? getDomain(q, { allowPrivateDomains: true }) : null
  return domain ? { kind: 'domain', value: domain } : undefined
}

const findExact = async (
  ctx: TxCtx,
  { kind, value }: Address,
  kinds: readonly RecordKind[],
  limit: number,
): Promise<Found[]> => {
  const { tx, organization_id } = ctx
  // The keys of a domain are “domain name”: “!” is the sign after the blank.
  const key =
    kind === 'domain'
      ? tx`k.kind = 'domain_name' and k.value >= ${`${value} `} and k.value < ${`${value}!`}`
      : tx`k.kind = ${kind} and k.value = ${value}`
  const company =
    kind === 'domain'
      ? tx`select 'account', a.id from accounts a
          where a.organization_id = ${organization_id} and a.domain = ${value} and a.archived_at is null`
      : tx`select 'contact', c.id from contacts c
          where c.organization_id = ${organization_id} and c.${tx(kind)} = ${value} and c.archived_at is null`
  const rows = await tx<Found[]>`
    (select o.kind, o.id from opportunity_keys k
      join opportunities o on o.organization_id = k.organization_id and o.id = k.opportunity_id
      where k.organization_id = ${organization_id} and o.archived_at is null and ${key} limit ${limit})
    union all (${company} limit ${limit})`
  return rows.filter((row) => kinds.includes(row.kind)).slice(0, limit)
}

const newest = async (
  { tx, organization_id }: TxCtx,
  kinds: readonly RecordKind[],
  limit: number,
): Promise<(Found & { likeness: number })[]> => {
  const selects = kinds.map(
    (kind) => tx`
      (select ${kind}::text as kind, id, 0 as likeness from ${tx(tableOf[kind])}
        where organization_id = ${organization_id} and archived_at is null ${ofKind(tx, kind)}
        order by created_at desc, id desc limit ${limit})`,
  )
  const rows = await tx<(Found & { likeness: number })[]>`
    select * from (${selects.reduce((all, next) => tx`${all} union all ${next}`)}) as each
    order by id desc limit ${limit}`
  return [...rows]
}

const describe = async (
  { tx, organization_id }: TxCtx,
  found: (Found & { likeness: number })[],
): Promise<SearchResult[]> => {
  const idsOf = (...kinds: RecordKind[]) =>
    found.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id)
  const rows = await tx<{ id: string; name: string; detail: string | null }[]>`
    select id, name, nullif(concat_ws(' · ', nullif(company_name, name), email), '') as detail from ${tx(tableOf.lead)}
    where organization_id = ${organization_id} and id = any(${idsOf('lead', 'deal')}::uuid[])
    union all
    select id, name, domain from ${tx(tableOf.account)}
    where organization_id = ${organization_id} and id = any(${idsOf('account')}::uuid[])
    union all
    select id, name, email from ${tx(tableOf.contact)}
    where organization_id = ${organization_id} and id = any(${idsOf('contact')}::uuid[])`
  const named = new Map(rows.map((row) => [row.id, row]))
  return found.flatMap(({ kind, id, likeness }) => {
    const row = named.get(id)
    return row ? [{ kind, id, name: row.name, detail: row.detail, likeness }] : []
  })
}
