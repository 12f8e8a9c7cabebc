import { z } from 'zod'
import { CsvChoices } from '../../db/csv-dialect.ts'
import { writeErrors } from '../../db/import-errors.ts'
import { importModes, ImportRequest } from '../../db/import-request.ts'
import { cancelImport, startImport, undoImport } from '../../db/import-acts.ts'
import { createImport, getSurvey, listTargets, resurveyImport } from '../../db/import-surveys.ts'
import {
  getImport,
  importResults,
  importStatuses,
  importTasks,
  listImportRows,
  listImports,
} from '../../db/imports.ts'
import type { Ctx } from '../../db/context.ts'
import { recordKinds } from '../../db/records.ts'
import { streamCsv } from '../csv.ts'
import { type Principal, requirePermission } from '../principal.ts'
import { recordPermissions } from '../record-permissions.ts'
import { ById, Limit, Paged, route } from '../route.ts'
import { Actor, Anything, Id, listOf, Text, Time } from '../shapes.ts'

const Count = z.int()
const Kind = z.enum(recordKinds)
const Counts = z.object({ create: Count, update: Count, skip: Count, error: Count })

const ProblemOfRow = z.object({
  column: z.string().optional(),
  field: z.string().optional(),
  code: z.string(),
  message: z.string(),
  accepted: z.union([z.string(), z.array(z.string())]).optional(),
  nearest: z.string().optional(),
})

/** A file that was brought, and how far it has come. */
export const ImportShape = z
  .object({
    id: Id,
    kind: Kind,
    file_name: z.string(),
    size: Count,
    status: z.enum(importStatuses),
    task: z.enum(importTasks).nullable().describe('What the job does, or did last.'),
    request: Anything.nullable().describe('What it was last asked, with the dialect whole.'),
    mode: z.enum(importModes).nullable(),
    progress: z.object({ done: Count, total: Count }),
    counts: Counts.describe('Rows of the task that it was last given, by what they came to.'),
    dry_run_counts: Counts.nullable(),
    new_associations: z
      .object({ accounts: Count, contacts: Count })
      .optional()
      .describe(
        'Accounts and contacts that the task makes, or a dry run would, beside the rows’ own records: rows name them, and nobody is called so.',
      ),
    undo: z
      .object({
        restored: Count,
        kept_records: Count,
        kept: z.array(
          z.object({
            record: z.object({ kind: Kind, id: Id, name: Text }),
            fields: z.array(z.string()),
            changed_by: Actor.nullable(),
            changed_at: Text,
          }),
        ),
      })
      .nullable()
      .describe('What was taken back, and what somebody changed since, which stays.'),
    error: Text,
    requested_by: Actor,
    created_at: Time,
    started_at: Time.nullable(),
    finished_at: Time.nullable(),
    updated_at: Time,
  })
  .meta({ id: 'Import' })

/** The same with how its file is written. */
const SurveyShape = ImportShape.extend({
  columns: z.array(z.string()),
  sample: z.array(z.array(z.string())).describe('The first rows, a cell for each column.'),
  suggested_mapping: z.record(z.string(), z.string().nullable()),
  suggestions: z.record(z.string(), z.object({ field: Text, reason: z.string(), confidence: z.number() })),
  dialect: Anything.describe('Encoding, delimiter, quote, header, decimal, date styles, as they were told.'),
  confidence: z.number(),
  reasons: z.array(
    z.object({ about: z.string(), choice: z.string(), confidence: z.number(), why: z.string() }),
  ),
  ambiguous_dates: z.array(z.object({ column: z.string(), assumed: z.string(), why: z.string() })),
  warnings: z.array(z.string()),
  rows: Count,
  faulty_rows: Count,
}).meta({ id: 'ImportSurvey' })

const RowShape = z
  .object({
    n: Count,
    line: Count.describe('Of the file.'),
    result: z.enum(importResults),
    record: z.object({ kind: Kind, id: Id, name: Text }).nullable(),
    matched_by: Text.describe('By what the record was recognised.'),
    problems: z
      .array(ProblemOfRow)
      .describe(
        'What is wrong with it, or why it was passed by. Of a row that is taken, warnings: `account_nearly_known` and `contact_nearly_known` name who is there and is called nearly like the one that it makes.',
      ),
    changes: z
      .array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() }))
      .describe(
        'Of an update. A move is told as `stage` and `pipeline`, a new link as `account` or `contact`, by their names.',
      ),
  })
  .meta({ id: 'ImportRow' })

const TargetShape = z
  .object({
    field: z.string(),
    label: z.string(),
    type: z.string(),
    options: z.array(Anything).optional(),
  })
  .meta({ id: 'ImportTarget' })

/** What `/survey` takes, as JSON in a field of a form. */
const DialectField = z.preprocess((sent, at) => {
  if (typeof sent !== 'string') return sent
  try {
    return JSON.parse(sent) as unknown
  } catch {
    at.addIssue('JSON, such as {"delimiter": ";", "encoding": "utf-8"}')
    return z.NEVER
  }
}, CsvChoices.strict())

const example = {
  mapping: { Name: 'contact_name', 'E-mail': 'email', Firma: 'company_name' },
  mode: 'skip',
}

const asked =
  '`mapping` says which column is which field (`GET /api/import-targets`). `mode`: `skip` what is there already, `update` it, or `create_and_flag` it as a possible duplicate. Known is a row by its `id`, by `match_by`, by its external id, or by what the kind is known by everywhere (a lead: e-mail, phone, company domain with name); one without any of these by having been imported before. Blank cells change nothing unless `erase_blanks`. `defaults` are for what is made. An unknown stage, owner or choice is an error of its row that names the nearest. Accounts and contacts that nobody is called are made, and counted in `new_associations`; without `create_associations` they are such errors, too. Who is near is looked up for the first 100 such names of a file.'

