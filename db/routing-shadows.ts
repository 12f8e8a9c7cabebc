import canonicalize from 'canonicalize'
import type { Filter } from './filters.ts'
import { isWithinDomain, type RoutingConditions, type Segment, segmentKey } from './routing-conditions.ts'
import { isSameSector } from './routing-sectors.ts'
import { foldText } from './text.ts'

/** What a rule lets through: its conditions, and the sectors of a target that goes by sector. */
export type Sieve = RoutingConditions & { sectors?: string[] | undefined }

/**
 * Whether every lead that fits `narrow` fits `wide`, too, whatever lead may come. Sound, not complete: where it says yes it
 * is so; of segments it compares how they are written, and two rules that together cover a third are not looked for.
 * @param everybody whether a segment holds every lead
 */
export const covers = (wide: Sieve, narrow: Sieve, everybody: (segment: Segment) => boolean): boolean =>
  ofTexts(wide.source, narrow.source) &&
  ofTexts(wide.campaign, narrow.campaign) &&
  ofTexts(wide.country, narrow.country) &&
  each(wide.email_domain, narrow.email_domain, (above, domain) => isWithinDomain(domain, above)) &&
  ofPages(wide.landing_page, narrow.landing_page) &&
  ofScores(wide.score, narrow.score) &&
  ofSectors(wide.industry, narrow) &&
  ofSectors(wide.sectors, narrow) &&
  (wide.segment?.some(everybody) || each(wide.segment, narrow.segment, ofSegments))

/** Each value that `narrow` takes is among what `wide` takes; what wants nothing takes everything. */
const each = <Value>(
  wide: readonly Value[] | undefined,
  narrow: readonly Value[] | undefined,
  within: (wide: Value, narrow: Value) => boolean,
): boolean =>
  wide === undefined ||
  (narrow !== undefined && narrow.every((value) => wide.some((other) => within(other, value))))

const ofTexts = (wide: readonly string[] | undefined, narrow: readonly string[] | undefined): boolean =>
  each(wide, narrow, (one, other) => foldText(one) === foldText(other))

/** A sector is near what is near to it in ways that differ from text to text: only the same sectors are compared. */
const ofSectors = (wide: readonly string[] | undefined, { industry, sectors }: Sieve): boolean =>
  each(wide, industry, isSameSector) || (sectors !== undefined && each(wide, sectors, isSameSector))

const ofPages = (
  wide: RoutingConditions['landing_page'],
  narrow: RoutingConditions['landing_page'],
): boolean =>
  wide === undefined ||
  (narrow !== undefined &&
    (narrow.starts_with ?? []).every(
      (page) => beginsAs(wide.starts_with, page) || holdsAs(wide.contains, page),
    ) &&
    (narrow.contains ?? []).every((page) => holdsAs(wide.contains, page)))

const beginsAs = (wide: readonly string[] = [], page: string): boolean =>
  wide.some((beginning) => foldText(page).startsWith(foldText(beginning)))

const holdsAs = (wide: readonly string[] = [], page: string): boolean =>
  wide.some((part) => foldText(page).includes(foldText(part)))

const ofScores = (wide: RoutingConditions['score'], narrow: RoutingConditions['score']): boolean =>
  wide === undefined ||
  (narrow !== undefined && (wide.min ?? 0) <= (narrow.min ?? 0) && (wide.max ?? 100) >= (narrow.max ?? 100))

const ofSegments = (wide: Segment, narrow: Segment): boolean =>
  segmentKey(wide) === segmentKey(narrow) ||
  ('filter' in wide && 'filter' in narrow && followsFrom(wide.filter, narrow.filter))

/** Whether `wide` holds wherever `narrow` holds, by how they are put together. */
const followsFrom = (wide: Filter, narrow: Filter): boolean => {
  if (canonicalize(wide) === canonicalize(narrow)) return true
  if ('and' in wide) return wide.and.every((part) => followsFrom(part, narrow))
  if ('or' in narrow) return narrow.or.every((part) => followsFrom(wide, part))
  if ('and' in narrow && narrow.and.some((part) => followsFrom(wide, part))) return true
  return 'or' in wide && wide.or.some((part) => followsFrom(part, narrow))
}
