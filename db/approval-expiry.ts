import type { BusinessHours } from './settings.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
/** How far ahead the next opening is looked for: a week covers every weekly timetable. */
const HORIZON_HOURS = 24 * 8

/**
 * When an approval expires: `hours` elapsed hours after `from`; if that falls outside business hours, one hour after
 * the next opening. An organization that is never open has no closed hours to move past.
 */
export const expiryOf = (
  from: Date,
  hours: number,
  business: { timezone: string; business_hours: BusinessHours },
): Date => {
  const due = new Date(from.getTime() + hours * HOUR_MS)
  if (isOpen(due, business)) return due
  const start = Math.ceil(due.getTime() / MINUTE_MS)
  // Openings stand at whole minutes. Strides no longer than the shortest day's hours step over none of them.
  const stride = Math.min(
    15,
    ...Object.values(business.business_hours).map((hours) => Math.max(1, minutesOf(hours))),
  )
  for (let n = start; n <= start + HORIZON_HOURS * 60; n += stride) {
    if (!isOpen(new Date(n * MINUTE_MS), business)) continue
    let opening = n
    while (opening > start && isOpen(new Date((opening - 1) * MINUTE_MS), business)) opening -= 1
    return new Date(opening * MINUTE_MS + HOUR_MS)
  }
  return due
}

const minutesOf = (hours: [string, string] | undefined): number => {
  const [opens = 0, closes = 0] = (hours ?? []).map(
    (time) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3)),
  )
  return closes - opens
}

/** Making one costs more than asking it a thousand times. */
const clocks = new Map<string, Intl.DateTimeFormat>()

const clockOf = (timezone: string): Intl.DateTimeFormat => {
  const known = clocks.get(timezone)
  if (known) return known
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  clocks.set(timezone, clock)
  return clock
}

const isOpen = (
  at: Date,
  { timezone, business_hours }: { timezone: string; business_hours: BusinessHours },
): boolean => {
  const parts = clockOf(timezone).formatToParts(at)
  const part = (type: string): string => parts.find((candidate) => candidate.type === type)?.value ?? ''
  const day = String(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(part('weekday')) + 1)
  const hours = business_hours[day]
  const time = `${part('hour')}:${part('minute')}`
  return hours !== undefined && time >= hours[0] && time < hours[1]
}
