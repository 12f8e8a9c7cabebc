import { z } from 'zod'
import type { Activity, Change } from './activities.ts'
import type { TxCtx } from './context.ts'
import type { RecordRef } from './records.ts'

/** A verb that takes an act back. */
export type Verb = {
  input: z.ZodType
  /** The record's values as they stand, locked; what the act left is compared with them, name by name. */
  standing: (ctx: TxCtx, input: unknown, activity: Activity) => Promise<Record<string, unknown>>
  /** What the act left; absent: the `after` of its changes. */
  left?: ((activity: Activity) => Record<string, unknown>) | undefined
  /** The input without these fields, for taking back the rest; absent, or where it answers nothing: all or nothing. */
  without?: ((input: unknown, fields: string[]) => unknown) | undefined
  /** The record whose fields are compared, where some of them go together. */
  record?: ((input: unknown, activity: Activity) => RecordRef) | undefined
  apply: (ctx: TxCtx, input: unknown, activity: Activity) => Promise<unknown>
}

/** Declares an inverse; `apply` is the same function of the record that a person's own act goes through. */
export const inverse = <Input extends z.ZodType>(declared: {
  input: Input
  standing: (ctx: TxCtx, input: z.infer<Input>, activity: Activity) => Promise<Record<string, unknown>>
  left?: (activity: Activity) => Record<string, unknown>
  without?: (input: z.infer<Input>, fields: string[]) => z.infer<Input> | undefined
  record?: (input: z.infer<Input>, activity: Activity) => RecordRef
  apply: (ctx: TxCtx, input: z.infer<Input>, activity: Activity) => Promise<unknown>
}): Verb => {
  const given = (input: unknown): z.infer<Input> => declared.input.parse(input)
  const { left, without, record } = declared
  return {
    input: declared.input,
    standing: (ctx, input, activity) => declared.standing(ctx, given(input), activity),
    left,
    without: without && ((input, fields) => without(given(input), fields)),
    record: record && ((input, activity) => record(given(input), activity)),
    apply: (ctx, input, activity) => declared.apply(ctx, given(input), activity),
  }
}

/** What an activity changed, as it is stored. */
export const changesOf = (data: Record<string, unknown>): Change[] => {
  const changes = StoredChanges.safeParse(data['changes'])
  return changes.success ? changes.data : []
}

/** What an act left, by what it says it changed. */
export const leftBy = ({ data }: Activity): Record<string, unknown> =>
  Object.fromEntries(changesOf(data).map(({ field, after }) => [field, after]))

const StoredChanges = z.array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() }))

/** The id of what an act is mainly about. */
export const subjectOf = ({ subjects, id }: Activity): string => {
  const [subject] = subjects
  if (!subject) throw new Error(`activity ${id} is about nothing`)
  return subject.id
}
