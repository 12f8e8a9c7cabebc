import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { migrate } from '../db/migrate.ts'
import { testSecret } from './database.ts'

// A database as version 0.1 left it, brought to this version.

const FOLDER = new URL('../db/migrations/', import.meta.url)
const NAME = `leadhand_upgrade_${process.pid}_test`
const organization_id = '01990000-0000-7000-8000-00000000000a'
const [pipeline_id, open_id, lost_id] = [1, 2, 3].map((n) => `01990000-0000-7000-8000-0000000001${n}0`)
const [open_card, lost_card, foreign_card] = [1, 2, 3].map((n) => `01990000-0000-7000-8000-0000000002${n}0`)
const LOST_AT = new Date('2026-11-20T10:00:00Z')

let owner: postgres.Sql
let app_role: string
const at = (name: string): string =>
  Object.assign(new URL(inject('template').owner_url), { pathname: `/${name}` }).href
const onServer = async (run: (sql: postgres.Sql) => Promise<unknown>): Promise<void> => {
  const sql = postgres(inject('template').owner_url, { max: 1, onnotice: () => {} })
  await run(sql)
  await sql.end()
}

beforeAll(async () => {
  await onServer((sql) => sql`create database ${sql(NAME)} template template0`)
  owner = postgres(at(NAME), { max: 1, onnotice: () => {} })
  const journal = JSON.parse(readFileSync(new URL('meta/_journal.json', FOLDER), 'utf8')) as {
    entries: { when: number; tag: string }[]
  }
  await owner`create schema drizzle`
  await owner`create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`
  for (const { tag, when } of journal.entries.slice(0, 2)) {
    const text = readFileSync(new URL(`${tag}.sql`, FOLDER), 'utf8')
    for (const statement of text.split('--> statement-breakpoint')) await owner.unsafe(statement)
    await owner`insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', ${when})`
  }
  await owner`insert into identity.organizations (id, name, slug) values (${organization_id}, 'Northwind', 'northwind')`
  await owner`insert into settings (organization_id, business_hours) values (${organization_id}, '{}')`
  await owner`
    insert into pipelines (organization_id, id, name, record_kind, position)
    values (${organization_id}, ${pipeline_id!}, 'Leads', 'lead', 'a0')`
  await owner`
    insert into stages (organization_id, id, pipeline_id, label, kind, position, close_probability) values
      (${organization_id}, ${open_id!}, ${pipeline_id!}, 'New lead', 'open', 0, 5),
      (${organization_id}, ${lost_id!}, ${pipeline_id!}, 'Closed-Lost', 'lost', 1, 0)`
  const card = (id: string, stage_id: string, more: object) => owner`
    insert into opportunities ${owner({
      organization_id,
      id,
      kind: 'lead',
      name: 'Ana Ruiz',
      pipeline_id: pipeline_id!,
      stage_id,
      position: 'a0',
      origin: owner.json({ door: 'api' }),
      value_minor: 5_000,
      currency: 'EUR',
      ...more,
    })}`
  await card(open_card!, open_id!, { qualified_at: LOST_AT })
  await card(lost_card!, lost_id!, { lost_at: LOST_AT, position: 'a1' })
  await card(foreign_card!, lost_id!, { lost_at: LOST_AT, position: 'a2', currency: 'USD' })
  const { appUrl } = await migrate(at(NAME), { appSecret: testSecret })
  app_role = decodeURIComponent(new URL(appUrl).username)
})
afterAll(async () => {
  await owner.end()
  await onServer(async (sql) => {
    await sql`drop database ${sql(NAME)} with (force)`
    await sql`drop role if exists ${sql(app_role)}`
  })
})

test('what was closed has a closing that stands, with a rate only where there can be one', async () => {
  const closings = await owner`
    select opportunity_id, outcome, stage_label, value_minor, exchange_rate, base_currency, base_value_minor, closed_at, reopened_at
    from closings order by opportunity_id`
  const same = { outcome: 'lost', stage_label: 'Closed-Lost', value_minor: '5000', base_currency: 'EUR' }
  expect(closings).toMatchObject([
    { ...same, opportunity_id: lost_card, exchange_rate: 1, base_value_minor: '5000', closed_at: LOST_AT },
    { ...same, opportunity_id: foreign_card, exchange_rate: null, base_value_minor: null, reopened_at: null },
  ])
  expect(
    await owner`select exchange_rate, base_value_minor from opportunities where id = ${lost_card!}`,
  ).toEqual([{ exchange_rate: 1, base_value_minor: '5000' }])
})

test('milestones that cards carry begin their history, and totals hold what is there', async () => {
  expect(
    await owner`select opportunity_id, milestone, reached_at from milestones order by opportunity_id`,
  ).toEqual([
    { opportunity_id: open_card, milestone: 'qualified_at', reached_at: LOST_AT },
    { opportunity_id: lost_card, milestone: 'lost_at', reached_at: LOST_AT },
    { opportunity_id: foreign_card, milestone: 'lost_at', reached_at: LOST_AT },
  ])
  expect(
    await owner`
      select stage_id, currency, sum(cards)::int as cards, sum(value_minor)::int as value_minor from stage_totals
      group by 1, 2 order by 1, 2`,
  ).toEqual([
    { stage_id: open_id, currency: 'EUR', cards: 1, value_minor: 5_000 },
    { stage_id: lost_id, currency: 'EUR', cards: 1, value_minor: 5_000 },
    { stage_id: lost_id, currency: 'USD', cards: 1, value_minor: 5_000 },
  ])
})

test('it has the reasons for losing that a new organization has, and every tenant table is behind its policy again', async () => {
  const [reasons] =
    await owner`select count(*)::int as n from discard_reasons where organization_id = ${organization_id}`
  expect(reasons).toEqual({ n: 10 })
  const open = await owner`
    select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
      and not (relrowsecurity and relforcerowsecurity)`
  expect(open).toEqual([])
})
