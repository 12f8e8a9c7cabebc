import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveApi } from '../api/server.ts'
import { startSequencer } from '../db/audit.ts'
import { inTx } from '../db/context.ts'
import { workImport } from '../db/import-work.ts'
import { startImportWork } from '../tools/imports.ts'
import { openApi, type ApiWorld } from './api.ts'
import { eventually } from './eventually.ts'
import { type Importing, nothing, openImporting } from './import-world.ts'

let api: ApiWorld
let org: Importing
beforeAll(async () => {
  api = await openApi()
  org = await openImporting(api)
})
afterAll(() => api.stop())

describe('F68: a file is brought', () => {
  test('201 with its columns, a sample and what they seem to be; nothing is imported yet', async () => {
    const { status, body } = await org.upload(
      'Vorname;Nachname;E-Mail;Firma;Betrag;Was ist das?\nAna;Ruiz;ana@first.example;First;1.200,50;x\n',
    )
    expect(status).toBe(201)
    expect(body).toMatchObject({
      id: expect.any(String),
      kind: 'lead',
      file_name: 'list.csv',
      status: 'uploaded',
      columns: ['Vorname', 'Nachname', 'E-Mail', 'Firma', 'Betrag', 'Was ist das?'],
      sample: [['Ana', 'Ruiz', 'ana@first.example', 'First', '1.200,50', 'x']],
      suggested_mapping: {
        Vorname: 'contact_name',
        Nachname: 'contact_name',
        'E-Mail': 'email',
        Firma: 'company_name',
        Betrag: 'value',
        'Was ist das?': null,
      },
      dialect: { delimiter: ';', decimal: ',', encoding: 'utf-8', header: true },
      progress: { done: 0, total: 1 },
      counts: nothing,
    })
    for (const { field, reason } of Object.values<any>(body.suggestions))
      expect(reason, `${field}`).toMatch(/\w/)
    expect(await org.list('leads')).toEqual([])
  })

  test('any delimiter, encoding and style; the person may say otherwise, and the file is read again', async () => {
    const bytes = Buffer.from(
      'Name|E-mail|Value|Close\nJos\xe9|jose@read.example|1.200|03.04.2027\n',
      'latin1',
    )
    const { body } = await org.upload(bytes)
    expect(body).toMatchObject({
      sample: [['José', 'jose@read.example', '1.200', '03.04.2027']],
      dialect: { encoding: 'windows-1252', delimiter: '|' },
    })
    const again = await org.ask('POST', `/api/imports/${body.id}/survey`, { header: false, decimal: '.' })
    expect(again.body).toMatchObject({
      columns: ['Column 1', 'Column 2', 'Column 3', 'Column 4'],
      dialect: { header: false, decimal: '.' },
      progress: { total: 2 },
    })
    expect((await org.ask('POST', `/api/imports/${body.id}/survey`, { delimeter: ';' })).status).toBe(422)
  })

  test('POST sets queued before it answers; then counts, progress and rows; the run needs no dry run before it', async () => {
    const file =
      'Name,E-mail\nBo Lind,bo@second.example\n,\n"",""\nBo Lind,BO@second.example\nCy,not an address\n'
    const dry = await org.queue('dry-run', file)
    expect(dry).toMatchObject({
      status: 202,
      body: {
        status: 'queued',
        task: 'dry_run',
        mode: 'skip',
        progress: { done: 0, total: 3 },
        counts: nothing,
      },
    })
    const { id } = dry.body
    expect(
      await org.ask('POST', `/api/imports/${id}/run`, { mapping: dry.body.request.mapping }),
    ).toMatchObject({
      status: 409,
      body: { code: 'import_busy' },
    })
    const tried = await org.work(id)
    expect(tried.body).toMatchObject({
      status: 'dry_run_done',
      progress: { done: 3, total: 3 },
      counts: { create: 1, update: 0, skip: 1, error: 1 },
      dry_run_counts: { create: 1, update: 0, skip: 1, error: 1 },
    })
    expect(await org.list('leads')).toEqual([])
    expect(tried.rows.map(({ n, line, result }) => [n, line, result])).toEqual([
      [1, 2, 'create'],
      [2, 5, 'skip'],
      [3, 6, 'error'],
    ])
    const mapping = { Name: 'contact_name', 'E-mail': 'email' }
    const run = await org.ask('POST', `/api/imports/${id}/run`, { mapping })
    expect(run).toMatchObject({ status: 202, body: { status: 'queued', task: 'run', counts: nothing } })
    const done = await org.work(id)
    expect(done.body).toMatchObject({
      status: 'done',
      progress: { done: 3, total: 3 },
      counts: { create: 1, update: 0, skip: 1, error: 1 },
    })
    const [lead] = await org.list('leads')
    expect(done.rows[0]).toMatchObject({
      result: 'create',
      record: { kind: 'lead', id: lead.id, name: 'Bo Lind' },
    })
    const errors = await org.ask('GET', `/api/imports/${id}/rows?result=error`)
    expect(errors.body.data).toHaveLength(1)
    expect(errors.body.data[0]).toMatchObject({
      line: 6,
      problems: [
        { column: 'E-mail', field: 'email', code: 'cell_invalid', accepted: expect.stringContaining('@') },
      ],
    })
    expect(await org.ask('POST', `/api/imports/${id}/run`, { mapping })).toMatchObject({
      status: 409,
      body: { code: 'import_ran' },
    })
    await workImport(api.db, org.organization_id, id)
    expect(await org.list('leads')).toHaveLength(1)
  })

  test('a file of 701 rows goes through in pieces, each row once', async () => {
    const big = await openImporting(api)
    const lines = Array.from({ length: 701 }, (_, n) => `Person ${n},p${n}@many.example`)
    const { body, rows } = await big.run(`Name,E-mail\n${lines.join('\n')}\n`)
    expect(body).toMatchObject({
      progress: { done: 701, total: 701 },
      counts: { ...nothing, create: 701 },
    })
    expect(rows.map(({ n }) => n)).toEqual(lines.map((_, n) => n + 1))
    expect(new Set((await big.list('leads')).map(({ email }) => email)).size).toBe(701)
  })

  test('what does not fit is refused by name and the nearest, and nothing is queued', async () => {
    const { body } = await org.upload('Name,E-mail\nDo,do@third.example\n')
    const refuse = (request: object) => org.ask('POST', `/api/imports/${body.id}/run`, request)
    const mapping = { Name: 'contact_name', 'E-mail': 'email' }
    const cases: [object, string, RegExp][] = [
      [{ mapping: { Nmae: 'contact_name' } }, 'mapping_invalid', /Name/],
      [{ mapping: { Name: 'contact_nam' } }, 'mapping_invalid', /contact_name/],
      [{ mapping: { Name: null } }, 'mapping_empty', /column/i],
      [{ mapping: { Name: 'email', 'E-mail': 'email' } }, 'mapping_invalid', /E-mail/],
      [{ mapping, match_by: 'emial' }, 'match_by_unknown', /email/],
      [{ mapping, match_by: 'external_id' }, 'match_by_unmapped', /external_id/],
      [{ mapping, defaults: { sorce: 'Fair' } }, 'defaults_invalid', /source/],
      [{ mapping, defaults: { expected_close_on: 'soon' } }, 'defaults_invalid', /expected_close_on/],
      [{ mapping, mode: 'upsert' }, 'invalid_input', /create_and_flag/],
      [{ mapping, modes: 'skip' }, 'invalid_input', /modes/],
      [{}, 'invalid_input', /mapping/],
    ]
    for (const [request, code, named] of cases) {
      const refused = await refuse(request)
      expect(refused, JSON.stringify(request)).toMatchObject({ status: 422, body: { code } })
      expect(JSON.stringify(refused.body), code).toMatch(named)
    }
    expect((await org.ask('GET', `/api/imports/${body.id}`)).body.status).toBe('uploaded')
    expect((await org.ask('GET', `/api/imports/${org.organization_id}`)).status).toBe(404)
    expect((await org.ask('POST', `/api/imports/${body.id}/undo`)).body.code).toBe('import_changed_nothing')
  })
})

