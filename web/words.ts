/** How values and names are worded on screen. */

/** `expected_close_on` → `Expected close on`; known fields have better words. */
export const fieldLabel = (field: string): string => known[field] ?? sentence(field.replace(/^custom\./, ''))

/** A value as text; undefined for what is empty. */
export const valueText = (value: unknown): string | undefined => {
  if (value === null || value === undefined || value === '') return undefined
  if (typeof value === 'string') return momentText(value)
  if (typeof value === 'boolean') return value ? 'Yes' : 'No'
  if (typeof value === 'number') return value.toLocaleString('en-GB')
  if (Array.isArray(value)) {
    const separator = value.some((item) => typeof item === 'object' && item !== null) ? '\n' : ', '
    return value.map(valueText).filter(Boolean).join(separator) || undefined
  }
  if (typeof value === 'object') {
    const named = value as Record<string, unknown>
    const name = named['label'] ?? named['name'] ?? named['title']
    if (typeof name === 'string') return name
    return (
      Object.entries(named)
        .filter(([, item]) => !(typeof item === 'string' && isId.test(item)))
        .flatMap(([key, item]) => (valueText(item) ? [`${fieldLabel(key)}: ${valueText(item)}`] : []))
        .join(', ') || undefined
    )
  }
  return undefined
}

/** `€12,400.00`: minor units in the currency's own way. */
export const money = (minor: number, currency: string): string => {
  const format = new Intl.NumberFormat('en-GB', { style: 'currency', currency })
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}

/** `1 e-mail`, `3 e-mails`. */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number.toLocaleString('en-GB')} ${number === 1 ? one : many}`

/** `send_email` → `Send email`. */
export const sentence = (name: string): string => capital(name.replaceAll(/[_-]+/g, ' ').trim())

/** `the e-mail address` → `The e-mail address`. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** `https://www.acme.de/prices?x=1` → `acme.de/prices`. */
export const shortUrl = (url: string): string => {
  try {
    const { hostname, pathname } = new URL(url)
    return hostname.replace(/^www\./, '') + (pathname === '/' ? '' : pathname.replace(/\/$/, ''))
  } catch {
    return url
  }
}

/** The address when a browser may safely open it: http and https only. */
export const safeUrl = (url: string | null | undefined): string | undefined => {
  if (!url) return undefined
  const full = /^[a-z][a-z+.-]*:/i.test(url) ? url : `https://${url}`
  return /^https?:\/\//i.test(full) ? full : undefined
}

const isoMoment = /^(\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d))(?: \([0-9a-f-]{36}\))?$/
const isId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const momentText = (text: string) => {
  const moment = isoMoment.exec(text)?.[1]
  return moment ? new Date(moment).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' }) : text
}

const known: Record<string, string> = {
  contact_name: 'Name',
  company_name: 'Company',
  email: 'E-mail',
  owner_id: 'Owner',
  stage_id: 'Stage',
  value_minor: 'Value',
  to: 'To',
  body: 'Message',
  due_at: 'Due',
  assignee_id: 'Assignee',
}
