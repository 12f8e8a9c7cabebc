import { z } from 'zod'
import type { Ctx, TxCtx } from './context.ts'
import { DomainError, invalid } from './errors.ts'
import { requireMember } from './identity.ts'
import { CloseOpportunity, closeOpportunity } from './opportunity-closings.ts'
import { lockOpportunity } from './opportunities.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import { ReopenOpportunity, reopenOpportunity } from './opportunity-reopenings.ts'
import { getPipeline, getStage, type Pipeline } from './pipelines.ts'
import { changeOfKind, updateRecord } from './record-updates.ts'
import {
  archiveRecord,
  type RecordKind,
  recordKinds,
  type RecordRef,
  restoreRecord,
  tableOf,
} from './records.ts'
import { Tags } from './record-fields.ts'

/** What can be done to many records: each record goes through the same function as when it is done to one. */
type BulkAct = {
  kinds: readonly RecordKind[]
  input: (kind: RecordKind) => z.ZodType
  /** What is wrong with the input whatever the record: said once, before any record is touched. */
  check?: ((ctx: Ctx, kind: RecordKind, input: unknown) => Promise<unknown>) | undefined
  apply: (ctx: TxCtx, record: RecordRef, input: unknown) => Promise<unknown>
}

const bulkAct = <Input extends z.ZodType>(declared: {
  kinds?: readonly RecordKind[]
  input: (kind: RecordKind) => Input
  check?: (ctx: Ctx, kind: RecordKind, input: z.infer<Input>) => Promise<unknown>
  apply: (ctx: TxCtx, record: RecordRef, input: z.infer<Input>) => Promise<unknown>
}): BulkAct => {
  const { input, check, apply, kinds = recordKinds } = declared
  return {
    kinds,
    input,
    check: check && ((ctx, kind, given) => check(ctx, kind, input(kind).parse(given))),
    apply: (ctx, record, given) => apply(ctx, record, input(record.kind).parse(given)),
  }
}

const cards = ['lead', 'deal'] as const
const Reason = z.string().trim().min(1).max(2_000).optional()
const JustReason = z.object({ reason: Reason }).strict()
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
    input: (kind) => changeOfKind(kind),
    check: (ctx, _kind, input) => requireOwner(ctx, input['owner_id']),
    apply: updateRecord,
  }),
  assign: bulkAct({
    input: () => z.object({ owner_id: z.uuid().nullable(), reason: Reason }).strict(),
    check: (ctx, _kind, { owner_id }) => requireOwner(ctx, owner_id),
    apply: updateRecord,
  }),
  add_tags: bulkAct({
    input: () => Tagging,
    apply: (ctx, record, { tags, reason }) =>
      changeTags(ctx, record, (had) => [...new Set([...had, ...tags])], reason),
  }),
  remove_tags: bulkAct({
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
      if (pipeline.record_kind !== kind) {
        throw invalid(
          'pipeline_of_other_kind',
          '/pipeline_id',
          `“${pipeline.name}” is for ${pipeline.record_kind}s.`,
        )
      }
      for (const [from, to] of Object.entries(stage_map)) requireStageOf(pipeline, to, `/stage_map/${from}`)
    },
    apply: async (ctx, { id }, { pipeline_id, stage_map, reason }) => {
      const [card, pipeline] = await Promise.all([lockOpportunity(ctx, id), getPipeline(ctx, pipeline_id)])
      if (card.pipeline_id === pipeline_id) return
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
  reopen: bulkAct({
    kinds: cards,
    input: () => ReopenOpportunity.omit({ version: true }).strict(),
    apply: (ctx, { id }, input) => reopenOpportunity(ctx, id, input),
  }),
  archive: bulkAct({
    input: () => JustReason,
    apply: (ctx, record, { reason }) => archiveRecord(ctx, record, reason),
  }),
  restore: bulkAct({
    input: () => JustReason,
    apply: (ctx, record, { reason }) => restoreRecord(ctx, record, reason),
  }),
}

/**
 * The input of an act, checked as far as it can be before a record is looked at.
 * @throws {DomainError} `act_of_other_kind`, `invalid_input` naming the fields, and what the act refuses
 */
export const parseAct = async (
  ctx: Ctx,
  kind: RecordKind,
  name: BulkActName,
  input: Record<string, unknown>,
): Promise<Record<string, unknown>> => {
  const { kinds, input: schema, check } = bulkActs[name]
  if (!kinds.includes(kind)) {
    throw invalid(
      'act_of_other_kind',
      '/act',
      `${name} is for ${kinds.join('s and ')}s, not for ${kind}s.`,
      kinds,
    )
  }
  const parsed = schema(kind).safeParse(input)
  if (!parsed.success) {
    throw new DomainError('invalid', 'invalid_input', `The input does not fit the act ${name}.`, {
      errors: parsed.error.issues.map(({ path, message }) => ({
        pointer: `/input/${path.join('/')}`,
        message,
      })),
    })
  }
  await check?.(ctx, kind, parsed.data)
  return parsed.data as Record<string, unknown>
}

const requireOwner = async (ctx: Ctx, owner_id: unknown): Promise<void> => {
  if (typeof owner_id === 'string') await requireMember(ctx, owner_id)
}

const requireStageOf = ({ name, stages }: Pipeline, id: string, pointer: string): void => {
  if (stages.some((stage) => stage.id === id)) return
  throw invalid(
    'stage_of_other_pipeline',
    `/input${pointer}`,
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
  record: RecordRef,
  change: (tags: string[]) => string[],
  reason: string | undefined,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const [row] = await tx<{ tags: string[] }[]>`
    select tags from ${tx(tableOf[record.kind])} where organization_id = ${organization_id} and id = ${record.id} for update`
  if (row) await updateRecord(ctx, record, { tags: change(row.tags), reason })
}
