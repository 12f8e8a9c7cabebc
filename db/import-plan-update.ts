import { domainOf } from './accounts.ts'
import type { Change } from './activities.ts'
import { newlyLinked, saidOfMove } from './import-plan-acts.ts'
import { type Linked, nearlyThere, resolveAssociations } from './import-associations.ts'
import { type Place, placeNamed } from './import-directory.ts'
import { at, CUSTOM, type Draft, type RowTerms, shapes, spell, type Spelled } from './import-drafts.ts'
import { candidateOf } from './import-foresight.ts'
import type { StandingRecord } from './import-kinds.ts'
import { keyOf, keysOfRecord } from './import-known.ts'
import type { LookedUp, PlannedRow, ReadRow } from './import-plan.ts'
import {
  type Afterwards,
  amountOf,
  closingProblem,
  discardProblem,
  keyed,
  located,
  warned,
} from './import-plan-creation.ts'
import type { RowProblem } from './imports.ts'
import { countryCode } from './lead-fields.ts'
import { normaliseFields } from './record-fields.ts'

/** What a row changes of a record that is there. */
export type PlannedUpdate = {
  /** As it was read; what an earlier row of the same import left is never written from here. */
  before: StandingRecord | undefined
  values: Record<string, unknown>
  custom: Record<string, unknown>
  /** To be linked, beside what is, or to become the primary. */
  accounts: Linked[]
  contacts: Linked[]
  /** Which of these become the primary. */
  primaries: string[]
  move:
    | { stage_id: string; pipeline_id: string; discard_reason_id?: string; discard_note?: string }
    | undefined
  acts: number
  /** What these acts change, as the row tells it beside the values. */
  said: Change[]
  after: Afterwards
}

/** Always has a value: a blank cell does not empty it. */
const NEVER_EMPTY = new Set(['name', 'currency', 'lifecycle'])

/**
 * Plans what a row changes of the record that it means: fields that say something else, records that it is not linked with
 * yet, another stage. Blank cells change nothing unless that is asked for.
 */
export const planUpdate = (
  terms: RowTerms,
  { draft }: ReadRow,
  ref: string,
  found: LookedUp,
): Pick<PlannedRow, 'result' | 'problems' | 'update'> => {
  const foreseen = found.foresight.of(ref)
  const standing = found.standing.get(ref)
  const record: Record<string, unknown> | undefined = foreseen?.record() ?? standing
  if (!record) throw new Error(`record ${ref} was found and cannot be read`)
  const spelled = spell(terms, draft.own)
  const problems: RowProblem[] = []
  const { values, unread } = valuesOf(terms, spelled, draft, record)
  const amount = amountOf(terms, spelled, values['currency'], String(record['currency']))
  if (amount && 'problem' in amount) problems.push(amount.problem)
  else if (amount) Object.assign(values, amount.values)
  const own_custom = (record['custom'] ?? {}) as Record<string, unknown>
  const custom = { ...spelled.custom, ...erasedCustom(terms, draft) }
  const linked = resolveAssociations(terms, spelled, found)
  problems.push(...linked.problems)
  const is_open = foreseen?.is_open ?? isOpen(record)
  const place = movedTo(terms, spelled, record)
  if ('problem' in place) problems.push(place.problem)
  else Object.assign(values, place.discard)
  const taken = takenId(terms, values, record, ref, found)
  if (taken) problems.push(taken)
  if (problems.length > 0) return { result: 'error', problems }
  const move = 'value' in place ? place.value : undefined
  const changed = differing(values, record)
  const changed_custom = differing(custom, own_custom)
  const accounts = newlyLinked('account', linked.accounts, record['account_ids'])
  const contacts = newlyLinked('contact', linked.contacts, record['contact_ids'])
  const acts = accounts.links.length + contacts.links.length + (move ? 1 : 0)
  if (acts + Object.keys(changed).length + Object.keys(changed_custom).length === 0)
    return {
      result: 'skip',
      problems: unread ?? [{ code: 'unchanged', message: 'The record says all of this already.' }],
    }
  const after: Afterwards = (terms) => {
    const open_after = move ? move.stage.kind === 'open' : is_open
    const left: Record<string, unknown> = {
      ...relevant(terms, record),
      ...changed,
      custom: { ...own_custom, ...changed_custom },
      ...(move ? { pipeline_id: move.pipeline.id, stage_id: move.stage.id } : {}),
      ...(move ? discardAfter(open_after, spelled) : {}),
      account_ids: accounts.after,
      contact_ids: contacts.after,
    }
    if (terms.kind === 'contact') left['contact_name'] = left['name']
    if (terms.kind === 'account') left['domain'] = domainOf(left['website'])
    return { record: left, is_open: open_after, keys: keysOfRecord(terms, keyed(left), open_after) }
  }
  return {
    result: 'update',
    problems: [...(unread ?? []), ...nearlyThere(terms, [...accounts.links, ...contacts.links])],
    update: {
      before: standing,
      values: changed,
      custom: changed_custom,
      accounts: accounts.links,
      contacts: contacts.links,
      primaries: [accounts.primary, contacts.primary].filter((one) => one !== undefined),
      move: move && {
        stage_id: move.stage.id,
        pipeline_id: move.pipeline.id,
        ...(spelled.discard_reason_id ? { discard_reason_id: spelled.discard_reason_id } : {}),
        ...(spelled.discard_note ? { discard_note: spelled.discard_note } : {}),
      },
      acts,
      said: [...(move ? saidOfMove(terms, record, move) : []), ...accounts.said, ...contacts.said],
      after,
    },
  }
}

