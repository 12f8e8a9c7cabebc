import { z } from 'zod'
import { activateScoreFormula, retireScoreFormula } from '../../db/score-activation.ts'
import { getBackTest, listScoreChanges, startBackTest } from '../../db/score-backtest-reads.ts'
import { builtInFormula } from '../../db/score-built-in.ts'
import { FormulaDefinition } from '../../db/score-definition.ts'
import {
  createScoreFormula,
  FormulaAct,
  formulaInForce,
  formulaStatuses,
  getScoreFormula,
  listScoreFormulas,
  NewScoreFormula,
  type ScoreFormula,
  ScoreFormulaChange,
  updateScoreFormula,
  warningsOf,
} from '../../db/score-formulas.ts'
import { listFactors, previewScore } from '../../db/score-preview.ts'
import { cancelRecompute, latestRecompute, startRecompute } from '../../db/score-recompute.ts'
import type { Ctx } from '../../db/context.ts'
import { ById, Limit, Paged, route } from '../route.ts'
import { Actor, Id, listOf, Time } from '../shapes.ts'
import { BackTestShape, FactorsShape, PreviewShape, ScoreChangeShape, ScoreJobShape } from './score-shapes.ts'

const shared = {
  label: z.string().describe('What scores say that they were computed by.'),
  name: z.string(),
  definition: FormulaDefinition,
  definition_hash: z.string().describe('A back-test is about exactly this definition.'),
}

/** A version of the formula that scores leads. */
const ScoreFormulaShape = z
  .object({
    id: Id,
    number: z.int(),
    ...shared,
    status: z.enum(formulaStatuses),
    time_dependent: z.boolean().describe('Its points change with time: leads are scored anew every night.'),
    warnings: z
      .array(z.object({ factor: z.string(), message: z.string() }))
      .describe('What gives no points any more, because a field was archived or a stage deleted.'),
    created_by: Actor,
    activated_at: Time.nullable(),
    activated_by: Actor.nullable(),
    retired_at: Time.nullable(),
    recompute: ScoreJobShape.nullable().describe('The newest scoring of every lead by it.'),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'ScoreFormula' })

const InForceShape = z.object({
  id: Id.nullable().describe('Null: the built-in formula.'),
  number: z.int().nullable(),
  ...shared,
})

const described = async (ctx: Ctx, formula: ScoreFormula) => ({
  ...formula,
  warnings: await warningsOf(ctx, formula),
  recompute: await latestRecompute(ctx, formula.id),
})

const Described = { definition: FormulaDefinition.optional() }
const READING =
  'Numbers, days, texts, choices, signals, counts and calculations: see `/api/score-formulas/factors`.'

