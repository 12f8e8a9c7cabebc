import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../db/client.ts'
import { inTx, systemCtx, type Ctx } from '../db/context.ts'
import { fileTypeOf, type FileTypeName } from '../db/file-types.ts'
import { getFileText, saveFileText } from '../db/file-text.ts'
import type { Subject } from '../db/activities.ts'
import { getFile, readContent } from '../db/files.ts'
import { clip } from '../db/text.ts'
import { documentLimits, readDocument, type DocumentKind } from './vendors/document.ts'

export { factKeys } from '../db/file-summary.ts'
export { queueFileProposal } from '../db/file-proposals.ts'
export { noteSummaryError, saveFileSummary } from '../db/file-text.ts'

/** Reads what an uploaded file says and keeps it beside the file, or why that is not possible. May run twice. */
export const readFileText = async (db: Database, organization_id: string, id: string): Promise<void> => {
  const ctx = systemCtx(db, organization_id, 'files')
  const file = await getFile(ctx, id)
  if (file.text_status !== 'pending') return
  const kind = kindOf[fileTypeOf(file.media_type) ?? 'png']
  if (!kind) return saveFileText(ctx, id, { pages: [] })
  if (kind === 'pdf' && file.size > documentLimits.pdf_bytes) {
    const limit = `${documentLimits.pdf_bytes / 1_000_000} MB`
    return saveFileText(ctx, id, { error: `The text of a PDF is read up to ${limit}; this one is larger.` })
  }
  const folder = await mkdtemp(join(tmpdir(), 'leadhand-file-'))
  try {
    const path = join(folder, 'content')
    await writeContent(ctx, id, path, kind === 'csv' || kind === 'text' ? TEXT_BYTES : Infinity)
    await saveFileText(ctx, id, await readDocument(path, kind))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A file whose summary a model may write. */
export type FileToSummarise = { subject: Subject; name: string; text: string }

/** What a model is shown of a file, cut to so many characters; nothing of one that is deleted, unread or has its summary. */
export const readToSummarise = (
  ctx: Ctx,
  id: string,
  at_most: number,
): Promise<FileToSummarise | undefined> =>
  inTx(ctx, async (ctx) => {
    const { subject, name, summary, archived_at } = await getFile(ctx, id)
    if (archived_at || summary?.by !== 'rules') return undefined
    const { pages } = await getFileText(ctx, id)
    return { subject, name: clip(name, 200), text: clip(pages.join('\n\n'), at_most) }
  })

const kindOf: Partial<Record<FileTypeName, DocumentKind>> = {
  pdf: 'pdf',
  docx: 'docx',
  csv: 'csv',
  txt: 'text',
  md: 'text',
}

/** Of plain text, more than is ever kept. */
const TEXT_BYTES = 4_000_000

/** Onto the disk, so that a large file takes no memory. */
const writeContent = async (ctx: Ctx, id: string, path: string, at_most: number): Promise<void> => {
  const file = await open(path, 'wx', 0o600)
  let written = 0
  try {
    for await (const piece of readContent(ctx, id)) {
      await file.write(piece)
      written += piece.length
      if (written >= at_most) break
    }
  } finally {
    await file.close()
  }
}
