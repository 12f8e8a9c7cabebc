import { z } from 'zod'
import { type Change, type Inverse, recordActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound } from './errors.ts'
import { Line } from './lead-fields.ts'
import {
  deleteLink,
  type HeldLink,
  insertLinks,
  insertLinksOf,
  type Link,
  type LinkedPair,
  type LinkPlace,
  linksOf,
  lockLinks,
  placeOf,
  raiseVersion,
  readLink,
  setPrimary,
  updateRole,
} from './link-rows.ts'
import { type RecordLabel, type RecordRef, requireRecords, requireRecordsInUse } from './records.ts'

/** What one record is to the other. */
export const LinkTerms = z.object({
  /** `decision maker`, `subsidiary`, …; null for none. */
  role: Line(100)
    .transform((role) => (role === '' ? null : role))
    .nullable()
    .optional(),
  /** Of a card's contacts, a card's accounts and a contact's accounts, at most one each is the primary. */
  is_primary: z.boolean().optional(),
})
export type LinkTerms = z.infer<typeof LinkTerms>

/** More than a card has people, fewer than a page takes long to read. */
export const MAX_LINKS = 200

/**
 * Links a contact or account to a card, or a contact to an account; what is linked already takes the new terms. The first
 * one is the primary unless told otherwise, and a new primary takes that from the old one.
 * @throws {DomainError} `<kind>_not_found`, `not_linkable`, `too_many_links`, what `requireRecordInUse` refuses
 */
export const linkRecords = (
  ctx: Ctx,
  pair: LinkedPair,
  terms: LinkTerms = {},
  reason?: string,
): Promise<Link> =>
  inTx(ctx, async (ctx) => {
    const place = await placeOf(ctx, pair)
    const links = await lockLinks(ctx, place)
    const before = links.find(({ id }) => id === place.member.id)
    await requireLinksInUse(ctx, before ? [place.holder] : [place.holder, place.member])
    if (before) await changeTerms(ctx, place, before, links, terms, reason)
    else await addLink(ctx, place, links, terms, reason)
    return readLink(ctx, place)
  })

/**
 * Changes what a linked record is to the other.
 * @throws {DomainError} `link_not_found` when the two are not linked
 */
export const changeLink = (ctx: Ctx, pair: LinkedPair, terms: LinkTerms, reason?: string): Promise<Link> =>
  inTx(ctx, async (ctx) => {
    await readLink(ctx, await placeOf(ctx, pair))
    return linkRecords(ctx, pair, terms, reason)
  })

/**
 * Takes a link away; both records stay. When it was the primary, `next_primary_id` is, or the one of the rest that was
 * linked first. Twice is once.
 * @throws {DomainError} `<kind>_not_found`, `not_linkable`, what `requireRecordInUse` refuses of the one that has the links
 */
export const unlinkRecords = (
  ctx: Ctx,
  pair: LinkedPair & { next_primary_id?: string | undefined },
  reason?: string,
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const place = await placeOf(ctx, pair)
    const links = await lockLinks(ctx, place)
    const before = links.find(({ id }) => id === place.member.id)
    if (!before) return
    await requireLinksInUse(ctx, [place.holder])
    await removeLink(ctx, place, before, reason)
    const rest = links.filter((link) => link !== before)
    const next = rest.find(({ id }) => id === pair.next_primary_id) ?? rest.find(isThere) ?? rest[0]
    if (before.is_primary && next) await setPrimary(ctx, place, next.id)
    raiseVersion(ctx, place)
  })

/**
 * Makes these the linked records of a card or contact, in this order: the first one is the primary. Those that stay keep
 * their roles, and so do archived ones: nobody was told of them, so nobody means to take them away.
 * @throws {DomainError} invalid with `<kind>_not_found` for one that is not there
 */
