import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadPrompt } from '../prompts/load.ts'

const folder = mkdtempSync(join(tmpdir(), 'prompts-'))
afterAll(() => rmSync(folder, { recursive: true }))
const write = (name: string, text: string) => writeFileSync(join(folder, `${name}.md`), text)

test('a prompt fills every hole, each value verbatim', () => {
  write('greeting', '# Hello {{name}}\n\nYou work for {{ organization }}. Say “{{name}}”.\n')
  const prompt = loadPrompt('greeting', folder)
  expect(prompt.holes).toEqual(['name', 'organization'])
  expect(prompt.render({ name: 'Ada $& $1', organization: '{{name}}' })).toBe(
    '# Hello Ada $& $1\n\nYou work for {{name}}. Say “Ada $& $1”.\n',
  )
  expect(prompt.render({ name: '', organization: 'Acme' })).toContain('# Hello \n')
})

test('a missing value and a value without a hole are refused by name', () => {
  write('strict', '{{a}} {{b}}')
  const prompt = loadPrompt('strict', folder)
  expect(() => prompt.render({ a: '1' })).toThrow('no value for b')
  expect(() => prompt.render({ a: '1', b: '2', c: '3' })).toThrow('no hole for c')
  expect(() => prompt.render({ a: '1', c: '3' })).toThrow('no value for b; no hole for c')
  expect(() => prompt.render({ a: '1', b: '2', toString: 'x' })).toThrow('no hole for toString')
})

test('the version follows the words, not the line ends and not the name', () => {
  write('one', 'Be brief.\n')
  write('same', 'Be brief.\r\n')
  write('other', 'Be brief!\n')
  const [one, same, other] = ['one', 'same', 'other'].map((name) => loadPrompt(name, folder).version)
  expect(one).toMatch(/^[0-9a-f]{12}$/)
  expect(same).toBe(one)
  expect(other).not.toBe(one)
})

test('a prompt is read once, so a running process never changes its words', () => {
  write('stable', 'first')
  const before = loadPrompt('stable', folder)
  write('stable', 'second')
  expect(loadPrompt('stable', folder)).toBe(before)
  expect(loadPrompt('stable', folder).render({})).toBe('first')
})

test('a malformed hole is refused when the prompt is loaded', () => {
  write('broken', 'Dear {{First Name}},')
  expect(() => loadPrompt('broken', folder)).toThrow(/malformed hole near “Dear \{\{First Name/)
  write('open', 'Dear {{name')
  expect(() => loadPrompt('open', folder)).toThrow('malformed hole')
})

test('an unknown prompt is refused with the names that exist, and no name leaves the folder', () => {
  write('known', 'x')
  expect(() => loadPrompt('unknown', folder)).toThrow(/no prompt “unknown”.*known/)
  expect(() => loadPrompt('../known', folder)).toThrow('no prompt “../known”')
})
