import type { Fault } from './errors.ts'
import type { ScoreCase } from './score-definition.ts'

/** Bands go upwards, and none reaches into another one. */
export const faultsOfBands = (cases: readonly ScoreCase[], pointer: string): (Fault & { code: string })[] => {
  const faults: (Fault & { code: string })[] = []
  const before: { lower: number; upper: number }[] = []
  for (const [n, { from, below }] of cases.entries()) {
    if (from === undefined && below === undefined) continue
    const [lower, upper] = [from ?? -Infinity, below ?? Infinity]
    const at = `${pointer}/cases/${n}`
    if (lower >= upper) {
      faults.push({
        code: 'bands_unordered',
        pointer: `${at}/below`,
        message: `this band begins at ${lower} and ends before ${upper}: nothing is in it`,
        accepted: { more_than: lower },
      })
      continue
    }
    const crossed = before.find((band) => lower < band.upper && upper > band.lower)
    const later = before.find((band) => band.lower > lower)
    if (crossed) {
      faults.push({
        code: 'bands_overlap',
        pointer: `${at}/from`,
        message: `this band reaches into the one ${worded(crossed.lower, crossed.upper)}`,
        accepted: Number.isFinite(crossed.upper) ? { at_least: crossed.upper } : undefined,
      })
    } else if (later) {
      faults.push({
        code: 'bands_unordered',
        pointer: `${at}/from`,
        message: `this band belongs before the one ${worded(later.lower, later.upper)}: bands go upwards`,
      })
    }
    before.push({ lower, upper })
  }
  return faults
}

const worded = (lower: number, upper: number): string =>
  [
    Number.isFinite(lower) ? `from ${lower}` : '',
    Number.isFinite(upper) ? `below ${upper}` : 'without an end',
  ]
    .filter(Boolean)
    .join(' ')
