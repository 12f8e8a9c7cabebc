import { z } from 'zod'
import { type BulkKind, bulkKinds, type BulkRecord, bulkTables } from './bulk-kinds.ts'
import { type Ctx, inTx, type TxCtx } from './context.ts'
import { DomainError, type Fault, invalid } from './errors.ts'
import { faultsOf } from './faults.ts'
import { requireMember } from './identity.ts'
import { CloseOpportunity, closeOpportunity } from './opportunity-closings.ts'
import { lockOpportunity } from './opportunities.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import { ReopenOpportunity, reopenOpportunity } from './opportunity-reopenings.ts'
import { getPipeline, getStage, type Pipeline } from './pipelines.ts'
import { changeOfKind, updateRecord } from './record-updates.ts'
import { archiveRecord, recordKinds, restoreRecord } from './records.ts'
import { Tags } from './record-fields.ts'
import { requireAssignee } from './task-assignees.ts'
import { archiveTask, completeTask, reopenTask, restoreTask } from './task-states.ts'
import { TaskChange, updateTask } from './tasks.ts'

/** What can be done to many records: each record goes through the same function as when it is done to one. */
type BulkAct = {
  kinds: readonly BulkKind[]
  input: (kind: BulkKind) => z.ZodType
  /** What is wrong with the input whatever the record: said once, before any record is touched. */
  check?: ((ctx: Ctx, kind: BulkKind, input: unknown) => Promise<unknown>) | undefined
  apply: (ctx: TxCtx, record: BulkRecord, input: unknown) => Promise<unknown>
}

const bulkAct = <Input extends z.ZodType>(declared: {
  kinds?: readonly BulkKind[]
  input: (kind: BulkKind) => Input
  check?: (ctx: Ctx, kind: BulkKind, input: z.infer<Input>) => Promise<unknown>
  apply: (ctx: TxCtx, record: BulkRecord, input: z.infer<Input>) => Promise<unknown>
}): BulkAct => {
  const { input, check, apply, kinds = bulkKinds } = declared
  return {
    kinds,
    input,
    check: check && ((ctx, kind, given) => check(ctx, kind, input(kind).parse(given))),
    apply: (ctx, record, given) => apply(ctx, record, input(record.kind).parse(given)),
  }
}

const cards = ['lead', 'deal', 'opportunity'] as const
const records = [...recordKinds, 'opportunity'] as const
const Reason = z.string().trim().min(1).max(2_000).optional()
const JustReason = z.object({ reason: Reason }).strict()
const OwnedBy = z.object({ owner_id: z.uuid().nullable(), reason: Reason }).strict()
const TaskUpdate = TaskChange.extend({ reason: Reason }).strict()
const TakenBy = TaskUpdate.pick({ assignee: true, reason: true }).required({ assignee: true }).strict()
const Reopening = ReopenOpportunity.omit({ version: true }).strict()
const Tagging = z
  .object({ tags: Tags.refine((tags) => tags.length > 0, 'at least one tag'), reason: Reason })
  .strict()

const ChangePipeline = z
  .object({
    pipeline_id: z.uuid(),
    /** Stage of the old pipeline → stage of the new one; else the stage with the same name, and closed stays as closed. */
    stage_map: z.record(z.uuid(), z.uuid()).default({}),
    reason: Reason,
  })
  .strict()

export const BulkActName = z.enum([
  'update',
  'assign',
  'complete',
  'add_tags',
  'remove_tags',
  'move',
  'change_pipeline',
  'close',
  'reopen',
  'archive',
  'restore',
])
export type BulkActName = z.infer<typeof BulkActName>

