import { z } from 'zod'
import { writeArchive } from '../../db/archives.ts'
import { exportRecords } from '../../db/exports.ts'
import { linkedColumns } from '../../db/export-columns.ts'
import type { FilterKind } from '../../db/filter-fields.ts'
import { attachment, streamCsv, streamFile } from '../csv.ts'
import { ListingQuery } from '../listing.ts'
import type { Permission } from '../permissions.ts'
import { requirePermission } from '../principal.ts'
import { recordPermissions, requireEveryKind } from '../record-permissions.ts'
import { route } from '../route.ts'

/** What can be exported, by the nouns of its list, and what it takes to read it. */
const exported: Record<string, { kind: FilterKind; permission: Permission }> = {
  leads: { kind: 'lead', permission: 'leads:read' },
  deals: { kind: 'deal', permission: 'leads:read' },
  opportunities: { kind: 'opportunity', permission: 'leads:read' },
  accounts: { kind: 'account', permission: 'accounts:read' },
  contacts: { kind: 'contact', permission: 'contacts:read' },
  tasks: { kind: 'task', permission: 'tasks:read' },
  notes: { kind: 'note', permission: 'notes:read' },
  activities: { kind: 'activity', permission: 'activities:read' },
  files: { kind: 'file', permission: 'files:read' },
  campaigns: { kind: 'campaign', permission: 'campaigns:read' },
  submissions: { kind: 'submission', permission: 'intake:read' },
}

const { q, filter, sort } = ListingQuery.shape

const Columns = z
  .string()
  .max(10_000)
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.string().min(1)).min(1).max(500))

/** Lists as files, and everything as one. */
export const exports = [
  ...Object.entries(exported).map(([noun, { kind, permission }]) =>
    route(
      {
        method: 'GET',
        path: `/api/exports/${noun}`,
        permission: 'exports:write',
        summary: `All ${noun} of a list as CSV`,
        description:
          'Takes the question of the list, and `columns`: names of fields, `custom.<key>`, or what an import takes (`stage`, `owner`, `value` …), which are the columns unless you say so; of lists that are no records, also what each row belongs to and what it says (`subject_id`, `subjects` as `kind:id`, `data.body`, `payload` …). UTF-8; no cell can start a formula: what begins like one has an apostrophe before it, which an import takes away again. The columns `account` and `contact` are there for whoever may read those.',
        query: z.object({
          q,
          filter,
          sort,
          columns: Columns.optional().describe('Names with commas between them.'),
        }),
        tag: 'exports',
        files: ['text/csv'],
      },
      ({ ctx, query, principal }) => {
        requirePermission(principal, permission)
        // Names of linked records: left out where they may not be read, refused where they are asked for.
        const without = linkedColumns.filter((name) => {
          const { read } = recordPermissions[name]
          if (query.columns?.includes(name)) requirePermission(principal, read)
          return !principal.permissions.includes(read)
        })
        return streamCsv(`${noun}.csv`, (write) => exportRecords(ctx, kind, { ...query, without }, write))
      },
    ),
  ),
  route(
    {
      method: 'GET',
      path: '/api/exports/archive',
      permission: 'settings:write',
      summary: 'Everything of the organization as a ZIP',
      description:
        'As it stood at one moment: `manifest.json` (the schema and who is a member), `tables/<name>.jsonl` (a row a line), `files/<id>` and `imports/<id>`. `npm run restore -- <file>` opens it in a fresh instance. Without passwords, keys, tokens and secrets.',
      tag: 'exports',
      files: ['application/zip'],
    },
    ({ ctx, principal }) => {
      requirePermission(principal, 'exports:write')
      requireEveryKind(principal)
      return streamFile((write) => writeArchive(ctx, write), attachment('leadhand.zip', 'application/zip'))
    },
  ),
]