test('F68: a worker takes it up by itself; progress and end are heard on the events', async () => {
  const working = await openApi({ works: true })
  const own = await openImporting(working)
  const served = await serveApi(working.app, { host: '127.0.0.1', port: 0 })
  const sequencer = startSequencer(working.db, `${working.folder}/heads.jsonl`)
  const jobs = await startImportWork(working.db)
  const listening = new AbortController()
  try {
    const events = await fetch(`${served.url}/api/events`, {
      headers: { authorization: `Bearer ${own.key}` },
      signal: listening.signal,
    })
    let heard = ''
    const reading = (async () => {
      for await (const text of events.body!.pipeThrough(new TextDecoderStream())) heard += text
    })().catch(() => {})
    const { body } = await own.queue('run', 'Name,E-mail\nAna,ana@worked.example\n')
    const said = (type: string) =>
      heard.split('\n').some((line) => line.includes(`"type":"${type}"`) && line.includes(body.id))
    await eventually(() => said('import_progress') && said('import_finished'))
    expect((await own.ask('GET', `/api/imports/${body.id}`)).body).toMatchObject({
      status: 'done',
      counts: { create: 1 },
    })
    listening.abort()
    await reading
  } finally {
    listening.abort()
    await jobs.stop()
    await served.close()
    await sequencer.stop()
    await working.stop()
  }
})

