import { describe, expect, test } from 'vitest'
import { logActivity } from '../db/activity-logging.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deleteStage } from '../db/pipeline-stages.ts'
import { builtInFormula } from '../db/score-built-in.ts'
import type { ScoreFactor } from '../db/score-definition.ts'
import { workScoreJob } from '../db/score-work.ts'
import { definitionOf, openFormulaWorld } from './formula-world.ts'
import { makeLead } from './worked-lead.ts'

const { api, create } = await openFormulaWorld()

/** Back-tests and activates a version, as a worker and a manager would. */
const putInForce = async (id: string) => {
  const { body: job } = await api.json('POST', `/api/score-formulas/${id}/back-test`)
  await workScoreJob(api.db, api.ctx.organization_id, job.id)
  const activated = await api.json('POST', `/api/score-formulas/${id}/activate`, {
    reason: 'It fits us better',
  })
  expect([activated.status, activated.body]).toEqual([200, expect.objectContaining({ status: 'active' })])
  return activated.body
}
const recompute = async () => {
  const { body } = await api.json('GET', '/api/score-formulas?status=active')
  const id = body.data[0]?.recompute?.id
  if (id) await workScoreJob(api.db, api.ctx.organization_id, id)
}

describe('F34: versions', () => {
  test('F34: a draft begins as the formula in force, is changed, back-tested and activated; scores say by which', async () => {
    const lead = await makeLead(api.ctx, { city: 'Kiel' })
    const { status, body: draft } = await api.json('POST', '/api/score-formulas', { name: 'Kiel first' })
    expect([status, draft.definition, draft.status]).toEqual([201, builtInFormula, 'draft'])
    const kiel: ScoreFactor = {
      factor: 'kiel',
      looks_at: 'city',
      cases: [{ equals: 'kiel', points: 20, reason: 'From {found}' }],
    }
    const definition = { ...builtInFormula, factors: [...builtInFormula.factors, kiel] }
    const stale = await api.json('PATCH', `/api/score-formulas/${draft.id}`, { version: 9, definition })
    expect(stale.status).toBe(412)
    const changed = await api.json('PATCH', `/api/score-formulas/${draft.id}`, { version: 1, definition })
    expect(changed.body).toMatchObject({ version: 2, definition, status: 'draft' })
    expect(changed.body.definition_hash).not.toBe(draft.definition_hash)

    const preview = await api.json('POST', '/api/score-formulas/preview', { definition, lead_id: lead.id })
    expect(preview.body).toMatchObject({
      score: lead.score! + 20,
      now: { score: lead.score, formula: 'lead-score/2' },
    })
    expect(preview.body.reasons).toContainEqual({ factor: 'kiel', points: 20, reason: 'From Kiel' })

    const early = await api.json('POST', `/api/score-formulas/${draft.id}/activate`, {})
    expect([early.status, early.body.code]).toEqual([409, 'back_test_required'])
    const active = await putInForce(draft.id)
    expect(active.activated_by).toMatchObject({ kind: 'api_key' })
    const again = await api.json('PATCH', `/api/score-formulas/${draft.id}`, {
      version: active.version,
      name: 'X',
    })
    expect([again.status, again.body.code]).toEqual([409, 'formula_not_draft'])

    // A new lead is scored by it at once, the others by the job.
    const fresh = await makeLead(api.ctx, { city: 'Kiel' })
    expect(fresh).toMatchObject({ score_formula: `score-formula/${draft.number}`, score: lead.score! + 20 })
    expect((await getOpportunity(api.ctx, lead.id)).score).toBe(lead.score)
    await recompute()
    expect(await getOpportunity(api.ctx, lead.id)).toMatchObject({
      score: lead.score! + 20,
      version: lead.version,
      verdict: null,
      score_formula: `score-formula/${draft.number}`,
    })
    expect((await api.json('GET', `/api/score-formulas/active`)).body).toMatchObject({ id: draft.id })
  })

  test('F34: changing a draft after its back-test asks for another one', async () => {
    const { body: draft } = await create(definitionOf())
    const { body: job } = await api.json('POST', `/api/score-formulas/${draft.id}/back-test`)
    await workScoreJob(api.db, api.ctx.organization_id, job.id)
    await api.json('PATCH', `/api/score-formulas/${draft.id}`, {
      version: 1,
      definition: { ...definitionOf(), base: 11 },
    })
    const refused = await api.json('POST', `/api/score-formulas/${draft.id}/activate`, {})
    expect(refused.body).toMatchObject({
      code: 'back_test_required',
      detail: expect.stringContaining('changed since'),
    })
    expect((await api.json('GET', `/api/score-formulas/${draft.id}/back-test`)).body.current).toBe(false)
  })

  test('F34: an activation says who, why and what stood before, and is taken back with one call', async () => {
    const { body: before } = await api.json('GET', '/api/score-formulas/active')
    const { body: draft } = await create(definitionOf(), 'Flat')
    await putInForce(draft.id)
    const { body: lines } = await api.json('GET', '/api/activities?type=score_formula_activated&limit=1')
    expect(lines.data[0]).toMatchObject({
      actor: { kind: 'api_key' },
      reason: 'It fits us better',
      subjects: expect.arrayContaining([{ kind: 'organization', id: api.ctx.organization_id }]),
      data: {
        former: before.name,
        changes: [{ field: 'active_formula', before: before.id, after: draft.id }],
      },
      summary: expect.stringContaining('“Flat”'),
    })
    const undone = await api.json('POST', `/api/activities/${lines.data[0].id}/undo`, {})
    expect([undone.status, undone.body.code]).toEqual([200, undefined])
    expect((await api.json('GET', '/api/score-formulas/active')).body.id).toBe(before.id)
    expect((await api.json('GET', `/api/score-formulas/${draft.id}`)).body.status).toBe('retired')
    // One that was in force before may be again, without another back-test.
    const again = await api.json('POST', `/api/score-formulas/${draft.id}/activate`, {})
    expect(again.body.status).toBe('active')
  })

  test('F34: without an active version the built-in formula scores again', async () => {
    const { body: active } = await api.json('GET', '/api/score-formulas/active')
    const retired = await api.json('POST', `/api/score-formulas/${active.id}/retire`, {
      reason: 'Back to the start',
    })
    expect(retired.body.status).toBe('retired')
    expect((await api.json('GET', '/api/score-formulas/active')).body).toMatchObject({
      id: null,
      label: 'lead-score/2',
    })
    expect(await makeLead(api.ctx)).toMatchObject({ score_formula: 'lead-score/2' })
  })

  test('F34: an archived field and a deleted stage give no points, and the formula says so', async () => {
    const { body: field } = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      label: 'Fleet',
      type: 'integer',
    })
    const pipeline = await createPipeline(api.ctx, {
      template: 'sales',
      name: 'Partners',
      record_kind: 'lead',
    } as never)
    const stage = pipeline.stages[1]!
    const { body: formula } = await create(
      definitionOf(
        {
          factor: 'fleet',
          looks_at: 'custom.fleet',
          cases: [
            { is_set: false, points: -20 },
            { from: 1, points: 20 },
          ],
        },
        { factor: 'stage', looks_at: 'stage', cases: [{ equals: stage.id, points: 5 }] },
      ),
    )
    expect([formula.warnings, formula.definition.factors[1].cases[0].any_of]).toEqual([[], [stage.id]])
    await putInForce(formula.id)
    const fleet = await makeLead(api.ctx, { custom: { fleet: 3 } })
    expect(fleet.score_reasons).toContainEqual(expect.objectContaining({ factor: 'fleet', points: 20 }))
    await api.json('DELETE', `/api/fields/${field.id}`)
    await deleteStage(api.ctx, pipeline.id, stage.id)
    const { body: read } = await api.json('GET', `/api/score-formulas/${formula.id}`)
    expect(read.warnings).toEqual([
      { factor: 'fleet', message: expect.stringContaining('“Fleet” is archived') },
      { factor: 'stage', message: expect.stringContaining(`“${stage.label}”, which was deleted`) },
    ])
    const { body: job } = await api.json('POST', `/api/score-formulas/${formula.id}/recompute`)
    await workScoreJob(api.db, api.ctx.organization_id, job.id)
    const after = await getOpportunity(api.ctx, fleet.id)
    expect(after.score_reasons.map(({ factor }) => factor)).toEqual(['base'])
    await api.json('POST', `/api/score-formulas/${formula.id}/retire`, {})
  })
})

