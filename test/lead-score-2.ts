import { companyDomain, isMailboxProvider } from '../db/lead-keys.ts'
import { leftAloneIn } from '../db/lead-wish.ts'
import type { Opportunity, ScoreReason } from '../db/opportunities.ts'

// The formula `lead-score/2` as it was written before formulas were data: what the built-in one is compared with.

type Verdict = 'qualified' | 'nurture' | 'unqualified'
type LeadScore = { score: number; reasons: ScoreReason[]; verdict: Verdict; verdict_reason: string }

/** From these scores on a lead is worth a conversation, or worth keeping warm. */
const THRESHOLDS = { qualified: 50, nurture: 25 }
/** What every lead starts with. */
const BASE = 10

/**
 * Scores a lead from 0 to 100 by rules alone: every point has a factor and a reason, the same lead gets the same score.
 * `score = clamp(10 + Σ points, 0, 100)`; qualified from 50, nurture from 25.
 */
export const scoreLead = (lead: ScorableLead): LeadScore => {
  const reasons: ScoreReason[] = [{ factor: 'base', points: BASE, reason: 'Every lead starts here' }]
  for (const { factor, judge } of factors) {
    const found = judge(lead)
    if (found) reasons.push({ factor, points: found[0], reason: found[1] })
  }
  const score = Math.min(
    100,
    Math.max(
      0,
      reasons.reduce((sum, { points }) => sum + points, 0),
    ),
  )
  return { score, reasons, ...judgeScore(score, reasons) }
}

type ScorableLead = Pick<
  Opportunity,
  | 'contact_name'
  | 'company_name'
  | 'title'
  | 'email'
  | 'phone'
  | 'website'
  | 'industry'
  | 'message'
  | 'source'
  | 'enrichment'
  | 'value_minor'
>

type Factor = { factor: string; judge: (lead: ScorableLead) => [points: number, reason: string] | undefined }

const factors: Factor[] = [
  {
    factor: 'email',
    judge: ({ email }) => {
      const domain = email?.split('@')[1]
      if (!domain) return [-10, 'No e-mail address']
      if (DISPOSABLE.test(domain)) return [-25, `Throw-away e-mail address at ${domain}`]
      return isMailboxProvider(domain)
        ? [3, `Private mailbox at ${domain}`]
        : [14, `Business e-mail at ${domain}`]
    },
  },
  { factor: 'phone', judge: ({ phone }) => (phone ? [7, 'Left a phone number'] : undefined) },
  {
    factor: 'company',
    judge: ({ company_name }) => (company_name ? [7, `Named a company: ${company_name}`] : undefined),
  },
  {
    factor: 'title',
    judge: ({ title }) => {
      if (!title) return undefined
      if (DECIDES.test(title)) return [14, `${title}: decides on purchases`]
      if (INFLUENCES.test(title)) return [8, `${title}: influences purchases`]
      return JUNIOR.test(title) ? [-6, `${title}: rarely buys`] : [3, `Named a role: ${title}`]
    },
  },
  {
    factor: 'website',
    judge: (lead) => {
      if (lead.enrichment) return [10, `Website read: ${lead.enrichment.summary.slice(0, 120)}`]
      return companyDomain(lead) ? [4, `Company domain ${companyDomain(lead)}`] : undefined
    },
  },
  {
    factor: 'industry',
    judge: ({ enrichment, industry }) => {
      const known = industry ?? enrichment?.facts.find(({ key }) => key === 'industry')?.value
      return known ? [4, `Industry known: ${known}`] : undefined
    },
  },
  {
    factor: 'intent',
    judge: ({ message }) => {
      const word = message ? INTENT.exec(message)?.[0] : undefined
      return word ? [18, `Asks to buy: “${word}”`] : undefined
    },
  },
  {
    factor: 'volume',
    judge: ({ message }) => {
      const found = message ? VOLUME.exec(message) : null
      if (!found) return undefined
      const n = Number(found[1]?.replaceAll(/[.,]/g, ''))
      return n >= 10
        ? [8, `Names a volume: “${found[0].trim()}”`]
        : [3, `Names a small volume: “${found[0].trim()}”`]
    },
  },
  {
    factor: 'urgency',
    judge: ({ message }) => {
      const word = message ? URGENCY.exec(message)?.[0] : undefined
      return word ? [6, `Is in a hurry: “${word}”`] : undefined
    },
  },
  {
    factor: 'message',
    judge: ({ message }) => {
      const length = message?.length ?? 0
      if (length === 0) return undefined
      return length >= 60 ? [5, 'Wrote a message of substance'] : [2, 'Wrote a short message']
    },
  },
  {
    factor: 'source',
    judge: ({ source }) => {
      if (!source) return undefined
      if (/referral|partner|empfehlung|recommend/i.test(source)) return [10, `Came by ${source}`]
      return /demo|pricing|contact|website|form|chat/i.test(source) ? [4, `Came by ${source}`] : undefined
    },
  },
  {
    factor: 'value',
    judge: ({ value_minor }) => (value_minor && value_minor > 0 ? [5, 'Has an expected value'] : undefined),
  },
  {
    factor: 'solicitation',
    judge: ({ message }) => {
      const word = message ? SOLICITS.exec(message)?.[0] : undefined
      return word ? [-45, `Wants to sell, not to buy: “${word}”`] : undefined
    },
  },
  {
    factor: 'no_interest',
    judge: ({ message }) => {
      const word = leftAloneIn(message) ?? DECLINES.exec(message ?? '')?.[0]
      return word ? [-35, `Says no: “${word}”`] : undefined
    },
  },
  {
    factor: 'gibberish',
    judge: ({ message, contact_name }) =>
      GIBBERISH.test(`${contact_name ?? ''} ${message ?? ''}`)
        ? [-25, 'Reads like keyboard mashing']
        : undefined,
  },
]

