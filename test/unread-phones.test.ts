import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { type Importing, nothing, openImporting } from './import-world.ts'

let api: ApiWorld
let own: Importing
beforeAll(async () => {
  api = await openApi()
  own = await openImporting(api)
})
afterAll(() => api.stop())

const kinds = [
  ['leads', 'lead'],
  ['deals', 'deal'],
  ['accounts', 'account'],
  ['contacts', 'contact'],
] as const
const GOOD = '+4930901999'
const warning = (text: string) => ({
  field: 'phone',
  message: expect.stringContaining(`“${text}” could not`),
})
const unread = (text: string) => ({ phone: null, phone_original: text, warnings: [warning(text)] })

describe.each(kinds)(
  'F68: a phone that cannot be read is kept as it came, with a warning: %s',
  (noun, kind) => {
    const read = async (id: string) => (await own.ask('GET', `/api/${noun}/${id}`)).body
    const make = async (fields: object) => {
      const { status, body } = await own.ask('POST', `/api/${noun}`, { name: 'Ann', ...fields })
      expect(status).toBe(201)
      return body
    }

    test('when a record is made, by the API and by an import', async () => {
      expect(await make({ phone: 'call later' })).toMatchObject(unread('call later'))
      const file = 'Name,Phone\nBea,ask Bob\nCem,+49 30 901999\n'
      for (const worked of [await own.dryRun(file, { kind }), await own.run(file, { kind })]) {
        expect(worked.body.counts).toEqual({ ...nothing, create: 2 })
        expect(worked.rows.map(({ problems }) => problems)).toEqual([
          [{ ...warning('ask Bob'), column: 'Phone', code: 'phone_unreadable' }],
          [],
        ])
      }
      const [bea, cem] = (await own.list(noun)).slice(-2)
      expect(bea).toMatchObject(unread('ask Bob'))
      expect(cem).toMatchObject({ phone: GOOD, warnings: [] })
    })

    test('when it is changed: the warning comes and goes with it, also when that is taken back', async () => {
      const { id, version } = await make({ phone: GOOD })
      const patched = await own.ask('PATCH', `/api/${noun}/${id}`, { phone: 'call later', version })
      expect(patched.body).toMatchObject(unread('call later'))
      const [line] = (await own.timeline(kind, id)).filter(({ type }) => type === 'record_updated')
      expect((await own.ask('POST', `/api/activities/${line.id}/undo`, {})).status).toBe(200)
      expect(await read(id)).toMatchObject({ phone: GOOD, warnings: [] })
      const other = await make({ phone: 'call later' })
      const mended = await own.ask('PATCH', `/api/${noun}/${other.id}`, {
        phone: GOOD,
        version: other.version,
      })
      expect(mended.body).toMatchObject({ phone: GOOD, warnings: [] })
    })

    test('an import that updates leaves a number where the file has none, and says so', async () => {
      const good = await make({ phone: GOOD, external_id: `${kind}-good` })
      const none = await make({ external_id: `${kind}-none` })
      const other = await make({ phone: 'ask Bob', external_id: `${kind}-other` })
      const file = `External id,Phone,Tags\n${kind}-good,call later,a\n${kind}-none,call later,\n${kind}-other,ask Bob,\n`
      const problem = (message: string) => ({
        code: 'phone_unreadable',
        column: 'Phone',
        field: 'phone',
        message: expect.stringContaining(message),
      })
      const asked = { kind, mode: 'update' } as const
      for (const worked of [await own.dryRun(file, asked), await own.run(file, asked)]) {
        expect(worked.rows.map(({ result }) => result)).toEqual(['update', 'update', 'skip'])
        expect(worked.rows.map(({ problems }) => problems)).toEqual([
          [problem(`${GOOD} stays`)],
          [problem('“call later”')],
          [{ code: 'unchanged', message: expect.any(String) }],
        ])
      }
      expect(await read(good.id)).toMatchObject({
        phone: GOOD,
        phone_original: GOOD,
        tags: ['a'],
        warnings: [],
      })
      expect(await read(none.id)).toMatchObject(unread('call later'))
      expect(await read(other.id)).toMatchObject(unread('ask Bob'))
      const again = await own.run(`External id,Phone\n${kind}-good,not now\n`, asked)
      expect(again.rows[0]).toMatchObject({ result: 'skip', problems: [problem('“not now”')] })
      const erased = await own.run(`External id,Phone\n${kind}-good,\n`, { ...asked, erase_blanks: true })
      expect(erased.body.counts).toEqual({ ...nothing, update: 1 })
      expect(await read(good.id)).toMatchObject({ phone: null, phone_original: null, warnings: [] })
    })
  },
)
