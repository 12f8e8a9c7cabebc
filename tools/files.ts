import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../db/client.ts'
import { systemCtx, type Ctx } from '../db/context.ts'
import { fileTypeOf, type FileTypeName } from '../db/file-types.ts'
import { saveFileText } from '../db/file-text.ts'
import { getFile, readContent } from '../db/files.ts'
import { readDocument, type DocumentKind } from './vendors/document.ts'

/** Reads what an uploaded file says and keeps it beside the file, or why that is not possible. May run twice. */
export const readFileText = async (db: Database, organization_id: string, id: string): Promise<void> => {
  const ctx = systemCtx(db, organization_id, 'files')
  const file = await getFile(ctx, id)
  if (file.text_status !== 'pending') return
  const kind = kindOf[fileTypeOf(file.media_type) ?? 'png']
  if (!kind) return saveFileText(ctx, id, { pages: [] })
  const folder = await mkdtemp(join(tmpdir(), 'leadhand-file-'))
  try {
    const path = join(folder, 'content')
    await writeContent(ctx, id, path)
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

/** Onto the disk, so that a large file takes no memory. */
const writeContent = async (ctx: Ctx, id: string, path: string): Promise<void> => {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const piece of readContent(ctx, id)) await file.write(piece)
  } finally {
    await file.close()
  }
}
