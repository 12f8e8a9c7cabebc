import { afterEach, expect } from 'vitest'
import type { Bulk, NewBulk } from '../db/bulk.ts'
import { bulkWork, workBulk } from '../db/bulk-work.ts'
import { inTx } from '../db/context.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import type { ApiWorld } from './api.ts'

/** Bulk acts through the front door, and the worker that does them, whose limits each test finds as they are. */
export const bulksOf = (api: () => ApiWorld) => {
  const usual = { ...bulkWork }
  afterEach(() => Object.assign(bulkWork, usual))
  const start = async (input: NewBulk): Promise<Bulk> => {
    const { status, body } = await api().json('POST', '/api/bulk', input)
    expect([status, body]).toEqual([202, expect.objectContaining({ status: 'queued' })])
    return body
  }
  const work = (bulk: Bulk, signal?: AbortSignal) =>
    workBulk(api().db, api().ctx.organization_id, bulk.id, signal)
  const read = async (bulk: Bulk): Promise<Bulk> => (await api().json('GET', `/api/bulk/${bulk.id}`)).body
  const done = async (input: NewBulk): Promise<Bulk> => {
    const bulk = await start(input)
    await work(bulk)
    return read(bulk)
  }
  const rows = async (bulk: Bulk, query = '') =>
    (await api().json('GET', `/api/bulk/${bulk.id}/rows?limit=200${query}`)).body.data
  const countLeads = async ({
    source,
    city = 'Berlin',
    tags = [],
  }: Record<'source', string> & { city?: string; tags?: string[] }) => {
    const [row] = await inTx(
      api().ctx,
      ({ tx }) => tx<{ n: number }[]>`
        select count(*)::int as n from opportunities where source = ${source} and city = ${city} and tags = ${tags}`,
    )
    return row?.n
  }

  /** Many leads at once, as an import would leave them. */
  const fill = (count: number, source: string): Promise<unknown> =>
    inTx(api().ctx, async (ctx) => {
      const { tx, organization_id } = ctx
      const pipeline = await defaultPipeline(ctx, 'lead')
      await tx`
        insert into opportunities (organization_id, id, kind, name, pipeline_id, stage_id, position, currency, origin, source, city)
        select ${organization_id}::uuid, gen_random_uuid(), 'lead', 'Lead ' || n, ${pipeline.id}, ${pipeline.stages[0]!.id},
          'a' || lpad(n::text, 6, '0'), 'EUR', '{"door": "import"}', ${source}, 'Berlin'
        from generate_series(1, ${count}::int) as n`
    })

  return { start, work, read, done, rows, fill, countLeads }
}
