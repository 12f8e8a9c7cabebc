import { visibleText } from './text.ts'

/** What a lead's message wants of us. Whoever left words wants an answer, unless they say that they want none. */
export const wishes = ['answer', 'nothing', 'left_alone'] as const
export type Wish = (typeof wishes)[number]

/** What a message wants: the one place where it is decided whether a lead asked for something. */
export const wishOf = (message: string | null): Wish => {
  if (leftAloneIn(message) !== undefined) return 'left_alone'
  return /[\p{L}\p{N}?]/u.test(visibleText(message ?? '')) ? 'answer' : 'nothing'
}

/**
 * The words with which a message asks not to be written to any more, if it does. Rather misses one than takes a question
 * about unsubscribing for one: “an unsubscribe button” and “do not call me before ten” are ordinary messages.
 */
export const leftAloneIn = (message: string | null): string | undefined => {
  const plain = visibleText(message ?? '')
    .normalize('NFKC')
    .replaceAll('’', "'")
    .replaceAll(/[^\S\n]+/g, ' ')
    .slice(0, 20_000)
  for (const pattern of patterns) {
    const found = pattern.exec(plain)?.[0].trim()
    if (found) return found
  }
  return undefined
}

/** Up to so many characters between two words of one thought. */
const near = String.raw`[^.!?;\n]{0,40}?`
/** Where a thought ends, with or without a word of courtesy; `full` is where the whole sentence does. */
const courtesy = String.raw`(?:,? ?(?:please|thanks?|thank you|bitte|danke|merci|svp|por favor|gracias))?`
const end = String.raw`(?=${courtesy}\s*(?:[.!?;,\n]|$))`
const full = String.raw`(?=${courtesy}\s*(?:[.!;\n]|$))`
/** Where one begins. */
const start = String.raw`(?<=(?:^|[.!?;,:\n])\s{0,3}(?:(?:please|kindly|bitte),? )?)`
/** What turns “do not call me” into a word about how or when. */
const unless = String.raw`(?![^.!?\n]{0,60}\b(?:until|till|before|after|unless|during|but|instead|sondern|mais|sino)\b)`
const them = String.raw`(?:me|us)`
const more = String.raw`(?:again|any ?more|any longer|ever|in (?:the )?future|at all|further)`
const mails = String.raw`(?:e-?mails?|mails?|messages?|newsletters?|mailings?|calls?|contact)`
const lists = String.raw`(?:lists?|mailings?|database|system|crm|records|newsletters?|e-?mails?)`
const off = String.raw`(?:from|off|of) (?:(?:your|this|these|all|any)\b${near}\b${lists}|(?:the |a )?(?:mailing |e-?mail |contact )?(?:lists?|newsletters?|mailings?))`

