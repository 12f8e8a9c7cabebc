import { describe, expect, test } from 'vitest'
import { fillsFrom } from '../db/file-fields.ts'
import { summariseText, type FileFact } from '../db/file-summary.ts'

describe('F45: what facts come to', () => {
  const terms = {
    country: 'DE',
    currency: 'EUR',
    today: '2027-01-15',
    own_addresses: ['mira@northwind.example'],
  }
  const fact = (key: FileFact['key'], value: string): FileFact => ({
    key,
    value,
    quote: `It says ${value} there.`,
  })
  const valuesOf = (facts: FileFact[], record: object = {}, more: object = {}) =>
    Object.fromEntries(
      fillsFrom('lead', { ...record }, facts, { ...terms, ...more }).map(({ field, value }) => [
        field,
        value,
      ]),
    )

  test.each<[FileFact['key'], string, object]>([
    ['phone', '030 901820', { phone: '+4930901820' }],
    ['phone', '12', {}],
    ['email', 'Ana@Brightside.example', { email: 'ana@brightside.example' }],
    ['email', 'ana@', {}],
    ['email', 'mira@northwind.example', {}],
    ['email', 'else@sub.northwind.example', {}],
    ['website', 'www.brightside.example', { website: 'www.brightside.example' }],
    ['website', 'javascript:alert(1)', {}],
    ['website', 'localhost', {}],
    ['country', 'Deutschland', { country: 'DE' }],
    ['country', 'Narnia', {}],
    ['value', '€12,400', { value_minor: 1_240_000, currency: 'EUR' }],
    ['value', '12.400,5 EUR', { value_minor: 1_240_050, currency: 'EUR' }],
    ['value', "CHF 1'000", { value_minor: 100_000, currency: 'CHF' }],
    ['value', '5000 JPY', { value_minor: 5_000, currency: 'JPY' }],
    ['value', '10,50 JPY', {}],
    ['value', '$500', {}],
    ['value', '0 EUR', {}],
    ['value', '500', {}],
    ['expected_close_on', '2027-03-01', { expected_close_on: '2027-03-01' }],
    ['expected_close_on', '3. März 2027', { expected_close_on: '2027-03-03' }],
    ['expected_close_on', 'March 3, 2027', { expected_close_on: '2027-03-03' }],
    ['expected_close_on', '25/03/2027', { expected_close_on: '2027-03-25' }],
    ['expected_close_on', '03/04/2027', {}],
    ['expected_close_on', '30.02.2027', {}],
    ['expected_close_on', '14.01.2027', {}],
    ['company_name', '12', {}],
    ['party', 'Brightside GmbH', {}],
    ['amount', '500 EUR', {}],
  ])('%s “%s”', (key, value, expected) => {
    expect(valuesOf([fact(key, value)])).toEqual(expected)
  })

  test('a sign counts as the organization’s own currency, a country of the file for its phone', () => {
    expect(valuesOf([fact('value', '$500')], {}, { currency: 'CAD' })).toEqual({
      value_minor: 50_000,
      currency: 'CAD',
    })
    expect(
      valuesOf([fact('phone', '01 4455 6677'), fact('country', 'France')], {}, { country: null }),
    ).toMatchObject({ country: 'FR' })
  })

  test('what is said twice alike is said once, what is said differently is not said', () => {
    expect(valuesOf([fact('city', 'Bremen'), fact('city', 'BREMEN')])).toEqual({ city: 'Bremen' })
    expect(valuesOf([fact('city', 'Bremen'), fact('city', 'Kiel')])).toEqual({})
  })

  test('only blanks: a phone that could not be read is no blank, a currency without an amount is one', () => {
    expect(valuesOf([fact('phone', '030 901820')], { phone: null, phone_original: 'ask Ana' })).toEqual({})
    expect(valuesOf([fact('value', '5 CHF')], { value_minor: null, currency: 'EUR' })).toEqual({
      value_minor: 500,
      currency: 'CHF',
    })
    expect(valuesOf([fact('value', '5 CHF')], { value_minor: 7, currency: 'EUR' })).toEqual({})
  })

  test.each([
    ['Phone: 030 901820 · Fax: +49 30 901829', ['phone 030 901820']],
    ['Client: Ana Ruiz', []],
    ['Kunde: Brightside Coffee GmbH', ['company_name Brightside Coffee GmbH']],
    ['Company\tCity', []],
    ['Company\tBrightside', ['company_name Brightside']],
    ['The total is 500 EUR', []],
    ['Total 500 EUR', ['value 500 EUR']],
    ['Contact: ana@brightside.example', ['email ana@brightside.example']],
    ['https://x.example: a link', []],
  ])('of labels: “%s”', (line, expected) => {
    const { facts } = summariseText([line])
    expect(
      facts
        .filter(({ key }) => !['amount', 'date', 'party'].includes(key))
        .map(({ key, value }) => `${key} ${value}`),
    ).toEqual(expected)
  })
})
