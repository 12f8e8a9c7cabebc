import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importWork } from '../db/import-leases.ts'
import { openApi, type ApiWorld } from './api.ts'
import { nothing, leadOf, openImporting, problemsOf } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

describe('F70: rows of people who are there already', () => {
  test('are recognised by e-mail, telephone, external id, and company domain with name, and passed by', async () => {
    const own = await openImporting(api)
    await own.deliver({
      name: 'Ana Ruiz',
      email: 'ana@known.example',
      phone: '+49 30 1234567',
      external_id: 'k-1',
    })
    const [ana] = await own.list('leads')
    const worked = await own.run(
      'Name,E-mail,Phone,External id,Website\n' +
        'Somebody,ANA@known.example,,,\n' +
        'Ana Ruiz,,0049 30 1234567,,\n' +
        'Other,,,k-1,\n' +
        'ana RUIZ,,,,https://shop.known.example\n' +
        'Zoe,zoe@known.example,+49 30 1234567,,\n',
    )
    expect(
      worked.rows.map(({ result, matched_by, record }) => [result, matched_by, record?.id === ana.id]),
    ).toEqual([
      ['skip', 'email', true],
      ['skip', 'phone', true],
      ['skip', 'external_id', true],
      ['skip', 'domain_name', true],
      ['create', null, false],
    ])
    expect(worked.rows[0]?.problems[0]?.message).toContain('Ana Ruiz')
    expect((await own.list('leads'))[0]).toEqual(ana)
  })

  test('the same person twice inside the file is one lead, in a dry run and in a run', async () => {
    const own = await openImporting(api)
    const file =
      'Name,E-mail,Phone,City\nAna,ana@twice.example,+49 30 111111,Rome\nBo,bo@twice.example,,\nANA,Ana@Twice.Example,,Oslo\nAna,,+4930111111,Bern\n'
    for (const mode of ['skip', 'update'] as const) {
      const dry = await own.dryRun(file, { mode })
      expect(dry.body.counts, mode).toEqual(
        mode === 'skip' ? { ...nothing, create: 2, skip: 2 } : { ...nothing, create: 2, update: 2 },
      )
    }
    const run = await own.run(file, { mode: 'update' })
    expect(run.body.counts).toEqual({ ...nothing, create: 2, update: 2 })
    expect(await own.list('leads')).toHaveLength(2)
    expect(await leadOf(own, 'ana@twice.example')).toMatchObject({ city: 'Bern' })
  })

  test('a row that says the same as one before is told its line, whichever piece that was in', async () => {
    const own = await openImporting(api)
    const file = `Name,City\n${'Ana,Rome\n'.repeat(3)}`
    const tried = await own.dryRun(file)
    const piece = importWork.piece
    importWork.piece = 1
    const worked = await own.run(file).finally(() => (importWork.piece = piece))
    for (const { body, rows } of [tried, worked]) {
      expect(body.counts).toEqual({ ...nothing, create: 1, skip: 2 })
      expect(rows.map(({ problems }) => problems)).toEqual([
        [],
        ...[1, 2].map(() => [{ code: 'row_repeated', message: 'Line 2 says the same.' }]),
      ])
    }
    const again = await own.run(file)
    expect(problemsOf(again).map((problem) => problem?.code)).toEqual([
      'imported_before',
      'row_repeated',
      'row_repeated',
    ])
  })

  test('create_and_flag makes them and says of whom they may be a duplicate', async () => {
    const own = await openImporting(api)
    await own.run('Name,E-mail\nAna Ruiz,ana@flag.example\n')
    const [ana] = await own.list('leads')
    const flagged = await own.run('Name,E-mail,City,External id\nAna Ruiz,ana@flag.example,Rome,f-1\n', {
      mode: 'create_and_flag',
    })
    expect(flagged.body.counts).toEqual({ ...nothing, create: 1 })
    expect(flagged.rows[0]).toMatchObject({
      matched_by: 'email',
      problems: [{ code: 'possible_duplicate', message: expect.stringContaining('Ana Ruiz') }],
    })
    const { body: groups } = await own.ask('GET', '/api/leads/duplicates')
    expect(JSON.stringify(groups)).toContain(ana.id)
    expect(JSON.stringify(groups)).toContain(flagged.rows[0]?.record?.id)
    expect((await own.ask('GET', `/api/leads/${ana.id}`)).body.version).toBe(ana.version)
  })

  test('create_and_flag makes who has somebody’s external id, or what several have, and refuses neither', async () => {
    const own = await openImporting(api)
    await own.run('Name,External id\nZoe,t-1\n')
    // The first row is who the second is once that is there; it is made beside Zoe all the same, and once.
    const file =
      'Name,E-mail,External id\nAna,ana@beside.example,t-1\nAna,ana@beside.example,\nAna R,ana@beside.example,\n'
    const asked = { mode: 'create_and_flag', match_by: 'email' } as const
    const dry = await own.dryRun(file, asked)
    const { body, rows } = await own.run(file, asked)
    expect(dry.body.counts).toEqual(body.counts)
    expect(body.counts, JSON.stringify(rows)).toEqual({ ...nothing, create: 3 })
    expect(rows.map(({ matched_by, problems }) => [matched_by, problems[0]?.message])).toEqual([
      ['external_id', '“Zoe” has the same external id.'],
      ['email', '“Ana” has the same email.'],
      ['email', '“Ana” and 1 more have the same email.'],
    ])
    const [first] = rows
    const { body: ana } = await own.ask('GET', `/api/leads/${first?.record?.id}`)
    expect(ana).toMatchObject({ external_id: null, extra: { external_id: 't-1' } })
    expect((await own.run(file, asked)).body.counts).toEqual({ ...nothing, skip: 3 })
  })
})

