import { createReadStream } from 'node:fs'
import { v7 as uuidv7 } from 'uuid'
import { type Ctx, inTx, type TxCtx } from './context.ts'
import type { CsvChoices } from './csv-dialect.ts'
import { csvEncodings } from './csv-encoding.ts'
import { type CsvSurvey, surveyCsv } from './csv-survey.ts'
import { DomainError } from './errors.ts'
import { customFields } from './fields.ts'
import { listMembers } from './identity.ts'
import { suggestMapping, type Suggestion } from './import-mapping.ts'
import { headerHash, isOwnColumn, rememberedDialect, rememberedMapping } from './import-memory.ts'
import { importTargets, type ImportTarget } from './import-targets.ts'
import { type Import, importFiles, type ImportSurvey, readImport, requireIdle, toImport } from './imports.ts'
import { listPipelines } from './pipelines.ts'
import type { RecordKind } from './records.ts'
import { readSettings } from './settings.ts'
import { readBytes, storeBytes } from './stored-bytes.ts'
import { clip, storableJson } from './text.ts'

/** How much of a file is shown of it. */
const SHOWN = { rows: 20, cell: 300 }

/**
 * Takes a file in: it is read once from beginning to end, so that whatever no row can be read of is refused now, and kept
 * as it came.
 * @param file `dialect` is how somebody says that it is written
 * @throws {DomainError} what `surveyCsv` refuses, with what to say about the file, and nothing kept
 */
export const createImport = async (
  ctx: Ctx,
  {
    kind,
    path,
    name,
    size,
    sha256,
    dialect = {},
  }: {
    kind: RecordKind
    path: string
    name: string
    size: number
    sha256: string
    dialect?: CsvChoices | undefined
  },
): Promise<Import & ImportSurvey> => {
  const { default_country: country } = await readSettings(ctx)
  const read = await surveyCsv(createReadStream(path), dialect, { country }).catch((error: unknown) => {
    throw error instanceof DomainError ? withWayOut(error) : error
  })
  return inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const id = uuidv7()
    const survey = await likeBefore(ctx, kind, read, dialect)
    await tx`
      insert into imports ${tx({
        organization_id,
        id,
        record_kind: kind,
        file_name: clip(name, 200) || 'import.csv',
        size,
        sha256,
        total: survey.rows,
        requested_by: tx.json(ctx.actor),
        on_behalf_of: ctx.on_behalf_of ? tx.json(ctx.on_behalf_of) : null,
        ...(await describe(ctx, kind, survey)),
      } as never)}`
    await storeBytes(ctx, importFiles, id, path)
    return getSurvey(ctx, id)
  })
}

/** What a refused file may be read by, where it was told wrongly: it has no id by which it could be surveyed again. */
const WAYS_OUT: Readonly<Record<string, { say: CsvChoices; accepted: readonly unknown[] | string }>> = {
  csv_encoding_mixed: { say: { encoding: 'utf-8-or-windows-1252' }, accepted: csvEncodings },
  csv_not_text: { say: { encoding: 'utf-16le' }, accepted: csvEncodings },
  csv_no_columns: { say: { delimiter: ';' }, accepted: 'the character that parts the cells' },
  csv_too_many_columns: { say: { delimiter: ';' }, accepted: 'the character that parts the cells' },
  csv_quote_open: { say: { quote: "'" }, accepted: ['"', "'"] },
  csv_row_too_long: { say: { quote: "'" }, accepted: ['"', "'"] },
  csv_no_rows: { say: { header: false }, accepted: [true, false] },
}

const withWayOut = (error: DomainError): DomainError => {
  const way = WAYS_OUT[error.code]
  if (!way) return error
  const { say, accepted } = way
  const message = `To have the file read as you say, send it again with the form field “dialect”, such as ${JSON.stringify(say)}.`
  return new DomainError(error.kind, error.code, `${error.message} ${message}`, {
    errors: [...error.errors, { pointer: `/dialect/${Object.keys(say).join('')}`, message, accepted }],
    extra: error.extra,
  })
}