describe('F68: the file of errors', () => {
  test('has the rows as they came, their lines and what is wrong; corrected, it is imported again', async () => {
    const file =
      'Name;E-mail;Stage;Expected close;Value\n' +
      'Uma;uma@errors.example;Qualfied;03.04.2027;1.200,50\n' +
      'Val;val@errors.example;Qualified;04.04.2027;2.000,00\n' +
      'Wim;wim at errors.example;New lead;13.04.2027;"3.000,25"\n'
    const first = await org.run(file)
    expect(first.body.counts).toEqual({ ...nothing, create: 1, error: 2 })
    const errors = await org.csv(`/api/imports/${first.id}/errors`)
    expect(errors.columns.slice(0, 5)).toEqual(['Name', 'E-mail', 'Stage', 'Expected close', 'Value'])
    expect(errors.rows).toMatchObject([
      {
        Name: 'Uma',
        Value: '1.200,50',
        line: '2',
        error: expect.stringMatching(/Qualfied.*Nearest: Qualified/),
      },
      { Name: 'Wim', line: '4', error: expect.stringMatching(/wim at errors\.example/) },
    ])
    const corrected = errors.text
      .replace('Qualfied', 'Qualified')
      .replace('wim at errors.example', 'wim@errors.example')
    const second = await org.run(corrected)
    expect(second.body.suggested_mapping).toMatchObject({ Name: 'contact_name', line: null, error: null })
    expect(second.body.counts).toEqual({ ...nothing, create: 2 })
    const uma = (await org.ask('GET', `/api/leads/${second.rows[0]?.record?.id}`)).body
    expect(uma).toMatchObject({
      expected_close_on: '2027-04-03',
      value_minor: 120_050,
      stage: { label: 'Qualified' },
    })
    const none = await org.csv(`/api/imports/${second.id}/errors`)
    expect(none.rows).toEqual([])
    expect(none.columns).toContain('Name')
    expect((await org.run(file)).body.counts).toEqual({ ...nothing, skip: 1, error: 2 })
  })

  test('formulas in it are asleep, and wake as they were', async () => {
    const { id } = await org.run('Name,E-mail\n=1+1,nobody\n')
    const { text } = await org.csv(`/api/imports/${id}/errors`)
    expect(text).toContain("'=1+1")
    const { rows } = await org.run(text.replace(',nobody', ',nobody@asleep.example'))
    expect(rows[0]?.record?.name).toBe('=1+1')
  })
})

describe('F68: stopping an import', () => {
  test('before it began nothing is imported; the file cannot be run twice, and is undone with nothing to undo', async () => {
    const { body } = await org.queue('run', 'Name,E-mail\nNix,nix@cancel.example\n')
    expect((await org.ask('POST', `/api/imports/${body.id}/cancel`)).status).toBe(200)
    const stopped = await org.work(body.id)
    expect(stopped.body).toMatchObject({ status: 'cancelled', progress: { done: 0 }, counts: nothing })
    expect(stopped.body.error).toMatch(/stopped after 0 of 1/)
    expect((await org.list('leads')).some(({ email }) => email === 'nix@cancel.example')).toBe(false)
    expect((await org.ask('POST', `/api/imports/${body.id}/cancel`)).status).toBe(409)
  })

  test('in its midst, what was done stays and is taken back whole', async () => {
    const own = await openImporting(api)
    const lines = Array.from({ length: 1_100 }, (_, n) => `Person ${n},p${n}@midst.example`)
    const { body } = await own.queue('run', `Name,E-mail\n${lines.join('\n')}\n`)
    const working = workImport(api.db, own.organization_id, body.id)
    let done = 0
    while (done === 0) done = (await own.ask('GET', `/api/imports/${body.id}`)).body.progress.done
    await own.ask('POST', `/api/imports/${body.id}/cancel`)
    await working
    const stopped = await own.work(body.id)
    expect(stopped.body.status).toBe('cancelled')
    const { create } = stopped.body.counts
    expect(create).toBeGreaterThanOrEqual(done)
    expect(create).toBeLessThan(1_100)
    expect(await own.list('leads')).toHaveLength(create)
    const { body: undone } = await own.undo(body.id)
    expect(undone).toMatchObject({ status: 'undone', undo: { restored: create, kept_records: 0 } })
    expect(await own.list('leads')).toEqual([])
  })
})

