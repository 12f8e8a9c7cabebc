import { z } from 'zod'

/** Pieces that what is answered is made of; each noun's own shape stands beside its routes. Members may be added, none goes away. */
export const Id = z.uuid()
export const Time = z.iso.datetime()
export const Text = z.string().nullable()
export const Anything = z.record(z.string(), z.unknown())

/** `true` or `false` in an address. */
export const YesNo = z.stringbool({ truthy: ['true'], falsy: ['false'], error: 'true or false' })

/** Whether a stage is under way or closed. */
export const StageKind = z.enum(['open', 'won', 'lost'])

/** One page of a list. */
export const listOf = (item: z.ZodType) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() })

/** Who did something. */
export const Actor = z
  .object({
    kind: z.enum(['user', 'agent', 'api_key', 'system', 'visitor']),
    id: z.string(),
    name: z.string(),
    version: z.string().optional(),
  })
  .meta({ id: 'Actor' })

/** A pointer to a record. */
export const Subject = z.object({ kind: z.string(), id: z.string() }).meta({ id: 'Subject' })

/** Where a field's value came from. */
export const OriginShape = z.object({
  field: z.string(),
  origin: Anything,
  tainted: z.boolean(),
  set_at: Time,
})

/** Something that could not be understood, or is worth a second look. */
export const WarningShape = z.object({ field: z.string(), message: z.string(), record_id: Id.optional() })

/** What was wrong, RFC 9457. */
export const ProblemShape = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z
      .union([z.int(), z.string()])
      .describe('The HTTP status; where an approval’s state was in the way, that state.'),
    code: z.string().describe('Stable: what programs look at.'),
    detail: z.string().describe('For people: what to do next.'),
    instance: z.string(),
    errors: z
      .array(z.object({ pointer: z.string(), message: z.string(), accepted: z.unknown().optional() }))
      .optional(),
  })
  .meta({ id: 'Problem' })

/** The run that was queued; its steps arrive on `/api/events`. */
export const Queued = z.object({ run_id: Id })
