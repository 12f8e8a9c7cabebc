import type { TxCtx } from './context.ts'
import type { CsvRow } from './csv-rows.ts'
import {
  type Associates,
  readAssociates,
  referencesIn,
  resolveAssociations,
  unknownNamesIn,
} from './import-associations.ts'
import { placeNamed } from './import-directory.ts'
import { type Draft, readDraft, type RowTerms, shapes, spell, type Spelled } from './import-drafts.ts'
import { type Foresight, refOfRow } from './import-foresight.ts'
import { readStanding, type StandingRecord } from './import-kinds.ts'
import {
  type Candidates,
  keysOfRow,
  matchLabel,
  matchName,
  readFingerprints,
  readKnown,
  type RowKey,
} from './import-known.ts'
import { type NearNames, readNearNames } from './import-near-names.ts'
import { located, planCreation, type PlannedCreation } from './import-plan-creation.ts'
import { planUpdate, type PlannedUpdate } from './import-plan-update.ts'
import type { ImportResult, RowProblem } from './imports.ts'
import { holderOfExternalId, type Match, recognise, saidBefore } from './import-recognition.ts'
import { normaliseFields, type ReadyFields } from './record-fields.ts'

/** What is to become of a row. */
export type PlannedRow = {
  n: number
  line: number
  result: ImportResult
  /** The record it is about: an id, or `row:<n>` of one that a row of the same piece makes. */
  ref: string | null
  matched_by: string | null
  problems: RowProblem[]
  fingerprint: string
  /** Kinds of the records that it makes, to be linked with them, and no row before it does. */
  makes: ('account' | 'contact')[]
  create?: PlannedCreation
  update?: PlannedUpdate
}

/** What a plan is made for. */
export type PlanOptions = {
  import_id: string
  /** Lasts for the whole file. */
  near: NearNames
  /** Whoever brings the same people at the same time waits. */
  lock: boolean
  /** Ends before a row that would change what an earlier one of these makes or changes, and when much has to be done. */
  cuts: boolean
}

/** How many rows that take an act of their own, such as a closing, a piece has at most. */
const ACTS = 100

/**
 * Decides what becomes of rows, the same for a dry run and a run: reads, looks up, recognises and compares. Writes nothing
 * but what the later rows have to know, in `foresight`. The plan may end early, when it `cuts`, and where many
 * names have to be looked up.
 */
export const planRows = async (
  ctx: TxCtx,
  terms: RowTerms,
  rows: readonly CsvRow[],
  foresight: Foresight,
  options: PlanOptions,
): Promise<PlannedRow[]> => {
  const read = readAhead(terms, rows)
  const { covered, ...looked } = await lookUp(ctx, terms, read, options)
  const found: LookedUp = { ...looked, foresight }
  const planned: PlannedRow[] = []
  let acts = 0
  for (const row of read.slice(0, covered)) {
    const plan = planRow(terms, row, found)
    const touched = plan.update && foresight.of(plan.ref ?? '') !== undefined
    const work = plan.create?.acts ?? plan.update?.acts ?? 0
    if (options.cuts && planned.length > 0 && (touched || acts + work > ACTS)) break
    acts += work
    planned.push({ ...plan, makes: foresee(terms, plan, foresight) })
  }
  return planned
}

/** A row that was read, with all that it says and by what it is recognised. */
export type ReadRow = { draft: Draft; spelled: Spelled; ready: ReadyFields; keys: RowKey[] }

/** What the record says about rows. */
export type LookedUp = {
  candidates: Candidates
  prints: Awaited<ReturnType<typeof readFingerprints>>
  associates: Associates
  near: NearNames
  standing: ReadonlyMap<string, StandingRecord>
  foresight: Foresight
}

const ahead = new WeakMap<CsvRow, { version: string; read: ReadRow }>()

/** Reads rows, each once as long as the terms are the same: what is read while others are written is not read again. */
export const readAhead = (terms: RowTerms, rows: readonly CsvRow[]): ReadRow[] =>
  rows.map((row) => {
    const known = ahead.get(row)
    if (known?.version === terms.version) return known.read
    const read = readRow(terms, row)
    ahead.set(row, { version: terms.version, read })
    return read
  })

const readRow = (terms: RowTerms, row: CsvRow): ReadRow => {
  const draft = readDraft(terms, row)
  const spelled = spell(terms, { ...terms.defaults, ...draft.own })
  const ready = normaliseFields(spelled.fields, shapes[terms.kind], terms.country)
  return { draft, spelled, ready, keys: keysOfRow(terms, draft.own, ready.values) }
}