describe('F68: mappings', () => {
  test('a file with the same columns is mapped as the last one was, or as was saved since', async () => {
    const own = await openImporting(api)
    const file = (n: number) => `Wer,Wo,E-mail\nPerson ${n},Rom,p${n}@mapped.example\n`
    const mapping = { Wer: 'contact_name', Wo: 'city', 'E-mail': 'email' }
    await own.run(file(1), { mapping })
    const second = await own.upload(file(2))
    expect(second.body.suggested_mapping).toEqual(mapping)
    const saved = await own.ask('POST', '/api/import-mappings', {
      name: 'Messe',
      kind: 'lead',
      columns: ['Wer', 'Wo', 'E-mail'],
      mapping: { ...mapping, Wo: 'state' },
    })
    expect(saved).toMatchObject({ status: 201, body: { version: 1 } })
    const third = await own.upload(file(3))
    expect(third.body.suggested_mapping).toEqual({ ...mapping, Wo: 'state' })
    expect(third.body.suggestions.Wo.reason).toContain('Messe')
    const { id } = saved.body
    const changed = await own.ask('PATCH', `/api/import-mappings/${id}`, { version: 1, name: 'Messe Rom' })
    expect(changed.body).toMatchObject({ name: 'Messe Rom', version: 2 })
    expect((await own.ask('PATCH', `/api/import-mappings/${id}`, { version: 1, name: 'x' })).status).toBe(412)
    expect((await own.ask('GET', '/api/import-mappings?kind=lead')).body.data).toHaveLength(1)
    expect((await own.ask('DELETE', `/api/import-mappings/${id}`)).status).toBe(204)
    expect((await own.upload(file(4))).body.suggested_mapping).toEqual(mapping)
    expect((await own.ask('GET', `/api/import-mappings/${id}`)).status).toBe(404)
    // Of another kind and of another organization it is nothing.
    expect((await own.upload(file(5), 'contact')).body.suggested_mapping.Wo).not.toBe('city')
    expect((await org.upload(file(6))).body.suggestions.Wo.reason).not.toMatch(/Messe|mapped on/)
  })
})

describe('who may import', () => {
  test('a rep may, a viewer sees how far it is, nobody else anything', async () => {
    const [rep, viewer, stranger] = [
      await api.keyFor('rep', org.ctx),
      await api.keyFor('viewer', org.ctx),
      (await openImporting(api)).key,
    ]
    const made = await org.upload('Name,E-mail\nMay,may@roles.example\n', 'lead', rep)
    expect(made.status).toBe(201)
    expect((await org.upload('Name\nMay\n', 'lead', viewer)).status).toBe(403)
    const as = (key: string, method: string, path: string, body?: unknown) =>
      api.json(method, `/api/imports/${made.body.id}${path}`, body, { authorization: `Bearer ${key}` })
    const mapping = { Name: 'contact_name', 'E-mail': 'email' }
    for (const path of ['/run', '/dry-run']) {
      expect((await as(viewer, 'POST', path, { mapping })).status).toBe(403)
      expect((await as(stranger, 'POST', path, { mapping })).status).toBe(404)
    }
    for (const path of ['', '/rows', '/errors']) expect((await as(stranger, 'GET', path)).status).toBe(404)
    expect((await as(viewer, 'GET', '')).status).toBe(200)
    expect((await as(rep, 'POST', '/run', { mapping })).status).toBe(202)
    expect((await org.work(made.body.id)).body).toMatchObject({
      counts: { create: 1 },
      requested_by: { kind: 'api_key' },
    })
    expect((await as(viewer, 'POST', '/undo')).status).toBe(403)
  })

  test('an import is one line on the timeline beside those of its records, and its file stays with it', async () => {
    const { id } = await org.run('Name,E-mail\nTim,tim@line.example\n')
    const lines = await org.timeline('import', id)
    expect(lines.map(({ type }) => type)).toEqual(['import_finished'])
    expect(lines[0]).toMatchObject({ data: { counts: { create: 1 }, file_name: 'list.csv' } })
    const [kept] = await inTx(org.ctx, ({ tx, organization_id }) =>
      tx<
        { n: number }[]
      >`select count(*)::int as n from import_chunks where organization_id = ${organization_id} and import_id = ${id}`.execute(),
    )
    expect(kept?.n).toBe(1)
  })
})
