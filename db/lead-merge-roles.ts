import type { TxCtx } from './context.ts'
import { type FilledRole, readMergesInto, type StoredMerge, writeImage } from './lead-merge-images.ts'
import { linkTables } from './link-tables.ts'

const TABLES = ['opportunity_contacts', 'opportunity_accounts'] as const

/**
 * Whom both leads are linked with, and who has a role with the duplicate alone, gets that with the primary.
 * @param among these alone; absent: all
 */
export const fillRoles = async (
  { tx, organization_id }: TxCtx,
  duplicate_id: string,
  primary_id: string,
  among?: readonly FilledRole[],
): Promise<FilledRole[]> => {
  const filled: FilledRole[] = []
  for (const table of TABLES) {
    const member = tx(linkTables[table].member_id)
    const ids = among?.filter((one) => one.table === table).map(({ id }) => id)
    const rows = await tx<Omit<FilledRole, 'table'>[]>`
      update ${tx(table)} mine set role = theirs.role from ${tx(table)} theirs
      where mine.organization_id = ${organization_id} and mine.opportunity_id = ${primary_id} and mine.role is null
        and theirs.organization_id = mine.organization_id and theirs.opportunity_id = ${duplicate_id}
        and theirs.${member} = mine.${member} and theirs.role is not null
        ${ids ? tx`and mine.${member} = any(${ids}::uuid[])` : tx``}
      returning mine.${member} as id, mine.role`
    filled.push(...rows.map((row) => ({ table, ...row })))
  }
  return filled
}

/**
 * Takes back which roles a merge that is taken apart filled, and those that other merges filled on the links that it brought:
 * they go back as they were. Answers which of its own are blank now, and how many somebody changed since.
 */
export const emptyRoles = async (
  ctx: TxCtx,
  { image, primary_id }: StoredMerge,
): Promise<{ emptied: FilledRole[]; changed: number }> => {
  const { tx, organization_id } = ctx
  const empty = async ({ table, id, role }: FilledRole): Promise<boolean> => {
    const member = tx(linkTables[table].member_id)
    const [link] = await tx<{ role: string | null }[]>`
      select role from ${tx(table)}
      where organization_id = ${organization_id} and opportunity_id = ${primary_id} and ${member} = ${id} for update`
    if (link?.role !== role) return link === undefined
    await tx`
      update ${tx(table)} set role = null
      where organization_id = ${organization_id} and opportunity_id = ${primary_id} and ${member} = ${id}`
    return true
  }
  const emptied: FilledRole[] = []
  for (const filled of image.roles) if (await empty(filled)) emptied.push(filled)
  const brought = (filled: FilledRole): boolean =>
    image.moved.some(
      ({ table, rows }) =>
        table === filled.table && rows.some((row) => row[linkTables[filled.table].member_id] === filled.id),
    )
  for (const other of await standing(ctx, primary_id)) {
    const gone = other.image.roles.filter(brought)
    if (gone.length === 0) continue
    for (const filled of gone) await empty(filled)
    const roles = other.image.roles.filter((filled) => !gone.includes(filled))
    await writeImage(ctx, { ...other, image: { ...other.image, roles } })
  }
  return { emptied, changed: image.roles.length - emptied.length }
}

/** What the merge that was taken apart had filled is filled by the next one that says something. */
export const fillRolesAgain = async (
  ctx: TxCtx,
  primary_id: string,
  emptied: readonly FilledRole[],
): Promise<void> => {
  if (emptied.length === 0) return
  for (const other of await standing(ctx, primary_id)) {
    const filled = await fillRoles(ctx, other.duplicate_id, primary_id, emptied)
    if (filled.length === 0) continue
    await writeImage(ctx, { ...other, image: { ...other.image, roles: [...other.image.roles, ...filled] } })
  }
}

/** The merges that are not taken apart, the oldest first. */
const standing = async (ctx: TxCtx, primary_id: string): Promise<StoredMerge[]> =>
  (await readMergesInto(ctx, primary_id)).filter(({ stands }) => stands)
