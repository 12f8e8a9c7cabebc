import { afterAll, beforeAll, expect, test } from 'vitest'
import { sealAll, verifyAudit } from '../db/audit.ts'
import { startBulk, type NewBulk } from '../db/bulk.ts'
import { undoBulk } from '../db/bulk-undo.ts'
import { workBulk } from '../db/bulk-work.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { seed } from './random.ts'
import { openModel, type Model } from './random-commands.ts'
import { openWorld, type World } from './world.ts'

// What the record is worth is that no order of commands breaks it: random ones are driven against a model of a few lines.

const COMMANDS = 10_000
const ORGANIZATIONS = 4

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.stop())

/** Starts an act on many records and works it here, as the worker does. */
const bulk = (ctx: Ctx) => ({
  run: async (input: NewBulk) => {
    const { id } = await startBulk(ctx, input)
    await workBulk(world.db, ctx.organization_id, id)
    return id
  },
  undo: async (id: string) => {
    const undoing = await undoBulk(ctx, id)
    await workBulk(world.db, ctx.organization_id, undoing.id)
  },
})

const readCards = (ctx: Ctx) =>
  inTx(
    ctx,
    ({ tx, organization_id }) => tx<
      {
        id: string
        kind: string
        pipeline_id: string
        stage_id: string
        stage_pipeline_id: string
        stage_kind: string
        pipeline_archived: boolean
        value_minor: number | null
        currency: string
        archived: boolean
        won: boolean
        lost: boolean
        standing: number
        team_size: number | null
      }[]
    >`
      select o.id, o.kind, o.pipeline_id, o.stage_id, s.pipeline_id as stage_pipeline_id, s.kind as stage_kind,
        p.archived_at is not null as pipeline_archived, o.value_minor, o.currency, o.archived_at is not null as archived,
        o.won_at is not null as won, o.lost_at is not null as lost,
        (select count(*) from closings c where c.organization_id = o.organization_id and c.opportunity_id = o.id
          and c.reopened_at is null)::int as standing,
        (select v.number_value from custom_values v where v.organization_id = o.organization_id and v.record_id = o.id) as team_size
      from opportunities o
      join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
      join pipelines p on p.organization_id = o.organization_id and p.id = o.pipeline_id
      where o.organization_id = ${organization_id}`,
  )

/** Every card is where the model says, in one stage of its own pipeline, closed exactly as its stage says. */
const checkCards = async (ctx: Ctx, model: Model): Promise<void> => {
  const cards = await readCards(ctx)
  expect(cards.map(({ id }) => id).toSorted()).toEqual([...model.cards.keys()].toSorted())
  for (const card of cards) {
    const expected = model.cards.get(card.id)
    expect(card).toMatchObject({
      pipeline_id: expected?.pipeline_id,
      stage_id: expected?.stage_id,
      value_minor: expected?.value_minor,
      archived: expected?.archived,
      team_size: expected?.team_size,
    })
    expect(card.stage_pipeline_id).toBe(card.pipeline_id)
    expect([card.won, card.lost]).toEqual([card.stage_kind === 'won', card.stage_kind === 'lost'])
    expect(card.standing).toBe(card.stage_kind === 'open' ? 0 : 1)
    if (card.pipeline_archived) expect(card.stage_kind).not.toBe('open')
  }
}

/** The ledger of totals says what counting the cards says, and what the model says. */
const checkTotals = async (ctx: Ctx, model: Model): Promise<void> => {
  const { ledger, counted } = await inTx(ctx, async ({ tx, organization_id }) => ({
    ledger: await tx`
      select stage_id, currency, sum(cards)::int as cards, sum(value_minor)::float8 as value from stage_totals
      where organization_id = ${organization_id} group by 1, 2 having sum(cards) <> 0 or sum(value_minor) <> 0 order by 1, 2`,
    counted: await tx`
      select stage_id, currency, count(*)::int as cards, coalesce(sum(value_minor), 0)::float8 as value from opportunities
      where organization_id = ${organization_id} and archived_at is null group by 1, 2 order by 1, 2`,
  }))
  expect(ledger.map((row) => ({ ...row }))).toEqual(counted.map((row) => ({ ...row })))
  const sum = [...model.cards.values()]
    .filter(({ archived }) => !archived)
    .reduce((all, { value_minor }) => all + (value_minor ?? 0), 0)
  expect(counted.reduce((all, row) => all + Number(row['value']), 0)).toBe(sum)
}

