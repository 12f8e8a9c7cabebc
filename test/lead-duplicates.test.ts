import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { findKnownLead, findKnownLeads } from '../db/lead-duplicates.ts'
import { companyDomain, keysOf, normaliseName } from '../db/lead-keys.ts'
import { findMatches } from '../db/lead-matching.ts'
import { updateLead, type NewLead } from '../db/leads.ts'
import { receiveLead } from '../db/lead-intake.ts'
import { holderOfExternalId } from '../db/records.ts'
import { loseCard, makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const receive = (lead: NewLead, at: Ctx = ctx) => receiveLead(at, lead, { door: 'webhook' })

test.each([
  [{ website: 'https://www.shop.brightside.co.uk/about' }, 'brightside.co.uk'],
  [{ website: 'brightside.example:8080', email: 'ana@other.example' }, 'brightside.example'],
  [{ email: 'ana@mail.brightside.example' }, 'brightside.example'],
  [{ email: 'ana@gmail.com' }, null],
  [{ email: 'ana@gmx.de' }, null],
  [{ website: 'http://127.0.0.1:3000' }, null],
  [{}, null],
])('the company domain of %o is %s', (lead, domain) => {
  expect(companyDomain(lead)).toBe(domain)
})

describe('keys', () => {
  test('names are one without case, accents, punctuation and doubled spaces', () => {
    expect(normaliseName('  José  NÚÑEZ-García ')).toBe('jose nunez garcia')
    expect(normaliseName('Łukasz O’Brien')).toBe(normaliseName('łukasz o brien'))
    expect(normaliseName('田中 太郎')).toBe('田中 太郎')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (name) => {
        const once = normaliseName(name)
        return (
          normaliseName(once) === once &&
          normaliseName(` ${name.toUpperCase()}. `.toLowerCase()) ===
            normaliseName(name.toUpperCase().toLowerCase())
        )
      }),
    )
  })

  test('are made of what is there, and never of nothing', () => {
    expect(keysOf({})).toEqual([])
    expect(keysOf({ contact_name: 'Ana' })).toEqual([])
    expect(keysOf({ contact_name: '!?', email: 'ana@brightside.example' })).toEqual([
      { kind: 'email', value: 'ana@brightside.example' },
    ])
    expect(
      keysOf({
        contact_name: 'Ana Ruiz',
        email: 'ana@brightside.example',
        phone: '+4930901820',
        external_id: 'x-1',
      }),
    ).toEqual([
      { kind: 'email', value: 'ana@brightside.example' },
      { kind: 'phone', value: '+4930901820' },
      { kind: 'external_id', value: 'x-1' },
      { kind: 'domain_name', value: 'brightside.example ana ruiz' },
    ])
  })

  test('of any lead have values, and the same lead the same keys', () => {
    const text = fc.option(fc.string({ maxLength: 30 }), { nil: null })
    fc.assert(
      fc.property(
        fc.record({
          contact_name: text,
          email: fc.option(fc.emailAddress(), { nil: null }),
          phone: text,
          website: text,
          external_id: text,
        }),
        (lead) => {
          const keys = keysOf(lead)
          return (
            keys.every(({ value }) => value !== '') &&
            JSON.stringify(keysOf({ ...lead })) === JSON.stringify(keys)
          )
        },
      ),
    )
  })
})

