import { Problem } from '../problem.ts'
import { parseExactJson } from './exact-json.ts'
import { type FormField, readForm } from './form-fields.ts'

/**
 * Reads a delivery as an object: JSON, or the fields of a form, without loss of a digit or a letter. Without a content
 * type, JSON is tried.
 * @throws {Problem} 400 `invalid_json`, `invalid_form`, `unknown_charset`, `unsupported_body`
 */
export const readPayload = (
  bytes: Uint8Array,
  content_type: string,
  { what, example }: { what: string; example: string } = LEAD,
): Record<string, unknown> => {
  const kind = content_type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (FORMS.includes(kind)) return fieldsOf(readForm(bytes, content_type))
  // text/plain is what a browser sends when a page posts JSON without asking first.
  if (kind !== '' && kind !== 'application/json' && kind !== 'text/plain' && !kind.endsWith('+json')) {
    throw new Problem(
      400,
      'unsupported_body',
      `${what} comes as JSON or as a form, not as ${kind.slice(0, 100)}.`,
      { extra: { accepted } },
    )
  }
  const value = parseExactJson(bytes)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Problem(400, 'invalid_json', `${what} is a JSON object, such as ${example}.`)
}

const LEAD = { what: 'A lead', example: '{"name": "Ana Ruiz", "email": "ana@example.com"}' }

const FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data']
const accepted = ['application/json', ...FORMS]

/** A field that comes several times becomes a list. */
const fieldsOf = (form: readonly FormField[]): Record<string, unknown> => {
  const fields = new Map<string, unknown[]>()
  for (const [name, value] of form) {
    const values = fields.get(name)
    if (values) values.push(value)
    else fields.set(name, [value])
  }
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}
