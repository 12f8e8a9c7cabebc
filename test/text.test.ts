import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clip, storableJson, storableText, visibleText } from '../db/text.ts'

const anyText = fc.string({ unit: 'binary', maxLength: 200 })

test('hidden characters are taken out, what a person sees stays', () => {
  expect(visibleText('Co\u200bst\u202e of\u00ad 40\u2066 seats\ufeff\u{e0041}')).toBe('Cost of 40 seats')
  expect(visibleText('a\u0000b\u0007c\u009bd')).toBe('abcd')
  expect(visibleText('a\r\u200b\nb')).toBe('a\nb')
  expect(visibleText('José Núñez\t料金\r\nline 2 🙂')).toBe('José Núñez\t料金\nline 2 🙂')
})

test('visible text stays as it is when it is cleaned again, and is always well formed', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const once = visibleText(text)
      return visibleText(once) === once && once.isWellFormed() && !once.includes('\u0000')
    }),
  )
})

test('whatever JSON comes, PostgreSQL can store it, and all that could be stored is unchanged', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const stored = storableJson(value)
      const text = JSON.stringify(stored)
      expect(text).not.toMatch(/\\u0000|\\ud[89a-f]/i)
      if (!/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value))) expect(stored).toEqual(value)
    }),
  )
  expect(storableJson({ at: new Date(0), none: undefined, list: [undefined, 'a\u0000'] })).toEqual({
    at: '1970-01-01T00:00:00.000Z',
    list: [undefined, 'a\ufffd'],
  })
  expect(storableText('\ud800x\u0000')).toBe('\ufffdx\ufffd')
})

test('a member named __proto__ is data like any other', () => {
  const stored = storableJson(JSON.parse('{"__proto__": {"admin": true}, "a": 1}')) as Record<string, unknown>
  expect(JSON.stringify(stored)).toBe('{"__proto__":{"admin":true},"a":1}')
  expect(stored['admin']).toBeUndefined()
})

test('what is cut is never longer than allowed, never cut within a character, and says that it was cut', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.integer({ min: 1, max: 40 }),
      (text, length) => {
        const cut = clip(text.toWellFormed(), length)
        expect(cut.length).toBeLessThanOrEqual(Math.max(length, 1))
        expect(cut.isWellFormed()).toBe(true)
        if (text.length > length) expect(cut.endsWith('…')).toBe(true)
        else expect(cut).toBe(text.toWellFormed())
      },
    ),
  )
  expect(clip('ab🙂cd', 4)).toBe('ab…')
})
