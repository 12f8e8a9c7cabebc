import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { capture } from '../bench/captured.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { Filter } from '../db/filters.ts'
import { completeTask } from '../db/task-states.ts'
import { createTask, listTasks, type ListTasks, type Task, taskPriorities } from '../db/tasks.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const make = (title: string, priority: Task['priority']) => createTask(ctx, { title, priority, subjects: [] })
const list = async (query: Partial<ListTasks>) => {
  const { data } = await listTasks(ctx, { limit: 50, ...query })
  return data.map(({ title }) => title)
}

test('F50: tasks stand in the order of their priority, urgent to low or back, and pages hold still while others are added', async () => {
  const made: [string, Task['priority']][] = [
    ['a', 'normal'],
    ['b', 'urgent'],
    ['c', 'low'],
    ['d', 'high'],
    ['e', 'urgent'],
    ['f', 'normal'],
    ['g', 'high'],
  ]
  for (const [title, priority] of made) await make(title, priority)
  const urgent_first = ['e', 'b', 'g', 'd', 'f', 'a', 'c']
  expect(await list({ sort: '-priority' })).toEqual(urgent_first)
  expect(await list({ sort: 'priority' })).toEqual(urgent_first.toReversed())
  expect(await list({ sort: '-priority,title' })).toEqual(['b', 'e', 'd', 'g', 'a', 'f', 'c'])
  expect(await list({ sort: 'due_at,-priority' })).toHaveLength(7)

  for (const [sort, order] of [
    ['-priority', urgent_first],
    ['priority', urgent_first.toReversed()],
    ['-priority,title', ['b', 'e', 'd', 'g', 'a', 'f', 'c']],
  ] as const) {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page: { body: { data: Task[]; next_cursor: string | null } } = await api.json(
        'GET',
        `/api/tasks?sort=${sort}&limit=2${cursor ? `&cursor=${cursor}` : ''}`,
      )
      seen.push(...page.body.data.map(({ title }) => title))
      cursor = page.body.next_cursor ?? undefined
      // Before where the reader stands: it is on no later page.
      const late = await make('late', sort.startsWith('-') ? 'urgent' : 'low')
      await completeTask(ctx, late.id)
    } while (cursor)
    expect(seen, sort).toEqual(order)
  }
  expect(
    await api.json('GET', '/api/tasks?sort=-priority&limit=2&cursor=WyItcHJpb3JpdHkiLCJoaWdoIl0'),
  ).toMatchObject({
    status: 422,
    body: { code: 'invalid_cursor' },
  })
})

test('F50: a filter compares priorities as people do, not letter by letter', async () => {
  const priorities = async (op: string, value: unknown) => {
    const filter = Filter.parse({ field: 'priority', op, value })
    const { data } = await listTasks(ctx, { filter, limit: 50 })
    return taskPriorities.filter((one) => data.some(({ priority }) => priority === one))
  }
  expect(await priorities('gt', 'normal')).toEqual(['high', 'urgent'])
  expect(await priorities('gte', 'normal')).toEqual(['normal', 'high', 'urgent'])
  expect(await priorities('lt', 'high')).toEqual(['low', 'normal'])
  expect(await priorities('lte', 'low')).toEqual(['low'])
  expect(await priorities('between', ['normal', 'high'])).toEqual(['normal', 'high'])
  expect(await priorities('eq', 'urgent')).toEqual(['urgent'])
  expect(await priorities('in', ['low', 'urgent'])).toEqual(['low', 'urgent'])
  expect(await priorities('starts_with', 'ur')).toEqual(['urgent'])
  const filter = encodeURIComponent(JSON.stringify({ field: 'priority', op: 'gt', value: 'asap' }))
  expect(await api.json('GET', `/api/tasks?filter=${filter}`)).toMatchObject({
    status: 422,
    body: { code: 'invalid_filter', errors: [{ pointer: '/filter/value', accepted: [...taskPriorities] }] },
  })
})

test('F50: the order is that of an index: of 30,000 tasks a page reads its own', async () => {
  await inTx(
    ctx,
    ({ tx, organization_id }) => tx`
      insert into tasks (organization_id, id, title, priority, status, created_by)
      select ${organization_id}, gen_random_uuid(), 'Task ' || n,
        (array['low', 'normal', 'normal', 'normal', 'high', 'urgent'])[1 + n % 6], 'open', '{}'
      from generate_series(1, 30000) n`,
  )
  const owner = postgres(api.owner_url, { max: 1, onnotice: () => {} })
  try {
    await owner`analyze tasks`
    const { data, next_cursor } = await listTasks(ctx, { sort: '-priority', limit: 50 })
    expect(data.every(({ priority }) => priority === 'urgent')).toBe(true)
    const sent = await capture(api.app_url, (db) =>
      listTasks({ ...ctx, db }, { sort: '-priority', limit: 50, cursor: next_cursor! }),
    )
    const plan = await owner.begin(async (tx) => {
      await tx.unsafe(`set local role "${decodeURIComponent(new URL(api.app_url).username)}"`)
      const lines: string[] = []
      for (const { text, parameters } of sent) {
        const explain = text.includes('from tasks') ? `explain (analyze, costs off) ${text}` : text
        const rows = await tx.unsafe(explain, parameters as never[])
        if (explain !== text) lines.push(...rows.map((row) => String(row['QUERY PLAN'])))
      }
      return lines.join('\n')
    })
    expect(plan).toMatch(/Index (?:Only )?Scan.* using tasks_priority/)
    expect(plan).toMatch(/Index Cond: .*organization_id.*ROW.*CASE/)
    expect(plan).not.toMatch(/Seq Scan on tasks/)
  } finally {
    await owner.end()
  }
})
