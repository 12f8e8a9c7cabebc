import { z } from 'zod'
import { AccountFields } from './accounts.ts'
import { ContactFields } from './contacts.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { fitsCustomField } from './custom-values.ts'
import { DomainError, invalid } from './errors.ts'
import { customFields } from './fields.ts'
import {
  accountsOf,
  type Candidate,
  contactsOf,
  lockCandidates,
  PLAINLY,
} from './lead-conversion-candidates.ts'
import {
  asStored,
  DealTerms,
  type Fields,
  given,
  planDeal,
  type PlannedDeal,
} from './lead-conversion-deal.ts'
import { companyDomain } from './lead-keys.ts'
import { getOpportunity, requireOpen, type Opportunity } from './opportunities.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import { requireRecord } from './records.ts'
import { readSettings } from './settings.ts'

/** Which account or contact the deal is to have: the one with this id, a new one, or none. */
const Choice = z
  .string()
  .refine((text) => text === 'create' || text === 'none' || z.uuid().safeParse(text).success, {
    error: 'an id, `create` or `none`',
  })

/** What a person may say of a conversion; whatever is not said is found by itself. */
export const ConversionTerms = z.object({
  /** Absent: the one that the lead is linked with or that is plainly the same, else a new one. */
  account: Choice.optional(),
  contact: Choice.optional(),
  /** Null makes no deal. */
  deal: DealTerms.nullable().optional(),
})
export type ConversionTerms = z.infer<typeof ConversionTerms>

/** What becomes of one of the records that a deal has. */
export type ConversionPart<Values> =
  | { act: 'create'; values: Values & { custom: Record<string, unknown> } }
  | ({ act: 'link' } & Candidate)

/** What converting a lead would do: read, and nothing is written. */
export type ConversionPlan = {
  lead: { id: string; name: string; version: number }
  account: ConversionPart<Fields<typeof AccountFields>> | null
  contact: ConversionPart<Fields<typeof ContactFields>> | null
  deal: PlannedDeal | null
  /** Others that could be meant, the likeliest first. */
  candidates: { account: Candidate[]; contact: Candidate[] }
  /** The lead's custom values: which new records take them; those that none takes stay on the lead. */
  custom: { key: string; label: string; value: unknown; to: ('account' | 'contact' | 'deal')[] }[]
  /** What no record takes that is made: it stays on the lead. */
  stays: { field: string; value: unknown }[]
}

/**
 * What converting a lead would create, and what it would link because it is there.
 * @param lock whoever looks for the same company or person waits until the transaction ends
 * @throws {DomainError} `lead_not_found`, `already_converted` with what came of it, `opportunity_closed`, `record_archived`,
 * `<kind>_not_found` for a chosen one, and what `planDeal` refuses
 */
export const planConversion = (
  ctx: Ctx,
  lead_id: string,
  terms: ConversionTerms = {},
  { lock = false }: { lock?: boolean } = {},
): Promise<ConversionPlan> =>
  inTx(ctx, async (ctx) => {
    const lead = await getOpportunity(ctx, lead_id, 'lead')
    requireConvertible(lead)
    if (lock) lockCandidates(ctx, lead)
    const [accounts, contacts, fields] = await Promise.all([
      accountsOf(ctx, lead),
      contactsOf(ctx, lead),
      customFields(ctx),
    ])
    const customFor = (kind: 'account' | 'contact' | 'deal'): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(lead.custom).filter(([key, value]) =>
          fields.some(
            (field) => field.record_kind === kind && field.key === key && fitsCustomField(field, value),
          ),
        ),
      )
    const { default_country } = await readSettings(ctx)
    const company = companyOf(lead)
    const account = await partOf(
      ctx,
      'account',
      terms.account,
      accounts,
      company && asStored(company, AccountFields.shape, default_country),
    )
    const contact = await partOf(
      ctx,
      'contact',
      terms.contact,
      contacts,
      asStored(personOf(lead), ContactFields.shape, default_country),
    )
    const parts = {
      account: account && withCustom(account, customFor('account')),
      contact: contact && withCustom(contact, customFor('contact')),
      deal: terms.deal === null ? null : await planDeal(ctx, lead, terms.deal, customFor('deal')),
    }
    const labels = new Map(
      fields.filter(({ record_kind }) => record_kind === 'lead').map(({ key, label }) => [key, label]),
    )
    return {
      lead: { id: lead.id, name: lead.name, version: lead.version },
      ...parts,
      candidates: {
        account: others(accounts, parts.account),
        contact: others(contacts, parts.contact),
      },
      custom: Object.entries(lead.custom).map(([key, value]) => ({
        key,
        label: labels.get(key) ?? key,
        value,
        to: (['account', 'contact', 'deal'] as const).filter((kind) => {
          const part = parts[kind]
          return part?.act === 'create' && key in part.values.custom
        }),
      })),
      stays: staying(lead, Object.values(parts)),
    }
  })

