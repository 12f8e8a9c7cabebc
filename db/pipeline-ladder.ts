import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { DomainError, invalid } from './errors.ts'
import { Line, Lines } from './lead-fields.ts'
import { stageOf, type Pipeline, type Stage, type StageKind } from './pipelines.ts'

/** What a ladder may be: rules over stages, without the database, so that a preview computes what a change would do. */

/** More columns than a board can show. */
export const ladderLimits = { stages: 50, rot_days: 3_650 }

export const stageColors = [
  'neutral',
  'blue',
  'teal',
  'green',
  'yellow',
  'orange',
  'red',
  'pink',
  'purple',
] as const

export const Label = Line(80).pipe(z.string().min(1, 'a name of 1 to 80 characters'))
export const Description = Lines(2_000).transform((text) => (text === '' ? null : text))

/** Ranges of probabilities are checked by the ladder: what is accepted depends on the kind of the stage. */
const fields = {
  label: Label,
  description: Description.nullable(),
  color: z
    .string()
    .refine(isColor, `one of ${stageColors.join(', ')}, or a colour as #rrggbb`)
    .describe(`One of ${stageColors.join(', ')}, or #rrggbb.`),
  close_probability: z
    .number('a whole number of percent')
    .describe('In percent: 1 to 99 while open; 100 won and 0 lost are fixed.'),
  rot_days: z
    .int('a whole number of days')
    .min(1, 'at least 1 day')
    .max(ladderLimits.rot_days, `at most ${ladderLimits.rot_days.toLocaleString('en')} days`)
    .nullable()
    .describe('Days in it after which a card counts as stuck; null: never.'),
  kind: z.enum(['open', 'won', 'lost']).describe('Every pipeline has exactly one won and one lost stage.'),
}

/** A stage to be added; without a probability it lies halfway between its neighbours. */
export const NewStage = z.object({
  label: fields.label,
  description: fields.description.optional(),
  color: fields.color.optional(),
  close_probability: fields.close_probability.optional(),
  rot_days: fields.rot_days.optional(),
  kind: fields.kind.optional(),
  position: z.int().min(0).max(ladderLimits.stages).optional().describe('From 0; absent: the last open one.'),
})
export type NewStage = z.infer<typeof NewStage>

/** Absent fields stay. */
export const StageChange = NewStage.partial()
export type StageChange = z.infer<typeof StageChange>

/** A stage of a ladder, as an activity keeps it. */
export const StageRow = z.object({
  id: z.uuid(),
  label: z.string(),
  description: z.string().nullable(),
  kind: z.enum(['open', 'won', 'lost']),
  position: z.int(),
  color: z.string(),
  close_probability: z.number(),
  rot_days: z.int().nullable(),
})

/** The stages of a new pipeline, in their order; the won and the lost one are added where none is given. */
export const newLadder = (given: readonly Omit<NewStage, 'position'>[], pointer = '/stages'): Stage[] => {
  const kinds = given.map(({ kind = 'open' }) => kind)
  for (const kind of ['won', 'lost'] as const) {
    const second = kinds.indexOf(kind, kinds.indexOf(kind) + 1)
    if (kinds.includes(kind) && second > 0) throw oneOfKind(kind, `${pointer}/${second}/kind`)
  }
  const closing = [
    { label: 'Won', kind: 'won' as const },
    { label: 'Lost', kind: 'lost' as const },
  ].filter(({ kind }) => !kinds.includes(kind))
  const stages = [...given, ...closing]
  if (!kinds.includes('open'))
    throw invalid('stage_missing', pointer, 'A pipeline needs an open stage, where cards enter.')
  const open = kinds.filter((kind) => kind === 'open').length
  let rank = 0
  return inOrder(
    stages.map((stage, n) => {
      const kind = stage.kind ?? 'open'
      if (kind === 'open') rank += 1
      return madeStage(stage, halfway(((rank - 1) * 100) / open, (rank * 100) / open), `${pointer}/${n}`)
    }),
    pointer,
  )
}

/**
 * The ladder with one more open stage.
 * @throws {DomainError} `stage_protected`, `stage_probability`, `stage_label_taken`, `too_many_stages`
 */
export const withStage = (stages: readonly Stage[], { position, ...given }: NewStage): Stage[] => {
  if (given.kind && given.kind !== 'open') throw oneOfKind(given.kind, '/kind')
  const at = Math.min(position ?? stages.findLastIndex(({ kind }) => kind === 'open') + 1, stages.length)
  const beside = (among: readonly Stage[]) => among.find(({ kind }) => kind === 'open')?.close_probability
  const between = halfway(beside(stages.slice(0, at).toReversed()) ?? 0, beside(stages.slice(at)) ?? 100)
  return inOrder(stages.toSpliced(at, 0, madeStage(given, between, '')), '')
}

/**
 * The ladder with a stage changed, and moved where a position is given.
 * @throws {DomainError} `stage_not_found`, `stage_protected` when its kind would change, `stage_probability`, `stage_label_taken`
 */
export const withChange = (
  pipeline: Pipeline,
  id: string,
  { position, kind, ...values }: StageChange,
  pointer = '',
): Stage[] => {
  const stage = stageOf(pipeline, id)
  if (kind && kind !== stage.kind) throw protectedKind(stage, `${pointer}/kind`)
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
  const changed: Stage = { ...stage, ...given }
  requireProbability(changed, `${pointer}/close_probability`)
  const others = pipeline.stages.filter((other) => other.id !== id)
  return inOrder(others.toSpliced(position ?? stage.position, 0, changed), pointer)
}

