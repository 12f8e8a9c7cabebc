import { aboutEntries, loggedTypes, toldOnCards } from './activity-types.ts'
import {
  accountFields,
  activityFields,
  campaignFields,
  contactFields,
  fileFields,
  noteFields,
  opportunityFields,
  submissionFields,
  taskFields,
  touchpointFields,
  type FilterFields,
  type FilterKind,
} from './filter-fields.ts'
import { aboutActivity, type About } from './reading.ts'
import type { RecordKind } from './records.ts'

/** How two records hang together: `through` is what stands between them, `via` the last of it, `on` joins. `a` is the outer, `b` the inner alias. */
type Way = { through?: string; on: (a: string, b: string) => string }

/** What is linked: by the first way, or by one of the others. */
type Link = Way & {
  kind: FilterKind
  others?: readonly Way[]
  /** Which of them count; `fields`, those of them that the filter names. */
  counts?: (b: string, fields: ReadonlySet<string>) => string
}

/** Where a kind of record is kept, and what it can be filtered by. */
type KindOfRecord = {
  table: string
  alias: string
  fields: FilterFields
  /** Which rows of the table are of this kind; several can each be read in the order of an index. */
  rows: readonly ((a: string) => string)[]
  /** Rows can be archived; a list shows those only when its filter asks. */
  archives: boolean
  links: Record<string, Link>
  /** Where it says which records it is about: it is read by whoever may read those. */
  about?: About
  custom: readonly RecordKind[]
  /** What a search looks through: the trigram index of these kinds, or these fields one after another. */
  search: { kinds: readonly RecordKind[] } | { texts: readonly string[] }
}

const card = {
  table: 'opportunities',
  alias: 'o',
  fields: opportunityFields,
  archives: true,
} as const

const bySubject = (through: string, id: string, kind: string) => ({
  through: `${through} via`,
  on: (a: string, b: string) =>
    `via.kind = ${kind.replace('$', a)} and via.subject_id = ${a}.id and ${b}.id = via.${id}`,
})

/** What every record has on it; `kind` is SQL for its kind, `$` its alias. `around` leads to what else its timeline tells. */
const onRecord = (kind: string, around: readonly Way[]): Record<string, Link> => {
  const directly = (a: string, b: string) =>
    `${b}.subject_kind = ${kind.replace('$', a)} and ${b}.subject_id = ${a}.id`
  return {
    tasks: { kind: 'task', ...bySubject('task_subjects', 'task_id', kind) },
    notes: { kind: 'note', on: directly },
    activities: {
      kind: 'activity',
      ...bySubject('activity_subjects', 'activity_id', kind),
      others: around,
      counts: (b, fields) =>
        `${stands(b)} and ${fields.has('type') ? 'true' : `${b}.type not in (${quoted(aboutEntries)})`}`,
    },
    files: { kind: 'file', on: directly },
  }
}

/** An entry that was deleted is none; as its newest revision says, of those that have any. */
const stands = (b: string) =>
  `(${b}.type not in (${quoted(loggedTypes)}) or coalesce((select r.data is not null from activity_revisions r
    where r.organization_id = ${b}.organization_id and r.activity_id = ${b}.id order by r.n desc limit 1), true))`

/** Names of ours as a list in SQL. */
export const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ')

/** To what happened to the records at the other end of links, as the timeline tells it: of these kinds, only these types. */
const happenedTo = (
  table: string,
  own: string,
  other: string,
  kinds: readonly string[],
  types?: readonly string[],
): Way => ({
  through: `${table} l join activity_subjects via on via.organization_id = l.organization_id and via.subject_id = l.${other}
    and via.kind in (${quoted(kinds)}) ${types ? `and via.type in (${quoted(types)})` : ''}`,
  on: (a, b) =>
    `l.organization_id = ${a}.organization_id and l.${own} = ${a}.id and ${b}.id = via.activity_id`,
})

const cards = ['lead', 'deal']

/** What was logged on its people and companies, and all of the lead that a deal came of. */
const aroundCard: readonly Way[] = [
  happenedTo('opportunity_contacts', 'opportunity_id', 'contact_id', ['contact'], toldOnCards),
  happenedTo('opportunity_accounts', 'opportunity_id', 'account_id', ['account'], toldOnCards),
  {
    through: 'activity_subjects via',
    on: (a, b) => `via.kind = 'lead' and via.subject_id = ${a}.source_lead_id and ${b}.id = via.activity_id`,
  },
]

