import { z } from 'zod'
import { recordActivity } from '../db/activities.ts'
import { type Evidence } from '../db/approvals.ts'
import { DomainError, invalid } from '../db/errors.ts'
import { findInstruction, withoutInstructions } from '../db/lead-injection.ts'
import { leftAloneIn, wishOf } from '../db/lead-wish.ts'
import { findOptOut } from '../db/opt-outs.ts'
import { getOpportunity, requireOpen, type Fact, type Opportunity } from '../db/opportunities.ts'
import { clip, visibleText } from '../db/text.ts'
import { send_email } from './send_email.ts'
import { defineTool } from './tool.ts'

/** Writes an e-mail to the lead and asks for its sending. The recipient is the lead's address, never the model's choice. */
export const draft_email = defineTool({
  name: 'draft_email',
  title: 'Draft e-mail',
  effect: 'write',
  description:
    'Writes an e-mail to the lead and puts it before a person; it is sent only when that person approves. Answer what the lead asked, use at least one fact from its website where there is one, write it ready to send: no placeholders. The recipient is always the lead’s own address.',
  input: z.object({
    lead_id: z.uuid(),
    subject: z.string().trim().min(1).max(200),
    body: z.string().trim().min(20).max(10_000),
    purpose: z.enum(['reply', 'follow_up']).default('reply'),
  }),
  output: z.object({
    approval_id: z.string().nullable(),
    to: z.string(),
    message: z.string(),
  }),
  summary: ({ subject }) => `Draft the e-mail “${subject}”`,
  consequence: () => 'If you approve: 1 draft, which waits for its own approval.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: async (ctx, { lead_id, subject, body, purpose }, { propose }) => {
    const lead = await getOpportunity(ctx, lead_id, 'lead')
    requireOpen(lead)
    const to = lead.email
    if (!to) throw invalid('no_address', '/lead_id', 'This lead has no e-mail address to write to.')
    const opted_out = await findOptOut(ctx, to)
    if (opted_out)
      throw new DomainError('conflict', 'opted_out', `${to} asked not to be written to (${opted_out}).`)
    requireWelcome(lead.message)
    const message = { to, subject: visibleText(subject), body: visibleText(body) }
    const asks = wishOf(lead.message) === 'answer'
    requireFinished(`${message.subject}\n${message.body}`, lead.message ?? '')
    if (asks) requireAnswer(lead, message.body)
    const cited = requireFact(lead.enrichment?.facts ?? [], message.body)
    const who = lead.contact_name ?? to
    const why = asks ? `Answers what ${who} asked.` : `First e-mail to ${who}.`
    await recordActivity(ctx, {
      type: 'email_drafted',
      subjects: [{ kind: 'lead', id: lead_id }],
      reason: why,
      data: { ...message, purpose, cites: cited.map(({ key, source_url }) => ({ key, source_url })) },
    })
    const { output, verdict } = await propose(ctx, send_email, message, {
      purpose,
      reason: why,
      evidence: evidenceOf(lead, cited),
    })
    // What cannot be sent as it stands is no draft: nothing is kept of it, and the model is told what to mend.
    if (verdict === 'invalid') throw invalid('not_sendable', '/subject', String(output['message']))
    return {
      approval_id: typeof output['approval_id'] === 'string' ? output['approval_id'] : null,
      to,
      message: typeof output['message'] === 'string' ? output['message'] : '',
    }
  },
  undo: 'withdraw_approval',
})

/** Whoever asks to be left alone gets no polite answer either. */
const requireWelcome = (message: string | null): void => {
  const words = leftAloneIn(message)
  if (words)
    throw new DomainError(
      'conflict',
      'left_alone',
      `The lead asks to be left alone: “${words}”. Do not write to it; note it, and create a task for a person to record the opt-out.`,
    )
}

/** Text that somebody was meant to replace before sending. */
const PLACEHOLDER =
  /\{\{[^}]*\}\}|\[(?:your|my|the|insert|name|company|first|last|date|time|link|phone|title|position|sender|recipient|x+)\b[^\]]*\]|<(?:your|insert|name|company|date|link)\b[^>]*>|\b(?:lorem ipsum|xxx+|your name here|company name here)\b/gi
