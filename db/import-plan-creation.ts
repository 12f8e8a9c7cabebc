import { domainOf } from './accounts.ts'
import { minorAmount } from './csv-money.ts'
import { DomainError } from './errors.ts'
import { type Linked, nearlyThere } from './import-associations.ts'
import { type Place, placeNamed } from './import-directory.ts'
import { at, CUSTOM, type RowTerms, type Spelled } from './import-drafts.ts'
import { kindOfImport } from './import-kinds.ts'
import { type Candidate, keysOfRecord } from './import-known.ts'
import type { PlannedRow, ReadRow } from './import-plan.ts'
import type { RowProblem } from './imports.ts'
import type { Warning } from './lead-fields.ts'
import { entryStage } from './pipelines.ts'
import type { ReadyFields } from './record-fields.ts'

/** A record as a row leaves it, for the rows after it. */
export type Afterwards = (terms: RowTerms) => {
  record: Record<string, unknown>
  is_open: boolean
  keys: string[]
}

/** A record that a row makes. */
export type PlannedCreation = {
  /** As `POST` takes it, but for what it is linked with. */
  input: Record<string, unknown>
  ready: ReadyFields
  extra: Record<string, unknown>
  accounts: Linked[]
  contacts: Linked[]
  /** How many acts of their own it takes, beside being written. */
  acts: number
  after: Afterwards
}

/** Plans the record that a row makes: at the entry of its pipeline, unless the row says where. */
export const planCreation = (
  terms: RowTerms,
  { draft, spelled, ready }: ReadRow,
  {
    accounts,
    contacts,
    problems: unlinked,
    holder,
    flagged,
  }: {
    accounts: Linked[]
    contacts: Linked[]
    problems: RowProblem[]
    holder: Candidate | undefined
    flagged: RowProblem | undefined
  },
): Pick<PlannedRow, 'result' | 'problems' | 'create'> => {
  const problems = [...unlinked]
  const { nameOf, blank } = kindOfImport(terms.kind)
  const values = { ...ready.values }
  const warnings = [...ready.warnings]
  const extra: Record<string, unknown> = { ...draft.extra }
  const amount = amountOf(terms, spelled, values['currency'], terms.currency)
  if (amount && 'problem' in amount) problems.push(amount.problem)
  else if (amount) Object.assign(values, amount.values)
  const place = placeOf(terms, spelled)
  if ('problem' in place) problems.push(place.problem)
  let name = ''
  try {
    name = nameOf(values)
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    problems.push({ code: error.code, message: error.message })
  }
  if (holder && flagged) {
    extra['external_id'] = values['external_id']
    delete values['external_id']
    warnings.push(taken(holder, extra['external_id']))
  } else if (holder)
    problems.push({
      ...at(terms, 'external_id'),
      code: 'external_id_taken',
      message: `“${holder.name}” has this external id already`,
    })
  if (problems.length > 0) return { result: 'error', problems }
  const at_place = 'value' in place ? place.value : undefined
  const custom = spelled.custom
  const input = {
    ...inputOf(values),
    ...(Object.keys(custom).length > 0 ? { custom } : {}),
    ...(at_place ? { pipeline_id: at_place.pipeline.id, stage_id: at_place.stage.id } : {}),
    ...(spelled.discard_reason_id ? { discard_reason_id: spelled.discard_reason_id } : {}),
    ...(spelled.discard_note ? { discard_note: spelled.discard_note } : {}),
  }
  const is_open = at_place === undefined || at_place.stage.kind === 'open'
  const record = {
    ...blank,
    currency: terms.currency,
    ...values,
    name,
    ...(terms.kind === 'contact' ? { contact_name: name } : {}),
    ...(terms.kind === 'account' ? { domain: domainOf(values['website']) } : {}),
    custom,
    pipeline_id: at_place?.pipeline.id,
    stage_id: at_place?.stage.id,
    ...(is_open ? {} : { discard_reason_id: spelled.discard_reason_id ?? null }),
    ...(is_open ? {} : { discard_note: spelled.discard_note ?? null }),
    account_ids: accounts.map(refOf),
    contact_ids: contacts.map(refOf),
  }
  return {
    result: 'create',
    problems: [
      ...(flagged ? [flagged] : []),
      ...warnings.map((warning) => warned(terms, warning)),
      ...nearlyThere(terms, [...accounts, ...contacts]),
    ],
    create: {
      input,
      ready: { values, warnings },
      extra,
      accounts,
      contacts,
      acts: is_open ? 0 : 1,
      after: (terms) => ({ record, is_open, keys: keysOfRecord(terms, keyed(record), is_open) }),
    },
  }
}