/** The formula that scores leads, in versions. */
export const scoreFormulas = [
  route(
    {
      method: 'GET',
      path: '/api/score-formulas',
      permission: 'scores:read',
      summary: 'Versions of the score formula, the newest first',
      query: Paged.extend({ status: z.enum(formulaStatuses).optional() }),
      response: listOf(ScoreFormulaShape),
    },
    async ({ ctx, query }) => {
      const { data, next_cursor } = await listScoreFormulas(ctx, query)
      return { data: await Promise.all(data.map((formula) => described(ctx, formula))), next_cursor }
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/score-formulas/active',
      permission: 'scores:read',
      summary: 'The formula in force',
      description: 'The built-in one, without an id, while no version is active.',
      response: InForceShape,
    },
    async ({ ctx }) => {
      const { id, number, label, name, definition, definition_hash } = await formulaInForce(ctx)
      return { id, number, label, name, definition, definition_hash }
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/score-formulas/factors',
      permission: 'scores:read',
      summary: 'What a formula can be made of',
      description:
        'Values that factors look at, with the cases that can be asked of each and an example; the organization’s own fields and stages among them.',
      response: FactorsShape,
    },
    ({ ctx }) => listFactors(ctx),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas/preview',
      permission: 'scores:read',
      summary: 'Score one lead by a definition that is not kept',
      body: z.object({ definition: z.record(z.string(), z.unknown()), lead_id: z.uuid() }),
      described_body: z.object({ definition: FormulaDefinition, lead_id: z.uuid() }),
      example: { definition: builtInFormula, lead_id: '01990000-0000-7000-8000-000000000000' },
      response: PreviewShape,
    },
    ({ ctx, body }) => previewScore(ctx, body.definition, body.lead_id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas',
      permission: 'scores:write',
      summary: 'Draft a version of the formula',
      description: `Without a definition it begins as the one in force. \`score = base + points\`, from 0 to 100; of each factor the first case that is true gives its points. ${READING} 422 names every fault: \`unknown_field\`, \`unknown_stage\`, \`bands_overlap\`, \`divides_by_nothing\`, \`words_only\`, …`,
      body: NewScoreFormula,
      described_body: NewScoreFormula.extend(Described),
      example: { name: 'Larger companies first', definition: builtInFormula },
      response: ScoreFormulaShape,
      status: 201,
    },
    async ({ ctx, body }) => described(ctx, await createScoreFormula(ctx, body)),
  ),
  route(
    {
      method: 'GET',
      path: '/api/score-formulas/:id',
      permission: 'scores:read',
      summary: 'One version, with what of it gives no points any more',
      params: ById,
      response: ScoreFormulaShape,
    },
    async ({ ctx, params }) => described(ctx, await getScoreFormula(ctx, params.id)),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/score-formulas/:id',
      permission: 'scores:write',
      summary: 'Change a draft',
      description: `The definition is the whole one. ${READING} 409 \`formula_not_draft\`.`,
      params: ById,
      body: ScoreFormulaChange,
      described_body: ScoreFormulaChange.extend(Described),
      example: { version: 1, name: 'Larger companies first' },
      response: ScoreFormulaShape,
      versioned: true,
    },
    async ({ ctx, params, body, version }) =>
      described(ctx, await updateScoreFormula(ctx, params.id, { ...body, version })),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas/:id/back-test',
      permission: 'scores:write',
      summary: 'Try a version on the leads that were won and lost',
      description:
        'Answers at once; progress comes as `score_job_progress` on `/api/events`, the end as `score_backtested`.',
      params: ById,
      response: BackTestShape,
      status: 202,
    },
    ({ ctx, params }) => startBackTest(ctx, params.id),
  ),
  route(
    {
      method: 'GET',
      path: '/api/score-formulas/:id/back-test',
      permission: 'scores:read',
      summary: 'The newest back-test of a version',
      description:
        'How well its scores tell what was won from what was lost (calibration, lift, AUC), beside the formula in force; which open leads would change, with the 200 biggest changes. With little history `enough` is false, and `note` says so.',
      params: ById,
      response: BackTestShape,
    },
    ({ ctx, params }) => getBackTest(ctx, params.id),
  ),
  route(
    {
      method: 'GET',
      path: '/api/score-formulas/:id/back-test/changes',
      permission: 'scores:read',
      summary: 'Every open lead that would change, the biggest change first',
      params: ById,
      query: z.object({ limit: Limit, cursor: z.string().max(500).optional() }),
      response: listOf(ScoreChangeShape),
    },
    ({ ctx, params, query }) => listScoreChanges(ctx, params.id, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas/:id/activate',
      permission: 'scores:write',
      summary: 'Put a version in force, and score every lead anew',
      description:
        'Also one that was in force before. Refused as saving it is where what it looks at is gone, such as an archived field (422 `field_archived`); 409 `back_test_required` unless exactly this definition was back-tested.',
      params: ById,
      body: FormulaAct,
      example: { reason: 'It tells larger companies apart' },
      response: ScoreFormulaShape,
    },
    async ({ ctx, params, body }) => described(ctx, await activateScoreFormula(ctx, params.id, body)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas/:id/retire',
      permission: 'scores:write',
      summary: 'Take a version out of use',
      description: 'Without the active one, the built-in formula scores.',
      params: ById,
      body: FormulaAct,
      example: { reason: 'It was a try' },
      response: ScoreFormulaShape,
    },
    async ({ ctx, params, body }) => described(ctx, await retireScoreFormula(ctx, params.id, body)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas/:id/recompute',
      permission: 'scores:write',
      summary: 'Score every lead anew by the version in force',
      description:
        'Answers at once; progress comes as `score_job_progress` on `/api/events`, the end as `scores_recomputed`. 409 `formula_not_active`.',
      params: ById,
      response: ScoreJobShape,
      status: 202,
    },
    ({ ctx, params }) => startRecompute(ctx, 'asked', params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/score-formulas/:id/recompute/cancel',
      permission: 'scores:write',
      summary: 'Stop scoring every lead anew; what was scored stays',
      params: ById,
      response: ScoreJobShape,
    },
    ({ ctx, params }) => cancelRecompute(ctx, params.id),
  ),
]
