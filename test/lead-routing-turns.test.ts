import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveApi } from '../api/server.ts'
import { connect } from '../db/client.ts'
import { inTx } from '../db/context.ts'
import { routeLeads } from '../db/lead-routing.ts'
import { createLead, createLeads } from '../db/leads.ts'
import { updateRoutingPool } from '../db/routing-pools.ts'
import { changeFallback } from '../db/routing-settings.ts'
import { lockTurns } from '../db/routing-turns.ts'
import { processSubmission } from '../db/submissions.ts'
import { addTimeOff, removeTimeOff } from '../db/time-off.ts'
import { createView } from '../db/views.ts'
import { openApi, type ApiWorld } from './api.ts'
import { api_door, days, ownerOf, somebody } from './routed-lead.ts'
import { openTeam, sharesOf } from './team.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const most = (shares: Record<string, number>) => Math.max(...Object.values(shares))
const least = (shares: Record<string, number>) => Math.min(...Object.values(shares))

describe('F33: turns', () => {
  test('F33: fifty concurrent intakes by webhook, API and batches over several connections: shares differ by at most one', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di', 'Ed', 'Flo', 'Gil'])
    await team.rule({ to: { pool: await team.pool('Everybody') } })
    const server = await serveApi(api.app, { host: '127.0.0.1', port: 0 })
    const post = async (path: string, body: object) => {
      const response = await fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${team.key}` },
        body: JSON.stringify(body),
      })
      expect(response.status).toBeLessThan(300)
      return response.json() as Promise<any>
    }
    try {
      const begun = performance.now()
      await Promise.all(Array.from({ length: 50 }, () => post('/api/leads', somebody())))
      const took_ms = Math.round(performance.now() - begun)
      const byApi = await sharesOf(team)
      await Promise.all(Array.from({ length: 50 }, () => team.deliver(somebody())))
      const byWebhook = await sharesOf(team)
      await Promise.all(
        Array.from({ length: 5 }, () =>
          post('/external/v1/leads/batch', { items: Array.from({ length: 23 }, somebody) }),
        ),
      )
      const byBatch = await sharesOf(team)
      const figures = JSON.stringify([byApi, byWebhook, byBatch])
      process.stdout.write(`F33 shares of 50, 100 and 215 leads: ${figures}; 50 by API in ${took_ms} ms\n`)
      for (const [shares, count] of [
        [byApi, 50],
        [byWebhook, 100],
        [byBatch, 215],
      ] as const) {
        expect(Object.values(shares).reduce((sum, leads) => sum + leads, 0)).toBe(count)
        expect(Object.keys(shares).toSorted()).toEqual(['Ada', 'Bo', 'Cy', 'Di', 'Ed', 'Flo', 'Gil'])
        expect(most(shares) - least(shares)).toBeLessThanOrEqual(1)
      }
    } finally {
      await server.close()
    }
  })

  test('F33: many pools at once, in any order, and nobody waits for nobody: no intake is lost to a deadlock', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di'])
    await team.rule({
      name: 'Fair',
      conditions: { source: ['Fair'] },
      to: { pool: await team.pool('One', ['Ada', 'Bo']) },
    })
    await team.rule({
      name: 'Web',
      conditions: { source: ['Web'] },
      to: { pool: await team.pool('Two', ['Cy', 'Di']) },
    })
    const sources = ['Fair', 'Web']
    const items = (from: number) =>
      Array.from({ length: 20 }, (_, n) => ({ ...somebody(), source: sources[(n + from) % 2] }))
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => team.ask('POST', '/external/v1/leads/batch', { items: items(n) })),
    )
    expect(answers.map(({ body }) => body.failed)).toEqual(Array(8).fill(0))
    expect(await sharesOf(team)).toEqual({ Ada: 40, Bo: 40, Cy: 40, Di: 40 })
  })

  test('F33: what is rolled back gives its turn back', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    await team.rule({ to: { pool: await team.pool('Both') } })
    const owners: string[] = []
    for (let n = 0; n < 6; n++) {
      const rolledBack = inTx(team.ctx, async (ctx) => {
        await createLead(ctx, somebody(), api_door)
        throw new Error('somebody pulled the plug')
      })
      await expect(rolledBack).rejects.toThrow('pulled the plug')
      owners.push(await ownerOf(team, await createLead(team.ctx, somebody(), api_door)))
    }
    expect(owners).toEqual(['Ada', 'Bo', 'Ada', 'Bo', 'Ada', 'Bo'])
  })

  test('F33: who weighs more takes more, spread among the others', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    const members = [
      { user_id: team.ids['Ada'], weight: 3 },
      { user_id: team.ids['Bo'], weight: 1 },
      { user_id: team.ids['Cy'] },
    ]
    const { body: pool } = await team.ask('POST', '/api/routing-pools', { name: 'Weighted', members })
    await team.rule({ to: { pool: pool.id } })
    const owners: string[] = []
    for (let n = 0; n < 50; n++)
      owners.push(await ownerOf(team, await createLead(team.ctx, somebody(), api_door)))
    expect(await sharesOf(team)).toEqual({ Ada: 30, Bo: 10, Cy: 10 })
    for (let from = 0; from < 50; from += 5)
      expect(owners.slice(from, from + 5).toSorted()).toEqual(['Ada', 'Ada', 'Ada', 'Bo', 'Cy'])
    const { members: now } = (await team.ask('GET', `/api/routing-pools/${pool.id}`)).body
    expect(now.map(({ name, taken, weight }: any) => [name, taken, weight])).toEqual([
      ['Ada', 30, 3],
      ['Bo', 10, 1],
      ['Cy', 10, 1],
    ])
  })

  test('F33: who comes back, or comes new, takes turns like the others, not all that was missed', async () => {
    const team = await openTeam(api, ['Ada', 'Bo', 'Cy', 'Di'])
    const pool = await team.pool('Team', ['Ada', 'Bo', 'Cy'])
    await team.rule({ to: { pool } })
    const away = await addTimeOff(team.ctx, team.ids['Bo']!, days(-2, 2))
    const add = async (n: number) => {
      await createLeads(
        team.ctx,
        Array.from({ length: n }, () => ({ input: somebody(), origin: api_door })),
      )
      return sharesOf(team)
    }
    expect(await add(40)).toEqual({ Ada: 20, Cy: 20 })
    await removeTimeOff(team.ctx, team.ids['Bo']!, away.id)
    expect(await add(30)).toEqual({ Ada: 30, Bo: 10, Cy: 30 })
    await updateRoutingPool(team.ctx, pool, {
      members: ['Di', 'Ada', 'Bo'].map((name) => ({ user_id: team.ids[name]!, weight: 1 })),
    })
    expect(await add(30)).toEqual({ Ada: 40, Bo: 20, Cy: 30, Di: 10 })
  })
})

describe('F33: many at once', () => {
  test('F33: five hundred are decided with as many queries as one', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const view = await createView(team.ctx, {
      name: 'VIP',
      record_kind: 'lead',
      filter: { field: 'tags', op: 'any', value: ['vip'] },
    })
    const pool = await team.pool('Both')
    await team.rule({ name: 'VIP', conditions: { segment: [{ view_id: view.id }] }, to: { pool } })
    await team.rule({ name: 'Fair', conditions: { source: ['Fair'] }, to: 'Ada' })
    await changeFallback(team.ctx, { fallback: { kind: 'pool', pool_id: pool } })
    let statements = 0
    const sql = connect(api.app_url, { max: 1, onStatement: () => (statements += 1) })
    const route = (count: number) =>
      inTx({ ...team.ctx, db: { ...api.db, sql } }, async (ctx) => {
        const before = statements
        const leads = Array.from({ length: count }, (_, n) => ({
          values: { name: 'x', source: n % 2 ? 'Fair' : null, tags: n % 3 ? [] : ['vip'] },
        }))
        const decisions = await routeLeads(ctx, leads)
        return { statements: statements - before, decisions }
      })
    try {
      const one = await route(1)
      const begun = performance.now()
      const many = await route(500)
      const took_ms = Math.round(performance.now() - begun)
      process.stdout.write(`F33 500 leads decided in ${took_ms} ms by ${many.statements} statements\n`)
      expect(many.statements).toBe(one.statements)
      expect(many.statements).toBeLessThanOrEqual(10)
      expect(many.decisions.map(({ by, rule_name }) => rule_name ?? by)).toEqual(
        Array.from({ length: 500 }, (_, n) => (n % 3 === 0 ? 'VIP' : n % 2 ? 'Fair' : 'fallback')),
      )
    } finally {
      await sql.end()
    }
  })

  test('F33: what takes no turn waits for no turn', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const pool = await team.pool('Both')
    await team.rule({ conditions: { source: ['Fair'] }, to: 'Ada' })
    await changeFallback(team.ctx, { fallback: { kind: 'pool', pool_id: pool } })
    const create = (source: string) => team.ask('POST', '/api/leads', { ...somebody(), source })
    const { fair, waiting } = await inTx(team.ctx, async (ctx) => {
      lockTurns(ctx)
      await ctx.tx`select 1`
      const waiting = create('Web')
      const fair = await Promise.race([create('Fair'), pause(5_000, { status: 0, body: {} })])
      expect(await Promise.race([waiting.then(() => 'done'), pause(300, 'waits')])).toBe('waits')
      return { fair, waiting }
    })
    expect([fair.status, team.nameOf(fair.body.owner_id)]).toEqual([201, 'Ada'])
    expect(team.nameOf((await waiting).body.owner_id)).toBe('Ada')
    await addTimeOff(team.ctx, team.ids['Ada']!, days(-1, 1))
    expect(team.nameOf((await create('Fair')).body.owner_id)).toBe('Bo')
    expect((await team.ask('GET', `/api/routing-pools/${pool}`)).body.members).toMatchObject([
      { name: 'Ada', taken: 1 },
      { name: 'Bo', taken: 1 },
    ])
  })

  test('F33: trying it out waits for nobody and moves nothing', async () => {
    const team = await openTeam(api, ['Ada', 'Bo'])
    const pool = await team.pool('Both')
    await team.rule({ to: { pool } })
    const lead = await createLead(team.ctx, somebody(), api_door)
    const turns = () =>
      inTx(team.ctx, async ({ tx }) => [...(await tx`select * from routing_pool_members order by user_id`)])
    const before = await turns()
    const answer = await inTx(team.ctx, async (ctx) => {
      lockTurns(ctx)
      await ctx.tx`select 1 from routing_pools for update`
      await ctx.tx`select 1 from routing_pool_members for update`
      await ctx.tx`select 1 from opportunities for update`
      return Promise.race([
        team.ask('POST', '/api/routing-rules/dry-run', { lead_id: lead.id }),
        pause(5_000, { status: 0, body: 'it waits' }),
      ])
    })
    expect(answer).toMatchObject({ status: 200, body: { owner_name: 'Bo', by: 'rule' } })
    expect(await turns()).toEqual(before)
    expect(await team.routings(lead.id)).toHaveLength(1)
    await processSubmission(api.db, team.organization_id, await team.deliver(somebody()))
    expect(await sharesOf(team)).toEqual({ Ada: 1, Bo: 1 })
  })
})
