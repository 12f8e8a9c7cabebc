import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJson, parseStorableJson } from '../api/body.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
const list = (n: number): string => `[${Array.from({ length: n }, () => 1).join(',')}]`
const object = (n: number): string => `{${Array.from({ length: n }, (_, at) => `"k${at}":1`).join(',')}}`

describe('a body of JSON', () => {
  test('is read as any other parser reads it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8, stringUnit: 'binary' }), (text) => {
        expect(parseJson(bytes(text))).toEqual(JSON.parse(text))
      }),
    )
  })

  test('nests 64 levels, holds 50,000 values, and 5,000 in an object; beyond that it is refused before it is parsed', () => {
    const taken = [nested(64), list(50_000), object(5_000), `[${object(5_000)},${object(5_000)}]`]
    for (const text of taken) expect(parseJson(bytes(text)), text.slice(0, 20)).toEqual(JSON.parse(text))
    const refused: [string, string][] = [
      [nested(65), '64 levels'],
      [nested(400_000), '64 levels'],
      [`{"a":${'['.repeat(70)}`, '64 levels'],
      [list(50_001), '50,000 values'],
      [`[${Array.from({ length: 30_000 }, () => '{}').join(',')}]`, '50,000 values'],
      [object(5_002), '5,000 members'],
      [`{"a":[1,{"b":${object(5_002)}}]}`, '5,000 members'],
    ]
    for (const [text, said] of refused) {
      expect(() => parseJson(bytes(text)), text.slice(0, 20)).toThrow(
        expect.objectContaining({
          status: 400,
          code: 'invalid_json',
          message: expect.stringContaining(said),
        }),
      )
    }
  })

  test('counts no bracket and no comma that stands in a text', () => {
    for (const text of ['[', '{,'.repeat(60_000), '\\', '\\"', '"[[', '\\u005b'])
      expect(parseJson(bytes(JSON.stringify({ text })))).toEqual({ text })
    for (const text of ['"', '"\\', '{"a', '[1,', ']', '}{', '[}', '"\\"'])
      expect(() => parseJson(bytes(text)), text).toThrow(expect.objectContaining({ code: 'invalid_json' }))
  })

  test('holds no text that cannot be stored, however it is spelled; its place is named', () => {
    expect(parseStorableJson(bytes('{"a":"\\u00e9\\ud83d\\ude00"}'))).toEqual({ a: 'é😀' })
    for (const [text, pointer] of [
      ['{"a":["\\u0000"]}', '/a/0'],
      ['{"a":{"b/c":"\\uD800x"}}', '/a/b~1c'],
      ['"\\udfff"', ''],
      ['{"\\u0000":1}', ''],
    ] as const) {
      expect(() => parseStorableJson(bytes(text)), text).toThrow(
        expect.objectContaining({ status: 422, errors: [expect.objectContaining({ pointer })] }),
      )
    }
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(expect.objectContaining({ status: 400 }))
  })
})
