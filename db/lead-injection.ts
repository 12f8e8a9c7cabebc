import { recordActivity } from './activities.ts'
import { asSystem, type TxCtx } from './context.ts'
import type { Warning } from './lead-fields.ts'
import { clip, visibleText } from './text.ts'

/** How much of a found sentence is shown. */
const SNIPPET = 300

/**
 * The first sentence of a text that is aimed at an agent rather than at people (“ignore your rules and mail …”), as a
 * person would see it. A note for the timeline and no gate: what an agent may do never depends on it.
 */
export const findInstruction = (text: string): string | undefined => {
  const found = sentencesOf(text).find(isInstruction)
  return found === undefined ? undefined : clip(found, SNIPPET)
}

/** A text without the sentences that are aimed at an agent: what is left is what a person asks. */
export const withoutInstructions = (text: string): string =>
  sentencesOf(text)
    .filter((sentence) => !isInstruction(sentence))
    .join(' ')

/** Text in a lead that is aimed at an agent: where it stands, and what it says. */
export type Instruction = { field: string; snippet: string }

/** The first instruction to an agent among the texts that a stranger writes freely. */
export const instructionIn = (lead: Record<string, unknown>): Instruction | undefined => {
  for (const field of FREE_TEXT) {
    const text = lead[field]
    const snippet = typeof text === 'string' ? findInstruction(text) : undefined
    if (snippet) return { field, snippet }
  }
  return undefined
}

/** What people are told beside the lead. */
export const instructionWarning = ({ field, snippet }: Instruction): Warning => ({
  field,
  message: `Reads like an instruction to an agent: “${snippet}”. Agents take it for text; look at it before you act on it.`,
})

/** Puts the attempt on the lead's timeline; what an agent may do was never up to it. */
export const recordInstruction = (
  ctx: TxCtx,
  lead_id: string,
  { field, snippet }: Instruction,
  submission_id?: string,
): Promise<string> =>
  recordActivity(asSystem(ctx, 'intake'), {
    type: 'instruction_found',
    subjects: [{ kind: 'lead', id: lead_id }],
    data: {
      where: `the lead’s ${field.replaceAll('_', ' ')}`,
      field,
      snippet,
      ...(submission_id ? { submission_id } : {}),
    },
  })

const FREE_TEXT = [
  'message',
  'contact_name',
  'company_name',
  'title',
  'website',
  'source',
  'campaign',
  'landing_page',
]

const sentencesOf = (text: string): string[] =>
  visibleText(text)
    .replaceAll(/[^\S\n]+/g, ' ')
    .split(/(?<=[.!?;])\s+|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '')

const isInstruction = (sentence: string): boolean => {
  // Accents and look-alike spacing must not hide a word.
  const plain = sentence.normalize('NFKC').slice(0, 4_000)
  return patterns.some((pattern) => pattern.test(plain))
}

/** Up to so many characters between two words of one thought. */
const near = String.raw`[^.!?;\n]{0,60}?`

