import { isCitable, unfinishedIn, wordsAsked } from '../tools/draft_email.ts'
import type { LeadRead } from './lead-answer.ts'

/** What a message is about, in words that fit into a sentence; `buys` when it is a step towards an order. */
export type Topic = { noun: string; noun_de: string; buys: boolean }

/** The first topic that a message names; without one it is simply a request. */
export const topicOf = (message: string | null): Topic => namedIn(message ?? '') ?? REQUEST

/**
 * An answer to a lead's message, ready to send: says everything that was asked, cites one fact from the website word for word,
 * promises nothing that is not known, and asks for the next step.
 * @param plain leaves out what may have been refused before: the quoted questions
 * @param declines says a friendly no: the sender wants to sell, or wants nothing
 */
export const composeReply = (
  read: LeadRead,
  { plain, declines }: { plain: boolean; declines: boolean },
): { subject: string; body: string } => {
  const german = isGerman(read.message ?? '')
  const asked = asksOf(read.message ?? '')
  const topics = asked.length > 1 ? topicsOf(asked) : [topicOf(read.message)]
  const quoted = plain ? [] : quotesOf(asked)
  const answered = german ? inGerman(read, topics, quoted) : inEnglish(read, topics, quoted)
  const words = declines ? declined(answered, read, german) : answered
  const signature =
    read.sender.name === read.sender.organization
      ? [read.sender.name]
      : [read.sender.name, read.sender.organization]
  return {
    subject: words.subject,
    body: [
      words.greeting,
      '',
      ...words.paragraphs.flatMap((paragraph) => [paragraph, '']),
      words.closing,
      ...signature,
    ].join('\n'),
  }
}

const REQUEST: Topic = { noun: 'your request', noun_de: 'Ihre Anfrage', buys: false }

const TOPICS: (Topic & { pattern: RegExp })[] = [
  {
    pattern: /\b(?:pric(?:e|es|ing)|cost|costs|preise?|kosten|prix|tarifs?|precios?|prezz[oi])\b/i,
    noun: 'pricing',
    noun_de: 'Preise',
    buys: true,
  },
  {
    pattern: /\b(?:quote|quotation|offer|angebot|proposal|devis|presupuesto|preventivo)\b/i,
    noun: 'an offer',
    noun_de: 'ein Angebot',
    buys: true,
  },
  {
    pattern: /\b(?:demo|vorf[üu]hrung|walkthrough|trial)\b/i,
    noun: 'a demo',
    noun_de: 'eine Vorführung',
    buys: true,
  },
  {
    pattern: /\b(?:order|buy|purchase|bestell\w*|kaufen)\b/i,
    noun: 'an order',
    noun_de: 'eine Bestellung',
    buys: true,
  },
  {
    pattern: /\b(?:licen[cs]es?|seats?|subscription|lizenz\w*)\b/i,
    noun: 'licences',
    noun_de: 'Lizenzen',
    buys: true,
  },
  {
    pattern: /\b(?:integrat\w*|api|connect|schnittstelle\w*)\b/i,
    noun: 'an integration',
    noun_de: 'eine Anbindung',
    buys: false,
  },
  {
    pattern: /\b(?:deliver\w*|shipping|ship|lieferung\w*|liefern)\b/i,
    noun: 'delivery',
    noun_de: 'die Lieferung',
    buys: true,
  },
  {
    pattern: /\b(?:partner\w*|reseller)\b/i,
    noun: 'a partnership',
    noun_de: 'eine Partnerschaft',
    buys: false,
  },
  { pattern: /\b(?:support|help|hilfe)\b/i, noun: 'support', noun_de: 'Unterstützung', buys: false },
]

type Words = { subject: string; greeting: string; paragraphs: string[]; closing: string }

