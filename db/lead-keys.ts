import { getDomain } from 'tldts'
import { compareNames, readName } from './person-names.ts'

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

/** Mailboxes that a company shares: who writes from one is not told by its address. */
const SHARED_MAILBOXES = new Set(
  'info information contact contacto contatto kontakt kontakte sales vente ventes ventas vendite verkauf vertrieb office buero buro bureau hello hallo hola bonjour hi mail email post admin administration administrator support help helpdesk service services kundenservice team welcome reception empfang accueil zentrale enquiries enquiry inquiries inquiry anfrage anfragen order orders bestellung bestellungen commande pedidos einkauf purchasing procurement buying billing invoices invoice accounting accounts buchhaltung rechnung finance compta jobs career careers bewerbung hr personal marketing press presse media pr newsletter webmaster web website shop store booking bookings reservation reservierung reservations events legal datenschutz privacy gdpr security abuse noreply no-reply donotreply it edv technik tech management direktion direction gl geschaeftsleitung general company firma praxis hotel restaurant'.split(
    ' ',
  ),
)

/** Whether an address like this is everybody's at its company: `info`, `sales`. */
export const isSharedMailbox = (local: string): boolean => SHARED_MAILBOXES.has(local.toLowerCase())

/**
 * Whether two leads that share this key are two people all the same: colleagues have one telephone, and one `info@`.
 * Only where both have a name and the names do not agree, and for a telephone no address of their own is the same.
 */
export const isSomebodyElse = (kind: LeadKey['kind'], one: Identifiable, other: Identifiable): boolean => {
  if (kind !== 'phone' && kind !== 'email') return false
  const sameMailbox = !!one.email && one.email === other.email
  if (sameMailbox && !isSharedMailbox(one.email?.split('@')[0] ?? '')) return false
  return isCalledOtherwise(one.contact_name ?? '', other.contact_name ?? '')
}

/** Whether two names are two people's; where one is none, nothing speaks against it. */
export const isCalledOtherwise = (one: string, other: string): boolean => {
  if (normaliseName(one) === normaliseName(other)) return false
  const { agrees, same } = compareNames(readName(one), readName(other))
  return agrees !== 'unknown' && !same
}