/** What was told about the file of an import when it was read. */
export const getSurvey = (ctx: Ctx, id: string): Promise<Import & ImportSurvey> =>
  inTx(ctx, async (ctx) => {
    const row = await readImport(ctx, id)
    return { ...row.survey, ...row.suggestions, ...(await toImport(ctx, row)) }
  })

/** Reads the file again as somebody says that it is written, and suggests what its columns are. */
export const resurveyImport = (ctx: Ctx, id: string, choices: CsvChoices): Promise<Import & ImportSurvey> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const row = await readImport(ctx, id)
    requireIdle(row)
    const { default_country: country } = await readSettings(ctx)
    const survey = await surveyCsv(readBytes(ctx, importFiles, id), choices, { country })
    await tx`
      update imports set ${tx({ total: survey.rows, ...(await describe(ctx, row.record_kind, survey)) } as never)}, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    return getSurvey(ctx, id)
  })

/** What columns can be imported as in this organization. */
export const listTargets = async (ctx: Ctx, kind: RecordKind): Promise<ImportTarget[]> =>
  importTargets(kind, await customFields(ctx, kind))

/** What an import could not take comes back in the style of the whole file, of which it is too little to tell. */
const likeBefore = async (
  ctx: TxCtx,
  kind: RecordKind,
  survey: CsvSurvey,
  given: CsvChoices,
): Promise<CsvSurvey> => {
  const { columns } = survey.dialect
  const before = columns.some((column) => isOwnColumn(columns, column))
    ? await rememberedDialect(ctx, kind, columns)
    : undefined
  if (!before) return survey
  const { decimal, thousands } = given.decimal ? survey.dialect : before
  const dates = { ...before.dates, ...given.dates }
  return {
    ...survey,
    dialect: {
      ...survey.dialect,
      decimal,
      thousands,
      dates: Object.fromEntries(Object.entries(dates).filter(([column]) => columns.includes(column))),
    },
    ambiguous_dates: [],
  }
}

/** What the table keeps of a survey, and the columns' probable meanings: as they were mapped before, or as they look. */
const describe = async (
  ctx: TxCtx,
  kind: RecordKind,
  { sample, bytes: _, ...survey }: CsvSurvey,
): Promise<Record<string, unknown>> => {
  const { tx } = ctx
  const { columns } = survey.dialect
  const [targets, pipelines, members] = await Promise.all([
    listTargets(ctx, kind),
    listPipelines(ctx),
    listMembers(ctx),
  ])
  const among = pipelines.filter(({ record_kind }) => record_kind === kind)
  const told = suggestMapping(columns, sample, targets, {
    pipelines: among.map(({ name }) => name),
    stages: among.flatMap(({ stages }) => stages.map(({ label }) => label)),
    members: members.map(({ name, email }) => ({ name, email })),
  })
  const remembered = await rememberedMapping(ctx, kind, columns)
  const fields = new Set(targets.map(({ field }) => field))
  const suggestions = Object.fromEntries(
    columns.map((column): [string, Suggestion] => {
      const before = remembered?.mapping[column]
      if (isOwnColumn(columns, column))
        return [
          column,
          { field: null, reason: 'an import wrote it beside the rows that it could not take', confidence: 1 },
        ]
      if (remembered && before !== undefined && (before === null || fields.has(before)))
        return [column, { field: before, reason: remembered.reason, confidence: 1 }]
      return [column, told[column] ?? { field: null, reason: 'no field is called like it', confidence: 0 }]
    }),
  )
  const suggested_mapping = Object.fromEntries(
    columns.map((column) => [column, suggestions[column]?.field ?? null]),
  )
  const shown = sample.slice(0, SHOWN.rows).map((cells) => cells.map((cell) => clip(cell, SHOWN.cell)))
  return {
    header_hash: headerHash(columns),
    // A NUL in a cell is a fault of its row, and is shown.
    survey: tx.json(storableJson({ ...survey, columns, sample: shown }) as never),
    suggestions: tx.json(storableJson({ suggestions, suggested_mapping }) as never),
  }
}
