import { type Ctx, inTx } from './context.ts'
import { getFileText } from './file-text.ts'
import { getFile } from './files.ts'
import type { Origin } from './origins.ts'
import type { readRecord } from './record-updates.ts'
import type { RecordRef } from './records.ts'
import { clip, visibleText } from './text.ts'

/** Words that a value is taken from; without a file, those of the record's message or of its website. */
export type Citation = { snippet: string; file_id?: string | undefined }

/** A record with what may be cited of it. */
export type Cited = { ref: RecordRef; record: Awaited<ReturnType<typeof readRecord>> }

/**
 * Where the words of a citation stand: in what the lead wrote, in what its website says, or in a file on the record. Nowhere:
 * they were made up, or are somebody else's.
 */
export const findCitation = async (
  ctx: Ctx,
  { ref, record }: Cited,
  { snippet, file_id }: Citation,
): Promise<Origin | undefined> => {
  const words = plain(snippet).replace(/…$/, '')
  if (words.length < SHORTEST) return undefined
  const found = { snippet: clip(visibleText(snippet), 300), ...(ctx.run_id ? { run_id: ctx.run_id } : {}) }
  if (file_id !== undefined) {
    const place = await findInFile(ctx, ref, file_id, words)
    return place && { kind: 'file', file_id, ...place, ...found }
  }
  if (!('message' in record)) return undefined
  const fact = (record.enrichment?.facts ?? []).find((one) =>
    [one.snippet, one.value].some((text) => plain(text).includes(words)),
  )
  if (fact) return { kind: 'url', url: fact.source_url, ...found }
  if (!plain(record.message ?? '').includes(words)) return undefined
  const { submission_id } = record.origin
  return {
    kind: 'submission',
    name: 'what the lead wrote',
    ...(submission_id ? { submission_id } : {}),
    ...found,
  }
}

/** Shorter words stand everywhere. */
const SHORTEST = 3

const plain = (text: string): string => visibleText(text).toLowerCase().replaceAll(/\s+/g, ' ').trim()

/** A file of another record is none of this one's, nor is one that was deleted. */
const findInFile = (
  ctx: Ctx,
  { kind, id }: RecordRef,
  file_id: string,
  words: string,
): Promise<{ name: string; page?: number } | undefined> =>
  inTx(ctx, async (ctx) => {
    const [{ name, subject, archived_at }, { pages }] = await Promise.all([
      getFile(ctx, file_id),
      getFileText(ctx, file_id),
    ])
    const at = pages.findIndex((page) => plain(page).includes(words))
    if (subject.kind !== kind || subject.id !== id || archived_at !== null || at < 0) return undefined
    return { name, ...(pages.length > 1 ? { page: at + 1 } : {}) }
  })

/** Whether a person asked for the run that `ctx` acts in: then it may write over what is there. */
export const isAskedByPerson = (ctx: Ctx): Promise<boolean> =>
  inTx(ctx, async ({ tx, organization_id, run_id }) => {
    const rows = await tx`
      select 1 from runs where organization_id = ${organization_id} and id = ${run_id ?? null}
        and trigger ->> 'kind' = 'request' and requested_by ->> 'kind' = 'user'`
    return rows.length > 0
  })
