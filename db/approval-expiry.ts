import type { BusinessHours } from './settings.ts'

const HOUR_MS = 3_600_000
/** How far ahead the next opening is looked for: a week covers every weekly timetable. */
const HORIZON_HOURS = 24 * 8

/**
 * When an approval expires: `hours` elapsed hours after `from`; if that falls outside business hours, one hour after
 * the next opening. An organization that is never open has no closed hours to move past.
 */
export const expiryOf = (from: Date, hours: number, business: { timezone: string; business_hours: BusinessHours }): Date => {
  const due = new Date(from.getTime() + hours * HOUR_MS)
  if (isOpen(due, business)) return due
  const minute = 60_000
  let at = Math.ceil(due.getTime() / minute) * minute
  for (const end = at + HORIZON_HOURS * HOUR_MS; at < end; at += minute * 15) {
    // Openings stand at whole minutes: the quarter in which one falls is walked minute by minute.
    if (!isOpen(new Date(at + minute * 14), business)) continue
    for (let exact = at; exact < at + minute * 15; exact += minute) {
      if (isOpen(new Date(exact), business)) return new Date(exact + HOUR_MS)
    }
  }
  return due
}

const isOpen = (at: Date, { timezone, business_hours }: { timezone: string; business_hours: BusinessHours }): boolean => {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at)
  const part = (type: string): string => parts.find((candidate) => candidate.type === type)?.value ?? ''
  const day = String(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(part('weekday')) + 1)
  const hours = business_hours[day]
  const time = `${part('hour')}:${part('minute')}`
  return hours !== undefined && time >= hours[0] && time < hours[1]
}
