import { z } from 'zod'
import { verdicts } from '../../db/lead-score.ts'
import { ScoreCase } from '../../db/score-definition.ts'
import { recomputeTriggers, scoreJobStatuses } from '../../db/score-jobs.ts'
import { Actor, Id, Text, Time } from '../shapes.ts'

const Count = z.int()
const Verdict = z.enum(verdicts)
const Rate = z.number().nullable()

/** Why a score is what it is; the points come to the score, before it is kept within 0 to 100. */
const Reasons = z.array(z.object({ factor: z.string(), points: z.number(), reason: z.string() }))

const job = {
  id: Id,
  formula_id: Id.nullable(),
  definition_hash: z.string(),
  status: z.enum(scoreJobStatuses),
  progress: z.object({ done: Count, total: Count }),
  error: Text,
  requested_by: Actor,
  created_at: Time,
  started_at: Time.nullable(),
  finished_at: Time.nullable(),
  kind: z.enum(['backtest', 'recompute']),
  trigger: z.enum(recomputeTriggers).nullable(),
  counts: z.object({ changed: Count, unchanged: Count }),
}

/** The scoring of every lead. */
export const ScoreJobShape = z.object(job).meta({ id: 'ScoreJob' })

const Fit = z.object({
  auc: Rate.describe(
    'How often a lead that was won scored higher than one that was lost; 0.5 is chance. Null without one of each.',
  ),
  calibration: z.array(z.object({ from: Count, to: Count, n: Count, won: Count, win_rate: Rate })),
  deciles: z.array(z.object({ decile: Count, n: z.number(), won: z.number(), win_rate: Rate, lift: Rate })),
  by_verdict: z.array(z.object({ verdict: Verdict, n: Count, won: Count, win_rate: Rate })),
})

export const ScoreChangeShape = z
  .object({
    lead: z.object({ id: Id, name: Text }),
    score_before: Count,
    score_after: Count,
    verdict_before: Verdict,
    verdict_after: Verdict,
    reasons_before: Reasons,
    reasons_after: Reasons,
  })
  .meta({ id: 'ScoreChange' })

/** What a version of the formula would have said of the leads that were won and lost. */
export const BackTestShape = z
  .object({
    ...job,
    current: z.boolean().describe('Whether the version still is as it was tested.'),
    result: z
      .object({
        history: z.object({ n: Count, won: Count, lost: Count }),
        enough: z.boolean(),
        note: z.string(),
        draft: Fit,
        active: Fit.extend({ label: z.string() }),
        open: z.object({
          n: Count,
          changed: Count,
          higher: Count,
          lower: Count,
          by_verdict: z.array(z.object({ before: Verdict, after: Verdict, n: Count })),
        }),
        caveats: z.array(z.string()),
      })
      .nullable(),
    changes: z.array(ScoreChangeShape),
  })
  .meta({ id: 'BackTest' })

const Scored = z.object({ score: Count, reasons: Reasons, verdict: Verdict, verdict_reason: z.string() })

export const PreviewShape = Scored.extend({
  now: Scored.extend({ formula: z.string() }).describe('By the formula in force.'),
})

export const FactorsShape = z.object({
  inputs: z.array(
    z.object({
      looks_at: z.string(),
      label: z.string(),
      description: Text,
      kind: z.enum(['text', 'choice', 'choices', 'number', 'date', 'stage', 'words']),
      choices: z.array(z.string()),
      cases: z.array(z.string()),
      example: ScoreCase,
    }),
  ),
  counts: z.array(z.object({ count: z.string(), label: z.string() })),
  stages: z.array(z.object({ id: Id, label: z.string(), pipeline: z.string() })),
  decay_since: z.array(z.string()),
  placeholders: z.array(z.string()),
  limits: z.record(z.string(), Count),
})
