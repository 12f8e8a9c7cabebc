import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { inTx } from '../db/context.ts'
import { writeCustomValues } from '../db/custom-values.ts'
import { createField, customTypes } from '../db/fields.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

let n = 0
const addField = async (fields: Record<string, unknown>) => {
  n += 1
  const { status, body } = await api.json('POST', '/api/fields', {
    record_kind: 'lead',
    key: `field_${n}`,
    label: `Field ${n}`,
    type: 'short_text',
    ...fields,
  })
  expect([status, body.detail]).toEqual([201, undefined])
  return body
}

const patchLead = async (id: string, custom: Record<string, unknown>) => {
  const { body } = await api.json('GET', `/api/leads/${id}`)
  return api.json('PATCH', `/api/leads/${id}`, { version: body.version, custom })
}

const options = [
  { value: 'gold', label: 'Gold' },
  { value: 'silver', label: 'Silver' },
]

describe('F26: custom fields', () => {
  test('of all seven types are set, read, changed and cleared, each change on the timeline', async () => {
    const keys: Record<string, string> = {}
    for (const type of customTypes)
      keys[type] = (await addField({ type, ...(type.endsWith('select') ? { options } : {}) })).key
    const key = (type: string) => keys[type]!
    const first = {
      [key('short_text')]: ' one  line ',
      [key('long_text')]: 'two\nlines',
      [key('integer')]: 12,
      [key('decimal')]: 0.1,
      [key('date')]: '2026-03-01',
      [key('select')]: 'gold',
      [key('multi_select')]: ['silver', 'gold', 'silver'],
    }
    const { body: made } = await api.json('POST', '/api/leads', { contact_name: 'Ana', custom: first })
    const kept = { ...first, [key('short_text')]: 'one line', [key('multi_select')]: ['gold', 'silver'] }
    expect(made.custom).toEqual(kept)
    expect(
      (await patchLead(made.id, { [key('integer')]: 13, [key('select')]: null, [key('long_text')]: '' })).body
        .custom,
    ).toEqual({
      ...Object.fromEntries(
        Object.entries(kept).filter(([name]) => ![key('select'), key('long_text')].includes(name)),
      ),
      [key('integer')]: 13,
    })
    const [line] = (await listTimeline(api.ctx, { kind: 'lead', id: made.id }, { limit: 1 })).data
    expect(line?.data['changes']).toEqual([
      { field: `custom.${key('integer')}`, before: 12, after: 13 },
      { field: `custom.${key('select')}`, before: 'gold', after: null },
      { field: `custom.${key('long_text')}`, before: 'two\nlines', after: null },
    ])
    expect(
      (await patchLead(made.id, { [key('integer')]: 13, [key('multi_select')]: ['gold', 'silver'] })).body
        .version,
    ).toBe(2)
    expect((await patchLead(made.id, { [key('multi_select')]: [] })).body.custom).not.toHaveProperty(
      key('multi_select'),
    )
  })

  test.each<[type: string, value: unknown, says: string]>([
    ['short_text', 7, 'takes a short text (at most 300 characters, one line); this is the number 7'],
    ['short_text', 'x'.repeat(301), 'at most 300 characters'],
    ['long_text', ['x'], 'takes a text (at most 20,000 characters); this is a list'],
    ['integer', '12', 'takes a whole number; this is the text “12”'],
    ['integer', 1.5, 'takes a whole number; this is the number 1.5'],
    ['decimal', 'much', 'takes a number; this is the text “much”'],
    ['decimal', true, 'takes a number; this is true'],
    ['date', '1 March', 'takes a date as YYYY-MM-DD; this is the text “1 March”'],
    ['date', '2026-02-30', 'takes a date as YYYY-MM-DD'],
    ['select', 'bronze', 'takes one of gold, silver; this is the text “bronze”'],
    ['select', ['gold'], 'takes one of gold, silver; this is a list'],
    ['multi_select', 'gold', 'takes a list of gold, silver; this is the text “gold”'],
    ['multi_select', ['gold', 'bronze'], 'takes a list of gold, silver'],
  ])('a %s is no %o: the answer says the type', async (type, value, says) => {
    const field = await addField({ type, ...(type.endsWith('select') ? { options } : {}) })
    const { id } = await makeLead(api.ctx)
    const { status, body } = await patchLead(id, { [field.key]: value })
    expect([status, body.code]).toEqual([422, 'invalid_custom_value'])
    expect(body.detail).toContain(says)
    expect(body.errors).toMatchObject([
      { pointer: expect.stringMatching(`^/custom/${field.key}(/1)?$`), message: body.detail },
    ])
    expect(body.errors[0].accepted).toBeDefined()
    expect((await api.json('GET', `/api/leads/${id}`)).body.version).toBe(1)
  })

  test('an unknown key names the nearest, and every wrong value is told at once', async () => {
    const field = await addField({ key: 'budget', type: 'integer' })
    const { id } = await makeLead(api.ctx)
    const { status, body } = await patchLead(id, { bugdet: 1, [field.key]: 'x' })
    expect([status, body.code]).toEqual([422, 'unknown_field'])
    expect(body.detail).toContain('Did you mean “budget”?')
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/custom/bugdet',
      '/custom/budget',
    ])
  })

  test('a field of leads is none of deals, and another organization has none of ours', async () => {
    const field = await addField({ type: 'integer' })
    const { ctx } = await api.other()
    const elsewhere = await makeLead(ctx)
    const written = inTx(ctx, (ctx) => writeCustomValues(ctx, 'lead', elsewhere.id, { [field.key]: 1 }))
    await expect(written).rejects.toMatchObject({ code: 'unknown_field' })
    const { status, body } = await api.json('POST', '/api/deals', {
      name: 'Deal',
      custom: { [field.key]: 1 },
    })
    expect([status, body.code]).toEqual([422, 'unknown_field'])
  })

  test('a key is made of the label, and is never that of another field, archived or standard', async () => {
    const made = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      label: '2. Größe des Teams',
      type: 'integer',
    })
    expect([made.status, made.body.key]).toEqual([201, 'gro_e_des_teams'])
    await api.ask('DELETE', `/api/fields/${made.body.id}`)
    for (const key of ['gro_e_des_teams', 'email', 'owner_id', 'stage', 'score', 'custom']) {
      const taken = await api.json('POST', '/api/fields', {
        record_kind: 'lead',
        key,
        label: 'X',
        type: 'integer',
      })
      expect([key, taken.status, taken.body.code, taken.body.errors[0].pointer]).toEqual([
        key,
        409,
        'field_key_taken',
        '/key',
      ])
    }
    for (const key of ['Tier', '1st', 'a-b', 'a b', '', 'x'.repeat(64)]) {
      const wrong = await api.json('POST', '/api/fields', {
        record_kind: 'lead',
        key,
        label: 'X',
        type: 'integer',
      })
      expect([key, wrong.status]).toEqual([key, 422])
    }
    const other = await api.json('POST', '/api/fields', {
      record_kind: 'deal',
      key: 'gro_e_des_teams',
      label: 'X',
      type: 'date',
    })
    expect(other.status).toBe(201)
  })

  test('two at once make one field of a key', async () => {
    const made = await Promise.allSettled(
      [1, 2, 3].map(() =>
        createField(api.ctx, { record_kind: 'contact', key: 'twin', label: 'Twin', type: 'date' }),
      ),
    )
    expect(made.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  test('options are added, renamed and retired; one that records have is not taken away', async () => {
    const field = await addField({ type: 'select', options })
    const lead = await makeLead(api.ctx, { custom: { [field.key]: 'gold' } })
    const change = (version: number, changed: unknown) =>
      api.json('PATCH', `/api/fields/${field.id}`, { version, options: changed })
    const refused = await change(1, [{ value: 'silver', label: 'Silver' }])
    expect([refused.status, refused.body.code, refused.body.count]).toEqual([409, 'option_in_use', 1])
    const renamed = await change(1, [
      { value: 'gold', label: 'Golden', retired: true },
      { value: 'silver', label: 'Silver' },
      { label: 'Très Cher' },
    ])
    expect(renamed.body.options).toEqual([
      { value: 'gold', label: 'Golden', retired: true },
      { value: 'silver', label: 'Silver' },
      { value: 'tres_cher', label: 'Très Cher' },
    ])
    const other = await makeLead(api.ctx)
    expect((await patchLead(other.id, { [field.key]: 'gold' })).body.detail).toContain(
      'takes one of silver, tres_cher',
    )
    // What has it keeps it, also when the form sends it back.
    expect((await patchLead(lead.id, { [field.key]: 'gold' })).body.custom).toEqual({ [field.key]: 'gold' })
    await patchLead(lead.id, { [field.key]: 'tres_cher' })
    expect((await change(2, [{ value: 'tres_cher', label: 'Dear' }])).status).toBe(200)
  })

  test('F26: a choice that is one text is called what it says', async () => {
    const field = await addField({ type: 'select', options: ['Gold', 'Very dear'] })
    expect(field.options).toEqual([
      { value: 'Gold', label: 'Gold' },
      { value: 'Very dear', label: 'Very dear' },
    ])
    const lead = await makeLead(api.ctx, { custom: { [field.key]: 'Very dear' } })
    expect(lead.custom).toEqual({ [field.key]: 'Very dear' })
    const wrong = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      label: 'Tier',
      type: 'select',
      options: [7],
    })
    expect([wrong.status, wrong.body.errors[0]]).toEqual([
      422,
      { pointer: '/options/0', message: expect.stringContaining('a choice') },
    ])
  })

  test.each<[what: string, fields: Record<string, unknown>, code: string]>([
    ['a select without options', { type: 'select' }, 'options_required'],
    ['only retired ones', { type: 'select', options: [{ label: 'A', retired: true }] }, 'options_required'],
    ['two of one value', { type: 'select', options: [{ label: 'A' }, { label: 'a!' }] }, 'option_taken'],
    ['options of a number', { type: 'integer', options: [{ label: 'A' }] }, 'options_not_taken'],
    ['a label that no key can be made of', { key: undefined, label: '你好' }, 'field_key_required'],
    ['an unknown type', { type: 'money' }, 'invalid_input'],
  ])('%s is refused', async (_, fields, code) => {
    const { status, body } = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'refused',
      label: 'Refused',
      type: 'short_text',
      ...fields,
    })
    expect([status, body.code]).toEqual([422, code])
  })

  test('a stale change is refused with what is there, and key and type cannot be changed at all', async () => {
    const field = await addField({})
    expect(
      (await api.json('PATCH', `/api/fields/${field.id}`, { version: 1, label: 'New' })).body,
    ).toMatchObject({ label: 'New', version: 2 })
    const stale = await api.json('PATCH', `/api/fields/${field.id}`, { version: 1, label: 'Newer' })
    expect([stale.status, stale.body.current.label]).toEqual([412, 'New'])
    expect((await api.json('PATCH', `/api/fields/${field.id}`, { label: 'Newer' })).status).toBe(428)
    for (const change of [{ key: 'other' }, { type: 'date' }, { record_kind: 'deal' }])
      expect((await api.json('PATCH', `/api/fields/${field.id}`, { version: 2, ...change })).status).toBe(422)
  })

  test('fields stand in an order of their own', async () => {
    const keys = async () =>
      (await api.json('GET', '/api/fields?record_kind=account')).body.data.map(
        ({ key }: { key: string }) => key,
      )
    const [a, b, c] = [
      await addField({ record_kind: 'account', key: 'a' }),
      await addField({ record_kind: 'account', key: 'b' }),
      await addField({ record_kind: 'account', key: 'c' }),
    ]
    expect(await keys()).toEqual(['a', 'b', 'c'])
    await api.json('POST', `/api/fields/${c.id}/move`, { before_id: a.id })
    expect(await keys()).toEqual(['c', 'a', 'b'])
    await api.json('POST', `/api/fields/${c.id}/move`, { after_id: a.id })
    expect(await keys()).toEqual(['a', 'c', 'b'])
    await api.json('POST', `/api/fields/${a.id}/move`, {})
    expect(await keys()).toEqual(['c', 'b', 'a'])
    expect((await api.json('POST', `/api/fields/${b.id}/move`, { after_id: b.id })).status).toBe(422)
  })
})

