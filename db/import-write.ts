import { createAccounts } from './accounts.ts'
import { createContacts } from './contacts.ts'
import { inSavepoint, recordingOf, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import type { Linked, Reference } from './import-associations.ts'
import type { RowTerms } from './import-drafts.ts'
import { isUnwritten } from './import-foresight.ts'
import { kindOfImport, writeSets } from './import-kinds.ts'
import type { PlannedRow } from './import-plan.ts'
import { refOf } from './import-plan-creation.ts'
import type { ImportJob, ImportResult, RowProblem } from './imports.ts'
import type { LinkedPair } from './link-rows.ts'
import { linkRecords } from './links.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import type { Written } from './record-changes.ts'
import type { RecordKind } from './records.ts'
import { queueRuns } from './runs.ts'

/** What a row came to, as it is kept. */
export type RowOutcome = {
  n: number
  line: number
  result: ImportResult
  record_id: string | null
  matched_by: string | null
  problems: RowProblem[] | null
  changes: Written['changes'] | null
  made: { kind: RecordKind; id: string }[] | null
  activity_ids: string[] | null
  fingerprint: string | null
}

/** What rows of a piece are called that is made for them: `row:<n>` and `made:…`, by their ids. */
type Made = Map<string, string>

/**
 * Writes what was planned, in the transaction that planned it, with one statement per table; what a row alone takes, such as
 * a closing, in the order of the file.
 * @throws {DomainError} when somebody was faster, and nothing of it stands
 */
export const writePlanned = async (
  ctx: TxCtx,
  terms: RowTerms,
  job: ImportJob,
  planned: readonly PlannedRow[],
  made: Made = new Map(),
): Promise<RowOutcome[]> => {
  const marks = { data: { import_id: job.id }, reason: `From “${job.file_name}”` }
  const { result } = await recordingOf(ctx, marks, (ctx) => writeRows(ctx, terms, job, planned, made))
  return result
}

/** The same row by row: one that is refused is told so, and the others are written. */
export const writeSingly = async (
  ctx: TxCtx,
  terms: RowTerms,
  job: ImportJob,
  planned: readonly PlannedRow[],
): Promise<RowOutcome[]> => {
  let made: Made = new Map()
  const outcomes: RowOutcome[] = []
  for (const row of planned) {
    // What a refused row made is gone with it: the next one of that name makes its own.
    const tried: Made = new Map(made)
    try {
      outcomes.push(...(await inSavepoint(ctx, (ctx) => writePlanned(ctx, terms, job, [row], tried))))
      made = tried
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      outcomes.push({ ...outcomeOf(row, made), ...refusalOf(error) })
    }
  }
  return outcomes
}

const refusalOf = ({ code, message, errors: [fault] }: DomainError): Partial<RowOutcome> => ({
  result: 'error',
  record_id: null,
  fingerprint: null,
  problems: [{ ...(fault ? { field: fault.pointer.slice(1) } : {}), code, message }],
})

const writeRows = async (
  ctx: TxCtx,
  terms: RowTerms,
  job: ImportJob,
  planned: readonly PlannedRow[],
  made: Made,
): Promise<RowOutcome[]> => {
  const beside = await makeAssociations(ctx, job, planned, made)
  await makeRecords(ctx, terms, job, planned, made)
  const written = await changeRecords(ctx, terms, job, planned)
  const outcomes: RowOutcome[] = []
  for (const row of planned) {
    const own = outcomeOf(row, made)
    const changes = [...(written.get(row.n) ?? []), ...(row.update?.said ?? [])]
    outcomes.push({
      ...own,
      changes: changes.length > 0 ? changes : null,
      made: madeBy(terms.kind, row, own.record_id, beside.get(row.n) ?? []),
      activity_ids:
        row.update && own.record_id !== null
          ? await actOn(ctx, terms.kind, own.record_id, row.update, made)
          : null,
    })
  }
  if (terms.request.work && terms.kind === 'lead') await putToWork(ctx, outcomes)
  return outcomes
}

const outcomeOf = (
  { n, line, result, ref, matched_by, problems, fingerprint }: PlannedRow,
  made: Made,
): RowOutcome => ({
  n,
  line,
  result,
  record_id: ref === null ? null : isUnwritten(ref) ? (made.get(ref) ?? null) : ref,
  matched_by,
  problems: problems.length > 0 ? problems : null,
  changes: null,
  made: null,
  activity_ids: null,
  fingerprint: result === 'error' || fingerprint === '' ? null : fingerprint,
})

const madeBy = (
  kind: RecordKind,
  { result }: PlannedRow,
  record_id: string | null,
  beside: { kind: RecordKind; id: string }[],
): RowOutcome['made'] => {
  const all = [...(result === 'create' && record_id !== null ? [{ kind, id: record_id }] : []), ...beside]
  return all.length > 0 ? all : null
}

/** Makes the accounts and contacts that rows name and nobody has; answers which row each was made for. */
const makeAssociations = async (
  ctx: TxCtx,
  { id: import_id }: ImportJob,
  planned: readonly PlannedRow[],
  made: Made,
): Promise<Map<number, { kind: RecordKind; id: string }[]>> => {
  const wanted = new Map<string, { make: Reference; row: PlannedRow }>()
  for (const row of planned)
    for (const linked of linkedOf(row))
      if ('make' in linked && !made.has(linked.ref) && !wanted.has(linked.ref))
        wanted.set(linked.ref, { make: linked.make, row })
  const beside = new Map<number, { kind: RecordKind; id: string }[]>()
  for (const kind of ['account', 'contact'] as const) {
    const among = [...wanted].filter(([, { make }]) => make.kind === kind)
    if (among.length === 0) continue
    const entries = among.map(([ref, { make, row }]) => ({
      ref,
      row,
      make,
      from: { door: 'import', import_id, line: row.line },
    }))
    const ids =
      kind === 'account'
        ? await createAccounts(
            ctx,
            entries.map(({ make, from }) => ({ input: accountNamed(make), from })),
          )
        : await createContacts(
            ctx,
            entries.map(({ make, from }) => ({ input: contactNamed(make), from })),
          )
    for (const [n, { ref, row }] of entries.entries()) {
      const id = idAt(ids, n)
      made.set(ref, id)
      beside.set(row.n, [...(beside.get(row.n) ?? []), { kind, id }])
    }
  }
  return beside
}

const idAt = (ids: readonly string[], n: number): string => {
  const id = ids[n]
  if (id === undefined) throw new Error('a record was not made')
  return id
}

const linkedOf = ({ create, update }: PlannedRow): Linked[] => {
  const done = create ?? update
  return done ? [...done.accounts, ...done.contacts] : []
}

const accountNamed = ({ by, value }: Reference) =>
  by === 'domain' ? { name: value, website: value } : { name: value }

const contactNamed = ({ by, value }: Reference) => (by === 'email' ? { email: value } : { name: value })

const makeRecords = async (
  ctx: TxCtx,
  { kind }: RowTerms,
  { id: import_id }: ImportJob,
  planned: readonly PlannedRow[],
  made: Made,
): Promise<void> => {
  const rows = planned.flatMap(({ line, ref, create }) =>
    create && ref !== null ? [{ line, ref, create }] : [],
  )
  if (rows.length === 0) return
  const ids = await kindOfImport(kind).create(
    ctx,
    rows.map(({ line, create: { input, ready, extra, accounts, contacts } }) => ({
      input: {
        ...input,
        ...(accounts.length > 0 ? { account_ids: idsOf(accounts, made) } : {}),
        ...(contacts.length > 0 ? { contact_ids: idsOf(contacts, made) } : {}),
      },
      ready,
      extra,
      from: { door: 'import', import_id, line },
    })),
  )
  for (const [n, { ref }] of rows.entries()) made.set(ref, idAt(ids, n))
}

const idsOf = (linked: readonly Linked[], made: Made): string[] => linked.map((one) => idOf(one, made))

const idOf = (one: Linked, made: Made): string => {
  const id = 'id' in one ? one.id : made.get(refOf(one))
  if (id === undefined) throw new Error(`${refOf(one)} was not made`)
  return id
}

/** Answers what each row changed, by its number. */
const changeRecords = async (
  ctx: TxCtx,
  { kind }: RowTerms,
  { id: import_id }: ImportJob,
  planned: readonly PlannedRow[],
): Promise<Map<number, Written['changes']>> => {
  const rows = planned.flatMap(({ n, update }) =>
    update?.before ? [{ n, update, before: update.before }] : [],
  )
  const written = await writeSets(
    ctx,
    kind,
    rows.map(({ before, update: { values, custom } }) => ({
      before,
      values,
      custom,
      origin: { kind: 'import', import_id },
    })),
  )
  return new Map(rows.map(({ n }, i) => [n, written[i]?.changes ?? []]))
}

/** Links and moves what is there; answers the lines of the timeline that take each of it back. */
const actOn = async (
  ctx: TxCtx,
  kind: RecordKind,
  id: string,
  { accounts, contacts, primaries, move }: NonNullable<PlannedRow['update']>,
  made: Made,
): Promise<string[] | null> => {
  if (accounts.length + contacts.length === 0 && !move) return null
  const { recorded } = await recordingOf(ctx, { data: {} }, async (ctx) => {
    for (const [member, linked] of [
      ['account', accounts],
      ['contact', contacts],
    ] as const)
      for (const one of linked) {
        const pair: LinkedPair = { from: { kind, id }, to: { kind: member, id: idOf(one, made) } }
        await linkRecords(ctx, pair, primaries.includes(refOf(one)) ? { is_primary: true } : {})
      }
    if (move) await moveOpportunity(ctx, id, move)
  })
  return recorded.filter(({ data }) => data['undo'] !== undefined).map(({ id }) => id)
}

/** Puts the lead worker on the leads that were made; its budget is that of the organization, as ever. */
const putToWork = async (ctx: TxCtx, outcomes: readonly RowOutcome[]): Promise<void> => {
  await queueRuns(
    ctx,
    outcomes.flatMap(({ result, record_id: id }) =>
      result === 'create' && id !== null
        ? [
            {
              agent: 'lead_worker',
              subject: { kind: 'lead', id },
              trigger: { kind: 'request', ask: 'work' } as const,
              requested_by: ctx.actor,
            },
          ]
        : [],
    ),
  )
}
