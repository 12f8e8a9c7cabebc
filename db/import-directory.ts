import { listDiscardReasons } from './discard-reasons.ts'
import type { TxCtx } from './context.ts'
import { nearestName } from './csv-options.ts'
import { listMembers, type Member } from './identity.ts'
import type { RowProblem } from './imports.ts'
import { entryStage, listPipelines, type Pipeline, type Stage } from './pipelines.ts'
import type { RecordKind } from './records.ts'
import { clip } from './text.ts'

/** What cells name by words: the organization's people, pipelines, stages and reasons, as they are now. */
export type Directory = {
  members: readonly Member[]
  /** Those for cards of the import's kind, the default one first. */
  pipelines: readonly Pipeline[]
  reasons: readonly { id: string; label: string }[]
}

/** What a word names, or why it names nothing. */
export type Named<T> = { value: T } | { problem: Omit<RowProblem, 'column'> }

export const readDirectory = async (ctx: TxCtx, kind: RecordKind): Promise<Directory> => {
  const card = kind === 'lead' || kind === 'deal'
  const [members, pipelines, reasons] = await Promise.all([
    listMembers(ctx),
    card ? listPipelines(ctx) : [],
    card ? listDiscardReasons(ctx) : [],
  ])
  return {
    members,
    pipelines: pipelines
      .filter(({ record_kind }) => record_kind === kind)
      .toSorted((a, b) => Number(b.is_default) - Number(a.is_default)),
    reasons,
  }
}

/** A member by id, e-mail address or name. */
export const memberNamed = ({ members }: Directory, text: string): Named<string> => {
  const wanted = plain(text)
  const exact = members.find(({ user_id, id, email }) =>
    [user_id, id, email].some((own) => plain(own) === wanted),
  )
  if (exact) return { value: exact.user_id }
  const called = members.filter(({ name }) => plain(name) === wanted)
  if (called.length > 1)
    return ambiguous(
      'owner',
      text,
      called.map(({ name, email }) => `${name} <${email}>`),
      'write the e-mail address',
    )
  const [member] = called
  if (member) return { value: member.user_id }
  return unknown(
    'owner_unknown',
    'owner',
    `“${clip(text, 80)}” is no member of this organization`,
    members.map(({ email }) => email),
    nearestMember(members, text),
  )
}

const nearestMember = (members: readonly Member[], text: string): string | undefined => {
  const email = nearestName(
    members.map((member) => member.email),
    text,
  )
  if (email !== undefined) return email
  const name = nearestName(
    members.map((member) => member.name),
    text,
  )
  return members.find((member) => member.name === name)?.email
}

/** A stage, and the pipeline that it is in. */
export type Place = { pipeline: Pipeline; stage: Stage }

/** Where a row wants its card: a pipeline, a stage, or both; undefined when it says neither. */
export const placeNamed = (
  directory: Directory,
  { pipeline: pipeline_text, stage: stage_text }: { pipeline: string | undefined; stage: string | undefined },
  standing: Pick<Pipeline, 'id'> | undefined,
): Named<Place | undefined> => {
  if (pipeline_text === undefined && stage_text === undefined) return { value: undefined }
  const { pipelines } = directory
  const named = pipeline_text === undefined ? undefined : pipelineNamed(pipelines, pipeline_text)
  if (named && 'problem' in named) return named
  const pipeline = named?.value
  if (stage_text === undefined) {
    if (!pipeline || pipeline.id === standing?.id) return { value: undefined }
    if (!standing) return { value: { pipeline, stage: entryStage(pipeline) } }
    return unknown(
      'stage_required',
      'stage',
      `The card is in another pipeline: say in which stage of “${pipeline.name}” it goes on`,
      pipeline.stages.map(({ label }) => label),
    )
  }
  return stageNamed(pipeline ? [pipeline] : inOrder(pipelines, standing), stage_text)
}

/** The pipeline that the card is in comes first, then the default one. */
const inOrder = (pipelines: readonly Pipeline[], standing: Pick<Pipeline, 'id'> | undefined): Pipeline[] => [
  ...pipelines.filter(({ id }) => id === standing?.id),
  ...pipelines.filter(({ id }) => id !== standing?.id),
]

const pipelineNamed = (pipelines: readonly Pipeline[], text: string): Named<Pipeline> => {
  const wanted = plain(text)
  const [pipeline, other] = pipelines.filter(({ id, name }) => id === wanted || plain(name) === wanted)
  if (pipeline && !other) return { value: pipeline }
  const names = pipelines.map(({ name }) => name)
  if (other)
    return ambiguous(
      'pipeline',
      text,
      pipelines.filter(({ name }) => plain(name) === wanted).map(({ id }) => id),
      'write its id',
    )
  return unknown(
    'pipeline_unknown',
    'pipeline',
    `There is no pipeline “${clip(text, 80)}”`,
    names,
    nearestName(names, text),
  )
}

/** In the first pipeline that has it; of the others, only where one alone has it. */
const stageNamed = (pipelines: readonly Pipeline[], text: string): Named<Place> => {
  const wanted = plain(text)
  const found = pipelines.flatMap((pipeline) =>
    pipeline.stages
      .filter(({ id, label }) => id === wanted || plain(label) === wanted)
      .map((stage) => ({ pipeline, stage })),
  )
  const [first] = pipelines
  const own = found.find(({ pipeline }) => pipeline === first)
  const [only, other] = found
  if (own) return { value: own }
  if (only && other)
    return ambiguous(
      'stage',
      text,
      found.map(({ pipeline, stage }) => `${pipeline.name}: ${stage.label}`),
      'name the pipeline, too',
    )
  if (only) return { value: only }
  const labels = [...new Set(pipelines.flatMap(({ stages }) => stages.map(({ label }) => label)))]
  const where = pipelines.length === 1 && first ? `“${first.name}” has` : 'There is'
  return unknown(
    'stage_unknown',
    'stage',
    `${where} no stage “${clip(text, 80)}”`,
    labels,
    nearestName(labels, text),
  )
}

/** A reason for a loss, by id or label. */
export const reasonNamed = ({ reasons }: Directory, text: string): Named<string> => {
  const wanted = plain(text)
  const reason = reasons.find(({ id, label }) => id === wanted || plain(label) === wanted)
  if (reason) return { value: reason.id }
  const labels = reasons.map(({ label }) => label)
  return unknown(
    'discard_reason_unknown',
    'discard_reason',
    `There is no discard reason “${clip(text, 80)}”`,
    labels,
    nearestName(labels, text),
  )
}

/** Words as they are compared: whatever their case, accents and spacing. */
export const plain = (text: string): string =>
  text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/\s+/g, ' ').trim()

const unknown = (
  code: string,
  field: string,
  message: string,
  accepted: string[],
  nearest?: string,
): { problem: Omit<RowProblem, 'column'> } => ({
  problem: { code, field, message, accepted, ...(nearest === undefined ? {} : { nearest }) },
})

const ambiguous = (
  field: string,
  text: string,
  candidates: string[],
  advice: string,
): { problem: Omit<RowProblem, 'column'> } => ({
  problem: {
    code: `${field}_ambiguous`,
    field,
    message: `“${clip(text, 80)}” can be ${candidates.slice(0, 5).join(' or ')}: ${advice}`,
    accepted: candidates.slice(0, 20),
  },
})