/** Every act that can be done to many records, by its name. */
export const bulkActs: Readonly<Record<BulkActName, BulkAct>> = {
  /** The fields of the record, as in a change of one. */
  update: bulkAct<z.ZodType<Record<string, unknown>>>({
    // Leads and deals take the same.
    input: (kind) => (kind === 'task' ? TaskUpdate : changeOfKind(kind === 'opportunity' ? 'lead' : kind)),
    check: (ctx, kind, input) =>
      kind === 'task' ? requireTaker(ctx, TaskUpdate.parse(input)) : requireOwner(ctx, input['owner_id']),
    apply: change,
  }),
  /** Gives a record to a member, a task to a member or an agent. */
  assign: bulkAct<z.ZodType<Record<string, unknown>>>({
    input: (kind) => (kind === 'task' ? TakenBy : OwnedBy),
    check: (ctx, kind, input) =>
      kind === 'task' ? requireTaker(ctx, TakenBy.parse(input)) : requireOwner(ctx, input['owner_id']),
    apply: change,
  }),
  complete: bulkAct({
    kinds: ['task'],
    input: () => JustReason,
    apply: (ctx, { id }, { reason }) => completeTask(ctx, id, reason),
  }),
  add_tags: bulkAct({
    kinds: records,
    input: () => Tagging,
    apply: (ctx, record, { tags, reason }) =>
      changeTags(ctx, record, (had) => [...new Set([...had, ...tags])], reason),
  }),
  remove_tags: bulkAct({
    kinds: records,
    input: () => Tagging,
    apply: (ctx, record, { tags, reason }) => changeTags(ctx, record, (had) => without(had, tags), reason),
  }),
  move: bulkAct({
    kinds: cards,
    input: () => z.object({ stage_id: z.uuid(), reason: Reason }).strict(),
    check: (ctx, _kind, { stage_id }) => getStage(ctx, stage_id),
    apply: (ctx, { id }, input) => moveOpportunity(ctx, id, input),
  }),
  change_pipeline: bulkAct({
    kinds: cards,
    input: () => ChangePipeline,
    check: async (ctx, kind, { pipeline_id, stage_map }) => {
      const pipeline = await getPipeline(ctx, pipeline_id)
      if (kind !== 'opportunity') requireKind(pipeline, kind)
      for (const [from, to] of Object.entries(stage_map)) requireStageOf(pipeline, to, `/stage_map/${from}`)
    },
    apply: async (ctx, { id }, { pipeline_id, stage_map, reason }) => {
      const [card, pipeline] = await Promise.all([lockOpportunity(ctx, id), getPipeline(ctx, pipeline_id)])
      if (card.pipeline_id === pipeline_id) return
      requireKind(pipeline, card.kind)
      const { stage } = card
      const target =
        stage_map[stage.id] ??
        pipeline.stages.find(({ kind, label }) =>
          stage.kind === 'open' ? kind === 'open' && label === stage.label : kind === stage.kind,
        )?.id
      if (target === undefined) {
        throw invalid(
          'stage_unmapped',
          `/stage_map/${stage.id}`,
          `“${pipeline.name}” has no stage “${stage.label}”: say where its cards go.`,
          pipeline.stages.map(({ id, label }) => ({ id, label })),
        )
      }
      await moveOpportunity(ctx, id, { stage_id: target, reason })
    },
  }),
  close: bulkAct({
    kinds: cards,
    input: () => CloseOpportunity.omit({ version: true }).strict(),
    apply: (ctx, { id }, input) => closeOpportunity(ctx, id, input),
  }),
  reopen: bulkAct<z.ZodType<z.infer<typeof Reopening>>>({
    kinds: [...cards, 'task'],
    input: (kind) => (kind === 'task' ? JustReason : Reopening),
    apply: (ctx, { kind, id }, input) =>
      kind === 'task' ? reopenTask(ctx, id, input.reason) : reopenOpportunity(ctx, id, input),
  }),
  archive: bulkAct({
    input: () => JustReason,
    apply: (ctx, record, { reason }) =>
      isTask(record) ? archiveTask(ctx, record.id, reason) : archiveRecord(ctx, record, reason),
  }),
  restore: bulkAct({
    input: () => JustReason,
    apply: (ctx, record, { reason }): Promise<unknown> =>
      isTask(record) ? restoreTask(ctx, record.id, reason) : restoreRecord(ctx, record, reason),
  }),
}

