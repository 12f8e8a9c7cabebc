import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decrypt, deriveKeys, encrypt, hashToken, keySetOf, linkToken, newToken } from '../db/keys.ts'

const keys = deriveKeys('the secret of today, thirty-two characters')
const rotated = deriveKeys(
  'the secret of tomorrow, thirty-two more',
  'the secret of today, thirty-two characters',
)
const stranger = deriveKeys('the secret of somebody else altogether..')

describe('what is encrypted', () => {
  test('comes back as it was, and is never the same twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const sealed = encrypt(keys, text)
        return decrypt(keys, sealed) === text && encrypt(keys, text) !== sealed
      }),
    )
    expect(encrypt(keys, 'whsec_secret')).not.toContain('whsec')
  })

  test('opens under the secret before the last rotation, and under no other', () => {
    const sealed = encrypt(keys, 'text')
    expect(decrypt(rotated, sealed)).toBe('text')
    expect(() => decrypt(stranger, sealed)).toThrow('APP_SECRET_PREVIOUS')
    expect(() => decrypt(keys, encrypt(rotated, 'text'))).toThrow('APP_SECRET')
  })

  test('opens no more when one character of it was changed, or parts of two were mixed', () => {
    const sealed = encrypt(keys, 'a text of some length')
    for (let n = sealed.indexOf('.') + 1; n < sealed.length; n++) {
      const other = sealed[n] === 'A' ? 'B' : 'A'
      const changed = sealed.slice(0, n) + other + sealed.slice(n + 1)
      // The last character of a part may hold bits that base64url does not use.
      if (sealed[n] === '.' || /^[.]?$/.test(sealed[n + 1] ?? '')) continue
      expect(() => decrypt(keys, changed)).toThrow(/\w/)
    }
    const [a, b] = [encrypt(keys, 'one').split('.'), encrypt(keys, 'two').split('.')]
    expect(() => decrypt(keys, [a[0], a[1], a[2], b[3]].join('.'))).toThrow(/\w/)
    for (const garbage of ['', '...', 'text', `${keys.current.id}...`])
      expect(() => decrypt(keys, garbage)).toThrow(/\w/)
  })
})

test('every purpose has a key of its own, and another secret other keys', () => {
  const { audit, encryption, links, sessions, id } = keys.current
  const all = [audit, encryption, links].map((key) => Buffer.from(key).toString('base64url'))
  expect(new Set([...all, sessions]).size).toBe(4)
  expect(deriveKeys('the secret of today, thirty-two characters').current).toEqual(keys.current)
  expect(stranger.current.id).not.toBe(id)
  expect(keySetOf(rotated, id)).toEqual(keys.current)
  expect(keySetOf(keys, rotated.current.id)).toBeUndefined()
})

test('a token says what it is, cannot be guessed, and only its hash is kept', () => {
  const tokens = Array.from({ length: 50 }, () => newToken('lh'))
  expect(new Set(tokens).size).toBe(50)
  for (const token of tokens) {
    expect(token).toMatch(/^lh_[\w-]{43}$/)
    expect(hashToken(token)).toMatch(/^[0-9a-f]{64}$/)
  }
})

test('a link’s token is the same for the same thing, and another for any other', () => {
  expect(linkToken(keys, 'org', 'ana@x.example')).toBe(linkToken(keys, 'org', 'ana@x.example'))
  const others = [
    linkToken(keys, 'org', 'bo@x.example'),
    linkToken(keys, 'or', 'gana@x.example'),
    linkToken(stranger, 'org', 'ana@x.example'),
  ]
  expect(new Set([...others, linkToken(keys, 'org', 'ana@x.example')]).size).toBe(4)
})
