import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { openApi, type ApiWorld } from './api.ts'
import { furnish, type Furnished } from './furnished.ts'

/** What other systems were built upon: names may be added to what is answered, none of these goes away. */
const frozen = {
  opportunity:
    'id kind name contact_name company_name title email phone website city state country pipeline_id stage_id stage owner_id source campaign_id value_minor currency forecast_category expected_close_on score score_reasons tags custom sent_at accepted_at qualifying_started_at qualified_at scheduled_at won_at lost_at discard_reason_id contact_ids account_ids source_lead_id external_id created_at updated_at version',
  stage_of_opportunity: 'id label kind position',
  pipeline: 'id name description record_kind lost_reason is_default stages version',
  stage: 'id label kind position color close_probability rot_days',
  activity: 'id type occurred_at actor subjects data',
  actor: 'id kind name',
  approval:
    'id status tool summary input reason evidence subject proposed_by run_id risk expires_at decided_by decided_at result stale_because version',
  run: 'id agent subject status model prompt_version started_at finished_at usage stop_reason steps',
  step: 'n kind tool input verdict rule output started_at finished_at',
  usage: 'input_tokens output_tokens',
  problem: 'type title status code detail instance',
} as const

const namesOf = (noun: keyof typeof frozen): string[] => frozen[noun].split(' ')
const expectNames = (value: unknown, noun: keyof typeof frozen): void => {
  expect(Object.keys(value as object), noun).toEqual(expect.arrayContaining(namesOf(noun)))
}

let api: ApiWorld
let made: Furnished
beforeAll(async () => {
  api = await openApi()
  made = await furnish(api.ctx, api.owner.user_id)
})
afterAll(() => api.stop())

const read = async (path: string): Promise<any> => {
  const { status, body } = await api.json('GET', path)
  expect(status, path).toBe(200)
  return body
}

describe('the names of what is answered', () => {
  test('a lead, in a list and by itself', async () => {
    for (const lead of [await read(`/api/leads/${made.lead}`), (await read('/api/leads')).data[0]]) {
      expectNames(lead, 'opportunity')
      expectNames(lead.stage, 'stage_of_opportunity')
      expect(lead.kind).toBe('lead')
      expect(['open', 'won', 'lost']).toContain(lead.stage.kind)
      for (const list of ['score_reasons', 'tags', 'contact_ids', 'account_ids'])
        expect(Array.isArray(lead[list]), list).toBe(true)
    }
    expect((await read(`/api/opportunities/${made.lead}`)).id).toBe(made.lead)
    expect((await api.json('POST', `/api/leads/${made.lead}/work`)).body).toEqual({
      run_id: expect.any(String),
    })
  })

  test('a pipeline with its stages', async () => {
    const [pipeline] = (await read('/api/pipelines')).data
    expectNames(pipeline, 'pipeline')
    for (const stage of pipeline.stages) expectNames(stage, 'stage')
  })

  test('an activity, on a timeline and in the list, the newest first', async () => {
    const { stages } = await defaultPipeline(api.ctx, 'lead')
    await moveOpportunity(api.ctx, made.lead, { stage_id: stages[1]!.id, reason: 'They called.' })
    for (const path of [`/api/leads/${made.lead}/timeline`, '/api/activities']) {
      const { data } = await read(path)
      for (const activity of data) {
        expectNames(activity, 'activity')
        expectNames(activity.actor, 'actor')
        for (const subject of activity.subjects)
          expect(Object.keys(subject).toSorted()).toEqual(['id', 'kind'])
      }
      expect(data[0], path).toMatchObject({ type: 'stage_changed', reason: 'They called.' })
      const times = data.map(({ occurred_at }: any) => occurred_at)
      expect(times, path).toEqual(times.toSorted().toReversed())
    }
  })

  test('an approval', async () => {
    for (const approval of [
      await read(`/api/approvals/${made.approval}`),
      (await read('/api/approvals')).data[0],
    ]) {
      expectNames(approval, 'approval')
      expectNames(approval.proposed_by, 'actor')
    }
  })

  test('a run with its steps; a list has none', async () => {
    const run = await read(`/api/runs/${made.failed_run}`)
    expectNames(run, 'run')
    expectNames(run.usage, 'usage')
    expect(run.steps.length).toBeGreaterThan(0)
    for (const step of run.steps) expectNames(step, 'step')
    expect((await read('/api/runs')).data[0]).not.toHaveProperty('steps')
  })

  test('a list is data and next_cursor, of at most 200', async () => {
    for (const path of [
      'leads',
      'approvals',
      'runs',
      'activities',
      'submissions',
      'tasks',
      'notes',
      'messages',
    ]) {
      expect(Object.keys(await read(`/api/${path}?limit=1`)).toSorted(), path).toEqual([
        'data',
        'next_cursor',
      ])
      expect(await api.json('GET', `/api/${path}?limit=201`), path).toMatchObject({ status: 422 })
    }
    expect(typeof (await read('/api/leads?limit=1')).next_cursor).toBe('string')
    expect((await read('/api/leads?limit=200')).next_cursor).toBeNull()
  })

  test('a problem, with the place that was wrong', async () => {
    const response = await api.ask('POST', '/api/leads', { contact_name: 7 })
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const problem = (await response.json()) as any
    expectNames(problem, 'problem')
    expect(problem).toMatchObject({
      status: 422,
      errors: [{ pointer: '/contact_name', message: expect.any(String) }],
    })
  })

  test('a decision that comes too late says the state and who decided', async () => {
    expect(await api.json('POST', `/api/approvals/${made.rejected}/approve`, {})).toMatchObject({
      status: 409,
      body: { status: 'rejected', decided_by: { kind: 'user', id: api.owner.user_id } },
    })
  })
})
