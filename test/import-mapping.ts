import type { KnownNames } from '../db/import-fits.ts'
import { suggestMapping } from '../db/import-mapping.ts'
import { importTargets } from '../db/import-targets.ts'
import type { RecordKind } from '../db/records.ts'
import { customField } from './custom-fields.ts'

/** What an organization has that cells may name. */
export const known: KnownNames = {
  stages: ['New lead', 'Qualified', 'In conversation', 'Proposal sent', 'Closed-Won', 'Closed-Lost'],
  pipelines: ['Agent funnel', 'Opportunities'],
  members: [{ name: 'Grit Muster', email: 'grit@brightside.example' }],
}

/** Custom fields of leads and deals. */
export const custom = [
  customField('lead', 'team_size', 'integer'),
  customField('lead', 'plan', 'select', ['Basic', 'Pro', 'Enterprise']),
  customField('deal', 'team_size', 'integer'),
]

/** Which field each column is suggested as. */
export const suggested = (
  kind: RecordKind,
  columns: string[],
  rows: string[][] = [],
): Record<string, string | null> =>
  Object.fromEntries(
    Object.entries(suggestMapping(columns, rows, importTargets(kind, custom), known)).map(
      ([column, { field }]) => [column, field],
    ),
  )