export const replaceLinks = (
  ctx: Ctx,
  holder: RecordRef,
  kind: LinkedKind,
  ids: string[],
  reason?: string,
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const [[label], wanted] = await Promise.all([
      requireRecords(ctx, [holder]),
      requireLinked(ctx, kind, ids),
    ])
    if (!label) throw notFound(holder.kind, holder.id)
    const of = linksOf(label, kind)
    const links = await lockLinks(ctx, of)
    const gone = links.filter((link) => isThere(link) && !ids.includes(link.id))
    const added = wanted.filter(({ id }) => !links.some((link) => link.id === id))
    const former = links.find((link) => link.is_primary)
    const first = wanted.find(isThere)
    const present = links.find((link) => link.is_primary && isThere(link)) ?? (former && links.find(isThere))
    await requireLinksInUse(ctx, added)
    for (const link of gone) await removeLink(ctx, { ...of, member: { kind, ...link } }, link, reason)
    await insertLinks(
      ctx,
      of,
      added.map(({ id }) => ({ id, role: null, is_primary: false })),
    )
    for (const member of added) {
      const is_primary = member === first
      const standing = former && !gone.includes(former) ? former.id : undefined
      await recordLinked(
        ctx,
        { ...of, member },
        { role: null, is_primary },
        is_primary ? standing : undefined,
        reason,
      )
    }
    if (first && first.id !== present?.id) {
      await setPrimary(ctx, of, first.id)
      // A link that comes says by itself that it is the primary, and one that goes that it was.
      if (!added.includes(first) && !(former && gone.includes(former)))
        await recordPrimary(ctx, { ...of, member: first }, former, first.id, reason)
    }
    if (gone.length + added.length > 0 || first?.id !== present?.id) raiseVersion(ctx, of)
  })

const isThere = ({ archived_at }: { archived_at: Date | null }): boolean => archived_at === null

/** How two records stand to each other, by the names that activities give to what changed; nobody changes it meanwhile. */
export const standingLink = async (ctx: TxCtx, pair: LinkedPair): Promise<Record<string, unknown>> => {
  const place = await placeOf(ctx, pair)
  const links = await lockLinks(ctx, place)
  const link = links.find(({ id }) => id === place.member.id)
  const primary = links.find(({ is_primary }) => is_primary)
  return {
    linked: link !== undefined,
    role: link?.role ?? null,
    [`primary_${place.member.kind}_id`]: primary?.id ?? null,
  }
}

/** The links that new records of one kind come with: their creation says them. */
export const linkNew = async (
  ctx: TxCtx,
  kind: LinkedKind,
  made: readonly { holder: RecordLabel; ids: readonly string[] | undefined }[],
): Promise<void> => {
  const linked = made.flatMap(({ holder, ids = [] }) => (ids.length > 0 ? [{ holder, ids }] : []))
  const [first] = linked
  if (!first) return
  await requireLinksInUse(ctx, await requireLinked(ctx, kind, [...new Set(linked.flatMap(({ ids }) => ids))]))
  await insertLinksOf(
    ctx,
    linksOf(first.holder, kind),
    linked.map(({ holder, ids }) => ({
      holder_id: holder.id,
      links: ids.map((id, n) => ({ id, role: null, is_primary: n === 0 })),
    })),
  )
}

type LinkedKind = 'contact' | 'account'

/** What is taken back goes back also where a record was archived since. */
const requireLinksInUse = async (ctx: TxCtx, records: readonly RecordLabel[]): Promise<void> => {
  if (ctx.recording?.takes_back || records.every(({ archived_at }) => archived_at === null)) return
  await requireRecordsInUse(
    ctx,
    records.filter(({ archived_at }) => archived_at !== null),
  )
}

const requireLinked = (ctx: Ctx, kind: LinkedKind, ids: string[]): Promise<RecordLabel[]> =>
  requireRecords(
    ctx,
    ids.map((id) => ({ kind, id })),
  ).catch((error: unknown) => {
    if (!(error instanceof DomainError) || error.kind !== 'not_found') throw error
    throw invalid(error.code, `/${kind}_ids`, error.message)
  })

const addLink = async (
  ctx: TxCtx,
  place: LinkPlace,
  links: HeldLink[],
  { role = null, is_primary = links.length === 0 }: LinkTerms,
  reason?: string,
): Promise<void> => {
  if (links.length >= MAX_LINKS) throw tooMany(place)
  const former = is_primary ? links.find((link) => link.is_primary) : undefined
  if (former) await setPrimary(ctx, place, null)
  await insertLinks(ctx, place, [{ id: place.member.id, role, is_primary }])
  await recordLinked(ctx, place, { role, is_primary }, former?.id, reason)
  raiseVersion(ctx, place)
}

