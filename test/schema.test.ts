import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '..')
const DRIZZLE = path.join(ROOT, 'node_modules', 'drizzle-kit', 'bin.cjs')

test('what the schema declares, the migrations have made: another one would be empty', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'leadhand-migrations-'))
  try {
    const migrations = path.join(ROOT, 'db', 'migrations')
    await cp(migrations, folder, { recursive: true })
    await promisify(execFile)(
      process.execPath,
      [
        DRIZZLE,
        'generate',
        '--dialect=postgresql',
        '--schema=./db/schema/index.ts',
        `--out=${path.relative(ROOT, folder)}`,
      ],
      { cwd: ROOT },
    )
    expect((await readdir(folder)).toSorted()).toEqual((await readdir(migrations)).toSorted())
  } finally {
    await rm(folder, { recursive: true })
  }
}, 60_000)
