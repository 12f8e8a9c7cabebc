import type { Change } from './activities.ts'
import type { TxCtx } from './context.ts'
import { type FieldUnit, unitOf } from './field-units.ts'
import type { Joining } from './lead-merge-arrivals.ts'
import { chosenIn, mergeUnit, type MergedValues, tagsOf, valuesOf } from './lead-merge-fields.ts'
import type { StoredMerge, StoredOrigin } from './lead-merge-images.ts'

/** What a merge, or somebody who joined during one, laid over the primary's values. */
export type Layer = { id: string; changes: Change[]; origins: StoredOrigin[] }

/** One that was lifted. */
export type GoneLayer = Layer & { lifted_at: Date }

/** The layers of a merge itself, and of those who joined. */
export const layerOfMerge = ({ id, image: { changes, origins } }: StoredMerge): Layer => ({
  id,
  changes: changes.map(({ field, before, after }) => ({
    field,
    before: before ?? null,
    after: after ?? null,
  })),
  origins,
})
export const layerOfJoining = ({ id, filled }: Joining): Layer => ({
  id,
  changes: filled.map(({ field, before, after }) => ({
    field,
    before: before ?? null,
    after: after ?? null,
  })),
  origins: filled.flatMap(({ origin }) => origin ?? []),
})

/** The primary's values with a layer, and without it. */
export type Lifted = {
  values: MergedValues
  /** Of what came back, where it had come from. */
  origins: Map<string, StoredOrigin | undefined>
  /** What somebody wrote over it since. */
  kept: { field: string; left: unknown; now: unknown; with?: string }[]
}

/** Values of one unit with and without a layer, and which of them somebody wrote over before a later merge. */
type Course = { with: MergedValues; without: MergedValues; edited: string[] }

/**
 * Lifts a layer from under what was laid over it: the primary's values become what they would be without it. Merges that
 * came later and still stand keep what they brought, and put back what is beneath them now when they are taken apart. What
 * somebody wrote over it stays.
 * @param above merges that came after the layer and stand, the oldest first; what they put back is changed in their images
 * @param gone what was lifted while this layer lay over it, and when: nothing of it comes back. Merges know it already
 */
export const liftLayer = async (
  ctx: TxCtx,
  current: MergedValues,
  layer: Layer,
  above: readonly StoredMerge[],
  gone: readonly GoneLayer[],
): Promise<Lifted> => {
  const lifted: Lifted = { values: {}, origins: new Map(), kept: [] }
  const changes = new Map(layer.changes.map((change) => [change.field, change]))
  const units = layer.changes
    .map(({ field }) => unitOf('lead', field))
    .filter((unit, n, all) => all.findIndex(({ field }) => field === unit.field) === n)
  for (const unit of units) {
    const touched = unit.columns.filter((column) => changes.has(column))
    const pick = (which: 'before' | 'after'): MergedValues =>
      Object.fromEntries(touched.map((column) => [column, changes.get(column)?.[which] ?? null]))
    const beneath = Object.fromEntries(
      touched.map((column) => [column, beneathOf(column, pick('before')[column], layer.id, gone)]),
    )
    const origins = new Map(
      touched.map((column) => [column, layer.origins.find(({ field }) => field === column)]),
    )
    let course: Course = { with: pick('after'), without: beneath, edited: [] }
    for (const merge of above) course = await passThrough(ctx, unit, course, merge, origins)
    settle(unit, course, current, origins, lifted)
  }
  return lifted
}

/** What a layer put back, unless that was laid there by one that is gone: then what was beneath that one. */
const beneathOf = (column: string, value: unknown, id: string, gone: readonly GoneLayer[]): unknown => {
  const brought = gone
    .filter((layer) => layer.id < id && layer.lifted_at > momentOf(id))
    .toReversed()
    .flatMap((layer) =>
      layer.changes.filter(({ field }) => field === column).map((change) => ({ layer, change })),
    )
    .find(({ change }) => isSame(change.after, value))
  return brought ? beneathOf(column, brought.change.before, brought.layer.id, gone) : value
}

/** When a layer was laid: its id is a UUIDv7, which begins with the moment. */
const momentOf = (id: string): Date => new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))

