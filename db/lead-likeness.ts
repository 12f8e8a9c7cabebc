import { bigCities } from './frequent-names.ts'
import { compareCompanies, readCompany, saysCompany, type CompanyName } from './company-names.ts'
import { editDistance, fold } from './folding.ts'
import { companyDomain, isMailboxProvider, isSharedMailbox } from './lead-keys.ts'
import { compareNames, readName, type PersonName } from './person-names.ts'

/** The fields by which leads resemble each other. */
export type Comparable = {
  name?: string | null | undefined
  contact_name?: string | null | undefined
  company_name?: string | null | undefined
  title?: string | null | undefined
  email?: string | null | undefined
  phone?: string | null | undefined
  phone_original?: string | null | undefined
  website?: string | null | undefined
  city?: string | null | undefined
  state?: string | null | undefined
  country?: string | null | undefined
}

/** A lead as it is compared: read once, compared with many. */
export type Traits = {
  person: PersonName
  company: CompanyName
  /** Registrable domain of the company, not of a mailbox provider. */
  domain: string | null
  email: { local: string; domain: string; shared: boolean } | null
  /** Digits only. */
  phone: string
  city: string
  state: string
  country: string
  title: string
}

/** One listed reason for or against two leads being one. */
export type Reason = { factor: string; points: number; reason: string }

/** How alike two leads are: 0 to 100, with every reason; `near` from 40 on. */
export type Likeness = { points: number; near: boolean; reasons: Reason[] }

/** From so many points on, two leads are offered as near. */
export const NEAR = 40

/** Reads a lead's traits. */
export const traitsOf = (lead: Comparable): Traits => {
  const [local = '', host = ''] = (lead.email ?? '').toLowerCase().split('@')
  return {
    person: readName(personOf(lead)),
    company: readCompany(lead.company_name ?? ''),
    domain: companyDomain(lead),
    email: host === '' ? null : { local, domain: host, shared: isSharedMailbox(local) },
    phone: (lead.phone ?? '').replaceAll(/\D/g, ''),
    city: fold(lead.city ?? '').replaceAll(' ', ''),
    state: fold(lead.state ?? '').replaceAll(' ', ''),
    country: (lead.country ?? '').toUpperCase(),
    title: fold(lead.title ?? ''),
  }
}

/** Who the lead is: the contact, or what the card is called where that is not the company or an address. */
export const personOf = ({
  contact_name,
  name,
  company_name,
  email,
  phone,
  phone_original,
}: Comparable): string =>
  contact_name ?? (name && ![company_name, email, phone, phone_original].includes(name) ? name : '')

/**
 * How alike two leads are: each field adds points where it agrees, more for what is rare, and takes some away where it
 * contradicts (weights of agreement and disagreement after Fellegi and Sunter, A Theory for Record Linkage, 1969).
 * @param namesakes how many leads of the organization are called so: the more, the less it says
 */
export const compareTraits = (a: Traits, b: Traits, namesakes = 1): Likeness => {
  const named = a.person.words.length > 0 && b.person.words.length > 0
  const nameless = a.person.words.length === 0 && b.person.words.length === 0
  const reasons: Reason[] = []
  const add = (factor: string, points: number, reason: string): void => {
    if (points !== 0) reasons.push({ factor, points, reason })
  }
  const name = compareNames(a.person, b.person)
  if (named) {
    add('name', name.points, name.reason)
    if (name.points > 0 && namesakes > 5)
      add('name', -Math.min(12, Math.round(2 * Math.log2(namesakes / 5))), `${namesakes} leads are called so`)
  }
  for (const compared of [
    compareEmails(a, b, name.agrees === 'wholly'),
    comparePhones(a.phone, b.phone),
    compareFirms(a, b, nameless),
    comparePlaces(a, b, nameless),
  ])
    if (compared) add(...compared)
  if (a.title !== '' && a.title === b.title) add('title', 3, 'Same job title')
  const sum = reasons.reduce((total, { points }) => total + points, 0)
  const points = Math.max(0, Math.min(100, sum))
  // Without a name on one side, a company alone is not a person.
  const decided = named ? name.agrees !== 'no' || sum >= NEAR + 25 : true
  return { points, near: decided && points >= NEAR, reasons }
}

