import { stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

/** What reading a document may cost: a file is made by somebody outside, and may be made to cost more. */
export const documentLimits = {
  /** Larger PDFs are not read: a PDF has to be in memory whole. */
  pdf_bytes: 24_000_000,
  pages: 200,
  rows: 5_000,
  characters: 200_000,
  /** How deep a document's parts may lie in each other. */
  depth: 500,
  /** What an archive's part may unpack to. */
  unpacked_bytes: 100_000_000,
  time_ms: 20_000,
  heap_mb: 32,
  /** Beside the heap, and beside the file itself. */
  buffers_mb: 12,
  look_ms: 10,
}

/** What a document says, page by page (one where it has none), or why that cannot be told. */
export type DocumentReading = { pages: string[]; notice?: string | undefined } | { error: string }

const Reading = z.union([
  z.object({ pages: z.array(z.string()), notice: z.string().optional() }),
  z.object({ error: z.string() }),
])

/** How a document is read. */
export type DocumentKind = 'pdf' | 'docx' | 'csv' | 'text'

/**
 * Reads a document's text in a thread of its own, which is ended when it takes too long or too much memory. Never throws
 * for what is wrong with the document: the answer says it.
 */
export const readDocument = async (path: string, kind: DocumentKind): Promise<DocumentReading> => {
  const { time_ms, heap_mb, buffers_mb, look_ms } = documentLimits
  const { size } = await stat(path)
  // A PDF is in memory whole, the others are not.
  const allowed = (kind === 'pdf' ? size : 0) + buffers_mb * 1024 * 1024
  const worker = new Worker(new URL('./document-worker.ts', import.meta.url), {
    workerData: { path, kind, limits: documentLimits },
    resourceLimits: { maxOldGenerationSizeMb: heap_mb, maxYoungGenerationSizeMb: 4, stackSizeMb: 2 },
    // It needs nothing of what this process was told, secrets least of all.
    env: {},
    stdin: true,
    stdout: true,
    stderr: true,
  })
  worker.stdout.resume()
  worker.stderr.resume()
  const watching = new AbortController()
  const said = new Promise<DocumentReading>((resolve) => {
    const answer = (reading: DocumentReading) => resolve(reading)
    worker.on('message', (message: unknown) => answer(Reading.parse(message)))
    worker.on('error', (error: NodeJS.ErrnoException) =>
      answer({
        error: error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? TOO_MUCH_MEMORY : `It is broken: ${error.message}`,
      }),
    )
    worker.on('exit', () => answer({ error: 'It is broken: reading it ended without an answer' }))
    const late = setTimeout(() => answer({ error: TOO_LONG }), time_ms)
    // The heap has its limit; buffers lie beside it and are counted from here, also while the thread is busy.
    const look = async (): Promise<void> => {
      while (!watching.signal.aborted) {
        const used = await worker.getHeapStatistics().catch(() => undefined)
        if (used && used.external_memory > allowed + buffers_mb * 1024 * 1024)
          answer({ error: TOO_MUCH_MEMORY })
        await new Promise((next) => setTimeout(next, look_ms))
      }
    }
    void look()
    watching.signal.addEventListener('abort', () => clearTimeout(late))
  })
  try {
    return await said
  } finally {
    watching.abort()
    await worker.terminate()
  }
}

const TOO_MUCH_MEMORY = 'Reading it takes more memory than a document may take.'
const TOO_LONG = `Reading it takes longer than ${documentLimits.time_ms / 1_000} seconds.`
