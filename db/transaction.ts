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
  let over = false
  const begun = sql.begin(async (tx) => {
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
  isContention(error) || /^(?:08|53|57|CONN|E[A-Z]+$)/.test(codeOf(error))

/** Whether two transactions were in each other's way: each alone goes well. */
export const isContention = (error: unknown): boolean => /^(?:40001|40P01|55P03)$/.test(codeOf(error))

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const isConnectionLost = (error: unknown): boolean =>
  /^(?:CONNECTION_(?:CLOSED|ENDED|DESTROYED)|ECONNRESET|EPIPE)$/.test(codeOf(error))
