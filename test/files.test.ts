import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, type App } from '../api/app.ts'
import { serveApi, type ApiServer } from '../api/server.ts'
import { listActivities } from '../db/activities.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { fileLimits, readContent } from '../db/files.ts'
import { PIECE_BYTES } from '../db/stored-bytes.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { APP_URL, nothingOutside, openApi, type ApiWorld } from './api.ts'
import { docxOf, makeDocx, makePdf, makePng, makeZip, placeFile } from './documents.ts'
import { makeLead } from './worked-lead.ts'

let world: ApiWorld
let ctx: Ctx
let app: App
let served: ApiServer
const MAX_MB = 8
beforeAll(async () => {
  world = await openApi()
  ctx = world.ctx
  // What comes in lies here until it is stored: nothing of it may stay.
  process.env['TMPDIR'] = world.folder
  app = createApp({
    db: world.db,
    auth: world.auth,
    outside: nothingOutside,
    app_url: APP_URL,
    model: 'rules',
    max_upload_mb: MAX_MB,
  })
  served = await serveApi(app, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await served.close()
  await world.stop()
})

type Sent = {
  name?: string
  type?: string
  field?: string
  fields?: Record<string, string>
  headers?: Record<string, string>
}

/** Uploads over a real connection, as browsers do. */
const upload = async (
  lead_id: string,
  content: Buffer | string,
  sent: Sent = {},
): Promise<{ status: number; body: any; headers: Headers }> => {
  const form = new FormData()
  for (const [name, value] of Object.entries(sent.fields ?? { subject_kind: 'lead', subject_id: lead_id }))
    form.set(name, value)
  form.set(
    sent.field ?? 'file',
    new Blob([new Uint8Array(Buffer.from(content))], { type: sent.type ?? '' }),
    sent.name ?? 'file',
  )
  const response = await fetch(`${served.url}/api/files`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${world.key}`, ...sent.headers },
  })
  return { status: response.status, body: await response.json(), headers: response.headers }
}

const download = (id: string) =>
  fetch(`${served.url}/api/files/${id}/content`, { headers: { authorization: `Bearer ${world.key}` } })

describe('F45: a file on a record', () => {
  test('is kept as it came, listed on its record, and told of on its timeline', async () => {
    const lead = await makeLead(ctx)
    const content = makePdf('Offer for 40 seats')
    const sent = await upload(lead.id, content, { name: 'Angebot für Ana.pdf' })
    expect(sent).toMatchObject({
      status: 201,
      body: {
        subject: { kind: 'lead', id: lead.id },
        name: 'Angebot für Ana.pdf',
        media_type: 'application/pdf',
        size: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
        uploaded_by: { kind: 'api_key' },
        text_status: 'pending',
        summary: null,
        version: 1,
      },
    })
    const listed = await world.json('GET', `/api/files?subject_kind=lead&subject_id=${lead.id}`)
    expect(listed.body.data).toEqual([sent.body])
    expect(await world.json('GET', `/api/files/${sent.body.id}`)).toMatchObject({ body: sent.body })
    const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 1 })
    expect(data).toMatchObject([
      {
        type: 'file_added',
        summary: 'added the file “Angebot für Ana.pdf”',
        data: { file_id: sent.body.id },
      },
    ])
  })

  test('comes back byte for byte, as an attachment under its own name that no browser shows by itself', async () => {
    const lead = await makeLead(ctx)
    const content = Buffer.concat([makePdf('x'), randomBytes(PIECE_BYTES * 2 + 77)])
    const { body } = await upload(lead.id, content, { name: '../../Plan "A"\r\nX-Evil: 1 ü.pdf' })
    expect(body.name).toBe('Plan A X-Evil 1 ü.pdf')
    const response = await download(body.id)
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/pdf',
      'content-length': String(content.length),
      'content-disposition':
        'attachment; filename="Plan A X-Evil 1 _.pdf"; filename*=UTF-8\'\'Plan%20A%20X-Evil%201%20%C3%BC.pdf',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    })
    expect(response.headers.get('x-evil')).toBeNull()
  })

  test('is deleted and restored; taken back like any act', async () => {
    const lead = await makeLead(ctx)
    const { id } = await placeFile(ctx, { kind: 'lead', id: lead.id }, 'plan.txt', 'The plan')
    const listed = async () =>
      (await world.json('GET', `/api/files?subject_id=${lead.id}`)).body.data.map((file: any) => file.id)
    for (let twice = 0; twice < 2; twice++)
      expect((await world.ask('DELETE', `/api/files/${id}`)).status).toBe(204)
    expect(await listed()).toEqual([])
    expect(await world.json('POST', `/api/files/${id}/restore`)).toMatchObject({
      status: 200,
      body: { archived_at: null, version: 3 },
    })
    expect(await listed()).toEqual([id])
    const { data } = await listActivities(ctx, { subject: { kind: 'file', id }, limit: 10 })
    expect(data.map(({ type }) => type)).toEqual(['record_restored', 'file_deleted', 'file_added'])
    await undoActivity(ctx, data.at(-1)!.id)
    expect(await listed()).toEqual([])
  })

  test('of another organization is nowhere, and its rows are behind the tenant policy', async () => {
    const other = await world.other()
    const theirs = await makeLead(other.ctx)
    const file = await placeFile(other.ctx, { kind: 'lead', id: theirs.id }, 'secret.txt', 'Their secret')
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/content'],
      ['GET', '/text'],
      ['DELETE', ''],
      ['POST', '/restore'],
    ] as const)
      expect((await world.ask(method, `/api/files/${file.id}${path}`)).status).toBe(404)
    expect((await upload(theirs.id, 'x')).status).toBe(404)
    const seen = await inTx(ctx, ({ tx }) => tx`select 1 from file_chunks where file_id = ${file.id}`)
    expect(seen).toHaveLength(0)
    const pieces: Uint8Array[] = []
    for await (const piece of readContent(ctx, file.id)) pieces.push(piece)
    expect(pieces).toEqual([])
  })

  test('a repetition under its Idempotency-Key is answered, not stored again', async () => {
    const lead = await makeLead(ctx)
    const headers = { 'idempotency-key': 'upload-1' }
    const first = await upload(lead.id, 'The plan', { name: 'plan.txt', headers })
    const second = await upload(lead.id, 'The plan', { name: 'plan.txt', headers })
    expect(second.body).toEqual(first.body)
    expect(second.headers.get('idempotency-replayed')).toBe('true')
    expect(await upload(lead.id, 'Another plan', { name: 'plan.txt', headers })).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    })
    expect((await world.json('GET', `/api/files?subject_id=${lead.id}`)).body.data).toHaveLength(1)
  })
})

describe('P23: what a file is, is told by its content', () => {
  test('whatever it is called, and the name is given the ending that fits', async () => {
    const lead = await makeLead(ctx)
    const office = (part: string) =>
      makeZip([
        { name: '[Content_Types].xml', data: Buffer.from('<Types/>') },
        { name: part, data: Buffer.from('<x/>') },
      ])
    const cases: [string, Buffer | string, string, string][] = [
      ['photo.exe', makePng(), 'image/png', 'photo.exe.png'],
      ['list.html', 'a,b\n1,2\n', 'text/plain', 'list.html.txt'],
      ['list.CSV', 'a,b\n1,2\n', 'text/csv', 'list.csv'],
      ['README.md', '# Plan\n\nOne.', 'text/markdown', 'README.md'],
      ['letter', Buffer.from('Grüße aus Köln', 'latin1'), 'text/plain', 'letter.txt'],
      [
        'x.docx',
        makeDocx('Hello'),
        'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
        'x.docx',
      ],
      [
        'x.zip',
        office('xl/workbook.xml'),
        'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
        'x.zip.xlsx',
      ],
      [
        'x.pptx',
        office('ppt/presentation.xml'),
        'application/vnd.openxmlformats-officedocument.presentationml.presentation',
        'x.pptx',
      ],
      ['.', 'text', 'text/plain', 'file.txt'],
    ]
    for (const [name, content, media_type, kept] of cases) {
      const { status, body } = await upload(lead.id, content, { name, type: 'text/html' })
      expect([name, status, body.media_type, body.name]).toEqual([name, 201, media_type, kept])
    }
  })

  test('programs, pages, drawings, scripts, archives, macros and what is unknown are refused, with what is taken', async () => {
    const lead = await makeLead(ctx)
    const macros = makeZip([
      { name: '[Content_Types].xml', data: Buffer.from('<Types/>') },
      { name: 'word/document.xml', data: Buffer.from('<x/>') },
      { name: 'word/vbaProject.bin', data: Buffer.from('x') },
    ])
    const cases: [string, Buffer | string][] = [
      ['setup.pdf', Buffer.from('MZ\u0090\u0000\u0003\u0000\u0000\u0000\u0004\u0000\u0000\u0000', 'latin1')],
      ['tool.txt', Buffer.from('\u007fELF\u0002\u0001\u0001\u0000\u0000\u0000', 'latin1')],
      ['page.txt', '\ufeff  <!-- hi --><!DOCTYPE html><script>alert(1)</script>'],
      ['page.csv', '<html><body>x</body></html>'],
      ['drawing.png', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
      ['drawing.txt', '<?xml version="1.0"?><svg/>'],
      ['run.txt', '#!/bin/sh\nrm -rf /'],
      ['x.docx', makeZip([{ name: 'a.txt', data: Buffer.from('x') }])],
      ['x.docx', macros],
      ['x.docx', Buffer.from('PK\u0003\u0004 and nothing more')],
      ['x.bin', Buffer.from([0, 1, 2, 3, 4, 5, 6, 7])],
    ]
    for (const [name, content] of cases) {
      const { status, body } = await upload(lead.id, content, { name })
      expect([name, status, body.code]).toEqual([name, 415, 'file_type_unsupported'])
      expect(body.supported).toEqual(expect.arrayContaining(['pdf', 'docx', 'csv', 'png']))
      expect(body.detail).toMatch(/not taken/)
    }
    expect(await upload(lead.id, '')).toMatchObject({ status: 415, body: { code: 'file_empty' } })
  })

  test('polyglots and bombs are refused', async () => {
    const lead = await makeLead(ctx)
    const archive = makeZip([{ name: 'evil.txt', data: Buffer.from('x') }])
    const cases: [string, Buffer, string][] = [
      ['PDF and archive', Buffer.concat([makePdf('x'), archive]), 'file_ambiguous'],
      ['picture and archive', Buffer.concat([makePng(), archive]), 'file_ambiguous'],
      [
        'picture and page',
        Buffer.concat([makePng().subarray(0, 33), Buffer.from('<script>alert(1)</script>')]),
        'file_ambiguous',
      ],
      ['text and PDF', Buffer.from(`hello\n${makePdf('x').toString('latin1')}`), 'file_ambiguous'],
      ['a thousand to one', docxOf(Buffer.alloc(60_000_000, 32)), 'file_bomb'],
      ['says that it is huge', docxOf(Buffer.from('x'), 4_000_000_000), 'file_bomb'],
    ]
    for (const [what, content, code] of cases) {
      const { status, body } = await upload(lead.id, content, { name: 'x.pdf' })
      expect([what, status, body.code]).toEqual([what, 415, code])
    }
    expect((await world.json('GET', `/api/files?subject_id=${lead.id}`)).body.data).toEqual([])
  })
})

describe('P23: limits', () => {
  test('a file that is too large is refused with the limit, announced or not, and leaves nothing', async () => {
    const lead = await makeLead(ctx)
    const limit = MAX_MB * 1024 * 1024
    const refused = { status: 413, body: { code: 'file_too_large', limit_bytes: limit } }
    expect(await upload(lead.id, Buffer.alloc(limit + 500_000, 97))).toMatchObject(refused)
    expect(await upload(lead.id, Buffer.alloc(limit + 1, 97))).toMatchObject(refused)
    expect((await upload(lead.id, Buffer.alloc(limit, 97))).status).toBe(201)
    // Without a length, the limit is met on the way.
    const boundary = 'x'
    const head = Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n`,
    )
    let sent = 0
    const endless = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(head)),
      pull: (controller) => {
        sent += 65_536
        if (sent > limit * 4) controller.close()
        else controller.enqueue(new Uint8Array(65_536).fill(97))
      },
    })
    const response = await app.request('/api/files', {
      method: 'POST',
      body: endless,
      headers: {
        authorization: `Bearer ${world.key}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
      },
      duplex: 'half',
    })
    expect(await response.json()).toMatchObject(refused.body)
    expect(sent).toBeLessThan(limit * 1.5)
    const left = (await readdir(world.folder)).filter((name) => name.startsWith('leadhand-upload-'))
    expect(left).toEqual([])
  })

  test('a form without a file, with two, with a wrong field or no form at all is refused with what to send', async () => {
    const lead = await makeLead(ctx)
    const ask = async (body: FormData | string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${served.url}/api/files`, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${world.key}`, ...headers },
      })
      return { status: response.status, body: await response.json() }
    }
    const form = (...files: string[]) => {
      const made = new FormData()
      made.set('subject_kind', 'lead')
      made.set('subject_id', lead.id)
      for (const field of files) made.append(field, new Blob(['x']), 'x.txt')
      return made
    }
    expect(await ask(form())).toMatchObject({ status: 422, body: { errors: [{ pointer: '/file' }] } })
    for (const wrong of [form('file', 'file'), form('document')])
      expect(await ask(wrong)).toMatchObject({ status: 400, body: { code: 'invalid_multipart' } })
    const multipart = { 'content-type': 'multipart/form-data; boundary=x' }
    for (const body of ['', 'nonsense', '--x\r\nnonsense'])
      expect((await ask(body, multipart)).status).toBe(400)
    expect(await ask('{}', { 'content-type': 'application/json' })).toMatchObject({
      status: 415,
      body: { code: 'multipart_expected' },
    })
    expect(await upload(lead.id, 'x', { fields: { subject_kind: 'lead' } })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/subject_id' }] },
    })
    expect(
      await upload(lead.id, 'x', { fields: { subject_kind: 'invoice', subject_id: lead.id } }),
    ).toMatchObject({ status: 422, body: { errors: [{ pointer: '/subject_kind' }] } })
    expect(
      await upload(lead.id, 'x', { fields: { subject_kind: 'lead', subject_id: lead.id, owner: 'me' } }),
    ).toMatchObject({ status: 422, body: { errors: [{ pointer: '/owner' }] } })
  })

  test('an upload that breaks off leaves nothing', async () => {
    const lead = await makeLead(ctx)
    const stopping = new AbortController()
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(
          new Uint8Array(
            Buffer.from('--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf'),
          ),
        )
        setTimeout(() => stopping.abort(), 100)
      },
    })
    const broken = fetch(`${served.url}/api/files`, {
      method: 'POST',
      body,
      signal: stopping.signal,
      headers: { authorization: `Bearer ${world.key}`, 'content-type': 'multipart/form-data; boundary=x' },
      duplex: 'half',
    })
    await expect(broken).rejects.toThrow('aborted')
    await expect
      .poll(async () => (await readdir(world.folder)).filter((name) => name.startsWith('leadhand-upload-')))
      .toEqual([])
    expect((await world.json('GET', `/api/files?subject_id=${lead.id}`)).body.data).toEqual([])
  })

  test('a record holds so many files and no more', async () => {
    const lead = await makeLead(ctx)
    const before = fileLimits.per_record
    fileLimits.per_record = 2
    try {
      for (const name of ['a.txt', 'b.txt']) expect((await upload(lead.id, 'x', { name })).status).toBe(201)
      expect(await upload(lead.id, 'x')).toMatchObject({
        status: 409,
        body: { code: 'too_many_files', count: 2 },
      })
    } finally {
      fileLimits.per_record = before
    }
  })
})
