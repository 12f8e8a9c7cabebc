import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { headerHash } from './import-memory.ts'
import { ImportRequest } from './import-request.ts'
import { Line } from './lead-fields.ts'
import { page, type Page } from './page.ts'
import { type RecordKind, recordKinds } from './records.ts'

const Name = Line(100).pipe(z.string().min(1))
const Columns = z.array(z.string().min(1).max(200)).min(1).max(500)
const { mapping } = ImportRequest.shape
/** How the file is imported beside its mapping; checked with a file when it is used. */
const Options = ImportRequest.omit({ mapping: true }).partial()

/** How columns are mapped, kept under a name: suggested first for every file with the same columns. */
export const NewMapping = z
  .object({ name: Name, kind: z.enum(recordKinds), columns: Columns, mapping, options: Options.default({}) })
  .strict()
export type NewMapping = z.input<typeof NewMapping>

export const MappingChange = z
  .object({ name: Name, columns: Columns, mapping, options: Options })
  .partial()
  .strict()
export type MappingChange = z.infer<typeof MappingChange>

/** A mapping that was saved. */
export type SavedMapping = {
  id: string
  name: string
  kind: RecordKind
  columns: string[]
  mapping: Record<string, string | null>
  options: Partial<ImportRequest>
  created_by: Actor
  created_at: Date
  updated_at: Date
  version: number
}

/** Keeps a mapping for everybody in the organization. */
export const createMapping = (ctx: Ctx, input: NewMapping): Promise<SavedMapping> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { name, kind, columns, ...rest } = NewMapping.parse(input)
    const id = uuidv7()
    await tx`
      insert into import_mappings ${tx({
        organization_id,
        id,
        name,
        record_kind: kind,
        header_hash: headerHash(columns),
        columns: tx.json(columns),
        mapping: tx.json(rest.mapping),
        options: tx.json(rest.options as never),
        created_by: tx.json(ctx.actor),
      })}`
    return getMapping(ctx, id)
  })

/** One mapping. @throws {DomainError} `import_mapping_not_found` */
export const getMapping = (ctx: Ctx, id: string): Promise<SavedMapping> =>
  inTx(ctx, async (ctx) => {
    const [row] = await readMappings(ctx, ctx.tx`and id = ${id}`, 1)
    if (!row) throw notFound('import_mapping', id)
    return row
  })

/** Mappings, newest first. */
export const listMappings = (
  ctx: Ctx,
  filter: { kind?: RecordKind | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<SavedMapping>> =>
  inTx(ctx, async (ctx) => {
    const { tx } = ctx
    const rows = await readMappings(
      ctx,
      tx`${filter.kind ? tx`and record_kind = ${filter.kind}` : tx``} ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}`,
      filter.limit + 1,
    )
    return page(rows, filter.limit, ({ id }) => id)
  })

/** Changes a mapping. @throws {DomainError} `import_mapping_not_found`, stale when `version` is not the current one */
export const updateMapping = (
  ctx: Ctx,
  id: string,
  { version, ...input }: MappingChange & { version?: number | undefined },
): Promise<SavedMapping> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await tx`select 1 from import_mappings where organization_id = ${organization_id} and id = ${id} for update`
    const before = await getMapping(ctx, id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    const { name, columns, mapping, options } = { ...before, ...given(input) }
    await tx`
      update import_mappings set name = ${name}, header_hash = ${headerHash(columns)}, columns = ${tx.json(columns)},
        mapping = ${tx.json(mapping)}, options = ${tx.json(options)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    return getMapping(ctx, id)
  })

/** Deletes a mapping: it is suggested no longer. @throws {DomainError} `import_mapping_not_found` */
export const deleteMapping = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const gone = await tx`
      update import_mappings set archived_at = now(), updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and archived_at is null`
    if (gone.count === 0) throw notFound('import_mapping', id)
  })

const given = (input: MappingChange): Partial<SavedMapping> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))

const readMappings = async (
  { tx, organization_id }: TxCtx,
  condition: ReturnType<TxCtx['tx']>,
  limit: number,
): Promise<SavedMapping[]> => [
  ...(await tx<SavedMapping[]>`
    select id, name, record_kind as kind, columns, mapping, options, created_by, created_at, updated_at, version
    from import_mappings where organization_id = ${organization_id} and archived_at is null ${condition}
    order by id desc limit ${limit}`),
]