/** What a row says that is kept and not used, as its record is warned of it, too. */
export const warned = (terms: RowTerms, { field, message }: Warning): RowProblem => ({
  ...at(terms, field),
  code: field === 'external_id' ? 'external_id_taken' : `${field}_unreadable`,
  message,
})

/** How a linked record is called, whether it is there or not. */
export const refOf = (linked: Linked): string => ('id' in linked ? linked.id : linked.ref)

/** A record with its custom values under the names that rows have for them. */
export const keyed = (record: Record<string, unknown>): Record<string, unknown> => {
  const custom = record['custom']
  return custom !== null && typeof custom === 'object'
    ? {
        ...record,
        ...Object.fromEntries(Object.entries(custom).map(([key, value]) => [`${CUSTOM}${key}`, value])),
      }
    : record
}

/** An amount in minor units of its currency, or why it is none. */
export const amountOf = (
  terms: RowTerms,
  { money }: Pick<Spelled, 'money'>,
  row: unknown,
  fallback: string,
): { values: Record<string, unknown> } | { problem: RowProblem } | undefined => {
  if (money === undefined) return undefined
  const field = terms.kind === 'account' ? 'revenue' : 'value'
  const read = minorAmount(money, { row: typeof row === 'string' ? row : null, fallback })
  if ('value' in read) return { values: { [`${field}_minor`]: read.value, currency: read.currency } }
  const { message, nearest } = read
  return {
    problem: {
      ...at(terms, field),
      code: 'cell_invalid',
      message,
      ...(nearest === undefined ? {} : { nearest }),
    },
  }
}

/** Where a new card goes; undefined for what is no card. */
const placeOf = (
  terms: RowTerms,
  spelled: Spelled,
): { value: Place | undefined } | { problem: RowProblem } => {
  if (terms.kind === 'account' || terms.kind === 'contact') return { value: undefined }
  const named = placeNamed(terms.directory, spelled, undefined)
  if ('problem' in named) return { problem: located(terms, named.problem) }
  const [pipeline] = terms.directory.pipelines
  if (!named.value && !pipeline)
    return {
      problem: {
        code: 'pipeline_missing',
        message: `There is no pipeline for ${terms.kind}s. Set one up first`,
      },
    }
  const place = named.value ?? (pipeline && { pipeline, stage: entryStage(pipeline) })
  const problem = place && closingProblem(terms, spelled, place)
  return problem ? { problem } : { value: place }
}

/** What is wrong with closing a card there; a reason for a loss belongs to a loss, and may have to be said. */
export const closingProblem = (
  terms: RowTerms,
  spelled: Pick<Spelled, 'discard_reason_id' | 'discard_note'>,
  { pipeline, stage }: Place,
): RowProblem | undefined => {
  if (stage.kind !== 'lost') return discardProblem(terms, spelled, stage)
  if (spelled.discard_reason_id !== undefined || pipeline.lost_reason === 'optional') return undefined
  return {
    ...at(terms, 'discard_reason'),
    code: 'discard_reason_required',
    message: `“${stage.label}” is where cards are lost: say why in a column that is mapped to discard_reason, or as its default`,
    accepted: terms.directory.reasons.map(({ label }) => label),
  }
}

/** What is wrong with saying why a card is lost in a stage where none is. */
export const discardProblem = (
  terms: RowTerms,
  { discard_reason_id, discard_note }: Pick<Spelled, 'discard_reason_id' | 'discard_note'>,
  stage: Pick<Place['stage'], 'kind' | 'label'>,
): RowProblem | undefined => {
  if (discard_reason_id === undefined && !discard_note) return undefined
  const field = discard_reason_id === undefined ? 'discard_note' : 'discard_reason'
  return {
    ...at(terms, field),
    code: stage.kind === 'won' ? 'discard_reason_on_won' : 'discard_reason_on_open',
    message: `In “${stage.label}” a card is not lost, so it has no ${field.replace('_', ' ')}`,
    accepted: 'nothing, or a stage where cards are lost',
  }
}

/** A problem with the column that its field is mapped from. */
export const located = (terms: RowTerms, problem: RowProblem): RowProblem =>
  problem.field === undefined ? problem : { ...problem, ...at(terms, problem.field) }

/** What is set, as `POST` takes it: a telephone as it was written. */
const inputOf = ({ phone_original, ...values }: Record<string, unknown>): Record<string, unknown> => {
  const phone = phone_original ?? values['phone']
  return Object.fromEntries(
    Object.entries({ ...values, phone }).filter(([, value]) => value !== null && value !== undefined),
  )
}

const taken = ({ name }: Candidate, external_id: unknown): Warning => ({
  field: 'external_id',
  message: `“${String(external_id)}” belongs to “${name}”; it was kept but not used.`,
})
