import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countryCode, Email, Line, Lines, normalisePhone, Website } from '../db/lead-fields.ts'

describe('a phone number', () => {
  test.each([
    ['+49 30 901820', null, '+4930901820'],
    ['0049 (30) 90-18-20', null, '+4930901820'],
    ['030 901820', 'DE', '+4930901820'],
    ['(503) 555-0142', 'US', '+15035550142'],
    ['+1 503 555 0142', 'DE', '+15035550142'],
    ['\u202a+46 8 123 456 78\u202c', null, '+46812345678'],
  ])('%s in %s is written as E.164', (text, country, phone) => {
    expect(normalisePhone(text, country)).toMatchObject({ phone, phone_original: expect.any(String) })
    expect(normalisePhone(text, country).warning).toBeUndefined()
  })

  test.each([
    ['030 901820', null],
    ['call me', 'DE'],
    ['12', 'DE'],
    ['+999 123 456 789', null],
    ['555-0142', 'XX'],
  ])('%s in %s cannot be read: it is kept, with a warning that says how to write it', (text, country) => {
    expect(normalisePhone(text, country)).toEqual({
      phone: null,
      phone_original: text,
      warning: { field: 'phone', message: expect.stringContaining('+49 30 1234567') },
    })
  })

  test('of any text is E.164 or null, never an error', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.constantFrom(null, 'DE', 'US', 'xx', ''),
        (text, country) => {
          const { phone } = normalisePhone(text, country)
          return phone === null || /^\+[1-9]\d{3,14}$/.test(phone)
        },
      ),
    )
  })
})

test.each([
  ['DE', 'DE'],
  [' de ', 'DE'],
  ['Germany', 'DE'],
  ['deutschland', 'DE'],
  ['Allemagne', 'DE'],
  ['USA', 'US'],
  ['England', 'GB'],
  ['Atlantis', null],
  ['', null],
])('the country “%s” is %s', (text, code) => {
  expect(countryCode(text)).toBe(code)
})

test('an e-mail address is trimmed, lower-cased, and one address', () => {
  expect(Email.parse('  Ana.Ruiz+crm@Brightside.Example\u200b ')).toBe('ana.ruiz+crm@brightside.example')
  for (const wrong of [
    '',
    'ana',
    'ana@',
    '@x.example',
    'a@b',
    'a@x.example, b@x.example',
    'a@x.example\nBcc: b@x.example',
    `${'a'.repeat(250)}@x.example`,
  ]) {
    expect([wrong, Email.safeParse(wrong).success]).toEqual([wrong, false])
  }
})

test('a website keeps its scheme and port, and is a web address', () => {
  for (const right of [
    'brightside.example',
    'https://brightside.example:8443/path?q=1',
    'HTTP://x.example',
    '127.0.0.1:3000',
  ]) {
    expect([right, Website.safeParse(right).data]).toEqual([right, right])
  }
  for (const wrong of [
    '',
    'javascript://alert(1)',
    'file:///etc/passwd',
    'ftp://x.example',
    'https://',
    'two words',
  ]) {
    expect([wrong, Website.safeParse(wrong).success]).toEqual([wrong, false])
  }
})

test('a line is one line, lines stay lines, and both know their length', () => {
  expect(Line().parse('  Ana \n\t Ruiz\u200b ')).toBe('Ana Ruiz')
  expect(Lines().parse(' one\r\ntwo\u0000 ')).toBe('one\ntwo')
  expect(Line(5).safeParse('123456').success).toBe(false)
  expect(Lines(5).safeParse('123456').success).toBe(false)
})

test('a country is known by its code and its names, never by a code that was withdrawn', () => {
  const known = {
    France: 'FR',
    'United Kingdom': 'GB',
    UK: 'GB',
    gb: 'GB',
    Russia: 'RU',
    Serbia: 'RS',
    Benin: 'BJ',
    Germany: 'DE',
    Deutschland: 'DE',
    'Burkina Faso': 'BF',
    'Timor-Leste': 'TL',
    'The Netherlands': 'NL',
    Turkey: 'TR',
    España: 'ES',
    'Czech Republic': 'CZ',
    XX: null,
    zz: null,
    Atlantis: null,
  }
  expect(Object.fromEntries(Object.keys(known).map((name) => [name, countryCode(name)]))).toEqual(known)
})
