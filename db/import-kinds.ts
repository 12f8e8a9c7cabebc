import { accountReaders, createAccounts, domainOf, type Account, type NewAccount } from './accounts.ts'
import { contactReaders, createContacts, type Contact, nameOfContact, type NewContact } from './contacts.ts'
import { sendStatement, type TxCtx } from './context.ts'
import { writeCustomValuesOf } from './custom-values.ts'
import { createDeals, nameOfDeal } from './deals.ts'
import { invalid } from './errors.ts'
import { createLeads, nameOfLead, requireIdentity } from './leads.ts'
import { type Opportunity, selectOpportunity } from './opportunities.ts'
import { refrozen } from './closing-corrections.ts'
import { writeOpportunities } from './opportunity-changes.ts'
import type { NewCard } from './opportunity-writing.ts'
import type { Origin } from './origins.ts'
import { type ValuesSet, writeChangesOf, type Written } from './record-changes.ts'
import type { Arrival } from './record-creation.ts'
import type { ReadyFields } from './record-fields.ts'
import { type RecordKind, tableOf } from './records.ts'

/** A record as it stands, whatever its kind. */
export type StandingRecord = Opportunity | Account | Contact

/** A record that a row makes, everything it is linked with being there. */
export type NewImported = {
  input: Record<string, unknown>
  ready: ReadyFields
  extra: Record<string, unknown>
  from: Arrival
}

/** What a row sets on a record that is there: values ready for their columns, custom values by key. */
export type ImportedSet = {
  before: StandingRecord
  values: Record<string, unknown>
  custom: Record<string, unknown>
  origin: Origin
  reason?: string | undefined
}

/** What an import has to know of a kind of record, beside what every record has. */
type KindOfImport = {
  /** What a record is called that has these values. @throws {DomainError} when it has nothing to be known by */
  nameOf: (values: Record<string, unknown>) => string
  /** What it has from the beginning, where nobody says otherwise. */
  blank: Record<string, unknown>
  create: (ctx: TxCtx, records: readonly NewImported[]) => Promise<string[]>
  read: (ctx: TxCtx, ids: readonly string[]) => Promise<StandingRecord[]>
  write: (ctx: TxCtx, sets: readonly (ValuesSet & { before: StandingRecord })[]) => Promise<Written[]>
}

const cardOf = ({ input, ready: { values, warnings }, extra, from }: NewImported): NewCard => ({
  input,
  ready: { values, warnings },
  origin: { ...from, extra },
})

const readCards = async ({ tx, organization_id }: TxCtx, ids: readonly string[]): Promise<Opportunity[]> => [
  ...(await tx<Opportunity[]>`
    ${selectOpportunity(tx)} where o.organization_id = ${organization_id} and o.id = any(${ids as string[]}::uuid[])`),
]

const kinds: Record<RecordKind, KindOfImport> = {
  lead: {
    nameOf: (values) => {
      requireIdentity(values)
      return nameOfLead(values)
    },
    blank: { tags: [] },
    create: async (ctx, records) => (await createLeads(ctx, records.map(cardOf))).map(({ id }) => id),
    read: readCards,
    write: (ctx, sets) => writeCards(ctx, 'lead', sets),
  },
  deal: {
    nameOf: nameOfDeal,
    blank: { tags: [], forecast_category: 'pipeline' },
    create: async (ctx, records) => (await createDeals(ctx, records.map(cardOf))).map(({ id }) => id),
    read: readCards,
    write: (ctx, sets) => writeCards(ctx, 'deal', sets),
  },
  account: {
    nameOf: ({ name }) => {
      if (typeof name === 'string' && name !== '') return name
      throw invalid('account_unnamed', '/name', 'An account always has a name.')
    },
    blank: { tags: [], lifecycle: 'prospect' },
    create: (ctx, records) =>
      createAccounts(
        ctx,
        records.map(({ input, from }) => ({ input: input as NewAccount, from })),
      ),
    read: async ({ tx, organization_id }, ids) => [
      ...(await tx<Account[]>`
        ${accountReaders.source.select(tx, tx`c.organization_id`)}
        where c.organization_id = ${organization_id} and c.id = any(${ids as string[]}::uuid[])`),
    ],
    write: (ctx, sets) =>
      writeChangesOf(
        ctx,
        'account',
        sets.map((set) =>
          'website' in set.values
            ? { ...set, values: { ...set.values, domain: domainOf(set.values['website']) } }
            : set,
        ),
      ),
  },
  contact: {
    nameOf: nameOfContact,
    blank: { tags: [], lifecycle: 'lead' },
    create: (ctx, records) =>
      createContacts(
        ctx,
        records.map(({ input, from }) => ({ input: input as NewContact, from })),
      ),
    read: async ({ tx, organization_id }, ids) => [
      ...(await tx<Contact[]>`
        ${contactReaders.source.select(tx, tx`p.organization_id`)}
        where p.organization_id = ${organization_id} and p.id = any(${ids as string[]}::uuid[])`),
    ],
    write: (ctx, sets) => writeChangesOf(ctx, 'contact', sets),
  },
}

/** What an import has to know of this kind. */
export const kindOfImport = (kind: RecordKind): Pick<KindOfImport, 'nameOf' | 'blank' | 'create'> =>
  kinds[kind]

/** Records as they stand; with `lock`, nobody else changes them until the transaction ends. */
export const readStanding = async (
  ctx: TxCtx,
  kind: RecordKind,
  ids: readonly string[],
  lock: boolean,
): Promise<Map<string, StandingRecord>> => {
  if (ids.length === 0) return new Map()
  const { tx, organization_id } = ctx
  if (lock)
    sendStatement(
      ctx,
      tx`
        select 1 from ${tx(tableOf[kind])} where organization_id = ${organization_id} and id = any(${ids as string[]}::uuid[])
        order by id for update`,
    )
  return new Map((await kinds[kind].read(ctx, ids)).map((record) => [record.id, record]))
}

/** Writes what rows set on records that are there and locked, each record once, with one statement per table. */
export const writeSets = async (
  ctx: TxCtx,
  kind: RecordKind,
  sets: readonly ImportedSet[],
): Promise<Written[]> => {
  if (sets.length === 0) return []
  const custom = await writeCustomValuesOf(
    ctx,
    kind,
    sets.map((set) => ({ id: set.before.id, custom: set.custom })),
  )
  return kinds[kind].write(
    ctx,
    sets.map((set, n) => ({ ...set, custom: custom[n] })),
  )
}

const writeCards = async (
  ctx: TxCtx,
  kind: Opportunity['kind'],
  sets: readonly (ValuesSet & { before: StandingRecord })[],
): Promise<Written[]> => {
  const cards = sets as readonly (ValuesSet & { before: Opportunity })[]
  const ready: (typeof cards)[number][] = []
  for (const card of cards)
    ready.push({ ...card, values: { ...card.values, ...(await refrozen(ctx, card.before, card.values)) } })
  return writeOpportunities(ctx, kind, ready)
}
