import { afterAll, beforeAll, expect, test } from 'vitest'
import { readForm } from '../api/intake/form-fields.ts'
import { createSource } from '../db/intake-sources.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { getSubmission, listSubmissions, processSubmission } from '../db/submissions.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const FORM = 'application/x-www-form-urlencoded'
const MULTIPART = 'multipart/form-data; boundary=part'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const multipart = (...parts: (readonly [head: string, content: string | Buffer])[]): Buffer =>
  Buffer.concat([
    ...parts.flatMap(([head, content]) => [
      Buffer.from('--part\r\nContent-Disposition: form-data; '),
      latin1(`${head}\r\n\r\n`),
      Buffer.from(content as string),
      Buffer.from('\r\n'),
    ]),
    Buffer.from('--part--\r\n'),
  ])

const fields = (body: string | Buffer, content_type = FORM): unknown =>
  Object.fromEntries(readForm(Buffer.from(body as string), content_type))

test('a form is read in the charset that it says, in UTF-8, or as Windows wrote it', () => {
  const cases: [string, string | Buffer, string, string][] = [
    ['its content type', 'name=J%FCrgen+Form', `${FORM}; charset=iso-8859-1`, 'Jürgen Form'],
    ['quoted, in capitals', 'name=J%FCrgen+Form', `${FORM}; Charset="ISO-8859-1"`, 'Jürgen Form'],
    ['another alphabet', 'name=%8E%52%93%63', `${FORM}; charset=Shift_JIS`, '山田'],
    ['its field', '_charset_=iso-8859-2&name=%A3ukasz', FORM, 'Łukasz'],
    ['its field before its content type', '_charset_=utf-8&name=%C5%81', `${FORM}; charset=latin2`, 'Ł'],
    ['escapes of Windows', 'name=J%FCrgen+%80', FORM, 'Jürgen €'],
    ['bytes of Windows', latin1('name=J\u00fcrgen Form'), FORM, 'Jürgen Form'],
    ['escapes of UTF-8', 'name=J%C3%BCrgen+Form', FORM, 'Jürgen Form'],
    ['bytes of UTF-8', 'name=Jürgen Form', FORM, 'Jürgen Form'],
    ['UTF-8 said, Windows sent', 'name=J%FCrgen+Form', `${FORM}; charset=UTF-8`, 'Jürgen Form'],
    ['a percent sign that escapes nothing', 'name=100%+%zz%4', FORM, '100% %zz%4'],
    [
      'the charset of a part',
      multipart(['name="name"\r\nContent-Type: text/plain; charset=iso-8859-2', latin1('\u00a3ukasz')]),
      MULTIPART,
      'Łukasz',
    ],
    [
      'its field in parts',
      multipart(['name="_charset_"', 'iso-8859-2'], ['name="name"', latin1('\u00a3ukasz')]),
      MULTIPART,
      'Łukasz',
    ],
    ['bytes of Windows in a part', multipart(['name="name"', latin1('J\u00fcrgen')]), MULTIPART, 'Jürgen'],
    ['bytes of UTF-8 in a part', multipart(['name="name"', 'Jürgen €']), MULTIPART, 'Jürgen €'],
  ]
  for (const [why, body, content_type, name] of cases)
    expect(fields(body, content_type), why).toMatchObject({ name })
})

test('fields that are differently written are each read as they are', () => {
  expect(fields('a=J%FCrgen&b=J%C3%BCrgen&gr%F6%DFe=1')).toEqual({ a: 'Jürgen', b: 'Jürgen', größe: '1' })
})