/** Files of records: read, tried, imported, taken back. */
export const imports = [
  route(
    {
      method: 'POST',
      path: '/api/imports',
      permission: 'imports:write',
      summary: 'Bring a CSV file',
      description:
        'It is read from beginning to end and nothing is imported yet: the answer says how it is written, with reasons, and what its columns seem to be. Any delimiter, encoding and style of numbers and dates; any number of rows. `dialect` says how the file is written where its content would tell it wrongly, or not at all: what is refused so names it.',
      body: z.object({ kind: Kind, dialect: DialectField.optional() }),
      described_body: z.object({ kind: Kind, dialect: CsvChoices.strict().optional() }),
      example: { kind: 'lead', dialect: { encoding: 'utf-8-or-windows-1252' } },
      upload: true,
      response: SurveyShape,
      status: 201,
    },
    ({ ctx, body, upload, principal }) => {
      if (!upload) throw new Error('an import comes as an upload')
      requirePermission(principal, recordPermissions[body.kind].write)
      return createImport(ctx, { ...body, ...upload })
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/imports',
      permission: 'imports:read',
      summary: 'Imports, newest first',
      query: Paged.extend({ kind: Kind.optional(), status: z.enum(importStatuses).optional() }),
      response: listOf(ImportShape),
    },
    ({ ctx, query }) => listImports(ctx, query),
  ),
  route(
    {
      method: 'GET',
      path: '/api/imports/:id',
      permission: 'imports:read',
      summary: 'How far an import has come, what its rows came to, and how its file is written',
      params: ById,
      response: SurveyShape,
    },
    ({ ctx, params }) => getSurvey(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/imports/:id/survey',
      permission: 'imports:write',
      summary: 'Read the file again, as you say that it is written',
      params: ById,
      body: CsvChoices.strict(),
      example: { delimiter: ';', decimal: ',' },
      response: SurveyShape,
    },
    async ({ ctx, params, body, principal }) => {
      await requireKind(ctx, params.id, principal, 'write')
      return resurveyImport(ctx, params.id, body)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/imports/:id/dry-run',
      permission: 'imports:write',
      summary: 'Try an import: every row, and nothing changes',
      description: `${asked} A dry run reads only, and keeps nobody waiting.`,
      params: ById,
      body: ImportRequest,
      example,
      response: ImportShape,
      status: 202,
    },
    async ({ ctx, params, body, principal }) => {
      await requireKind(ctx, params.id, principal, 'write')
      return startImport(ctx, params.id, 'dry_run', body)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/imports/:id/run',
      permission: 'imports:write',
      summary: 'Import the file',
      description: `${asked} Progress comes as \`import_progress\` on \`/api/events\`, at most once a second; the end as \`import_finished\`.`,
      params: ById,
      body: ImportRequest,
      example,
      response: ImportShape,
      status: 202,
    },
    async ({ ctx, params, body, principal }) => {
      await requireKind(ctx, params.id, principal, 'write')
      if (body.work) requirePermission(principal, 'runs:write')
      return startImport(ctx, params.id, 'run', body)
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/imports/:id/rows',
      permission: 'imports:read',
      summary: 'What each row came to, or would',
      params: ById,
      query: z.object({
        result: z.enum(importResults).optional(),
        limit: Limit,
        cursor: z.coerce
          .number('not a cursor of this list; start again without it')
          .int()
          .min(0)
          .max(2_147_483_647)
          .optional(),
      }),
      response: listOf(RowShape),
    },
    async ({ ctx, params, query, principal }) => {
      await requireKind(ctx, params.id, principal, 'read')
      return listImportRows(ctx, params.id, query)
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/imports/:id/errors',
      permission: 'imports:read',
      summary: 'The rows that could not be taken, as CSV, each with what is wrong',
      description:
        'All its columns, and two more: the line that it stood on, and what is wrong with the nearest value that would do. Correct it and import it again; the two columns are passed by.',
      params: ById,
      files: ['text/csv'],
    },
    async ({ ctx, params, principal }) => {
      await requireKind(ctx, params.id, principal, 'read')
      return streamCsv('errors.csv', (write) => writeErrors(ctx, params.id, write))
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/imports/:id/cancel',
      permission: 'imports:write',
      summary: 'Stop an import; what it did already stays',
      params: ById,
      response: ImportShape,
    },
    async ({ ctx, params, principal }) => {
      await requireKind(ctx, params.id, principal, 'write')
      return cancelImport(ctx, params.id)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/imports/:id/undo',
      permission: 'imports:write',
      summary: 'Take an import back',
      description:
        'What it made is archived, what it changed becomes what it was, but for what somebody changed or worked on since: `undo.kept` names that, with who and when.',
      params: ById,
      response: ImportShape,
      status: 202,
    },
    async ({ ctx, params, principal }) => {
      await requireKind(ctx, params.id, principal, 'write')
      return undoImport(ctx, params.id)
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/import-targets',
      permission: 'imports:read',
      summary: 'What columns of a file can be imported as',
      query: z.object({ kind: Kind }),
      response: z.object({ data: z.array(TargetShape) }),
      tag: 'imports',
    },
    async ({ ctx, query }) => ({
      data: (await listTargets(ctx, query.kind)).map(({ record_kind: _, ...target }) => target),
    }),
  ),
]

/** An import is as good as its records. */
const requireKind = async (
  ctx: Ctx,
  id: string,
  principal: Principal,
  act: 'read' | 'write',
): Promise<void> => {
  const { kind } = await getImport(ctx, id)
  requirePermission(principal, recordPermissions[kind][act])
}
