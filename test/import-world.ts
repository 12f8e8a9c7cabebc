import { parse } from 'csv-parse/sync'
import { workImport } from '../db/import-work.ts'
import type { ImportRow, RowProblem } from '../db/imports.ts'
import type { RecordKind } from '../db/records.ts'
import type { ApiWorld } from './api.ts'
import { openTeam, type Team } from './team.ts'

type Answer = { status: number; body: any }

/** An import that was worked to its end, as it is answered, with what each row came to. */
export type Worked = { id: string; body: any; rows: ImportRow[] }

/** What an import is asked, where it is not what is suggested for the file. */
export type Asked = {
  kind?: RecordKind
  mapping?: Record<string, string | null>
  mode?: 'skip' | 'update' | 'create_and_flag'
  [option: string]: unknown
}

/** An organization of its own into which files are imported over HTTP; the test is its worker. */
export type Importing = Team & {
  upload(file: string | Uint8Array, kind?: RecordKind, key?: string, name?: string): Promise<Answer>
  /** Uploads a file and queues a task of it with the suggested mapping, if none is given. */
  queue(task: 'run' | 'dry-run', file: string | Uint8Array, asked?: Asked): Promise<Answer>
  work(id: string): Promise<Worked>
  /** Uploads a file and imports it. */
  run(file: string | Uint8Array, asked?: Asked): Promise<Worked>
  dryRun(file: string | Uint8Array, asked?: Asked): Promise<Worked>
  undo(id: string): Promise<Worked>
  /** What a list has, oldest first. */
  list(noun: string): Promise<any[]>
  /** A file of the API as text, and its rows by the names of their columns. */
  csv(path: string): Promise<{ text: string; columns: string[]; rows: Record<string, string>[] }>
  /** What happened to a record, oldest first. */
  timeline(kind: string, id: string): Promise<any[]>
}

/** What the rows of an import come to before any does. */
export const nothing = { create: 0, update: 0, skip: 0, error: 0 }

/** Opens one more organization of a world. */
export const openImporting = async (api: ApiWorld, names: string[] = []): Promise<Importing> => {
  const team = await openTeam(api, names)
  const { ask } = team
  const { app } = api

  const upload: Importing['upload'] = async (file, kind = 'lead', key = team.key, name = 'list.csv') => {
    const form = new FormData()
    form.set('kind', kind)
    form.set('file', new Blob([new Uint8Array(Buffer.from(file))]), name)
    const response = await app.request('/api/imports', {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${key}` },
    })
    return { status: response.status, body: await response.json() }
  }

  const rowsOf = async (id: string, cursor?: string): Promise<ImportRow[]> => {
    const page = await good(
      ask('GET', `/api/imports/${id}/rows?limit=100${cursor ? `&cursor=${cursor}` : ''}`),
      200,
    )
    return page.next_cursor ? [...page.data, ...(await rowsOf(id, page.next_cursor))] : page.data
  }

  const work: Importing['work'] = async (id) => {
    await workImport(api.db, team.organization_id, id)
    return { id, body: await good(ask('GET', `/api/imports/${id}`), 200), rows: await rowsOf(id) }
  }

  const queue: Importing['queue'] = async (task, file, { kind, ...asked } = {}) => {
    const survey = await good(upload(file, kind), 201)
    return ask('POST', `/api/imports/${survey.id}/${task}`, { mapping: survey.suggested_mapping, ...asked })
  }

  const doing =
    (task: 'run' | 'dry-run'): Importing['run'] =>
    async (file, asked) =>
      work((await good(queue(task, file, asked), 202)).id)

  const list = async (noun: string, cursor?: string): Promise<any[]> => {
    const page = await good(
      ask('GET', `/api/${noun}?sort=created_at&limit=100${cursor ? `&cursor=${cursor}` : ''}`),
      200,
    )
    return page.next_cursor ? [...page.data, ...(await list(noun, page.next_cursor))] : page.data
  }

  return {
    ...team,
    upload,
    queue,
    work,
    run: doing('run'),
    dryRun: doing('dry-run'),
    undo: async (id) => work((await good(ask('POST', `/api/imports/${id}/undo`), 202)).id),
    list: (noun) => list(noun),
    csv: async (path) => {
      const response = await app.request(path, { headers: { authorization: `Bearer ${team.key}` } })
      const text = await response.text()
      if (response.status !== 200) throw new Error(text)
      const [columns = [], ...rows] = parse(text, { bom: true })
      return {
        text,
        columns,
        rows: rows.map((row) => Object.fromEntries(row.map((cell, n) => [columns[n] ?? '', cell]))),
      }
    },
    timeline: async (kind, id) =>
      (
        await good(ask('GET', `/api/activities?subject_kind=${kind}&subject_id=${id}&limit=100`), 200)
      ).data.toReversed(),
  }
}

const good = async (asked: Promise<Answer>, status: number): Promise<any> => {
  const answer = await asked
  if (answer.status !== status) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** Makes a record over HTTP. */
export const post = (own: Importing, path: string, body: object): Promise<any> =>
  good(own.ask('POST', `/api/${path}`, body), 201)

/** The records that rows made or are about, in the order of the file; undefined for none. */
export const recordsOf = async (own: Importing, { rows }: Worked, noun = 'leads'): Promise<any[]> =>
  Promise.all(
    rows.map(async ({ record }) => record && (await own.ask('GET', `/api/${noun}/${record.id}`)).body),
  )

/** What is wrong with each row first. */
export const problemsOf = ({ rows }: Worked): (RowProblem | undefined)[] =>
  rows.map(({ problems }) => problems[0])

/** The lead with this address. */
export const leadOf = async (own: Importing, email: string): Promise<any> =>
  (await own.list('leads')).find((lead) => lead.email === email)

/** Changes a record over HTTP, as it stands. */
export const change = async (own: Importing, noun: string, id: string, values: object): Promise<void> => {
  const { version } = (await own.ask('GET', `/api/${noun}/${id}`)).body
  await good(own.ask('PATCH', `/api/${noun}/${id}`, { version, ...values }), 200)
}
