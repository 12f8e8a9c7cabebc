import { expect, test } from 'vitest'
import { workScoreJob } from '../db/score-work.ts'
import { definitionOf, factor, openFormulaWorld } from './formula-world.ts'
import { makeLead } from './worked-lead.ts'

const { api, create } = await openFormulaWorld()

const { body: fields } = await api.json('GET', '/api/fields?record_kind=lead')
const idOf = (key: string): string => fields.data.find((one: { key: string }) => one.key === key).id
const archive = async (key: string) =>
  expect((await api.ask('DELETE', `/api/fields/${idOf(key)}`)).status).toBe(204)
const restore = async (key: string) =>
  expect((await api.json('POST', `/api/fields/${idOf(key)}/restore`)).status).toBe(200)
const active = async () => {
  const { body } = await api.json('GET', '/api/score-formulas/active')
  return body.id === null ? body : (await api.json('GET', `/api/score-formulas/${body.id}`)).body
}
const work = (id: string) => workScoreJob(api.db, api.ctx.organization_id, id)
const activate = (id: string) => api.json('POST', `/api/score-formulas/${id}/activate`, {})
const tested = async (definition: object): Promise<string> => {
  const { body } = await create(definition)
  const { body: job } = await api.json('POST', `/api/score-formulas/${body.id}/back-test`)
  await work(job.id)
  return body.id
}
const byTeam = definitionOf(factor('custom.team_size', { from: 1, points: 60 }))
const scoreOf = async (id: string) => (await api.json('GET', `/api/leads/${id}`)).body.score

test('F34: a formula that looks at an archived field is not put in force, by whichever door, and is named with the field', async () => {
  const first = await tested(byTeam)
  await archive('team_size')
  const saved = await create(byTeam)
  const refused = await activate(first)
  expect([saved.status, refused.status, refused.body.code]).toEqual([422, 422, 'field_archived'])
  expect(refused.body.errors).toEqual(saved.body.errors)
  expect(refused.body.errors).toMatchObject([
    {
      pointer: '/definition/factors/0/looks_at',
      message: expect.stringContaining('“Team size” is archived'),
    },
  ])
  expect((await active()).id).toBeNull()

  await restore('team_size')
  expect((await activate(first)).status).toBe(200)
  const second = await tested(definitionOf(factor('city', { is_set: true, points: 5 })))
  expect((await activate(second)).status).toBe(200)
  await archive('team_size')
  // Undo would put the first one back.
  const { body: lines } = await api.json(
    'GET',
    `/api/activities?subject_kind=score_formula&subject_id=${second}`,
  )
  const line = lines.data.find(({ type }: { type: string }) => type === 'score_formula_activated')
  const undone = await api.json('POST', `/api/activities/${line.id}/undo`, {})
  expect([undone.status, undone.body.code], JSON.stringify(undone.body)).toEqual([422, 'field_archived'])
  expect((await active()).id).toBe(second)
  await restore('team_size')
})

test('F34: archiving and restoring a field that the formula in force looks at scores every lead anew, and says so', async () => {
  const formula = await tested(byTeam)
  await activate(formula)
  await work((await active()).recompute.id)
  const { id } = await makeLead(api.ctx, { custom: { team_size: 12 } })
  expect(await scoreOf(id)).toBe(70)

  const changed = async (change: () => Promise<unknown>, score: number) => {
    const before = (await active()).recompute.id
    await change()
    const { recompute } = await active()
    expect(recompute).toMatchObject({ trigger: 'field_changed', status: 'queued', formula_id: formula })
    expect(recompute.id).not.toBe(before)
    const { body } = await api.json(
      'GET',
      `/api/activities?subject_kind=field&subject_id=${idOf('team_size')}`,
    )
    const line = body.data.find(({ type }: { type: string }) => type !== 'undone')
    expect(line.data.recompute_id).toBe(recompute.id)
    await work(recompute.id)
    expect(await scoreOf(id)).toBe(score)
    return line.id
  }
  await changed(() => archive('team_size'), 10)
  const line = await changed(() => restore('team_size'), 70)
  // The same by undo: of restoring, then of that.
  const undo = async (activity: string) =>
    expect((await api.json('POST', `/api/activities/${activity}/undo`, {})).status).toBe(200)
  await changed(() => undo(line), 10)
  await changed(() => restore('team_size'), 70)
  const preview = await api.json('POST', '/api/score-formulas/preview', { definition: byTeam, lead_id: id })
  expect(preview.body.score).toBe(70)

  const { recompute } = await active()
  await archive('budget')
  await restore('budget')
  expect((await active()).recompute.id).toBe(recompute.id)
})
