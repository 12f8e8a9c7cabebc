import { expect, test } from 'vitest'
import { z } from 'zod'
import { faultsOf } from '../db/faults.ts'

const at = (schema: z.ZodType, value: unknown) => {
  const { error } = z.object({ it: schema }).safeParse({ it: value })
  if (!error) throw new Error('it was accepted')
  return faultsOf(error, ['it'])
}

test.each<[z.ZodType, unknown, string]>([
  [z.string(), 7, 'a text'],
  [z.int(), 1.5, 'a whole number'],
  [z.number(), 'x', 'a number'],
  [z.boolean(), 'yes', 'true or false'],
  [z.array(z.string()), 'x', 'a list'],
  [z.record(z.string(), z.unknown()), 'x', 'an object'],
  [z.string().min(1), '', 'at least 1 character'],
  [z.string().max(3), 'long', 'at most 3 characters'],
  [z.array(z.string()).min(2), ['x'], 'at least 2 items'],
  [z.number().max(100), 101, 'at most 100'],
  [z.number().positive(), 0, 'more than 0'],
  [z.uuid(), 'x', 'an id'],
  [z.iso.date(), '31.1.2027', 'a date as YYYY-MM-DD'],
  [z.iso.datetime({ offset: true }), 'tomorrow', 'a time with its zone, such as 2027-01-31T09:00:00+01:00'],
])('what is wrong is said with what would be accepted (%#)', (schema, value, accepted) => {
  expect(at(schema, value)).toEqual([{ pointer: '/it', message: `This takes ${accepted}.`, accepted }])
})

test('what is missing is said to be missing; words of the schema’s own stay', () => {
  expect(at(z.object({ id: z.string() }), {})).toEqual([
    { pointer: '/it/id', message: 'This is missing; it takes a text.', accepted: 'a text' },
  ])
  expect(at(z.object({ value: z.unknown() }), {})).toEqual([
    { pointer: '/it/value', message: 'This is missing; it takes a value.', accepted: 'a value' },
  ])
  expect(at(z.string('the name of a field'), 7)).toEqual([{ pointer: '/it', message: 'the name of a field' }])
  expect(at(z.enum(['won', 'lost']), 'maybe')).toEqual([
    { pointer: '/it', message: 'This takes one of: won, lost.', accepted: ['won', 'lost'] },
  ])
})