const lookUp = async (
  ctx: TxCtx,
  terms: RowTerms,
  read: readonly ReadRow[],
  { import_id, near, lock }: PlanOptions,
): Promise<Omit<LookedUp, 'foresight'> & { covered: number }> => {
  const { kind, request } = terms
  const sound = read.filter(({ draft, spelled }) => draft.problems.length + spelled.problems.length === 0)
  // Whoever has the external id already stands in the way of a row that is recognised by something else.
  const external = sound.flatMap(({ ready }): RowKey[] => {
    const value = ready.values['external_id']
    return typeof value === 'string' ? [{ by: 'external_id', value, single: true }] : []
  })
  const [candidates, prints, associates] = await Promise.all([
    readKnown(ctx, terms, [...sound.flatMap(({ keys }) => keys), ...external], lock),
    readFingerprints(
      ctx,
      sound.map(({ draft }) => draft),
      { kind, import_id, flagging: request.mode === 'create_and_flag' },
    ),
    readAssociates(
      ctx,
      read.flatMap(({ spelled }) => ASSOCIATED.flatMap((kind) => referencesIn(kind, spelled[kind]))),
    ),
  ])
  const covered = await readNearNames(
    ctx,
    near,
    read.map(({ spelled }) => ASSOCIATED.flatMap((kind) => unknownNamesIn(kind, spelled[kind], associates))),
  )
  const ids =
    request.mode === 'update' ? [...new Set([...candidates.values()].flat().map(({ id }) => id))] : []
  return {
    candidates,
    prints,
    associates,
    near,
    covered,
    standing: await readStanding(ctx, kind, ids.toSorted(), lock),
  }
}

const ASSOCIATED = ['account', 'contact'] as const

const planRow = (terms: RowTerms, row: ReadRow, found: LookedUp): Omit<PlannedRow, 'makes'> => {
  const { draft, spelled } = row
  const base = { n: draft.n, line: draft.line, fingerprint: draft.fingerprint, ref: null, matched_by: null }
  const wrong = (problems: readonly RowProblem[]): Omit<PlannedRow, 'makes'> => ({
    ...base,
    result: 'error',
    problems: [...problems, ...unknownNames(terms, spelled, found)],
  })
  // Who it is was not looked up.
  const unsound = [...draft.problems, ...spelled.problems]
  if (unsound.length > 0) return wrong(unsound)
  const known = recognise(terms, row, found)
  if ('problem' in known) return wrong([known.problem])
  const { match } = known
  if (match && terms.request.mode !== 'create_and_flag') {
    const at = { ...base, ref: match.id, matched_by: matchName(match.by) }
    if (terms.request.mode === 'update') return { ...at, ...planUpdate(terms, row, match.id, found) }
    // Of whomever it speaks, a stage that there is not is told of.
    const unplaced = unknownPlace(terms, spelled)
    if (unplaced.length > 0) return { ...at, result: 'error', problems: unplaced }
    const message = `“${match.name}” is there already: same ${matchLabel(match.by)}.`
    return { ...at, result: 'skip', problems: [{ code: 'known', message }] }
  }
  const before = saidBefore(terms, draft, found)
  if (before) return { ...base, ...before, result: 'skip' }
  const linked = resolveAssociations(terms, spelled, found)
  const holder = holderOfExternalId(row, found)
  const beside =
    match ??
    (holder && terms.request.mode === 'create_and_flag'
      ? { name: holder.name, by: 'external_id', others: 0 }
      : undefined)
  const flagged = beside && { code: 'possible_duplicate', message: besides(beside) }
  return {
    ...base,
    ref: refOfRow(draft.n),
    matched_by: beside ? matchName(beside.by) : null,
    ...planCreation(terms, row, { ...linked, holder, flagged }),
  }
}

const besides = ({ name, by, others }: Omit<Match, 'id'>): string =>
  others === 0
    ? `“${name}” has the same ${matchLabel(by)}.`
    : `“${name}” and ${others} more have the same ${matchLabel(by)}.`

const UNKNOWN = new Set(['pipeline_unknown', 'stage_unknown'])

const unknownPlace = (terms: RowTerms, spelled: Spelled): RowProblem[] => {
  const place = placeNamed(terms.directory, spelled, undefined)
  return 'problem' in place && UNKNOWN.has(place.problem.code) ? [located(terms, place.problem)] : []
}

/** What a row names that there is not, so that a row that is wrong already is told everything at once. */
const unknownNames = (terms: RowTerms, spelled: Spelled, found: LookedUp): RowProblem[] => [
  ...unknownPlace(terms, spelled),
  ...resolveAssociations(terms, spelled, found).problems,
]

/** Lets the later rows know what this one makes or changes; answers the kinds of what it makes to be linked with. */
const foresee = (
  terms: RowTerms,
  { line, result, fingerprint, ref, create, update }: Omit<PlannedRow, 'makes'>,
  foresight: Foresight,
): PlannedRow['makes'] => {
  if (result === 'error') return []
  if (fingerprint !== '') foresight.say(fingerprint, line)
  const done = create ?? update
  if (!done || ref === null) return []
  const makes: PlannedRow['makes'] = []
  for (const linked of [...done.accounts, ...done.contacts])
    if ('make' in linked && !foresight.isMade(linked.ref)) {
      foresight.make(linked.ref)
      makes.push(linked.make.kind)
    }
  const { record, is_open, keys } = done.after(terms)
  foresight.note({ ref, is_open, keys, record: () => record })
  return makes
}
