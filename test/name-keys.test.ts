import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NAME_KEY, recordNameKey } from '../db/name-keys.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

let database: TestDatabase
let sql: postgres.Sql
beforeAll(async () => {
  database = await createTestDatabase()
  sql = postgres(database.owner_url, { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await sql.end()
  await database.drop()
})

const keysInSql = async (names: string[]): Promise<string[]> => {
  const rows = await sql<{ key: string }[]>`
    select ${sql.unsafe(NAME_KEY)} as key from unnest(${names}::text[]) with ordinality as t (name, n) order by n`
  return rows.map(({ key }) => key)
}

test('F68: case, accents, punctuation and width make no other name', async () => {
  const alike = [
    ['ACME, Inc.', 'acme inc'],
    ['Café  Núñez', 'CAFE NUNEZ'],
    ['Smith & Sons', 'smith – sons'],
    ['ΣΊΣΥΦΟΣ', 'σισυφος'],
    ['ＦＵＬＬ　ｗｉｄｔｈ', 'full width'],
  ]
  for (const [one = '', other = ''] of alike) expect(recordNameKey(one)).toBe(recordNameKey(other))
  // Other words, other names; nothing but signs is itself.
  expect(recordNameKey('Acme')).not.toBe(recordNameKey('Acme Inc'))
  expect(recordNameKey('???')).toBe('???')
  expect(recordNameKey('ﷺ'.repeat(300)).length).toBe(200)
  expect(await keysInSql(alike.flat())).toEqual(alike.flat().map(recordNameKey))
})

test('F68: the database computes the key that we look for', async () => {
  const letters = fc.constantFrom(
    ...Array.from('aBÄßöÉñİıŁøÆ½²ªﬁＡ株東ДжёΣςאش١é\u0301 \u00a0\t.,&-–“”’!?/()+_#@€™…·|~^`´¨¿×÷'),
  )
  const names = fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 20 }), {
    minLength: 50,
    maxLength: 50,
  })
  await fc.assert(
    fc.asyncProperty(names, async (names) => {
      expect(await keysInSql(names)).toEqual(names.map(recordNameKey))
    }),
    { numRuns: 40 },
  )
})
