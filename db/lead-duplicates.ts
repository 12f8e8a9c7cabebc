import { getDomain } from 'tldts'
import { sendStatement, type TxCtx } from './context.ts'

/** What a lead can be recognised by. `label` is what a person is told. */
export type LeadKey = { kind: 'email' | 'phone' | 'external_id' | 'domain_name'; value: string }

/** How each key is named to people. */
export const keyLabels: Record<LeadKey['kind'], string> = {
  email: 'e-mail address',
  phone: 'phone number',
  external_id: 'external id',
  domain_name: 'company domain and name',
}

/** The fields that a lead is recognised by. */
export type Identifiable = {
  contact_name?: string | null | undefined
  email?: string | null | undefined
  phone?: string | null | undefined
  website?: string | null | undefined
  external_id?: string | null | undefined
}

/** Mailbox providers: an address there says nothing about a company. */
const MAILBOX_PROVIDERS = new Set(
  'gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com yahoo.de yahoo.co.uk yahoo.fr ymail.com icloud.com me.com mac.com aol.com gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de mail.com mail.ru yandex.ru yandex.com proton.me protonmail.com tutanota.com tuta.com fastmail.com zoho.com hey.com orange.fr wanadoo.fr free.fr laposte.net libero.it virgilio.it qq.com 163.com 126.com naver.com comcast.net verizon.net att.net bellsouth.net btinternet.com sky.com bluewin.ch'.split(
    ' ',
  ),
)

/** Whether the address belongs to a mailbox provider rather than a company. */
export const isMailboxProvider = (domain: string): boolean => MAILBOX_PROVIDERS.has(domain)

/** The registrable domain of a company (Public Suffix List) from its website or its people's e-mail; null for mailbox providers. */
export const companyDomain = (lead: Identifiable): string | null => {
  const fromSite = lead.website ? getDomain(lead.website, { allowPrivateDomains: true }) : null
  if (fromSite) return fromSite
  const host = lead.email?.split('@')[1]
  const fromMail = host ? getDomain(host, { allowPrivateDomains: true }) : null
  return fromMail && !isMailboxProvider(fromMail) ? fromMail : null
}

/** A name without case, accents and punctuation, so that "José  Núñez" and "jose nunez" are one. */
export const normaliseName = (name: string): string =>
  name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

/** The keys of a lead whose values are normalised already (e-mail lower-cased, phone E.164). */
export const keysOf = (lead: Identifiable): LeadKey[] => {
  const keys: LeadKey[] = []
  if (lead.email) keys.push({ kind: 'email', value: lead.email })
  if (lead.phone) keys.push({ kind: 'phone', value: lead.phone })
  if (lead.external_id) keys.push({ kind: 'external_id', value: lead.external_id })
  const domain = companyDomain(lead)
  const name = lead.contact_name ? normaliseName(lead.contact_name) : ''
  if (domain && name) keys.push({ kind: 'domain_name', value: `${domain} ${name}` })
  return keys
}

/** The open lead that a newcomer already is, and what gave it away. */
export type Known = { id: string; matched_by: LeadKey['kind'] }

/**
 * Finds, for each newcomer, the open lead that it already is: the oldest one, by its strongest key. A shared telephone
 * alone does not make two people one: when both e-mail and name are others, it is a colleague. Newcomers of one list are
 * not compared with each other.
 *
 * Takes a lock on every key until the transaction ends, so that two doors that see the same person at once make one
 * lead; long lists lock all keys of the organization at once. With `lock: false` nobody waits and nobody is held up.
 * Lock once in a transaction: two of them that each come back for more could wait for each other.
 */
export const findKnownLeads = async (
  ctx: TxCtx,
  newcomers: readonly Identifiable[],
  { lock = true }: { lock?: boolean } = {},
): Promise<(Known | undefined)[]> => {
  const wanted = newcomers.flatMap((newcomer, place) => keysOf(newcomer).map((key) => ({ ...key, place })))
  const known = new Map<number, Known>()
  for (const { place, id, matched_by, ...candidate } of await readCandidates(ctx, wanted, { lock })) {
    if (known.has(place) || (matched_by === 'phone' && isSomebodyElse(candidate, newcomers[place] ?? {})))
      continue
    known.set(place, { id, matched_by })
  }
  return newcomers.map((_, place) => known.get(place))
}