const changeTerms = async (
  ctx: TxCtx,
  place: LinkPlace,
  before: HeldLink,
  links: HeldLink[],
  { role = before.role, is_primary = before.is_primary }: LinkTerms,
  reason?: string,
): Promise<void> => {
  const { holder, member } = place
  if (role !== before.role) {
    await updateRole(ctx, place, role)
    await recordChange(ctx, place, { field: 'role', before: before.role, after: role }, reason, {
      member,
      holder,
      terms: { role: before.role },
    })
  }
  if (is_primary !== before.is_primary) {
    const former = links.find((link) => link.is_primary)
    await setPrimary(ctx, place, is_primary ? member.id : null)
    await recordPrimary(ctx, place, former, is_primary ? member.id : null, reason)
  }
  if (role !== before.role || is_primary !== before.is_primary) raiseVersion(ctx, place)
}

const removeLink = async (
  ctx: TxCtx,
  place: LinkPlace,
  { role, is_primary }: HeldLink,
  reason?: string,
): Promise<void> => {
  await deleteLink(ctx, place)
  await recordActivity(ctx, {
    type: 'record_unlinked',
    subjects: subjectsOf(place),
    reason,
    data: {
      ...namesOf(place),
      role,
      is_primary,
      changes: [{ field: 'linked', before: true, after: false }],
      undo: linkAgain(place, { role, is_primary }),
    },
  })
}

const recordLinked = (
  ctx: TxCtx,
  place: LinkPlace,
  terms: { role: string | null; is_primary: boolean },
  next_primary_id: string | undefined,
  reason?: string,
): Promise<string> => {
  const [from, to] = subjectsOf(place)
  return recordActivity(ctx, {
    type: 'record_linked',
    subjects: subjectsOf(place),
    reason,
    data: {
      ...namesOf(place),
      ...terms,
      changes: [{ field: 'linked', before: false, after: true }],
      undo: {
        tool: 'unlink_records',
        input: { from, to, ...(next_primary_id ? { next_primary_id } : {}) },
      },
    },
  })
}

const recordPrimary = (
  ctx: TxCtx,
  place: LinkPlace,
  former: HeldLink | undefined,
  after: string | null,
  reason?: string,
): Promise<string> => {
  const { holder, member } = place
  const change = { field: `primary_${member.kind}_id`, before: former?.id ?? null, after }
  return recordChange(ctx, place, change, reason, {
    holder,
    member: { ...member, id: former?.id ?? member.id },
    terms: { is_primary: former !== undefined },
  })
}

const recordChange = (
  ctx: TxCtx,
  place: LinkPlace,
  change: Change,
  reason: string | undefined,
  { terms, ...again }: Pick<LinkPlace, 'holder' | 'member'> & { terms: LinkTerms },
): Promise<string> =>
  recordActivity(ctx, {
    type: 'record_updated',
    subjects: subjectsOf(place),
    reason,
    data: { ...namesOf(place), changes: [change], undo: linkAgain(again, terms) },
  })

const linkAgain = (place: Pick<LinkPlace, 'holder' | 'member'>, terms: LinkTerms): Inverse => {
  const [from, to] = subjectsOf(place)
  return { tool: 'link_records', input: { from, to, ...terms } }
}

const subjectsOf = ({ holder, member }: Pick<LinkPlace, 'holder' | 'member'>): [RecordRef, RecordRef] => [
  { kind: holder.kind, id: holder.id },
  { kind: member.kind, id: member.id },
]

const namesOf = ({ holder, member }: LinkPlace) => ({ from_name: holder.name, to_name: member.name })

const tooMany = ({ holder, member }: LinkPlace): DomainError =>
  new DomainError(
    'conflict',
    'too_many_links',
    `“${holder.name}” has ${MAX_LINKS} ${member.kind}s linked already. Unlink one first.`,
    { extra: { limit: MAX_LINKS } },
  )
