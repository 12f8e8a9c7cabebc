import { setImmediate } from 'node:timers/promises'
import type { Ctx, TxCtx } from './context.ts'
import { DomainError } from './errors.ts'

/** Acts on different records that are done side by side in one transaction: what they have in common is done once. */
export class Together {
  /** What they left to be done for all of them at the end. */
  readonly finishing: ((ctx: TxCtx) => Promise<void>)[] = []
}

/**
 * Does acts side by side, each on a record of its own: their statements travel together, reads that are alike are made
 * once, and what follows from every one of them is done for all at the end, if each of them went well. Answers what came of
 * each, in order; after one that failed otherwise than by a refusal the transaction is lost, and the rest is left out.
 * @param at_once how many go side by side: the driver sends at most a hundred statements ahead
 */
export const doTogether = async <Item, T>(
  ctx: TxCtx,
  items: readonly Item[],
  at_once: number,
  act: (ctx: TxCtx, item: Item) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> => {
  const together = new Together()
  const results: PromiseSettledResult<T>[] = []
  for (let at = 0; at < items.length; at += at_once) {
    const acts = items.slice(at, at + at_once).map((item) => act({ ...ctx, together }, item))
    results.push(...(await Promise.allSettled(acts)))
    if (results.some((result) => result.status === 'rejected' && !(result.reason instanceof DomainError)))
      return results
  }
  if (results.every(({ status }) => status === 'fulfilled'))
    for (const finish of together.finishing) await finish(ctx)
  return results
}

/** Makes a read that says the same to all acts that share a transaction: they ask once, by what they ask for. */
export const once = <C extends Ctx, Asked extends readonly unknown[], T>(
  read: (ctx: C, ...asked: Asked) => Promise<T>,
): ((ctx: C, ...asked: Asked) => Promise<T>) => {
  const answers = new WeakMap<Together, Map<string, Promise<T>>>()
  return (ctx, ...asked) => {
    const { together } = ctx
    if (!together) return read(ctx, ...asked)
    const known = answers.get(together) ?? new Map<string, Promise<T>>()
    answers.set(together, known)
    const name = JSON.stringify(asked)
    const answer = known.get(name) ?? read(ctx, ...asked)
    known.set(name, answer)
    return answer
  }
}

/** Makes a read of records by their ids: acts that share a transaction and ask at the same moment ask together. */
export const loaded = <T>(
  read: (ctx: TxCtx, ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): ((ctx: TxCtx, id: string) => Promise<T | undefined>) => {
  const asking = new WeakMap<Together, { ids: Set<string>; answer: Promise<ReadonlyMap<string, T>> }>()
  return async (ctx, id) => {
    const { together } = ctx
    if (!together) return (await read(ctx, [id])).get(id)
    const ask = async (ids: Set<string>): Promise<ReadonlyMap<string, T>> => {
      // Everybody who was let go on by the same answer has asked by then.
      await setImmediate()
      asking.delete(together)
      return read(ctx, [...ids])
    }
    const ids = new Set<string>()
    const joined = asking.get(together) ?? { ids, answer: ask(ids) }
    asking.set(together, joined)
    joined.ids.add(id)
    return (await joined.answer).get(id)
  }
}

/** Makes work on many records that follows from an act: acts that share a transaction leave it to be done once, at the end. */
export const gathered = <Item>(
  work: (ctx: TxCtx, items: readonly Item[]) => Promise<void>,
): ((ctx: TxCtx, items: readonly Item[]) => Promise<void>) => {
  const waiting = new WeakMap<Together, Set<Item>>()
  return (ctx, items) => {
    const { together } = ctx
    if (!together) return work(ctx, items)
    const all = waiting.get(together) ?? new Set<Item>()
    if (!waiting.has(together)) together.finishing.push((ctx) => work(ctx, [...all]))
    waiting.set(together, all)
    for (const item of items) all.add(item)
    return Promise.resolve()
  }
}
