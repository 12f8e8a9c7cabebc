/** Raised whenever a factor or its points change; stored beside every assessment. */
export const RISK_FORMULA = 'deal-risk/1'

export const riskLevels = ['low', 'medium', 'high'] as const
export type RiskLevel = (typeof riskLevels)[number]

export const riskFactors = [
  'idle',
  'stage_age',
  'close_date_passed',
  'close_date_moved',
  'no_next_task',
  'single_contact',
  'no_reply',
] as const
export type RiskFactor = (typeof riskFactors)[number]
export type RiskReason = { factor: RiskFactor; points: number; reason: string }

/** What the risk of an open deal is told from. Days are whole days that have passed. */
export type DealFacts = {
  stage: string
  /** Since a person, an agent or somebody outside last did something about it; since it was made when nobody did. */
  idle_days: number
  days_in_stage: number
  /** How long deals stayed in this stage before they left it; null while too few have. */
  median_days: number | null
  /** Negative while it is still to come; null without an expected close. */
  days_past_close: number | null
  /** How often the expected close was moved to a later day. */
  slips: number
  has_next_task: boolean
  contacts: number
  /** Since the last message to them that nobody answered; null when there is none. */
  unanswered_days: number | null
}

/** What a stage's median is taken for until this many deals have left the stage. */
export const medianRule = { stays: 5, assumed_days: 14, at_least_days: 7 }

/** From these points on. */
const LEVELS = { medium: 30, high: 60 }

/**
 * The risk of an open deal from 0 to 100, with the points of each reason: the same facts give the same risk.
 * `risk = min(Σ points, 100)`; medium from 30, high from 60.
 */
export const assessRisk = (facts: DealFacts): { risk: number; level: RiskLevel; reasons: RiskReason[] } => {
  const reasons = factors.flatMap(({ factor, judge }): RiskReason[] => {
    const found = judge(facts)
    return found ? [{ factor, points: found[0], reason: found[1] }] : []
  })
  const risk = Math.min(
    100,
    reasons.reduce((sum, { points }) => sum + points, 0),
  )
  return { risk, level: risk >= LEVELS.high ? 'high' : risk >= LEVELS.medium ? 'medium' : 'low', reasons }
}

type Judged = [points: number, reason: string] | undefined

const factors: { factor: RiskFactor; judge: (facts: DealFacts) => Judged }[] = [
  {
    factor: 'idle',
    judge: (facts) => {
      const { idle_days } = facts
      const usual = usualStay(facts)
      if (idle_days <= usual) return undefined
      return [idle_days > 2 * usual ? 25 : 15, `Nothing happened for ${days(idle_days)}; ${usually(facts)}`]
    },
  },
  {
    factor: 'stage_age',
    judge: (facts) => {
      const { days_in_stage } = facts
      const usual = usualStay(facts)
      if (days_in_stage <= 1.5 * usual) return undefined
      return [
        days_in_stage > 2 * usual ? 20 : 10,
        `In ${facts.stage} for ${days(days_in_stage)}; ${usually(facts)}`,
      ]
    },
  },
  {
    factor: 'close_date_passed',
    judge: ({ days_past_close }) =>
      days_past_close !== null && days_past_close > 0
        ? [days_past_close > 14 ? 25 : 20, `Its expected close passed ${days(days_past_close)} ago`]
        : undefined,
  },
  {
    factor: 'close_date_moved',
    judge: ({ slips }) =>
      slips > 0
        ? [
            Math.min(15, 5 * slips),
            `Its expected close was put off ${slips === 1 ? 'once' : `${slips} times`}`,
          ]
        : undefined,
  },
  {
    factor: 'no_next_task',
    judge: ({ has_next_task }) => (has_next_task ? undefined : [15, 'No open task says what happens next']),
  },
  {
    factor: 'single_contact',
    judge: ({ contacts }) =>
      contacts > 1 ? undefined : [10, contacts === 1 ? 'Only one contact is known' : 'No contact is linked'],
  },
  {
    factor: 'no_reply',
    judge: ({ unanswered_days }) =>
      unanswered_days !== null && unanswered_days >= 7
        ? [unanswered_days >= 14 ? 15 : 10, `The last message has had no answer for ${days(unanswered_days)}`]
        : undefined,
  },
]

const usualStay = ({ median_days }: DealFacts): number =>
  Math.max(medianRule.at_least_days, median_days ?? medianRule.assumed_days)

const usually = (facts: DealFacts): string =>
  facts.median_days === null
    ? `${days(usualStay(facts))} is taken as usual until more deals have left ${facts.stage}`
    : facts.median_days < medianRule.at_least_days
      ? `half of the deals leave ${facts.stage} within ${days(facts.median_days)}, up to ${days(medianRule.at_least_days)} is no concern`
      : `half of the deals leave ${facts.stage} within ${days(facts.median_days)}`

const days = (n: number): string => {
  const whole = Math.round(n)
  return whole < 1 ? 'less than a day' : `${whole} ${whole === 1 ? 'day' : 'days'}`
}
