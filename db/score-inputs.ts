import { minorUnits } from './exchange-rates.ts'
import { companyDomain } from './lead-keys.ts'
import type { Fact, Opportunity } from './opportunities.ts'
import type { Countable } from './score-definition.ts'
import {
  emailKindOf,
  emailKinds,
  type Found,
  seniorities,
  seniorityOf,
  signals,
  sourceKindOf,
  sourceKinds,
} from './score-signals.ts'
import { clip } from './text.ts'

/** What kind of value something is: it says which cases can be asked of it. */
export type InputKind = 'text' | 'choice' | 'choices' | 'number' | 'date' | 'stage' | 'words'

/**
 * A lead as it is scored. What is absent is not known here, so that no factor speaks of it; null is blank.
 */
export type ScorableLead = Pick<
  Opportunity,
  | 'contact_name'
  | 'company_name'
  | 'title'
  | 'email'
  | 'phone'
  | 'website'
  | 'industry'
  | 'message'
  | 'source'
  | 'value_minor'
> &
  Partial<
    Pick<
      Opportunity,
      'city' | 'state' | 'country' | 'campaign' | 'landing_page' | 'currency' | 'tags' | 'expected_close_on'
    >
  > & {
    enrichment: { summary: string; facts: Fact[] } | null
    door?: string
    stage?: { id: string; label: string; kind: string }
    created_at?: Date
    stage_entered_at?: Date
    /** The last time that it did something itself, or somebody spoke with it; at first, when it came. */
    last_activity?: Date
    /** By key; null is blank, an archived field is absent, a day is a `Date`. */
    custom?: Record<string, unknown>
    /** By `countKey`. */
    counts?: Record<string, number>
  }

/** A lead of which nothing was said. */
export const blankLead: ScorableLead = {
  contact_name: null,
  company_name: null,
  title: null,
  email: null,
  phone: null,
  website: null,
  industry: null,
  message: null,
  source: null,
  value_minor: null,
  city: null,
  state: null,
  country: null,
  campaign: null,
  landing_page: null,
  expected_close_on: null,
  enrichment: null,
}

/** Where a value of a lead is read from, for whoever reads many leads at once. */
export type InputNeed = keyof ScorableLead

/** Something that a factor can look at. */
export type Input = {
  label: string
  kind: InputKind
  description?: string
  /** What it can be, where that is known. */
  choices?: readonly string[]
  needs: readonly InputNeed[]
  /** Undefined: not known; null: blank. */
  read: (lead: ScorableLead) => Found | null | undefined
}

/** The name of a count in `counts`. */
export const countKey = (count: Countable, days: number | undefined): string => `${count}:${days ?? 'ever'}`

const FOUND_LENGTH = 300

const asText = (value: string | null | undefined): Found | null | undefined =>
  value === undefined ? undefined : value ? { value, found: clip(value, FOUND_LENGTH) } : null

const asNumber = (value: number | null | undefined): Found | null | undefined =>
  value === undefined ? undefined : value === null ? null : { value, found: String(value) }

const asDate = (value: Date | string | null | undefined): Found | null | undefined => {
  if (value === undefined) return undefined
  const at = value === null ? Number.NaN : new Date(value).getTime()
  return Number.isNaN(at) ? null : { value: at, found: new Date(at).toISOString().slice(0, 10), is_day: true }
}

type TextField =
  | 'contact_name'
  | 'company_name'
  | 'title'
  | 'email'
  | 'phone'
  | 'website'
  | 'city'
  | 'state'
  | 'country'
  | 'industry'
  | 'message'
  | 'source'
  | 'campaign'
  | 'landing_page'
  | 'currency'
  | 'door'

const text = (field: TextField, label: string): [string, Input] => [
  field,
  { label, kind: 'text', needs: [field], read: (lead) => asText(lead[field]) },
]

const date = (
  field: 'created_at' | 'stage_entered_at' | 'last_activity' | 'expected_close_on',
  label: string,
  description: string,
): [string, Input] => [
  field,
  { label, kind: 'date', description, needs: [field], read: (lead) => asDate(lead[field]) },
]

const derived = (name: string, input: Input): [string, Input] => [name, input]

const factOf = ({ enrichment }: ScorableLead, key: string): string | null =>
  enrichment?.facts.find((fact) => fact.key === key)?.value ?? null

/**
 * The number in a text, such as a size that a website states: of “11–50 employees” the lower one, “1,200” and “1.200” are
 * 1200; null where there is none.
 */