test('files of a form keep their names, sizes and types, and texts their lines', () => {
  expect(
    fields(
      multipart(
        ['name="note"', 'two\r\nlines --part\r\n'],
        [
          'name="cv"; filename="J\u00fcrgen %22CV%22.bin"\r\nContent-Type: application/Octet-Stream',
          latin1('\u00fc\0\u00ff'),
        ],
        ['name="none"; filename=""', ''],
        ['name="coded"\r\nContent-Transfer-Encoding: base64', 'SsO8cmdlbg=='],
      ),
      MULTIPART,
    ),
  ).toEqual({
    note: 'two\r\nlines --part\r\n',
    cv: { file: 'Jürgen "CV".bin', size: 3, type: 'application/octet-stream' },
    none: { file: '', size: 0, type: 'text/plain' },
    coded: 'Jürgen',
  })
})

test('the same form by the platform’s own writer is read alike', async () => {
  const form = new FormData()
  form.set('name', 'Jürgen €')
  form.append('interest', 'a"b')
  form.append('größe', '1')
  form.set('cv', new File(['hello'], 'Lebenslauf ü.txt', { type: 'text/plain' }))
  const request = new Request('http://127.0.0.1', { method: 'POST', body: form })
  const content_type = request.headers.get('content-type') ?? ''
  expect(fields(Buffer.from(await request.arrayBuffer()), content_type)).toEqual({
    name: 'Jürgen €',
    interest: 'a"b',
    größe: '1',
    cv: { file: 'Lebenslauf ü.txt', size: 5, type: 'text/plain' },
  })
})

test('what cannot be read is refused with the field named, and nothing is stored', async () => {
  const door = await createSource(api.ctx, { name: 'Charsets' })
  const cases: [string | Buffer, string, string, string | undefined][] = [
    ['name=Ana', `${FORM}; charset=klingon`, 'unknown_charset', '/Content-Type'],
    ['_charset_=klingon&name=Ana', FORM, 'unknown_charset', '/_charset_'],
    [
      multipart(['name="last~name"\r\nContent-Type: text/plain; charset=klingon', 'Ana']),
      MULTIPART,
      'unknown_charset',
      '/last~0name',
    ],
    ['name=%81', `${FORM}; charset=shift_jis`, 'invalid_form', '/name'],
    ['a&'.repeat(5_001), FORM, 'invalid_form', undefined],
    [
      multipart(...Array.from({ length: 5_001 }, () => ['name="a"', ''] as const)),
      MULTIPART,
      'invalid_form',
      undefined,
    ],
    [multipart(['name="name"', 'Ana']).subarray(0, 50), MULTIPART, 'invalid_form', undefined],
    [multipart(['title="name"', 'Ana']), MULTIPART, 'invalid_form', undefined],
    ['--part\r\nname\r\n--part--', MULTIPART, 'invalid_form', undefined],
    ['--part', 'multipart/form-data', 'invalid_form', undefined],
  ]
  for (const [body, content_type, code, pointer] of cases) {
    const response = await api.app.request(`/intake/webhook/${door.token}`, {
      method: 'POST',
      headers: { 'content-type': content_type },
      body: body as string,
    })
    expect({ status: response.status, body: await response.json() }, content_type).toMatchObject({
      status: 400,
      body: { code, ...(pointer ? { errors: [{ pointer }] } : {}) },
    })
  }
  expect((await listSubmissions(api.ctx, { source_id: door.id, limit: 10 })).data).toEqual([])
})

test('somebody with an umlaut arrives whole by a form of another encoding', async () => {
  const door = await createSource(api.ctx, { name: 'Old website' })
  const response = await api.app.request(`/intake/webhook/${door.token}`, {
    method: 'POST',
    headers: { 'content-type': `${FORM}; charset=iso-8859-1` },
    body: 'name=J%FCrgen+Form&email=juergen%40form.example',
  })
  expect(response.status).toBe(202)
  const { submission_id } = (await response.json()) as { submission_id: string }
  await processSubmission(api.db, api.organization.id, submission_id)
  const submission = await getSubmission(api.ctx, submission_id)
  expect(submission.payload).toEqual({ name: 'Jürgen Form', email: 'juergen@form.example' })
  expect(await getOpportunity(api.ctx, submission.lead_id ?? '')).toMatchObject({
    contact_name: 'Jürgen Form',
  })
})
