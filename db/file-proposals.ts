import { hashArguments, type ApprovalStatus } from './approvals.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { fillsFrom, type Fill } from './file-fields.ts'
import { filePurpose, getFile, type FileOnRecord } from './files.ts'
import { listMembers } from './identity.ts'
import { readStanding } from './policies.ts'
import { readRecord } from './record-updates.ts'
import { RecordRef } from './records.ts'
import { queueRun } from './runs.ts'
import { readSettings } from './settings.ts'

/** What a file says for blank fields of the record on which it lies. */
export type FileProposal = {
  file: FileOnRecord
  record: RecordRef
  fills: Fill[]
  /** The approval because of which it is not proposed: a person decided it, or the same waits already. */
  kept_by?: { id: string; status: ApprovalStatus } | undefined
}

/**
 * Reads what a file says for blank fields of its record; nothing of one that is deleted, or of a record that is archived.
 * What a person once decided about the same content on the same record stays decided.
 * @throws {DomainError} `file_not_found`
 */
export const readFileProposal = (ctx: Ctx, id: string): Promise<FileProposal> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // Whoever deletes it at this moment waits, and finds what is proposed.
    sendStatement(
      ctx,
      tx`select 1 from files where organization_id = ${organization_id} and id = ${id} for share`,
    )
    const file = await getFile(ctx, id)
    const ref = RecordRef.parse(file.subject)
    const [record, settings, members, earlier] = await Promise.all([
      readRecord(ctx, ref),
      readSettings(ctx),
      listMembers(ctx),
      listEarlier(ctx, file),
    ])
    const gone = file.archived_at !== null || record.archived_at !== null
    const terms = {
      country: settings.default_country,
      currency: settings.currency,
      today: dayIn(settings.timezone),
      own_addresses: members.map(({ email }) => email.toLowerCase()),
    }
    const fills = gone ? [] : fillsFrom(ref.kind, record, file.summary?.facts ?? [], terms)
    const said = hashArguments({ values: valuesOf(fills) })
    // An open one of this very file gives way to what it says now.
    const kept_by = earlier.find(
      ({ status, purpose, values }) =>
        !UNDECIDED.has(status) &&
        !(OPEN.has(status) && purpose === filePurpose(id) && hashArguments({ values }) !== said),
    )
    return { file, record: ref, fills, kept_by }
  })

/** What is to be filled, by field. */
export const valuesOf = (fills: readonly Fill[]): Record<string, string | number> =>
  Object.fromEntries(fills.map(({ field, value }) => [field, value]))

/** The tool by which it is proposed. */
const TOOL = 'propose_file_facts'

/**
 * Puts an agent on a file that says something for blank fields of its record, once, unless the agent, or its proposing, is
 * switched off there.
 */
export const queueFileProposal = (ctx: Ctx, id: string, agent: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { record, fills, kept_by } = await readFileProposal(ctx, id)
    if (fills.length === 0 || kept_by) return
    const { ai_enabled, agent_enabled, record_paused, levels } = await readStanding(ctx, agent, record)
    if (!ai_enabled || !agent_enabled || record_paused || (levels[TOOL] ?? 'off') === 'off') return
    await queueRun(ctx, { agent, subject: record, trigger: { kind: 'file', file_id: id } })
  })

const OPEN: ReadonlySet<ApprovalStatus> = new Set(['pending', 'stale'])
/** Nobody said anything to these. */
const UNDECIDED: ReadonlySet<ApprovalStatus> = new Set(['expired', 'withdrawn'])

/** What was proposed of the same content on the same record, the newest first. */
const listEarlier = (
  { tx, organization_id }: TxCtx,
  { subject, sha256 }: FileOnRecord,
): Promise<{ id: string; status: ApprovalStatus; purpose: string; values: unknown }[]> => tx`
  select a.id, a.status, a.purpose, a.input -> 'values' as values from approvals a
  where a.organization_id = ${organization_id} and a.subject_kind = ${subject.kind} and a.subject_id = ${subject.id}
    and a.purpose in (select ${filePurpose('')} || f.id from files f where f.organization_id = ${organization_id}
      and f.subject_kind = ${subject.kind} and f.subject_id = ${subject.id} and f.sha256 = ${sha256})
  order by a.id desc`

const dayIn = (timeZone: string): string => new Intl.DateTimeFormat('en-CA', { timeZone }).format(new Date())
