import type { LeadRead } from './rules-lead.ts'

/** What a message is about, in words that fit into a sentence; `buys` when it is a step towards an order. */
export type Topic = { noun: string; noun_de: string; buys: boolean }

/** The first topic that a message names; without one it is simply a request. */
export const topicOf = (message: string | null): Topic => {
  const text = message ?? ''
  const found = TOPICS.map((topic) => ({ topic, at: text.search(topic.pattern) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at)[0]?.topic
  return found ?? { noun: 'your request', noun_de: 'Ihre Anfrage', buys: false }
}

/**
 * An answer to a lead's message, ready to send: says what was asked, cites one fact from the website word for word,
 * promises nothing that is not known, and asks for the next step.
 * @param plain leaves out what may have been refused before: the quoted question
 * @param declines says a friendly no: the sender wants to sell, or wants nothing
 */
export const composeReply = (
  read: LeadRead,
  { plain, declines }: { plain: boolean; declines: boolean },
): { subject: string; body: string } => {
  const german = isGerman(read.message ?? '')
  const topic = topicOf(read.message)
  const question = plain ? undefined : questionOf(read.message ?? '')
  const answered = german ? inGerman(read, topic, question) : inEnglish(read, topic, question)
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

const inEnglish = (read: LeadRead, topic: Topic, question: string | undefined): Words => {
  const fact = factOf(read)
  const about = topic.noun === 'your request' ? '' : ` about ${topic.noun}`
  return {
    subject:
      topic.noun === 'your request'
        ? `Your message to ${read.sender.organization}`
        : `Your question about ${topic.noun}`,
    greeting: `Hello ${firstName(read.lead.name) ?? 'there'},`,
    paragraphs: [
      read.message
        ? `thank you for your message${about}.${question ? ` You wrote: “${question}”` : echo(read.message, (words) => ` You mention “${words}”.`)}`
        : `thank you for your interest in ${read.sender.organization}.`,
      ...(fact
        ? [
            `I had a look at ${fact.host} and read: “${fact.value}”. That helps me to answer for your situation rather than in general.`,
          ]
        : []),
      topic.buys
        ? 'So that you get a firm answer instead of a guess, two things would help: when you would like to start, and who else should be part of the conversation.'
        : 'So that you get a useful answer, it would help to know what you would like to reach, and by when.',
      'Would a short call this week suit you? Reply with a time, or simply answer this e-mail.',
    ],
    closing: 'Best regards,',
  }
}

const inGerman = (read: LeadRead, topic: Topic, question: string | undefined): Words => {
  const fact = factOf(read)
  return {
    subject:
      topic.noun === 'your request'
        ? `Ihre Nachricht an ${read.sender.organization}`
        : `Ihre Frage: ${topic.noun_de}`,
    greeting: read.lead.name ? `Guten Tag ${read.lead.name},` : 'Guten Tag,',
    paragraphs: [
      `vielen Dank für Ihre Nachricht.${question ? ` Sie schreiben: „${question}“` : echo(read.message ?? '', (words) => ` Sie erwähnen „${words}“.`)}`,
      ...(fact
        ? [`Auf ${fact.host} habe ich gelesen: „${fact.value}“. Das hilft mir, auf Ihre Lage einzugehen.`]
        : []),
      topic.buys
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
  const word = TOPICS.map(({ pattern }) => pattern.exec(message)?.[0]).find((found) => found !== undefined)
  return word ? say(word) : ''
}

const questionOf = (message: string): string | undefined => {
  const asked = sentencesOf(message).filter((sentence) => !STEERS.test(sentence))
  const best =
    asked.find((sentence) => sentence.endsWith('?')) ??
    asked.find((sentence) => TOPICS.some(({ pattern }) => pattern.test(sentence)))
  return best && shorten(best, 240)
}

/** A sentence that tries to steer an agent, or that names a tool, is not repeated to anybody. */
const STEERS =
  /\b(?:ignor\w*|disregard|override|bypass|negeer|vergiss|pretend|bcc|system prompt|(?:previous|prior|above|your|all) (?:instructions?|rules|guidelines)|anweisung\w*|consignes|instrucciones|istruzioni|instruções|instructies|you are (?:now|an? (?:ai|admin\w*|assistant|agent))|approve (?:all|this|everything)|(?:e-?mail|mail|send|forward|envoyez|envía|schick\w*) (?:all|our|every|the|tous|todos|alle)\b.{0,20}\b(?:contacts?|leads?|customers?|pipeline|data\w*|records?|contactos|kontakte)|lorem ipsum|xxx+)\b|\w_\w/i

/** Capitals only: “todo” is an ordinary word in Spanish. */
const UNFINISHED = /\b(?:TBD|TBC|TODO|FIXME)\b/

/** Addresses and markup are left out: nothing of a stranger's is passed on that somebody could follow. */
const sentencesOf = (text: string): string[] =>
  text
    .replaceAll(/<[^<>]*>|https?:\/\/\S*[^\s.?!,;]|[^\s@]{1,64}@\S*[^\s.?!,;]|[<>{}[\]]/g, ' ')
    .replaceAll(/[^\S\n]+/g, ' ')
    .split(/(?<=[.?!])\s+|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length > 3 && !UNFINISHED.test(sentence))

/** Facts that say something about a company, the most telling first. */
const TELLING = ['description', 'offer', 'industry', 'city', 'founded_year', 'employee_count', 'company_name']

/** How a company is reached, or what its site is made of: nothing to tell it about itself. */
const UNTOLD = ['technology', 'social_link', 'email', 'phone']

const factOf = (read: LeadRead): { value: string; host: string } | undefined => {
  const usable = read.facts.filter(
    ({ key, value }) => !UNTOLD.includes(key) && value.length >= 3 && !STEERS.test(value),
  )
  for (const key of [...TELLING, undefined]) {
    const fact = usable.find((candidate) => key === undefined || candidate.key === key)
    if (fact)
      return {
        value: shorten(fact.value, 160).replace(/[.!]$/, ''),
        host: URL.parse(fact.source_url)?.host ?? 'your website',
      }
  }
  return undefined
}

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
