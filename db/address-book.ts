import { z } from 'zod'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { selectCustom } from './custom-values.ts'
import { notFound } from './errors.ts'
import { Line, Lines, unreadPhone, type Warning } from './lead-fields.ts'
import { listRecords, type ListQuery, type ListSource } from './listing.ts'
import type { SqlPart } from './opportunities.ts'
import type { Page } from './page.ts'
import { Tags } from './record-fields.ts'

/** The fields that accounts and contacts share. */
export const EntryFields = z.object({
  phone: z.string().max(100),
  description: Lines(),
  city: Line(),
  state: Line(),
  country: Line(),
  owner_id: z.uuid(),
  tags: Tags,
  source: Line(),
  external_id: Line(),
})

/** What an account and a contact have in common, as they are answered. */
export type Entry = {
  id: string
  name: string
  /** E.164; null when it could not be read, and `warnings` says so. */
  phone: string | null
  phone_original: string | null
  description: string | null
  city: string | null
  state: string | null
  country: string | null
  owner_id: string | null
  owner: { id: string; name: string } | null
  tags: string[]
  custom: Record<string, unknown>
  source: string | null
  external_id: string | null
  warnings: Warning[]
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** How entries of one kind are read. */
export type EntryReaders<T extends Entry> = {
  get: (ctx: Ctx, id: string) => Promise<T>
  lock: (ctx: TxCtx, id: string) => Promise<T>
  list: (ctx: Ctx, query: ListQuery) => Promise<Page<T>>
  /** For narrower lists: what they select of each, and how a row becomes an answer. */
  source: ListSource & { kind: 'account' | 'contact' }
  present: <Row extends Omit<T, 'warnings'>>(ctx: Ctx, row: Row) => Row & T
}

/**
 * The readers of accounts or contacts.
 * @param own selects what only this kind has
 * @param told of that, as whoever asks may read it
 */
export const entryReaders = <T extends Entry>(
  kind: 'account' | 'contact',
  alias: 'c' | 'p',
  own: (tx: TxCtx['tx']) => SqlPart,
  told: (ctx: Ctx, row: Omit<T, 'warnings'>) => object = () => ({}),
): EntryReaders<T> => {
  type Row = Omit<T, 'warnings'>
  const table = `${kind}s`
  const select = (tx: TxCtx['tx'], more?: SqlPart): SqlPart => {
    const e = tx(alias)
    return tx`
      select ${e}.id, ${e}.name, ${e}.phone, ${e}.phone_original, ${e}.description, ${e}.city, ${e}.state, ${e}.country,
        ${e}.owner_id, case when u.id is not null then jsonb_build_object('id', u.id, 'name', u.name) end as owner,
        ${e}.tags, ${selectCustom(tx, tx`${e}.organization_id`, tx`${e}.id`)} as custom, ${e}.source, ${e}.external_id,
        ${e}.archived_at, ${e}.created_at, ${e}.updated_at, ${e}.version, ${own(tx)} ${more ? tx`, ${more}` : tx``}
      from ${tx(table)} ${e}
      left join identity.users u on u.id = ${e}.owner_id`
  }
  const source = { kind, default_sort: '-created_at', select } as const
  const present: EntryReaders<T>['present'] = (ctx, row) =>
    Object.assign(row, told(ctx, row), { warnings: unreadPhone(row) }) as typeof row & T
  const get = (ctx: Ctx, id: string): Promise<T> =>
    inTx(ctx, async (ctx) => {
      const { tx, organization_id } = ctx
      const e = tx(alias)
      const [row] = await tx<Row[]>`
        ${select(tx)} where ${e}.organization_id = ${organization_id} and ${e}.id = ${id}`
      if (!row) throw notFound(kind, id)
      return present(ctx, row)
    })
  return {
    get,
    lock: (ctx, id) => {
      const { tx, organization_id } = ctx
      sendStatement(
        ctx,
        tx`select 1 from ${tx(table)} where organization_id = ${organization_id} and id = ${id} for update`,
      )
      return get(ctx, id)
    },
    list: async (ctx, query) => {
      const { data, next_cursor } = await listRecords<Row>(ctx, source, query)
      return { data: data.map((row) => present(ctx, row)), next_cursor }
    },
    source,
    present,
  }
}
