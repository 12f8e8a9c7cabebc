import { Email, Line, Lines, Website, type Warning } from './lead-fields.ts'
import { intakeFields, type IntakeField, type Mapping } from './intake-sources.ts'
import type { NewLead } from './leads.ts'
import { clip } from './text.ts'

/** A payload read as a lead: its fields, what was sent beyond them, and what could not be understood. */
export type MappedLead = {
  lead: NewLead
  extra: Record<string, unknown>
  warnings: Warning[]
  faults: MappingFault[]
}
/** A mapping that does not fit the payload: somebody has to look at it. */
export type MappingFault = { field: IntakeField; path: string; message: string }

/** Which lead field each intake field fills. */
const TARGETS = {
  name: 'contact_name',
  company: 'company_name',
  email: 'email',
  phone: 'phone',
  website: 'website',
  title: 'title',
  message: 'message',
  city: 'city',
  state: 'state',
  country: 'country',
  source: 'source',
  campaign: 'campaign',
  landing_page: 'landing_page',
  external_id: 'external_id',
} as const satisfies Record<IntakeField, keyof NewLead>

/** The names that other systems give these fields; tried in order when a payload does not use ours. */
const ALIASES: Partial<Record<IntakeField, string[]>> = {
  name: ['contact_name', 'full_name', 'fullName'],
  company: ['company_name', 'organization', 'organisation'],
  email: ['email_address', 'mail'],
  phone: ['phone_number', 'telephone', 'tel', 'mobile'],
  website: ['url', 'domain'],
  title: ['job_title', 'role', 'position'],
  message: ['comment', 'comments', 'body', 'text', 'notes'],
  source: ['utm_source'],
  campaign: ['utm_campaign'],
  landing_page: ['page_url'],
}

/**
 * Reads a payload by a source's mapping, or by the default one. A value that is no valid e-mail, website … becomes a
 * warning and is kept in `extra`. A mapping is broken when it finds none of the name, e-mail and phone that it names
 * (none of its fields, where it names none of these), or text where there is none; a blank optional field breaks nothing.
 */
export const mapPayload = (
  payload: unknown,
  mapping: Mapping | null,
  defaults: Partial<Record<IntakeField, string>>,
): MappedLead => {
  const faults: MappingFault[] = []
  const warnings: Warning[] = []
  const lead: Record<string, unknown> = {}
  const used = new Set<string>()
  const kept: Record<string, unknown> = {}
  const missing: MappingFault[] = []
  for (const field of intakeFields) {
    const path = mapping?.[field]
    const found = path ? lookUp(payload, path) : lookUpDefault(payload, field)
    if (path && found === undefined) {
      missing.push({ field, path, message: `the payload has nothing at “${path}”` })
      continue
    }
    if (found) used.add(found.key)
    const value = found?.value ?? defaults[field]
    if (value === undefined || value === null || value === '') continue
    const text = textOf(value)
    if (text === undefined) {
      if (path) faults.push({ field, path, message: `“${path}” is no text` })
      else kept[field] = value
      continue
    }
    const parsed = parseField(field, text)
    if (parsed.success) lead[TARGETS[field]] = parsed.data
    else {
      kept[field] = text
      warnings.push({
        field,
        message: `“${clip(text, 100)}” is not ${parsed.expected}; it was kept but not used`,
      })
    }
  }
  if (mapping && !fits(mapping, missing)) faults.push(...missing)
  composeName(payload, lead, used)
  return { lead, extra: { ...kept, ...unused(payload, used) }, warnings, faults }
}

const IDENTITY: IntakeField[] = ['name', 'email', 'phone']

const fits = (mapping: Mapping, missing: MappingFault[]): boolean => {
  const named = intakeFields.filter((field) => mapping[field] !== undefined)
  const telling = named.filter((field) => IDENTITY.includes(field))
  const wanted = telling.length > 0 ? telling : named
  return wanted.length === 0 || wanted.some((field) => !missing.some((fault) => fault.field === field))
}

// Made once: making a schema costs more than what it checks.
const line = Line()
const ordinary = { schema: line, expected: 'a text of at most 300 characters' }

const parsers: Partial<
  Record<
    IntakeField,
    { schema: { safeParse: (text: string) => { success: boolean; data?: unknown } }; expected: string }
  >
> = {
  email: { schema: Email, expected: 'an e-mail address' },
  website: { schema: Website, expected: 'a website' },
  message: { schema: Lines(), expected: 'a text of at most 20,000 characters' },
  landing_page: { schema: Line(2_000), expected: 'an address of at most 2,000 characters' },
}

const parseField = (
  field: IntakeField,
  text: string,
): { success: true; data: unknown } | { success: false; expected: string } => {
  const { schema, expected } = parsers[field] ?? ordinary
  const parsed = schema.safeParse(text)
  return parsed.success ? { success: true, data: parsed.data } : { success: false, expected }
}

type Found = { key: string; value: unknown }

const lookUpDefault = (payload: unknown, field: IntakeField): Found | undefined => {
  for (const name of [field, ...(ALIASES[field] ?? [])]) {
    const found = lookUp(payload, name)
    if (found && found.value !== null && found.value !== '') return found
  }
  return undefined
}

const lookUp = (payload: unknown, path: string): Found | undefined => {
  const steps = path.split(/[.[\]]/).filter((step) => step !== '')
  let value: unknown = payload
  for (const step of steps) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return { key: steps[0] ?? path, value }
}

const textOf = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value) && value.length === 1) return textOf(value[0])
  return undefined
}

/** Forms often ask for first and last name apart. */
const composeName = (payload: unknown, lead: Record<string, unknown>, used: Set<string>): void => {
  if (lead['contact_name']) return
  const parts = [
    ['first_name', 'firstname', 'firstName'],
    ['last_name', 'lastname', 'lastName'],
  ].flatMap((names) => {
    const found = names
      .map((name) => lookUp(payload, name))
      .find((candidate) => typeof candidate?.value === 'string')
    if (!found || typeof found.value !== 'string' || found.value.trim() === '') return []
    used.add(found.key)
    return [found.value.trim()]
  })
  const name = line.safeParse(parts.join(' '))
  if (name.success && name.data) lead['contact_name'] = name.data
}

const unused = (payload: unknown, used: Set<string>): Record<string, unknown> =>
  payload !== null && typeof payload === 'object' && !Array.isArray(payload)
    ? Object.fromEntries(Object.entries(payload).filter(([key]) => !used.has(key)))
    : {}
