/** How much goes into one transaction, and how many run at once. */
export type GroupLimits = {
  at_once: number
  items: number
  /** Of the weights that `add` is given. */
  weight: number
}

/**
 * Stores what arrives while earlier things are being stored together, in one transaction: under load, a commit is
 * shared by many; alone, nothing waits. Each caller gets its own result once its transaction has committed.
 * @param store results in the order of the items; called with one item alone after a group was refused for its content
 */
export const groupCommit = <Item, Result>(
  store: (items: Item[]) => Promise<Result[]>,
  limits: GroupLimits,
): ((item: Item, weight: number) => Promise<Result>) => {
  let waiting: Waiting<Item, Result>[] = []
  let running = 0

  const next = (): void => {
    if (running >= limits.at_once || waiting.length === 0) return
    const group = waiting.slice(0, groupSize(waiting, limits))
    waiting = waiting.slice(group.length)
    running += 1
    void settle(group).finally(() => {
      running -= 1
      next()
    })
  }

  const settle = async (group: Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await store(group.map(({ item }) => item))
      for (const [n, { resolve, reject }] of group.entries()) {
        const result = results[n]
        if (result === undefined) reject(new Error('a result is missing'))
        else resolve(result)
      }
    } catch (error) {
      if (group.length > 1 && isAboutContent(error)) {
        // One of them cannot be stored: the others must not fail for it.
        for (const member of group) await settle([member])
        return
      }
      for (const { reject } of group) reject(error)
    }
  }

  return (item, weight) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, weight, resolve, reject })
      // Once per turn of the event loop: requests that were read together are stored together.
      if (waiting.length === 1) setImmediate(next)
    })
}

type Waiting<Item, Result> = {
  item: Item
  weight: number
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

const groupSize = (waiting: { weight: number }[], limits: GroupLimits): number => {
  let weight = 0
  let n = 0
  for (const member of waiting.slice(0, limits.items)) {
    weight += member.weight
    if (n > 0 && weight > limits.weight) break
    n += 1
  }
  return n
}

/** SQLSTATE classes 22 (data), 23 (constraint) and 54 (too large): nothing was written, and one of the items is why. */
const isAboutContent = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^(22|23|54)/.test(error.code)
