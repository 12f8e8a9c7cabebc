import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync, deflateSync } from 'node:zlib'
import type { Ctx } from '../db/context.ts'
import { addFile, type FileOnRecord } from '../db/files.ts'
import type { RecordRef } from '../db/records.ts'

// Small documents of each kind, as programs write them; and some that nobody writes by accident.

/** A PDF with one page for each text; a line of it for each line. */
export const makePdf = (...pages: string[]): Buffer => pdfOf(pages.map((text) => contentOf(text.split('\n'))))

/** A PDF whose page unpacks to `unpacked` bytes. */
export const makePdfBomb = (unpacked: number): Buffer => {
  const line = `BT /F1 12 Tf (${'a'.repeat(40)}) Tj ET\n`
  const packed = deflateSync(Buffer.from(line.repeat(Math.ceil(unpacked / line.length))))
  return pdfOf([packed], ' /Filter /FlateDecode')
}

/** A DOCX with these paragraphs. */
export const makeDocx = (...paragraphs: string[]): Buffer =>
  docxOf(
    `<w:body>${paragraphs.map((text) => `<w:p><w:r><w:t>${escaped(text)}</w:t></w:r></w:p>`).join('')}</w:body>`,
  )

/** A DOCX of which this is the text part. */
export const docxOf = (body: string | Buffer, declared?: number): Buffer =>
  makeZip([
    { name: '[Content_Types].xml', data: Buffer.from('<Types/>') },
    {
      name: 'word/document.xml',
      data:
        typeof body === 'string'
          ? Buffer.from(`<?xml version="1.0"?><w:document>${body}</w:document>`)
          : body,
      declared,
    },
  ])

/** A ZIP archive; `declared` is how large an entry says it is, where that is not the truth. */
export const makeZip = (entries: { name: string; data: Buffer; declared?: number | undefined }[]): Buffer => {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, declared = data.length } of entries) {
    const packed = deflateRawSync(data)
    const head = Buffer.alloc(26)
    head.writeUInt16LE(20, 0)
    head.writeUInt16LE(8, 4)
    head.writeUInt32LE(crc32(data), 10)
    head.writeUInt32LE(packed.length, 14)
    head.writeUInt32LE(declared, 18)
    head.writeUInt16LE(name.length, 22)
    parts.push(Buffer.from('PK\u0003\u0004'), head, Buffer.from(name), packed)
    const place = Buffer.alloc(16)
    place.writeUInt32LE(offset, 12)
    directory.push(Buffer.from('PK\u0001\u0002\u0014\u0000'), head, place.subarray(2), Buffer.from(name))
    offset += 30 + name.length + packed.length
  }
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(Buffer.concat(directory).length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, ...directory, Buffer.from('PK\u0005\u0006'), end])
}

/** A picture of one pixel. */
export const makePng = (): Buffer =>
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg==',
    'base64',
  )

/** Puts a file on a record, as the API does with what came in. */
export const placeFile = async (
  ctx: Ctx,
  subject: RecordRef,
  name: string,
  content: Buffer | string,
): Promise<FileOnRecord> => {
  const folder = await mkdtemp(join(tmpdir(), 'leadhand-test-'))
  try {
    const path = join(folder, 'content')
    const bytes = Buffer.from(content)
    await writeFile(path, bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return await addFile(ctx, { subject, name, path, size: bytes.length, sha256 })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const contentOf = (lines: string[]): Buffer => {
  const shown = lines.map((line) => `(${line.replaceAll(/[\\()]/g, '\\$&')}) Tj 0 -16 Td`)
  return Buffer.from(`BT /F1 12 Tf 72 720 Td ${shown.join(' ')} ET`, 'latin1')
}

const pdfOf = (contents: Buffer[], filter = ''): Buffer => {
  const objects = [
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from(
      `<< /Type /Pages /Count ${contents.length} /Kids [${contents.map((_, n) => `${4 + n * 2} 0 R`).join(' ')}] >>`,
    ),
    Buffer.from('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>'),
    ...contents.flatMap((content, n) => [
      Buffer.from(
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${5 + n * 2} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      ),
      Buffer.concat([
        Buffer.from(`<< /Length ${content.length}${filter} >>\nstream\n`),
        content,
        Buffer.from('\nendstream'),
      ]),
    ]),
  ]
  const parts = [Buffer.from('%PDF-1.4\n')]
  const places: number[] = []
  let offset = 9
  for (const [n, object] of objects.entries()) {
    const part = Buffer.concat([Buffer.from(`${n + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')])
    places.push(offset)
    parts.push(part)
    offset += part.length
  }
  const table = places.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('')
  parts.push(
    Buffer.from(
      `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${offset}\n%%EOF`,
    ),
  )
  return Buffer.concat(parts)
}