/** Nothing hangs in the air, and everything that happened has its author. */
const checkWhole = async (ctx: Ctx, model: Model): Promise<void> => {
  const found = await inTx(ctx, async ({ tx, organization_id }) => ({
    unattached: await tx`
      select s.activity_id from activity_subjects s left join opportunities o
        on o.organization_id = s.organization_id and o.id = s.subject_id
      where s.organization_id = ${organization_id} and s.kind in ('lead', 'deal') and o.id is null
      union all select v.record_id from custom_values v left join opportunities o
        on o.organization_id = v.organization_id and o.id = v.record_id
      where v.organization_id = ${organization_id} and o.id is null
      union all select c.id from closings c left join opportunities o
        on o.organization_id = c.organization_id and o.id = c.opportunity_id
      where c.organization_id = ${organization_id} and o.id is null`,
    moves: await tx<{ id: string; moves: number }[]>`
      select s.subject_id as id, count(*)::int as moves from activities a
      join activity_subjects s on s.organization_id = a.organization_id and s.activity_id = a.id
      where a.organization_id = ${organization_id} and a.type = 'stage_changed' group by 1`,
    authorless: await tx`
      select id from activities where organization_id = ${organization_id} and (actor_id = '' or actor_name = '')`,
    chain: await tx`
      select s.subject_id, a.data ->> 'from' as from, lag(a.data ->> 'to') over (partition by s.subject_id order by a.seq) as left_at
      from activities a join activity_subjects s on s.organization_id = a.organization_id and s.activity_id = a.id
      where a.organization_id = ${organization_id} and a.type = 'stage_changed'`,
  }))
  expect(found.unattached).toHaveLength(0)
  expect(found.authorless).toHaveLength(0)
  // Each move begins where the one before it ended: the timeline tells the whole way of a card.
  for (const { subject_id, from, left_at } of found.chain)
    expect([subject_id, left_at ?? from]).toEqual([subject_id, from])
  const moves = new Map(found.moves.map(({ id, moves }) => [id, moves]))
  for (const [id, card] of model.cards) expect([id, moves.get(id) ?? 0]).toEqual([id, card.moves])
}

test(`10,000 random commands leave every card in one stage, every sum true, every change authored (seed ${seed})`, async () => {
  const heads = `${world.folder}/heads.jsonl`
  const organizations: Ctx[] = [world.ctx]
  while (organizations.length < ORGANIZATIONS) organizations.push((await world.other()).ctx)
  const done = await Promise.all(
    organizations.map(async (ctx, n) => {
      const model = await openModel(ctx, seed + n, bulk(ctx))
      for (let command = 1; command <= COMMANDS / ORGANIZATIONS; command++) {
        await model.step()
        if (command % 500 === 0) {
          await checkCards(ctx, model)
          await checkTotals(ctx, model)
        }
      }
      return { ctx, model }
    }),
  )
  while ((await sealAll(world.db, heads)) > 0);
  for (const { ctx, model } of done) {
    await checkWhole(ctx, model)
    const { organization_id } = ctx
    const report = await verifyAudit(world.db, organization_id, heads)
    expect(report.problem).toBeNull()
    expect(report.activities).toBeGreaterThan(COMMANDS / ORGANIZATIONS / 2)
  }
  // Commands that were all refused would prove nothing.
  const total = (name: string) => done.reduce((sum, { model }) => sum + (model.counts[name] ?? 0), 0)
  for (const name of [
    'create',
    'move',
    'close',
    'reopen',
    'bulk',
    'undo',
    'pipeline',
    'stage',
    'field',
    'archive',
  ])
    expect([name, total(name) > 20]).toEqual([name, true])
}, 600_000)
