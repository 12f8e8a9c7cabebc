import { calculate } from './score-calculation.ts'
import type { Decay, LooksAt, ScoreCase, ScoreFactor } from './score-definition.ts'
import { countKey, customReader, inputs, type ScorableLead } from './score-inputs.ts'
import type { Found } from './score-signals.ts'
import { foldText, wordFinder } from './score-words.ts'

/** What a factor gives a lead, if it speaks of it. */
export type Judgement = { points: number; reason: string }

/** A factor that is ready to judge leads. */
export type Judge = (lead: ScorableLead, now: Date) => Judgement | undefined

const DAY_MS = 86_400_000
export const CUSTOM = 'custom.'

/** Makes a factor ready: its words are compiled once, whatever number of leads follows. */
export const judgeOf = ({ factor, label = labelOf(factor), looks_at, cases, decay }: ScoreFactor): Judge => {
  const read = readerOf(looks_at)
  const judged = cases.map((one) => ({ test: testOf(one), ...one }))
  return (lead, now) => {
    const found = read(lead, now)
    if (found === undefined) return undefined
    for (const { test, points, reason } of judged) {
      const words = test(found)
      if (words === undefined) continue
      const given = worded(reason ?? '{label}: {found}', { label, found: words })
      return decay ? faded(decay, lead, now, points, given) : { points, reason: given }
    }
    return undefined
  }
}

/** How a factor is called that was given no name. */
export const labelOf = (factor: string): string =>
  (factor.charAt(0).toUpperCase() + factor.slice(1)).replaceAll('_', ' ')

/** What a reason may name. */
export const placeholders = ['found', 'label'] as const

const worded = (template: string, values: Record<string, string>): string =>
  template.includes('{') ? filled(template, values) : template

const filled = (template: string, values: Record<string, string>): string =>
  template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)

/** A value, null for blank, undefined where nobody can tell. */
type Reader = (lead: ScorableLead, now: Date) => Found | null | undefined

const readerOf = (looks_at: LooksAt): Reader => {
  if (typeof looks_at === 'string') return namedReader(looks_at)
  if ('count' in looks_at) {
    const { count, days } = looks_at
    const key = countKey(count, days)
    const noun = count.replaceAll('_', ' ')
    return ({ counts }) => {
      const n = counts?.[key]
      if (n === undefined) return undefined
      return { value: n, found: `${n} ${noun}${days === undefined ? '' : ` in ${days} days`}` }
    }
  }
  return (lead, now) => {
    const value = calculate(looks_at.calculate, (field) => namedReader(field)(lead, now))
    return value === undefined || value === null
      ? value
      : { value, found: String(Math.round(value * 100) / 100) }
  }
}

const namedReader = (name: string): Reader => {
  const read = name.startsWith(CUSTOM) ? customReader(name.slice(CUSTOM.length)) : inputs[name]?.read
  if (!read) return () => undefined
  return (lead, now) => {
    const found = read(lead)
    return found?.is_day ? daysSince(found, now) : found
  }
}

const daysSince = ({ value, found }: Found, now: Date): Found => {
  const days = Math.floor((now.getTime() - Number(value)) / DAY_MS)
  return { value: days, found: `${found}, ${days < 0 ? `in ${-days} days` : `${days} days ago`}` }
}

/** Answers what is told of a value that fits, or undefined. */
type Test = (found: Found | null) => string | undefined

const testOf = ({ is_set, equals, any_of, words, from, below }: ScoreCase): Test => {
  if (is_set !== undefined)
    return (found) => ((found !== null) === is_set ? (found?.found ?? 'nothing') : undefined)
  if (words !== undefined) {
    const find = wordFinder(words)
    return (found) => {
      for (const text of found ? textsOf(found) : []) {
        const word = find(text)
        if (word !== undefined) return word
      }
      return undefined
    }
  }
  const wanted = any_of ?? (equals === undefined ? undefined : [equals])
  if (wanted !== undefined) {
    const keys = new Set(wanted.map((one) => foldText(String(one).trim())))
    return (found) => {
      if (!found) return undefined
      const hit = textsOf(found).find((text) => keys.has(foldText(text.trim())))
      if (hit === undefined) return undefined
      return Array.isArray(found.value) ? hit : found.found
    }
  }
  return (found) => {
    if (typeof found?.value !== 'number') return undefined
    const inside = found.value >= (from ?? -Infinity) && found.value < (below ?? Infinity)
    return inside ? found.found : undefined
  }
}

const textsOf = ({ value }: Found): string[] => [value].flat().map(String)

/** What is left of points after a while, towards nothing; the reason says how many there were. */
const faded = (
  { since, half_life_days, lose = 0, every_days = 1 }: Decay,
  lead: ScorableLead,
  now: Date,
  points: number,
  reason: string,
): Judgement => {
  const begun = lead[since]
  if (begun === undefined) return { points, reason }
  const days = Math.max(0, (now.getTime() - begun.getTime()) / DAY_MS)
  const size = Math.abs(points)
  const left =
    half_life_days === undefined
      ? Math.max(0, size - lose * Math.floor(days / every_days))
      : Math.round(size * 0.5 ** (days / half_life_days))
  if (left === size) return { points, reason }
  const now_worth = left === 0 ? 0 : Math.sign(points) * left
  return { points: now_worth, reason: `${reason} (${now_worth} of ${points} after ${Math.floor(days)} days)` }
}
