import postgres, { type Sql } from 'postgres'
import type { Database } from '../db/client.ts'
import type { Ctx } from '../db/context.ts'
import { addMember, createOrganization } from '../db/identity.ts'
import { fillDuplicates } from './large-duplicates.ts'

/** How much there is to be. */
export type Size = {
  organizations: number
  leads: number
  /** Of them in the first organization; the others share the rest. */
  biggest: number
  activities: number
  /** Of them on one lead of the first organization. */
  on_one_lead: number
}

/** What the issue of speed asks for: a million leads over 200 organizations, one of them with 300,000. */
export const million: Size = {
  organizations: 200,
  leads: 1_000_000,
  biggest: 300_000,
  activities: 3_000_000,
  on_one_lead: 10_000,
}

/** Where to look in what was filled: the biggest organization and its busiest lead. */
export type LargeRecord = { ctx: Ctx; pipeline_id: string; busy_lead_id: string }

/**
 * Fills a migrated database with leads, their keys, scores and custom values, accounts, contacts and sealed activities.
 * Written in sets by a superuser, without foreign keys and triggers and with the indexes made afterwards, because a
 * million single inserts would take an hour; what the triggers keep is written the same way. Needs PostgreSQL 18.
 */
export const fillLargeRecord = async (db: Database, owner_url: string, size: Size): Promise<LargeRecord> => {
  const organizations: { id: string; user_id: string; leads: number }[] = []
  for (let n = 0; n < size.organizations; n++) {
    const { id } = await createOrganization(db, `Organization ${n}`)
    const { user_id } = await addMember(db, {
      organization_id: id,
      name: `Owner ${n}`,
      email: `owner@organization${n}.example`,
      role: 'owner',
    })
    const share = Math.floor((size.leads - size.biggest) / Math.max(1, size.organizations - 1))
    organizations.push({ id, user_id, leads: n === 0 ? size.biggest : share })
  }
  const [first] = organizations
  if (!first) throw new Error('a large record has at least one organization')
  const sql = postgres(owner_url, { max: 1, onnotice: () => {} })
  try {
    await sql`set synchronous_commit = off`
    await sql`set session_replication_role = replica`
    await sql`set maintenance_work_mem = '512MB'`
    await sql`create temp table filled (organization_id uuid, user_id uuid, leads int)`
    await sql`insert into filled ${sql(organizations.map(({ id, user_id, leads }) => ({ organization_id: id, user_id, leads })))}`
    const indexes = await dropIndexes(sql)
    await fillCards(sql)
    await fillDuplicates(sql)
    await fillCompanies(sql)
    await fillCustomFields(sql)
    await fillActivities(sql, size)
    for (const definition of indexes) await sql.unsafe(definition)
    const tables = [...FILLED, 'stage_totals', 'fields', 'audit_heads']
    for (const table of tables) await sql`vacuum analyze ${sql(table)}`
    const [busy] = await sql<{ id: string; pipeline_id: string }[]>`
      select id, pipeline_id from opportunities where organization_id = ${first.id} order by id limit 1`
    if (!busy) throw new Error('the biggest organization has no lead')
    return {
      ctx: {
        db,
        organization_id: first.id,
        actor: { kind: 'user', id: first.user_id, name: 'Owner 0' },
      },
      pipeline_id: busy.pipeline_id,
      busy_lead_id: busy.id,
    }
  } finally {
    await sql.end()
  }
}

const FILLED = [
  'opportunities',
  'opportunity_keys',
  'opportunity_scores',
  'lead_hints',
  'duplicate_pairs',
  'accounts',
  'contacts',
  'custom_values',
  'activities',
  'activity_subjects',
]