test('F34: a reply, a move, a custom value: the score follows in the same transaction, and so it does when that is taken back', async () => {
  const { ctx } = api
  const lead = await makeLead(ctx)
  const { body: formula } = await create(
    definitionOf(
      {
        factor: 'replies',
        looks_at: { count: 'replies', days: 30 },
        cases: [
          { from: 1, below: 2, points: 10 },
          { from: 2, points: 15 },
        ],
      },
      { factor: 'calls', looks_at: { count: 'calls' }, cases: [{ from: 1, points: 7 }] },
      {
        factor: 'team',
        looks_at: 'custom.team_size',
        cases: [
          { is_set: false, points: -1 },
          { from: 10, points: 5 },
        ],
      },
      {
        factor: 'stage',
        looks_at: 'stage',
        cases: [{ any_of: ['Qualified'], points: 3, reason: 'In {found}' }],
      },
    ),
  )
  await putInForce(formula.id)
  await recompute()
  const score = async () => (await getOpportunity(ctx, lead.id)).score
  expect(await score()).toBe(9)
  const log = (type: 'email_received' | 'call_logged', occurred_at?: string) =>
    logActivity(ctx, {
      type,
      subjects: [{ kind: 'lead', id: lead.id }],
      data: { subject: 'Hello' },
      ...(occurred_at ? { occurred_at } : {}),
    })
  await log('email_received', new Date(Date.now() - 40 * 86_400_000).toISOString())
  expect(await score()).toBe(9)
  const reply = await log('email_received')
  expect(await score()).toBe(19)
  await log('call_logged')
  expect(await score()).toBe(26)
  await updateLead(ctx, lead.id, { custom: { team_size: 12 } })
  expect(await score()).toBe(32)
  const { stages } = (await api.json('GET', `/api/pipelines/${lead.pipeline_id}`)).body
  const qualified = stages.find(({ label }: { label: string }) => label === 'Qualified')
  const moved = await moveOpportunity(ctx, lead.id, { stage_id: qualified.id })
  expect(moved.score).toBe(35)
  expect((await api.json('DELETE', `/api/activities/${reply.id}`)).status).toBe(204)
  expect(await score()).toBe(25)
  await api.json('POST', `/api/score-formulas/${formula.id}/retire`, {})
})
