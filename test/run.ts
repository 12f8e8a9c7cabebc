import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'

// What `npm test` runs: the static checks, then the tests, then the browser tests. It stops at the first group that
// fails and closes on a line with the counts. `--only checks|unit|e2e` runs one group; names of test files narrow it.

type Counts = { passed: number; failed: number; skipped: number }
type Group = { name: string; run: (files: string[]) => Promise<Counts> }

const root = join(import.meta.dirname, '..')

const checks: Record<string, string[]> = {
  types: ['tsc', '--noEmit'],
  ...(existsSync(join(root, 'web/tsconfig.json')) && { 'types of web': ['tsc', '--noEmit', '-p', 'web'] }),
  lint: ['oxlint', '--type-aware', '--deny-warnings', '--report-unused-disable-directives'],
  format: ['oxfmt', '--check'],
  'dead code': ['knip', '--no-progress'],
}

/** Runs every check, so that one round shows all that is wrong. */
const runChecks = async (): Promise<Counts> => {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [name, [program = '', ...args]] of Object.entries(checks)) {
    const started = performance.now()
    const { code, output } = await run(program, args, 'captured')
    console.log(`${code === 0 ? '✓' : '✗'} ${name} (${seconds(started)})`)
    if (code !== 0) console.log(output.trimEnd())
    counts[code === 0 ? 'passed' : 'failed'] += 1
  }
  return counts
}

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
})

/** Runs one vitest project. A file that could not run, and a run that ended badly, count as failures. */
const runTests = async (project: string, files: string[]): Promise<Counts> => {
  const folder = mkdtempSync(join(tmpdir(), 'leadhand-report-'))
  try {
    const file = join(folder, 'report.json')
    const args = [
      'run',
      ...files,
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ]
    const { code } = await run('vitest', args, 'shown')
    if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 }
    const report = Report.parse(JSON.parse(readFileSync(file, 'utf8')))
    const broken = report.testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
    ).length
    const failed = report.numFailedTests + broken
    return {
      passed: report.numPassedTests,
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const run = (
  program: string,
  args: string[],
  output: 'captured' | 'shown',
): Promise<{ code: number; output: string }> =>
  new Promise((resolve, reject) => {
    const path = [join(root, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH].join(
      delimiter,
    )
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', output === 'shown' ? 'inherit' : 'pipe', output === 'shown' ? 'inherit' : 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (part) => (text += part))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, output: text }))
  })

const seconds = (started: number): string => `${((performance.now() - started) / 1000).toFixed(1)} s`

const groups: Group[] = [
  { name: 'checks', run: runChecks },
  { name: 'unit', run: (files) => runTests('unit', files) },
  { name: 'e2e', run: (files) => runTests('e2e', files) },
]

/** Runs the groups that were asked for and answers whether all is well. */
const runGroups = async (only: string | undefined, files: string[]): Promise<boolean> => {
  const asked = groups.filter(({ name }) => only === undefined || name === only)
  if (asked.length === 0)
    throw new Error(`--only: expected ${groups.map(({ name }) => name).join(', ')}, got ${only}`)
  const sum: Counts = { passed: 0, failed: 0, skipped: 0 }
  const times: string[] = []
  for (const { name, run: runGroup } of asked) {
    const started = performance.now()
    console.log(`\n── ${name}`)
    const counts = await runGroup(files)
    times.push(`${name} ${seconds(started)}`)
    // the closing line counts tests; a check is counted with them only when it failed, or when checks are all there is
    if (name !== 'checks' || only === 'checks') sum.passed += counts.passed
    sum.failed += counts.failed
    sum.skipped += counts.skipped
    if (counts.passed + counts.failed === 0) {
      console.log(`✗ ${name}: nothing ran`)
      sum.failed += 1
    }
    if (sum.failed > 0) break
  }
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''
  console.log(`\n${times.join(', ')}\n${sum.passed} passed, ${sum.failed} failed${skipped}`)
  return sum.failed === 0 && sum.passed > 0
}

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true })
process.exitCode = (await runGroups(values.only, positionals)) ? 0 : 1