/** Takes the indexes away that no constraint needs; answers how to make them again. */
const dropIndexes = async (sql: Sql): Promise<string[]> => {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition from pg_index i
    where i.indrelid = any(${FILLED}::text[]::regclass[]) and not i.indisunique`
  for (const { name } of indexes) await sql.unsafe(`drop index ${name}`)
  return indexes.map(({ definition }) => definition)
}

/** Keys of the fractional index in order: a head that says four digits, then the number in base 62. */
const POSITION = `'d' || substr(digits, (n / 238328) % 62 + 1, 1) || substr(digits, (n / 3844) % 62 + 1, 1)
  || substr(digits, (n / 62) % 62 + 1, 1) || substr(digits, n % 62 + 1, 1)`

const fillCards = async (sql: Sql): Promise<void> => {
  await sql.unsafe(`
    insert into opportunities (organization_id, id, kind, name, contact_name, company_name, title, email, phone, phone_original,
      website, city, country, industry, message, pipeline_id, stage_id, stage_entered_at, position, owner_id, source, origin,
      value_minor, currency, expected_close_on, tags, created_at, updated_at)
    select f.organization_id, uuidv7(-age), 'lead', first_name || ' ' || last_name || ' ' || n,
      first_name || ' ' || last_name || ' ' || n, company, 'Head of Operations',
      lower(first_name) || '.' || lower(last_name) || n || '@' || lower(replace(company, ' ', '-')) || '.example',
      '+4930' || (1000000 + n), '+49 30 ' || (1000000 + n), 'https://' || lower(replace(company, ' ', '-')) || '.example',
      'Berlin', 'DE', (array['Coffee', 'Logistics', 'Software', 'Retail'])[n % 4 + 1], 'What does it cost for 40 seats?',
      p.id, p.stages[n % cardinality(p.stages) + 1], now() - age, ${POSITION}, f.user_id,
      (array['website', 'webhook', 'maps', 'import'])[n % 4 + 1], '{"door": "webhook"}',
      case when n % 3 > 0 then (n % 100000) * 100 end, case when n % 10 = 0 then 'USD' else 'EUR' end,
      case when n % 2 = 0 then current_date + (n % 180) end,
      case when n % 5 = 0 then array['vip'] else '{}' end, now() - age, now() - age
    from filled f
    join lateral (
      select p.id, array(select s.id from stages s where s.organization_id = p.organization_id and s.pipeline_id = p.id
        and s.kind = 'open' order by s.position) as stages
      from pipelines p where p.organization_id = f.organization_id and p.record_kind = 'lead'
    ) p on true
    cross join lateral generate_series(1, f.leads) as n
    cross join lateral (select
      '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz' as digits,
      (array['Ana', 'Bo', 'Carla', 'Dev', 'Edda', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Kaya', 'Lior', 'Mona'])[n % 13 + 1] as first_name,
      (array['Ruiz', 'Lind', 'Moreau', 'Patel', 'Brandt', 'Haddad', 'Novak', 'Silva', 'Okafor', 'Weiss', 'Tanaka'])[n % 11 + 1] as last_name,
      (array['Brightside', 'Harbour', 'Finch', 'Northwind', 'Larch', 'Quarry', 'Tidewater'])[n % 7 + 1] || ' ' || (n / 40) as company,
      make_interval(secs => (f.leads - n) * 31536000.0 / f.leads) as age) as made`)
  await sql`
    insert into opportunity_keys (organization_id, opportunity_id, kind, value)
    select organization_id, id, 'email', email from opportunities
    union all select organization_id, id, 'phone', phone from opportunities`
  await sql`
    insert into opportunity_scores (organization_id, opportunity_id, score, reasons, formula)
    select organization_id, id, abs(hashtext(id::text)) % 101, '[{"factor": "email", "points": 10, "reason": "It can be written to."}]', 'bench'
    from opportunities`
  await sql`
    insert into stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
    select organization_id, gen_random_uuid(), pipeline_id, stage_id, currency, count(*), coalesce(sum(value_minor), 0)
    from opportunities group by organization_id, pipeline_id, stage_id, currency`
}

const fillCompanies = async (sql: Sql): Promise<void> => {
  await sql`
    insert into accounts (organization_id, id, name, website, domain, currency)
    select organization_id, uuidv7(), company_name, min(website), min(substr(website, 9)), 'EUR'
    from opportunities group by organization_id, company_name`
  await sql`
    insert into contacts (organization_id, id, name, email, phone)
    select organization_id, uuidv7(), contact_name, email, phone from opportunities where hashtext(id::text) % 4 = 0`
}

const fillCustomFields = async (sql: Sql): Promise<void> => {
  await sql`
    insert into fields (organization_id, id, record_kind, key, label, type, options, position)
    select organization_id, uuidv7(), 'lead', 'team_size', 'Team size', 'integer', '[]'::jsonb, 'a0' from filled
    union all
    select organization_id, uuidv7(), 'lead', 'tier', 'Tier', 'select',
      '[{"value": "gold", "label": "Gold"}, {"value": "silver", "label": "Silver"}]'::jsonb, 'a1' from filled`
  await sql`
    insert into custom_values (organization_id, record_id, field_id, text_value, number_value)
    select o.organization_id, o.id, f.id,
      case f.key when 'tier' then case when hashtext(o.id::text) % 10 = 0 then 'gold' else 'silver' end end,
      case f.key when 'team_size' then abs(hashtext(o.id::text)) % 5000 end
    from opportunities o join fields f on f.organization_id = o.organization_id
    where hashtext(o.id::text) % 2 = 0`
}

/** Each lead gets as many as the next one, but for the first of the biggest organization. */
const fillActivities = async (sql: Sql, size: Size): Promise<void> => {
  await sql.unsafe(
    `create temp table happened as
      select organization_id, id as lead_id, uuidv7(-age) as id, actor_kind from (
        select o.organization_id, o.id, (now() - o.created_at) * random() as age,
          (array['user', 'agent', 'system'])[n % 3 + 1] as actor_kind
        from opportunities o cross join generate_series(1, ${Math.max(1, Math.floor((size.activities - size.on_one_lead) / size.leads))}) as n
        union all
        select organization_id, id, (now() - created_at) * random(), (array['user', 'agent', 'system'])[n % 3 + 1]
        from (select o.* from opportunities o join filled f using (organization_id)
          where f.leads = ${size.biggest} order by o.id limit 1) as busy
        cross join generate_series(1, ${size.on_one_lead}) as n
      ) as made`,
  )
  await sql`
    insert into activities (organization_id, id, type, occurred_at, actor_kind, actor_id, actor_name, subjects, data, payload_hash, seq, key_id, hash)
    select organization_id, id, 'note_added', uuid_extract_timestamp(id), actor_kind, actor_kind, actor_kind,
      jsonb_build_array(jsonb_build_object('kind', 'lead', 'id', lead_id)), '{"body": "Knows us from a fair."}', 'bench',
      row_number() over (partition by organization_id order by id), 'bench', 'bench'
    from happened`
  await sql`
    insert into activity_subjects (organization_id, kind, subject_id, activity_id, type, actor_kind)
    select organization_id, 'lead', lead_id, id, 'note_added', actor_kind from happened`
  await sql`
    insert into audit_heads (organization_id, seq, hash)
    select organization_id, max(seq), 'bench' from activities group by organization_id
    on conflict (organization_id) do update set seq = excluded.seq, hash = excluded.hash`
}
