import type { TxCtx } from './context.ts'
import { at, type RowTerms, type Spelled } from './import-drafts.ts'
import type { Foresight } from './import-foresight.ts'
import { nearestTo, type NearNames, type UnknownName } from './import-near-names.ts'
import type { RowProblem } from './imports.ts'
import { companyDomain } from './lead-keys.ts'
import { Email } from './lead-fields.ts'
import { MAX_LINKS } from './links.ts'
import { bestNamed, recordNameKey } from './name-keys.ts'
import { clip } from './text.ts'

type AssociatedKind = 'account' | 'contact'

/** How a cell names an account or a contact. */
export type Reference = { kind: AssociatedKind; by: 'id' | 'domain' | 'email' | 'name'; value: string }

/** A record that a row is linked with: one that is there, or one that is made for it; `near` is there and called nearly so. */
export type Linked = ({ id: string } | { make: Reference; ref: string; near?: string }) & { name: string }

/** What the references of a piece can mean, by `nameOf`. */
export type Associates = Map<string, { id: string; name: string }[]>

const nameOf = (reference: Reference): string => `${reference.kind} ${reference.by} ${soughtAs(reference)}`

/** What its column holds. */
const soughtAs = ({ by, value }: Reference): string => (by === 'name' ? recordNameKey(value) : value)

/** Something that a cell names: what it can mean, the likeliest first. */
type Mention = { text: string; references: Reference[] }

/** What a cell names: one, or several parted by semicolons; one that holds a semicolon stands in quotes, or is somebody's name. */
const mentionsIn = (kind: AssociatedKind, text: string | undefined): { whole: Mention; parts: Mention[] } => {
  const items: string[] = []
  for (const [, quoted, bare = ''] of (text ?? '').matchAll(ITEMS)) {
    const item = quoted === undefined ? bare.trim() : quoted.replaceAll('""', '"')
    if (item !== '') items.push(item)
    // One too many is told of; more would only be looked up.
    if (items.length > MAX_LINKS) break
  }
  return { whole: mentionOf(kind, text ?? ''), parts: items.map((item) => mentionOf(kind, item)) }
}

const ITEMS = /\s*"((?:[^"]|"")*)"\s*(?=;|$)|([^;]+)/g

