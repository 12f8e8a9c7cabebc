import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recheckApprovals } from './approval-reads.ts'
import type { Database } from './client.ts'
import { inTx, sendStatement, systemCtx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { groupCommit } from './group-commit.ts'
import type { OpenSource } from './intake-sources.ts'
import { unidentified } from './leads.ts'
import { receiveLead } from './lead-intake.ts'
import { page, type Page } from './page.ts'
import { enqueue } from './queue.ts'
import { queueRun } from './runs.ts'
import { mapPayload } from './submission-mapping.ts'
import { storableJson } from './text.ts'

export type SubmissionStatus = 'received' | 'processed' | 'joined' | 'rejected' | 'needs_attention'
export type SubmissionProblem = {
  code: string
  message: string
  errors?: { pointer: string; message: string }[]
}

/** A raw lead as it came in at a door. */
export type Submission = {
  id: string
  source_id: string | null
  door: string
  delivery_id: string | null
  status: SubmissionStatus
  problem: SubmissionProblem | null
  payload: unknown
  lead_id: string | null
  received_at: Date
  processed_at: Date | null
}

export type Delivery = {
  delivery_id?: string | undefined
  content_type: string
  raw: Uint8Array
  payload: unknown
}

/** What the door answers: the submission, whether it was delivered before, and why it cannot become a lead. */
export type Stored = { submission_id: string; replayed: boolean; rejected?: SubmissionProblem }

/**
 * Stores a delivery before anything else happens to it, with the job that will read it, in one transaction; deliveries
 * that come at the same time share it. With the default mapping, a payload in which nobody can be recognised is kept as
 * `rejected`; with a mapping of its own, that is found when it is read. A delivery id that was seen before answers the
 * first submission, and its refusal while it stands.
 */
export const storeSubmission = (db: Database, source: OpenSource, delivery: Delivery): Promise<Stored> => {
  const refusal = source.mapping === null ? refusalOf(delivery.payload, source) : undefined
  const rejected = refusal && problemOf(refusal)
  return doorwayOf(db, source.organization_id)(
    { id: uuidv7(), source, delivery, rejected },
    delivery.raw.byteLength,
  )
}

/**
 * Reads a stored submission: the lead it makes or joins, and the agent that is woken for it, in one transaction.
 * What cannot be read is kept as needing attention, with the reason. Runs twice without effect.
 */
export const processSubmission = async (db: Database, organization_id: string, id: string): Promise<void> => {
  const visitor = { kind: 'visitor' as const, id, name: 'visitor' }
  try {
    await inTx({ ...systemCtx(db, organization_id, 'intake'), actor: visitor }, (ctx) =>
      readSubmission(ctx, id),
    )
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    await inTx(systemCtx(db, organization_id, 'intake'), (ctx) => setAside(ctx, id, problemOf(error)))
  }
}

/** Reads a submission that needed attention once more, after its source's mapping was mended. */
export const retrySubmission = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const submission = await getSubmission(ctx, id)
    const rows = await tx`
      update submissions set status = 'received', problem = null, processed_at = null
      where organization_id = ${organization_id} and id = ${id} and status in ('needs_attention', 'rejected') returning id`
    if (rows.length === 0) {
      throw new DomainError(
        'conflict',
        'submission_read',
        `This submission is ${submission.status}; it needs nothing.`,
        {
          extra: { state: submission.status },
        },
      )
    }
    await enqueue(ctx, 'submission.received', { submission_id: id })
  })

/** Submissions, newest first. */
export const listSubmissions = (
  ctx: Ctx,
  filter: {
    status?: SubmissionStatus | undefined
    lead_id?: string | undefined
    source_id?: string | undefined
    cursor?: string | undefined
    limit: number
  },
): Promise<Page<Submission>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<Submission[]>`
      select id, source_id, door, delivery_id, status, problem, payload, lead_id, received_at, processed_at
      from submissions where organization_id = ${organization_id}
        ${filter.status ? tx`and status = ${filter.status}` : tx``}
        ${filter.lead_id ? tx`and lead_id = ${filter.lead_id}` : tx``}
        ${filter.source_id ? tx`and source_id = ${filter.source_id}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page([...rows], filter.limit, (submission) => submission.id)
  })

