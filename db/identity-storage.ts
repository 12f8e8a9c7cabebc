import { createAdapterFactory, type CleanedWhere } from 'better-auth/adapters'
import type { PendingQuery, Row, Sql } from 'postgres'

/** Where sign-in keeps each of its models. */
const tables: Readonly<Record<string, string>> = {
  user: 'identity.users',
  session: 'identity.sessions',
  account: 'identity.credentials',
  verification: 'identity.verifications',
  rateLimit: 'identity.rate_limits',
  organization: 'identity.organizations',
  member: 'identity.members',
  invitation: 'identity.invitations',
}

/**
 * Sign-in's storage on postgres.js. Of our own rather than through an ORM, whose modules took 240 MB and half a second
 * at every start. What consumes or counts does so in one guarded statement, so that two processes never both succeed.
 */
export const identityStorage = (sql: Sql) =>
  createAdapterFactory({
    config: {
      adapterId: 'leadhand',
      adapterName: 'Leadhand',
      supportsUUIDs: true,
      supportsJSON: true,
      supportsArrays: true,
      transaction: false,
    },
    adapter: ({ getFieldName }) => ({
      create: async ({ model, data }) => {
        const [row] = await sql`insert into ${table(sql, model)} ${sql(data as Row)} returning *`
        return row as typeof data
      },
      findOne: async <T>({
        model,
        where,
        join,
      }: {
        model: string
        where: CleanedWhere[]
        join?: unknown
      }) => {
        refuseJoin(join)
        const [row] = await sql`select * from ${table(sql, model)} where ${matches(sql, where)} limit 1`
        return (row as T | undefined) ?? null
      },
      findMany: async <T>({ model, where, limit, offset, sortBy, join }: FindMany) => {
        refuseJoin(join)
        const rows = await sql`
          select * from ${table(sql, model)} where ${matches(sql, where)}
          ${sortBy ? sql`order by ${sql(getFieldName({ model, field: sortBy.field }))} ${sortBy.direction === 'desc' ? sql`desc` : sql`asc`}` : sql``}
          limit ${limit} offset ${offset ?? 0}`
        return [...rows] as T[]
      },
      count: async ({ model, where }) => {
        const [row] = await sql<{ n: number }[]>`
          select count(*)::int as n from ${table(sql, model)} where ${matches(sql, where)}`
        return row?.n ?? 0
      },
      update: async <T>({ model, where, update }: { model: string; where: CleanedWhere[]; update: T }) => {
        if (where.length === 0) return null
        const [row] = await sql`
          update ${table(sql, model)} set ${sql(Object(update) as Row)} where ${matches(sql, where)} returning *`
        return (row as T | undefined) ?? null
      },
      updateMany: async ({ model, where, update }) =>
        (await sql`update ${table(sql, model)} set ${sql(update)} where ${matches(sql, where)}`).count,
      delete: async ({ model, where }) => {
        if (where.length > 0) await sql`delete from ${table(sql, model)} where ${matches(sql, where)}`
      },
      deleteMany: async ({ model, where }) =>
        (await sql`delete from ${table(sql, model)} where ${matches(sql, where)}`).count,
      consumeOne: async <T>({ model, where }: { model: string; where: CleanedWhere[] }) => {
        const [row] = await sql`
          delete from ${table(sql, model)} where id in (
            select id from ${table(sql, model)} where ${matches(sql, where)} limit 1 for update) returning *`
        return (row as T | undefined) ?? null
      },
      incrementOne: async <T>({ model, where, increment, set = {} }: Increment) => {
        const raised = Object.entries(increment).map(
          ([field, by]) => sql`${sql(field)} = ${sql(field)} + ${by}`,
        )
        const given = Object.entries(set).map(([field, value]) => sql`${sql(field)} = ${value as string}`)
        const [row] = await sql`
          update ${table(sql, model)} set ${join(sql, [...raised, ...given], sql`,`)} where id in (
            select id from ${table(sql, model)} where ${matches(sql, where)} limit 1 for update) returning *`
        return (row as T | undefined) ?? null
      },
    }),
  })

type Part = PendingQuery<Row[]>
type FindMany = {
  model: string
  where?: CleanedWhere[] | undefined
  limit: number
  offset?: number | undefined
  sortBy?: { field: string; direction: 'asc' | 'desc' } | undefined
  join?: unknown
}
type Increment = {
  model: string
  where: CleanedWhere[]
  increment: Record<string, number>
  set?: Record<string, unknown> | undefined
}

const table = (sql: Sql, model: string) => {
  const name = tables[model]
  if (!name) throw new Error(`sign-in asks for a model that has no table: ${model}`)
  return sql(name)
}

const refuseJoin = (join: unknown): void => {
  if (join) throw new Error('sign-in asks for a join, which this storage does not do')
}

/** Conditions as sign-in means them: those joined by AND all hold, and of those joined by OR at least one. */
const matches = (sql: Sql, where: CleanedWhere[] = []): Part => {
  const all = where.filter(({ connector }) => connector !== 'OR').map((condition) => holds(sql, condition))
  const any = where.filter(({ connector }) => connector === 'OR').map((condition) => holds(sql, condition))
  const groups = any.length > 0 ? [...all, sql`(${join(sql, any, sql` or `)})`] : all
  return groups.length > 0 ? join(sql, groups, sql` and `) : sql`true`
}

const join = (sql: Sql, parts: Part[], between: Part): Part =>
  parts.slice(1).reduce((joined, part) => sql`${joined}${between}${part}`, parts[0] ?? sql`true`)

const holds = (sql: Sql, { field, operator, value, mode }: CleanedWhere): Part => {
  const folds = mode === 'insensitive' && typeof value === 'string'
  const column = folds ? sql`lower(${sql(field)})` : sql(field)
  const wanted = folds ? value.toLowerCase() : value
  if (value === null) return operator === 'ne' ? sql`${column} is not null` : sql`${column} is null`
  if (Array.isArray(value)) {
    const list = value as string[]
    if (operator === 'not_in') return list.length > 0 ? sql`${column} not in ${sql(list)}` : sql`true`
    return list.length > 0 ? sql`${column} in ${sql(list)}` : sql`false`
  }
  const text = String(wanted).replaceAll(/[\\%_]/g, '\\$&')
  switch (operator) {
    case 'eq':
      return sql`${column} = ${wanted as string}`
    case 'ne':
      return sql`${column} <> ${wanted as string}`
    case 'lt':
      return sql`${column} < ${wanted as string}`
    case 'lte':
      return sql`${column} <= ${wanted as string}`
    case 'gt':
      return sql`${column} > ${wanted as string}`
    case 'gte':
      return sql`${column} >= ${wanted as string}`
    case 'contains':
      return sql`${column} like ${`%${text}%`}`
    case 'starts_with':
      return sql`${column} like ${`${text}%`}`
    case 'ends_with':
      return sql`${column} like ${`%${text}`}`
    case 'in':
    case 'not_in':
      throw new Error(`sign-in asks for ${operator} with a single value, which means nothing`)
  }
}
