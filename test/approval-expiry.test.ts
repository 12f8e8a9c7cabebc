import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expiryOf } from '../db/approval-expiry.ts'
import { OFFICE_HOURS, type BusinessHours } from '../db/settings.ts'

const berlin = { timezone: 'Europe/Berlin', business_hours: OFFICE_HOURS }
const at = (from: string, business = berlin, hours = 72): string =>
  expiryOf(new Date(from), hours, business).toISOString()

describe('an approval expires', () => {
  test('72 elapsed hours later, when that is within business hours', () => {
    // Monday 10:30 in Berlin → Thursday 10:30
    expect(at('2026-03-02T09:30:00Z')).toBe('2026-03-05T09:30:00.000Z')
  })

  test('one hour after the next opening, when that is in the evening, at night or at the weekend', () => {
    // Monday 20:00 → Thursday 20:00 → Friday 10:00
    expect(at('2026-03-02T19:00:00Z')).toBe('2026-03-06T09:00:00.000Z')
    // Thursday 12:00 → Sunday 12:00 → Monday 10:00
    expect(at('2026-03-05T11:00:00Z')).toBe('2026-03-09T09:00:00.000Z')
    // Tuesday 02:00 → Friday 02:00 → Friday 10:00
    expect(at('2026-03-03T01:00:00Z')).toBe('2026-03-06T09:00:00.000Z')
  })

  test('at the stroke of opening it is open, at the stroke of closing it is closed', () => {
    expect(at('2026-03-02T08:00:00Z')).toBe('2026-03-05T08:00:00.000Z')
    expect(at('2026-03-02T16:00:00Z')).toBe('2026-03-06T09:00:00.000Z')
  })

  test('by the clock of the organization, also when that clock is changed in between', () => {
    // Friday 10:00 winter time → Monday, when summer time has begun: nine elapsed hours are not ten.
    expect(at('2026-03-27T09:00:00Z')).toBe('2026-03-30T09:00:00.000Z')
    // Thursday noon → Sunday → Monday 10:00 summer time
    expect(at('2026-03-26T11:00:00Z')).toBe('2026-03-30T08:00:00.000Z')
    const tokyo = { timezone: 'Asia/Tokyo', business_hours: OFFICE_HOURS }
    expect(at('2026-03-02T09:30:00Z', tokyo)).toBe('2026-03-06T01:00:00.000Z')
  })

  test('exactly then, when the organization is never open', () => {
    expect(at('2026-03-05T11:00:00Z', { timezone: 'UTC', business_hours: {} })).toBe(
      '2026-03-08T11:00:00.000Z',
    )
  })

  test('one hour after an opening of ten minutes a week, too', () => {
    const rare = { timezone: 'UTC', business_hours: { '3': ['11:07', '11:17'] } satisfies BusinessHours }
    expect(at('2026-03-05T11:00:00Z', rare)).toBe('2026-03-11T12:07:00.000Z')
  })
})

const minutes = (n: number): string =>
  `${String(Math.floor(n / 60)).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}`
const day = fc
  .tuple(fc.integer({ min: 0, max: 1_430 }), fc.integer({ min: 1, max: 900 }))
  .map(([opens, length]): [string, string] => [minutes(opens), minutes(Math.min(opens + length, 1_440))])
const weeks = fc.dictionary(fc.constantFrom('1', '2', '3', '4', '5', '6', '7'), day, { minKeys: 1 })
const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
)

const localTime = (time: Date, timezone: string): { day: string; time: string } => {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(time)
  const part = (type: string) => parts.find((found) => found.type === type)?.value ?? ''
  return {
    day: String(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(part('weekday')) + 1),
    time: `${part('hour')}:${part('minute')}`,
  }
}
const isOpen = (time: Date, timezone: string, week: BusinessHours): boolean => {
  const local = localTime(time, timezone)
  const hours = week[local.day]
  return hours !== undefined && local.time >= hours[0] && local.time < hours[1]
}

test('whenever and wherever: never early; either open at its 72 hours, or one hour after the first opening that follows', () => {
  fc.assert(
    fc.property(
      fc.date({
        min: new Date('2026-01-01T00:00:00Z'),
        max: new Date('2027-12-31T00:00:00Z'),
        noInvalidDate: true,
      }),
      zones,
      weeks,
      (from, timezone, business_hours) => {
        const due = from.getTime() + 72 * 3_600_000
        const expires = expiryOf(from, 72, { timezone, business_hours }).getTime()
        expect(expires).toBeGreaterThanOrEqual(due)
        if (isOpen(new Date(due), timezone, business_hours)) return expires === due
        const opening = expires - 3_600_000
        expect(isOpen(new Date(opening), timezone, business_hours)).toBe(true)
        // Nothing between the end and the opening was open: looked at every seven minutes, and at the minute before.
        expect(isOpen(new Date(opening - 60_000), timezone, business_hours) && opening - 60_000 >= due).toBe(
          false,
        )
        for (let time = due; time < opening; time += 7 * 60_000) {
          if (isOpen(new Date(time), timezone, business_hours)) return false
        }
        return true
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)