/**
 * The ladder with a stage that was deleted, before the first of those that it stood before.
 * @param stage_ids the order that it was deleted from
 * @throws {DomainError} `stage_label_taken`, `too_many_stages`
 */
export const withStageAgain = (
  stages: readonly Stage[],
  stage: Stage,
  stage_ids: readonly string[],
): Stage[] => {
  const after = new Set(stage_ids.slice(stage_ids.indexOf(stage.id) + 1))
  const at = stages.findIndex(({ id }) => after.has(id))
  return inOrder(stages.toSpliced(at < 0 ? stages.length : at, 0, stage), '')
}

/**
 * The ladder in another order.
 * @throws {DomainError} `stage_order_incomplete` unless each of its stages is named once
 */
export const reordered = (pipeline: Pipeline, ids: readonly string[], pointer: string): Stage[] => {
  const wanted = new Set(ids)
  const complete =
    wanted.size === ids.length &&
    ids.length === pipeline.stages.length &&
    pipeline.stages.every(({ id }) => wanted.has(id))
  if (!complete) {
    throw invalid(
      'stage_order_incomplete',
      pointer,
      'Name each stage of the pipeline once, in the order they shall have.',
      pipeline.stages.map(({ id, label }) => ({ id, label })),
    )
  }
  return inOrder(
    ids.map((id) => stageOf(pipeline, id)),
    pointer,
  )
}

/**
 * The ladder without a stage.
 * @throws {DomainError} `stage_not_found`, `stage_protected` for the won and the lost one, `stage_last_open`
 */
export const withoutStage = (pipeline: Pipeline, id: string): Stage[] => {
  const stage = stageOf(pipeline, id)
  if (stage.kind !== 'open') throw protectedKind(stage, '/stage_id')
  const left = pipeline.stages.filter((other) => other.id !== id)
  if (!left.some(({ kind }) => kind === 'open')) {
    throw new DomainError(
      'conflict',
      'stage_last_open',
      `“${stage.label}” is the only open stage of “${pipeline.name}”: cards need one to enter. Add another one first.`,
    )
  }
  return inOrder(left, '')
}

const madeStage = (
  { label, description, color, close_probability, rot_days, kind = 'open' }: Omit<NewStage, 'position'>,
  between: number,
  pointer: string,
): Stage => {
  const stage: Stage = {
    id: uuidv7(),
    label,
    description: description ?? null,
    kind,
    position: 0,
    color: color ?? 'neutral',
    close_probability: close_probability ?? FIXED[kind] ?? between,
    rot_days: rot_days ?? null,
  }
  requireProbability(stage, `${pointer}/close_probability`)
  return stage
}

/** What a closed stage is worth cannot be set. */
const FIXED: Partial<Record<StageKind, number>> = { won: 100, lost: 0 }

const requireProbability = ({ kind, label, close_probability }: Stage, pointer: string): void => {
  const fixed = FIXED[kind]
  if (fixed !== undefined) {
    if (close_probability === fixed) return
    const message = `“${label}” is the ${kind} stage: its probability is always ${fixed} %.`
    throw invalid('stage_probability', pointer, message, [fixed])
  }
  if (Number.isInteger(close_probability) && close_probability >= 1 && close_probability <= 99) return
  throw invalid(
    'stage_probability',
    pointer,
    `An open stage has a probability from 1 to 99 %, in whole percent; 100 % means won and 0 % lost.`,
    { minimum: 1, maximum: 99 },
  )
}

/** Between two probabilities, and itself a probability of an open stage. */
const halfway = (below: number, above: number): number =>
  Math.min(99, Math.max(1, Math.round((below + above) / 2)))

/** Numbers the stages as they stand, and checks what holds for all of them together. */
const inOrder = (stages: readonly Stage[], pointer: string): Stage[] => {
  if (stages.length > ladderLimits.stages) {
    throw invalid(
      'too_many_stages',
      pointer || '/label',
      `A pipeline has at most ${ladderLimits.stages} stages.`,
    )
  }
  const labels = stages.map(({ label }) => label.toLowerCase())
  const twice = stages.find(({ label }, n) => labels.indexOf(label.toLowerCase()) !== n)
  if (twice) {
    throw new DomainError(
      'conflict',
      'stage_label_taken',
      `There are two stages “${twice.label}”: nobody could tell them apart. Choose another name.`,
      { errors: [{ pointer: pointer || '/label', message: `“${twice.label}” is there already` }] },
    )
  }
  return stages.map((stage, position) => ({ ...stage, position }))
}

const oneOfKind = (kind: StageKind, pointer: string): DomainError =>
  refuseProtected(`A pipeline has exactly one ${kind} stage.`, pointer, ['open'])

const protectedKind = ({ label, kind }: Stage, pointer: string): DomainError =>
  refuseProtected(
    kind === 'open'
      ? `“${label}” is an open stage and stays one: a pipeline has exactly one won and one lost stage.`
      : `“${label}” is the ${kind} stage of this pipeline: every pipeline has exactly one. It can be renamed and recoloured.`,
    pointer,
    [kind],
  )

const refuseProtected = (message: string, pointer: string, accepted: StageKind[]): DomainError =>
  new DomainError('conflict', 'stage_protected', message, { errors: [{ pointer, message, accepted }] })

function isColor(text: string): boolean {
  return (stageColors as readonly string[]).includes(text) || /^#[0-9a-f]{6}$/i.test(text)
}
