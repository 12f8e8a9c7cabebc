import { z } from 'zod'
import { wordLimits } from './score-words.ts'

/** How much a formula may hold. */
export const formulaLimits = {
  factors: 60,
  cases: 40,
  choices: 200,
  points: 100,
  days: 3_650,
  /** Parts of one calculation. */
  parts: 40,
}

const Points = z
  .int(`whole points from -${formulaLimits.points} to ${formulaLimits.points}`)
  .min(-formulaLimits.points, `points from -${formulaLimits.points} to ${formulaLimits.points}`)
  .max(formulaLimits.points, `points from -${formulaLimits.points} to ${formulaLimits.points}`)

const Days = z.number().positive().max(formulaLimits.days)

/** A calculation over numbers of the lead; what it cannot compute counts as blank. */
export type Expression =
  | { number: number }
  | { field: string }
  | { add: Expression[] }
  | { subtract: [Expression, Expression] }
  | { multiply: Expression[] }
  /** `otherwise` is what it comes to when there is nothing to divide by: a number, or `blank`. */
  | { divide: [Expression, Expression]; otherwise?: number | 'blank' | undefined }

const Several = z
  .array(z.lazy(() => Expression))
  .min(2)
  .max(10)
const Two = z.tuple([z.lazy(() => Expression), z.lazy(() => Expression)])

export const Expression: z.ZodType<Expression> = z
  .union([
    z.strictObject({ number: z.number() }),
    z.strictObject({ field: z.string().max(100) }),
    z.strictObject({ add: Several }),
    z.strictObject({ subtract: Two }),
    z.strictObject({ multiply: Several }),
    z.strictObject({ divide: Two, otherwise: z.union([z.number(), z.literal('blank')]).optional() }),
  ])
  .meta({ id: 'ScoreExpression' })

/** What the lead did, or was done with it, that can be counted. */
export const countables = ['replies', 'calls', 'meetings', 'submissions', 'emails_sent'] as const
export type Countable = (typeof countables)[number]

/** What a factor looks at: a value by its name, how often something happened, or a calculation. */
export const LooksAt = z.union([
  z.string().max(100),
  z.strictObject({ count: z.enum(countables), days: z.int().min(1).max(formulaLimits.days).optional() }),
  z.strictObject({ calculate: Expression }),
])
export type LooksAt = z.infer<typeof LooksAt>

const Choice = z.union([z.string().trim().min(1).max(300), z.number()])

/** One case of a factor: the first one that is true gives its points. */
export const ScoreCase = z.strictObject({
  is_set: z.boolean().optional(),
  equals: Choice.optional(),
  any_of: z.array(Choice).min(1).max(formulaLimits.choices).optional(),
  words: z.array(z.string().max(200)).min(1).max(wordLimits.words).optional(),
  /** A band: from this number on, and below that one. Of a date: days since. */
  from: z.number().optional(),
  below: z.number().optional(),
  points: Points,
  /** `{found}` stands for what was found, `{label}` for the name of the factor. */
  reason: z.string().trim().min(1).max(300).optional(),
})
export type ScoreCase = z.infer<typeof ScoreCase>

/** Since when points fade. */
export const fadesSince = ['created_at', 'stage_entered_at', 'last_activity'] as const

export const Decay = z.strictObject({
  since: z.enum(fadesSince),
  /** Half of the points are left after so many days. */
  half_life_days: Days.optional(),
  /** Or so many points are lost for every so many days, down to none. */
  lose: z.int().min(1).max(formulaLimits.points).optional(),
  every_days: Days.optional(),
})
export type Decay = z.infer<typeof Decay>

export const ScoreFactor = z.strictObject({
  factor: z
    .string()
    .regex(
      /^[a-z][a-z0-9_]{0,62}$/,
      'small letters, digits and underscores, a letter first, such as company_size',
    ),
  label: z.string().trim().min(1).max(100).optional(),
  looks_at: LooksAt,
  cases: z.array(ScoreCase).min(1).max(formulaLimits.cases),
  decay: Decay.optional(),
})
export type ScoreFactor = z.infer<typeof ScoreFactor>

const Threshold = z.int('a whole score from 0 to 100').min(0).max(100)

/** A formula: what every lead starts with, what each factor adds, and from which scores on it is worth what. */
export const FormulaDefinition = z.strictObject({
  base: z.int('a whole number of points from -100 to 100').min(-100).max(100),
  thresholds: z.strictObject({ qualified: Threshold, nurture: Threshold }),
  factors: z.array(ScoreFactor).max(formulaLimits.factors),
})
export type FormulaDefinition = z.infer<typeof FormulaDefinition>
