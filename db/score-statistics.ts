import { verdicts, type Verdict } from './lead-score.ts'

/** How many of the closed leads with each score from 0 to 100 were won and lost: all that the figures are made of. */
export type Histogram = { won: number[]; lost: number[] }

export const emptyHistogram = (): Histogram => ({
  won: Array.from({ length: 101 }, () => 0),
  lost: Array.from({ length: 101 }, () => 0),
})

export type Band = { from: number; to: number; n: number; won: number; win_rate: number | null }

/** How well a formula tells what was won from what was lost. */
export type Fit = {
  /**
   * Area under the ROC curve: how often a lead that was won has a higher score than one that was lost, a tie counting half.
   * 0.5 is chance. Null without one of each.
   */
  auc: number | null
  /** Win rate by score, in steps of ten. */
  calibration: Band[]
  /** Tenths of the leads, the best scores first; among equal scores each tenth gets its share. */
  deciles: { decile: number; n: number; won: number; win_rate: number | null; lift: number | null }[]
  by_verdict: { verdict: Verdict; n: number; won: number; win_rate: number | null }[]
}

/** So many of each are needed before the figures say something. */
export const ENOUGH = 20

/** The figures of a histogram. */
export const fitOf = ({ won, lost }: Histogram, thresholds: { qualified: number; nurture: number }): Fit => {
  const between = (from: number, to: number) => {
    const wins = sum(won.slice(from, to + 1))
    const n = wins + sum(lost.slice(from, to + 1))
    return { n, won: wins, win_rate: share(wins, n) }
  }
  const bands = Array.from({ length: 10 }, (_, n) => ({ from: n * 10, to: n === 9 ? 100 : n * 10 + 9 }))
  const ends: Record<Verdict, [number, number]> = {
    qualified: [thresholds.qualified, 100],
    nurture: [thresholds.nurture, thresholds.qualified - 1],
    unqualified: [0, thresholds.nurture - 1],
  }
  return {
    auc: areaUnder(won, lost),
    calibration: bands.map(({ from, to }) => ({ from, to, ...between(from, to) })),
    deciles: decilesOf(won, lost),
    by_verdict: verdicts.map((verdict) => ({ verdict, ...between(...ends[verdict]) })),
  }
}

const sum = (numbers: number[]): number => numbers.reduce((total, n) => total + n, 0)
const rounded = (n: number): number => Math.round(n * 10_000) / 10_000
const share = (part: number, whole: number): number | null => (whole === 0 ? null : rounded(part / whole))

const areaUnder = (won: number[], lost: number[]): number | null => {
  const pairs = sum(won) * sum(lost)
  if (pairs === 0) return null
  let below = 0
  let area = 0
  for (const [score, wins] of won.entries()) {
    const losses = lost[score] ?? 0
    area += wins * (below + losses / 2)
    below += losses
  }
  return rounded(area / pairs)
}

const decilesOf = (won: number[], lost: number[]): Fit['deciles'] => {
  const total = sum(won) + sum(lost)
  const rate = total === 0 ? 0 : sum(won) / total
  const size = total / 10
  const deciles: Fit['deciles'] = []
  let score = 100
  let left = 1
  for (let decile = 1; decile <= 10 && total > 0; decile++) {
    let wanted = size
    let wins = 0
    while (wanted > 1e-9 && score >= 0) {
      const here = (won[score] ?? 0) + (lost[score] ?? 0)
      const standing = here * left
      const taken = Math.min(wanted, standing)
      if (here > 0) wins += ((won[score] ?? 0) * taken) / here
      wanted -= taken
      if (standing - taken > 1e-9) left -= taken / here
      else {
        score -= 1
        left = 1
      }
    }
    deciles.push({
      decile,
      n: rounded(size),
      won: rounded(wins),
      win_rate: share(wins, size),
      lift: rate === 0 ? null : rounded(wins / size / rate),
    })
  }
  return deciles
}
