import { archiveField, restoreField } from '../db/field-archiving.ts'
import { createField, type CustomField } from '../db/fields.ts'
import type { NewBulk } from '../db/bulk.ts'
import type { Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { listDiscardReasons } from '../db/discard-reasons.ts'
import { DomainError } from '../db/errors.ts'
import { createLead } from '../db/leads.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deletePipeline } from '../db/pipeline-deletion.ts'
import { addStage, changeStage, deleteStage } from '../db/pipeline-stages.ts'
import { listPipelines, type Pipeline, type Stage } from '../db/pipelines.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import { updateRecord } from '../db/record-updates.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { lastLineOf } from './cards.ts'
import { randomFrom } from './random.ts'

/** A card as the model knows it. */
export type ModelCard = {
  id: string
  kind: 'lead' | 'deal'
  pipeline_id: string
  stage_id: string
  /** Where it was closed from. */
  closed_from: string | null
  value_minor: number | null
  team_size: number | null
  archived: boolean
  moves: number
}

/** What should be there, and the next random command. */
export type Model = {
  cards: Map<string, ModelCard>
  counts: Record<string, number>
  /** Does one command to the record and to the model; throws where the record refuses what it should do, or does what it should refuse. */
  step: () => Promise<void>
}

type Bulk = { run: (input: NewBulk) => Promise<string>; undo: (id: string) => Promise<void> }

/** Opens the model of an organization; the same seed gives the same commands. */
export const openModel = async (ctx: Ctx, seed: number, bulk: Bulk): Promise<Model> => {
  const random = randomFrom(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const one = <T>(of: readonly T[]): T => {
    const chosen = of[below(of.length)]
    if (chosen === undefined) throw new Error('nothing to choose from')
    return chosen
  }
  const cards = new Map<string, ModelCard>()
  const counts: Record<string, number> = {}
  const [reason] = await listDiscardReasons(ctx)
  if (!reason) throw new Error('there is no reason for losing')
  const discard_reason_id = reason.id
  const fields: CustomField[] = []
  for (const record_kind of ['lead', 'deal'] as const)
    fields.push(
      await createField(ctx, { record_kind, key: 'team_size', label: 'Team size', type: 'integer' }),
    )
  let fieldsArchived = false
  let pipelines = await listPipelines(ctx)

  const pipelineOf = (card: ModelCard): Pipeline | undefined =>
    pipelines.find(({ id }) => id === card.pipeline_id)
  const stageOf = (card: ModelCard): Stage | undefined =>
    pipelineOf(card)?.stages.find(({ id }) => id === card.stage_id)
  const live = (): ModelCard[] => [...cards.values()].filter((card) => !card.archived && pipelineOf(card))
  const open = (): ModelCard[] => live().filter((card) => stageOf(card)?.kind === 'open')
  const closed = (): ModelCard[] => live().filter((card) => stageOf(card)?.kind !== 'open')
  const openStages = ({ stages }: Pipeline): Stage[] => stages.filter(({ kind }) => kind === 'open')
  const refused = async (code: string, act: Promise<unknown>): Promise<void> => {
    const answer = await act.then(
      () => 'done',
      (error: unknown) => {
        if (error instanceof DomainError) return error.code
        throw error
      },
    )
    if (answer !== code) throw new Error(`expected ${code}, got ${answer}`)
  }
  /** The model's move: closing remembers where from, reopening forgets. */
  const put = (card: ModelCard, stage: Stage, pipeline_id = card.pipeline_id): void => {
    if (card.stage_id === stage.id) return
    const was = stageOf(card)
    if (stage.kind === 'open') card.closed_from = null
    else if (was?.kind !== stage.kind) card.closed_from = card.stage_id
    Object.assign(card, { stage_id: stage.id, pipeline_id, moves: card.moves + 1 })
  }
  const lostNeeds = (stage: Stage | undefined) => (stage?.kind === 'lost' ? { discard_reason_id } : {})

  const commands: [string, number, () => Promise<boolean>][] = [
    [
      'create',
      25,
      async () => {
        const kind = one(['lead', 'deal'] as const)
        const pipeline = one(pipelines.filter(({ record_kind }) => record_kind === kind))
        const stage = one(openStages(pipeline))
        const value_minor = random() < 0.8 ? below(1_000_000) : null
        const team_size = !fieldsArchived && random() < 0.5 ? below(500) : null
        const card = await (kind === 'lead' ? createLead : createDeal)(
          ctx,
          {
            name: `Card ${cards.size}`,
            contact_name: `Person ${cards.size}`,
            pipeline_id: pipeline.id,
            stage_id: stage.id,
            currency: one(['EUR', 'USD']),
            ...(value_minor === null ? {} : { value_minor }),
            ...(team_size === null ? {} : { custom: { team_size } }),
          },
          { door: 'ui' },
        )
        cards.set(card.id, {
          id: card.id,
          kind,
          pipeline_id: pipeline.id,
          stage_id: stage.id,
          closed_from: null,
          value_minor,
          team_size,
          archived: false,
          moves: 0,
        })
        return true
      },
    ],
    [
      'move',
      35,
      async () => {
        const candidates = live()
        if (candidates.length === 0) return false
        const card = one(candidates)
        const from = stageOf(card)
        const elsewhere = random() < 0.15
        const among = pipelines.filter(({ id, record_kind }) =>
          elsewhere ? record_kind === card.kind : id === card.pipeline_id,
        )
        const pipeline = one(among)
        const stage = one(pipeline.stages)
        const closing = stage.kind !== 'open' && stage.kind !== from?.kind
        if (stage.kind === 'lost' && closing && random() < 0.3) {
          await refused('discard_reason_required', moveOpportunity(ctx, card.id, { stage_id: stage.id }))
          return false
        }
        await moveOpportunity(ctx, card.id, {
          stage_id: stage.id,
          reason: 'by chance',
          ...(closing ? lostNeeds(stage) : {}),
        })
        put(card, stage, pipeline.id)
        return true
      },
    ],
    [
      'close',
      8,
      async () => {
        const candidates = live()
        if (candidates.length === 0) return false
        const card = one(candidates)
        const outcome = one(['won', 'lost'] as const)
        const act = closeOpportunity(ctx, card.id, {
          outcome,
          reason: 'by chance',
          ...(outcome === 'lost' ? { discard_reason_id } : {}),
        })
        if (stageOf(card)?.kind !== 'open') {
          await refused('opportunity_closed', act)
          return false
        }
        await act
        const stage = pipelineOf(card)?.stages.find(({ kind }) => kind === outcome)
        if (stage) put(card, stage)
        return true
      },
    ],
    [
      'reopen',
      6,
      async () => {
        const candidates = closed()
        if (candidates.length === 0) return false
        const card = one(candidates)
        const pipeline = pipelineOf(card)
        if (!pipeline) return false
        const stages = openStages(pipeline)
        const named = random() < 0.5 ? one(stages) : undefined
        const back = stages.find(({ id }) => id === card.closed_from) ?? stages[0]
        const stage = named ?? back
        if (!stage) return false
        await reopenOpportunity(ctx, card.id, {
          reason: 'by chance',
          ...(named ? { stage_id: named.id } : {}),
        })
        put(card, stage)
        return true
      },
    ],
    [
      'archive',
      5,
      async () => {
        const candidates = [...cards.values()].filter((card) => pipelineOf(card))
        if (candidates.length === 0) return false
        const card = one(candidates)
        await (card.archived ? restoreRecord : archiveRecord)(ctx, { kind: card.kind, id: card.id })
        card.archived = !card.archived
        return true
      },
    ],
    [
      'update',
      6,
      async () => {
        const candidates = live()
        if (candidates.length === 0) return false
        const card = one(candidates)
        const value_minor = below(1_000_000)
        await updateRecord(ctx, { kind: card.kind, id: card.id }, { value_minor })
        card.value_minor = value_minor
        return true
      },
    ],
    [
      'undo',
      6,
      async () => {
        const candidates = open()
        if (candidates.length === 0) return false
        const card = one(candidates)
        const stages = openStages(pipelineOf(card) as Pipeline)
        const [from, to] = [stageOf(card) as Stage, one(stages)]
        if (from.id === to.id) return false
        await moveOpportunity(ctx, card.id, { stage_id: to.id, reason: 'to be taken back' })
        put(card, to)
        const newest = await listTimeline(ctx, { kind: card.kind, id: card.id }, { limit: 1 })
        const activity = newest.data[0]
        if (!activity) throw new Error('a move left no line')
        if (random() < 0.3) {
          // Somebody moves it on: the older act cannot be taken back over that.
          const third = stages.find(({ id }) => id !== to.id && id !== from.id)
          if (!third) return false
          await moveOpportunity(ctx, card.id, { stage_id: third.id, reason: 'meanwhile' })
          put(card, third)
          await refused('changed_since', undoActivity(ctx, activity.id))
          return false
        }
        await undoActivity(ctx, activity.id)
        put(card, from)
        await refused('already_undone', undoActivity(ctx, activity.id))
        return true
      },
    ],
    [
      'bulk',
      2,
      async () => {
        const kind = one(['lead', 'deal'] as const)
        const chosen = open()
          .filter((card) => card.kind === kind)
          .toSorted(() => random() - 0.5)
          .slice(0, 15)
        const [sample] = chosen
        if (!sample) return false
        const ids = chosen.map(({ id }) => id)
        const way = below(4)
        if (way === 0) {
          const value_minor = below(1_000_000)
          await bulk.run({ kind, ids, act: 'update', input: { value_minor }, dry_run: false })
          for (const card of chosen) card.value_minor = value_minor
        } else if (way === 1) {
          // Only tried: nothing changes.
          await bulk.run({ kind, ids, act: 'close', input: { outcome: 'won' }, dry_run: true })
        } else {
          const stage = one(openStages(pipelineOf(sample) as Pipeline))
          const id = await bulk.run({
            kind,
            ids,
            act: 'move',
            input: { stage_id: stage.id, reason: 'in bulk' },
            dry_run: false,
          })
          const before = chosen.map((card) => ({
            card,
            stage: stageOf(card) as Stage,
            pipeline_id: card.pipeline_id,
          }))
          for (const card of chosen) put(card, stage, sample.pipeline_id)
          if (way === 3) {
            await bulk.undo(id)
            for (const { card, stage, pipeline_id } of before) put(card, stage, pipeline_id)
          }
        }
        return true
      },
    ],
    [
      'stage',
      3,
      async () => {
        const pipeline = one(pipelines)
        const stages = openStages(pipeline)
        const way = random()
        if (way < 0.5 && stages.length < 8) {
          await addStage(ctx, pipeline.id, {
            label: `Stage ${counts['stage'] ?? 0} ${below(1_000_000)}`,
            close_probability: 1 + below(99),
          })
        } else if (way < 0.7) {
          await changeStage(ctx, pipeline.id, one(pipeline.stages).id, {
            label: `Stage ${counts['stage'] ?? 0} ${below(1_000_000)}`,
          })
        } else if (stages.length > 3) {
          const [gone, ...rest] = stages.toSorted(() => random() - 0.5)
          const target = rest[0]
          if (!gone || !target) return false
          const holds = [...cards.values()].filter(({ stage_id }) => stage_id === gone.id)
          if (holds.length > 0) await refused('stage_in_use', deleteStage(ctx, pipeline.id, gone.id))
          await deleteStage(ctx, pipeline.id, gone.id, { target_stage_id: target.id })
          const undone = random() < 0.5
          if (undone) await undoActivity(ctx, await lastLineOf(ctx, pipeline.id))
          for (const card of holds) for (const at of undone ? [target, gone] : [target]) put(card, at)
        } else {
          return false
        }
        pipelines = await listPipelines(ctx)
        return true
      },
    ],
    [
      'pipeline',
      2,
      async () => {
        const kind = one(['lead', 'deal'] as const)
        const ofKind = pipelines.filter(({ record_kind }) => record_kind === kind)
        if (ofKind.length < 4) {
          await createPipeline(ctx, {
            name: `Pipeline ${below(1_000_000)}`,
            record_kind: kind,
            template: 'sales',
          })
          pipelines = await listPipelines(ctx)
          return true
        }
        const [gone, target] = ofKind.filter(({ is_default }) => !is_default).toSorted(() => random() - 0.5)
        if (!gone || !target) return false
        const entry = one(openStages(target))
        const stage_map = Object.fromEntries(openStages(gone).map(({ id }) => [id, entry.id]))
        const openIds = new Set(openStages(gone).map(({ id }) => id))
        const held = [...cards.values()].filter(({ stage_id }) => openIds.has(stage_id))
        if (held.length > 0) await refused('pipeline_in_use', deletePipeline(ctx, gone.id))
        await deletePipeline(ctx, gone.id, { target_pipeline_id: target.id, stage_map })
        const undone = random() < 0.4
        if (undone) await undoActivity(ctx, await lastLineOf(ctx, gone.id))
        // Closed cards stay as closed as they are.
        const kindOf = new Map(gone.stages.map(({ id, kind }) => [id, kind]))
        for (const card of cards.values()) {
          const kind = card.pipeline_id === gone.id ? kindOf.get(card.stage_id) : undefined
          const to = kind === 'open' ? entry : target.stages.find((stage) => stage.kind === kind)
          const from = stageOf(card)
          if (to) put(card, to, target.id)
          if (to && from && undone) put(card, from, gone.id)
        }
        pipelines = await listPipelines(ctx)
        return true
      },
    ],
    [
      'field',
      2,
      async () => {
        for (const { id } of fields) await (fieldsArchived ? restoreField : archiveField)(ctx, id)
        fieldsArchived = !fieldsArchived
        return true
      },
    ],
  ]
  const weights = commands.reduce((sum, [, weight]) => sum + weight, 0)

  return {
    cards,
    counts,
    step: async () => {
      let at = random() * weights
      const [name, , act] = commands.find(([, weight]) => (at -= weight) < 0) ?? one(commands)
      try {
        if (await act()) counts[name] = (counts[name] ?? 0) + 1
      } catch (error) {
        throw new Error(`${name} failed after ${JSON.stringify(counts)} (seed ${seed})`, { cause: error })
      }
    },
  }
}