const inEnglish = (read: LeadRead, topics: Topic[], quoted: string[]): Words => {
  const fact = factOf(read)
  const named = topics.filter((topic) => topic !== REQUEST).map(({ noun }) => noun)
  const about = named.length > 0 ? ` about ${listed(named, 'and')}` : ''
  return {
    subject: about
      ? `Your question${named.length > 1 ? 's' : ''}${about}`
      : `Your message to ${read.sender.organization}`,
    greeting: `Hello ${firstName(nameOf(read)) ?? 'there'},`,
    paragraphs: [
      read.message
        ? `thank you for your message${about}.${quote(' You wrote:', quoted, (words) => `“${words}”`) || echo(read.message, (words) => ` You mention “${words}”.`)}`
        : `thank you for your interest in ${read.sender.organization}.`,
      ...(fact
        ? [
            `I had a look at ${fact.host} and read “${fact.value}” there, which helps me to answer for your situation rather than in general.`,
          ]
        : []),
      topics.some(({ buys }) => buys)
        ? 'So that you get a firm answer instead of a guess, two things would help: when you would like to start, and who else should be part of the conversation.'
        : 'So that you get a useful answer, it would help to know what you would like to reach, and by when.',
      'Would a short call this week suit you? Reply with a time, or simply answer this e-mail.',
    ],
    closing: 'Best regards,',
  }
}

const inGerman = (read: LeadRead, topics: Topic[], quoted: string[]): Words => {
  const fact = factOf(read)
  const named = topics.filter((topic) => topic !== REQUEST).map(({ noun_de }) => noun_de)
  return {
    subject:
      named.length > 0
        ? `Ihre Frage${named.length > 1 ? 'n' : ''}: ${listed(named, 'und')}`
        : `Ihre Nachricht an ${read.sender.organization}`,
    greeting: nameOf(read) ? `Guten Tag ${nameOf(read)},` : 'Guten Tag,',
    paragraphs: [
      `vielen Dank für Ihre Nachricht.${quote(' Sie schreiben:', quoted, (words) => `„${words}“`) || echo(read.message ?? '', (words) => ` Sie erwähnen „${words}“.`)}`,
      ...(fact
        ? [`Auf ${fact.host} habe ich „${fact.value}“ gelesen. Das hilft mir, auf Ihre Lage einzugehen.`]
        : []),
      topics.some(({ buys }) => buys)
        ? 'Damit Sie eine verbindliche Antwort statt einer Schätzung bekommen, helfen zwei Angaben: wann Sie beginnen möchten und wer noch mitentscheidet.'
        : 'Damit die Antwort Ihnen nützt, hilft es zu wissen, was Sie erreichen möchten und bis wann.',
      'Passt Ihnen diese Woche ein kurzes Telefonat? Antworten Sie gern mit einem Termin oder direkt auf diese E-Mail.',
    ],
    closing: 'Mit freundlichen Grüßen',
  }
}

const declined = (answered: Words, read: LeadRead, german: boolean): Words => ({
  ...answered,
  subject: german
    ? `Ihre Nachricht an ${read.sender.organization}`
    : `Your message to ${read.sender.organization}`,
  paragraphs: [
    ...answered.paragraphs.slice(0, factOf(read) ? 2 : 1),
    german
      ? 'Zurzeit haben wir dafür keinen Bedarf. Sollte sich das ändern, kommen wir auf Sie zu.'
      : 'At the moment there is no need for this on our side. Should that change, you will hear from us.',
  ],
})

/** The telling part of a message that asks nothing outright, or at least the lead's own word for what it is about. */
const echo = (message: string, say: (words: string) => string): string => {
  const sentence = sentencesOf(message).find((candidate) => !STEERS.test(candidate))
  if (sentence) return say(shorten(sentence, 200))
  const word =
    TOPICS.map(({ pattern }) => pattern.exec(message)?.[0]).find((found) => found !== undefined) ??
    wordsAsked(message).find((candidate) => !STEERS.test(candidate))
  return word ? say(word) : ''
}

/** How many of its questions a lead is quoted. */
const MOST_QUOTED = 4

/** What a message asks, in its order: its questions, and sentences that name what none of the questions does. */
const asksOf = (message: string): string[] => {
  const sentences = sentencesOf(message).filter((sentence) => !STEERS.test(sentence))
  const questions = sentences.filter((sentence) => sentence.endsWith('?'))
  const named = new Set(questions.map(namedIn))
  const asked = new Set(questions)
  for (const sentence of sentences) {
    const topic = namedIn(sentence)
    if (topic && !named.has(topic)) asked.add(sentence)
    named.add(topic)
  }
  return sentences.filter((sentence) => asked.has(sentence))
}

