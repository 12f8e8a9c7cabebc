import type { TxCtx } from './context.ts'
import { companyDomain, isCalledOtherwise } from './lead-keys.ts'
import { recordNameKey } from './name-keys.ts'
import { lockNames } from './named-locks.ts'
import type { Opportunity } from './opportunities.ts'

/** What makes a record that is there the one that is meant, or possibly so: only the `plainly` ones are linked unasked. */
export const sameBecause = [
  'linked',
  'chosen',
  'same_email',
  'same_phone_and_name',
  'same_domain',
  'same_name',
  'same_phone',
  'same_name_other_domain',
] as const
export type SameBecause = (typeof sameBecause)[number]
export type Candidate = { id: string; name: string; because: SameBecause }

/** What is enough to link a record without asking. */
export const PLAINLY = new Set<SameBecause>([
  'linked',
  'same_email',
  'same_phone_and_name',
  'same_domain',
  'same_name',
])

/**
 * Has whoever looks for the same company or person wait until the transaction ends: of leads that are converted at the same
 * moment the first one makes the account and the contact, and the others find them.
 */
export const lockCandidates = (ctx: TxCtx, lead: Opportunity): void => {
  const domain = companyDomain(lead)
  // An account without a name of its own is called after its domain.
  const called = lead.company_name ?? domain
  lockNames(ctx, [
    ...(domain ? [`account domain ${domain}`] : []),
    ...(called ? [`account name ${recordNameKey(called)}`] : []),
    ...(lead.email ? [`contact email ${lead.email}`] : []),
    ...(lead.phone ? [`contact phone ${lead.phone}`] : []),
  ])
}

/** So many are offered. */
const OFFERED = 5

/** Accounts that may be the lead's company, the likeliest first. */
export const accountsOf = async (ctx: TxCtx, lead: Opportunity): Promise<Candidate[]> => {
  const { tx, organization_id } = ctx
  const { company_name } = lead
  const domain = companyDomain(lead)
  const [linked, alike, named] = await Promise.all([
    tx<{ id: string; name: string }[]>`
      select a.id, a.name from opportunity_accounts l
      join accounts a on a.organization_id = l.organization_id and a.id = l.account_id
      where l.organization_id = ${organization_id} and l.opportunity_id = ${lead.id} and a.archived_at is null
      order by l.is_primary desc, l.linked_at, a.id`,
    tx<{ id: string; name: string }[]>`
      select id, name from accounts where organization_id = ${organization_id} and domain = ${domain} and archived_at is null
      order by id limit ${OFFERED}`,
    company_name
      ? tx<{ id: string; name: string; domain: string | null }[]>`
          select id, name, domain from accounts
          where organization_id = ${organization_id} and name_key = ${recordNameKey(company_name)} and archived_at is null
          order by id limit ${OFFERED * 2}`
      : [],
  ])
  // One of the same name with another domain is another company until a person says otherwise.
  const [clear, doubtful] = [
    named.filter((account) => account.domain === null || domain === null || account.domain === domain),
    named.filter((account) => account.domain !== null && domain !== null && account.domain !== domain),
  ]
  return distinct([
    ...linked.map((one) => candidate(one, 'linked')),
    ...alike.map((one) => candidate(one, 'same_domain')),
    ...clear.map((one) => candidate(one, 'same_name')),
    ...doubtful.map((one) => candidate(one, 'same_name_other_domain')),
  ])
}

/** Contacts that may be the lead's person, the likeliest first. */
export const contactsOf = async ({ tx, organization_id }: TxCtx, lead: Opportunity): Promise<Candidate[]> => {
  const rows = await tx<(Candidate & { rank: number })[]>`
    (select c.id, c.name, 'linked' as because, 0 as rank from opportunity_contacts l
      join contacts c on c.organization_id = l.organization_id and c.id = l.contact_id
      where l.organization_id = ${organization_id} and l.opportunity_id = ${lead.id} and c.archived_at is null
      order by l.is_primary desc, l.linked_at, c.id)
    union all
    (select id, name, 'same_email', 1 from contacts
      where organization_id = ${organization_id} and email = ${lead.email} and archived_at is null
      order by id limit ${OFFERED})
    union all
    (select id, name, 'same_phone', 2 from contacts
      where organization_id = ${organization_id} and phone = ${lead.phone} and archived_at is null
      order by id limit ${OFFERED})
    order by rank`
  const { contact_name } = lead
  return distinct(
    rows.map((row) =>
      candidate(
        row,
        row.because === 'same_phone' && contact_name && !isCalledOtherwise(contact_name, row.name)
          ? 'same_phone_and_name'
          : row.because,
      ),
    ),
  )
}

const candidate = ({ id, name }: { id: string; name: string }, because: SameBecause): Candidate => ({
  id,
  name,
  because,
})

const distinct = (candidates: Candidate[]): Candidate[] =>
  candidates.filter(({ id }, n) => candidates.findIndex((other) => other.id === id) === n)
