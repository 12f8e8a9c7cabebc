import { parseJson } from '../body.ts'
import { Problem } from '../problem.ts'

/**
 * Reads a delivery as an object: JSON, or the fields of a form. Without a content type, JSON is tried.
 * @throws {Problem} 400 `invalid_json`, `invalid_form`, `unsupported_body`
 */
export const readPayload = async (
  bytes: Uint8Array,
  content_type: string,
  { what, example }: { what: string; example: string } = LEAD,
): Promise<Record<string, unknown>> => {
  const kind = content_type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (kind === 'application/x-www-form-urlencoded')
    return fieldsOf(new URLSearchParams(Buffer.from(bytes).toString('utf8')))
  if (kind === 'multipart/form-data') return fieldsOf(await readForm(bytes, content_type))
  // text/plain is what a browser sends when a page posts JSON without asking first.
  if (kind !== '' && kind !== 'application/json' && kind !== 'text/plain' && !kind.endsWith('+json')) {
    throw new Problem(
      400,
      'unsupported_body',
      `${what} comes as JSON or as a form, not as ${kind.slice(0, 100)}.`,
      { extra: { accepted } },
    )
  }
  const value = parseJson(bytes)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Problem(400, 'invalid_json', `${what} is a JSON object, such as ${example}.`)
}

const LEAD = { what: 'A lead', example: '{"name": "Ana Ruiz", "email": "ana@example.com"}' }

const accepted = ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data']

const readForm = async (bytes: Uint8Array, content_type: string): Promise<FormData> => {
  try {
    const answer = new Response(Buffer.from(bytes), { headers: { 'content-type': content_type } })
    // oxlint-disable-next-line typescript/no-deprecated -- it holds everything in memory, which the body limit bounds
    return await answer.formData()
  } catch {
    throw new Problem(400, 'invalid_form', 'The body is not the form that its content type announces.')
  }
}

/** A field that comes several times becomes a list; of a file, its name and size are kept. */
const fieldsOf = (form: URLSearchParams | FormData): Record<string, unknown> => {
  const fields = new Map<string, unknown[]>()
  for (const [name, value] of form.entries()) {
    const kept = typeof value === 'string' ? value : { file: value.name, size: value.size, type: value.type }
    fields.set(name, [...(fields.get(name) ?? []), kept])
  }
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}
