import { type Ctx, inTx } from './context.ts'
import { joinList } from './csv-cells.ts'
import { type CsvRow, readRows } from './csv-rows.ts'
import { csvLine } from './csv-writing.ts'
import { isOwnColumn, ownColumns } from './import-memory.ts'
import { importFiles, readImport, type RowProblem } from './imports.ts'
import { readBytes } from './stored-bytes.ts'

/** Takes a piece of a file that is being written. */
type Write = (text: string) => Promise<unknown>

/**
 * Writes the rows that an import could not take, as they came, with the line that they stood on and what is wrong: to be
 * corrected and imported again. Without such rows it is the row of names alone.
 * @throws {DomainError} `import_not_found`
 */
export const writeErrors = async (ctx: Ctx, id: string, write: Write): Promise<void> => {
  const { survey, request } = await inTx(ctx, (ctx) => readImport(ctx, id))
  const dialect = request?.dialect ?? survey.dialect
  const kept = dialect.columns.flatMap((column, n) => (isOwnColumn(dialect.columns, column) ? [] : [n]))
  const names = kept.map((n) => dialect.columns[n] ?? '')
  const own = ownColumns.find((pair) => pair.every((name) => !names.includes(name))) ?? ownColumns[0]
  await write(csvLine([...names, ...own]))
  for await (const rows of readRows(readBytes(ctx, importFiles, id), dialect)) {
    const problems = await problemsOf(ctx, id, rows)
    const lines = rows.flatMap(({ n, line, cells }) => {
      const wrong = problems.get(n)
      return wrong ? [csvLine([...kept.map((at) => cells[at] ?? ''), String(line), wordsOf(wrong)])] : []
    })
    if (lines.length > 0) await write(lines.join(''))
  }
}

const problemsOf = (ctx: Ctx, id: string, rows: readonly CsvRow[]): Promise<Map<number, RowProblem[]>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const found = await tx<{ n: number; problems: RowProblem[] | null }[]>`
      select n, problems from import_rows
      where organization_id = ${organization_id} and import_id = ${id} and result = 'error'
        and n between ${rows[0]?.n ?? 0} and ${rows.at(-1)?.n ?? 0}`
    return new Map(found.map(({ n, problems }) => [n, problems ?? []]))
  })

/** How many choices are named. */
const NAMED = 12

const wordsOf = (problems: readonly RowProblem[]): string =>
  problems
    .map(({ column, message, nearest, accepted }) => {
      const choices = typeof accepted === 'string' ? accepted : joinList((accepted ?? []).slice(0, NAMED))
      return [
        `${column === undefined ? '' : `${column}: `}${message.replace(/\.$/, '')}.`,
        ...(nearest === undefined ? [] : [`Nearest: ${nearest}.`]),
        ...(choices === '' ? [] : [`Accepted: ${choices}.`]),
      ].join(' ')
    })
    .join(' ')
