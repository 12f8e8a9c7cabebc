/** Dates and durations as the pages word them. */

/** `09:14` in the reader's time zone. */
export const clock = (iso: string): string => clockFormat.format(new Date(iso))

/** `18 Nov`, with the year when it is another one. */
export const day = (iso: string, now = new Date()): string => {
  const date = new Date(iso)
  return (date.getFullYear() === now.getFullYear() ? dayFormat : dayYearFormat).format(date)
}

/** `18 Nov 2026, 09:14:03`: the whole truth, for a hover. */
export const fullTime = (iso: string): string => fullFormat.format(new Date(iso))

/** `Today`, `Yesterday`, else the day: the heading of a day on a timeline. */
export const dayHeading = (iso: string, now = new Date()): string => {
  const days = calendarDays(new Date(iso), now)
  return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : day(iso, now)
}

/** `now`, `5 min`, `3 h`, `2 d`, then the day: how long ago, without the word. */
export const age = (iso: string, now = new Date()): string => {
  const seconds = (now.getTime() - new Date(iso).getTime()) / 1000
  if (seconds < 60) return 'now'
  return seconds < 30 * 86_400 ? span(seconds) : day(iso, now)
}

/** `in 3 h`, or undefined when the moment has passed. */
export const until = (iso: string, now = new Date()): string | undefined => {
  const seconds = (new Date(iso).getTime() - now.getTime()) / 1000
  return seconds <= 0 ? undefined : `in ${seconds < 60 ? '1 min' : span(seconds)}`
}

/** `4 d`: whole days since a moment. */
export const daysSince = (iso: string, now = new Date()): number =>
  Math.max(0, Math.floor((now.getTime() - new Date(iso).getTime()) / 86_400_000))

/** `340 ms`, `2.1 s`, `1 min 5 s`. */
export const duration = (milliseconds: number): string => {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Milliseconds between two moments, undefined while the second is unknown. */
export const between = (from: string | null | undefined, to: string | null | undefined): number | undefined =>
  from && to ? new Date(to).getTime() - new Date(from).getTime() : undefined

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayYearFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const fullFormat = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

const span = (seconds: number) => {
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

const calendarDays = (date: Date, now: Date) => {
  const midnight = (moment: Date) =>
    new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime()
  return Math.round((midnight(now) - midnight(date)) / 86_400_000)
}
