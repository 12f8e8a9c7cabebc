import { pipeline } from 'node:stream/promises'
import type { Sql } from 'postgres'
import { hintsOf } from '../db/lead-hints.ts'
import { type Comparable, traitsOf } from '../db/lead-likeness.ts'

/** So many leads at a time are read and written. */
const BATCH = 20_000

/**
 * Fills what near matches are looked for by, as the product computes it, and the pairs that were found: every hundredth
 * lead shares the address of the one before, and as many are near another one.
 */
export const fillDuplicates = async (sql: Sql): Promise<void> => {
  await sql`
    create temp table twins as
    select organization_id, id, before as email from (
      select organization_id, id, row_number() over w as n, lag(email) over w as before
      from opportunities window w as (partition by organization_id order by id)
    ) as numbered where n % 100 = 0`
  await sql`
    update opportunities o set email = t.email from twins t where o.organization_id = t.organization_id and o.id = t.id`
  await sql`
    update opportunity_keys k set value = t.email from twins t
    where k.organization_id = t.organization_id and k.opportunity_id = t.id and k.kind = 'email'`
  await sql`alter table lead_hints drop constraint lead_hints_organization_id_hint_opportunity_id_pk`
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const leads = await sql<(Comparable & { organization_id: string; id: string })[]>`
      select organization_id, id, name, contact_name, company_name, email, phone, website, city, state, country
      from opportunities where id > ${after} order by id limit ${BATCH}`
    const last = leads.at(-1)
    if (!last) break
    after = last.id
    const rows = leads.flatMap((lead) =>
      hintsOf(traitsOf(lead)).map((hint) => `${lead.organization_id}\t${hint}\t${lead.id}\n`),
    )
    await pipeline(
      [rows.join('')],
      await sql`copy lead_hints (organization_id, hint, opportunity_id) from stdin`.writable(),
    )
  }
  await sql`
    alter table lead_hints add constraint lead_hints_organization_id_hint_opportunity_id_pk
      primary key (organization_id, hint, opportunity_id)`
  await sql`
    insert into duplicate_pairs (organization_id, lead_id, other_id, exact, shared_keys, points, reasons)
    select organization_id, ids[1], ids[2], true,
      jsonb_build_array(jsonb_build_object('kind', 'email', 'value', value)), 70, '[{"factor": "email", "points": 60, "reason": "Same e-mail address"}]'
    from (
      select organization_id, value, array_agg(opportunity_id order by opportunity_id) as ids from opportunity_keys
      where kind = 'email' group by organization_id, value having count(*) > 1
    ) as shared`
  await sql`
    insert into duplicate_pairs (organization_id, lead_id, other_id, exact, points, reasons)
    select organization_id, id, next_id, false, 40 + abs(hashtext(id::text)) % 60, '[{"factor": "name", "points": 42, "reason": "Same name"}]'
    from (
      select organization_id, id, row_number() over w as n, lead(id) over w as next_id
      from opportunities window w as (partition by organization_id order by id)
    ) as numbered where n % 100 = 50 and next_id is not null`
}