/** Only in capitals: “todo” is an ordinary word in Spanish and Portuguese. */
const MARKER = /\b(?:TBD|TODO|TBC|FIXME)\b/g

/** Every place in a text that is not finished, as it stands there. */
export const unfinishedIn = (text: string): string[] =>
  [PLACEHOLDER, MARKER].flatMap((pattern) => [...text.matchAll(pattern)].map(([gap]) => gap))

const requireFinished = (text: string, message: string): void => {
  // What the lead wrote themselves may be quoted to them: it is theirs, not a gap of ours.
  const found = unfinishedIn(text).find((gap) => !visibleText(message).includes(gap))
  if (found)
    throw invalid('placeholder', '/body', `The e-mail still holds “${found}”. Write it ready to send.`)
}

/** The e-mail must speak of what the lead asked: share a telling word with the message. */
const requireAnswer = (lead: Opportunity, body: string): void => {
  const asked = stemsOf(wordsAsked(lead.message ?? ''))
  // A single word says too little to hold an answer against.
  if (asked.size < 2) return
  const said = stemsOf(tellingWords(body))
  if (asked.intersection(said).size > 0) return
  throw invalid(
    'does_not_answer',
    '/body',
    `The e-mail does not speak of what the lead asked: “${clip(lead.message ?? '', 200)}”`,
  )
}

/** What a lead points at, which an answer does not repeat. */
const ADDRESSES = /https?:\/\/\S+|[^\s@]{1,64}@\S+/g

/** The words of a message of which an answer must share one. */
export const wordsAsked = (message: string): string[] =>
  tellingWords(withoutInstructions(message).replaceAll(ADDRESSES, ' '))

const tellingWords = (text: string): string[] =>
  (
    visibleText(text)
      .toLowerCase()
      .match(/[\p{L}\p{N}]{4,}/gu) ?? []
  ).filter((word) => !COMMON.has(stemOf(word)))

const stemOf = (word: string): string => word.slice(0, 6)
const stemsOf = (words: string[]): Set<string> => new Set(words.map(stemOf))

const COMMON = new Set(
  'that this with have from your about what when which would could should there their them they been will also just like need want please thank thanks hello dear regard kind best more some into than then were does here very much'
    .split(' ')
    .map(stemOf),
)

/** Facts that say how a company is reached or what its site is made of, not what it is. */
const UNCITED = new Set(['technology', 'social_link', 'email', 'phone'])

/** Whether a fact is one of which an e-mail to the lead must cite at least one. */
export const isCitable = ({ key, value }: { key: string; value: string }): boolean =>
  !UNCITED.has(key) &&
  value.length >= 3 &&
  findInstruction(value) === undefined &&
  unfinishedIn(value).length === 0

const requireFact = (facts: Fact[], body: string): Fact[] => {
  const citable = facts.filter(isCitable)
  const lower = visibleText(body).toLowerCase()
  const cited = citable.filter(({ value }) => lower.includes(visibleText(value).toLowerCase().slice(0, 60)))
  if (citable.length > 0 && cited.length === 0) {
    const known = citable.slice(0, 6).map(({ key, value }) => `${key}: ${clip(value, 80)}`)
    throw invalid(
      'no_fact_cited',
      '/body',
      `Use at least one fact from the lead’s website, word for word. Known: ${known.join('; ')}`,
    )
  }
  return cited
}

const evidenceOf = (lead: Opportunity, cited: Fact[]): Evidence[] => [
  ...(lead.message ? [{ label: `Message by ${lead.origin.door}`, snippet: clip(lead.message, 300) }] : []),
  ...cited.slice(0, 3).map(({ key, value, source_url, snippet }) => ({
    label: `${key.replaceAll('_', ' ')}: ${clip(value, 100)}`,
    url: source_url,
    snippet,
  })),
]