/** Fields of a lead that are called otherwise where they go. */
const CALLED: Record<string, string> = { contact_name: 'name', company_name: 'name' }

/** What the lead has and nothing that is made takes. */
const staying = (
  lead: Opportunity,
  parts: (ConversionPart<{ name: string }> | null)[],
): ConversionPlan['stays'] => {
  const made = parts.flatMap((part) =>
    part?.act === 'create' ? [part.values as Record<string, unknown>] : [],
  )
  return Object.keys(OpportunityFields.shape)
    .map((field) => ({ field, value: lead[field as keyof OpportunityFields] }))
    .filter(({ value }) => value !== null && (!Array.isArray(value) || value.length > 0))
    .filter(
      ({ field, value }) =>
        field !== 'name' &&
        !made.some((values) => field in values || values[CALLED[field] ?? field] === value),
    )
}

/** @throws {DomainError} `already_converted`, `record_archived`, `opportunity_closed` */
const requireConvertible = (lead: Opportunity): void => {
  const { name, converted, archived_at } = lead
  if (converted) {
    throw new DomainError('conflict', 'already_converted', `“${name}” was converted already.`, {
      extra: { ...converted },
    })
  }
  if (archived_at !== null)
    throw new DomainError('conflict', 'record_archived', `“${name}” is archived. Bring it back first.`)
  requireOpen(lead)
}

const partOf = async <Values extends { name: string }>(
  ctx: TxCtx,
  kind: 'account' | 'contact',
  choice: ConversionTerms['account'],
  candidates: Candidate[],
  values: Values | null,
): Promise<{ act: 'create'; values: Values } | ({ act: 'link' } & Candidate) | null> => {
  if (choice === 'none') return null
  if (choice !== undefined && choice !== 'create')
    return { act: 'link', ...(await chosen(ctx, kind, choice)) }
  const [same] = candidates.filter(({ because }) => PLAINLY.has(because))
  if (choice === undefined && same) return { act: 'link', ...same }
  if (values) return { act: 'create', values }
  if (choice === undefined) return null
  throw invalid('company_unnamed', '/account', 'The lead names no company: give it one first, or say `none`.')
}

/** @throws {DomainError} `<kind>_not_found`, `record_archived` */
const chosen = async (ctx: TxCtx, kind: 'account' | 'contact', id: string): Promise<Candidate> => {
  const { name, archived_at } = await requireRecord(ctx, { kind, id })
  if (archived_at === null) return { id, name, because: 'chosen' }
  throw invalid(
    'record_archived',
    `/${kind}`,
    `“${name}” is archived. Bring it back first, or choose another one.`,
  )
}

const withCustom = <Values extends object>(
  part: { act: 'create'; values: Values } | ({ act: 'link' } & Candidate),
  custom: Record<string, unknown>,
): ConversionPart<Values> =>
  part.act === 'create' ? { act: 'create', values: { ...part.values, custom } } : part

const others = (candidates: Candidate[], part: ConversionPart<object> | null): Candidate[] =>
  candidates.filter(({ id }) => part?.act !== 'link' || part.id !== id)

/** The lead's company; null when it names none. */
const companyOf = (lead: Opportunity): Fields<typeof AccountFields> | null => {
  const domain = companyDomain(lead)
  const named = lead.company_name ?? domain
  if (named === null) return null
  const { city, state, country, industry, source, owner_id, currency } = lead
  const website = lead.website ?? domain
  return given({ name: named, website, city, state, country, industry, source, owner_id, currency })
}

/** The lead's person: it has a name, an address or a number, or else it is known by what it is called. */
const personOf = (lead: Opportunity): Fields<typeof ContactFields> => {
  const { title, email, city, state, country, source, owner_id } = lead
  const phone = lead.phone_original ?? lead.phone
  const called = lead.contact_name ?? email ?? phone ?? lead.name
  return given({ name: called, title, email, phone, city, state, country, source, owner_id })
}
