import { domainToASCII } from 'node:url'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { Filter } from './filters.ts'
import { countryCode, Line } from './lead-fields.ts'
import { sectorFinder } from './routing-sectors.ts'
import { foldText } from './text.ts'

const Values = <Value extends z.ZodType>(value: Value) =>
  z.array(value).min(1, 'at least one value; leave the condition out where anything will do').max(100)

const Words = Values(Line().pipe(z.string().min(1)))

const Address = Values(Line(2_000).pipe(z.string().min(1)))

const Domain = Line()
  .transform((text) => asDomain(text.replace(/^(?:\*\.|.*@)/, '')))
  .pipe(z.string().regex(/^[^\s./]+(?:\.[^\s./]+)*$/, 'a domain such as example.com'))

const Country = Line()
  .transform((text, issues) => {
    const code = countryCode(text)
    if (code !== null) return code
    issues.addIssue({ code: 'custom', message: 'a country: its ISO 3166 code such as DE, or its name' })
    return z.NEVER
  })
  .pipe(z.string())

/** Leads by a saved view, or by a filter of the filter language. */
const Segment = z.union(
  [z.strictObject({ view_id: z.uuid() }), z.strictObject({ filter: Filter })],
  '{"view_id": …} of a saved view of leads, or {"filter": …}',
)
export type Segment = z.infer<typeof Segment>

const Points = z.int('whole points from 0 to 100').min(0).max(100)

/** What a lead must be like: every condition that is given must hold, by one of its values. Without any, everybody fits. */
export const RoutingConditions = z.strictObject({
  source: Words.optional(),
  campaign: Words.optional(),
  /** The beginning of the address, or of what follows `https://`, `www.` or the host; or anything in it. */
  landing_page: z
    .strictObject({ starts_with: Address.optional(), contains: Address.optional() })
    .refine(({ starts_with, contains }) => starts_with ?? contains, 'give “starts_with” or “contains”')
    .optional(),
  /** The domain itself and those below it. */
  email_domain: Values(Domain).optional(),
  segment: Values(Segment).max(10).optional(),
  country: Values(Country).optional(),
  /** Both included; one of them may be left out. */
  score: z
    .strictObject({ min: Points.optional(), max: Points.optional() })
    .refine(({ min, max }) => min !== undefined || max !== undefined, 'give “min”, “max” or both')
    .refine(({ min = 0, max = 100 }) => min <= max, 'no score is between these: “min” is above “max”')
    .optional(),
  /** The nearest words count, see `sectorFinder`. */
  industry: Words.optional(),
})
export type RoutingConditions = z.infer<typeof RoutingConditions>

/** What of a lead routing looks at, as it is written there. */
export type RoutingValues = {
  source: string | null
  campaign: string | null
  landing_page: string | null
  email: string | null
  country: string | null
  industry: string | null
  score: number | null
  /** Keys of the segments that it is in. */
  segments: ReadonlySet<string>
}

/** The same, with what the conditions compare: read once for all rules. */
export type RoutingFacts = RoutingValues & {
  folded: { source: string | null; campaign: string | null; landing_page: string | null }
  /** Where a landing page may begin. */
  places: string[]
  domain: string | null
  country_code: string | null
}

/** Reads what the conditions compare. */
export const factsOf = (values: RoutingValues): RoutingFacts => {
  const { source, campaign, landing_page, email, country } = values
  const page = landing_page === null ? null : foldText(landing_page)
  return {
    ...values,
    folded: {
      source: source === null ? null : foldText(source),
      campaign: campaign === null ? null : foldText(campaign),
      landing_page: page,
    },
    places: page === null ? [] : placesIn(page),
    domain: email === null ? null : asDomain(email.slice(email.lastIndexOf('@') + 1)),
    country_code: country === null ? null : countryCode(country),
  }
}

/** One condition of a rule, read once for many leads. */
export type Condition = {
  name: keyof RoutingConditions | 'sector'
  holds: (facts: RoutingFacts) => boolean
  /** What the lead is in this respect, to go behind “because” or “but”. */
  says: (facts: RoutingFacts) => string
  /** What is wanted. */
  wants: string
}

/** What a segment is known by among those of all rules. */
export const segmentKey = (segment: Segment): string =>
  'view_id' in segment ? segment.view_id : (canonicalize(segment.filter) ?? '')

/**
 * The conditions of a rule, ready to be asked of many leads.
 * @param nameOf what a segment is called
 */
