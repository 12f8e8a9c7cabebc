/** Asks until there is an answer; the last error, or what was waited for, when there is none in time. */
export const eventually = async <T>(
  ask: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeout_ms = 15_000,
): Promise<T> => {
  const end = Date.now() + timeout_ms
  let last: unknown
  while (Date.now() < end) {
    try {
      const answer = await ask()
      if (answer) return answer
      last = undefined
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw last instanceof Error
    ? last
    : new Error(`nothing came within ${timeout_ms} ms: ${ask.toString().slice(0, 200)}`)
}
