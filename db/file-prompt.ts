import { type Ctx, inTx } from './context.ts'
import { getFileText } from './file-text.ts'
import { getFile } from './files.ts'
import type { RecordRef } from './records.ts'
import { notFound } from './errors.ts'
import { clip } from './text.ts'

/** How much of a file a model is shown. */
const limits = { text: 6_000, facts: 40 }

/** A file as a model reads it: what it is about, its key facts with quotes and pages, and how it begins. */
export type FileForPrompt = {
  file: { id: string; name: string; media_type: string }
  summary: string | null
  facts: { key: string; value: string; quote: string; page?: number }[]
  text: string
}

/**
 * Renders a file of this record for a model; its length is bounded whatever it holds.
 * @throws {DomainError} `file_not_found`, also of one on another record
 */
export const fileForPrompt = (
  ctx: Ctx,
  id: string,
  { kind, id: record_id }: RecordRef,
): Promise<FileForPrompt> =>
  inTx(ctx, async (ctx) => {
    const [file, { pages }] = await Promise.all([getFile(ctx, id), getFileText(ctx, id)])
    const { subject, name, media_type, summary, archived_at } = file
    if (subject.kind !== kind || subject.id !== record_id || archived_at !== null) throw notFound('file', id)
    return {
      file: { id, name: clip(name, 200), media_type },
      summary: summary?.text ?? null,
      facts: (summary?.facts ?? []).slice(0, limits.facts),
      text: clip(pages.join('\n\n'), limits.text),
    }
  })
