import { z } from 'zod'
import { type Entry, EntryFields, entryReaders } from './address-book.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { writeCustomValues } from './custom-values.ts'
import { invalid } from './errors.ts'
import { Email, Line, type Warning } from './lead-fields.ts'
import { isPrimaryNow, linkedIds } from './link-tables.ts'
import { replaceLinks } from './links.ts'
import { mayRead } from './reading.ts'
import { originOf, readChange, writeChanges } from './record-changes.ts'
import { type Arrival, createEntries } from './record-creation.ts'
import { changeOf, ChangeTerms, CustomValues, LinkedIds, newOf, normaliseFields } from './record-fields.ts'
import { readSettings } from './settings.ts'

/** What a person is to the organization. */
export const contactLifecycles = ['lead', 'customer', 'partner', 'former_customer', 'other'] as const

/** The fields of a contact that people and systems write. */
export const ContactFields = z.object({
  name: Line(),
  /** What the person does: `Head of Operations`. */
  title: Line(),
  email: Email,
  ...EntryFields.shape,
  lifecycle: z.enum(contactLifecycles),
})

/** The companies of a person; the first one is the main one. */
const beside = { account_ids: LinkedIds.optional() }

export const NewContact = newOf({ ...ContactFields.shape, account_ids: LinkedIds, custom: CustomValues })
export type NewContact = z.infer<typeof NewContact>

/** A change of a contact: absent fields stay, null empties a field; `account_ids` replaces what is linked. */
export const ContactChange = changeOf(ContactFields).extend({ ...ChangeTerms, ...beside })
export type ContactChange = z.infer<typeof ContactChange>

/** A person, as it is answered everywhere. */
export type Contact = Entry & {
  title: string | null
  email: string | null
  lifecycle: (typeof contactLifecycles)[number]
  /** The main one first. */
  account_ids: string[]
  /** The main company; its name is for whoever may read accounts. */
  account: { id: string; name?: string } | null
}

/** How contacts are read; `contactReaders.source` and `present` are for narrower lists. */
export const contactReaders = entryReaders<Contact>(
  'contact',
  'p',
  (tx) => tx`
    p.title, p.email, p.lifecycle,
    ${linkedIds(tx, 'account_contacts', 'p')} as account_ids,
    (select jsonb_build_object('id', c.id, 'name', c.name) from account_contacts l
      join accounts c on c.organization_id = l.organization_id and c.id = l.account_id
      where l.organization_id = p.organization_id and l.contact_id = p.id
        and ${isPrimaryNow(tx, 'account_contacts', 'l', 'c')}) as account`,
  (ctx, { account }) => (account && !mayRead(ctx, 'account') ? { account: { id: account.id } } : {}),
)

/** One contact, archived or not. */
export const getContact = contactReaders.get

/** One contact that nobody else changes until the transaction ends. */
export const lockContact = contactReaders.lock

/** One page of contacts, the newest first unless another order is asked for. */
export const listContacts = contactReaders.list

/**
 * Makes a contact. One of the same e-mail address that is there already is told of in `warnings`, and stands in nobody's
 * way.
 * @throws {DomainError} `contact_unidentified`, `external_id_taken`, `owner_unknown`, `account_not_found`, and what custom
 * fields refuse
 */
export const createContact = (ctx: Ctx, input: NewContact): Promise<Contact> =>
  inTx(ctx, async (ctx) => {
    const known = await sameEmail(ctx, input.email)
    const [id = ''] = await createContacts(ctx, [{ input }])
    const contact = await getContact(ctx, id)
    return { ...contact, warnings: [...contact.warnings, ...known] }
  })

/** Makes many contacts with one statement per table; all of them or none. Answers their ids, in the same order. */
export const createContacts = (
  ctx: Ctx,
  entries: readonly { input: NewContact; from?: Arrival }[],
): Promise<string[]> =>
  inTx(ctx, async (ctx) => {
    const { default_country } = await readSettings(ctx)
    return createEntries(
      ctx,
      'contact',
      entries.map(({ input, from }) => {
        const { values } = normaliseFields(input, ContactFields.shape, default_country)
        const row = { lifecycle: 'lead', tags: [], ...values, name: nameOfContact(values) }
        return { input, values, from, row }
      }),
    )
  })

/**
 * Changes a contact: fields, custom values, companies, with before and after on its timeline.
 * @throws {DomainError} stale when `version` is not the current one, and whatever creation refuses
 */
export const updateContact = (ctx: Ctx, id: string, input: ContactChange): Promise<Contact> =>
  inTx(ctx, async (ctx) => {
    const { account_ids, custom, reason } = input
    const [before, { default_country }] = await Promise.all([lockContact(ctx, id), readSettings(ctx)])
    const values = await readChange(ctx, 'contact', before, input, ContactFields.shape, default_country)
    if (values['name'] === null) values['name'] = nameOfContact({ ...before, ...values })
    if (values['lifecycle'] === null) values['lifecycle'] = 'lead'
    await writeChanges(ctx, 'contact', before, {
      values,
      custom: custom && (await writeCustomValues(ctx, 'contact', id, custom)),
      origin: originOf(ctx),
      reason,
    })
    if (account_ids) await replaceLinks(ctx, { kind: 'contact', id }, 'account', account_ids, reason)
    return getContact(ctx, id)
  })

/**
 * What a person is called: by name, or by where they are reached.
 * @throws {DomainError} `contact_unidentified`
 */
export const nameOfContact = (values: Record<string, unknown>): string => {
  const name = ['name', 'email', 'phone', 'phone_original']
    .map((field) => values[field])
    .find((value): value is string => typeof value === 'string' && value !== '')
  if (name !== undefined) return name
  throw invalid(
    'contact_unidentified',
    '/name',
    'A contact needs a name, an e-mail address or a phone number; this one has none of them.',
  )
}

const sameEmail = async ({ tx, organization_id }: TxCtx, email: unknown): Promise<Warning[]> => {
  if (typeof email !== 'string') return []
  const [known] = await tx<{ id: string; name: string }[]>`
    select id, name from contacts
    where organization_id = ${organization_id} and email = ${email} and archived_at is null
    order by id limit 1`
  if (!known) return []
  return [{ field: 'email', message: `“${known.name}” has this e-mail address, too.`, record_id: known.id }]
}
