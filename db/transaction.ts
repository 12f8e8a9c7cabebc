import { setTimeout as pause } from 'node:timers/promises'
import type { Sql, TransactionSql } from 'postgres'

/** By then the driver knows that the connection of a failed statement is gone. */
const CLOSES_WITHIN_MS = 1_000

/**
 * Runs `work` in a transaction. When its connection is lost, it rejects and sends nothing more: left to itself the driver
 * writes a rollback, or whatever `work` goes on with, to a socket that is gone, which ends the process, or that is
 * somebody else's session by then.
 */
export const transact = async <T>(sql: Sql, work: (tx: TransactionSql) => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    const entered = { yet: false }
    try {
      return await transactOnce(sql, work, entered)
    } catch (error) {
      // Why a session was ended, the driver tells also whoever is the next to use its place in the pool.
      const heirs = !entered.yet && isSessionEnded(error) && attempt <= sql.options.max
      if (!heirs) throw error
    }
  }
}

const transactOnce = async <T>(
  sql: Sql,
  work: (tx: TransactionSql) => Promise<T>,
  entered: { yet: boolean },
): Promise<T> => {
  let over = false
  const begun = sql.begin(async (tx) => {
    entered.yet = true
    const worked = await Promise.allSettled([work(whileOpen(tx, () => over))])
    if (worked[0].status === 'rejected' && isConnectionLost(worked[0].reason)) await pause(CLOSES_WITHIN_MS)
    // Rejected already: a commit or rollback has nowhere to go.
    if (over) await new Promise(() => {})
    if (worked[0].status === 'rejected') throw worked[0].reason
    return worked[0].value
  })
  try {
    return (await begun) as T
  } finally {
    over = true
  }
}

const whileOpen = (tx: TransactionSql, isOver: () => boolean): TransactionSql =>
  new Proxy(tx, {
    apply: (target, self, args) => {
      if (isOver()) throw new Error('this transaction is over: its statement was not sent')
      return Reflect.apply(target, self, args) as unknown
    },
  })

/** Whether it may go well the next time: the database went away, is overloaded, or somebody was in the way. */
export const isPassing = (error: unknown): boolean =>
  isContention(error) || isConnectionLost(error) || /^(?:08|53|57|CONN|E[A-Z]+$)/.test(codeOf(error))

/** Whether two transactions were in each other's way: each alone goes well. */
export const isContention = (error: unknown): boolean => /^(?:40001|40P01|55P03)$/.test(codeOf(error))

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** The driver says that it is gone, or the server why. */
const isConnectionLost = (error: unknown): boolean =>
  isSessionEnded(error) || /^(?:CONNECTION_[A-Z]+|ECONNRESET|EPIPE)$/.test(codeOf(error))

/** `25P03` is a transaction that stood still for too long, `57P01` an end by an administrator. */
const isSessionEnded = (error: unknown): boolean => /^(?:25P0[34]|57P0[125])$/.test(codeOf(error))