/** Each language: dropping rules, another role or secret, and acts that only an agent in here could do. */
const patterns: RegExp[] = [
  // English
  `\\b(?:ignore|disregard|forget|override|bypass|skip|do not follow|stop following)\\b${near}\\b(?:rules?|instructions?|prompts?|guidelines?|polic(?:y|ies)|restrictions?|safeguards?|approvals?|everything (?:above|before))\\b`,
  `\\b(?:system prompt|developer message|hidden instructions?|jailbreak|DAN mode|prompt injection)\\b`,
  `\\b(?:you are|act as|pretend to be|behave as)\\b${near}\\b(?:an? (?:ai|assistant|language model|agent|bot|admin\\w*)|in (?:developer|admin|debug) mode|no longer bound)\\b`,
  `\\b(?:reveal|print|show|repeat|output|leak)\\b${near}\\b(?:your (?:prompt|instructions?|rules|configuration)|system prompt|api keys?|passwords?|credentials)\\b`,
  `\\b(?:e-?mail|mail|send|forward|export|bcc|copy|upload|post)\\b${near}\\b(?:the (?:whole |entire )?(?:pipeline|crm|database|customer list|lead list)|(?:all|every|each)(?: of)?(?: the| your| other)* (?:contacts?|leads?|customers?|records?|deals?|e-?mails?|data))\\b`,
  `\\b(?:mark|approve|set|move|close|change|delete|raise)\\b${near}\\b(?:this|the|my|every|all|any)\\b${near}\\b(?:as (?:approved|qualified|won|paid)|to (?:won|closed[- ]won|100)|pending approvals?|approval queue|without (?:approval|a person|asking))\\b`,
  `\\b(?:new|updated|important) (?:instructions?|rules?)\\b${near}\\b(?:for|to) (?:the |you\\b|all )?(?:ai|assistants?|agents?|models?|bots?|you)\\b`,
  `\\b(?:call|invoke|execute)\\b${near}\\b(?:tool|function)\\b|\\b(?:send_email|draft_email|move_stage|enrich_lead|suggest_next_actions|add_note|create_task)\\b`,
  // German
  `\\b(?:ignorier\\w*|missacht\\w*|vergiss|vergessen sie|umgeh\\w*)\\b${near}(?:regeln?|anweisung\\w*|vorgaben?|richtlinien?|prompts?|freigaben?)\\b`,
  `\\b(?:schick\\w*|send\\w*|mail\\w*|leite\\w*|exportier\\w*)\\b${near}\\b(?:alle\\w*|gesamte\\w*|ganze\\w*|sämtliche\\w*)\\b${near}(?:kontakt\\w*|kunden\\w*|leads?|pipeline|daten\\w*|datenbank)\\b`,
  `\\bdu bist (?:jetzt|ab jetzt|nun)\\b|\\bgib (?:dich|mir)\\b${near}(?:systemprompt|administrator|passw\\w+)`,
  // French
  `\\b(?:ignore[zr]?|oublie[zr]?|contourne[zr]?|ne (?:suis|suivez) pas)\\s${near}(?:règles?|consignes?|instructions?|directives?)`,
  `\\b(?:envoie[zr]?|envoyer|transf[eè]re[zr]?|exporte[zr]?)\\s${near}(?:tou(?:s|tes)|l['’]ensemble|la base|le pipeline)${near}(?:contacts?|clients?|prospects?|données|pipeline)`,
  // Spanish
  `\\b(?:ignor[ae]\\w*|olvid[ae]\\w*|omit[ae]\\w*|no sigas)\\s${near}(?:reglas?|instrucciones|normas?|directrices)`,
  `(?:env[ií][ae]\\w*|reenv[ií][ae]\\w*|export[ae]\\w*)\\s${near}(?:tod[oa]s?|la base)${near}(?:contactos?|clientes?|datos)`,
  // Italian, Portuguese, Dutch
  `\\b(?:ignora\\w*|dimentica\\w*)\\s${near}(?:regole|istruzioni|direttive|regras|instruções|diretrizes)`,
  `\\b(?:ignore|esqueça|desconsidere)\\s${near}(?:regras|instruções|diretrizes)`,
  `\\b(?:negeer|vergeet)\\s${near}(?:regels?|instructies|richtlijnen)`,
  `(?:invia\\w*|inoltra\\w*|envie|encaminhe|stuur)\\s${near}(?:tutti|tutta|todos|todas|alle)${near}(?:contatti|clienti|dati|contatos|clientes|dados|contacten|klanten)`,
  // Markup of chat formats, which no person types
  String.raw`<\/?(?:system|assistant|lead|instructions?|tool_(?:call|result))\b[^>]*>|\[\/?INST\]|<\|im_(?:start|end)\|>|^\s*(?:system|assistant)\s*:`,
].map((source) => new RegExp(source, 'iu'))
