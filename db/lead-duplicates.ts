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

type Identifiable = {
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

/**
 * Finds the open lead that a newcomer already is. A shared telephone alone does not make two people one: when both
 * e-mail and name are others, it is a colleague. Takes a lock on every key until the transaction ends, so that two doors
 * that see the same person at once make one lead.
 */
export const findKnownLead = async (
  ctx: TxCtx,
  newcomer: Identifiable,
): Promise<{ id: string; matched_by: LeadKey['kind'] } | undefined> => {
  const keys = keysOf(newcomer)
  if (keys.length === 0) return undefined
  const { tx, organization_id } = ctx
  const locks = keys.map((key) => `${organization_id} ${key.kind} ${key.value}`).toSorted()
  sendStatement(
    ctx,
    tx`
      select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest(${locks}::text[]) with ordinality as l (name, n)
      order by n`,
  )
  const candidates = await tx<({ id: string; matched_by: LeadKey['kind'] } & Identifiable)[]>`
    select o.id, k.kind as matched_by, o.email, o.contact_name
    from unnest(${keys.map((key) => key.kind)}::text[], ${keys.map((key) => key.value)}::text[])
      with ordinality as wanted (kind, value, n)
    join opportunity_keys k on k.organization_id = ${organization_id} and k.kind = wanted.kind and k.value = wanted.value
    join opportunities o on o.organization_id = k.organization_id and o.id = k.opportunity_id
    join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
    where o.kind = 'lead' and s.kind = 'open' and o.archived_at is null
    order by wanted.n, o.created_at limit 20`
  const known = candidates.find(
    (candidate) => candidate.matched_by !== 'phone' || !isSomebodyElse(candidate, newcomer),
  )
  return known && { id: known.id, matched_by: known.matched_by }
}

const isSomebodyElse = (a: Identifiable, b: Identifiable): boolean => {
  const differ = (one: string | null | undefined, other: string | null | undefined): boolean =>
    !!one && !!other && one !== other
  return (
    differ(a.email, b.email) &&
    differ(normaliseName(a.contact_name ?? ''), normaliseName(b.contact_name ?? ''))
  )
}

/** Replaces the stored keys of a lead after its fields changed. */
export const writeKeys = (ctx: TxCtx, opportunity_id: string, keys: LeadKey[]): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`delete from opportunity_keys where organization_id = ${organization_id} and opportunity_id = ${opportunity_id}`,
  )
  if (keys.length === 0) return
  sendStatement(
    ctx,
    tx`
      insert into opportunity_keys ${tx(keys.map((key) => ({ organization_id, opportunity_id, ...key })))}
      on conflict do nothing`,
  )
}