/**
 * The input of an act, checked as far as it can be before a record is looked at.
 * @throws {DomainError} `act_of_other_kind`, `invalid_input` naming the fields, and what the act refuses
 */
export const parseAct = async (
  ctx: Ctx,
  kind: BulkKind,
  name: BulkActName,
  input: Record<string, unknown>,
): Promise<Record<string, unknown>> => {
  const { kinds, input: schema, check } = bulkActs[name]
  if (!kinds.includes(kind)) {
    throw invalid(
      'act_of_other_kind',
      '/act',
      `${name} is for ${new Intl.ListFormat('en').format(kinds)}, not for ${kind}.`,
      kinds,
    )
  }
  const fits = schema(kind)
  const parsed = fits.safeParse(input)
  if (!parsed.success) {
    const known = fits instanceof z.ZodObject ? Object.keys(fits.shape) : []
    throw new DomainError('invalid', 'invalid_input', `The input does not fit the act ${name}.`, {
      errors: inInput(faultsOf(parsed.error, known)),
    })
  }
  try {
    await check?.(ctx, kind, parsed.data)
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    const { code, message, errors, extra, missing } = error
    throw new DomainError(error.kind, code, message, { errors: inInput(errors), extra, missing })
  }
  return parsed.data as Record<string, unknown>
}

/** Where the input stands in what was sent. */
const inInput = (faults: readonly Fault[]): Fault[] =>
  faults.map((fault) => ({ ...fault, pointer: `/input${fault.pointer}` }))

/** A change of fields by the function that changes one. */
function change(ctx: TxCtx, record: BulkRecord, input: Record<string, unknown>): Promise<unknown> {
  if (!isTask(record)) return updateRecord(ctx, record, input)
  const { reason, ...changes } = TaskUpdate.parse(input)
  return updateTask(ctx, record.id, { changes, ...(reason === undefined ? {} : { reason }) })
}

const isTask = (record: BulkRecord): record is { kind: 'task'; id: string } => record.kind === 'task'

const requireTaker = async (ctx: Ctx, { assignee }: z.infer<typeof TaskUpdate>): Promise<void> => {
  if (assignee) await inTx(ctx, (ctx) => requireAssignee(ctx, assignee))
}

const requireKind = ({ name, record_kind }: Pipeline, kind: string): void => {
  if (record_kind === kind) return
  throw invalid(
    'pipeline_of_other_kind',
    '/pipeline_id',
    `“${name}” is for ${record_kind}s; this is a ${kind}.`,
  )
}

const requireOwner = async (ctx: Ctx, owner_id: unknown): Promise<void> => {
  if (typeof owner_id === 'string') await requireMember(ctx, owner_id)
}

const requireStageOf = ({ name, stages }: Pipeline, id: string, pointer: string): void => {
  if (stages.some((stage) => stage.id === id)) return
  throw invalid(
    'stage_of_other_pipeline',
    pointer,
    `This stage does not belong to “${name}”.`,
    stages.map((stage) => ({ id: stage.id, label: stage.label })),
  )
}

const without = (had: string[], tags: string[]): string[] => {
  const removed = new Set(tags.map((tag) => tag.toLowerCase()))
  return had.filter((tag) => !removed.has(tag.toLowerCase()))
}

const changeTags = async (
  ctx: TxCtx,
  record: BulkRecord,
  changed: (tags: string[]) => string[],
  reason: string | undefined,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const [row] = await tx<{ tags: string[] }[]>`
    select tags from ${tx(bulkTables[record.kind])} where organization_id = ${organization_id} and id = ${record.id} for update`
  if (row) await change(ctx, record, { tags: changed(row.tags), reason })
}
