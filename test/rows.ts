import type { Sql } from 'postgres'

/** What an organization has in each table: how many rows, and a hash over them. */
export type Rows = Record<string, string>

/**
 * Reads every table of an organization, as the owner of the database, who sees through its policies. When a key was last
 * used does not count: that changes with every question.
 */
export const openRows = async (owner: Sql): Promise<(organization_id: string) => Promise<Rows>> => {
  const tables = await owner<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
    where c.relkind = 'r' and n.nspname in ('public', 'identity') order by 1`
  const selects = tables.map(
    ({ name }) => `
      select '${name}' as name, count(*) || ' ' || md5(coalesce(string_agg(row, '' order by row), '')) as rows
      from (select md5((to_jsonb(t) - 'last_used_at')::text) as row from ${name} t where organization_id = $1) t`,
  )
  return async (organization_id) => {
    const rows = await owner.unsafe<{ name: string; rows: string }[]>(selects.join(' union all '), [
      organization_id,
    ])
    return Object.fromEntries(rows.map(({ name, rows }) => [name, rows]))
  }
}

/** The tables in which something changed, but for those that any request may touch. */
export const changedTables = (before: Rows, after: Rows, besides: readonly string[] = []): string[] =>
  Object.keys(after).filter(
    (name) => before[name] !== after[name] && name !== COUNTED && !besides.includes(name),
  )

/** That a key asked at all is counted here. */
const COUNTED = 'public.allowances'