/** One submission. */
export const getSubmission = (ctx: Ctx, id: string): Promise<Submission> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<Submission[]>`
      select id, source_id, door, delivery_id, status, problem, payload, lead_id, received_at, processed_at
      from submissions where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('submission', id)
    return row
  })

type Reading = Pick<OpenSource, 'mapping' | 'defaults' | 'pipeline_id' | 'wake_agent'>

const readSubmission = async (ctx: TxCtx, id: string): Promise<void> => {
  const { tx, organization_id } = ctx
  const [[submission], [source]] = await Promise.all([
    tx<Submission[]>`
      select * from submissions where organization_id = ${organization_id} and id = ${id} and status = 'received' for update`,
    tx<Reading[]>`
      select mapping, defaults, pipeline_id, wake_agent from intake_sources
      where organization_id = ${organization_id} and id = (
        select source_id from submissions where organization_id = ${organization_id} and id = ${id})`,
  ])
  if (!submission) return
  const mapped = mapPayload(submission.payload, source?.mapping ?? null, source?.defaults ?? {})
  if (mapped.faults.length > 0) {
    throw new DomainError(
      'invalid',
      'mapping_broken',
      'The source’s mapping does not fit what was sent. Mend the mapping, then retry.',
      {
        errors: mapped.faults.map(({ field, message }) => ({ pointer: `/mapping/${field}`, message })),
      },
    )
  }
  const received = await receiveLead(
    ctx,
    { ...mapped.lead, ...(source?.pipeline_id ? { pipeline_id: source.pipeline_id } : {}) },
    {
      door: submission.door,
      submission_id: id,
      ...(submission.source_id ? { source_id: submission.source_id } : {}),
      extra: mapped.extra,
      warnings: mapped.warnings,
    },
  )
  sendStatement(
    ctx,
    tx`
      update submissions set status = ${received.joined ? 'joined' : 'processed'}, lead_id = ${received.lead.id}, processed_at = now()
      where organization_id = ${organization_id} and id = ${id}`,
  )
  // Only now is it the lead's latest message: what waits for a person was written before it.
  if (received.joined) await recheckApprovals(ctx, { kind: 'lead', id: received.lead.id })
  if (source?.wake_agent ?? true) {
    await queueRun(ctx, {
      agent: 'lead_worker',
      subject: { kind: 'lead', id: received.lead.id },
      trigger: { kind: 'submission', submission_id: id },
    })
  }
}

const setAside = async (
  { tx, organization_id }: TxCtx,
  id: string,
  problem: SubmissionProblem,
): Promise<void> => {
  await tx`
    update submissions set status = 'needs_attention', problem = ${tx.json(problem)}, processed_at = now()
    where organization_id = ${organization_id} and id = ${id} and status = 'received'`
}

type Arrival = { id: string; source: OpenSource; delivery: Delivery; rejected: SubmissionProblem | undefined }
type Doorway = (arrival: Arrival, weight: number) => Promise<Stored>

/** Per organization: two transactions at once, so that one is prepared while the other waits for the disk. */
const DOORWAY = { at_once: 2, items: 100, weight: 4_000_000 }

const doorways = new WeakMap<Database, Map<string, Doorway>>()

const doorwayOf = (db: Database, organization_id: string): Doorway => {
  const own = doorways.get(db) ?? new Map<string, Doorway>()
  doorways.set(db, own)
  const doorway =
    own.get(organization_id) ??
    groupCommit<Arrival, Stored>(
      (arrivals) => inTx(systemCtx(db, organization_id, 'intake'), (ctx) => storeArrivals(ctx, arrivals)),
      DOORWAY,
    )
  own.set(organization_id, doorway)
  return doorway
}

const storeArrivals = async (ctx: TxCtx, arrivals: Arrival[]): Promise<Stored[]> => {
  const { tx, organization_id, db } = ctx
  const rows = await tx<{ id: string }[]>`
    insert into submissions (organization_id, id, source_id, door, delivery_id, content_type, raw, payload, status, problem, processed_at)
    select ${organization_id}::uuid, a.id, a.source_id, a.door, a.delivery_id, a.content_type, decode(a.raw, 'base64'), a.payload,
      case when a.problem is null then 'received' else 'rejected' end, a.problem, case when a.problem is not null then now() end
    from json_to_recordset(${JSON.stringify(arrivals.map(toRow))}::text::json) as a (
      id uuid, source_id uuid, door text, delivery_id text, content_type text, raw text, payload jsonb, problem jsonb)
    on conflict do nothing returning id`
  const added = new Set(rows.map(({ id }) => id))
  const toRead = arrivals.filter(({ id, rejected }) => added.has(id) && !rejected)
  if (toRead.length > 0) {
    await db.queue.sendMany(
      tx,
      'submission.received',
      toRead.map(({ id }) => ({ organization_id, submission_id: id })),
    )
  }
  const firsts = await firstDeliveries(
    ctx,
    arrivals.filter(({ id }) => !added.has(id)),
  )
  return arrivals.map(({ id, source, delivery, rejected }) => {
    if (added.has(id)) return { submission_id: id, replayed: false, ...(rejected ? { rejected } : {}) }
    const first = firsts.get(`${source.id} ${delivery.delivery_id}`)
    if (!first) throw new Error('a delivery id is taken by a submission that cannot be seen')
    return { ...first, replayed: true }
  })
}

const toRow = ({ id, source, delivery, rejected }: Arrival) => ({
  id,
  source_id: source.id,
  door: source.kind,
  delivery_id: delivery.delivery_id,
  content_type: delivery.content_type,
  raw: Buffer.from(delivery.raw).toString('base64'),
  payload: storableJson(delivery.payload),
  problem: rejected,
})

const firstDeliveries = async (
  { tx, organization_id }: TxCtx,
  replayed: Arrival[],
): Promise<Map<string, Omit<Stored, 'replayed'>>> => {
  if (replayed.length === 0) return new Map()
  const rows = await tx<
    { id: string; source_id: string; delivery_id: string; rejected: SubmissionProblem | null }[]
  >`
    select s.id, s.source_id, s.delivery_id, case when s.status = 'rejected' then s.problem end as rejected
    from submissions s
    join unnest(${replayed.map(({ source }) => source.id)}::uuid[], ${replayed.map(({ delivery }) => delivery.delivery_id ?? '')}::text[])
      as r (source_id, delivery_id) using (source_id, delivery_id)
    where s.organization_id = ${organization_id}`
  return new Map(
    rows.map(({ id, source_id, delivery_id, rejected }) => [
      `${source_id} ${delivery_id}`,
      { submission_id: id, ...(rejected ? { rejected } : {}) },
    ]),
  )
}

const refusalOf = (payload: unknown, source: Reading): DomainError | undefined => {
  const { lead } = mapPayload(payload, source.mapping, source.defaults)
  return lead.contact_name || lead.email || lead.phone ? undefined : unidentified()
}

const Problem = z.object({
  code: z.string(),
  message: z.string(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })),
})

const problemOf = (error: DomainError): SubmissionProblem =>
  Problem.parse({ code: error.code, message: error.message, errors: error.errors })
