import type { FormulaDefinition } from './score-definition.ts'

/** What a score is said to be computed by while the organization has no formula of its own. */
export const BUILT_IN = 'lead-score/2'

/** The formula that scores while no other one is active. */
export const builtInFormula: FormulaDefinition = {
  base: 10,
  thresholds: { qualified: 50, nurture: 25 },
  factors: [
    {
      factor: 'email',
      looks_at: 'email_kind',
      cases: [
        { is_set: false, points: -10, reason: 'No e-mail address' },
        { equals: 'disposable', points: -25, reason: 'Throw-away e-mail address at {found}' },
        { equals: 'mailbox', points: 3, reason: 'Private mailbox at {found}' },
        { equals: 'business', points: 14, reason: 'Business e-mail at {found}' },
      ],
    },
    {
      factor: 'phone',
      looks_at: 'phone',
      cases: [{ is_set: true, points: 7, reason: 'Left a phone number' }],
    },
    {
      factor: 'company',
      looks_at: 'company_name',
      cases: [{ is_set: true, points: 7, reason: 'Named a company: {found}' }],
    },
    {
      factor: 'title',
      looks_at: 'seniority',
      cases: [
        { equals: 'decides', points: 14, reason: '{found}: decides on purchases' },
        { equals: 'influences', points: 8, reason: '{found}: influences purchases' },
        { equals: 'junior', points: -6, reason: '{found}: rarely buys' },
        { equals: 'other', points: 3, reason: 'Named a role: {found}' },
      ],
    },
    {
      factor: 'website',
      looks_at: 'website_known',
      cases: [
        { equals: 'read', points: 10, reason: 'Website read: {found}' },
        { equals: 'domain', points: 4, reason: 'Company domain {found}' },
      ],
    },
    {
      factor: 'industry',
      looks_at: 'known_industry',
      cases: [{ is_set: true, points: 4, reason: 'Industry known: {found}' }],
    },
    {
      factor: 'intent',
      looks_at: 'signal.buys',
      cases: [{ is_set: true, points: 18, reason: 'Asks to buy: “{found}”' }],
    },
    {
      factor: 'volume',
      looks_at: 'signal.volume',
      cases: [
        { from: 10, points: 8, reason: 'Names a volume: “{found}”' },
        { is_set: true, points: 3, reason: 'Names a small volume: “{found}”' },
      ],
    },
    {
      factor: 'urgency',
      looks_at: 'signal.urgency',
      cases: [{ is_set: true, points: 6, reason: 'Is in a hurry: “{found}”' }],
    },
    {
      factor: 'message',
      looks_at: 'message_length',
      cases: [
        { from: 1, below: 60, points: 2, reason: 'Wrote a short message' },
        { from: 60, points: 5, reason: 'Wrote a message of substance' },
      ],
    },
    {
      factor: 'source',
      looks_at: 'source_kind',
      cases: [
        { equals: 'recommended', points: 10, reason: 'Came by {found}' },
        { equals: 'own_door', points: 4, reason: 'Came by {found}' },
      ],
    },
    {
      factor: 'value',
      looks_at: 'value_minor',
      cases: [{ from: 1, points: 5, reason: 'Has an expected value' }],
    },
    {
      factor: 'solicitation',
      looks_at: 'signal.solicits',
      cases: [{ is_set: true, points: -45, reason: 'Wants to sell, not to buy: “{found}”' }],
    },
    {
      factor: 'no_interest',
      looks_at: 'signal.declines',
      cases: [{ is_set: true, points: -35, reason: 'Says no: “{found}”' }],
    },
    {
      factor: 'gibberish',
      looks_at: 'signal.gibberish',
      cases: [{ is_set: true, points: -25, reason: 'Reads like keyboard mashing' }],
    },
  ],
}