/** An open lead that has a key that was asked for. */
export type Candidate = Identifiable & {
  id: string
  name: string
  place: number
  matched_by: LeadKey['kind']
}

/** Every open lead that may be meant by these keys, in their order, the oldest first; locks as `findKnownLeads` does. */
export const readCandidates = async (
  ctx: TxCtx,
  wanted: readonly (LeadKey & { place: number })[],
  { lock }: { lock: boolean },
): Promise<Candidate[]> => {
  if (wanted.length === 0) return []
  if (lock) lockKeys(ctx, wanted)
  const { tx, organization_id } = ctx
  // Ids are in the order of creation, and so is the index: the oldest are found without sorting a number that thousands share.
  const candidates = await tx<Candidate[]>`
    select wanted.place, wanted.kind as matched_by, known.*
    from unnest(${wanted.map((key) => key.kind)}::text[], ${wanted.map((key) => key.value)}::text[], ${wanted.map((key) => key.place)}::int[])
      with ordinality as wanted (kind, value, place, n)
    cross join lateral (
      select o.id, o.name, o.email, o.contact_name from opportunity_keys k
      join opportunities o on o.organization_id = k.organization_id and o.id = k.opportunity_id
      join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
      where k.organization_id = ${organization_id} and k.kind = wanted.kind and k.value = wanted.value
        and o.kind = 'lead' and s.kind = 'open' and o.archived_at is null
      order by k.opportunity_id limit 20
    ) as known
    order by wanted.n, known.id`
  return [...candidates]
}

/** `findKnownLeads` for one newcomer. */
export const findKnownLead = async (ctx: TxCtx, newcomer: Identifiable): Promise<Known | undefined> =>
  (await findKnownLeads(ctx, [newcomer]))[0]

/** More keys than this are not locked one by one: the lock table of the server is shared by everybody. */
const LOCKED_ONE_BY_ONE = 100

/** One who locks keys shares the organization's lock; one who locks all of them has it alone. */
const lockKeys = (ctx: TxCtx, keys: readonly LeadKey[]): void => {
  const { tx, organization_id } = ctx
  const all = `${organization_id} lead keys`
  if (keys.length > LOCKED_ONE_BY_ONE) {
    sendStatement(ctx, tx`select pg_advisory_xact_lock(hashtextextended(${all}, 0))`)
    return
  }
  const names = new Set(keys.map((key) => `${organization_id} ${key.kind} ${key.value}`))
  sendStatement(
    ctx,
    tx`
      select case n when 1 then pg_advisory_xact_lock_shared(hashtextextended(name, 0))
        else pg_advisory_xact_lock(hashtextextended(name, 0)) end
      from unnest(${[all, ...[...names].toSorted()]}::text[]) with ordinality as l (name, n) order by n`,
  )
}

/** Whether two who share a telephone are two people: both e-mail and name are others. */
export const isSomebodyElse = (a: Identifiable, b: Identifiable): boolean => {
  const differ = (one: string | null | undefined, other: string | null | undefined): boolean =>
    !!one && !!other && one !== other
  return (
    differ(a.email, b.email) &&
    differ(normaliseName(a.contact_name ?? ''), normaliseName(b.contact_name ?? ''))
  )
}

/** Writes what leads are recognised by, in place of what they were recognised by before: after their fields changed. */
export const writeKeys = (ctx: TxCtx, leads: readonly (Identifiable & { id: string })[]): void => {
  if (leads.length === 0) return
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      delete from opportunity_keys
      where organization_id = ${organization_id} and opportunity_id = any(${leads.map(({ id }) => id)}::uuid[])`,
  )
  const rows = leads.flatMap((lead) => keysOf(lead).map((key) => ({ ...key, id: lead.id })))
  if (rows.length === 0) return
  sendStatement(
    ctx,
    tx`
      insert into opportunity_keys (organization_id, opportunity_id, kind, value)
      select ${organization_id}::uuid, k.* from unnest(
        ${rows.map(({ id }) => id)}::uuid[], ${rows.map(({ kind }) => kind)}::text[], ${rows.map(({ value }) => value)}::text[]) as k
      on conflict do nothing`,
  )
}