const aroundCompany: Record<'account' | 'contact', readonly Way[]> = {
  contact: [happenedTo('opportunity_contacts', 'contact_id', 'opportunity_id', cards)],
  account: [
    happenedTo('account_contacts', 'account_id', 'contact_id', ['contact']),
    happenedTo('opportunity_accounts', 'account_id', 'opportunity_id', cards),
  ],
}

const cardLinks: Record<string, Link> = {
  contacts: {
    kind: 'contact',
    through: 'opportunity_contacts via',
    on: (a, b) => `via.opportunity_id = ${a}.id and ${b}.id = via.contact_id`,
  },
  accounts: {
    kind: 'account',
    through: 'opportunity_accounts via',
    on: (a, b) => `via.opportunity_id = ${a}.id and ${b}.id = via.account_id`,
  },
  leads: { kind: 'lead', on: (a, b) => `${b}.id = ${a}.source_lead_id` },
  deals: { kind: 'deal', on: (a, b) => `${b}.source_lead_id = ${a}.id` },
  submissions: { kind: 'submission', on: (a, b) => `${b}.lead_id = ${a}.id` },
  touchpoints: { kind: 'touchpoint', on: (a, b) => `${b}.lead_id = coalesce(${a}.source_lead_id, ${a}.id)` },
  ...onRecord('$.kind', aroundCard),
}

const companyLinks = (own: 'account' | 'contact'): Record<string, Link> => {
  const ofCards = {
    through: `opportunity_${own}s via`,
    on: (a: string, b: string) => `via.${own}_id = ${a}.id and ${b}.id = via.opportunity_id`,
  }
  const other = own === 'account' ? 'contact' : 'account'
  return {
    [`${other}s`]: {
      kind: other,
      through: 'account_contacts via',
      on: (a, b) => `via.${own}_id = ${a}.id and ${b}.id = via.${other}_id`,
    },
    leads: { kind: 'lead', ...ofCards },
    deals: { kind: 'deal', ...ofCards },
    ...onRecord(`'${own}'`, aroundCompany[own]),
  }
}

const plain = { rows: [() => 'true'], archives: true, links: {}, custom: [] } as const

/** Everything that the filter language knows. */
export const filterKinds: Record<FilterKind, KindOfRecord> = {
  lead: {
    ...card,
    rows: [(a) => `${a}.kind = 'lead'`],
    links: cardLinks,
    custom: ['lead'],
    search: { kinds: ['lead'] },
  },
  deal: {
    ...card,
    rows: [(a) => `${a}.kind = 'deal'`],
    links: cardLinks,
    custom: ['deal'],
    search: { kinds: ['deal'] },
  },
  opportunity: {
    ...card,
    rows: [(a) => `${a}.kind = 'lead'`, (a) => `${a}.kind = 'deal'`],
    links: cardLinks,
    custom: ['lead', 'deal'],
    search: { kinds: ['lead', 'deal'] },
  },
  account: {
    ...plain,
    table: 'accounts',
    alias: 'c',
    fields: accountFields,
    links: companyLinks('account'),
    custom: ['account'],
    search: { kinds: ['account'] },
  },
  contact: {
    ...plain,
    table: 'contacts',
    alias: 'p',
    fields: contactFields,
    links: companyLinks('contact'),
    custom: ['contact'],
    search: { kinds: ['contact'] },
  },
  task: {
    ...plain,
    table: 'tasks',
    alias: 't',
    fields: taskFields,
    about: { table: 'task_subjects', id: 'task_id' },
    search: { texts: ['title', 'description'] },
  },
  note: {
    ...plain,
    table: 'notes',
    alias: 'n',
    fields: noteFields,
    about: { column: 'subject_kind' },
    search: { texts: ['body'] },
  },
  activity: {
    ...plain,
    table: 'activities',
    alias: 'y',
    archives: false,
    fields: activityFields,
    about: aboutActivity,
    search: { texts: ['actor_name', 'reason'] },
  },
  file: {
    ...plain,
    table: 'files',
    alias: 'f',
    fields: fileFields,
    about: { column: 'subject_kind' },
    search: { texts: ['name'] },
  },
  submission: {
    ...plain,
    table: 'submissions',
    alias: 'b',
    archives: false,
    fields: submissionFields,
    search: { texts: ['door'] },
  },
  touchpoint: {
    ...plain,
    table: 'touchpoints',
    alias: 'h',
    archives: false,
    fields: touchpointFields,
    search: { texts: ['campaign', 'source'] },
  },
  campaign: {
    ...plain,
    table: 'campaigns',
    alias: 'g',
    fields: campaignFields,
    search: { texts: ['name', 'slug', 'channel', 'description'] },
  },
}
