import type { Database } from './client.ts'
import { beforeCommit, inTx, sendStatement, systemCtx, type TxCtx } from './context.ts'
import { freshPlans } from './fresh-plans.ts'
import { isImporting } from './import-leases.ts'
import { hintsOf } from './lead-hints.ts'
import { keysOf } from './lead-keys.ts'
import { traitsOf } from './lead-likeness.ts'
import { FIELDS_COMPARED, findMatches, type Match, type Sought } from './lead-matching.ts'
import { enqueue } from './queue.ts'
import { insertRows } from './row-sets.ts'
import { gathered } from './together.ts'

/** So many leads are compared in the transaction that wrote them; of more, a job sees to it. */
const AT_ONCE = 20

/** When the job looks: soon, when who was written at the same time is there; after an import that is under way, whose rows go first. */
const LATER_S = { first: 2, during_import: 30 }

/**
 * Looks for duplicates of leads that were made or changed, and keeps what it finds for people to look through, in place of
 * what was found before. What somebody said is not the same stays said.
 */
export const pairLeads = gathered<string>(async (ctx, ids) => {
  // Last of all: whoever writes as many has more to send, and would wait for the answer.
  if (ids.length > AT_ONCE)
    beforeCommit(ctx, `leads written: ${ids[0]}`, (ctx) =>
      enqueue(ctx, 'leads.written', { lead_ids: [...ids] }, LATER_S.first),
    )
  else if (ids.length > 0) {
    const sought = await readSought(ctx, ids)
    // Both are sent at once, in this order: whoever let go of a mark before is seen by the look.
    const [alone] = await Promise.all([areAlone(ctx, sought), pairNow(ctx, sought)])
    if (!alone) await enqueue(ctx, 'leads.written', { lead_ids: [...ids] }, LATER_S.first)
  }
})

/**
 * Whether nobody else is writing a lead that resembles these: what is not committed is seen by no look, so of two that are
 * written in the same instant the second one has to look again. Nobody waits.
 */
const areAlone = async (
  { tx, organization_id }: TxCtx,
  leads: readonly (Sought & { id: string })[],
): Promise<boolean> => {
  const marks = new Set(
    leads.flatMap((lead) => [
      ...keysOf(lead).map(({ kind, value }) => `${kind} ${value}`),
      ...hintsOf(traitsOf(lead)),
    ]),
  )
  if (marks.size === 0) return true
  const [row] = await tx<{ alone: boolean }[]>`
    select bool_and(pg_try_advisory_xact_lock(hashtextextended(mark, 0))) as alone
    from unnest(${[...marks].map((mark) => `resembles ${organization_id} ${mark}`)}::text[]) as mark`
  return row?.alone ?? true
}

/** The same for the many that were written together, some at a time; twice is once. While an import runs, it is put off. */
export const pairWritten = async (
  db: Database,
  organization_id: string,
  lead_ids: readonly string[],
): Promise<void> => {
  const ctx = systemCtx(db, organization_id, 'duplicates')
  const put_off = await inTx(ctx, async (ctx) => {
    const importing = await isImporting(ctx)
    if (importing) await enqueue(ctx, 'leads.written', { lead_ids: [...lead_ids] }, LATER_S.during_import)
    return importing
  })
  if (put_off) return
  for (let n = 0; n < lead_ids.length; n += AT_ONCE)
    await inTx(ctx, async (ctx) => {
      await freshPlans(ctx, 'opportunities')
      await pairNow(ctx, await readSought(ctx, lead_ids.slice(n, n + AT_ONCE)))
    })
}

const pairNow = async (ctx: TxCtx, sought: readonly (Sought & { id: string })[]): Promise<void> => {
  const found = await findMatches(ctx, sought)
  const pairs = new Map<string, Match & { lead_id: string }>()
  for (const [n, lead] of sought.entries()) {
    for (const match of found[n] ?? []) {
      const pair = { ...match, lead_id: lead.id }
      const name = [lead.id, match.id].toSorted().join(' ')
      const known = pairs.get(name)
      if (
        !known ||
        Number(pair.exact) > Number(known.exact) ||
        (pair.exact === known.exact && pair.points > known.points)
      )
        pairs.set(name, pair)
    }
  }
  keepPairs(
    ctx,
    sought.map(({ id }) => id),
    [...pairs.values()],
  )
}

/** The leads that are open and in use, each with what the ones that were merged into it brought. */
const readSought = async (
  { tx, organization_id }: TxCtx,
  ids: readonly string[],
): Promise<(Sought & { id: string })[]> =>
  tx<(Sought & { id: string })[]>`
    select now_in.id, ${tx(FIELDS_COMPARED.map((field) => `o.${field}`))}
    from unnest(${[...ids]}::uuid[]) as wanted (id)
    join opportunities now_in on now_in.organization_id = ${organization_id} and now_in.id = wanted.id
    join stages s on s.organization_id = now_in.organization_id and s.id = now_in.stage_id
    cross join lateral (
      select * from opportunities o where o.organization_id = ${organization_id} and o.id = wanted.id
      union all
      select * from opportunities o where o.organization_id = ${organization_id} and o.merged_into = wanted.id
    ) as o
    where now_in.kind = 'lead' and now_in.archived_at is null and s.kind = 'open'
    order by now_in.id, o.id`

const keepPairs = (
  ctx: TxCtx,
  ids: readonly string[],
  pairs: readonly (Match & { lead_id: string })[],
): void => {
  const { tx, organization_id } = ctx
  const rows = pairs.map(({ id, lead_id, ...pair }) => {
    const [first, second] = [id, lead_id].toSorted()
    return { ...pair, lead_id: first, other_id: second, standing: true }
  })
  sendStatement(
    ctx,
    tx`
      delete from duplicate_pairs p
      where p.organization_id = ${organization_id} and p.dismissed_at is null
        and (p.lead_id = any(${[...ids]}::uuid[]) or p.other_id = any(${[...ids]}::uuid[]))
        and not exists (
          select from unnest(${rows.map((row) => row.lead_id ?? '')}::uuid[], ${rows.map((row) => row.other_id ?? '')}::uuid[]) as f (lead_id, other_id)
          where f.lead_id = p.lead_id and f.other_id = p.other_id)`,
  )
  insertRows(
    ctx,
    'duplicate_pairs',
    rows,
    tx`
      on conflict (organization_id, lead_id, other_id) do update set exact = excluded.exact,
        shared_keys = excluded.shared_keys, points = excluded.points, reasons = excluded.reasons, standing = true`,
  )
}
