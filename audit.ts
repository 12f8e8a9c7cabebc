import path from 'node:path'
import { verifyAudit } from './db/audit.ts'
import { listOrganizations } from './db/identity.ts'
import { withDatabase } from './db/offline.ts'

/** `npm run audit`: walks every organization's chain of activities; exits 1 and names the first bad row of a broken one. */
const main = (): Promise<number> =>
  withDatabase(async (db, env) => {
    let broken = 0
    for (const { id, name } of await listOrganizations(db)) {
      const { activities, problem } = await verifyAudit(db, id, path.join(env.DATA_DIR, 'sealed-heads.jsonl'))
      if (problem) broken += 1
      process.stdout.write(
        problem
          ? `${name}: BROKEN at ${problem.seq}${problem.activity_id ? ` (activity ${problem.activity_id})` : ''}: ${problem.message}\n`
          : `${name}: ${activities} activities, whole\n`,
      )
    }
    return broken > 0 ? 1 : 0
  })

process.exitCode = await main()
