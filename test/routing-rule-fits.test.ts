import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Filter } from '../db/filters.ts'
import { factsOf, readConditions, RoutingConditions, segmentKey } from '../db/routing-conditions.ts'
import { sectorFinder } from '../db/routing-sectors.ts'
import { covers } from '../db/routing-shadows.ts'
import { openApi, type ApiWorld } from './api.ts'
import { sieveOf, to } from './routing-rules.ts'
import { openTeam } from './team.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

describe('F33: random rules and leads', () => {
  const word = fc.constantFrom(
    'Fair',
    'FAIR',
    'fáir',
    'Web form',
    'web  form',
    'Referral',
    'Straße',
    'STRASSE',
  )
  const words = fc.uniqueArray(word, { minLength: 1, maxLength: 3 })
  const domain = fc.constantFrom('x.example', 'mail.x.example', 'yx.example', 'y.example')
  const page = fc.constantFrom('/demo', '/demo/now', 'x.example/demo', 'https://x.example', 'now', '/')
  const pages = fc.uniqueArray(page, { minLength: 1, maxLength: 2 })
  const country = fc.constantFrom('DE', 'Germany', 'FR', 'Atlantis', 'de')
  const points = fc.integer({ min: 0, max: 100 })
  const SEGMENTS: Filter[] = [
    { field: 'city', op: 'eq', value: 'Ulm' },
    { field: 'city', op: 'eq', value: 'Bonn' },
    {
      and: [
        { field: 'city', op: 'eq', value: 'Ulm' },
        { field: 'state', op: 'eq', value: 'BW' },
      ],
    },
    {
      or: [
        { field: 'city', op: 'eq', value: 'Ulm' },
        { field: 'city', op: 'eq', value: 'Bonn' },
      ],
    },
  ]
  const segment = fc.constantFrom(...SEGMENTS)
  const every = fc.record({
    source: words,
    campaign: words,
    country: fc.uniqueArray(fc.constantFrom('DE', 'Germany', 'FR'), { minLength: 1, maxLength: 2 }),
    email_domain: fc.uniqueArray(domain, { minLength: 1, maxLength: 2 }),
    landing_page: fc
      .record({ starts_with: pages, contains: pages }, { requiredKeys: [] })
      .filter(({ starts_with, contains }) => starts_with !== undefined || contains !== undefined),
    score: fc.tuple(points, points).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
    segment: fc.uniqueArray(
      segment.map((filter) => ({ filter })),
      { minLength: 1, maxLength: 2 },
    ),
  })
  type Given = Partial<typeof every extends fc.Arbitrary<infer One> ? One : never>
  const NAMES = ['source', 'campaign', 'country', 'email_domain', 'landing_page', 'score', 'segment'] as const
  /** Two at most: more fit next to nobody. */
  const conditions = fc
    .tuple(every, fc.shuffledSubarray([...NAMES], { maxLength: 2 }))
    .map(([all, kept]): Given => Object.fromEntries(kept.map((name) => [name, all[name]])))
  const lead = fc.record({
    source: fc.option(word),
    campaign: fc.option(word),
    country: fc.option(country),
    email: fc.option(domain.map((at) => `ana@${at}`)),
    landing_page: fc.option(
      fc.constantFrom(
        'https://www.x.example/demo/now',
        'http://x.example/',
        '/demo',
        'x.example/demo?a=now',
        'https://y.example/a/demo',
      ),
    ),
    score: fc.option(points),
    city: fc.option(fc.constantFrom('Ulm', 'Bonn')),
    state: fc.option(fc.constantFrom('BW', 'NW')),
  })
  type Lead = typeof lead extends fc.Arbitrary<infer One> ? One : never

  // The model: each condition written out as a person would say it, without anything that the product shares.
  const plain = (text: string | null) =>
    (text ?? '\u0000').toLowerCase().replaceAll('á', 'a').replaceAll('ß', 'ss').replaceAll(/ +/g, ' ')
  const codes: Record<string, string> = { DE: 'DE', de: 'DE', Germany: 'DE', FR: 'FR' }
  const isIn = (filter: Filter, one: Lead): boolean => {
    if ('and' in filter) return filter.and.every((part) => isIn(part, one))
    if ('or' in filter) return filter.or.some((part) => isIn(part, one))
    const { field, value } = filter as { field: 'city' | 'state'; value: string }
    return one[field] === value
  }
  const modelFits = (given: Given, one: Lead): boolean => {
    if (given.source && !given.source.some((each) => plain(each) === plain(one.source))) return false
    if (given.campaign && !given.campaign.some((each) => plain(each) === plain(one.campaign))) return false
    if (given.country && !given.country.some((each) => codes[each] === codes[one.country ?? ''])) return false
    if (
      given.email_domain &&
      !given.email_domain.some((each) =>
        new RegExp(`[@.]${each.replaceAll('.', '\\.')}$`).test(one.email ?? ''),
      )
    )
      return false
    if (given.score && !(one.score !== null && one.score >= given.score.min && one.score <= given.score.max))
      return false
    if (given.segment && !given.segment.some(({ filter }) => isIn(filter, one))) return false
    if (given.landing_page) {
      const { starts_with = [], contains = [] } = given.landing_page
      const url = one.landing_page
      if (url === null) return false
      const without = url.replace(/^https?:\/\//, '')
      const path = url.startsWith('/') ? url : (/\/.*$/.exec(without)?.[0] ?? '\u0000')
      const begins = [url, without, without.replace('www.', ''), path]
      if (
        !starts_with.some((each) => begins.some((begin) => begin.startsWith(each))) &&
        !contains.some((each) => url.includes(each))
      )
        return false
    }
    return true
  }
  const factsAbout = (one: Lead) =>
    factsOf({
      ...one,
      industry: null,
      segments: new Set(
        SEGMENTS.filter((filter) => isIn(filter, one)).map((filter) => segmentKey({ filter })),
      ),
    })
  const fits = (given: RoutingConditions, one: Lead): boolean =>
    readConditions(given, () => 'x').every((condition) => condition.holds(factsAbout(one)))

  test('F33: what fits is what the model says', () => {
    fc.assert(
      fc.property(conditions, lead, (given, one) => {
        expect(fits(RoutingConditions.parse(given), one)).toBe(modelFits(given, one))
      }),
      { numRuns: 3_000 },
    )
  })

  test('F33: where one is said to cover another, no lead fits the other alone', () => {
    let covered = 0
    fc.assert(
      fc.property(
        conditions,
        conditions,
        fc.array(lead, { minLength: 20, maxLength: 20 }),
        (wide, narrow, leads) => {
          const [a, b] = [sieveOf(wide), sieveOf(narrow)]
          if (!covers(a, b)) return
          covered += 1
          for (const one of leads) if (modelFits(narrow, one)) expect(modelFits(wide, one)).toBe(true)
        },
      ),
      { numRuns: 5_000 },
    )
    expect(covered).toBeGreaterThan(50)
  })

  test('F33: leads go where the model sends them, by the rules of the database and its filters', async () => {
    const own = await openTeam(api, ['Ada', 'Bo', 'Cy'])
    const names = ['Ada', 'Bo', 'Cy']
    const rule = fc.record({
      conditions,
      member: fc.constantFrom(...names),
      priority: fc.integer({ min: 0, max: 3 }),
      active: fc.boolean(),
    })
    let decided = 0
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 6 }), lead, async (rules, one) => {
        const given = rules.map(({ member, ...rest }, n) => ({
          ...rest,
          name: `Rule ${n}`,
          target: to(member, own),
        }))
        const values = Object.fromEntries(
          Object.entries(one).filter(([key, value]) => value !== null && key !== 'score'),
        )
        const { status, body } = await own.ask('POST', '/api/routing-rules/dry-run', {
          lead: { ...values, score: one.score },
          rules: given,
        })
        expect(status, JSON.stringify(body)).toBe(200)
        const wanted = rules
          .map((each, n) => ({ ...each, n }))
          .filter(({ active }) => active)
          .toSorted((a, b) => a.priority - b.priority || a.n - b.n)
          .find((each) => modelFits(each.conditions, one))
        expect(own.nameOf(body.owner_id)).toBe(wanted?.member ?? 'nobody')
        if (wanted) decided += 1
      }),
      { numRuns: 150 },
    )
    expect(decided).toBeGreaterThan(20)
  })
})

