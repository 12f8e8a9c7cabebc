import type { Change } from './activities.ts'
import type { Linked } from './import-associations.ts'
import type { Place } from './import-directory.ts'
import type { RowTerms } from './import-drafts.ts'
import { refOf } from './import-plan-creation.ts'

/** What a row tells of acts on a record beside the values it sets: each is taken back by its own line of the timeline. */
const ACTS: ReadonlySet<string> = new Set([
  'stage',
  'pipeline',
  'account',
  'contact',
  'primary_account',
  'primary_contact',
])

/** The changes of values among those that a row tells. */
export const valueChanges = (changes: readonly Change[] | null): Change[] =>
  (changes ?? []).filter(({ field }) => !ACTS.has(field))

/**
 * What a record is not linked with yet, of those that a cell names. The first of them is the primary where another one of
 * them is that: a cell of one name, or one that does not name the primary, says nothing of it.
 * @param standing ids, the primary first
 */
export const newlyLinked = (
  kind: 'account' | 'contact',
  named: readonly Linked[],
  standing: unknown,
): { links: Linked[]; primary: string | undefined; after: string[]; said: Change[] } => {
  const ids = Array.isArray(standing) ? standing.map(String) : []
  const refs = named.map(refOf)
  const [first, [now]] = [refs[0], ids]
  const primary = now !== undefined && first !== now && refs.includes(now) ? first : undefined
  const nameOf = (ref: string | undefined) => named.find((one) => refOf(one) === ref)?.name ?? null
  return {
    links: named.filter((one) => !ids.includes(refOf(one)) || refOf(one) === primary),
    primary,
    after: [...new Set([...(primary === undefined ? [] : [primary]), ...ids, ...refs])],
    said: [
      ...named
        .filter((one) => !ids.includes(refOf(one)))
        .map(({ name }) => ({ field: kind, before: null, after: name })),
      ...(primary === undefined
        ? []
        : [{ field: `primary_${kind}`, before: nameOf(now), after: nameOf(primary) }]),
    ],
  }
}

/** Where a card goes, by the names of the places. */
export const saidOfMove = (
  { directory }: RowTerms,
  record: Record<string, unknown>,
  { pipeline, stage }: Place,
): Change[] => {
  const from = directory.pipelines.find(({ id }) => id === record['pipeline_id'])
  const left = from?.stages.find(({ id }) => id === record['stage_id']) ?? record['stage']
  return [
    ...(from?.id === pipeline.id
      ? []
      : [{ field: 'pipeline', before: from?.name ?? null, after: pipeline.name }]),
    {
      field: 'stage',
      before: (left as { label: string } | undefined)?.label ?? null,
      after: stage.label,
    },
  ]
}
