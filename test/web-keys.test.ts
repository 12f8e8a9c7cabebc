import { describe, expect, test } from 'vitest'
import { browserChords, chordOf, isCharacterKey, keyBindings, keyCaps, type KeyBinding } from '../web/keys.ts'

const bindings: readonly KeyBinding[] = keyBindings
const everywhere = ['global', 'go']
const stroke = (
  key: string,
  held: Partial<Record<'metaKey' | 'ctrlKey' | 'altKey' | 'shiftKey', boolean>> = {},
) => ({
  key,
  metaKey: false,
  ctrlKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
})

describe('the registry of keys', () => {
  test('no two acts that can be on one page share a key', () => {
    for (const scope of new Set(bindings.map((binding) => binding.scope))) {
      const together = bindings.filter(
        (binding) => binding.scope === scope || everywhere.includes(binding.scope),
      )
      const keys = together.map((binding) => binding.keys)
      expect(new Set(keys).size, `${scope}: ${keys.join(', ')}`).toBe(keys.length)
    }
  })

  test('every act has a name of its own and a label', () => {
    expect(new Set(bindings.map((binding) => binding.id)).size).toBe(bindings.length)
    expect(bindings.every((binding) => binding.label.length > 0)).toBe(true)
  })

  test('no key belongs to the browser', () => {
    const chords = bindings.flatMap((binding) => binding.keys.split(' '))
    expect(chords.filter((chord) => (browserChords as readonly string[]).includes(chord))).toEqual([])
    expect(chords.filter((chord) => chord.startsWith('alt+'))).toEqual([])
  })

  test('no sequence begins with a key that already does something', () => {
    const firsts = bindings.filter(({ keys }) => keys.includes(' ')).map(({ keys }) => keys.split(' ')[0])
    const singles = bindings.filter(({ keys }) => !keys.includes(' ')).map(({ keys }) => keys)
    expect(firsts.filter((key) => key !== undefined && singles.includes(key))).toEqual([])
  })

  test('only keys with a modifier work while somebody types', () => {
    for (const binding of bindings.filter(({ while_typing }) => while_typing))
      expect(binding.keys).toMatch(/^mod\+/)
  })
})

describe('reading a key stroke', () => {
  test('the main modifier is Command on a Mac and Control elsewhere', () => {
    expect(chordOf(stroke('k', { metaKey: true }), true)).toBe('mod+k')
    expect(chordOf(stroke('k', { ctrlKey: true }), false)).toBe('mod+k')
    expect(chordOf(stroke('k', { ctrlKey: true }), true)).toBeUndefined()
    expect(chordOf(stroke('k', { metaKey: true }), false)).toBeUndefined()
  })

  test('shift counts on letters and not on characters that need it', () => {
    expect(chordOf(stroke('J', { shiftKey: true }), false)).toBe('shift+j')
    expect(chordOf(stroke('?', { shiftKey: true }), false)).toBe('?')
    expect(chordOf(stroke('Enter', { ctrlKey: true }), false)).toBe('mod+enter')
  })

  test('a modifier alone, Alt and dead keys are nothing', () => {
    for (const key of ['Shift', 'Control', 'Dead']) expect(chordOf(stroke(key), false)).toBeUndefined()
    expect(chordOf(stroke('l', { altKey: true }), true)).toBeUndefined()
  })

  test('caps are printed as the keyboard prints them', () => {
    expect(keyCaps('mod+k', true)).toEqual(['⌘', 'K'])
    expect(keyCaps('mod+k', false)).toEqual(['Ctrl', 'K'])
    expect(keyCaps('g l', false)).toEqual(['G', 'then', 'L'])
  })

  test('plain characters can be switched off, the rest stays', () => {
    expect(isCharacterKey('a')).toBe(true)
    expect(isCharacterKey('g l')).toBe(true)
    expect(isCharacterKey('mod+enter')).toBe(false)
    expect(isCharacterKey('escape')).toBe(false)
  })
})