const DISPOSABLE =
  /^(?:.*\.)?(?:mailinator|guerrillamail|10minutemail|temp-?mail|yopmail|trashmail|sharklasers|getnada|throwaway)\./i
const DECIDES =
  /\b(?:c[eotimf]o|chief|founder|co-?founder|owner|president|vp|vice president|managing director|director|head of|partner|gesch[äa]ftsf[üu]hr\w*|inhaber\w*|gérant|directeur|directrice)\b/i
const INFLUENCES =
  /\b(?:manager|lead|senior|principal|buyer|purchasing|procurement|operations|eink[äa]uf\w*|leiter\w*|responsable|architect)\b/i
const JUNIOR = /\b(?:intern|student|trainee|praktikant\w*|stagiaire|assistant)\b/i
const INTENT =
  /\b(?:pric(?:e|es|ing)|quot(?:e|ation)|cost|offer|demo|trial|buy|purchase|order|budget|contract|proposal|rfp|subscription|licen[cs]e|seats?|angebot|preise?|kosten|kostet|kaufen|bestell\w*|devis|tarifs?|acheter|precio|presupuesto|comprar|preventivo|prezzo)\b/i
const VOLUME =
  /(?:^|[^\p{L}\p{N}])(\d{1,3}(?:[.,]\d{3})+|\d{1,6})\s{0,3}(?:\+|k)?\s{0,3}(?:seats?|users?|people|employees|licen[cs]es|units?|kg|pieces|pallets|locations|stores|sites|bags?|pl[äa]tze|mitarbeiter\w*|st[üu]ck|utilisateurs|usuarios)\b/iu
const URGENCY =
  /\b(?:asap|urgent\w*|immediately|this week|next week|this month|by (?:monday|tuesday|wednesday|thursday|friday)|deadline|as soon as possible|dringend|sofort|schnellstm[öo]glich)\b/i
const SOLICITS =
  /\b(?:seo services?|backlinks?|guest post|link building|rank(?:ing)? (?:on|your) |web design services|increase your traffic|crypto|casino|loan offer|outsourc\w+ services|we offer|our agency|lead generation services)\b/i
const DECLINES = /\b(?:not interested|no longer interested|kein interesse|pas intéressé)\b/i
const GIBBERISH = /(?:asdf|qwer|sdfg|(.)\1{6,}|[bcdfghjklmnpqrstvwxz]{9,})/i

const judgeScore = (score: number, reasons: ScoreReason[]): { verdict: Verdict; verdict_reason: string } => {
  const verdict: Verdict =
    score >= THRESHOLDS.qualified ? 'qualified' : score >= THRESHOLDS.nurture ? 'nurture' : 'unqualified'
  const strongest = reasons
    .filter(
      ({ factor, points }) => factor !== 'base' && (verdict === 'unqualified' ? points < 0 : points > 0),
    )
    .toSorted((a, b) => Math.abs(b.points) - Math.abs(a.points))
    .slice(0, 3)
    .map(({ reason }) => reason)
  const because = strongest.length > 0 ? strongest.join('; ') : 'little is known about it'
  return { verdict, verdict_reason: `${score} of 100: ${because}.` }
}