describe('F69: update on import', () => {
  test('mapped fields that say something else are overwritten; blanks and columns that are not mapped change nothing', async () => {
    const own = await openImporting(api, ['Ida'])
    await own.run(
      'Name,E-mail,City,Company,Tags\nAna,ana@up.example,Rome,First,a; b\nBo,bo@up.example,Oslo,,\n',
    )
    const [ana, bo] = [await leadOf(own, 'ana@up.example'), await leadOf(own, 'bo@up.example')]
    const worked = await own.run(
      'Name,E-mail,City,Company,Owner,Tags\nAna,ana@up.example,,Second,Ida,\nBo,bo@up.example,Oslo,,,\nCy,cy@up.example,Bern,,,\n',
      {
        mode: 'update',
        mapping: {
          'E-mail': 'email',
          Name: 'contact_name',
          City: 'city',
          Company: 'company_name',
          Owner: 'owner',
          Tags: 'tags',
        },
      },
    )
    expect(worked.body.counts).toEqual({ ...nothing, create: 1, update: 1, skip: 1 })
    expect(
      worked.rows[0]?.changes.map(({ field, before, after }) => [field, before, after]).toSorted(),
    ).toEqual([
      ['company_name', 'First', 'Second'],
      ['owner_id', null, own.ids['Ida']],
    ])
    expect(worked.rows[1]).toMatchObject({ result: 'skip', problems: [{ code: 'unchanged' }] })
    expect(await leadOf(own, 'ana@up.example')).toMatchObject({
      id: ana.id,
      city: 'Rome',
      company_name: 'Second',
      tags: ['a', 'b'],
      version: ana.version + 1,
    })
    expect((await leadOf(own, 'bo@up.example')).version).toBe(bo.version)
    const lines = await own.timeline('lead', ana.id)
    expect(lines.at(-1)).toMatchObject({ actor: { kind: 'api_key' }, data: { import_id: worked.id } })
  })

  test('blanks erase when asked to, but for what always has a value', async () => {
    const own = await openImporting(api)
    await own.ask('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'seats',
      label: 'Seats',
      type: 'integer',
    })
    const first =
      'Name,E-mail,City,Phone,Value,Tags,Seats\nAna,ana@erase.example,Rome,+49 30 1234567,12,a,3\nBo,bo@erase.example,Oslo,,,,\n'
    await own.run(first)
    const blank =
      'Name,E-mail,City,Phone,Value,Tags,Seats\nAna,ana@erase.example,,,,,\nBo,bo@erase.example,,,,,\n'
    expect((await own.run(blank, { mode: 'update' })).body.counts).toEqual({ ...nothing, skip: 2 })
    const worked = await own.run(blank, { mode: 'update', erase_blanks: true })
    expect(worked.body.counts).toEqual({ ...nothing, update: 2 })
    expect(await leadOf(own, 'ana@erase.example')).toMatchObject({
      contact_name: 'Ana',
      city: null,
      phone: null,
      value_minor: null,
      tags: [],
      custom: {},
    })
    expect((await own.run(blank, { mode: 'update', erase_blanks: true })).body.counts).toEqual({
      ...nothing,
      skip: 2,
    })
  })

  test('records by id, external id, or any key that is picked; an id that is none is an error, never a new record', async () => {
    const own = await openImporting(api)
    await own.ask('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'number',
      label: 'Number',
      type: 'short_text',
    })
    await own.run(
      'Name,E-mail,External id,Number,City\nAna,ana@by.example,x-1,N1,Rome\nBo,bo@by.example,x-2,N2,Oslo\nBea,bea@by.example,x-3,N2,Oslo\n',
    )
    const ana = await leadOf(own, 'ana@by.example')
    const byId = await own.run(
      `id,Name,City\n${ana.id},Ana,Bern\n${own.organization_id},Bo,Bern\nnot-an-id,Bo,Bern\n,New one,Bern\n`,
      { mode: 'update', mapping: { id: 'id', Name: 'contact_name', City: 'city' } },
    )
    expect(byId.rows.map(({ result, problems }) => [result, problems[0]?.code])).toEqual([
      ['update', undefined],
      ['error', 'id_unknown'],
      ['error', 'cell_invalid'],
      ['create', undefined],
    ])
    expect((await leadOf(own, 'ana@by.example')).city).toBe('Bern')
    const byExternal = await own.run('External id,E-mail\nx-1,ana.new@by.example\nx-9,bo@by.example\n', {
      mode: 'update',
    })
    expect(byExternal.rows.map(({ result, matched_by }) => [result, matched_by])).toEqual([
      ['update', 'external_id'],
      ['update', 'email'],
    ])
    const byCustom = await own.run('Number,City\nN1,Paris\nN2,Paris\nN3,Paris\n', {
      mode: 'update',
      match_by: 'custom.number',
    })
    expect(byCustom.rows.map(({ result, problems }) => [result, problems[0]?.code])).toEqual([
      ['update', undefined],
      ['error', 'match_ambiguous'],
      ['error', expect.any(String)],
    ])
    expect(byCustom.rows[1]?.problems[0]?.accepted).toHaveLength(2)
    expect((await own.ask('GET', `/api/leads/${ana.id}`)).body).toMatchObject({
      email: 'ana.new@by.example',
      city: 'Paris',
    })
  })

  test('a row moves its lead, closes it, and links it; what cannot be is told and changes nothing', async () => {
    const own = await openImporting(api)
    await own.run('Name,E-mail\nAna,ana@moves.example\nBo,bo@moves.example\nCy,cy@moves.example\n')
    const reasons = (await own.ask('GET', '/api/discard-reasons')).body.data
    const worked = await own.run(
      `Name,E-mail,Stage,Discard reason,Account\nAna,ana@moves.example,Qualified,,Elm\nBo,bo@moves.example,Closed-Lost,${reasons[0].label},\nCy,cy@moves.example,Closed-Lost,,Elm\n`,
      { mode: 'update' },
    )
    expect(worked.body.counts, JSON.stringify(worked.rows)).toEqual({ ...nothing, update: 2, error: 1 })
    const ana = await leadOf(own, 'ana@moves.example')
    expect(ana).toMatchObject({ stage: { label: 'Qualified' }, account_ids: [expect.any(String)] })
    expect((await own.timeline('lead', ana.id)).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['stage_changed', 'record_linked']),
    )
    expect(await leadOf(own, 'bo@moves.example')).toMatchObject({
      stage: { kind: 'lost' },
      discard_reason_id: reasons[0].id,
    })
    expect(await leadOf(own, 'cy@moves.example')).toMatchObject({
      stage: { label: 'New lead' },
      account_ids: [],
      version: 1,
    })
    const [bo, cy] = [await leadOf(own, 'bo@moves.example'), await leadOf(own, 'cy@moves.example')]
    const corrected = await own.run(
      `id,Discard reason,Discard note\n${bo.id},${reasons[1].label},Said so\n${cy.id},${reasons[1].label},\n${cy.id},,Why\n`,
      {
        mode: 'update',
        mapping: { id: 'id', 'Discard reason': 'discard_reason', 'Discard note': 'discard_note' },
      },
    )
    expect(corrected.body.counts, JSON.stringify(corrected.rows)).toEqual({ ...nothing, update: 1, error: 2 })
    expect(corrected.rows.slice(1).map(({ problems }) => problems[0])).toMatchObject([
      { code: 'discard_reason_on_open', column: 'Discard reason' },
      { code: 'discard_reason_on_open', column: 'Discard note' },
    ])
    expect(await leadOf(own, 'bo@moves.example')).toMatchObject({
      discard_reason_id: reasons[1].id,
      discard_note: 'Said so',
    })
    const closings = (await own.ask('GET', `/api/opportunities/${bo.id}/closings`)).body.data
    expect(closings).toMatchObject([{ discard_reason: { id: reasons[1].id }, discard_note: 'Said so' }])
  })
})

