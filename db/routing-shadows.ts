import canonicalize from 'canonicalize'
import type { Filter } from './filters.ts'
import { isWithinDomain, type RoutingConditions, type Segment, segmentKey } from './routing-conditions.ts'
import { sectorKey } from './routing-sectors.ts'
import { foldText } from './text.ts'

/** What a rule lets through, ready to be compared with many others. */
export type Sieve = {
  source?: ReadonlySet<string> | undefined
  campaign?: ReadonlySet<string> | undefined
  country?: ReadonlySet<string> | undefined
  industry?: ReadonlySet<string> | undefined
  sectors?: ReadonlySet<string> | undefined
  email_domain?: string[] | undefined
  landing_page?: { starts_with: string[]; contains: string[] } | undefined
  score?: { min: number; max: number } | undefined
  segment?: { key: string; filter?: Filter }[] | undefined
}

/**
 * Reads what a rule lets through.
 * @param sectors of a target that goes by sector
 * @param everybody whether a segment holds every lead
 */
export const readSieve = (
  { source, campaign, country, industry, email_domain, landing_page, score, segment }: RoutingConditions,
  sectors: readonly string[] | undefined,
  everybody: (segment: Segment) => boolean,
): Sieve => ({
  source: source && new Set(source.map(foldText)),
  campaign: campaign && new Set(campaign.map(foldText)),
  country: country && new Set(country),
  industry: industry && new Set(industry.map(sectorKey)),
  sectors: sectors && new Set(sectors.map(sectorKey)),
  email_domain,
  landing_page: landing_page && {
    starts_with: (landing_page.starts_with ?? []).map(foldText),
    contains: (landing_page.contains ?? []).map(foldText),
  },
  score: score && { min: score.min ?? 0, max: score.max ?? 100 },
  segment: segment?.some(everybody)
    ? undefined
    : segment?.map((one) => ({
        key: segmentKey(one),
        ...('filter' in one ? { filter: one.filter } : {}),
      })),
})

/**
 * Whether every lead that fits `narrow` fits `wide`, too, whatever lead may come. Sound, not complete: where it says yes it
 * is so; of segments it compares how they are written, and two rules that together cover a third are not looked for.
 */
export const covers = (wide: Sieve, narrow: Sieve): boolean =>
  within(wide.source, narrow.source) &&
  within(wide.campaign, narrow.campaign) &&
  within(wide.country, narrow.country) &&
  ofSectors(wide.industry, narrow) &&
  ofSectors(wide.sectors, narrow) &&
  ofScores(wide.score, narrow.score) &&
  each(wide.email_domain, narrow.email_domain, (above, domain) => isWithinDomain(domain, above)) &&
  ofPages(wide.landing_page, narrow.landing_page) &&
  each(wide.segment, narrow.segment, ofSegments)

/** What wants nothing takes everything. */
const within = (wide: ReadonlySet<string> | undefined, narrow: ReadonlySet<string> | undefined): boolean =>
  wide === undefined || (narrow !== undefined && narrow.isSubsetOf(wide))

/** Each value that `narrow` takes is among what `wide` takes. */
const each = <Value>(
  wide: readonly Value[] | undefined,
  narrow: readonly Value[] | undefined,
  takes: (wide: Value, narrow: Value) => boolean,
): boolean =>
  wide === undefined ||
  (narrow !== undefined && narrow.every((value) => wide.some((other) => takes(other, value))))

/** What is near to a sector differs from text to text: only the same sectors are compared. */
const ofSectors = (wide: ReadonlySet<string> | undefined, { industry, sectors }: Sieve): boolean =>
  within(wide, industry) || within(wide, sectors)

const ofScores = (wide: Sieve['score'], narrow: Sieve['score']): boolean =>
  wide === undefined || (narrow !== undefined && wide.min <= narrow.min && wide.max >= narrow.max)

const ofPages = (wide: Sieve['landing_page'], narrow: Sieve['landing_page']): boolean => {
  if (wide === undefined) return true
  if (narrow === undefined) return false
  const holds = (page: string): boolean => wide.contains.some((part) => page.includes(part))
  const begins = (page: string): boolean => wide.starts_with.some((beginning) => page.startsWith(beginning))
  return narrow.starts_with.every((page) => begins(page) || holds(page)) && narrow.contains.every(holds)
}

type SieveSegment = NonNullable<Sieve['segment']>[number]

const ofSegments = (wide: SieveSegment, narrow: SieveSegment): boolean =>
  wide.key === narrow.key ||
  (wide.filter !== undefined && narrow.filter !== undefined && followsFrom(wide.filter, narrow.filter))

/** Whether `wide` holds wherever `narrow` holds, by how they are put together. */
const followsFrom = (wide: Filter, narrow: Filter): boolean => {
  if (canonicalize(wide) === canonicalize(narrow)) return true
  if ('and' in wide) return wide.and.every((part) => followsFrom(part, narrow))
  if ('or' in narrow) return narrow.or.every((part) => followsFrom(wide, part))
  if ('and' in narrow && narrow.and.some((part) => followsFrom(wide, part))) return true
  return 'or' in wide && wide.or.some((part) => followsFrom(part, narrow))
}