/** Why it is lost, when it was moved. */
const discardAfter = (is_open: boolean, { discard_reason_id, discard_note }: Spelled) => ({
  discard_reason_id: is_open ? null : (discard_reason_id ?? null),
  discard_note: is_open ? null : (discard_note ?? null),
})

/** What a row sets, ready for the columns. */
const valuesOf = (
  terms: RowTerms,
  { fields }: Spelled,
  { blank }: Draft,
  record: Record<string, unknown>,
): { values: Record<string, unknown>; unread: RowProblem[] | undefined } => {
  const shape = shapes[terms.kind]
  const own = typeof record['country'] === 'string' ? countryCode(record['country']) : null
  const { values, warnings } = normaliseFields(fields, shape, own ?? terms.country)
  // The same number, written another way.
  if (values['phone'] && values['phone'] === record['phone']) {
    delete values['phone']
    delete values['phone_original']
  }
  let unread: RowProblem[] | undefined
  if (values['phone_original'] !== record['phone_original'] && warnings.length > 0) {
    // A file that has "call later" where a number was does not know better than the number.
    const stays = typeof record['phone'] === 'string' ? record['phone'] : undefined
    if (stays !== undefined) {
      delete values['phone']
      delete values['phone_original']
    }
    unread = warnings.map(({ field, message }) =>
      warned(terms, { field, message: stays === undefined ? message : `${message} ${stays} stays.` }),
    )
  }
  if (!terms.request.erase_blanks) return { values, unread }
  for (const field of blank) {
    const column = ERASED[field] ?? field
    if (!Object.hasOwn(shape, column) || NEVER_EMPTY.has(column) || column in values) continue
    values[column] = column === 'tags' ? [] : null
    if (column === 'phone') values['phone_original'] = null
  }
  return { values, unread }
}

/** The column that a target fills under another name. */
const ERASED: Record<string, string> = { owner: 'owner_id', value: 'value_minor', revenue: 'revenue_minor' }

const erasedCustom = ({ request }: RowTerms, { blank }: Draft): Record<string, null> =>
  request.erase_blanks
    ? Object.fromEntries(
        blank.flatMap((field) => (field.startsWith(CUSTOM) ? [[field.slice(CUSTOM.length), null]] : [])),
      )
    : {}

/** What says something else than the record does. */
const differing = (
  values: Record<string, unknown>,
  record: Record<string, unknown>,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).filter(
      ([field, value]) => JSON.stringify(settled(record[field])) !== JSON.stringify(settled(value)),
    ),
  )

/** No choice is as good as none. */
const settled = (value: unknown): unknown =>
  value === undefined || value === '' || (Array.isArray(value) && value.length === 0) ? null : value

const isOpen = ({ stage }: Record<string, unknown>): boolean =>
  stage === undefined || (stage as { kind: string }).kind === 'open'

/** Where a row takes the card, if elsewhere; what it says of a loss must fit where it goes, or corrects it where it is. */
const movedTo = (
  terms: RowTerms,
  spelled: Spelled,
  record: Record<string, unknown>,
): { value: Place | undefined; discard?: Record<string, string> } | { problem: RowProblem } => {
  if (terms.kind === 'account' || terms.kind === 'contact') return { value: undefined }
  const { pipelines } = terms.directory
  const pipeline = pipelines.find(({ id }) => id === (record['pipeline_id'] ?? pipelines[0]?.id))
  const named = placeNamed(terms.directory, spelled, pipeline)
  if ('problem' in named) return { problem: located(terms, named.problem) }
  const place = named.value
  if (place && place.stage.id !== record['stage_id']) {
    const problem = closingProblem(terms, spelled, place)
    return problem ? { problem } : { value: place }
  }
  const standing = pipeline?.stages.find(({ id }) => id === record['stage_id']) ?? record['stage']
  const stage = standing as Place['stage'] | undefined
  const { discard_reason_id, discard_note } = spelled
  if (stage?.kind === 'lost')
    return {
      value: undefined,
      discard: {
        ...(discard_reason_id ? { discard_reason_id } : {}),
        ...(discard_note ? { discard_note } : {}),
      },
    }
  const problem = stage && discardProblem(terms, spelled, stage)
  return problem ? { problem } : { value: undefined }
}

/** @returns why another record's external id cannot be had */
const takenId = (
  terms: RowTerms,
  values: Record<string, unknown>,
  record: Record<string, unknown>,
  ref: string,
  { candidates, foresight }: LookedUp,
): RowProblem | undefined => {
  const value = values['external_id']
  if (typeof value !== 'string' || value === record['external_id']) return undefined
  const key = keyOf({ by: 'external_id', value })
  const holders = [
    ...foresight.withKey(key).map((one) => candidateOf(one)),
    ...(candidates.get(key) ?? []).filter(({ id }) => foresight.of(id) === undefined),
  ]
  const holder = holders.find(({ id }) => id !== ref)
  return (
    holder && {
      ...at(terms, 'external_id'),
      code: 'external_id_taken',
      message: `“${holder.name}” has this external id already`,
    }
  )
}

/** What later rows can ask of a record: what an import sets, and who it is. */
const relevant = ({ kind }: RowTerms, record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    [...Object.keys(shapes[kind]), ...BESIDE].flatMap((field) =>
      record[field] === undefined ? [] : [[field, record[field]]],
    ),
  )

const BESIDE = [
  'phone_original',
  'pipeline_id',
  'stage_id',
  'discard_reason_id',
  'discard_note',
  'contact_name',
  'domain',
]
