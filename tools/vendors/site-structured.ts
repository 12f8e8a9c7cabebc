import { plainText, shorten } from './plain-text.ts'
import type { SitePage } from './site-page.ts'

/** What a page's structured data (JSON-LD or microdata, schema.org) says about its company. */
export type StructuredOrganization = {
  types: string[]
  name?: string | undefined
  description?: string | undefined
  telephones: string[]
  emails: string[]
  street?: string | undefined
  city?: string | undefined
  state?: string | undefined
  postal_code?: string | undefined
  country?: string | undefined
  founded?: string | undefined
  employees?: string | undefined
  profiles: string[]
  offers: string[]
}

/** Every organization a page describes in structured data, the most complete first. */
export const readOrganizations = (page: SitePage): StructuredOrganization[] =>
  [...readJsonLd(page), ...readMicrodata(page)]
    .map(toOrganization)
    .filter((organization) => organization !== undefined)
    .toSorted((a, b) => completeness(b) - completeness(a))

type Thing = Record<string, unknown>

const LIMITS = { scripts: 20, script_chars: 300_000, things: 500, depth: 8, values: 10 }
const ORGANIZATION =
  /(?:Organization|Business|Corporation|Company|Store|Shop|Restaurant|Bakery|Brewery|Winery|Hotel|Motel|Lodging\w*|Resort|Dentist|Physician|Hospital|Clinic|Pharmacy|Attorney|Notary|Service|Agency|Agent|Contractor|Electrician|Plumber|Salon|Spa|Gym|Club|School|University|NGO|Library|Museum|Dealer|Repair)$/
const OFFER = /^(?:Product|Service|Offer|Course|SoftwareApplication)$/

const readJsonLd = ({ $ }: SitePage): Thing[] => {
  const things: Thing[] = []
  const scripts = $('script[type="application/ld+json"]').slice(0, LIMITS.scripts).toArray()
  const collect = (value: unknown, depth: number): void => {
    if (things.length >= LIMITS.things || depth > LIMITS.depth) return
    if (Array.isArray(value)) return value.slice(0, LIMITS.things).forEach((item) => collect(item, depth + 1))
    if (!isThing(value)) return
    things.push(value)
    for (const key of [
      '@graph',
      'mainEntity',
      'publisher',
      'about',
      'provider',
      'itemListElement',
      'item',
      'makesOffer',
      'itemOffered',
      'hasOfferCatalog',
    ])
      collect(value[key], depth + 1)
  }
  for (const script of scripts) collect(parseJson($(script).text()), 0)
  return things
}

const parseJson = (source: string): unknown => {
  if (source.length > LIMITS.script_chars) return undefined
  try {
    return JSON.parse(source)
  } catch {
    return undefined // broken structured data says nothing
  }
}

/** Microdata in the shape of JSON-LD, so that both are read by the same rules. */
const readMicrodata = ({ $ }: SitePage): Thing[] => {
  const scopes = $('[itemscope][itemtype*="schema.org/"]').slice(0, LIMITS.scripts).toArray()
  const typeOf = (scope: (typeof scopes)[number]): Thing => ({
    '@type': ($(scope).attr('itemtype') ?? '').split('/').at(-1) ?? '',
  })
  const things = new Map(scopes.map((scope) => [scope, typeOf(scope)]))
  for (const property of $('[itemprop]').slice(0, LIMITS.things).toArray()) {
    const name = $(property).attr('itemprop') ?? ''
    const value =
      $(property).attr('content') ??
      $(property)
        .attr('href')
        ?.replace(/^(?:mailto|tel):/, '') ??
      plainText($(property).text().slice(0, 2000))
    // A property belongs to the scope around it; those of an address also to the company around the address.
    const [own, outer] = $(property)
      .parents('[itemscope]')
      .toArray()
      .map((scope) => things.get(scope))
      .filter((thing) => thing !== undefined)
    if (ADDRESS_PROPERTIES.has(name))
      [own, outer].forEach((thing) => thing && addToAddress(thing, name, value))
    else if (own && name !== 'address') own[name] ??= value
  }
  return [...things.values()]
}

const addToAddress = (thing: Thing, name: string, value: string): void => {
  const address = first(thing.address) ?? {}
  address[name] ??= value
  thing.address = address
}

const ADDRESS_PROPERTIES = new Set([
  'streetAddress',
  'addressLocality',
  'addressRegion',
  'postalCode',
  'addressCountry',
])

const toOrganization = (thing: Thing): StructuredOrganization | undefined => {
  const types = texts(thing['@type']).map((type) => type.split('/').at(-1) ?? type)
  if (types.some((type) => OFFER.test(type)) || !types.some((type) => ORGANIZATION.test(type)))
    return undefined
  const address = first(thing.address) ?? first(first(thing.location)?.address)
  const contacts = list(thing.contactPoint).filter(isThing)
  return {
    types,
    name: texts(thing.name)[0] ?? texts(thing.legalName)[0],
    description: texts(thing.description)[0],
    telephones: [...texts(thing.telephone), ...contacts.flatMap((contact) => texts(contact.telephone))],
    emails: [...texts(thing.email), ...contacts.flatMap((contact) => texts(contact.email))].map((email) =>
      email.replace(/^mailto:/i, ''),
    ),
    street: texts(address?.streetAddress)[0],
    city: texts(address?.addressLocality)[0],
    state: texts(address?.addressRegion)[0],
    postal_code: texts(address?.postalCode)[0],
    country: texts(address?.addressCountry)[0],
    founded: texts(thing.foundingDate)[0],
    employees: employees(thing.numberOfEmployees),
    profiles: texts(thing.sameAs),
    offers: [...list(thing.makesOffer), ...list(first(thing.hasOfferCatalog)?.itemListElement)]
      .filter(isThing)
      .flatMap((offer) => texts(first(offer.itemOffered)?.name ?? offer.name)),
  }
}

const employees = (value: unknown): string | undefined => {
  const quantity = first(value)
  const [low, high] = [texts(quantity?.minValue)[0], texts(quantity?.maxValue)[0]]
  return (
    texts(quantity?.value)[0] ??
    (low !== undefined && high !== undefined ? `${low}–${high}` : (low ?? texts(value)[0]))
  )
}

const completeness = (organization: StructuredOrganization): number =>
  [
    organization.name,
    organization.city,
    organization.street,
    organization.description,
    organization.telephones[0],
    organization.emails[0],
  ].filter((value) => value !== undefined).length

const isThing = (value: unknown): value is Thing =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const list = (value: unknown): unknown[] =>
  Array.isArray(value) ? value.slice(0, LIMITS.values) : value === undefined || value === null ? [] : [value]

const first = (value: unknown): Thing | undefined => list(value).find(isThing)

/** The strings of a value that may be one, many, a number, or wrapped as `{ "@value": … }` or `{ name: … }`. */
const texts = (value: unknown): string[] =>
  list(value)
    .map((item) => (isThing(item) ? (item['@value'] ?? item.name) : item))
    .filter((item) => typeof item === 'string' || typeof item === 'number')
    .map((item) => shorten(plainText(String(item)), 500))
    .filter((text) => text !== '')
