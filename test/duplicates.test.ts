import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { pairWritten } from '../db/duplicate-pairs.ts'
import { receiveLead } from '../db/lead-intake.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { unmergeLeads } from '../db/lead-unmerging.ts'
import { createLead, updateLead } from '../db/leads.ts'
import { createApiKey } from '../db/identity.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import { openApi, type ApiWorld } from './api.ts'
import { labelledPairs } from './labelled-leads.ts'
import { loseCard, makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

// Every test in an organization of its own, so that each list holds what the test made.
let ctx: Ctx
let headers: Record<string, string>
beforeEach(async () => {
  const other = await api.other()
  ctx = other.ctx
  const { key } = await createApiKey(ctx, { name: 'Key', scopes: ['*'], user_id: other.owner.user_id })
  headers = { authorization: `Bearer ${key}` }
})

const ask = async (method: string, path: string, body?: unknown) => api.json(method, path, body, headers)
const list = async (query = ''): Promise<any> => {
  const { status, body } = await ask('GET', `/api/leads/duplicates${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}
const groups = async (): Promise<string[][]> =>
  (await list()).data.map(({ leads }: any) => leads.map(({ id }: any) => id))
const nearPairs = async (): Promise<string[][]> =>
  (await list('?near=true')).data.map(({ leads }: any) => leads.map(({ id }: any) => id))
const of = async (id: string): Promise<any> => (await ask('GET', `/api/leads/${id}/duplicates`)).body
const idsOf = (...leads: { id: string }[]): string[] => leads.map(({ id }) => id)

/** An import that is asked nothing yet. */
const uploadFile = async (): Promise<void> => {
  const form = new FormData()
  form.set('kind', 'lead')
  form.set('file', new Blob(['Name\nAna\n']), 'list.csv')
  expect((await api.app.request('/api/imports', { method: 'POST', body: form, headers })).status).toBe(201)
}

describe('F30: leads that share a key', () => {
  test.each([
    [
      'email',
      { email: 'ana@one.example' },
      { email: 'ana@one.example', contact_name: 'A. Ruiz' },
      'ana@one.example',
    ],
    ['phone', { phone: '+49 30 901820' }, { phone: '030 901820', country: 'DE' }, '+4930901820'],
    [
      'domain_name',
      { contact_name: 'José Núñez', website: 'https://www.sol.example' },
      { contact_name: 'jose nunez', email: 'jose@sol.example' },
      'sol.example jose nunez',
    ],
  ])('are a group, and %s says why', async (kind, first, second, value) => {
    const plain = { contact_name: 'Ana Ruiz', company_name: null, email: null } as object
    const one = await makeLead(ctx, { ...plain, ...first })
    const other = await makeLead(ctx, { ...plain, ...second })
    await makeLead(ctx, { ...plain, contact_name: 'Bo Lind' })
    const { data, next_cursor } = await list()
    expect(next_cursor).toBeNull()
    expect(data).toHaveLength(1)
    expect(data[0]).toMatchObject({
      near: false,
      count: 2,
      leads: [{ id: one.id }, { id: other.id }],
      primary_reason: expect.stringMatching(/\.$/),
    })
    expect(data[0].keys).toContainEqual({
      kind,
      value,
      label: expect.any(String),
      lead_ids: idsOf(one, other),
    })
    expect(idsOf(one, other)).toContain(data[0].primary_id)
  })

  test('are connected through others: three that share two keys are one group', async () => {
    const one = await makeLead(ctx, { contact_name: 'Ana Ruiz', email: 'ana@one.example' })
    const middle = await makeLead(ctx, {
      contact_name: 'Ana Ruiz',
      email: 'ana@one.example',
      phone: '+49 30 901820',
    })
    const other = await makeLead(ctx, {
      contact_name: 'Ana Ruiz',
      email: 'ana@home.example',
      phone: '+49 30 901820',
    })
    const { data } = await list()
    expect(data).toHaveLength(1)
    expect(data[0].leads.map(({ id }: any) => id)).toEqual(idsOf(one, middle, other))
    expect(data[0].keys.map(({ kind }: any) => kind)).toEqual(['email', 'phone', 'domain_name'])
  })

  test('are not those of one shared telephone or mailbox whose names and addresses are others', async () => {
    await makeLead(ctx, { contact_name: 'Ana Ruiz', email: 'ana@one.example', phone: '+49 30 901820' })
    await makeLead(ctx, { contact_name: 'Tom Vogel', email: 'tom@one.example', phone: '+49 30 901820' })
    await makeLead(ctx, { contact_name: 'Ana Ruiz', email: 'info@two.example', company_name: 'Two' })
    await makeLead(ctx, { contact_name: 'Tom Vogel', email: 'info@two.example', company_name: 'Two' })
    expect(await groups()).toEqual([])
    const received = await receiveLead(
      ctx,
      { contact_name: 'Pia Lang', email: 'info@two.example' },
      { door: 'webhook' },
    )
    expect(received.joined).toBe(false)
  })

  test('are active ones only: closing, archiving, reopening and restoring are followed', async () => {
    const [one, other] = [
      await makeLead(ctx, { email: 'ana@one.example' }),
      await makeLead(ctx, { email: 'ana@one.example' }),
    ]
    const pair = [idsOf(one, other)]
    expect(await groups()).toEqual(pair)
    await loseCard(ctx, one.id)
    expect(await groups()).toEqual([])
    await reopenOpportunity(ctx, one.id, { reason: 'They called' })
    expect(await groups()).toEqual(pair)
    await archiveRecord(ctx, { kind: 'lead', id: other.id })
    expect(await groups()).toEqual([])
    await restoreRecord(ctx, { kind: 'lead', id: other.id })
    expect(await groups()).toEqual(pair)
    await closeOpportunity(ctx, other.id, { outcome: 'won' })
    expect(await groups()).toEqual([])
  })

  test('follow what is changed, and what is merged and taken apart', async () => {
    const one = await makeLead(ctx, { email: 'ana@one.example' })
    const other = await makeLead(ctx, { email: 'bo@two.example', contact_name: 'Bo Lind' })
    expect(await groups()).toEqual([])
    await updateLead(ctx, other.id, { email: 'ana@one.example' })
    expect(await groups()).toEqual([idsOf(one, other)])
    const third = await makeLead(ctx, {
      email: 'cleo@three.example',
      contact_name: 'Cleo Marx',
      phone: '+49 30 901820',
    })
    await updateLead(ctx, other.id, { phone: '+49 30 901820', contact_name: 'Cleo Marx' })
    expect(await groups()).toEqual([idsOf(one, other, third)])
    await mergeLeads(ctx, one.id, { duplicate_id: other.id })
    // What the merged one shared, the primary shares.
    expect(await groups()).toEqual([idsOf(one, third)])
    await unmergeLeads(ctx, other.id)
    expect(await groups()).toEqual([idsOf(one, other, third)])
    await updateLead(ctx, one.id, { email: 'dora@four.example', contact_name: 'Dora Nils' })
    expect(await groups()).toEqual([idsOf(other, third)])
  })

  test('are paged, the newest group first, each once, and in no other organization', async () => {
    const made: string[][] = []
    for (let n = 0; n < 7; n++) {
      const twin = () =>
        makeLead(ctx, {
          contact_name: `Twin ${n}`,
          email: `twin-${n}@many.example`,
          company_name: `Company ${n}`,
        })
      made.push(idsOf(await twin(), await twin(), ...(n % 2 ? [await twin()] : [])))
    }
    const seen: string[][] = []
    let cursor: string | null = null
    do {
      const page: any = await list(`?limit=2${cursor ? `&cursor=${cursor}` : ''}`)
      expect(page.data.length).toBeLessThanOrEqual(2)
      seen.push(...page.data.map(({ leads }: any) => leads.map(({ id }: any) => id)))
      cursor = page.next_cursor
    } while (cursor)
    expect(seen).toEqual(made.toReversed())
    expect(
      (await api.json('GET', '/api/leads/duplicates?limit=200')).body.data.flatMap(({ leads }: any) =>
        leads.map(({ id }: any) => id),
      ),
    ).not.toContain(made[0]![0])
    for (const wrong of ['x', 'Zm9v', Buffer.from('a b c').toString('base64url')]) {
      const { status, body } = await ask('GET', `/api/leads/duplicates?cursor=${wrong}`)
      expect([wrong, status, body.code]).toEqual([wrong, 422, 'invalid_cursor'])
    }
  })

  test('the primary that is suggested is the one that was worked furthest, then the one that says most', async () => {
    const fields = { email: 'ana@one.example', contact_name: 'Ana Ruiz' }
    const plain = await makeLead(ctx, { ...fields, company_name: null } as object)
    const full = await makeLead(ctx, { ...fields, title: 'Buyer', phone: '+49 30 901820', city: 'Berlin' })
    expect((await list()).data[0]).toMatchObject({
      primary_id: full.id,
      primary_reason: expect.stringContaining('says most'),
    })
    const { stage_id } = (await ask('GET', `/api/leads/${plain.id}`)).body
    const pipeline = (await ask('GET', '/api/pipelines')).body.data.find(({ stages }: any) =>
      stages.some(({ id }: any) => id === stage_id),
    )
    await ask('POST', `/api/opportunities/${plain.id}/move`, { stage_id: pipeline.stages[1].id })
    expect((await list()).data[0]).toMatchObject({
      primary_id: plain.id,
      primary_reason: expect.stringContaining('furthest along'),
    })
  })
})

describe('F30: near leads', () => {
  const robert = {
    contact_name: 'Robert Ashworth',
    company_name: 'Brightside Inc.',
    email: 'bob@brightside.example',
  }
  const bob = { contact_name: 'Bob Ashworth', company_name: 'Brightside', email: 'r.ashworth@gmail.com' }

  test('are offered apart, with points and reasons, on the list and on the lead, and never merged unasked', async () => {
    const one = await makeLead(ctx, robert)
    const { lead: other, joined } = await receiveLead(ctx, bob, { door: 'webhook' })
    expect(joined).toBe(false)
    const { data, near } = await list()
    expect(data).toEqual([])
    expect(near).toHaveLength(1)
    expect(near[0]).toMatchObject({
      near: true,
      keys: [],
      leads: [{ id: one.id }, { id: other.id }],
      points: expect.any(Number),
    })
    expect(near[0].reasons.map(({ reason }: any) => reason).join('; ')).toContain('“bob” for “robert”')
    expect((await list('?near=true')).data).toEqual(near)
    expect((await list('?near=false')).near).toEqual([])
    const seen = await of(one.id)
    expect(seen.data).toMatchObject([{ lead: { id: other.id }, near: true, points: near[0].points }])
    expect((await of(other.id)).data).toMatchObject([{ lead: { id: one.id } }])
  })

  test('are paged, the most alike first', async () => {
    for (let n = 0; n < 5; n++) {
      const company_name = `Company ${'abcde'[n]}${'vwxyz'[n]} Works`
      await makeLead(ctx, { contact_name: 'Robert Ashworth', company_name, email: `bob@${n}.example` })
      await makeLead(ctx, {
        contact_name: n % 2 ? 'Bob Ashworth' : 'Robert Ashworth',
        company_name,
        email: `r.ashworth${n}@gmail.com`,
      })
    }
    const all = (await list('?near=true&limit=200')).data
    expect(all.length).toBeGreaterThanOrEqual(5)
    const points = all.map((pair: any) => pair.points)
    expect(points).toEqual(points.toSorted((a: number, b: number) => b - a))
    const seen: any[] = []
    let cursor: string | null = null
    do {
      const page: any = await list(`?near=true&limit=2${cursor ? `&cursor=${cursor}` : ''}`)
      seen.push(...page.data)
      cursor = page.next_cursor
    } while (cursor)
    expect(seen).toEqual(all)
  })

  test('that are written in the same instant, each before the other is there, are found by a second look', async () => {
    const looks = () =>
      inTx(
        ctx,
        ({ tx }) => tx<{ lead_ids: string[] }[]>`
          select data -> 'lead_ids' as lead_ids from pgboss.job
          where name = 'leads.written' and data ->> 'organization_id' = ${ctx.organization_id}`,
      )
    const [first, second] = await inTx(ctx, async (first) => {
      const one = await makeLead(first, robert)
      await makeLead(ctx, { contact_name: 'Tom Ashby', company_name: 'Oak', email: 'tom@oak.example' })
      expect([...(await looks())]).toEqual([])
      return [one, await makeLead(ctx, bob)] as const
    })
    expect(await nearPairs()).toEqual([])
    const [again] = await looks()
    expect(again?.lead_ids).toEqual([second.id])
    await pairWritten(api.db, ctx.organization_id, again?.lead_ids ?? [])
    expect(await nearPairs()).toEqual([idsOf(first, second)])
  })

  test('of many leads written at once are found by a job', async () => {
    const leads = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        makeLead(ctx, {
          contact_name: `Robert ${'Ashworth Kettlewell Loxley'.split(' ')[n % 3]}`,
          company_name: `Works ${n % 30}`,
          email: undefined,
        }),
      ),
    )
    await inTx(ctx, ({ tx }) => tx`delete from duplicate_pairs`)
    expect(await nearPairs()).toEqual([])
    // An import that is under way goes first: the job is put off, and not lost.
    const waiting = () =>
      inTx(ctx, async ({ tx }) => {
        const [row] = await tx<{ n: number }[]>`
          select count(*)::int as n from pgboss.job
          where name = 'leads.written' and state = 'created' and data ->> 'organization_id' = ${ctx.organization_id}`
        return row?.n ?? 0
      })
    const importing = (status: string) =>
      inTx(
        ctx,
        ({ tx }) => tx`update imports set status = ${status}, lease_until = now() + interval '1 minute'`,
      )
    await uploadFile()
    await importing('running')
    const before = await waiting()
    await pairWritten(
      api.db,
      ctx.organization_id,
      leads.map(({ id }) => id),
    )
    expect(await nearPairs()).toEqual([])
    expect(await waiting()).toBe(before + 1)
    await importing('done')
    await pairWritten(
      api.db,
      ctx.organization_id,
      leads.map(({ id }) => id),
    )
    const found = await nearPairs()
    expect(found.length).toBeGreaterThanOrEqual(30)
    await pairWritten(
      api.db,
      ctx.organization_id,
      leads.map(({ id }) => id),
    )
    expect(await nearPairs()).toEqual(found)
  })

  test('are found through the product as the weights promise: among all that are there, not only side by side', async () => {
    const pairs = labelledPairs(77, 'office', 150)
    const truth = new Map<string, number>()
    for (const { one, other } of pairs)
      for (const { entity, contact_name, company_name, ...fields } of [one, other]) {
        const given = { ...fields, contact_name, company_name, name: contact_name ?? company_name }
        const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value))
        truth.set((await createLead(ctx, set, { door: 'api' })).id, entity)
      }
    const offered: string[][] = []
    for (const query of ['?near=true&limit=200', '?near=false&limit=200'])
      for (const { leads } of (await list(query)).data)
        for (const [n, { id }] of leads.entries())
          for (const later of leads.slice(n + 1)) offered.push([id, later.id])
    const right = offered.filter(([a, b]) => truth.get(a!) === truth.get(b!)).length
    const there = pairs.filter(({ same }) => same).length
    process.stdout.write(
      `through the product: ${offered.length} offered, precision ${(right / offered.length).toFixed(3)}, recall ${(right / there).toFixed(3)}\n`,
    )
    expect(right / offered.length).toBeGreaterThanOrEqual(0.95)
    expect(right / there).toBeGreaterThanOrEqual(0.8)
  })
})

describe('F30: not the same', () => {
  test('is kept, whatever they share later, told on both, and taken back', async () => {
    const [one, other] = [
      await makeLead(ctx, { email: 'ana@one.example' }),
      await makeLead(ctx, { email: 'ana@one.example' }),
    ]
    const said = await ask('POST', '/api/leads/duplicates/dismiss', {
      lead_ids: idsOf(one, other),
      reason: 'Father and son',
    })
    expect([said.status, said.body]).toEqual([200, { lead_ids: idsOf(one, other), pairs: 1 }])
    expect(await groups()).toEqual([])
    await updateLead(ctx, one.id, { phone: '+49 30 901820' })
    await updateLead(ctx, other.id, { phone: '+49 30 901820' })
    expect(await groups()).toEqual([])
    const seen = await of(one.id)
    expect(seen.data).toEqual([])
    expect(seen.dismissed).toMatchObject([{ lead_id: other.id, dismissed_by: { kind: 'api_key' } }])
    const again = await ask('POST', '/api/leads/duplicates/dismiss', { lead_ids: idsOf(one, other) })
    expect(again.body.pairs).toBe(0)
    const lines = (await ask('GET', `/api/leads/${other.id}/timeline`)).body.data.filter(
      ({ type }: any) => type === 'duplicates_dismissed',
    )
    expect(lines).toMatchObject([
      { reason: 'Father and son', summary: expect.stringContaining('not the same') },
    ])
    const undone = await ask('POST', `/api/activities/${lines[0].id}/undo`, {})
    expect(undone.status, JSON.stringify(undone.body)).toBe(200)
    expect(await groups()).toEqual([idsOf(one, other)])
    const redone = await ask('POST', `/api/activities/${undone.body.id}/undo`, {})
    expect(redone.status, JSON.stringify(redone.body)).toBe(200)
    expect(await groups()).toEqual([])
    const restored = await ask('POST', '/api/leads/duplicates/restore', { lead_ids: idsOf(one, other) })
    expect(restored.body.pairs).toBe(1)
    expect(await groups()).toEqual([idsOf(one, other)])
  })

  test('refuses fewer than two, the same one twice, and leads of others', async () => {
    const lead = await makeLead(ctx)
    const theirs = await makeLead(api.ctx)
    const refused = async (lead_ids: unknown) => {
      const { status, body } = await ask('POST', '/api/leads/duplicates/dismiss', { lead_ids })
      return [status, body.code]
    }
    expect(await refused([lead.id])).toEqual([422, 'invalid_input'])
    expect(await refused([lead.id, lead.id])).toEqual([422, 'invalid_input'])
    expect(await refused([lead.id, 'x'])).toEqual([422, 'invalid_input'])
    expect(await refused([lead.id, theirs.id])).toEqual([404, 'lead_not_found'])
  })
})
