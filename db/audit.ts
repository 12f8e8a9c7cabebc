import { createHmac, timingSafeEqual } from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { log } from '../log.ts'
import { hashPayload, type ActivityRow, type Subject } from './activities.ts'
import type { Database } from './client.ts'
import { inTx, sendStatement, systemCtx, type TxCtx } from './context.ts'
import { keySetOf, type KeySet } from './keys.ts'

const SEQUENCER = {
  /** How often unsealed activities are looked for; readers of `/api/events` see them at most this much later. */
  interval_ms: 25,
  batch: 500,
}
/** What the first link of a chain follows. */
const GENESIS = '0'.repeat(64)
/** PostgreSQL channel on which API processes hear that an organization has new sealed activities. */
export const EVENTS_CHANNEL = 'leadhand_events'

/**
 * Numbers committed activities and seals them into the organization's chain:
 * `hash = HMAC-SHA256(key, previous hash, seq, header, payload hash)`. Runs until `stop`; any number of processes may.
 * @param headsFile where each sealed head is appended, outside the database, so that a cut tail shows
 */
export const startSequencer = (db: Database, headsFile: string): { stop: () => Promise<void> } => {
  let stopped = false
  const loop = async () => {
    await mkdir(dirname(headsFile), { recursive: true })
    while (!stopped) {
      try {
        await sealAll(db, headsFile)
      } catch (error) {
        if (stopped) return
        log.error({ err: error }, 'sealing failed; it is tried again')
        await pause(1_000)
      }
      await pause(SEQUENCER.interval_ms)
    }
  }
  const running = loop()
  return {
    stop: async () => {
      stopped = true
      await running
    },
  }
}

/** Seals what is committed and not sealed yet, in every organization; returns how many activities that were. */
export const sealAll = async (db: Database, headsFile: string): Promise<number> => {
  const organizations = await db.sql<
    { organization_id: string }[]
  >`select * from finder.unsealed_organizations()`
  let sealed = 0
  for (const { organization_id } of organizations) {
    const head = await inTx(systemCtx(db, organization_id, 'sequencer'), sealBatch)
    if (!head) continue
    sealed += head.count
    await appendFile(headsFile, `${JSON.stringify(head.line)}\n`)
  }
  return sealed
}

/**
 * Hears of new sealed activities: calls back with the organization, and once more for every reconnection with none,
 * because what was said meanwhile was not heard. What `tellPassing` says comes with its subject. Listening needs a session
 * of its own, past a transaction pooler.
 */
export const listenEvents = async (
  db: Database,
  onEvents: (organization_id: string | undefined, passing?: Subject) => void,
): Promise<{ stop: () => Promise<void> }> => {
  const hear = (payload: string): void => {
    const [organization_id, kind, id] = payload.split(' ')
    onEvents(organization_id, kind !== undefined && id !== undefined ? { kind, id } : undefined)
  }
  const listening = await (db.direct ?? db.sql).listen(EVENTS_CHANNEL, hear, () => onEvents(undefined))
  return { stop: () => listening.unlisten() }
}

/** Tells those who listen, when the transaction commits, that something moves on; nothing is kept of it. */
export const tellPassing = (ctx: TxCtx, { kind, id }: Subject): void =>
  sendStatement(ctx, ctx.tx`select pg_notify(${EVENTS_CHANNEL}, ${`${ctx.organization_id} ${kind} ${id}`})`)

/** What `verifyAudit` found: every link whole, or the first row that is not. */
export type AuditReport = {
  activities: number
  problem: { seq: number; activity_id: string | null; message: string } | null
}

/**
 * Walks an organization's chain and compares it with the heads kept outside the database.
 * Finds an edited, deleted, inserted, reordered or swapped row and a cut tail.
 */
