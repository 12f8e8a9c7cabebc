// Runs before the npm scripts, on whatever Node the system has (20 or newer): installs the dependencies when they
// are missing or not the lockfile's, among them the Node that the scripts themselves run on.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const isWindows = process.platform === 'win32'

const stop = (...lines) => {
  console.error(lines.join('\n'))
  process.exit(1)
}

/** Whether npm finished an install of exactly what the lockfile names; what is optional may be another system's. */
const isInstalled = () => {
  const record = join(root, 'node_modules', '.package-lock.json') // npm's own, written when an install is complete
  if (!existsSync(record)) return false
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  return Object.entries(locked).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true
    const found = installed[path]
    if (!found) return Boolean(optional || devOptional)
    return found.version === version && existsSync(join(root, path))
  })
}

const install = () => {
  console.log('Installing the dependencies with npm ci; this takes about a minute …')
  const npm = process.env.npm_execpath
  const [command, ...first] = npm ? [process.execPath, npm] : [isWindows ? 'npm.cmd' : 'npm']
  const done = spawnSync(
    command,
    [...first, 'ci', '--include=dev', '--include=optional', '--no-fund', '--no-audit'],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: isWindows && !npm,
    },
  )
  if (done.status === 0) return
  stop(
    `npm ci failed: ${done.error?.message ?? `it ended with ${done.signal ?? `code ${done.status}`}, its own message is above`}.`,
    `It needs the npm registry, and ${root} to be writable for this user. Then run the command again.`,
  )
}

const checkNode = () => {
  const node = join(root, 'node_modules', '.bin', isWindows ? 'node.cmd' : 'node')
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8', shell: isWindows })
  const version = stdout?.trim() ?? ''
  if (Number(/^v(\d+)/.exec(version)?.[1] ?? 0) >= 24) return
  stop(
    version
      ? `node_modules/.bin/node is ${version}, and Leadhand runs on Node 24.`
      : 'node_modules/.bin/node is missing, or does not run on this system.',
    'It is the npm package "node", which fetches the program when it is installed:',
    'run "npm ci" with install scripts allowed (no --ignore-scripts), or start with a Node 24 of your own: "node start.ts".',
  )
}

const useHooks = () => {
  if (!existsSync(join(root, '.git')) || !existsSync(join(root, '.githooks'))) return
  const git = (...args) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    if (git('config', '--default', '', '--get', 'core.hooksPath').trim() === '')
      git('config', 'core.hooksPath', '.githooks')
  } catch {
    // no git, or a checkout of somebody else's: the hooks are a convenience
  }
}

if (!isInstalled()) {
  install()
  if (!isInstalled())
    stop(
      'npm ci did not install what package-lock.json names. Remove node_modules and run the command again.',
    )
}
checkNode()
useHooks()