const patterns: RegExp[] = [
  // English
  String.raw`^\W*(?:stop|unsubscribe|remove|opt[ -]?out)(?=\W*$)`,
  String.raw`${start}unsubscribe(?: ${off}|${end})`,
  String.raw`unsubscribe (?:${them}|my e-?mail|this (?:e-?mail )?address)|opt ${them} out`,
  String.raw`(?:(?:want|like|wish|need|trying) to|how (?:do|can) (?:i|we)|let ${them}) (?:unsubscribe|opt[ -]?out)(?: ${off}|${end})`,
  String.raw`(?:remove|delete) (?:${them}|my (?:name|data|details|number|(?:e-?mail )?address|e-?mail))(?: ${off}|${end})|take ${them} ${off}`,
  String.raw`(?:do not|don't|dont|never) (?:contact|e-?mail|mail|call|text|message|phone|write(?: to)?) ${them}\b(?:${near}\b${more}${unless}|${full})`,
  String.raw`(?:stop|quit|cease) (?:contacting|e-?mailing|mailing|calling|texting|messaging|spamming|writing(?: to)?) ${them}${unless}`,
  String.raw`leave ${them} alone`,
  String.raw`(?:do not|don't|dont|no longer) (?:want|wish) to (?:be contacted(?: by you| ${more}|${full})|hear from you|(?:receive|get)${near}\b(?:your|more|further|these)\b${near}\b${mails})`,
  String.raw`${start}no (?:more|further) ${mails}(?: from you| to ${them})?${full}`,
  // German
  String.raw`(?:streichen|nehmen|löschen|entfernen|tragen) sie (?:bitte )?(?:mich|uns|meine (?:e-?mail-?)?(?:adresse|daten|nummer))(?:${near}(?:liste|verteiler|newsletter|datenbank)\w*|${end})`,
  String.raw`(?:mich|uns) (?:bitte )?(?:vom|von|aus) (?:der|dem|ihrem|ihrer)?${near}(?:liste|verteiler|newsletter)\w* (?:abmelden|austragen|streichen|löschen|entfernen|nehmen)|(?:melden sie|melde|meldet) (?:mich|uns)${near}\bab${end}`,
  String.raw`(?:kontaktieren|schreiben|mailen|anschreiben) sie (?:bitte )?(?:mich|mir|uns) (?:bitte )?(?:nicht (?:mehr|wieder|weiter)|nie (?:mehr|wieder))${unless}`,
  String.raw`rufen sie (?:bitte )?(?:mich|uns) (?:bitte )?(?:nicht (?:mehr|wieder)|nie (?:mehr|wieder)) an`,
  String.raw`bitte (?:mich |uns )?(?:nicht (?:mehr|wieder|weiter)|nie (?:mehr|wieder)) (?:kontaktieren|anschreiben|anrufen|anmailen)|(?:nicht (?:mehr|wieder|weiter)|nie (?:mehr|wieder)) von ihnen (?:kontaktiert|angeschrieben|angerufen)`,
  String.raw`(?:bitte|(?:senden|schicken) sie (?:mir|uns)(?: bitte)?|(?:ich|wir) (?:möchten?|wünschen?|wollen|will)(?: von ihnen)?) keine (?:weiteren )?(?:e-?mails?|mails?|newsletter|nachrichten|werbung|anrufe)(?: mehr|${full})`,
  String.raw`lassen sie (?:mich|uns) (?:bitte |endlich )?in ruhe`,
  // French
  String.raw`(?:désabonnez|désinscrivez|retirez|supprimez|enlevez|rayez)[- ](?:moi|nous)`,
  String.raw`(?:me|nous) (?:désabonner|désinscrire)(?: de (?:votre|vos|cette)|${end})`,
  String.raw`ne (?:me|nous) (?:contactez|écrivez|appelez|envoyez)${near}(?:plus|jamais)${unless}`,
  String.raw`ne plus (?:me|nous) (?:contacter|écrire|appeler|solliciter)|ne (?:souhait\w+|veux|voulons) plus (?:être contactée?s?|recevoir (?:de |d'|vos )${near}(?:e-?mails?|mails?|courriels?|messages?|newsletters?))`,
  String.raw`laissez[- ](?:moi|nous) tranquilles?`,
  // Spanish
  String.raw`(?:d[ée]n?|dar)(?:me|nos) de baja(?: de (?:su|sus|esta)|${end})`,
  String.raw`no (?:me|nos) (?:contacten?|escriban?|llamen?|envíen?|manden?)${near}(?:más|nunca|nuevamente|de nuevo)${unless}`,
  String.raw`(?:no vuelvan? a|dejen? de) (?:contactar|escribir|llamar|molestar|enviar|mandar)(?:me|nos)`,
  String.raw`(?:elim[ií]n[ea]n?|b[oó]rr[ea]n?|qu[ií]t[ea]n?|s[aá]quen?|eliminar|borrar|quitar|sacar)(?:me|nos) de (?:su|sus|esta|la lista)`,
  String.raw`no (?:quiero|deseo|queremos|deseamos) recibir (?:más|sus) (?:correos?|e-?mails?|mensajes|llamadas|publicidad|boletines)`,
  String.raw`d[ée]jen?(?:me|nos) en paz`,
].map((source) => new RegExp(String.raw`(?<![\p{L}\p{N}])(?:${source})(?![\p{L}\p{N}])`, 'iu'))