/** Every record that a cell may mean. */
export const referencesIn = (kind: AssociatedKind, text: string | undefined): Reference[] => {
  if (text === undefined) return []
  const { whole, parts } = mentionsIn(kind, text)
  return [whole, ...parts.filter((part) => part.text !== whole.text)].flatMap(({ references }) => references)
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const DOMAIN = /^(?:https?:\/\/)?[^\s/@]+\.[a-z]{2,}(?:[/:?].*)?$/i

const mentionOf = (kind: AssociatedKind, text: string): Mention => {
  if (UUID.test(text)) return { text, references: [{ kind, by: 'id', value: text.toLowerCase() }] }
  const email = Email.safeParse(text)
  const domain =
    kind === 'account'
      ? companyDomain(email.success ? { email: email.data } : { website: DOMAIN.test(text) ? text : null })
      : null
  const references: Reference[] = [{ kind, by: 'name', value: text }]
  if (kind === 'contact' && email.success) references.unshift({ kind, by: 'email', value: email.data })
  if (domain !== null) references.unshift({ kind, by: 'domain', value: domain })
  return { text, references }
}

/** Reads what these references mean in the record. */
export const readAssociates = async (ctx: TxCtx, references: readonly Reference[]): Promise<Associates> => {
  const { tx, organization_id } = ctx
  const groups = [...Map.groupBy(references, ({ kind, by }) => `${kind} ${by}`).values()]
  const found = await Promise.all(
    groups.map(async (among) => {
      const [{ kind, by } = { kind: 'account', by: 'name' }] = among
      const column = by === 'name' ? 'name_key' : by
      const values = [...new Set(among.map(soughtAs))]
      const rows = await tx<{ id: string; name: string; value: string }[]>`
        select id, name, ${tx(column)}::text as value from ${tx(`${kind}s`)}
        where organization_id = ${organization_id} and archived_at is null
          and ${tx(column)} = any(${values}::${by === 'id' ? tx`uuid[]` : tx`text[]`})
        order by id`
      return rows.map(({ id, name, value }) => ({ id, name, key: `${kind} ${by} ${value}` }))
    }),
  )
  return Map.groupBy(found.flat(), ({ key }) => key)
}

/** What a cell names that nobody is called. */
export const unknownNamesIn = (
  kind: AssociatedKind,
  text: string | undefined,
  associates: Associates,
): UnknownName[] => {
  if (text === undefined) return []
  const mentions = mentioned(kind, text, associates)
  return mentions.length > MAX_LINKS
    ? []
    : mentions.flatMap(({ text, references }) => {
        const by = references[0]?.by ?? 'id'
        return by === 'id' || references.some((reference) => associates.has(nameOf(reference)))
          ? []
          : [{ kind, text, by }]
      })
}

const mentioned = (kind: AssociatedKind, text: string, associates: Associates): readonly Mention[] => {
  const { whole, parts } = mentionsIn(kind, text)
  return isOne(whole, parts, associates) ? [whole] : parts
}

/** By what it is resolved. */
type Resolving = { associates: Associates; near: NearNames; foresight: Foresight }

/** What a row is linked with, or why that cannot be told; what nobody has is made where that is wanted. */
export const resolveAssociations = (
  terms: RowTerms,
  spelled: Spelled,
  { associates, near, foresight }: Resolving,
): { accounts: Linked[]; contacts: Linked[]; problems: RowProblem[] } => {
  const problems: RowProblem[] = []
  const resolve = (kind: AssociatedKind): Linked[] => {
    if (spelled[kind] === undefined) return []
    const mentions = mentioned(kind, spelled[kind], associates)
    if (mentions.length > MAX_LINKS) {
      problems.push({
        code: 'too_many_links',
        message: `This cell names more than ${MAX_LINKS} ${kind}s`,
        accepted: `at most ${MAX_LINKS} ${kind}s`,
        ...at(terms, kind),
      })
      return []
    }
    return mentions.flatMap((mention) => {
      const linked = resolveOne(terms, kind, mention, { associates, near, foresight })
      if (!('problem' in linked)) return [linked]
      problems.push({ ...linked.problem, ...at(terms, kind) })
      return []
    })
  }
  return { accounts: distinct(resolve('account')), contacts: distinct(resolve('contact')), problems }
}

/** Whether a cell names one although it could be parted: somebody is called exactly so. */
const isOne = (whole: Mention, parts: readonly Mention[], associates: Associates): boolean =>
  parts.length === 0 || exactlyNamed(whole, associates).length > 0

const exactlyNamed = ({ text, references }: Mention, associates: Associates) =>
  references
    .filter(({ by }) => by === 'name')
    .flatMap((reference) => associates.get(nameOf(reference)) ?? [])
    .filter(({ name }) => name === text)

const resolveOne = (
  { request }: RowTerms,
  kind: AssociatedKind,
  mention: Mention,
  { associates, near, foresight }: Resolving,
): Linked | { problem: RowProblem } => {
  const { text, references } = mention
  // A company may be called like another one's website.
  const [so_called, other] = exactlyNamed(mention, associates)
  if (so_called && !other) return so_called
  for (const reference of references) {
    const there = bestNamed(text, associates.get(nameOf(reference)) ?? [])
    const [first, second] = there
    if (first && second)
      return {
        problem: {
          code: `${kind}_ambiguous`,
          message: `“${clip(text, 80)}” can be any of ${there.length} ${kind}s. Write the id of the one that is meant`,
          accepted: there.slice(0, 10).map((one) => `${one.id} (${one.name})`),
        },
      }
    if (first) return first
    const ref = refOfMade(reference)
    if (foresight.isMade(ref)) return { make: reference, ref, name: reference.value }
  }
  const [make] = references
  const nearest = nearestTo(near, { kind, text })
  if (make && make.by !== 'id' && request.create_associations)
    return {
      make,
      ref: refOfMade(make),
      name: make.value,
      ...(nearest?.nearly ? { near: nearest.name } : {}),
    }
  return {
    problem: {
      code: `${kind}_unknown`,
      message: `There is no ${kind} “${clip(text, 80)}”`,
      accepted:
        kind === 'account'
          ? 'an id, a domain or a name of an account'
          : 'an id, an e-mail address or a name of a contact',
      ...(nearest ? { nearest: nearest.name } : {}),
    },
  }
}

/** What a row says of those that it makes although somebody is there who may be meant. */
export const nearlyThere = (terms: RowTerms, linked: readonly Linked[]): RowProblem[] =>
  linked.flatMap((one) =>
    'near' in one && one.near !== undefined
      ? [
          {
            ...at(terms, one.make.kind),
            code: `${one.make.kind}_nearly_known`,
            message: `This row makes a new ${one.make.kind} “${clip(one.name, 80)}”; there is “${clip(one.near, 80)}”.`,
            nearest: one.near,
          },
        ]
      : [],
  )

/** How a record is called that is made because rows name it. */
const refOfMade = (make: Reference): string => `made:${nameOf(make)}`

const distinct = (linked: readonly Linked[]): Linked[] => [
  ...new Map(linked.map((one) => ['id' in one ? one.id : one.ref, one])).values(),
]