describe('Q11: a CSV imported again adds 0 rows', () => {
  const file =
    'Name,Company,E-mail,Phone,City,Stage\n' +
    'Ana Ruiz,Brightside,ana@again.example,,Rome,\n' +
    'Bo Lind,,,+49 30 1234567,,Qualified\n' +
    'No Keys,Elm,,,Bern,\n' +
    'Only Name,,,,,\n' +
    'Called,,,030 7654321,,\n' +
    'Won Already,,won@again.example,,,Closed-Won\n' +
    'Won Unkeyed,,,,Oslo,Closed-Won\n' +
    'Lost Already,,lost@again.example,,,Closed-Lost\n'
  const asked = { defaults: {} as Record<string, string> }

  test.each(['skip', 'update', 'create_and_flag'] as const)('in mode %s', async (mode) => {
    const own = await openImporting(api)
    const [reason] = (await own.ask('GET', '/api/discard-reasons')).body.data
    const whole = file
      .replace('Stage\n', 'Stage,Discard reason\n')
      .replaceAll(/(?<!Stage,Discard reason)\n/g, (_, at: number, all: string) =>
        all.slice(0, at).endsWith('Closed-Lost') ? `,${reason.label}\n` : ',\n',
      )
    const first = await own.run(whole, { mode, ...asked })
    expect(first.body.counts, JSON.stringify(first.rows.filter(({ result }) => result === 'error'))).toEqual({
      ...nothing,
      create: 8,
    })
    const before = await own.list('leads')
    for (const again of [whole, whole.replaceAll('\n', '\r\n'), whole.replaceAll(',', ';')]) {
      const dry = await own.dryRun(again, { mode })
      expect(dry.body.counts).toEqual({ ...nothing, skip: 8 })
      const { body } = await own.run(again, { mode })
      expect(body.counts).toEqual({ ...nothing, skip: 8 })
    }
    expect(await own.list('leads')).toEqual(before)
    // Other columns beside, and another order of them, make nobody new.
    const lines = whole.split('\n').filter((line) => line !== '')
    const turned = lines
      .map((line, n) => `${line.split(',').toReversed().join(',')},${n === 0 ? 'Zzz' : 'x'}`)
      .join('\n')
    expect((await own.run(turned, { mode })).body.counts).toEqual({ ...nothing, skip: 8 })
    expect(await own.list('leads')).toHaveLength(8)
  })

  test('also after somebody changed, moved or merged what it had made; what was archived since comes anew', async () => {
    const own = await openImporting(api)
    const four =
      'Name,E-mail,City\nAna,ana@since.example,Rome\nBo,bo@since.example,\nCy,,Bern\nDo,do@since.example,\n'
    const { rows } = await own.run(four)
    const [ana, bo, cy, last] = rows.map(({ record }) => record?.id)
    expect(
      (await own.ask('PATCH', `/api/leads/${ana}`, { version: 1, email: 'new@since.example' })).status,
    ).toBe(200)
    expect((await own.ask('PATCH', `/api/leads/${cy}`, { version: 1, contact_name: 'Cyril' })).status).toBe(
      200,
    )
    expect((await own.ask('POST', `/api/leads/${ana}/merge`, { duplicate_id: bo })).status).toBe(200)
    expect((await own.run(four)).body.counts).toEqual({ ...nothing, skip: 4 })
    expect((await own.ask('DELETE', `/api/leads/${last}`)).status).toBe(204)
    expect((await own.run(four)).body.counts).toEqual({ ...nothing, create: 1, skip: 3 })
  })

  test.each([
    ['deal', 'Name,Value,Currency,Stage\nMachines,12,EUR,\nMachines,12,EUR,Closed Won\nBeans,,,\n'],
    ['account', 'Name,Website\nElm,\nElm,https://elm.example\nOak,https://oak.example\n'],
    ['contact', 'Name,Email\nAna Ruiz,ana@kinds.example\nBo Lind,\n'],
  ] as const)('of kind %s', async (kind, list) => {
    const own = await openImporting(api)
    const total = list.trim().split('\n').length - 1
    const first = await own.run(list, { kind })
    const made = first.body.counts.create
    expect(first.body.counts.error, JSON.stringify(first.rows)).toBe(0)
    for (const mode of ['skip', 'update'] as const) {
      const { body } = await own.run(list, { kind, mode })
      expect(body.counts, mode).toMatchObject({ create: 0, error: 0 })
    }
    expect(await own.list(`${kind}s`)).toHaveLength(made)
    expect(made).toBeGreaterThanOrEqual(total - 1)
  })

  test('two files at the same time with the same people make each once', async () => {
    const own = await openImporting(api)
    const lines = Array.from({ length: 60 }, (_, n) => `P ${n},p${n}@race.example`)
    const files = [lines, lines.toReversed()].map((all) => `Name,E-mail\n${all.join('\n')}\n`)
    const queued = await Promise.all(files.map((text) => own.queue('run', text)))
    const worked = await Promise.all(queued.map(({ body }) => own.work(body.id)))
    expect(worked.map(({ body }) => body.status)).toEqual(['done', 'done'])
    expect(worked.reduce((sum, { body }) => sum + body.counts.create, 0)).toBe(60)
    expect(await own.list('leads')).toHaveLength(60)
  })
})
