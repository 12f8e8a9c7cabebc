import { z } from 'zod'
import { getActivity } from './activities.ts'
import { revertActivity, withdrawEntry } from './activity-revisions.ts'
import { withdrawApproval } from './approval-decisions.ts'
import { getApproval } from './approvals.ts'
import { CampaignChange } from './campaign-fields.ts'
import { archiveCampaign, lockCampaign, restoreCampaign, updateCampaign } from './campaigns.ts'
import type { TxCtx } from './context.ts'
import {
  DiscardReasonChange,
  getDiscardReason,
  restoreDiscardReason,
  retireDiscardReason,
  updateDiscardReason,
} from './discard-reasons.ts'
import { deleteExchangeRate, listExchangeRates, setExchangeRate } from './exchange-rates.ts'
import { archiveField, restoreField } from './field-archiving.ts'
import { FieldChange, lockField, updateField } from './fields.ts'
import { reverseConversion, standingConversion } from './lead-conversion-reversal.ts'
import { LinkedPair } from './link-rows.ts'
import { linkRecords, LinkTerms, standingLink, unlinkRecords } from './links.ts'
import { archiveFile, getFile, restoreFile } from './files.ts'
import { archiveNote, editNote, lockNote, restoreNote } from './notes.ts'
import { opportunityInverses } from './opportunity-inverses.ts'
import { pipelineInverses } from './pipeline-inverses.ts'
import { inverse, leftBy, subjectOf, type Verb } from './inverse.ts'
import { lockRecord, updateRecord } from './record-updates.ts'
import { archiveRecord, recordKinds, type RecordRef, requireRecord, restoreRecord } from './records.ts'
import { duplicateInverses } from './duplicate-inverses.ts'
import { routingInverses } from './routing-inverses.ts'
import { scoreInverses } from './score-inverses.ts'
import { lockFollowUp } from './task-follow-ups.ts'
import { archiveTask, cancelTask, completeAgain, reopenTask, restoreTask } from './task-states.ts'
import { lockTask, TaskChange, taskStatuses, updateTask } from './tasks.ts'

const RecordGiven = z
  .object({ record_kind: z.enum(recordKinds), record_id: z.uuid() })
  .transform(({ record_kind, record_id }) => ({ kind: record_kind, id: record_id }))

const inUse = { archived_at: null }

const standingArchive = async (ctx: TxCtx, record: RecordRef) => ({
  archived_at: (await requireRecord(ctx, record)).archived_at,
})

const omit = (values: Record<string, unknown>, fields: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([field]) => !fields.includes(field)))

/** Values without these fields; those of custom fields stand together. */
const omitValues = (values: Record<string, unknown>, fields: string[]): Record<string, unknown> => {
  const { custom, ...columns } = values
  const own = Object.entries(Custom.parse(custom ?? {})).filter(([key]) => !fields.includes(`custom.${key}`))
  return { ...omit(columns, fields), ...(own.length > 0 ? { custom: Object.fromEntries(own) } : {}) }
}

const Custom = z.record(z.string(), z.unknown())

const ReasonGiven = z.object({ discard_reason_id: z.uuid() })

const standingReason = async (ctx: TxCtx, { discard_reason_id }: { discard_reason_id: string }) => {
  const { label, description, retired_at } = await getDiscardReason(ctx, discard_reason_id)
  return { label, description, retired: retired_at !== null }
}

const NoteGiven = z.object({ note_id: z.uuid() })

const standingNote = async (ctx: TxCtx, { note_id }: z.infer<typeof NoteGiven>) => ({
  ...(await lockNote(ctx, note_id)),
})

const TaskGiven = z.object({ task_id: z.uuid() })

const standingTask = async (ctx: TxCtx, { task_id }: z.infer<typeof TaskGiven>) => ({
  ...(await lockTask(ctx, task_id)),
})

/** A task that was done, with what somebody made of the one that came of it. */
const standingCompletion = async (ctx: TxCtx, { task_id }: z.infer<typeof TaskGiven>) => {
  const task = await lockTask(ctx, task_id)
  const { task: next, changed = [] } = (await lockFollowUp(ctx, task)) ?? {}
  return { ...task, next_task: next && changed.length > 0 ? { title: next.title, changed } : null }
}

const STATUS_ACTS = { open: reopenTask, done: completeAgain, cancelled: cancelTask }

const CampaignGiven = z.object({ campaign_id: z.uuid() })

const standingCampaign = async (ctx: TxCtx, { campaign_id }: z.infer<typeof CampaignGiven>) => ({
  ...(await lockCampaign(ctx, campaign_id)),
})

const FileGiven = z.object({ file_id: z.uuid() })

const standingFile = async (ctx: TxCtx, { file_id }: z.infer<typeof FileGiven>) => ({
  archived_at: (await getFile(ctx, file_id)).archived_at,
})

