import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

const ROOT = import.meta.dirname
const WEB = path.join(ROOT, 'web')
/** Where the built pages are served from. */
export const WEB_DIST = path.join(WEB, 'dist')
const STAMP = path.join(WEB_DIST, '.built-from')

/**
 * Builds the web pages when their sources have changed since the last build; otherwise reads a few hashes and is done.
 * @throws when the build fails; its output is in the message
 */
export const buildWeb = async (): Promise<'built' | 'current'> => {
  const wanted = await hashSources()
  if (existsSync(STAMP) && (await readFile(STAMP, 'utf8')) === wanted) return 'current'
  await run(process.execPath, [
    path.join(ROOT, 'node_modules/vite/bin/vite.js'),
    'build',
    WEB,
    '--logLevel',
    'warn',
  ])
  await writeFile(STAMP, wanted)
  return 'built'
}

const hashSources = async (): Promise<string> => {
  const hash = createHash('sha256')
  const entries = await readdir(WEB, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(WEB, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('dist'))
    .toSorted()
  for (const file of files) hash.update(file).update(await readFile(path.join(WEB, file)))
  hash.update(await readFile(path.join(ROOT, 'package-lock.json')))
  return hash.digest('hex')
}

const run = (command: string, args: string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`the web pages could not be built:\n${output}`)),
    )
  })

if (import.meta.main) await buildWeb()