describe('a person is known again', () => {
  test.each<[by: string, first: NewLead, second: NewLead]>([
    [
      'email',
      { email: 'k1@one.example', contact_name: 'Kim' },
      { email: 'k1@one.example', contact_name: 'Somebody else' },
    ],
    [
      'external_id',
      { contact_name: 'Kim Three', external_id: 'ext-3' },
      { contact_name: 'Three', external_id: 'ext-3' },
    ],
    [
      'domain_name',
      { contact_name: 'José Núñez', email: 'jose@four.example' },
      { contact_name: 'jose nunez', email: 'j.nunez@sales.four.example' },
    ],
  ])('by %s', async (by, first, second) => {
    const { lead } = await receive(first)
    expect(await receive(second)).toMatchObject({ joined: true, matched_by: by, lead: { id: lead.id } })
  })

  test('by a telephone that is theirs; one that two people share does not make them one', async () => {
    const { lead } = await receive({
      phone: '+4930901802',
      contact_name: 'Kim Two',
      email: 'kim@two.example',
    })
    const alone = await receive({ phone: '+49 30 901802' })
    expect(alone).toMatchObject({ joined: true, matched_by: 'phone', lead: { id: lead.id } })
    const colleague = await receive({
      phone: '+49 30 901802',
      contact_name: 'Lou Two',
      email: 'lou@two.example',
    })
    expect(colleague).toMatchObject({ joined: false })
  })

  test('but not in another organization, nor by a mailbox provider’s domain', async () => {
    const other = await world.other()
    await receive({ email: 'k5@five.example', contact_name: 'Kim' })
    expect(await receive({ email: 'k5@five.example', contact_name: 'Kim' }, other.ctx)).toMatchObject({
      joined: false,
    })
    await receive({ email: 'one@gmail.com', contact_name: 'Kim Six' })
    expect(await receive({ email: 'two@gmail.com', contact_name: 'Kim Six' })).toMatchObject({
      joined: false,
    })
  })

  test('not when the earlier lead is closed: then a new one begins', async () => {
    const { lead } = await receive({ email: 'k7@seven.example', external_id: 'ext-7' })
    await loseCard(ctx, lead.id)
    const again = await receive({ email: 'k7@seven.example', external_id: 'ext-7' })
    // The closed one keeps its external id; the newcomer says that it goes without.
    expect(again).toMatchObject({
      joined: false,
      lead: { external_id: null, extra: { external_id: 'ext-7' }, warnings: [{ field: 'external_id' }] },
    })
    expect(await inTx(ctx, (ctx) => holderOfExternalId(ctx, 'lead', 'ext-7'))).toMatchObject({ id: lead.id })
  })

  test('by the address it has now, not by the one it had', async () => {
    const { lead } = await receive({ email: 'old@eight.example' })
    await updateLead(ctx, lead.id, { email: 'new@eight.example' })
    const known = (email: string) => inTx(ctx, (ctx) => findKnownLead(ctx, { email }))
    expect(await known('old@eight.example')).toBeUndefined()
    expect(await known('new@eight.example')).toMatchObject({ id: lead.id })
  })

  test('five hundred at a time, each by its own keys', async () => {
    const leads = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        makeLead(ctx, { email: `list-${n}@ten.example`, contact_name: `Lia ${n}` }),
      ),
    )
    const newcomers = Array.from({ length: 500 }, (_, n) => ({
      email: n % 100 === 0 ? `list-${n / 100}@ten.example` : `nobody-${n}@ten.example`,
      phone: `+4930${700_000 + n}`,
    }))
    const known = await inTx(ctx, (ctx) => findKnownLeads(ctx, newcomers))
    expect(known).toHaveLength(500)
    expect(known.flatMap((found, n) => (found ? [[n, found.id, found.matched_by]] : []))).toEqual(
      leads.map(({ id }, n) => [n * 100, id, 'email']),
    )
    expect(await inTx(ctx, (ctx) => findKnownLeads(ctx, []))).toEqual([])
    expect(
      await inTx(ctx, (ctx) => findKnownLeads(ctx, [{}, { email: 'list-1@ten.example' }])),
    ).toMatchObject([undefined, { id: leads[1]?.id }])
  })

  test.each([1, 200])('without holding anybody up when %i are only looked for', async (length) => {
    const newcomers = Array.from({ length }, (_, n) => ({ email: `wait-${n}@eleven.example` }))
    const locksOf = (lock: boolean) =>
      inTx(ctx, async (ctx) => {
        await findKnownLeads(ctx, newcomers, { lock })
        const [held] = await ctx.tx<{ count: number }[]>`
          select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`
        return held?.count
      })
    expect(await locksOf(false)).toBe(0)
    expect(await locksOf(true)).toBe(length === 1 ? 2 : 1)
  })

  test('at twenty doors at once, by different keys of the same person, without a deadlock', async () => {
    const doors = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        receive({
          contact_name: 'Nia Nine',
          email: n % 2 ? 'nia@nine.example' : 'n.nine@nine.example',
          external_id: 'ext-9',
        }),
      ),
    )
    expect(new Set(doors.map(({ lead }) => lead.id)).size).toBe(1)
    expect(doors.filter(({ joined }) => !joined)).toHaveLength(1)
  })
})

test.each([
  ['渡辺直美', 'カエデ'],
  ['김서연', '한솔무역'],
  ['王小红', '天津远航'],
])('F30: %s of %s is offered as near to who is called so there, with the reasons', async (name, company) => {
  const { ctx } = await world.other()
  const make = (contact_name: string, company_name: string) =>
    makeLead(ctx, { contact_name, company_name, email: null } as object)
  const lead = await make(name, company)
  await make(name, 'Brightside')
  await make(`${name.slice(0, -1)}子`, company)
  const again = await make(`${name.slice(0, 1)} ${name.slice(1)}`, `株式会社${company}`)
  const [matches] = await inTx(ctx, (ctx) => findMatches(ctx, [again]))
  expect(matches).toMatchObject([
    {
      id: lead.id,
      exact: false,
      reasons: [{ reason: 'Same name, written together' }, { reason: 'Same company' }],
    },
  ])
})

test('an external id is one lead’s: taking it again is refused with who has it', async () => {
  const lead = await makeLead(ctx, { external_id: 'crm-1' })
  await expect(makeLead(ctx, { external_id: 'crm-1' })).rejects.toMatchObject({
    kind: 'conflict',
    code: 'external_id_taken',
    extra: { lead_id: lead.id },
  })
  const other = await makeLead(ctx)
  await expect(updateLead(ctx, other.id, { external_id: 'crm-1' })).rejects.toMatchObject({
    code: 'external_id_taken',
  })
  expect(await updateLead(ctx, lead.id, { external_id: 'crm-1', title: 'CEO' })).toMatchObject({
    title: 'CEO',
  })
})
