import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readEnv, variableNames } from '../env.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const packageFile = z
  .object({
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
    overrides: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read('package.json')))
const pages = readdirSync(root).filter((name) => name.endsWith('.md'))

describe('dependencies', () => {
  const { dependencies, devDependencies, overrides } = packageFile

  test('each one stands in DECISIONS.md with its reason, and nothing else does', () => {
    const decisions = read('DECISIONS.md')
    expect(reasons(decisions, 'At run time')).toEqual(Object.keys(dependencies).toSorted())
    expect(reasons(decisions, 'In development')).toEqual(Object.keys(devDependencies).toSorted())
  })

  test('each one is pinned to an exact version', () => {
    const pins = Object.entries({ ...dependencies, ...devDependencies, ...overrides })
    expect(pins.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  })
})

describe('variables', () => {
  test('README’s table names each one that is read, and no other', () => {
    expect(rowsOf(read('README.md'), 'Variable').map(([name]) => name)).toEqual([...variableNames].toSorted())
  })

  test('.env.example names each one, and a copy of it changes nothing', () => {
    const example = parseEnv(read('.env.example'))
    expect(Object.keys(example).toSorted()).toEqual([...variableNames].toSorted())
    expect(readEnv(example)).toEqual(readEnv({}))
  })

  test('a value that README gives as the default is the default', () => {
    const defaults: Record<string, unknown> = { ...readEnv({}), DATA_DIR: '.data' }
    const plain = rowsOf(read('README.md'), 'Variable').flatMap(([name, cell]) => {
      const value = /^`([^`]+)`$/.exec(cell)?.[1]
      const isPlain = value && !variableNames.includes(value) && !name.startsWith('BOOTSTRAP_')
      return isPlain ? [{ name, value }] : []
    })
    expect(plain.length).toBeGreaterThanOrEqual(5)
    expect(plain).toEqual(plain.map(({ name }) => ({ name, value: String(defaults[name]) })))
  })
})

describe('pages', () => {
  test.each(pages)('every link of %s leads somewhere', (page) => {
    const broken = linksOf(read(page)).filter((link) => {
      const [path = '', fragment] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      if (!existsSync(join(root, target))) return true
      return fragment !== undefined && !anchorsOf(read(target)).includes(fragment)
    })
    expect(broken).toEqual([])
  })

  test.each(['README.md', 'AGENTS.md', 'CONTRIBUTING.md'])('every file that %s names is there', (page) => {
    expect(pathsOf(read(page)).filter((path) => !existsSync(join(root, path)))).toEqual([])
  })

  test('every npm script that a page names is there', () => {
    const named = pages.flatMap((page) => scriptsOf(read(page)).map((name) => ({ page, name })))
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(({ name }) => !(name in packageFile.scripts))).toEqual([])
  })

  test('README leads to every other page', () => {
    const others = pages.filter((page) => page !== 'README.md')
    expect(others.filter((page) => !linksOf(read('README.md')).includes(page))).toEqual([])
  })

  test('README’s tour goes from the door to the outbox', () => {
    const tour = /## The tour\n([\s\S]*?)\n## /.exec(read('README.md'))?.[1] ?? ''
    const stops = [...tour.matchAll(/^\d+\. \[`([^`]+)`\]\(([^)]+)\)/gm)].map(([, name, link]) => ({
      name,
      link,
    }))
    expect(stops.length).toBeGreaterThanOrEqual(9)
    expect(stops.filter(({ name, link }) => name !== link)).toEqual([])
    expect(stops.at(0)?.name).toBe('api/intake/webhook.ts')
    expect(stops.at(-1)?.name).toBe('db/messages.ts')
  })
})

/** The rows below the heading whose first column is `title`: the name in backticks, and the second cell. */
const rowsOf = (text: string, title: string): [name: string, cell: string][] => {
  const table = text.split(`| ${title} |`)[1]?.split('\n\n')[0] ?? ''
  return [...table.matchAll(/^\| `([^`]+)` \| (.+?) \|/gm)]
    .map(([, name = '', cell = '']): [string, string] => [name, cell])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}

const reasons = (text: string, title: string): string[] =>
  rowsOf(text, title)
    .filter(([, reason]) => reason.trim() !== '')
    .map(([name]) => name)

const linksOf = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)]
    .map(([, link]) => link ?? '')
    .filter((link) => !/^(https?:|mailto:)/.test(link))

/** Names of scripts that are run by `npm …`; npm's own commands are none. */
const scriptsOf = (text: string): string[] =>
  [...text.matchAll(/`npm (?:run )?([a-z]+)/g)]
    .map(([, name]) => name ?? '')
    .filter((name) => !['install', 'ci'].includes(name))

/** Headings as GitHub links to them. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s-]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Files named in backticks: those below a folder of ours, and those with an ending; patterns and blanks to fill are none. */
const pathsOf = (text: string): string[] =>
  [...text.replaceAll(/```[\s\S]*?```/g, '').matchAll(/`([^`\s]+)`/g)]
    .map(([, path]) => path ?? '')
    .filter((path) =>
      /^(api|agents|tools|db|prompts|evals|test|web|bench)\/|^[\w.-]+\.(ts|mjs|json|yaml|md)$/.test(path),
    )
    .filter((path) => !/[<>*{}]/.test(path))
