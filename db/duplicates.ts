import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import {
  type DuplicateLead,
  readLeads,
  type SharedKey,
  sharedKey,
  suggestPrimary,
} from './duplicate-leads.ts'
import { keyLabels, type LeadKey } from './lead-keys.ts'
import type { Reason } from './lead-likeness.ts'
import { findMatches, FIELDS_COMPARED, type Sought } from './lead-matching.ts'
import { getOpportunity } from './opportunities.ts'
import { page, type Page } from './page.ts'

/** Leads that are one, or may be. */
export type DuplicateGroup = {
  id: string
  /** They share no key; they are only alike. */
  near: boolean
  keys: SharedKey[]
  /** 0 to 100, of near ones. */
  points: number | null
  reasons: Reason[]
  leads: DuplicateLead[]
  /** How many leads there are; so many are not listed beyond the first hundred. */
  count: number
  primary_id: string
  primary_reason: string
}

type Pair = {
  lead_id: string
  other_id: string
  points: number
  reasons: Reason[]
  shared_keys: LeadKey[]
}

/** More leads than this in one group are not listed. */
const LISTED = 100

/**
 * Groups of open leads that share a key, the newest group first: leads that are connected through others are one group.
 * Pairs of which somebody said that they are not the same do not connect.
 * @throws {DomainError} `invalid_cursor`
 */
export const listDuplicates = (
  ctx: Ctx,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Page<DuplicateGroup>> =>
  inTx(ctx, async (ctx) => {
    const found: { id: string; ids: string[]; pairs: Pair[] }[] = []
    let from = cursor === undefined ? undefined : openCursor(cursor, 1)[0]
    while (found.length <= limit) {
      const wanted = limit + 1 - found.length
      const seeds = await readSeeds(ctx, from, wanted)
      for (const group of await connect(ctx, seeds)) if (group.ids[0] === group.id) found.push(group)
      from = seeds.at(-1)
      if (seeds.length < wanted) break
    }
    const { data, next_cursor } = page(found, limit, ({ id }) => packCursor([id]))
    const leads = await readLeads(
      ctx,
      data.flatMap(({ ids }) => ids.slice(0, LISTED)),
    )
    return {
      data: data.map(({ id, ids, pairs }) => groupOf(id, ids, pairs, leads)),
      next_cursor,
    }
  })

/**
 * Pairs of open leads that share no key and are alike, the most alike first.
 * @throws {DomainError} `invalid_cursor`
 */
export const listNearDuplicates = (
  ctx: Ctx,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Page<DuplicateGroup>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [lead_id, other_id, points] = cursor === undefined ? [] : openCursor(cursor, 3)
    const rows = await tx<Pair[]>`
      select lead_id, other_id, points, reasons, shared_keys from duplicate_pairs
      where organization_id = ${organization_id} and not exact and standing and dismissed_at is null and points > 0
        ${lead_id ? tx`and (points, lead_id, other_id) < (${Number(points)}, ${lead_id}::uuid, ${other_id ?? ''}::uuid)` : tx``}
      order by points desc, lead_id desc, other_id desc limit ${limit + 1}`
    const { data, next_cursor } = page([...rows], limit, (pair) =>
      packCursor([pair.lead_id, pair.other_id, String(pair.points)]),
    )
    const leads = await readLeads(
      ctx,
      data.flatMap(({ lead_id, other_id }) => [lead_id, other_id]),
    )
    return {
      data: data.map((pair) => ({
        ...groupOf(`${pair.lead_id}.${pair.other_id}`, [pair.lead_id, pair.other_id], [pair], leads),
        near: true,
        points: pair.points,
        reasons: pair.reasons,
      })),
      next_cursor,
    }
  })

/** A duplicate of one lead: another open one that shares a key with it, or is near. */
export type Duplicate = {
  lead: DuplicateLead
  near: boolean
  keys: SharedKey[]
  points: number
  reasons: Reason[]
  /** Which of the two would best stay. */
  primary_id: string
  primary_reason: string
}

/** Everything there is to say about the duplicates of one lead. */
export type DuplicatesOfLead = {
  data: Duplicate[]
  /** Said not to be the same. */
  dismissed: { lead_id: string; name: string; dismissed_at: Date; dismissed_by: Actor }[]
  /** What was merged into it. */
  merged: { merge_id: string; lead_id: string; name: string; merged_at: Date; merged_by: Actor }[]
}

/**
 * The duplicates of one lead as they are now, those that share a key first.
 * @throws {DomainError} `lead_not_found`
 */
