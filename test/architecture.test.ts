import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Agent } from '../agents/agent.ts'
import { agentCatalogue } from '../db/policies.ts'
import { loadPrompt } from '../prompts/load.ts'
import { tools } from '../tools/index.ts'

// The shape of the project, held by a test: every rule fails by file name.

const root = join(import.meta.dirname, '..')
const SKIPPED = new Set(['node_modules', 'dist', 'migrations', 'shots'])
/** A module that grows past this is two modules; most stay below 300. */
const MAX_LINES = 400

type Import = { specifier: string; types_only: boolean }
type Module = { path: string; folder: string; text: string; code: string; imports: Import[]; lines: number }

const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) || entry.name.startsWith('.') ? [] : filesIn(path)
    return /\.(?:ts|tsx|mts|mjs)$/.test(entry.name) ? [path] : []
  })

const IMPORT = /^\s*(import|export)\s+(type\s+)?([^'"`;]*?\bfrom\s+)?['"]([^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

const importsOf = (code: string): Import[] => {
  const declared = [...code.matchAll(IMPORT)].flatMap(([, word, type, names = '', specifier = '']) => {
    if (word === 'export' && !names) return []
    const braces = /^\{([^}]*)\}\s*from\s*$/.exec(names.trim())?.[1]
    const each_type = braces
      ?.split(',')
      .every((name) => name.trim() === '' || name.trim().startsWith('type '))
    return [{ specifier, types_only: type !== undefined || each_type === true }]
  })
  const dynamic = [...code.matchAll(DYNAMIC)].map(([, specifier = '']) => ({ specifier, types_only: false }))
  return [...declared, ...dynamic]
}

/** Without comments, so that a rule is about what runs. */
const withoutComments = (text: string): string =>
  text.replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')

const modules: Module[] = filesIn('.').map((path) => {
  const text = readFileSync(join(root, path), 'utf8')
  const code = withoutComments(text)
  const folder = path.includes('/') ? (path.split('/')[0] ?? '') : ''
  return { path, folder, text, code, imports: importsOf(code), lines: text.split('\n').length - 1 }
})

const inFolders = (...folders: string[]): Module[] => modules.filter(({ folder }) => folders.includes(folder))

/** Where a relative import leads, from the root. */
const targetOf = (module: Module, { specifier }: Import): string | undefined =>
  specifier.startsWith('.') ? relative(root, join(root, dirname(module.path), specifier)) : undefined

const packageOf = ({ specifier }: Import): string | undefined => {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** `path → what it imports`, for each import that breaks a rule. */
const breaches = (
  among: Module[],
  broken: (target: string, one: Import, module: Module) => boolean,
): string[] =>
  among.flatMap((module) =>
    module.imports.flatMap((one) => {
      const target = targetOf(module, one)
      return target !== undefined && broken(target, one, module) ? [`${module.path} → ${target}`] : []
    }),
  )

const startsWithOneOf = (target: string, folders: string[]): boolean =>
  folders.some((folder) => target.startsWith(`${folder}/`))
const open = (target: string): boolean => target === 'env.ts' || target === 'log.ts'

test('the parser sees what there is to see', () => {
  expect(modules.length).toBeGreaterThan(100)
  const parsed = importsOf(
    `import a from 'x'\nimport type { B } from './b.ts'\nimport { type C, type D } from './c.ts'\nimport { type E, f } from './e.ts'\nexport * from './g.ts'\nimport './h.css'\nconst i = await import('./i.ts')\nimport {\n  j,\n  k,\n} from './j.ts'`,
  )
  expect(parsed.map(({ specifier, types_only }) => `${specifier}${types_only ? ' (types)' : ''}`)).toEqual([
    'x',
    './b.ts (types)',
    './c.ts (types)',
    './e.ts',
    './g.ts',
    './h.css',
    './j.ts',
    './i.ts',
  ])
  const agents = modules.find(({ path }) => path === 'agents/jobs.ts')!
  expect(agents.imports.map((one) => targetOf(agents, one))).toContain('db/runs.ts')
})

describe('who may import whom', () => {
  test('db imports nothing of ours but env and log', () => {
    expect(breaches(inFolders('db'), (target) => !target.startsWith('db/') && !open(target))).toEqual([])
  })

  test('tools import db, and env and log', () => {
    const allowed = (target: string) => startsWithOneOf(target, ['tools', 'db']) || open(target)
    expect(breaches(inFolders('tools'), (target) => !allowed(target))).toEqual([])
  })

  test('agents import tools and prompts, and of db only context, queue, runs, models and policies', () => {
    const record = new Set(
      ['context', 'queue', 'runs', 'run-lease', 'run-journal', 'models', 'policies'].map(
        (name) => `db/${name}.ts`,
      ),
    )
    const allowed = (target: string) =>
      startsWithOneOf(target, ['agents', 'tools', 'prompts']) || record.has(target) || open(target)
    expect(breaches(inFolders('agents'), (target) => !allowed(target))).toEqual([])
  })

  test('prompts import nothing of ours', () => {
    expect(breaches(inFolders('prompts'), (target) => !target.startsWith('prompts/'))).toEqual([])
  })

  test('the API never thinks: it imports tools and db, and neither agents nor prompts', () => {
    const allowed = (target: string) => startsWithOneOf(target, ['api', 'tools', 'db']) || open(target)
    expect(breaches(inFolders('api'), (target) => !allowed(target))).toEqual([])
  })

  test('the web imports types of the API and nothing else of the server', () => {
    const broken = (target: string, one: Import) =>
      !target.startsWith('web/') && !(one.types_only && target.startsWith('api/'))
    expect(breaches(inFolders('web'), broken)).toEqual([])
  })

  test('the product imports neither tests nor benchmarks', () => {
    const product = modules.filter(({ folder }) => !['test', 'evals', 'bench'].includes(folder))
    expect(breaches(product, (target) => startsWithOneOf(target, ['test', 'evals', 'bench']))).toEqual([])
  })

  test('relative imports name the file, ending included', () => {
    const broken = (_: string, one: Import) => !/\.(?:ts|tsx|mts|mjs|css|json)$/.test(one.specifier)
    expect(breaches(modules, broken)).toEqual([])
  })

  test('nothing is imported in a circle', () => {
    const known = new Map(modules.map((module) => [module.path, module]))
    const settled = new Set<string>()
    const circles: string[] = []
    const visit = (path: string, trail: string[]): void => {
      if (trail.includes(path))
        return void circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      if (settled.has(path)) return
      const module = known.get(path)
      for (const one of module?.imports ?? []) {
        if (one.types_only) continue
        const target = module && targetOf(module, one)
        if (target) visit(target, [...trail, path])
      }
      settled.add(path)
    }
    for (const { path } of modules) visit(path, [])
    expect(circles).toEqual([])
  })
})

describe('where a library may live', () => {
  const users = (wanted: RegExp, among: Module[] = modules): string[] =>
    among
      .filter(({ imports }) => imports.some((one) => wanted.test(packageOf(one) ?? '')))
      .map(({ path }) => path)
  const outside = (paths: string[], ...allowed: RegExp[]): string[] =>
    paths.filter((path) => !allowed.some((pattern) => pattern.test(path)))

  test('the AI SDK only in agents, evals, tests and benchmarks', () => {
    const found = users(/^(?:ai|@ai-sdk\/.*)$/)
    expect(found).toContain('agents/run.ts')
    expect(outside(found, /^(?:agents|evals|test|bench)\//)).toEqual([])
  })

  test('a provider only in agents/model.ts', () => {
    const found = users(/^@ai-sdk\/(?!provider$)/, inFolders('agents', 'tools', 'db', 'api', ''))
    expect(found).toEqual(['agents/model.ts'])
  })

  test('drizzle, postgres.js and pg-boss only in db', () => {
    const found = users(/^(?:drizzle-orm|drizzle-kit|postgres|pg-boss)$/)
    expect(found).toContain('db/client.ts')
    expect(outside(found, /^db\//, /^drizzle\.config\.ts$/, /^(?:test|bench)\//)).toEqual([])
  })

  test('only tools/vendors and agents/model*.ts reach outside', () => {
    const LIBRARY = /^(?:undici|nodemailer|axios|got|ky|node:(?:net|tls|dgram|dns))(?:\/.*)?$/
    // Of node:http, a server and its tables are no way out.
    const CLIENT =
      /import\s*(?:\w+|\*\s*as\s+\w+|\{[^}]*\b(?:request|get|Agent|connect)\b[^}]*\})\s*from\s*'node:https?2?'/
    const CALL = /(?<![\w.])fetch\(|globalThis\.fetch|\bnew WebSocket\(/
    const reaching = modules.filter(
      ({ folder, code, imports }) =>
        !['web', 'test', 'evals', 'bench'].includes(folder) &&
        (imports.some((one) => !one.types_only && LIBRARY.test(one.specifier)) ||
          CLIENT.test(code) ||
          CALL.test(code)),
    )
    const paths = reaching.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining(['tools/vendors/web.ts', 'tools/vendors/email.ts', 'agents/model.ts']),
    )
    // The supervisor of the embedded database looks whether its own port answers.
    expect(
      outside(paths, /^tools\/vendors\//, /^agents\/model[\w-]*\.ts$/, /^db\/embedded[\w-]*\.ts$/),
    ).toEqual([])
  })
})

describe('names', () => {
  test('no drawer for odds and ends', () => {
    const drawers = /(?:^|[-_.])(?:utils?|helpers?|common|managers?|services?|misc|shared)(?:$|[-_.])/i
    const named = modules.flatMap(({ path }) =>
      path.split('/').filter((part) => drawers.test(part.replace(/\.\w+$/, ''))),
    )
    expect(named).toEqual([])
  })

  test('product code lives in the fixed folders, and at the root stands only what composes it', () => {
    const folders = new Set(['', 'api', 'agents', 'tools', 'db', 'prompts', 'evals', 'test', 'web', 'bench'])
    expect(modules.filter(({ folder }) => !folders.has(folder)).map(({ path }) => path)).toEqual([])
  })

  test('a tool’s file is named like the tool, declares nothing else, and is listed', () => {
    const declaring = inFolders('tools').filter(
      ({ code, path }) => /\bdefineTool\(\{/.test(code) && path !== 'tools/tool.ts',
    )
    expect(declaring.length).toBeGreaterThan(5)
    for (const { path, code } of declaring) {
      const name = basename(path, '.ts')
      expect([path, dirname(path)]).toEqual([path, 'tools'])
      expect(
        [path, ...code.matchAll(/\bdefineTool\(\{\s*name: '(\w+)'/g)].map((found) =>
          Array.isArray(found) ? found[1] : found,
        ),
      ).toEqual([path, name])
      expect([path, tools[name]?.name]).toEqual([path, name])
    }
    expect(Object.keys(tools).toSorted()).toEqual(
      declaring.map(({ path }) => basename(path, '.ts')).toSorted(),
    )
  })

  test('an agent’s file is named like the agent, and its prompt and tools exist', async () => {
    for (const name of Object.keys(agentCatalogue)) {
      const loaded: Record<string, Agent> = await import(join(root, 'agents', `${name}.ts`))
      const agent = loaded[name]
      expect(agent?.name).toBe(name)
      for (const orders of [agent!, ...Object.values(agent!.errands ?? {})]) {
        expect(loadPrompt(orders.prompt).version).toMatch(/^[0-9a-f]{12}$/)
        for (const tool of orders.tools) {
          expect([name, tool, tools[tool]?.name]).toEqual([name, tool, tool])
          expect([name, tool, agentCatalogue[name]?.levels[tool]]).not.toContain(undefined)
        }
      }
    }
  })

  test('every prompt that code names exists', () => {
    const named = modules.flatMap(({ path, code, folder }) =>
      folder === 'test'
        ? []
        : [...code.matchAll(/\bloadPrompt\('([\w-]+)'\)/g)].map(([, name = '']) => [path, name] as const),
    )
    for (const [path, name] of named) expect([path, loadPrompt(name).name]).toEqual([path, name])
  })
})

test(`no module of api, agents, tools or db is longer than ${MAX_LINES} lines`, () => {
  const long = inFolders('api', 'agents', 'tools', 'db').filter(({ lines }) => lines > MAX_LINES)
  expect(long.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([])
})

test('the code is plain: no enum, namespace, parameter property, default export or silenced type error', () => {
  const own = modules.filter(
    ({ path, folder }) => folder !== 'test' && !/\.config\.ts$|\.d\.ts$|\.mjs$/.test(path),
  )
  const patterns: [what: string, pattern: RegExp][] = [
    ['enum', /^\s*(?:export\s+)?(?:const\s+)?enum\s+\w/m],
    ['namespace', /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w/m],
    ['parameter property', /constructor\((?:[^)]*,)?\s*(?:private|public|protected|readonly)\s+\w/],
    ['default export', /^\s*export default\b/m],
  ]
  const found = own.flatMap(({ path, code }) =>
    patterns.flatMap(([what, pattern]) => (pattern.test(code) ? [`${path}: ${what}`] : [])),
  )
  const silenced = own
    .filter(({ text }) => /@ts-(?:ignore|nocheck|expect-error)/.test(text))
    .map(({ path }) => path)
  expect([...found, ...silenced]).toEqual([])
})
