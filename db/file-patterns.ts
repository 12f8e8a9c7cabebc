// What amounts, dates, addresses and companies look like in the text of a document.

const MONTHS =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|januar|februar|märz|mai|juni|juli|oktober|dezember'
const NUMBER = String.raw`\d{1,3}(?:[.,' ]\d{3})*(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?`
const CURRENCY = 'EUR|USD|GBP|CHF|PLN|SEK|NOK|DKK|CZK|JPY|CAD|AUD|BRL|INR|CNY'
const LEGAL =
  'GmbH(?: & Co\\. KG)?|AG|SE|KG|UG|Ltd\\.?|Limited|LLC|LLP|Inc\\.?|Corp\\.?|PLC|S\\.?A\\.?S?\\.?|S\\.?L\\.?|S\\.?r\\.?l\\.?|B\\.?V\\.?|N\\.?V\\.?|Oy|AB|ApS|A/S|Sp\\. z o\\.o\\.'

/** An amount with its currency, as `€12,400` or `1.200,50 EUR`. */
export const AMOUNT = new RegExp(
  String.raw`(?<![\w.,])(?:(?:[€$£¥]|${CURRENCY})\s?(?:${NUMBER})|(?:${NUMBER})\s?(?:[€£¥]|(?:${CURRENCY})\b))(?![\w]|[.,]\d)`,
  'g',
)

/** A whole date; versions and section numbers look like one, too, but have no such day or month. */
export const DATE = new RegExp(
  String.raw`(?<![\w.])(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}|\d{1,2}\.? (?:${MONTHS})\.?,? \d{4}|(?:${MONTHS})\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})(?![\w-])`,
  'gi',
)

export const EMAIL = /[\w.+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/gi

/** A company by its legal form. */
export const COMPANY = new RegExp(
  String.raw`(?<!\p{L})(?:\p{Lu}[\p{L}\p{N}&'’-]*\s){1,5}(?:${LEGAL})(?![\p{L}\p{N}])`,
  'gu',
)
