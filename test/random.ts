/**
 * What chance is drawn from in every test: the same each time, so that a change is judged by itself and not by the day.
 * `SEED=random`, or a number, goes where nobody was yet; what fails there prints it.
 */
export const seed =
  process.env['SEED'] === 'random'
    ? Math.floor(Math.random() * 2 ** 31)
    : Number(process.env['SEED'] ?? 20_261_121)
if (!Number.isSafeInteger(seed))
  throw new Error(`SEED: expected “random” or a number, got ${process.env['SEED']}`)

/** Mulberry32: numbers from 0 to 1 that a seed decides. */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
