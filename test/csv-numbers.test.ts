import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { minorAmount, readMoney, type Money } from '../db/csv-money.ts'
import { readNumber, separatorOf, writeNumber } from '../db/csv-numbers.ts'
import { faultOf, valueOf } from './csv-values.ts'

describe('F68: numbers', () => {
  test.each([
    ['1.234,56', ',', 1234.56],
    ['1,234.56', '.', 1234.56],
    ['1 234,56', ',', 1234.56],
    ['1\u202f234,56', ',', 1234.56],
    ["1'234.56", '.', 1234.56],
    ['1’234.56', '.', 1234.56],
    ['(1,234)', '.', -1234],
    ['1,234-', '.', -1234],
    ['−5', '.', -5],
    ['+5', '.', 5],
    ['12,34,567.5', '.', 1_234_567.5],
    ['1.234', ',', 1234],
    ['1.234', '.', 1.234],
    ['1.234,56', '.', 1234.56],
    ['.5', '.', 0.5],
    ['5,', ',', 5],
    ['-0', '.', 0],
  ] as const)('“%s” with “%s” is %d', (cell, decimal, number) => {
    expect(valueOf('custom.weight', cell, { decimal })).toBe(number)
  })

  test.each([
    ['12k', '.', '12000'],
    ['1,5', '.', '1.5'],
    ['1.5', ',', '1.5'],
    ['1,23,4', '.', undefined],
    ['12%', '.', '12'],
    ['1.2E+05', '.', '120000'],
    ['about 5', '.', undefined],
    ['1 2', '.', undefined],
    ['--5', '.', undefined],
    ['Infinity', '.', undefined],
    ['0x10', '.', undefined],
    ['9'.repeat(60), '.', undefined],
  ] as const)('“%s” with “%s” is no number, the nearest is %s', (cell, decimal, nearest) => {
    expect(faultOf('custom.weight', cell, { decimal })).toEqual({
      message: expect.stringContaining('is not a number'),
      accepted: `a number such as 12${decimal}5`,
      ...(nearest === undefined ? {} : { nearest }),
    })
  })

  test('whole numbers keep their limits', () => {
    expect(valueOf('size', '1,250', {}, 'account')).toBe(1250)
    expect(valueOf('custom.seats', '40.00')).toBe(40)
    expect(faultOf('custom.seats', '40.5')).toMatchObject({ nearest: '41' })
    expect(faultOf('health', '120', {}, 'account')).toEqual({
      message: '“120” is more than 100',
      accepted: 'at most 100',
      nearest: '100',
    })
    expect(faultOf('size', '11-50 employees', {}, 'account')).toMatchObject({ nearest: '11' })
  })

  test.each([
    [1e-7, '0.0000001'],
    [-2.5e-9, '-0.0000000025'],
    [1e21, '1000000000000000000000'],
    [1.234, '1.2340'],
    [0.5, '0.5'],
    [-12, '-12'],
  ])('%d is written as %s', (number, text) => {
    expect(writeNumber(number)).toBe(text)
  })

  test('of any size are written so that they are read back, and never look like thousands', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = writeNumber(number)
        expect(text).toMatch(/^-?\d+(\.\d+)?$/)
        expect(Number(readNumber(text, '.'))).toBe(number || 0)
        expect(separatorOf(text)?.decimal ?? '.').toBe('.')
      }),
      { numRuns: 2_000 },
    )
    for (const number of [Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, 5e-324, 0.1 + 0.2])
      expect(Number(readNumber(writeNumber(number), '.'))).toBe(number)
  })

  test('beyond any that is kept is none', () => {
    expect(faultOf('custom.weight', '9'.repeat(330)).message).toMatch(/is not a number/)
  })

  test('of any size, however written, are read back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }),
        fc.constantFrom('.', ','),
        fc.constantFrom('', 'other', ' ', "'", '\u00a0'),
        fc.boolean(),
        (hundredths, decimal, grouping, bracketed) => {
          const [whole = '', fraction = ''] = (Math.abs(hundredths) / 100).toFixed(2).split('.')
          const group = grouping === 'other' ? (decimal === '.' ? ',' : '.') : grouping
          const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, group)
          const text = `${grouped}${decimal}${fraction}`
          const signed = hundredths < 0 ? (bracketed ? `(${text})` : `-${text}`) : text
          expect(Number(readNumber(signed, decimal))).toBe(hundredths / 100 || 0)
        },
      ),
    )
  })
})

describe('F89: money', () => {
  test.each([
    ['1200', '.', 'EUR', 120_000],
    ['€ 1.200,00', ',', 'EUR', 120_000],
    ['1.200,50 €', ',', 'EUR', 120_050],
    ['1200 USD', '.', 'USD', 120_000],
    ['USD1,200.5', '.', 'USD', 120_050],
    ['US$ 7', '.', 'USD', 700],
    ['CHF 1’200.-', '.', 'CHF', 120_000],
    ['1.200,-', ',', 'EUR', 120_000],
    ['¥1,200', '.', 'JPY', 1200],
    ['1.250 KWD', '.', 'KWD', 1250],
    ['12.50 CLF', '.', 'CLF', 125_000],
    ['R$ 3', ',', 'BRL', 300],
    ['99 zł', ',', 'PLN', 9900],
  ] as const)('“%s” with “%s” in %s is %d minor units', (cell, decimal, currency, minor) => {
    const money = valueOf('value', cell, { decimal }) as Money
    const row = money.currencies?.includes(currency) ? null : currency
    expect(
      minorAmount(money, {
        row: money.currencies && money.currencies.length > 1 ? currency : row,
        fallback: 'EUR',
      }),
    ).toEqual({ value: minor, currency })
  })

  test.each([['12k'], ['5 apples'], ['twelve'], ['€'], ['1.2.3,4']])('“%s” is none', (cell) => {
    expect(faultOf('value', cell).message).toMatch(/is not an amount of money/)
  })

  test('less than nothing is no value', () => {
    expect(faultOf('value', '($1,200.00)')).toMatchObject({
      message: expect.stringMatching(/less than nothing/),
      nearest: '1200.00',
    })
  })

  test('a currency beside the amount that contradicts the row is an error, never a guess', () => {
    const dollars = readMoney('$1,200', '.')!
    expect(minorAmount(dollars, { fallback: 'EUR' })).toMatchObject({
      message: expect.stringMatching(/in USD or CAD or AUD, .*currency is EUR/),
      nearest: 'USD 1200',
    })
    expect(minorAmount(dollars, { row: 'CAD', fallback: 'EUR' })).toEqual({ value: 120_000, currency: 'CAD' })
    expect(minorAmount(readMoney('1200 EUR', '.')!, { row: 'USD', fallback: 'EUR' })).toHaveProperty(
      'message',
    )
    expect(minorAmount(readMoney('1200 CHF', '.')!, { row: null, fallback: 'EUR' })).toEqual({
      value: 120_000,
      currency: 'CHF',
    })
  })

  test('more decimals than the currency has are an error', () => {
    expect(minorAmount({ amount: '12.345' }, { fallback: 'EUR' })).toEqual({
      message: 'EUR has at most 2 decimals, this amount has 3',
      nearest: '12.35',
    })
    expect(minorAmount({ amount: '12.3' }, { fallback: 'JPY' })).toMatchObject({
      message: 'JPY has no decimals, this amount has 1',
    })
    expect(minorAmount({ amount: '12.300' }, { fallback: 'EUR' })).toEqual({ value: 1230, currency: 'EUR' })
    expect(minorAmount({ amount: '99999999999999999999' }, { fallback: 'EUR' })).toHaveProperty('message')
  })
})