const numberIn = (text: string): number | null => {
  const [found] = /\d{1,3}(?:[.,' ]\d{3})+(?!\d)|\d{1,12}(?:\.\d{1,4})?/.exec(text) ?? []
  if (found === undefined) return null
  return Number(/^\d{1,3}(?:[.,' ]\d{3})+$/.test(found) ? found.replaceAll(/[.,' ]/g, '') : found)
}

const sizeOf = (said: string | null): Found | null => {
  const number = said === null ? null : numberIn(said)
  return number === null ? null : { value: number, found: clip(said ?? '', FOUND_LENGTH) }
}

/** What websites are read for, and how it can be compared. */
const factKinds: Readonly<Record<string, InputKind>> = {
  company_name: 'text',
  description: 'text',
  industry: 'text',
  email: 'choices',
  phone: 'choices',
  street: 'text',
  city: 'text',
  state: 'text',
  postal_code: 'text',
  country: 'text',
  social_link: 'choices',
  technology: 'choices',
  founded_year: 'number',
  employee_count: 'number',
  offer: 'choices',
}

/** What a website said under this key. */
const factInput = (key: string, kind: InputKind): Input => ({
  label: `Website: ${key.replaceAll('_', ' ')}`,
  kind,
  needs: ['enrichment'],
  read: (lead) => {
    if (kind === 'number') return sizeOf(factOf(lead, key))
    if (kind === 'text') return asText(factOf(lead, key))
    const values = (lead.enrichment?.facts ?? []).filter((fact) => fact.key === key).map(({ value }) => value)
    return values.length > 0 ? { value: values, found: clip(values.join(', '), FOUND_LENGTH) } : null
  },
})

/** Everything of a lead that has a name of its own; custom fields come by theirs. */
export const inputs: Readonly<Record<string, Input>> = Object.fromEntries([
  text('source', 'Source'),
  text('campaign', 'Campaign'),
  text('landing_page', 'Landing page'),
  text('door', 'Door it came in by'),
  text('contact_name', 'Name'),
  text('company_name', 'Company'),
  text('title', 'Job title'),
  text('email', 'E-mail address'),
  text('phone', 'Phone'),
  text('website', 'Website'),
  text('city', 'City'),
  text('state', 'State'),
  text('country', 'Country'),
  text('industry', 'Industry'),
  text('message', 'Message'),
  text('currency', 'Currency'),
  derived('tags', {
    label: 'Tags',
    kind: 'choices',
    needs: ['tags'],
    read: ({ tags }) =>
      tags === undefined ? undefined : tags.length > 0 ? { value: tags, found: tags.join(', ') } : null,
  }),
  derived('stage', {
    label: 'Stage',
    kind: 'stage',
    description: 'Stages by id, or by label: all stages of lead pipelines that are called so.',
    needs: ['stage'],
    read: ({ stage }) => stage && { value: stage.id, found: stage.label },
  }),
  derived('value_minor', {
    label: 'Expected value in minor units',
    kind: 'number',
    needs: ['value_minor'],
    read: ({ value_minor }) => asNumber(value_minor),
  }),
  derived('value', {
    label: 'Expected value, in its own currency',
    kind: 'number',
    needs: ['value_minor', 'currency'],
    read: ({ value_minor, currency }) => {
      if (currency === undefined) return undefined
      return asNumber(value_minor === null ? null : value_minor / 10 ** minorUnits(currency))
    },
  }),
  derived('message_length', {
    label: 'Length of the message in characters',
    kind: 'number',
    needs: ['message'],
    read: ({ message }) => asNumber(message?.length ? message.length : null),
  }),
  derived('email_kind', {
    label: 'Kind of the e-mail domain',
    kind: 'choice',
    choices: emailKinds,
    needs: ['email'],
    read: ({ email }) => emailKindOf(email) ?? null,
  }),
  derived('seniority', {
    label: 'What the job title says of who buys',
    kind: 'choice',
    choices: seniorities,
    needs: ['title'],
    read: ({ title }) => seniorityOf(title) ?? null,
  }),
  derived('source_kind', {
    label: 'How warm the source is',
    kind: 'choice',
    choices: sourceKinds,
    needs: ['source'],
    read: ({ source }) => sourceKindOf(source) ?? null,
  }),
  derived('website_known', {
    label: 'What is known of the website',
    kind: 'choice',
    description: '`read`: its pages were read; `domain`: the company’s domain is known.',
    choices: ['read', 'domain'],
    needs: ['enrichment', 'website', 'email'],
    read: (lead) => {
      if (lead.enrichment) return { value: 'read', found: lead.enrichment.summary.slice(0, 120) }
      const domain = companyDomain(lead)
      return domain ? { value: 'domain', found: domain } : null
    },
  }),
  derived('known_industry', {
    label: 'Industry, as given or as its website says',
    kind: 'text',
    needs: ['industry', 'enrichment'],
    read: (lead) => asText(lead.industry ?? factOf(lead, 'industry')),
  }),
  derived('company_size', {
    label: 'People who work there, as the website says',
    kind: 'number',
    needs: ['enrichment'],
    read: (lead) => sizeOf(factOf(lead, 'employee_count')),
  }),
  ...Object.entries(factKinds).map(([key, kind]): [string, Input] => [`fact.${key}`, factInput(key, kind)]),
  date('created_at', 'When it came in', 'Days since.'),
  date('stage_entered_at', 'When it entered its stage', 'Days since.'),
  date('last_activity', 'Its last reply, call, meeting or submission', 'Days since.'),
  date('expected_close_on', 'Expected close', 'Days since: a day that is still to come is below 0.'),
  ...Object.entries(signals).map(([name, { label, description, counts, find }]): [string, Input] => [
    `signal.${name}`,
    {
      label,
      description,
      kind: counts ? 'number' : 'words',
      needs: ['message', 'contact_name'],
      read: (lead) => find(lead) ?? null,
    },
  ]),
])

/** The value of a custom field of leads. */
export const customReader =
  (key: string) =>
  ({ custom }: ScorableLead): Found | null | undefined => {
    const value = custom?.[key]
    if (value === undefined || value === null) return value
    if (value instanceof Date) return asDate(value)
    if (typeof value === 'number') return asNumber(value)
    if (typeof value === 'string') return asText(value)
    const values = Array.isArray(value) ? value.map(String) : []
    return values.length > 0 ? { value: values, found: values.join(', ') } : null
  }
