import { isMailboxProvider } from './lead-keys.ts'
import { leftAloneIn } from './lead-wish.ts'

/** What was found in a value, and the words that a person is told. Of a day, the value is its moment in ms. */
export type Found = { value: string | number | string[]; found: string; is_day?: true }

/** A list of words with a name, that formulas refer to. */
export type Signal = {
  label: string
  description: string
  /** A number is found, not only words. */
  counts?: true
  find: (lead: { message: string | null; contact_name: string | null }) => Found | undefined
}

/** Every signal that a message may hold, by its name. */
export const signals: Readonly<Record<string, Signal>> = {
  buys: {
    label: 'Asks to buy',
    description: 'Words of somebody who asks for a price, an offer, a demo or an order, in five languages.',
    find: ({ message }) => word(INTENT, message),
  },
  volume: {
    label: 'Names a volume',
    description: 'A number of seats, users, pieces, sites and the like: the number is compared.',
    counts: true,
    find: ({ message }) => {
      const found = message ? VOLUME.exec(message) : null
      return found ? { value: Number(found[1]?.replaceAll(/[.,]/g, '')), found: found[0].trim() } : undefined
    },
  },
  urgency: {
    label: 'Is in a hurry',
    description: 'Words such as “asap”, “deadline”, “dringend”.',
    find: ({ message }) => word(URGENCY, message),
  },
  solicits: {
    label: 'Wants to sell',
    description: 'Words of somebody who offers services instead of asking for them.',
    find: ({ message }) => word(SOLICITS, message),
  },
  declines: {
    label: 'Says no',
    description: 'Asks to be left alone, or says that there is no interest.',
    find: ({ message }) => {
      const left = leftAloneIn(message)
      return left === undefined ? word(DECLINES, message) : { value: left, found: left }
    },
  },
  gibberish: {
    label: 'Reads like keyboard mashing',
    description: 'A name or a message without words.',
    find: ({ message, contact_name }) => word(GIBBERISH, `${contact_name ?? ''} ${message ?? ''}`),
  },
}

/** What kind of mailbox an address is in: `none`, `disposable`, `mailbox` of a provider, or `business`. */
export const emailKinds = ['disposable', 'mailbox', 'business'] as const

/** The kind of an address, and its domain; nothing where there is no address. */
export const emailKindOf = (email: string | null): Found | undefined => {
  const domain = email?.split('@')[1]
  if (!domain) return undefined
  const kind = DISPOSABLE.test(domain) ? 'disposable' : isMailboxProvider(domain) ? 'mailbox' : 'business'
  return { value: kind, found: domain }
}

/** What a job title says of who buys. */
export const seniorities = ['decides', 'influences', 'junior', 'other'] as const

export const seniorityOf = (title: string | null): Found | undefined => {
  if (!title) return undefined
  const seniority = DECIDES.test(title)
    ? 'decides'
    : INFLUENCES.test(title)
      ? 'influences'
      : JUNIOR.test(title)
        ? 'junior'
        : 'other'
  return { value: seniority, found: title }
}

/** What a source says of how warm a lead is. */
export const sourceKinds = ['recommended', 'own_door', 'other'] as const

export const sourceKindOf = (source: string | null): Found | undefined => {
  if (!source) return undefined
  const kind = RECOMMENDED.test(source) ? 'recommended' : OWN_DOOR.test(source) ? 'own_door' : 'other'
  return { value: kind, found: source }
}

const word = (pattern: RegExp, text: string | null): Found | undefined => {
  const found = text ? pattern.exec(text)?.[0] : undefined
  return found ? { value: found, found } : undefined
}

const DISPOSABLE =
  /^(?:.*\.)?(?:mailinator|guerrillamail|10minutemail|temp-?mail|yopmail|trashmail|sharklasers|getnada|throwaway)\./i
const DECIDES =
  /\b(?:c[eotimf]o|chief|founder|co-?founder|owner|president|vp|vice president|managing director|director|head of|partner|gesch[äa]ftsf[üu]hr\w*|inhaber\w*|gérant|directeur|directrice)\b/i
const INFLUENCES =
  /\b(?:manager|lead|senior|principal|buyer|purchasing|procurement|operations|eink[äa]uf\w*|leiter\w*|responsable|architect)\b/i
const JUNIOR = /\b(?:intern|student|trainee|praktikant\w*|stagiaire|assistant)\b/i
const RECOMMENDED = /referral|partner|empfehlung|recommend/i
const OWN_DOOR = /demo|pricing|contact|website|form|chat/i
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
