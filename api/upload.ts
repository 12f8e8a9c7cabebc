import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyHeaders } from '@fastify/busboy'
import { unstorableTexts } from './body.ts'
import { Problem } from './problem.ts'

/** A file that came in and lies on this machine until it is discarded. */
export type Upload = {
  path: string
  /** What the sender calls it. */
  name: string
  size: number
  sha256: string
}

/** What a form with one file in it was. */
export type Received = {
  upload: Upload
  /** The form's other fields. */
  fields: Record<string, string>
  /** The same for the same file and fields, whatever parts them on the way. */
  identity: Uint8Array
  discard(): Promise<void>
}

/** The field that the file is in. */
export const FILE_FIELD = 'file'

const LIMITS = { fields: 20, fieldNameSize: 100, fieldSize: 10_000, headerPairs: 20, parts: 25, files: 1 }
/** What a form needs beside its file. */
const FORM_BYTES = 300_000
/** So many come in at once; a file that comes in takes room on the disk. */
const AT_ONCE = 8
let coming = 0

/**
 * Reads a form with one file, which goes to the disk as it comes: a large one takes no memory.
 * @throws {Problem} 415 `multipart_expected`, 413 `file_too_large` before the rest is read, 400 `invalid_multipart`, 422, 503
 */
export const receiveUpload = async (request: Request, limit_bytes: number): Promise<Received> => {
  const content_type = request.headers.get('content-type') ?? ''
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(content_type) || request.body === null) {
    throw new Problem(
      415,
      'multipart_expected',
      `Send a form (multipart/form-data) with the file in the field “${FILE_FIELD}”.`,
      { headers: HANG_UP },
    )
  }
  if (Number(request.headers.get('content-length') ?? 0) > limit_bytes + FORM_BYTES)
    throw tooLarge(limit_bytes)
  if (coming >= AT_ONCE) {
    throw new Problem(503, 'uploads_busy', 'Several files are coming in right now. Try again shortly.', {
      headers: { ...HANG_UP, 'retry-after': '5' },
    })
  }
  coming += 1
  const folder = await mkdtemp(join(tmpdir(), 'leadhand-upload-'))
  const discard = () => rm(folder, { recursive: true, force: true })
  try {
    const { upload, fields } = await readForm(
      request.body,
      content_type,
      join(folder, 'content'),
      limit_bytes,
    )
    const errors = unstorableTexts({ ...fields, [FILE_FIELD]: upload.name })
    if (errors.length > 0)
      throw new Problem(422, 'invalid_input', 'The form holds text that cannot be stored.', { errors })
    const identity = Buffer.from(JSON.stringify([fields, upload.name, upload.sha256]))
    return { upload, fields, identity, discard }
  } catch (error) {
    await discard()
    throw error
  } finally {
    coming -= 1
  }
}

const readForm = async (
  body: ReadableStream<Uint8Array>,
  content_type: string,
  path: string,
  limit_bytes: number,
): Promise<{ upload: Upload; fields: Record<string, string> }> => {
  const fields: Record<string, string> = Object.create(null)
  let receiving: Promise<Upload> | undefined
  let incoming: Readable | undefined
  const stopping = new AbortController()
  const { signal } = stopping
  const form = parserOf({ 'content-type': content_type }, limit_bytes)
  const refuse = (problem: Problem): void => stopping.abort(problem)
  form.on('error', (error) => refuse(invalidForm(messageOf(error))))
  form.on('field', (name, value, name_cut, value_cut) => {
    if (name_cut || value_cut) refuse(invalidForm(`the field “${name}” is too long`))
    else fields[name] = value
  })
  for (const limit of ['partsLimit', 'fieldsLimit', 'filesLimit'] as const)
    form.on(limit, () => refuse(invalidForm('it takes one file and a few fields')))
  form.on('file', (field, stream, name) => {
    if (field !== FILE_FIELD) {
      stream.resume()
      return refuse(invalidForm(`the file goes into the field “${FILE_FIELD}”, not “${field.slice(0, 60)}”`))
    }
    stream.on('limit', () => refuse(tooLarge(limit_bytes)))
    incoming = stream
    receiving = keep(stream, path, nameOf(name))
    // Awaited below; what ends the form early ends it too.
    receiving.catch(() => {})
  })
  try {
    const finished = once(form, 'finish', { signal })
    finished.catch(() => {})
    for await (const piece of body) {
      if (signal.aborted) break
      if (!form.write(piece)) await once(form, 'drain', { signal })
    }
    form.end()
    await finished
  } catch (error) {
    if (!signal.aborted) refuse(invalidForm(messageOf(error)))
  }
  if (signal.aborted) {
    incoming?.destroy(new Error('the form was refused'))
    await receiving?.catch(() => undefined)
    throw signal.reason
  }
  if (!receiving) {
    throw new Problem(422, 'invalid_input', 'There is no file in the form.', {
      errors: [{ pointer: `/${FILE_FIELD}`, message: 'the file' }],
    })
  }
  return { upload: await receiving, fields: { ...fields } }
}

const parserOf = (headers: BusboyHeaders, limit_bytes: number) => {
  try {
    return new Busboy({ headers, limits: { ...LIMITS, fileSize: limit_bytes } })
  } catch (error) {
    throw invalidForm(messageOf(error))
  }
}

const keep = async (stream: Readable, path: string, name: string): Promise<Upload> => {
  const hash = createHash('sha256')
  let size = 0
  const measure = new Transform({
    transform: (piece: Buffer, _, done) => {
      hash.update(piece)
      size += piece.length
      done(null, piece)
    },
  })
  await pipeline(stream, measure, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
  return { path, name, size, sha256: hash.digest('hex') }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'it ended early')

/** Browsers write three characters of a name like this, so that it stays in its quotes. */
const nameOf = (name: string | undefined): string =>
  (name ?? '').replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n')

/** What was not read stays on the connection: it cannot be used again. */
const HANG_UP = { connection: 'close' }

const tooLarge = (limit_bytes: number): Problem =>
  new Problem(
    413,
    'file_too_large',
    `A file has at most ${Math.floor(limit_bytes / (1024 * 1024)).toLocaleString('en')} MB (MAX_UPLOAD_MB).`,
    { headers: HANG_UP, extra: { limit_bytes } },
  )

const invalidForm = (why: string): Problem =>
  new Problem(400, 'invalid_multipart', `The form cannot be read: ${why}.`, { headers: HANG_UP })