type Compared = [factor: string, points: number, reason: string] | undefined

const compareEmails = (a: Traits, b: Traits, sameName: boolean): Compared => {
  if (!a.email || !b.email) return undefined
  const [one, other] = [a.email, b.email]
  const whole = one.local === other.local && one.domain === other.domain
  if (whole) return one.shared ? ['email', 10, 'Same shared mailbox'] : ['email', 60, 'Same e-mail address']
  if (one.shared || other.shared) return undefined
  const [from, to] = [letters(one.local), letters(other.local)]
  const digitsDiffer = one.local.replaceAll(/\D/g, '') !== other.local.replaceAll(/\D/g, '')
  if (one.domain === other.domain) {
    if (from === to && !digitsDiffer) return ['email', 40, 'Same e-mail address but for dots and dashes']
    if (digitsDiffer)
      return from === to ? ['email', -20, 'Numbered e-mail addresses'] : ['email', -8, 'Other e-mail address']
    if (isSlip(from, to) && sameInitials(one.local, other.local))
      return ['email', 34, 'E-mail address one slip apart']
    // Whoever has one name has several ways to write it: that is no contradiction.
    const written = sameName && saysName(one.local, a, b) && saysName(other.local, a, b)
    return isMailboxProvider(one.domain)
      ? ['email', written ? -4 : -10, 'Other e-mail address']
      : written
        ? undefined
        : ['email', -14, 'Other e-mail address at the same company']
  }
  if (from === to && !digitsDiffer && from.length >= 4) {
    if (isMistypedDomain(one.domain, other.domain))
      return ['email', 36, `E-mail address one slip apart: ${one.domain} and ${other.domain}`]
    // Where it only says the name, it says that once more.
    if (a.person.words.length === 0 || b.person.words.length === 0) return undefined
    return saysName(one.local, a, b)
      ? ['email', from.length >= 8 ? 12 : 4, 'Same e-mail name at another provider']
      : ['email', 28, 'Same e-mail name at another provider']
  }
  // One at work and one at home is what most people have.
  return isMailboxProvider(one.domain) === isMailboxProvider(other.domain)
    ? ['email', -6, 'Other e-mail address']
    : undefined
}

const letters = (local: string): string => fold(local.replace(/\+.*$/, '')).replaceAll(/[\d ]/g, '')

const isSlip = (one: string, other: string): boolean => {
  const length = Math.min(one.length, other.length)
  const allowed = length >= 11 ? 2 : 1
  return length >= 6 && editDistance(one, other, allowed) <= allowed
}

/** `j.smith` and `k.smith`, `anna` and `hanna` are two people. */
const sameInitials = (one: string, other: string): boolean => {
  const [a, b] = [one.split(/[._-]/), other.split(/[._-]/)]
  return (
    one[0] === other[0] && (a.length !== b.length || a.every((part, n) => part.length > 2 || part === b[n]))
  )
}

/** `gmial.com`, and `company.de` for `company.com`. */
const isMistypedDomain = (one: string, other: string): boolean => {
  const [a = '', b = ''] = [one.split('.')[0], other.split('.')[0]]
  return (a === b && a.length >= 4) || (Math.min(a.length, b.length) >= 4 && editDistance(one, other, 1) <= 1)
}