/** How a later merge goes without the layer: it puts back what is beneath it then. */
const passThrough = async (
  ctx: TxCtx,
  unit: FieldUnit,
  course: Course,
  { image, duplicate_id }: StoredMerge,
  origins: Map<string, StoredOrigin | undefined>,
): Promise<Course> => {
  if (course.edited.length > 0 || Object.keys(course.with).length === 0) return course
  const found = valuesOf(image.primary)
  const brought = new Map(image.changes.map(({ field, after }) => [field, after ?? null]))
  const columns = Object.keys(course.with)
  const edited = columns.filter((column) => !isSame(found[column], course.with[column]))
  if (unit.field !== 'tags' && edited.length > 0) return { ...course, edited }
  const own: MergedValues = { ...found, ...without(unit, course, found) }
  const merged = mergeUnit(unit, own, valuesOf(image.duplicate), chosenIn(image.fields))
  const next = {
    with: Object.fromEntries(
      unit.columns.map((c) => [c, brought.has(c) ? brought.get(c) : (found[c] ?? null)]),
    ),
    without: Object.fromEntries(unit.columns.map((c) => [c, merged[c] ?? null])),
  }
  const brings = unit.columns.filter((column) => !isSame(own[column], merged[column]))
  setValues(image.primary, Object.fromEntries(unit.columns.map((c) => [c, own[c] ?? null])))
  image.changes = [
    ...image.changes.filter(({ field }) => !unit.columns.includes(field)),
    ...brings.map((field) => ({ field, before: own[field] ?? null, after: merged[field] ?? null })),
  ]
  image.origins = [
    ...image.origins.filter(({ field }) => !columns.includes(field)),
    ...columns.flatMap((column) => (brings.includes(column) && origins.get(column)) || []),
  ]
  const differing = unit.columns.filter((column) => !isSame(next.with[column], next.without[column]))
  // What it brings only now has its own origin.
  const fresh = differing.filter((column) => brings.includes(column) && !brought.has(column))
  if (fresh.length > 0) {
    const { tx, organization_id } = ctx
    const rows = await tx<StoredOrigin[]>`
      select field, origin, tainted, set_at::text from record_origins where organization_id = ${organization_id}
        and record_kind = 'lead' and record_id = ${duplicate_id} and field = any(${fresh}::text[])`
    for (const column of fresh)
      origins.set(
        column,
        rows.find(({ field }) => field === column),
      )
  }
  const only = (values: MergedValues): MergedValues =>
    Object.fromEntries(differing.map((column) => [column, values[column] ?? null]))
  return { with: only(next.with), without: only(next.without), edited: [] }
}

/** What the primary gets of a unit, or keeps because somebody wrote it since. */
const settle = (
  unit: FieldUnit,
  course: Course,
  current: MergedValues,
  origins: Map<string, StoredOrigin | undefined>,
  { values, origins: back, kept }: Lifted,
): void => {
  const columns = Object.keys(course.with)
  const edited =
    course.edited.length > 0
      ? course.edited
      : columns.filter((column) => !isSame(current[column], course.with[column]))
  if (edited.length === 0 || unit.field === 'tags') {
    for (const [column, value] of Object.entries(without(unit, course, current))) {
      if (isSame(current[column], value)) continue
      values[column] = value
      back.set(column, origins.get(column))
    }
    return
  }
  for (const field of columns)
    kept.push({
      field,
      left: course.with[field] ?? null,
      now: current[field] ?? null,
      ...(edited.includes(field) ? {} : { with: edited[0] ?? unit.field }),
    })
}

/** Tags that the layer brought are taken out, whatever others are there by now. */
const without = ({ field }: FieldUnit, course: Course, found: MergedValues): MergedValues => {
  if (field !== 'tags' || !('tags' in course.with)) return course.without
  const stays = new Set(tagsOf(course.without['tags']))
  const brought = new Set(tagsOf(course.with['tags']).filter((tag) => !stays.has(tag)))
  return { tags: tagsOf(found['tags']).filter((tag) => !brought.has(tag)) }
}

const setValues = (lead: Record<string, unknown>, values: MergedValues): void => {
  for (const [column, value] of Object.entries(values)) {
    if (!column.startsWith('custom.')) lead[column] = value
    else lead['custom'] = { ...(lead['custom'] as object), [column.slice(7)]: value }
  }
}

const isSame = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one ?? null) === JSON.stringify(other ?? null)
