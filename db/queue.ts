import { PgBoss, type Db } from 'pg-boss'
import type { ReservedSql, Sql, TransactionSql } from 'postgres'
import { z } from 'zod'
import { log } from '../log.ts'
import type { TxCtx } from './context.ts'
import { connect } from './client.ts'

const id = z.uuid()
const organization = { organization_id: id }

/**
 * Every queue and its payload: a past-tense fact with ids only. Handlers may run twice.
 * A job is a wake-up; what there is to do stands in the record.
 */
export const queues = {
  'submission.received': z.object({ ...organization, submission_id: id }),
  'run.queued': z.object({ ...organization, run_id: id }),
  'approval.approved': z.object({ ...organization, approval_id: id }),
  'message.queued': z.object({ ...organization, message_id: id }),
  'bulk.queued': z.object({ ...organization, bulk_id: id }),
  'import.queued': z.object({ ...organization, import_id: id }),
  'score_job.queued': z.object({ ...organization, score_job_id: id }),
  'file.added': z.object({ ...organization, file_id: id }),
  'file.read': z.object({ ...organization, file_id: id }),
  'leads.written': z.object({ ...organization, lead_ids: z.array(id) }),
  'campaign.named': z.object({ ...organization, campaign_id: id }),
  'deal_risk.day_begun': z.object(organization),
  'deals.touched': z.object({ ...organization, deal_ids: z.array(id) }),
  /** Scheduled every minute: what no job may have woken. */
  'minute.passed': z.object({}),
} as const

export type QueueName = keyof typeof queues
export type Payload<Name extends QueueName> = z.infer<(typeof queues)[Name]>

/** Where a job goes that failed for good; kept with its error until a person retries or dismisses it. */
export const DEAD_LETTERS = 'dead.letters'

const RETRY = { retryLimit: 4, retryDelay: 1, retryBackoff: true, retryDelayMax: 60 }
const OPTIONS = {
  ...RETRY,
  expireInSeconds: 120,
  heartbeatSeconds: 10,
  notify: true,
  deadLetter: DEAD_LETTERS,
}

/** Jobs of one process: sends in the caller's transaction, works off what others sent. */
export type Queue = {
  send<Name extends QueueName>(
    tx: TransactionSql,
    name: Name,
    payload: Payload<Name>,
    delay_s?: number,
  ): Promise<void>
  sendMany<Name extends QueueName>(tx: TransactionSql, name: Name, payloads: Payload<Name>[]): Promise<void>
  /**
   * Starts taking jobs; one that throws is retried with backoff, then goes to the dead letters. `batch` are taken at once,
   * and tried again together.
   */
  work<Name extends QueueName>(
    name: Name,
    options: { concurrency: number; batch?: number },
    handle: (payload: Payload<Name>, signal: AbortSignal) => Promise<void>,
  ): Promise<void>
  deadLetters(organization_id: string, limit: number): Promise<DeadLetter[]>
  redrive(organization_id: string, job_id: string): Promise<boolean>
  /** Throws when the queue's tables cannot be reached. */
  check(): Promise<void>
  close(timeout_ms?: number): Promise<void>
}

export type DeadLetter = {
  id: string
  name: string
  payload: Record<string, unknown>
  error: unknown
  /** How often it was tried. */
  attempts: number
  failed_at: Date
}

/** Adds a job that becomes visible when the caller's transaction commits. */
export const enqueue = <Name extends QueueName>(
  ctx: TxCtx,
  name: Name,
  payload: Omit<Payload<Name>, 'organization_id'>,
  delay_s?: number,
): Promise<void> =>
  ctx.db.queue.send(
    ctx.tx,
    name,
    queues[name].parse({ ...payload, organization_id: ctx.organization_id }) as Payload<Name>,
    delay_s,
  )

