import { createHash } from 'node:crypto'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { decrypt, encrypt } from './keys.ts'

/** An answer as it went out the first time. */
export type Answer = { status: number; body: string; content_type: string }

/** One write that its sender may repeat: its key, and a hash of what is asked. */
export type RepeatableWrite = { key: string; request_hash: string }

/** How long a key is remembered. */
const KEPT = '24 hours'

/** SHA-256 over what makes two requests the same one. */
export const hashRequest = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(String(part.length)).update(':').update(part)
  return hash.digest('hex')
}

/**
 * Runs a write once per key and principal: its effect and its answer commit together, so that a process killed in
 * between has done nothing and a repetition does it. A repetition of a finished one gets the first answer.
 * @param work answers below 500 are kept; what it throws keeps nothing
 * @throws {DomainError} `idempotency_key_reused` (another request under this key), `idempotency_in_progress`
 */
export const writeOnce = async (
  ctx: Ctx,
  write: RepeatableWrite,
  work: (ctx: TxCtx) => Promise<{ answer: Answer; keep: 'all' | 'answer' }>,
): Promise<Answer & { replayed: boolean }> => {
  const principal = `${ctx.actor.kind} ${ctx.actor.id}`
  await claimKey(ctx, principal, write)
  let refused: Answer | undefined
  try {
    return await inTx(ctx, async (ctx) => {
      const first = await lockKey(ctx, principal, write)
      if (first) return { ...first, replayed: true }
      const { answer, keep } = await work(ctx)
      if (keep === 'answer') {
        refused = answer
        throw new Refused()
      }
      await keepAnswer(ctx, principal, write, answer)
      return { ...answer, replayed: false }
    })
  } catch (error) {
    if (!(error instanceof Refused) || !refused) throw error
    const answer = refused
    await inTx(ctx, (ctx) => keepAnswer(ctx, principal, write, answer))
    return { ...answer, replayed: false }
  }
}

/** Rolls the effect back while its answer is kept. */
class Refused extends Error {}

const claimKey = (ctx: Ctx, principal: string, { key, request_hash }: RepeatableWrite): Promise<void> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    await tx`
      delete from idempotency_keys where organization_id = ${organization_id} and (principal, key) in (
        select principal, key from idempotency_keys where organization_id = ${organization_id}
          and created_at < now() - ${KEPT}::interval
        order by key = ${key} desc limit 50 for update skip locked)`
    await tx`
      insert into idempotency_keys ${tx({ organization_id, principal, key, request_hash })} on conflict do nothing`
  })

/** Holds the key until the transaction ends; the answer when there is one already. */
const lockKey = async (
  ctx: TxCtx,
  principal: string,
  write: RepeatableWrite,
): Promise<Answer | undefined> => {
  const { tx, organization_id, db } = ctx
  const [known] = await tx<{ request_hash: string }[]>`
    select request_hash from idempotency_keys
    where organization_id = ${organization_id} and principal = ${principal} and key = ${write.key}`
  if (known && known.request_hash !== write.request_hash) {
    throw new DomainError(
      'invalid',
      'idempotency_key_reused',
      'This Idempotency-Key belongs to another request. Use a new key for a new request.',
      {
        errors: [
          { pointer: '/idempotency-key', message: 'used before with another method, address or body' },
        ],
      },
    )
  }
  const [row] = await tx<{ status: number | null; response: string | null; content_type: string | null }[]>`
    select status, response, content_type from idempotency_keys
    where organization_id = ${organization_id} and principal = ${principal} and key = ${write.key}
    for update skip locked`
  if (!row) {
    throw new DomainError(
      'conflict',
      'idempotency_in_progress',
      'The first request with this Idempotency-Key is still running. Ask again shortly.',
    )
  }
  return row.status === null
    ? undefined
    : { status: row.status, body: decrypt(db.keys, row.response ?? ''), content_type: row.content_type ?? '' }
}

/** Encrypted: an answer may hold a key or secret that is shown once. */
const keepAnswer = async (
  ctx: TxCtx,
  principal: string,
  write: RepeatableWrite,
  answer: Answer,
): Promise<void> => {
  const { tx, organization_id, db } = ctx
  await tx`
    update idempotency_keys set status = ${answer.status}, response = ${encrypt(db.keys, answer.body)},
      content_type = ${answer.content_type}
    where organization_id = ${organization_id} and principal = ${principal} and key = ${write.key}
      and request_hash = ${write.request_hash} and status is null`
}