/** Whether an e-mail name is made of the name of one of them: `a.berg`, `anna`, `berg.anna`, `ab`. */
const saysName = (local: string, a: Traits, b: Traits): boolean => {
  const written = letters(local)
  return [a.person, b.person].some(({ words }) => {
    const [first = '', last = ''] = [words[0], words.at(-1)]
    const [f = '', l = ''] = [first[0], last[0]]
    const initials = words.map((word) => word[0]).join('')
    return (
      first !== '' &&
      [
        first,
        last,
        first + last,
        last + first,
        f + last,
        last + f,
        first + l,
        initials,
        words.slice(1).join(''),
      ]
        .concat([first + words.slice(1).join(''), f + words.slice(1).join('')])
        .includes(written)
    )
  })
}

const comparePhones = (a: string, b: string): Compared => {
  if (a.length < 7 || b.length < 7) return undefined
  if (a === b) return ['phone', 34, 'Same phone number']
  if (a.slice(-9) === b.slice(-9) || (Math.min(a.length, b.length) < 9 && a.slice(-7) === b.slice(-7)))
    return ['phone', 30, 'Same phone number but for its country']
  if (editDistance(a, b, 1) <= 1) {
    // The last digits are extensions as often as slips.
    return a.slice(0, -2) === b.slice(0, -2)
      ? ['phone', 6, 'Phone numbers alike but for the last digits']
      : ['phone', 22, 'Phone number one slip apart']
  }
  return a.slice(0, -3) === b.slice(0, -3)
    ? ['phone', 2, 'Extensions of one phone number']
    : ['phone', -4, 'Other phone number']
}

const compareFirms = (a: Traits, b: Traits, nameless: boolean): Compared => {
  const sameDomain = a.domain !== null && a.domain === b.domain
  const otherDomain = a.domain !== null && b.domain !== null && !sameDomain
  const told = a.company.words.length > 0 && b.company.words.length > 0
  // Where nobody is named, the company is what the lead is about.
  const scale = nameless ? 2.6 : 1
  const of = (points: number, reason: string): Compared => ['company', Math.round(points * scale), reason]
  if (told) {
    const { share, reason } = compareCompanies(a.company, b.company)
    if (share > 0) {
      const rare = Math.min(a.company.words.length, b.company.words.length) > 1 ? 20 : 16
      return sameDomain
        ? of(rare * share + 6, `${reason}, same domain`)
        : of(rare * share - (otherDomain ? 3 : 0), `${reason}${otherDomain ? ', other domain' : ''}`)
    }
    return sameDomain
      ? of(10, 'Same domain, other company name')
      : of(-14, otherDomain ? 'Other company and domain' : reason)
  }
  // Two mailboxes say of one domain no more than that both are there; who wrote is not told by `info@` and `sales@`.
  const mailboxes = a.email !== null && b.email !== null && mailboxOf(a.email) !== mailboxOf(b.email)
  if (sameDomain) return mailboxes ? ['company', 18, 'Same company domain'] : of(18, 'Same company domain')
  if ((a.domain && saysCompany(a.domain, b.company)) || (b.domain && saysCompany(b.domain, a.company)))
    return of(14, 'The domain of one says the company of the other')
  return otherDomain ? of(-10, 'Other company domain') : undefined
}

const mailboxOf = ({ local, domain }: NonNullable<Traits['email']>): string => `${local}@${domain}`

const comparePlaces = (a: Traits, b: Traits, nameless: boolean): Compared => {
  if (a.country !== '' && b.country !== '' && a.country !== b.country) return ['place', -8, 'Other country']
  const sameState = a.state !== '' && a.state === b.state ? 5 : 0
  if (a.city === '' || b.city === '') return sameState ? ['place', 2, 'Same state'] : undefined
  if (a.city === b.city)
    return bigCities.has(a.city)
      ? ['place', 5, 'Same city']
      : ['place', 12 + sameState, sameState ? 'Same town and state' : 'Same town']
  const slip = Math.min(a.city.length, b.city.length) >= 5 && editDistance(a.city, b.city, 2) <= 2
  if (slip) return ['place', 8 + sameState, 'Town one slip apart']
  // A company somewhere else is a branch of its own; a person moves.
  return nameless ? ['place', -30, 'Another place'] : ['place', -5, 'Other town']
}
