import { setImmediate } from 'node:timers/promises'

/**
 * What a source hands out, the next of it asked for before this one is worked on: a cursor fetches while its rows are
 * written. Who stops early ends the source.
 */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const ask = (): Promise<IteratorResult<T>> => {
    const asked = Promise.resolve(iterator.next())
    // Whoever comes for it is told; until then nobody listens.
    asked.catch(() => {})
    return asked
  }
  let next = ask()
  try {
    for (let one = await next; !one.done; one = await next) {
      next = ask()
      // The driver sends when the loop turns, and the work on this one would keep it from that.
      await setImmediate()
      yield one.value
    }
  } finally {
    await Promise.allSettled([next])
    await iterator.return?.()
  }
}