test('F33: a sector is found by the nearest words of the industry', () => {
  const sectors = [
    'Software and IT',
    'Food and beverage',
    'Financial services',
    'Healthcare',
    'Real estate',
    'Medical devices',
    'Logistics',
    'Devices',
  ]
  const find = sectorFinder(sectors)
  const cases: [industry: string, sector: string | undefined][] = [
    ['Software', 'Software and IT'],
    ['SOFTWARE DEVELOPMENT', 'Software and IT'],
    ['Softwareentwicklung', 'Software and IT'],
    ['IT-Dienstleistungen', 'Software and IT'],
    ['food & beverages', 'Food and beverage'],
    ['Food production', 'Food and beverage'],
    ['Foods', 'Food and beverage'],
    ['Foot care', undefined],
    ['Finance', 'Financial services'],
    ['Cleaning services', undefined],
    ['Health care provider', 'Healthcare'],
    ['Helathcare', 'Healthcare'],
    ['Real food', 'Food and beverage'],
    ['Commercial real-estate', 'Real estate'],
    ['medical device maker', 'Medical devices'],
    ['Devices', 'Devices'],
    ['Logistik', 'Logistics'],
    ['Lógistics', 'Logistics'],
    ['Steel', undefined],
    ['', undefined],
    ['!!!', undefined],
  ]
  for (const [industry, sector] of cases) expect([industry, find(industry)]).toEqual([industry, sector])
})