export const verifyAudit = (db: Database, organization_id: string, headsFile: string): Promise<AuditReport> =>
  inTx(systemCtx(db, organization_id, 'audit'), async ({ tx }) => {
    const heads = await readHeads(db, headsFile, organization_id)
    let previous = GENESIS
    let seq = 0
    const broken = (activity_id: string | null, at: number, message: string): AuditReport => ({
      activities: seq,
      problem: { seq: at, activity_id, message },
    })
    for await (const rows of tx<ActivityRow[]>`
      select * from activities where organization_id = ${organization_id} and seq is not null order by seq
    `.cursor(1_000)) {
      for (const row of rows) {
        const at = row.seq ?? 0
        if (at !== seq + 1)
          return broken(row.id, seq + 1, `activity ${seq + 1} is missing; the next one is ${at}`)
        const set = keySetOf(db.keys, row.key_id ?? '')
        if (!set) return broken(row.id, at, 'sealed under an APP_SECRET that is not known here')
        // Nothing erases payloads yet, so one without its salt was not erased: it was hidden from this check.
        if (row.salt === null)
          return broken(row.id, at, 'what it said cannot be checked: its salt was removed')
        if (hashPayload(row.salt, { data: row.data, reason: row.reason }) !== row.payload_hash) {
          return broken(row.id, at, 'what it says was changed after it was sealed')
        }
        if (!same(link(set, previous, at, row), row.hash ?? '')) {
          return broken(row.id, at, 'its author, time, subject or place was changed after it was sealed')
        }
        const head = heads.get(at)
        if (head && !same(head, row.hash ?? ''))
          return broken(row.id, at, 'differs from the head kept outside the database')
        previous = row.hash ?? ''
        seq = at
      }
    }
    const newest = Math.max(0, ...heads.keys())
    if (newest > seq)
      return broken(null, seq + 1, `the end was cut: the head kept outside the database is ${newest}`)
    const [stored] = await tx<{ seq: number; hash: string }[]>`
      select seq, hash from audit_heads where organization_id = ${organization_id}`
    if (stored && (stored.seq !== seq || stored.hash !== previous))
      return broken(null, seq + 1, 'the stored head is another one')
    return { activities: seq, problem: null }
  })

const Head = z.object({
  organization_id: z.string(),
  seq: z.number(),
  hash: z.string(),
  key_id: z.string(),
  sealed_at: z.string(),
  signature: z.string(),
})
type Head = z.infer<typeof Head>

const sealBatch = async (ctx: TxCtx): Promise<{ count: number; line: Head } | undefined> => {
  const { tx, organization_id, db } = ctx
  sendStatement(ctx, tx`select pg_advisory_xact_lock(hashtextextended(${`seal ${organization_id}`}, 0))`)
  const [[head], rows] = await Promise.all([
    tx<{ seq: number; hash: string }[]>`
      select seq, hash from audit_heads where organization_id = ${organization_id}`,
    tx<ActivityRow[]>`
      select * from activities where organization_id = ${organization_id} and seq is null order by id
      limit ${SEQUENCER.batch}`,
  ])
  if (rows.length === 0) return undefined
  const set = db.keys.current
  let { seq, hash } = head ?? { seq: 0, hash: GENESIS }
  const sealed = rows.map((row) => {
    seq += 1
    hash = link(set, hash, seq, row)
    return { id: row.id, seq, hash }
  })
  const [ids, seqs, hashes] = [sealed.map((s) => s.id), sealed.map((s) => s.seq), sealed.map((s) => s.hash)]
  sendStatement(
    ctx,
    tx`
      update activities a set seq = s.seq, hash = s.hash, key_id = ${set.id}
      from unnest(${ids}::uuid[], ${seqs}::int8[], ${hashes}::text[]) as s (id, seq, hash)
      where a.organization_id = ${organization_id} and a.id = s.id`,
  )
  sendStatement(
    ctx,
    tx`
      insert into audit_heads (organization_id, seq, hash) values (${organization_id}, ${seq}, ${hash})
      on conflict (organization_id) do update set seq = excluded.seq, hash = excluded.hash, sealed_at = now()`,
  )
  sendStatement(ctx, tx`select pg_notify(${EVENTS_CHANNEL}, ${organization_id})`)
  const unsigned = { organization_id, seq, hash, key_id: set.id, sealed_at: new Date().toISOString() }
  return { count: rows.length, line: { ...unsigned, signature: sign(set, unsigned) } }
}

const link = (set: KeySet, previous: string, seq: number, row: ActivityRow): string =>
  createHmac('sha256', set.audit)
    .update(
      canonicalize({
        previous,
        seq,
        organization_id: row.organization_id,
        id: row.id,
        type: row.type,
        occurred_at: row.occurred_at.toISOString(),
        actor: [row.actor_kind, row.actor_id, row.actor_name, row.actor_version],
        on_behalf_of: row.on_behalf_of,
        run_id: row.run_id,
        approval_id: row.approval_id,
        subjects: row.subjects,
        record_version: row.record_version,
        payload_hash: row.payload_hash,
      }) ?? '',
    )
    .digest('hex')

const sign = (set: KeySet, head: Omit<Head, 'signature'>): string =>
  createHmac('sha256', set.audit)
    .update(canonicalize(head) ?? '')
    .digest('hex')

const readHeads = async (
  db: Database,
  file: string,
  organization_id: string,
): Promise<Map<number, string>> => {
  const heads = new Map<number, string>()
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  for (const line of text.split('\n')) {
    if (!line.includes(organization_id)) continue
    const parsed = Head.safeParse(jsonOf(line))
    // A line that a crash cut off proves nothing; the next head covers what it would have.
    if (!parsed.success) continue
    const { signature, ...head } = parsed.data
    const set = keySetOf(db.keys, head.key_id)
    if (set && same(sign(set, head), signature)) heads.set(head.seq, head.hash)
  }
  return heads
}

const jsonOf = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
