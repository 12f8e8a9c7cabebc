import { z } from 'zod'

/** One round: what was measured of the product, and of the limit right beside it. */
export const Round = z.object({ value: z.number(), limit: z.number() })
export type Round = z.infer<typeof Round>

/** What a benchmark found, as it is printed: one line of JSON. */
export const Result = z.object({
  name: z.string(),
  /** Median of the rounds. */
  value: z.number(),
  /** Median of the limit, measured in the same run on the same machine. */
  limit: z.number(),
  /** How much of the limit is reached, the median of the rounds; 1 is as fast, or as small, as the limit. */
  ratio: z.number(),
  target: z.string(),
  met: z.boolean(),
  unit: z.string(),
  how: z.string(),
  rounds: z.array(Round),
})
export type Result = z.infer<typeof Result>

/** What is to be reached: a share of the limit, a figure that is not exceeded, or one that is not fallen short of. */
export type Target = { ratio: number } | { at_most: number } | { at_least: number }

/** Says what is measured, how, and what is to be reached. `more` tells whether a higher figure is the better one. */
export type Measured = { name: string; unit: string; how: string; more: boolean; target: Target }

/** Measures three interleaved rounds: ours, the limit, ours, the limit, so that whatever disturbs the machine disturbs both. */
export const interleave = async (
  ours: () => Promise<number>,
  limit: () => Promise<number>,
  rounds = 3,
): Promise<Round[]> => {
  const measured: Round[] = []
  for (let n = 0; n < rounds; n++) measured.push({ value: await ours(), limit: await limit() })
  return measured
}

/**
 * The result of some rounds: medians, and whether the target is met. The ratio is the median of the rounds' own ratios,
 * because the two halves of a round ran side by side: a disturbance that spans one round moves both.
 */
export const conclude = ({ name, unit, how, more, target }: Measured, rounds: Round[]): Result => {
  const value = median(rounds.map((round) => round.value))
  const limit = median(rounds.map((round) => round.limit))
  const ratio = median(rounds.map((round) => (more ? round.value / round.limit : round.limit / round.value)))
  return {
    name,
    value: rounded(value),
    limit: rounded(limit),
    ratio: rounded(ratio),
    target: wordsOf(target, unit),
    met: isMet(target, value, ratio),
    unit,
    how,
    rounds: rounds.map((round) => ({ value: rounded(round.value), limit: rounded(round.limit) })),
  }
}

const wordsOf = (target: Target, unit: string): string => {
  if ('ratio' in target) return `ratio ≥ ${target.ratio}`
  return 'at_most' in target ? `≤ ${target.at_most} ${unit}` : `≥ ${target.at_least} ${unit}`
}

const isMet = (target: Target, value: number, ratio: number): boolean => {
  if ('ratio' in target) return ratio >= target.ratio
  return 'at_most' in target ? value <= target.at_most : value >= target.at_least
}

/** Prints a result as the one line that `npm run bench` reads. */
export const print = (result: Result): void => {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)]
  if (upper === undefined) throw new Error('there is no median of nothing')
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? upper)) / 2 : upper
}

/** The value that 95 of 100 do not exceed. */
export const p95 = (values: number[]): number => {
  const value = values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1]
  if (value === undefined) throw new Error('there is no 95th percentile of nothing')
  return value
}

/** Does it so many times, one after the other; how long each took, in ms. */
export const latencies = async (times: number, work: (n: number) => Promise<unknown>): Promise<number[]> => {
  const took: number[] = []
  for (let n = 0; n < times; n++) {
    const started = performance.now()
    await work(n)
    took.push(performance.now() - started)
  }
  return took
}

const rounded = (value: number): number => Number(value.toPrecision(4))
