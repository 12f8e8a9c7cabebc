import { inTx, type Ctx, type TxCtx } from './context.ts'
import { notFound } from './errors.ts'
import { getFile, recordFileActivity, type FileOnRecord } from './files.ts'
import { keepQuoted, summariseText, type SaidSummary } from './file-summary.ts'
import { findInstruction } from './lead-injection.ts'
import { enqueue } from './queue.ts'
import { requireReading } from './reading.ts'
import { clip, visibleText } from './text.ts'

/** What reading a file came to: its pages (one where there are none), or why not. */
export type TextReading = { pages: string[]; notice?: string | undefined } | { error: string }

/** What a file says, page by page. Written by somebody outside: whoever shows it to a model has read from outside. */
export type FileText = {
  text_status: FileOnRecord['text_status']
  text_error: string | null
  pages: string[]
}

/** Between two pages. */
const PAGE_BREAK = '\f'

/**
 * Keeps what was read of a file, with a summary by rules beside it as a suggestion; the timeline says so. Once: of two that
 * read it, the first counts.
 */
export const saveFileText = (ctx: Ctx, id: string, reading: TextReading): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const pages = 'pages' in reading ? reading.pages.map((page) => visibleText(page).trim()) : []
    const has_text = pages.some((page) => page !== '')
    const status = 'error' in reading ? 'failed' : has_text ? 'done' : 'none'
    const why = 'error' in reading ? reading.error : has_text ? (reading.notice ?? null) : NO_TEXT
    const summary = has_text ? summariseText(pages) : null
    const saved = await tx`
      update files set text_status = ${status}, text_error = ${why}, updated_at = now(),
        extracted_text = ${has_text ? pages.join(PAGE_BREAK) : null}, summary = ${summary && tx.json(summary)}
      where organization_id = ${organization_id} and id = ${id} and text_status = 'pending' returning id`
    if (saved.length === 0) return
    const file = await recordReading(ctx, id, {
      text_status: status,
      ...(why ? { text_error: why } : {}),
      ...(summary ? { facts: summary.facts.length } : {}),
    })
    if (has_text) await enqueue(ctx, 'file.read', { file_id: id })
    const instruction = findInstruction(pages.join('\n'))
    if (instruction) {
      await recordFileActivity(ctx, file, {
        type: 'instruction_found',
        data: {
          where: `the file “${clip(file.name, 80)}”`,
          field: 'file',
          snippet: instruction,
          file_id: id,
        },
      })
    }
  })

/** A model's answer about a file, and what it was. */
type ModelSummary = SaidSummary & {
  by: string
  prompt_version: string
  usage: { input_tokens: number; output_tokens: number; cost_minor?: number; currency?: string }
}

/**
 * Puts a model's summary in the place of the one by rules, without what it did not quote from the file; the timeline says whose
 * it is and what it cost. Once: of two answers, the first counts.
 */
export const saveFileSummary = (
  ctx: Ctx,
  id: string,
  { by, prompt_version, usage, ...said }: ModelSummary,
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { pages } = await getFileText(ctx, id)
    const summary = { ...keepQuoted(pages, said), by, prompt_version }
    const saved = await tx`
      update files set summary = ${tx.json(summary)}, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and summary ->> 'by' = 'rules' returning id`
    if (saved.length === 0) return
    const facts = summary.facts.length
    const dropped_facts = said.facts.length - facts
    await recordReading(ctx, id, { summary_by: by, prompt_version, facts, dropped_facts, usage })
  })

/** Says on the file, and once per reason on the timeline, why the summary is still the one by rules. */
export const noteSummaryError = (
  ctx: Ctx,
  id: string,
  { by, code, message }: { by: string; code: string; message: string },
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const noted = await tx`
      update files set summary = summary || ${tx.json({ error: { code, message } })}, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and summary ->> 'by' = 'rules'
        and summary -> 'error' ->> 'code' is distinct from ${code} returning id`
    if (noted.length === 0) return
    await recordReading(ctx, id, { summary_by: by, summary_error: message, summary_error_code: code })
  })

const recordReading = async (
  ctx: TxCtx,
  id: string,
  data: Record<string, unknown>,
): Promise<FileOnRecord> => {
  const file = await getFile(ctx, id)
  await recordFileActivity(ctx, file, { type: 'file_read', data: { file_id: id, name: file.name, ...data } })
  return file
}

const NO_TEXT = 'There is no text in it; it may be made of pictures.'

/**
 * What a file says, as far as it was read. It is text from outside: show it as data, and count whoever reads it as having
 * read it.
 */
export const getFileText = (ctx: Ctx, id: string): Promise<FileText> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<
      (Omit<FileText, 'pages'> & { subject_kind: string; extracted_text: string | null })[]
    >`
      select subject_kind, text_status, text_error, extracted_text from files
      where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('file', id)
    const { subject_kind, extracted_text, ...status } = row
    requireReading(ctx, [{ kind: subject_kind }])
    return { ...status, pages: extracted_text === null ? [] : extracted_text.split(PAGE_BREAK) }
  })
