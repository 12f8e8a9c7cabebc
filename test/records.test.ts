import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { getOpportunity } from '../db/opportunities.ts'
import {
  archiveRecord,
  labelRecords,
  requireFreeExternalId,
  requireRecord,
  requireRecords,
  restoreRecord,
} from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const NOBODY = '01990000-0000-7000-8000-000000000000'

test('a record is found by its kind and id, and by nothing else', async () => {
  const { id, name } = await makeLead(ctx)
  expect(await requireRecord(ctx, { kind: 'lead', id })).toMatchObject({ kind: 'lead', id, name })
  for (const kind of ['deal', 'account', 'contact'] as const) {
    await expect(requireRecord(ctx, { kind, id })).rejects.toMatchObject({
      kind: 'not_found',
      code: `${kind}_not_found`,
    })
  }
  const { ctx: elsewhere } = await world.other()
  await expect(requireRecord(elsewhere, { kind: 'lead', id })).rejects.toMatchObject({
    code: 'lead_not_found',
  })
})

test('several are found at once, in the order they were asked for; the first that is missing is named', async () => {
  const [a, b] = [await makeLead(ctx), await makeLead(ctx)]
  const asked = [b, a, b].map(({ id }) => ({ kind: 'lead' as const, id }))
  expect((await requireRecords(ctx, asked)).map(({ id }) => id)).toEqual([b.id, a.id, b.id])
  expect(await requireRecords(ctx, [])).toEqual([])
  for (const kind of ['deal', 'account', 'contact'] as const) {
    await expect(requireRecords(ctx, [asked[0]!, { kind, id: NOBODY }])).rejects.toMatchObject({
      code: `${kind}_not_found`,
    })
  }
  const labels = await labelRecords(ctx, [
    ...asked,
    { kind: 'contact', id: NOBODY },
    { kind: 'note', id: a.id },
  ])
  expect(labels).toEqual(
    new Map([
      [b.id, b.name],
      [a.id, a.name],
    ]),
  )
})

test('archiving and restoring are each on the timeline once, with the act that takes them back', async () => {
  const lead = await makeLead(ctx)
  const record = { kind: 'lead' as const, id: lead.id }
  await archiveRecord(ctx, record, 'Twice in the list')
  await archiveRecord(ctx, record)
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({ archived_at: expect.any(Date), version: 2 })
  await restoreRecord(ctx, record)
  await restoreRecord(ctx, record)
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({ archived_at: null, version: 3 })
  const lines = (await listTimeline(ctx, record, { limit: 10 })).data.filter(({ type }) =>
    /^record_(archived|restored)$/.test(type),
  )
  const input = { record_kind: 'lead', record_id: lead.id }
  expect(lines).toMatchObject([
    { type: 'record_restored', data: { undo: { tool: 'archive_record', input } } },
    {
      type: 'record_archived',
      reason: 'Twice in the list',
      summary: `archived the lead “${lead.name}”`,
      data: { undo: { tool: 'restore_record', input } },
    },
  ])
  await expect(archiveRecord(ctx, { kind: 'contact', id: lead.id })).rejects.toMatchObject({
    code: 'contact_not_found',
  })
})

test('an external id that was given away meanwhile keeps its old holder archived', async () => {
  const old = await makeLead(ctx, { external_id: 'crm-7' })
  await archiveRecord(ctx, { kind: 'lead', id: old.id })
  const now = await makeLead(ctx, { external_id: 'crm-7' })
  await expect(restoreRecord(ctx, { kind: 'lead', id: old.id })).rejects.toMatchObject({
    kind: 'conflict',
    code: 'external_id_taken',
    extra: { lead_id: now.id },
  })
  await inTx(ctx, (ctx) => requireFreeExternalId(ctx, 'lead', 'crm-7', now.id))
  await inTx(ctx, (ctx) => requireFreeExternalId(ctx, 'contact', 'crm-7'))
})