export const readConditions = (
  { source, campaign, landing_page, email_domain, segment, country, score, industry }: RoutingConditions,
  nameOf: (segment: Segment) => string,
): Condition[] => [
  ...(source ? [oneOf('source', 'source', source)] : []),
  ...(campaign ? [oneOf('campaign', 'campaign', campaign)] : []),
  ...(landing_page ? [ofLandingPage(landing_page)] : []),
  ...(email_domain ? [ofDomain(email_domain)] : []),
  ...(segment ? [ofSegment(segment, nameOf)] : []),
  ...(country ? [ofCountry(country)] : []),
  ...(score ? [ofScore(score)] : []),
  ...(industry ? [ofIndustry('industry', industry)] : []),
]

/** That the lead's industry is one of these sectors, or near one. */
export const ofIndustry = (name: 'industry' | 'sector', sectors: string[]): Condition => {
  const nearest = sectorFinder(sectors)
  return {
    name,
    holds: ({ industry }) => industry !== null && nearest(industry) !== undefined,
    says: ({ industry }) => {
      if (industry === null) return 'its industry is not known'
      const sector = nearest(industry)
      const near = sector === undefined || foldText(sector) === foldText(industry) ? '' : `, near ${sector}`
      return `its industry is ${quoted(industry)}${near}`
    },
    wants: anyOf(sectors),
  }
}

const oneOf = (name: 'source' | 'campaign', noun: string, values: string[]): Condition => {
  const wanted = new Set(values.map(foldText))
  return {
    name,
    holds: ({ folded }) => wanted.has(folded[name] ?? ''),
    says: (facts) => (facts[name] === null ? `it has no ${noun}` : `its ${noun} is ${quoted(facts[name])}`),
    wants: anyOf(values),
  }
}

const ofLandingPage = ({
  starts_with = [],
  contains = [],
}: NonNullable<RoutingConditions['landing_page']>): Condition => {
  const [beginnings, parts] = [starts_with.map(foldText), contains.map(foldText)]
  return {
    name: 'landing_page',
    holds: ({ folded: { landing_page }, places }) =>
      landing_page !== null &&
      (parts.some((part) => landing_page.includes(part)) ||
        beginnings.some((beginning) => places.some((place) => place.startsWith(beginning)))),
    says: ({ landing_page }) =>
      landing_page === null ? 'it has no landing page' : `its landing page is ${quoted(landing_page)}`,
    wants: [
      ...(starts_with.length > 0 ? [`one that starts with ${anyOf(starts_with)}`] : []),
      ...(contains.length > 0 ? [`one that contains ${anyOf(contains)}`] : []),
    ].join(', or '),
  }
}

/** Where a beginning may be: each is an end of the address, so that what begins with more begins with less. */
const placesIn = (page: string): string[] => {
  const host = page.replace(/^[a-z][a-z0-9+.-]*:\/\//, '')
  const slash = page.startsWith('/') ? -1 : host.indexOf('/')
  return [page, host, host.replace(/^www\./, ''), ...(slash === -1 ? [] : [host.slice(slash)])]
}

const ofDomain = (values: string[]): Condition => ({
  name: 'email_domain',
  holds: ({ domain }) => domain !== null && values.some((value) => isWithinDomain(domain, value)),
  says: ({ domain }) => (domain === null ? 'it has no e-mail address' : `its e-mail address is at ${domain}`),
  wants: anyOf(values),
})

/** Whether a domain is this one or below it. */
export const isWithinDomain = (domain: string, above: string): boolean =>
  domain === above || domain.endsWith(`.${above}`)

const ofSegment = (segments: Segment[], nameOf: (segment: Segment) => string): Condition => ({
  name: 'segment',
  holds: (facts) => segments.some((segment) => facts.segments.has(segmentKey(segment))),
  says: (facts) => {
    const found = segments.find((segment) => facts.segments.has(segmentKey(segment)))
    return found ? `it is in ${nameOf(found)}` : 'it is in none of them'
  },
  wants: segments.map(nameOf).join(' or '),
})

const ofCountry = (codes: string[]): Condition => ({
  name: 'country',
  holds: ({ country_code }) => country_code !== null && codes.includes(country_code),
  says: ({ country }) => (country === null ? 'its country is not known' : `its country is ${country}`),
  wants: codes.join(' or '),
})

const ofScore = ({ min, max }: NonNullable<RoutingConditions['score']>): Condition => ({
  name: 'score',
  holds: ({ score }) => score !== null && score >= (min ?? 0) && score <= (max ?? 100),
  says: ({ score }) => (score === null ? 'it has no score yet' : `its score is ${score}`),
  wants:
    max === undefined ? `${min} or more` : min === undefined ? `${max} or less` : `from ${min} to ${max}`,
})

const quoted = (text: string | null): string => `“${text ?? ''}”`

const anyOf = (values: readonly string[]): string => values.map(quoted).join(' or ')

/** As it is written in the domain name system, so that “münchen.example” is one domain however it is written. */
function asDomain(text: string): string {
  const domain = text.trim().toLowerCase().replace(/\.$/, '')
  return domainToASCII(domain) || domain
}
