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
import type { RecordKind } from './records.ts'

/** How records hang together: `through` is what stands between the two, `on` joins. `a` is the outer, `b` the inner alias. */
type Link = { kind: FilterKind; through?: string; on: (a: string, b: string) => string }

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
  through,
  on: (a: string, b: string) =>
    `via.kind = ${kind.replace('$', a)} and via.subject_id = ${a}.id and ${b}.id = via.${id}`,
})

/** What every record has on it; `kind` is SQL for its kind, `$` its alias. */
const onRecord = (kind: string): Record<string, Link> => {
  const directly = (a: string, b: string) =>
    `${b}.subject_kind = ${kind.replace('$', a)} and ${b}.subject_id = ${a}.id`
  return {
    tasks: { kind: 'task', ...bySubject('task_subjects', 'task_id', kind) },
    notes: { kind: 'note', on: directly },
    activities: { kind: 'activity', ...bySubject('activity_subjects', 'activity_id', kind) },
    files: { kind: 'file', on: directly },
  }
}

const cardLinks: Record<string, Link> = {
  contacts: {
    kind: 'contact',
    through: 'opportunity_contacts',
    on: (a, b) => `via.opportunity_id = ${a}.id and ${b}.id = via.contact_id`,
  },
  accounts: {
    kind: 'account',
    through: 'opportunity_accounts',
    on: (a, b) => `via.opportunity_id = ${a}.id and ${b}.id = via.account_id`,
  },
  leads: { kind: 'lead', on: (a, b) => `${b}.id = ${a}.source_lead_id` },
  deals: { kind: 'deal', on: (a, b) => `${b}.source_lead_id = ${a}.id` },
  submissions: { kind: 'submission', on: (a, b) => `${b}.lead_id = ${a}.id` },
  touchpoints: { kind: 'touchpoint', on: (a, b) => `${b}.lead_id = coalesce(${a}.source_lead_id, ${a}.id)` },
  ...onRecord('$.kind'),
}

const companyLinks = (own: 'account' | 'contact'): Record<string, Link> => {
  const cards = {
    through: `opportunity_${own}s`,
    on: (a: string, b: string) => `via.${own}_id = ${a}.id and ${b}.id = via.opportunity_id`,
  }
  const other = own === 'account' ? 'contact' : 'account'
  return {
    [`${other}s`]: {
      kind: other,
      through: 'account_contacts',
      on: (a, b) => `via.${own}_id = ${a}.id and ${b}.id = via.${other}_id`,
    },
    leads: { kind: 'lead', ...cards },
    deals: { kind: 'deal', ...cards },
    ...onRecord(`'${own}'`),
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
    search: { texts: ['title', 'description'] },
  },
  note: { ...plain, table: 'notes', alias: 'n', fields: noteFields, search: { texts: ['body'] } },
  activity: {
    ...plain,
    table: 'activities',
    alias: 'y',
    archives: false,
    fields: activityFields,
    search: { texts: ['actor_name', 'reason'] },
  },
  file: { ...plain, table: 'files', alias: 'f', fields: fileFields, search: { texts: ['name'] } },
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