/** Opens the queue under the app's login; its tables were made by `migrateQueue`. */
export const openQueue = async (url: string, options: { works: boolean }): Promise<Queue> => {
  // A client of its own: pg-boss sends scripts that want a reserved connection.
  const sql = connect(url, { max: options.works ? 6 : 2, name: 'leadhand-jobs' })
  const boss = new PgBoss({
    db: pgBossDatabase(sql),
    migrate: false,
    createSchema: false,
    supervise: options.works,
    schedule: options.works,
    useListenNotify: options.works,
    monitorIntervalSeconds: 5,
    superviseIntervalSeconds: 5,
  })
  boss.on('error', (error) => log.error({ err: error }, 'queue error'))
  await boss.start()

  return {
    send: async (tx, name, payload, delay_s) => {
      await boss.send(name, payload, { db: inTransaction(tx), ...(delay_s ? { startAfter: delay_s } : {}) })
    },
    sendMany: async (tx, name, payloads) => {
      await boss.insert(
        name,
        payloads.map((data) => ({ data })),
        { db: inTransaction(tx) },
      )
    },
    work: async (name, { concurrency, batch = 1 }, handle) => {
      const schema = queues[name]
      for (let n = 0; n < concurrency; n++) {
        let worker = ''
        worker = await boss.work<object>(
          name,
          { batchSize: batch, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 5 },
          async (jobs) => {
            for (const job of jobs) await handle(schema.parse(job.data) as Payload<typeof name>, job.signal)
            // A poll takes one batch: asking again at once drains a backlog.
            if (jobs.length === batch) boss.notifyWorker(worker)
          },
        )
      }
    },
    deadLetters: async (organization_id, limit) => {
      const rows = await sql<
        {
          id: string
          source_name: string
          data: Record<string, unknown>
          source_output: unknown
          source_retry_count: number | null
          created_on: Date
        }[]
      >`
        select id, source_name, data, source_output, source_retry_count, created_on from pgboss.job
        where name = ${DEAD_LETTERS} and state = 'created' and data ->> 'organization_id' = ${organization_id}
        order by created_on desc limit ${limit}`
      return rows.map((row) => ({
        id: row.id,
        name: row.source_name,
        payload: row.data,
        error: row.source_output,
        attempts: (row.source_retry_count ?? 0) + 1,
        failed_at: row.created_on,
      }))
    },
    redrive: async (organization_id, job_id) =>
      sql.begin(async (tx) => {
        const [dead] = await tx<{ source_name: QueueName; data: object }[]>`
          delete from pgboss.job where name = ${DEAD_LETTERS} and id = ${job_id}
            and data ->> 'organization_id' = ${organization_id}
          returning source_name, data`
        if (!dead) return false
        await boss.send(dead.source_name, dead.data, { db: inTransaction(tx) })
        return true
      }),
    check: async () => {
      await sql`select 1 from pgboss.version`
    },
    close: async (timeout_ms = 10_000) => {
      await boss.stop({ graceful: true, timeout: timeout_ms })
      await sql.end({ timeout: 1 })
    },
  }
}

/** Makes or upgrades the queue's tables and queues; run as the owner, at boot, under the migration's lock. */
export const migrateQueue = async (ownerUrl: string): Promise<void> => {
  const sql = connect(ownerUrl, { max: 2, name: 'leadhand-migration' })
  const boss = new PgBoss({ db: pgBossDatabase(sql), supervise: false, schedule: false })
  boss.on('error', (error) => log.error({ err: error }, 'queue error'))
  try {
    await boss.start()
    const present = new Set((await boss.getQueues()).map((queue) => queue.name))
    if (!present.has(DEAD_LETTERS)) await boss.createQueue(DEAD_LETTERS, { retentionSeconds: 365 * 86_400 })
    for (const name of Object.keys(queues)) {
      if (present.has(name)) await boss.updateQueue(name, OPTIONS)
      else await boss.createQueue(name, OPTIONS)
    }
    await boss.schedule('minute.passed', '* * * * *', {})
    await boss.stop({ graceful: false })
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const rowsOf = (result: unknown): { rows: unknown[] } => {
  const rows = result as unknown[]
  return Array.isArray(rows[0])
    ? { rows: rows.flatMap((part) => [...(part as unknown[])]) }
    : { rows: [...rows] }
}

const execute =
  (sql: Sql | ReservedSql | TransactionSql) =>
  async (text: string, values: unknown[] = []): Promise<{ rows: unknown[] }> =>
    rowsOf(
      values.length > 0
        ? await sql.unsafe(text, values as never[], { prepare: true })
        : await sql.unsafe(text).simple(),
    )

const inTransaction = (tx: TransactionSql): Db => ({ executeSql: execute(tx) })

/** pg-boss on postgres.js, so that one driver is enough. */
const pgBossDatabase = (sql: Sql): Db => ({
  executeSql: async (text, values = []) => {
    if (values.length > 0) return execute(sql)(text, values)
    // Scripts of several statements ("BEGIN; …") are only allowed on a reserved connection.
    const connection = await sql.reserve()
    try {
      return await execute(connection)(text)
    } finally {
      connection.release()
    }
  },
  listen: async (channel, onNotification, onReconnect) => {
    const listening = await sql.listen(channel, onNotification, onReconnect)
    return { close: () => listening.unlisten() }
  },
  beginTransaction: async () => {
    const connection = await sql.reserve()
    let settled = false
    await connection.unsafe('begin')
    return {
      db: { executeSql: execute(connection) },
      commit: async () => {
        if (settled) throw new Error('transaction already settled')
        settled = true
        try {
          await connection.unsafe('commit')
        } finally {
          connection.release()
        }
      },
      rollback: async () => {
        if (settled) return
        settled = true
        try {
          await connection.unsafe('rollback')
        } finally {
          connection.release()
        }
      },
    }
  },
})
