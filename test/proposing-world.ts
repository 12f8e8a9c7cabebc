import { afterAll, expect } from 'vitest'
import { serveApi } from '../api/server.ts'
import type { RecordRef } from '../db/records.ts'
import { startWorker } from '../worker.ts'
import { nothingOutside, openApi } from './api.ts'
import { eventually } from './eventually.ts'
import { startOpenAI } from './openai.ts'
import { makeLead } from './worked-lead.ts'

/** A fresh world for a test file in which files are uploaded and a worker proposes what they say; it ends with it. */
export const openProposingWorld = async () => {
  const api = await openApi({ works: true })
  const { ctx } = api
  const served = await serveApi(api.app, { host: '127.0.0.1', port: 0 })
  /** What the scripted model says of a file. */
  const model: { answer: { text: string; facts: object[] } } = { answer: { text: '', facts: [] } }
  const server = await startOpenAI(() => ({ text: JSON.stringify(model.answer) }), { speaks: 'chat' })
  const worker = await startWorker({
    db: api.db,
    outside: nothingOutside,
    model: 'rules',
    openai_api_key: 'sk-proj-files-0123456789abcdefghij',
    openai_base_url: server.url,
    heads_file: `${api.folder}/heads.jsonl`,
  })
  afterAll(async () => {
    await worker.stop()
    await server.stop()
    await served.close()
    await api.stop()
  })

  const get = async (path: string) => (await api.json('GET', path)).body
  /** Uploads over a real connection, as browsers do. */
  const upload = async ({ kind, id }: RecordRef, name: string, content: Buffer | string): Promise<string> => {
    const form = new FormData()
    form.set('subject_kind', kind)
    form.set('subject_id', id)
    form.set('file', new Blob([new Uint8Array(Buffer.from(content))]), name)
    const response = await fetch(`${served.url}/api/files`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${api.key}` },
    })
    expect(response.status).toBe(201)
    const file: any = await response.json()
    return file.id
  }
  /** The approvals by which a file was proposed, the newest last. */
  const proposalsOf = async (file_id: string): Promise<any[]> => {
    const { proposals } = await get(`/api/files/${file_id}`)
    return Promise.all(proposals.map((id: string) => get(`/api/approvals/${id}`)))
  }
  const proposalOf = (file_id: string, status = 'pending'): Promise<any> =>
    eventually(async () => (await proposalsOf(file_id)).findLast((one) => one.status === status), 15_000)
  /** Waits until everything is done that comes of a file: a second one that says something is proposed after it. */
  const settled = async (subject: RecordRef, file_id: string): Promise<void> => {
    await eventually(async () => (await get(`/api/files/${file_id}`)).text_status !== 'pending', 15_000)
    const jobs = () => api.db.sql`
      select 1 from pgboss.job where name in ('file.added', 'file.read', 'run.queued') and state in ('created', 'active', 'retry')`
    await eventually(async () => (await jobs()).length === 0, 15_000)
    const going = async () =>
      (await get(`/api/runs?subject_id=${subject.id}`)).data.some(({ status }: any) =>
        ['queued', 'running'].includes(status),
      )
    await eventually(async () => !(await going()), 15_000)
  }
  const decide = async (approval: any, path: string, body: object = {}) =>
    api.json('POST', `/api/approvals/${approval.id}/${path}`, body)
  const approve = async (approval: any, body: object = {}) => {
    expect(await decide(approval, 'approve', body)).toMatchObject({ status: 200 })
    return eventually(async () => {
      const now = await get(`/api/approvals/${approval.id}`)
      return ['executed', 'failed', 'stale'].includes(now.status) ? now : undefined
    }, 15_000)
  }
  const newLead = async (fields: object = {}): Promise<RecordRef> => ({
    kind: 'lead',
    id: (await makeLead(ctx, { company_name: undefined, ...fields })).id,
  })
  const recordAt = ({ kind, id }: RecordRef) => get(`/api/${kind}s/${id}`)

  return {
    api,
    ctx,
    model,
    get,
    upload,
    proposalsOf,
    proposalOf,
    settled,
    decide,
    approve,
    newLead,
    recordAt,
  }
}
