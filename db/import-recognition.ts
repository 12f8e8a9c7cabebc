import type { Draft, RowTerms } from './import-drafts.ts'
import { candidateOf, isUnwritten } from './import-foresight.ts'
import { type Candidate, isMeant, keyOf, matchLabel, type RowKey } from './import-known.ts'
import type { LookedUp, PlannedRow, ReadRow } from './import-plan.ts'
import type { RowProblem } from './imports.ts'
import { bestNamed } from './name-keys.ts'

/** The record that a row is about, by what that was recognised, and how many others it could be. */
export type Match = { id: string; name: string; by: string; others: number }

/** Who a row is: the record that its strongest key means. Of several no one is, but to be made beside them. */
export const recognise = (
  { kind, request }: RowTerms,
  { ready, keys }: ReadRow,
  { candidates, foresight }: LookedUp,
): { match: Match | undefined } | { problem: RowProblem } => {
  for (const key of keys) {
    const there = (candidates.get(keyOf(key)) ?? []).filter(({ id }) => foresight.of(id) === undefined)
    const foreseen =
      key.by === 'id'
        ? [foresight.of(key.value)].filter((one) => one !== undefined)
        : foresight.withKey(keyOf(key))
    const all = [...there, ...foreseen.map(candidateOf)].filter(
      (candidate) => key.single || isMeant(kind, key.by, candidate, ready.values),
    )
    const { name } = ready.values
    const meant = key.by === 'name' && typeof name === 'string' ? bestNamed(name, all) : all
    const [first, second] = meant.toSorted(byAge)
    if (key.by === 'id') return first ? theOne(kind, key, first) : { problem: noSuchId(kind, key) }
    const beside = request.mode === 'create_and_flag'
    if (first && second && key.single && !beside) return { problem: severalAre(kind, key, meant) }
    if (first) return { match: { id: first.id, name: first.name, by: key.by, others: meant.length - 1 } }
  }
  return { match: undefined }
}

const byAge = (a: Candidate, b: Candidate): number =>
  Number(isUnwritten(a.id)) - Number(isUnwritten(b.id)) || (a.id < b.id ? -1 : 1)

const theOne = (
  kind: string,
  { by }: RowKey,
  { id, name, archived }: Candidate,
): { match: Match } | { problem: RowProblem } =>
  archived
    ? {
        problem: {
          field: 'id',
          code: 'record_archived',
          message: `“${name}” is archived. Restore that ${kind} first, or leave its row out`,
        },
      }
    : { match: { id, name, by, others: 0 } }

const noSuchId = (kind: string, { value }: RowKey): RowProblem => ({
  field: 'id',
  code: 'id_unknown',
  message: `There is no ${kind} ${value}`,
  accepted: `the id of a ${kind}, or nothing for a new one`,
})

const severalAre = (kind: string, { by, value }: RowKey, meant: readonly Candidate[]): RowProblem => ({
  field: by,
  code: 'match_ambiguous',
  message: `${meant.length} ${kind}s have the ${matchLabel(by)} “${value}”. Say which by its id`,
  accepted: meant.slice(0, 10).map(({ id, name }) => `${id} (${name})`),
})

/** A row that said the same before is passed by, also when its record is closed or archived by now. */
export const saidBefore = (
  { request }: RowTerms,
  { fingerprint }: Draft,
  { prints, foresight }: LookedUp,
): Pick<PlannedRow, 'ref' | 'problems'> | undefined => {
  const repeats = (line: number): RowProblem => ({
    code: 'row_repeated',
    message: `Line ${line} says the same.`,
  })
  const line = request.mode === 'create_and_flag' ? undefined : foresight.saidBy(fingerprint)
  if (line !== undefined) return { ref: null, problems: [repeats(line)] }
  const before = prints.get(fingerprint)
  if (!before) return undefined
  const imported = {
    code: 'imported_before',
    message: `The same row was imported before (“${before.file_name}”, line ${before.line}).`,
  }
  // A run finds the rows of its earlier pieces in the record, where a dry run foresaw them.
  return { ref: before.record_id, problems: [before.same_import ? repeats(before.line) : imported] }
}

/** Who has the external id that a row brings. */
export const holderOfExternalId = (
  { ready }: ReadRow,
  { candidates, foresight }: LookedUp,
): Candidate | undefined => {
  const value = ready.values['external_id']
  if (typeof value !== 'string') return undefined
  const key = keyOf({ by: 'external_id', value })
  const [foreseen] = foresight.withKey(key)
  return foreseen
    ? candidateOf(foreseen)
    : candidates.get(key)?.find(({ id }) => foresight.of(id) === undefined)
}