const EntryGiven = z.object({ activity_id: z.uuid() })

const standingEntry = async (ctx: TxCtx, { activity_id }: z.infer<typeof EntryGiven>) => {
  const { version, deleted } = await getActivity(ctx, activity_id)
  return { version, deleted }
}

/** Every verb that takes an act back, by the name that `data.undo.tool` of an activity gives. */
export const inverses = {
  /** Fields of a lead, as activities named them before there were other records: the lead is the activity's subject. */
  update_lead: inverse({
    input: z.record(z.string(), z.unknown()),
    standing: (ctx, _input, activity) => lockRecord(ctx, { kind: 'lead', id: subjectOf(activity) }),
    without: omit,
    record: (_input, activity) => ({ kind: 'lead', id: subjectOf(activity) }),
    apply: (ctx, values, activity) => updateRecord(ctx, { kind: 'lead', id: subjectOf(activity) }, values),
  }),
  update_record: inverse({
    input: z.object({
      record_kind: z.enum(recordKinds),
      record_id: z.uuid(),
      values: z.record(z.string(), z.unknown()),
    }),
    standing: (ctx, { record_kind, record_id }) => lockRecord(ctx, { kind: record_kind, id: record_id }),
    without: ({ values, ...record }, fields) => ({ ...record, values: omitValues(values, fields) }),
    record: ({ record_kind, record_id }) => ({ kind: record_kind, id: record_id }),
    apply: (ctx, { record_kind, record_id, values }) =>
      updateRecord(ctx, { kind: record_kind, id: record_id }, values),
  }),
  archive_record: inverse({
    input: RecordGiven,
    standing: standingArchive,
    left: () => inUse,
    apply: (ctx, record) => archiveRecord(ctx, record, ctx.recording?.reason),
  }),
  restore_record: inverse({
    input: RecordGiven,
    standing: standingArchive,
    apply: (ctx, record) => restoreRecord(ctx, record, ctx.recording?.reason),
  }),
  link_records: inverse({
    input: LinkedPair.extend(LinkTerms.shape),
    standing: standingLink,
    apply: (ctx, { from, to, ...terms }) => linkRecords(ctx, { from, to }, terms, ctx.recording?.reason),
  }),
  unlink_records: inverse({
    input: LinkedPair.extend({ next_primary_id: z.uuid().optional() }),
    standing: standingLink,
    apply: (ctx, pair) => unlinkRecords(ctx, pair, ctx.recording?.reason),
  }),
  ...opportunityInverses,
  ...pipelineInverses,
  set_exchange_rate: inverse({
    input: z.object({ currency: z.string(), rate: z.number().nullable() }),
    standing: async (ctx, { currency }) => {
      const rates = await listExchangeRates(ctx)
      const rate = rates.find((candidate) => candidate.currency === currency)?.rate ?? null
      return { [`exchange_rate.${currency}`]: rate }
    },
    apply: (ctx, { currency, rate }) =>
      rate === null ? deleteExchangeRate(ctx, currency) : setExchangeRate(ctx, currency, rate),
  }),
  update_discard_reason: inverse({
    input: ReasonGiven.extend({ values: DiscardReasonChange }),
    standing: standingReason,
    apply: (ctx, { discard_reason_id, values }) => updateDiscardReason(ctx, discard_reason_id, values),
  }),
  retire_discard_reason: inverse({
    input: ReasonGiven,
    standing: standingReason,
    apply: (ctx, { discard_reason_id }) => retireDiscardReason(ctx, discard_reason_id),
  }),
  restore_discard_reason: inverse({
    input: ReasonGiven,
    standing: standingReason,
    apply: (ctx, { discard_reason_id }) => restoreDiscardReason(ctx, discard_reason_id),
  }),
  reverse_conversion: inverse({
    input: z.object({ lead_id: z.uuid() }),
    standing: async (ctx, { lead_id }) => ({
      converted: (await standingConversion(ctx, lead_id)) !== undefined,
    }),
    apply: (ctx, { lead_id }) => reverseConversion(ctx, lead_id, ctx.recording?.reason),
  }),
  update_campaign: inverse({
    input: CampaignGiven.extend({ values: CampaignChange }),
    standing: standingCampaign,
    without: ({ values, campaign_id }, fields) => ({ campaign_id, values: omit(values, fields) }),
    apply: (ctx, { campaign_id, values }) =>
      updateCampaign(ctx, campaign_id, { ...values, reason: ctx.recording?.reason }),
  }),
  archive_campaign: inverse({
    input: CampaignGiven,
    standing: standingCampaign,
    left: () => inUse,
    apply: (ctx, { campaign_id }) => archiveCampaign(ctx, campaign_id, ctx.recording?.reason),
  }),
  restore_campaign: inverse({
    input: CampaignGiven,
    standing: standingCampaign,
    apply: (ctx, { campaign_id }) => restoreCampaign(ctx, campaign_id, ctx.recording?.reason),
  }),
  archive_note: inverse({
    input: NoteGiven,
    standing: standingNote,
    left: ({ data }) => (data['body'] === undefined ? inUse : { ...inUse, body: data['body'] }),
    apply: (ctx, { note_id }) => archiveNote(ctx, note_id),
  }),
  restore_note: inverse({
    input: NoteGiven,
    standing: standingNote,
    apply: (ctx, { note_id }) => restoreNote(ctx, note_id),
  }),
  edit_note: inverse({
    input: NoteGiven.extend({ body: z.string() }),
    standing: standingNote,
    apply: (ctx, { note_id, body }) => editNote(ctx, note_id, { body }),
  }),
  archive_task: inverse({
    input: TaskGiven,
    standing: standingTask,
    left: ({ data }) =>
      data['title'] === undefined ? inUse : { ...inUse, title: data['title'], status: 'open' },
    apply: (ctx, { task_id }) => archiveTask(ctx, task_id),
  }),
  restore_task: inverse({
    input: TaskGiven,
    standing: standingTask,
    apply: (ctx, { task_id }) => restoreTask(ctx, task_id),
  }),
  update_task: inverse({
    input: TaskGiven.extend({ values: z.record(z.string(), z.unknown()) }),
    standing: standingTask,
    without: ({ values, ...task }, fields) => ({ ...task, values: omit(values, fields) }),
    apply: (ctx, { task_id, values }) => updateTask(ctx, task_id, { changes: TaskChange.parse(values) }),
  }),
  reopen_task: inverse({
    input: TaskGiven,
    standing: standingCompletion,
    left: (activity) => ({ ...leftBy(activity), next_task: null }),
    // A next one that somebody changed is kept by the reopening itself.
    without: (task, fields) => (fields.every((field) => field === 'next_task') ? task : undefined),
    apply: (ctx, { task_id }) => reopenTask(ctx, task_id, ctx.recording?.reason),
  }),
  set_task_status: inverse({
    input: TaskGiven.extend({ status: z.enum(taskStatuses), next_id: z.uuid().optional() }),
    standing: standingTask,
    apply: (ctx, { task_id, status, next_id }) =>
      STATUS_ACTS[status](ctx, task_id, ctx.recording?.reason, next_id),
  }),
  archive_file: inverse({
    input: FileGiven,
    standing: standingFile,
    left: () => inUse,
    apply: (ctx, { file_id }) => archiveFile(ctx, file_id),
  }),
  restore_file: inverse({
    input: FileGiven,
    standing: standingFile,
    left: () => ({}),
    apply: (ctx, { file_id }) => restoreFile(ctx, file_id),
  }),
  delete_activity: inverse({
    input: EntryGiven,
    standing: standingEntry,
    left: ({ data }) => ({ version: data['version'] ?? 1, deleted: undefined }),
    apply: (ctx, { activity_id }) => withdrawEntry(ctx, activity_id),
  }),
  revert_activity: inverse({
    input: EntryGiven.extend({ version: z.int().positive() }),
    standing: standingEntry,
    left: ({ data }) => ({ version: data['version'] }),
    apply: (ctx, { activity_id, version }) => revertActivity(ctx, activity_id, version),
  }),
  withdraw_approval: inverse({
    input: z.object({ approval_id: z.uuid() }),
    standing: async (ctx, { approval_id }) => {
      const { status } = await getApproval(ctx, approval_id)
      return { status: status === 'stale' ? 'pending' : status }
    },
    left: () => ({ status: 'pending' }),
    apply: (ctx, { approval_id }) => withdrawApproval(ctx, approval_id, ctx.recording?.reason),
  }),
  update_field: inverse({
    input: z.object({ field_id: z.uuid(), values: FieldChange }),
    standing: async (ctx, { field_id }) => ({ ...(await lockField(ctx, field_id)) }),
    without: ({ values, field_id }, fields) => ({ field_id, values: omit(values, fields) }),
    apply: (ctx, { field_id, values }) => updateField(ctx, field_id, values),
  }),
  ...scoreInverses,
  archive_field: inverse({
    input: z.object({ field_id: z.uuid() }),
    standing: async (ctx, { field_id }) => ({ ...(await lockField(ctx, field_id)) }),
    left: () => inUse,
    apply: (ctx, { field_id }) => archiveField(ctx, field_id),
  }),
  restore_field: inverse({
    input: z.object({ field_id: z.uuid() }),
    standing: async (ctx, { field_id }) => ({ ...(await lockField(ctx, field_id)) }),
    apply: (ctx, { field_id }) => restoreField(ctx, field_id),
  }),
  ...duplicateInverses,
  ...routingInverses,
} satisfies Record<string, Verb>

export type InverseName = keyof typeof inverses
