import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../db/client.ts'
import { systemCtx, type Ctx } from '../db/context.ts'
import { fileTypeOf, type FileTypeName } from '../db/file-types.ts'
import { saveFileText } from '../db/file-text.ts'
import { getFile, readContent } from '../db/files.ts'
import { documentLimits, readDocument, type DocumentKind } from './vendors/document.ts'

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
