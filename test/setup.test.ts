import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let root: string
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'leadhand-setup-'))
  copyFileSync(path.resolve(import.meta.dirname, '..', 'setup.mjs'), path.join(root, 'setup.mjs'))
  writeFileSync(path.join(root, 'package-lock.json'), JSON.stringify(lockfile))
})
afterEach(() => rmSync(root, { recursive: true }))

const lockfile = {
  packages: {
    '': { name: 'a-checkout' },
    'node_modules/needed': { version: '1.2.3' },
    'node_modules/of-another-system': { version: '1.0.0', optional: true },
  },
}

/** What npm leaves behind: the packages, and its own record of them. */
const install = (version = '1.2.3', node = 'v24.0.0'): void => {
  mkdirSync(path.join(root, 'node_modules', 'needed'), { recursive: true })
  mkdirSync(path.join(root, 'node_modules', '.bin'))
  const record = { packages: { 'node_modules/needed': { version } } }
  writeFileSync(path.join(root, 'node_modules', '.package-lock.json'), JSON.stringify(record))
  writeFileSync(path.join(root, 'node_modules', '.bin', 'node'), `#!/bin/sh\necho ${node}\n`, { mode: 0o755 })
}

/** Runs it with an npm that only notes that it was called, and then does `and`. */
const setUp = (and = 'process.exit(0)'): { status: number | null; said: string; npm: string | undefined } => {
  const npm = path.join(root, 'npm.cjs')
  const called = path.join(root, 'called')
  writeFileSync(
    npm,
    `require('fs').writeFileSync(${JSON.stringify(called)}, process.argv.slice(2).join(' '))\n${and}`,
  )
  const { status, stdout, stderr } = spawnSync(process.execPath, ['setup.mjs'], {
    cwd: root,
    env: { PATH: process.env['PATH'], npm_execpath: npm },
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr, npm: existsSync(called) ? readFileSync(called, 'utf8') : undefined }
}

test('what is installed as the lockfile says is left alone, without a word', () => {
  install()
  expect(setUp()).toEqual({ status: 0, said: '', npm: undefined })
})

test.each([
  ['nothing is installed', () => {}],
  ['the lockfile is newer', () => install('1.2.2')],
  [
    'a package was removed',
    () => {
      install()
      rmSync(path.join(root, 'node_modules', 'needed'), { recursive: true })
    },
  ],
])('npm ci is run when %s', (_, prepare) => {
  prepare()
  expect(setUp().npm).toMatch(/^ci --include=dev/)
})

test('an npm that fails, or does half its work, stops the start and says so', () => {
  expect(setUp('process.exit(3)')).toMatchObject({
    status: 1,
    said: expect.stringContaining('npm ci failed: it ended with code 3'),
  })
  expect(setUp()).toMatchObject({ status: 1, said: expect.stringContaining('did not install what') })
})

test('a Node that is too old, or not there, stops the start with what to do', () => {
  install('1.2.3', 'v20.1.0')
  expect(setUp()).toMatchObject({
    status: 1,
    said: expect.stringContaining('is v20.1.0, and Leadhand runs on Node 24'),
  })
  rmSync(path.join(root, 'node_modules', '.bin', 'node'))
  expect(setUp()).toMatchObject({ status: 1, said: expect.stringContaining('run "npm ci"') })
})
