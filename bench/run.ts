import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { arch, cpus, platform, totalmem } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { Result } from './comparison.ts'
import { LARGE_DATABASE, openLargeDatabase } from './large-database.ts'

// What `npm run bench` runs: every benchmark, or those named as arguments, each in a process of its own, one after the
// other. A missed target is said, a benchmark that could not run fails the command.

/** They share one database of a million leads, which takes minutes to fill. */
const onLargeDatabase = [
  'list',
  'board',
  'search',
  'timeline',
  'duplicates',
  'move',
  'export',
  'score',
] as const
const benchmarks = [
  'intake',
  'run-overhead',
  'first-call',
  'start-up',
  'memory',
  'import',
  'bulk',
  ...onLargeDatabase,
] as const
const RESULTS = path.join(import.meta.dirname, 'results.md')

/** Runs one benchmark; shows its lines as they come. */
const run = (name: string, env: Record<string, string>): Promise<{ results: Result[]; ok: boolean }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(import.meta.dirname, `${name}.ts`)], {
      env: { ...process.env, LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const results: Result[] = []
    createInterface({ input: child.stdout }).on('line', (line) => {
      console.log(line)
      results.push(Result.parse(JSON.parse(line)))
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ results, ok: code === 0 }))
  })

const table = (results: Result[]): string => {
  const cpu = cpus()
  const lines = [
    '# What was measured',
    '',
    `By \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${cpu.length} × ${cpu[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${arch()}, Node ${process.versions.node}, embedded PostgreSQL with its everyday settings. Each figure is the median of its rounds; the limit is what the same machine did at best, measured between the rounds. Figures of a shared machine vary; ratios less.`,
    '',
    '| benchmark | measured | limit | ratio | target | met |',
    '|---|---:|---:|---:|---|---|',
    ...results.map(
      ({ name, value, limit, ratio, unit, target, met }) =>
        `| ${name} | ${value} ${unit} | ${limit} ${unit} | ${ratio} | ${target} | ${met ? 'yes' : '**no**'} |`,
    ),
    '',
    ...results.map(({ name, how }) => `- **${name}**: ${how}.`),
    '',
  ]
  return lines.join('\n')
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => !benchmarks.some((known) => known === name))
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are: ${benchmarks.join(', ')}.`)
  process.exit(1)
}

const chosen = benchmarks.filter((name) => named.length === 0 || named.includes(name))
const isLarge = (name: (typeof benchmarks)[number]): boolean =>
  onLargeDatabase.some((large) => large === name)
const results: Result[] = []
const broken: string[] = []
const measure = async (name: string, env: Record<string, string>): Promise<void> => {
  const outcome = await run(name, env)
  results.push(...outcome.results)
  if (!outcome.ok) broken.push(name)
}
for (const name of chosen.filter((name) => !isLarge(name))) await measure(name, {})
const large = chosen.filter(isLarge)
if (large.length > 0) {
  const { stop, ...place } = await openLargeDatabase()
  try {
    for (const name of large) await measure(name, { [LARGE_DATABASE]: JSON.stringify(place) })
  } finally {
    await stop()
  }
}
if (named.length === 0) await writeFile(RESULTS, table(results))
console.log(`\n${table(results)}`)
for (const { name, value, unit, ratio, target, met } of results) {
  if (!met) console.log(`MISSED: ${name} is ${value} ${unit}, ratio ${ratio}; the target is ${target}`)
}
if (broken.length > 0) {
  console.error(`These benchmarks could not run: ${broken.join(', ')}`)
  process.exit(1)
}