export const duplicatesOf = (ctx: Ctx, id: string): Promise<DuplicatesOfLead> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const lead = await getOpportunity(ctx, id, 'lead')
    const [sought, dismissed, merged] = await Promise.all([
      tx<Sought[]>`
        select ${id}::uuid as id, ${tx([...FIELDS_COMPARED])} from opportunities
        where organization_id = ${organization_id} and (id = ${id} or merged_into = ${id}) order by id`,
      tx<DuplicatesOfLead['dismissed']>`
        select o.id as lead_id, o.name, p.dismissed_at, p.dismissed_by from (
          select other_id as id, dismissed_at, dismissed_by from duplicate_pairs
          where organization_id = ${organization_id} and lead_id = ${id} and dismissed_at is not null
          union all
          select lead_id, dismissed_at, dismissed_by from duplicate_pairs
          where organization_id = ${organization_id} and other_id = ${id} and dismissed_at is not null
        ) p join opportunities o on o.organization_id = ${organization_id} and o.id = p.id
        order by p.dismissed_at desc limit 100`,
      tx<DuplicatesOfLead['merged']>`
        select m.id as merge_id, o.id as lead_id, o.name, m.merged_at, m.merged_by from lead_merges m
        join opportunities o on o.organization_id = m.organization_id and o.id = m.duplicate_id
        where m.organization_id = ${organization_id} and m.primary_id = ${id} and m.unmerged_at is null
        order by m.id desc limit 100`,
    ])
    const open = lead.archived_at === null && lead.stage.kind === 'open'
    const said = new Set(dismissed.map(({ lead_id }) => lead_id))
    const matches = open ? (await findMatches(ctx, sought)).flat().filter((match) => !said.has(match.id)) : []
    const best = new Map(matches.toReversed().map((match) => [match.id, match]))
    for (const match of matches) if (match.exact) best.set(match.id, match)
    const leads = await readLeads(ctx, [id, ...best.keys()])
    const self = leads.get(id)
    return {
      data: [...best.values()]
        .toSorted((a, b) => Number(b.exact) - Number(a.exact) || b.points - a.points)
        .flatMap(({ id: other_id, exact, shared_keys, points, reasons }) => {
          const other = leads.get(other_id)
          if (!other || !self) return []
          const keys = shared_keys.map((key) => sharedKey(key, [id, other_id]))
          const which = suggestPrimary([self, other].toSorted((a, b) => (a.id < b.id ? -1 : 1)))
          return [{ lead: other, near: !exact, keys, points, reasons, ...which }]
        }),
      dismissed: [...dismissed],
      merged: [...merged],
    }
  })

/** Leads that stand in a pair as the older one, newest first: each group has one of them at least. */
const readSeeds = async (
  { tx, organization_id }: TxCtx,
  before: string | undefined,
  limit: number,
): Promise<string[]> => {
  const rows = await tx<{ id: string }[]>`
    select lead_id as id from duplicate_pairs
    where organization_id = ${organization_id} and exact and standing and dismissed_at is null
      ${before ? tx`and lead_id < ${before}` : tx``}
    group by lead_id order by lead_id desc limit ${limit}`
  return rows.map(({ id }) => id)
}

/** How large a group is followed: from there on it is a number that very many share. */
const FOLLOWED = 500

/** The group of each lead: everything that is connected with it, the oldest first. */
const connect = async (
  { tx, organization_id }: TxCtx,
  seeds: string[],
): Promise<{ id: string; ids: string[]; pairs: Pair[] }[]> => {
  const groups = seeds.map((id) => ({ id, ids: new Set([id]), pairs: new Map<string, Pair>(), edge: [id] }))
  for (;;) {
    const edge = [...new Set(groups.flatMap((group) => group.edge))]
    if (edge.length === 0) break
    const rows = await tx<(Pair & { from: string })[]>`
      select p.*, n.id as "from" from unnest(${edge}::uuid[]) as n (id)
      cross join lateral (
        select lead_id, other_id, points, reasons, shared_keys from duplicate_pairs
        where organization_id = ${organization_id} and lead_id = n.id and exact and standing and dismissed_at is null
        union all
        select lead_id, other_id, points, reasons, shared_keys from duplicate_pairs
        where organization_id = ${organization_id} and other_id = n.id and exact and standing and dismissed_at is null
      ) as p`
    for (const group of groups) {
      const next = new Set<string>()
      for (const { from, ...pair } of rows) {
        if (!group.edge.includes(from)) continue
        group.pairs.set(`${pair.lead_id} ${pair.other_id}`, pair)
        for (const id of [pair.lead_id, pair.other_id])
          if (!group.ids.has(id) && group.ids.size < FOLLOWED) next.add(id)
      }
      for (const id of next) group.ids.add(id)
      group.edge = [...next]
    }
  }
  return groups.map(({ id, ids, pairs }) => ({ id, ids: [...ids].toSorted(), pairs: [...pairs.values()] }))
}

const groupOf = (
  id: string,
  ids: string[],
  pairs: Pair[],
  among: Map<string, DuplicateLead>,
): DuplicateGroup => {
  const leads = ids.flatMap((id) => among.get(id) ?? [])
  const keys = new Map<string, SharedKey>()
  for (const { lead_id, other_id, shared_keys } of pairs) {
    for (const key of shared_keys) {
      const name = `${key.kind} ${key.value}`
      const holders = new Set([...(keys.get(name)?.lead_ids ?? []), lead_id, other_id])
      keys.set(name, sharedKey(key, [...holders].toSorted()))
    }
  }
  const order = Object.keys(keyLabels)
  return {
    id,
    near: false,
    keys: [...keys.values()].toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)),
    points: null,
    reasons: [],
    leads,
    count: ids.length,
    ...suggestPrimary(leads),
  }
}

const packCursor = (parts: string[]): string => Buffer.from(parts.join(' ')).toString('base64url')

const openCursor = (cursor: string, length: 1 | 3): string[] => {
  const parts = Buffer.from(cursor, 'base64url').toString('utf8').split(' ')
  const fits = parts.length === length && parts.slice(0, 2).every((part) => UUID.test(part))
  if (fits && (parts[2] === undefined || /^\d{1,3}$/.test(parts[2]))) return parts
  throw new DomainError(
    'invalid',
    'invalid_cursor',
    'This cursor does not belong to this list. Start again without it.',
    {
      errors: [{ pointer: '/cursor', message: 'not a cursor of this list' }],
    },
  )
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
