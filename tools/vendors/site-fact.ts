import { plainText, shorten, SNIPPET_LENGTH } from './plain-text.ts'

/** What a fact is about; `email`, `phone`, `social_link`, `technology` and `offer` may occur several times, best first. */
export type FactKey =
  | 'company_name'
  | 'description'
  | 'industry'
  | 'email'
  | 'phone'
  | 'street'
  | 'city'
  | 'state'
  | 'postal_code'
  | 'country'
  | 'social_link'
  | 'technology'
  | 'founded_year'
  | 'employee_count'
  | 'offer'

/** One thing a site says, with the place it says it. */
export type Fact = {
  key: FactKey
  value: string
  source_url: string
  /** At most 200 characters of plain text around the finding. */
  snippet: string
}

/** States a fact found on a page, cleaned of everything invisible. */
export const fact = (key: FactKey, value: string, page: { url: string }, snippet: string): Fact => ({
  key,
  value: shorten(plainText(value), key === 'description' ? 500 : 300),
  source_url: page.url,
  snippet: shorten(plainText(snippet), SNIPPET_LENGTH),
})
