import { type Bulk, type BulkCounts, type BulkJobRow, queueBulk, toBulk } from './bulk.ts'
import { type Ctx, inTx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { undoLimits } from './undo.ts'

/**
 * Queues the taking back of what a bulk act did and nobody took back yet: each value that nobody changed since; the rows
 * name the others. What could not be taken back for a reason that can pass is there for the next one.
 * @throws {DomainError} `bulk_not_ended`, `not_undoable`, and `already_undone` while an undo is under way and when nothing
 * remains
 */
export const undoBulk = (ctx: Ctx, id: string): Promise<Bulk> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [row] = await tx<BulkJobRow[]>`
      select * from bulk_jobs where organization_id = ${organization_id} and id = ${id} for update`
    if (!row) throw notFound('bulk', id)
    const bulk = toBulk(row)
    requireUndoable(bulk)
    await requireRemaining(ctx, bulk)
    const undo = await queueBulk(ctx, {
      kind: bulk.kind,
      act: 'undo',
      input: {},
      dry_run: false,
      selection: {},
      undo_of: id,
    })
    await tx`update bulk_jobs set undone_by = ${undo.id} where organization_id = ${organization_id} and id = ${id}`
    return undo
  })

/** Selects the rows of a bulk act of which something stands. */
export const chooseStanding = ({ tx, organization_id }: TxCtx, bulk_id: string) => tx`
  select r.n, r.record_id from bulk_rows r
  where r.organization_id = ${organization_id} and r.bulk_id = ${bulk_id} and ${somethingStands(tx)}`

/** What these rows of a bulk act recorded and nobody took back, in order, by the row's number. */
export const standingActs = async (
  { tx, organization_id }: TxCtx,
  bulk_id: string,
  numbers: readonly number[],
): Promise<Map<number, string[]>> => {
  const rows = await tx<{ n: number; activity_ids: string[] }[]>`
    select r.n, array(
      select a.id from unnest(r.activity_ids) with ordinality as recorded (id, at)
      join activities a on a.organization_id = r.organization_id and a.id = recorded.id and a.undone_by is null
      order by recorded.at) as activity_ids
    from bulk_rows r
    where r.organization_id = ${organization_id} and r.bulk_id = ${bulk_id} and r.n = any(${numbers as number[]}::int[])`
  return new Map(rows.map(({ n, activity_ids }) => [n, activity_ids]))
}

/**
 * Says of the act that an undo took back what became of it: undone, unless nothing was taken back, or something was left
 * for a reason that can pass. The first act and its redoings did the same things: each is undone or stands with them.
 */
export const settleUndone = async (
  ctx: TxCtx,
  undo: Pick<Bulk, 'id' | 'status' | 'counts'> & { undo_of: string },
): Promise<void> => {
  const { tx, organization_id } = ctx
  const { id, undo_of, counts } = undo
  const [act] = await tx<Pick<Bulk, 'status'>[]>`
    select status from bulk_jobs
    where organization_id = ${organization_id} and id = ${undo_of} and undone_by = ${id} for update`
  if (!act) throw new Error(`bulk act ${undo_of} is not being taken back by ${id}`)
  const remains = undo.status !== 'done' || (await isSomeLeft(ctx, id))
  const came_back = counts.changed > 0 || act.status === 'undone' || countRows(counts) === 0
  const is_undone = came_back && !remains
  const status = is_undone ? 'undone' : act.status === 'undone' ? 'done' : act.status
  await tx`
    update bulk_jobs set status = ${status}, undone_by = ${is_undone ? id : null}
    where organization_id = ${organization_id} and id = ${undo_of}`
  if (counts.changed > 0) await settleFamily(ctx, undo)
}

