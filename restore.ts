import { randomBytes } from 'node:crypto'
import { restoreArchive } from './db/archive-restoring.ts'
import { DomainError } from './db/errors.ts'
import { addMember } from './db/identity.ts'
import { withDatabase } from './db/offline.ts'

/** `npm run restore -- <archive.zip>`: opens the archive of an organization in this instance, which must not have it. */
const main = async (file: string | undefined): Promise<number> => {
  if (!file) {
    process.stderr.write('Say which archive: npm run restore -- leadhand.zip\n')
    return 2
  }
  return withDatabase(async (db) => {
    const { organization, members, rows, files, ended } = await restoreArchive(db, file)
    const count = Object.values(rows).reduce((all, n) => all + n, 0)
    process.stdout.write(`${organization.name}: ${count} rows, ${files} files, ${members.length} members\n`)
    for (const [table, n] of Object.entries(ended))
      process.stdout.write(`${n} of ${table} were under way and were ended here\n`)
    for (const { name, email } of members.filter(({ role }) => role === 'owner')) {
      const password = randomBytes(12).toString('base64url')
      await addMember(db, { organization_id: organization.id, name, email, role: 'owner', password })
      process.stdout.write(`Sign in as ${email} with the password ${password}, which is not shown again\n`)
    }
    return 0
  })
}

try {
  process.exitCode = await main(process.argv[2])
} catch (error) {
  if (!(error instanceof DomainError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