describe('F27: archive and restore', () => {
  test('a field is hidden with its values, which are untouched and there again when it is restored', async () => {
    const field = await addField({ type: 'multi_select', options })
    const lead = await makeLead(api.ctx, { custom: { [field.key]: ['gold', 'silver'] } })
    const stored = () =>
      inTx(api.ctx, ({ tx }) => tx`select * from custom_values where record_id = ${lead.id} order by n`)
    const before = [...(await stored())]
    expect(before).toHaveLength(2)

    expect((await api.ask('DELETE', `/api/fields/${field.id}`)).status).toBe(204)
    expect((await api.ask('DELETE', `/api/fields/${field.id}`)).status).toBe(204)
    expect([...(await stored())]).toEqual(before)
    expect((await api.json('GET', `/api/leads/${lead.id}`)).body.custom).toEqual({})
    const listed = async (search = '') =>
      (await api.json('GET', `/api/fields?record_kind=lead${search}`)).body.data.find(
        ({ id }: { id: string }) => id === field.id,
      )
    expect(await listed()).toBeUndefined()
    expect((await listed('&include_archived=true')).archived_at).toBeTruthy()
    const set = await patchLead(lead.id, { [field.key]: ['gold'] })
    expect([set.status, set.body.code]).toEqual([422, 'field_archived'])

    const restored = await api.json('POST', `/api/fields/${field.id}/restore`)
    expect([restored.status, restored.body.archived_at]).toEqual([200, null])
    expect((await api.json('GET', `/api/leads/${lead.id}`)).body.custom).toEqual({
      [field.key]: ['gold', 'silver'],
    })
    expect([...(await stored())]).toEqual(before)
  })

  test.each([
    ['lead', ['/api/leads', '/api/opportunities', '/external/v1/leads', '/external/v1/opportunities']],
    ['deal', ['/api/deals', '/api/opportunities', '/external/v1/opportunities']],
    ['account', ['/api/accounts', '/external/v1/accounts']],
    ['contact', ['/api/contacts', '/external/v1/contacts']],
  ] as const)('its values on a %s are told, and exported, to whoever asks for them', async (kind, paths) => {
    const [gone, kept] = [
      await addField({ record_kind: kind, key: 'gone' }),
      await addField({ record_kind: kind, key: 'kept' }),
    ]
    const custom = { gone: 'Before', kept: 'Now' }
    const { body: record } = await api.json('POST', `/api/${kind}s`, { name: 'Heron', custom })
    expect((await api.ask('DELETE', `/api/fields/${gone.id}`)).status).toBe(204)
    for (const path of paths) {
      const read = async (search: string) =>
        (await api.json('GET', `${path}/${record.id}${search}`)).body.custom
      expect(await read('?include_archived=true'), path).toEqual(custom)
      expect([await read(''), await read('?include_archived=false')]).toEqual([
        { kept: 'Now' },
        { kept: 'Now' },
      ])
    }
    const filter = JSON.stringify({ field: 'custom.gone', op: 'eq', value: 'Before' })
    const exported = async (search: string) =>
      (await api.ask('GET', `/api/exports/${kind}s?filter=${encodeURIComponent(filter)}${search}`)).text()
    expect(await exported('&columns=name,custom.gone,custom.kept')).toBe(
      'name,custom.gone,custom.kept\r\nHeron,Before,Now\r\n',
    )
    const usual = await exported('')
    expect(usual).toContain('custom.kept')
    expect(usual).not.toContain('custom.gone')
    await api.json('DELETE', `/api/fields/${kept.id}`)
  })

  test('what was done to a field is on its timeline, and taken back like everything else', async () => {
    const field = await addField({ label: 'Tier' })
    await api.json('PATCH', `/api/fields/${field.id}`, { version: 1, label: 'Class' })
    await api.ask('DELETE', `/api/fields/${field.id}`)
    const lines = (await listActivities(api.ctx, { subject: { kind: 'field', id: field.id }, limit: 10 }))
      .data
    expect(lines.map(({ type, summary }) => [type, summary])).toEqual([
      ['record_archived', 'archived the field “Class”'],
      ['record_updated', 'changed label'],
      ['record_created', 'created the field “Tier”'],
    ])
    const undo = async (line: number) =>
      expect((await api.json('POST', `/api/activities/${lines[line]!.id}/undo`, {})).status).toBe(200)
    await undo(0)
    await undo(1)
    expect((await api.json('GET', `/api/fields/${field.id}`)).body).toMatchObject({
      label: 'Tier',
      archived_at: null,
    })
    await undo(2)
    expect((await api.json('GET', `/api/fields/${field.id}`)).body.archived_at).toBeTruthy()
  })
})
