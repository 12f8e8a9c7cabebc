import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { intakeFields, Mapping } from '../db/intake-sources.ts'
import { mapPayload } from '../db/submission-mapping.ts'
import { storableJson } from '../db/text.ts'

describe('without a mapping', () => {
  test('our names are read, and what is sent beyond them is kept', () => {
    const { lead, extra, warnings, faults } = mapPayload(
      {
        name: ' Ana  Ruiz ',
        company: 'Brightside',
        email: 'ANA@brightside.example',
        seats: 40,
        nested: { a: [1] },
      },
      null,
      {},
    )
    expect(lead).toEqual({
      contact_name: 'Ana Ruiz',
      company_name: 'Brightside',
      email: 'ana@brightside.example',
    })
    expect(extra).toEqual({ seats: 40, nested: { a: [1] } })
    expect([warnings, faults]).toEqual([[], []])
  })

  test('the names of other systems are read as well, ours first', () => {
    const { lead, extra } = mapPayload(
      {
        full_name: 'Somebody',
        name: 'Ana',
        email_address: 'ana@x.example',
        tel: '030 1',
        job_title: 'CEO',
        comments: 'Hi',
        utm_source: 'ads',
      },
      null,
      {},
    )
    expect(lead).toEqual({
      contact_name: 'Ana',
      email: 'ana@x.example',
      phone: '030 1',
      title: 'CEO',
      message: 'Hi',
      source: 'ads',
    })
    expect(extra).toEqual({ full_name: 'Somebody' })
  })

  test('first and last name become a name', () => {
    const { lead, extra } = mapPayload({ first_name: ' Ana ', lastName: 'Ruiz', x: 1 }, null, {})
    expect(lead.contact_name).toBe('Ana Ruiz')
    expect(extra).toEqual({ x: 1 })
    expect(mapPayload({ first_name: 'Ana', name: 'Ana Ruiz' }, null, {}).lead.contact_name).toBe('Ana Ruiz')
  })

  test('a value that is none becomes a warning and is kept', () => {
    const { lead, extra, warnings } = mapPayload(
      { email: 'not an address', website: 'javascript:alert(1)', name: { a: 1 } },
      null,
      {},
    )
    expect(lead).toEqual({})
    expect(extra).toEqual({ email: 'not an address', website: 'javascript:alert(1)', name: { a: 1 } })
    expect(warnings.map(({ field }) => field).toSorted()).toEqual(['email', 'website'])
  })

  test('lists of one, numbers and booleans are read as text', () => {
    expect(mapPayload({ name: ['Ana'], phone: 49301234567, message: true }, null, {}).lead).toEqual({
      contact_name: 'Ana',
      phone: '49301234567',
      message: 'true',
    })
  })
})

describe('with a mapping', () => {
  test('paths lead into objects and lists; fields without a path are read by name', () => {
    const mapping = Mapping.parse({ email: 'contact.emails[0].value', name: 'contact.name' })
    const { lead, extra, faults } = mapPayload(
      { contact: { name: 'Ana', emails: [{ value: 'ana@x.example' }] }, company: 'X', more: 1 },
      mapping,
      {},
    )
    expect(lead).toEqual({ contact_name: 'Ana', email: 'ana@x.example', company_name: 'X' })
    expect(extra).toEqual({ more: 1 })
    expect(faults).toEqual([])
  })

  test('that finds none of the name, e-mail and phone that it names is broken, or one that leads to no text', () => {
    const faultsOf = (payload: unknown, mapping: Mapping) =>
      mapPayload(payload, mapping, {}).faults.map(({ field, path }) => [field, path])
    const mapping = { email: 'contact.emails[0]', name: 'contact.name', city: 'place.city' }
    expect(faultsOf({ contact: {} }, mapping)).toEqual([
      ['name', 'contact.name'],
      ['email', 'contact.emails[0]'],
      ['city', 'place.city'],
    ])
    expect(faultsOf({ contact: { name: 'Ana' } }, mapping)).toEqual([])
    expect(faultsOf({ name: 'Ana' }, { city: 'place.city' })).toEqual([['city', 'place.city']])
    expect(faultsOf({ contact: { emails: [] } }, { name: 'contact' })).toEqual([['name', 'contact']])
  })

  test('what the payload does not have comes from the defaults', () => {
    expect(mapPayload({ name: 'Ana', source: '' }, null, { source: 'Website', name: 'Nobody' }).lead).toEqual(
      {
        contact_name: 'Ana',
        source: 'Website',
      },
    )
  })

  test('a path never leads into what an object inherits', () => {
    for (const path of ['constructor.name', '__proto__.polluted', 'toString.length', 'hasOwnProperty']) {
      const { lead, faults } = mapPayload({}, { name: path }, {})
      expect([path, lead, faults.length]).toEqual([path, {}, 1])
    }
  })
})

test('whatever is sent and however it is mapped, it is read without an error, and all of it can be stored', () => {
  const path = fc
    .array(
      fc.oneof(
        fc.constantFrom('name', 'email', 'contact', '0', '__proto__', 'constructor'),
        fc.string({ minLength: 1, maxLength: 5 }),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((steps) => steps.join('.'))
  const payload = fc.oneof(
    fc.jsonValue({ stringUnit: 'binary' }),
    fc.dictionary(
      fc.constantFrom(...intakeFields, 'first_name', 'full_name', 'url', '__proto__'),
      fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }),
    ),
  )
  fc.assert(
    fc.property(
      payload,
      fc.option(fc.dictionary(fc.constantFrom(...intakeFields), path), { nil: null }),
      fc.dictionary(fc.constantFrom(...intakeFields), fc.string({ maxLength: 20 })),
      (payload, mapping, defaults) => {
        const mapped = mapPayload(storableJson(payload), mapping, defaults)
        const text = JSON.stringify(mapped)
        expect(text).not.toMatch(/\\u0000|\\ud[89a-f][0-9a-f]{2}/i)
        expect(Object.getPrototypeOf(mapped.lead)).toBe(Object.prototype)
        for (const fault of mapped.faults) expect(intakeFields).toContain(fault.field)
      },
    ),
    { numRuns: 500 },
  )
})

test('a long value with a wide character where it is cut can still be stored', () => {
  for (let n = 95; n < 102; n++) {
    const { warnings } = mapPayload({ email: `${'a'.repeat(n)}🙂 no address` }, null, {})
    expect(warnings[0]?.message.isWellFormed()).toBe(true)
  }
})

test('a mapping’s paths are checked when it is written', () => {
  for (const right of ['email', 'contact.emails[0]', 'a[0][1].b'])
    expect([right, Mapping.safeParse({ email: right }).success]).toEqual([right, true])
  for (const wrong of ['', 'a..b', 'a[b]', '[0]', 'a b', '.a', 'a.']) {
    expect([wrong, Mapping.safeParse({ email: wrong }).success]).toEqual([wrong, false])
  }
  expect(Mapping.safeParse({ colour: 'a' }).success).toBe(false)
})