const requireUndoable = ({ status, dry_run, finished_at }: Bulk): void => {
  if (status === 'queued' || status === 'running') {
    throw new DomainError('conflict', 'bulk_not_ended', `This bulk act is ${status}; stop it first.`, {
      extra: { state: status },
    })
  }
  const refuse = (because: string, message: string): never => {
    throw new DomainError('conflict', 'not_undoable', message, { extra: { because } })
  }
  if (dry_run) refuse('changed_nothing', 'A dry run changed nothing.')
  if (finished_at && Date.now() - finished_at.getTime() > undoLimits.days * 86_400_000)
    refuse('too_old', `It is older than ${undoLimits.days} days.`)
}

const requireRemaining = async (ctx: TxCtx, { id, undone_by, counts }: Bulk): Promise<void> => {
  const { tx, organization_id } = ctx
  const refuse = (message: string): never => {
    throw new DomainError('conflict', 'already_undone', message, { extra: { undone_by } })
  }
  const [row] = await tx<{ is_under_way: boolean; remains: boolean }[]>`
    select
      exists (select from bulk_jobs u where u.organization_id = ${organization_id} and u.id = ${undone_by}
        and u.status in ('queued', 'running')) as is_under_way,
      exists (${chooseStanding(ctx, id)}) as remains`
  if (row?.is_under_way) refuse('This bulk act is being taken back right now.')
  if (counts.changed > 0 && !row?.remains) refuse('This bulk act was taken back already.')
}

const countRows = (counts: BulkCounts): number => Object.values(counts).reduce((sum, count) => sum + count, 0)

/** Why a row stays as it is, as long as nobody changes the record again; whatever else was in its way can pass. */
const LASTING = ['already_undone', 'changed_since', 'not_undoable']

const isSomeLeft = async ({ tx, organization_id }: TxCtx, id: string): Promise<boolean> => {
  const left = await tx`
    select 1 from bulk_rows where organization_id = ${organization_id} and bulk_id = ${id}
      and (result = 'waiting' or result in ('skipped', 'failed') and not problem ->> 'code' = any(${LASTING}))
    limit 1`
  return left.length > 0
}

/** Of a row `r`: whether it did something that nobody took back. */
const somethingStands = (tx: TxCtx['tx']) => tx`
  r.result = 'changed' and exists (
    select from activities a
    where a.organization_id = r.organization_id and a.id = any(r.activity_ids) and a.undone_by is null)`

/** The first act is there with every undo of it, every undo of those, and on; every second generation did what it did. */
const settleFamily = async (
  ctx: TxCtx,
  { id, undo_of }: Pick<Bulk, 'id'> & { undo_of: string },
): Promise<void> => {
  const { tx, organization_id } = ctx
  const acts = await tx<{ id: string; stands: boolean }[]>`
    with recursive above as (
      select id, undo_of from bulk_jobs where organization_id = ${organization_id} and id = ${undo_of}
      union all
      select b.id, b.undo_of from above
      join bulk_jobs b on b.organization_id = ${organization_id} and b.id = above.undo_of
    ), family as (
      select id, true as is_act from above where undo_of is null
      union all
      select b.id, not family.is_act from family
      join bulk_jobs b on b.organization_id = ${organization_id} and b.undo_of = family.id
    )
    select b.id, exists (
      select from bulk_rows r
      where r.organization_id = b.organization_id and r.bulk_id = b.id and ${somethingStands(tx)}) as stands
    from family
    join bulk_jobs b on b.organization_id = ${organization_id} and b.id = family.id
    left join bulk_jobs u on u.organization_id = b.organization_id and u.id = b.undone_by
    where family.is_act and b.id <> ${undo_of} and (b.counts ->> 'changed')::int > 0
      and (u.status is null or u.status not in ('queued', 'running'))`
  const ids = (stands: boolean) => acts.filter((act) => act.stands === stands).map((act) => act.id)
  await tx`
    update bulk_jobs set status = case status when 'undone' then 'done' else status end, undone_by = null
    where organization_id = ${organization_id} and id = any(${ids(true)}::uuid[])`
  await tx`
    update bulk_jobs set status = 'undone', undone_by = coalesce(undone_by, ${id}::uuid)
    where organization_id = ${organization_id} and id = any(${ids(false)}::uuid[])`
}