const topicsOf = (asked: string[]): Topic[] =>
  [...new Set(asked.map((sentence) => namedIn(sentence) ?? REQUEST))].slice(0, MOST_QUOTED)

const quotesOf = (asked: string[]): string[] =>
  asked.slice(0, MOST_QUOTED).map((sentence) => shorten(sentence, asked.length > 1 ? 160 : 240))

/** One question within the sentence, several one below the other. */
const quote = (opening: string, quoted: string[], mark: (words: string) => string): string => {
  const lines = quoted.map(mark)
  if (lines.length < 2) return lines[0] ? `${opening} ${lines[0]}` : ''
  return [opening, ...lines.map((line) => `– ${line}`)].join('\n')
}

const listed = (words: string[], and: string): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${and} ${words.at(-1)}`

/** The first topic that a text names. */
const namedIn = (text: string): Topic | undefined =>
  TOPICS.map((topic) => ({ topic, at: text.search(topic.pattern) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at)[0]?.topic

/** A sentence that tries to steer an agent, or that names a tool, is not repeated to anybody. */
const STEERS =
  /\b(?:ignor\w*|disregard|override|bypass|negeer|vergiss|pretend|bcc|system prompt|(?:previous|prior|above|your|all) (?:instructions?|rules|guidelines)|anweisung\w*|consignes|instrucciones|istruzioni|instruções|instructies|you are (?:now|an? (?:ai|admin\w*|assistant|agent))|approve (?:all|this|everything)|(?:e-?mail|mail|send|forward|envoyez|envía|schick\w*) (?:all|our|every|the|tous|todos|alle)\b.{0,20}\b(?:contacts?|leads?|customers?|pipeline|data\w*|records?|contactos|kontakte))\b|\w_\w/i

/** Addresses and markup are left out: nothing of a stranger's is passed on that somebody could follow. */
const sentencesOf = (text: string): string[] =>
  text
    .replaceAll(/<[^<>]*>|https?:\/\/\S*[^\s.?!,;]|[^\s@]{1,64}@\S*[^\s.?!,;]|[<>{}[\]]/g, ' ')
    .replaceAll(/[^\S\n]+/g, ' ')
    .split(/(?<=[.?!])\s+|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length > 3 && unfinishedIn(sentence).length === 0)

/** Facts that say something about a company, the most telling first. */
const TELLING = ['description', 'offer', 'industry', 'city', 'founded_year', 'employee_count', 'company_name']

const factOf = (read: LeadRead): { value: string; host: string } | undefined => {
  const citable = read.facts.filter(isCitable)
  const harmless = citable.filter(({ value }) => !STEERS.test(value))
  // A company may be called “Override”: what can be cited is cited, if nothing else is there.
  const usable = harmless.length > 0 ? harmless : citable
  for (const key of [...TELLING, undefined]) {
    const fact = usable.find((candidate) => key === undefined || candidate.key === key)
    if (fact)
      return { value: shorten(fact.value, 160), host: URL.parse(fact.source_url)?.host ?? 'your website' }
  }
  return undefined
}

/** What a lead may be called by; forms are also sent with “{{name}}” or an address in the place of a name. */
const nameOf = ({ lead: { name } }: LeadRead): string | null =>
  name !== null && unfinishedIn(name).length === 0 && !/[@/<>{}[\]|\\]|\bwww\./i.test(name) ? name : null

const firstName = (name: string | null): string | undefined => {
  const first = name?.trim().split(/\s+/)[0]
  return first && /^\p{L}[\p{L}'’-]+$/u.test(first) ? first : (name ?? undefined)
}

const isGerman = (message: string): boolean =>
  (message.match(
    /\b(?:und|ich|wir|sie|der|die|das|nicht|für|bitte|haben|möchten|guten|vielen|dank|ein|eine|mit)\b/gi,
  )?.length ?? 0) >= 3

const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`
