import postgres from 'postgres'
import { afterAll } from 'vitest'
import { openApi } from './api.ts'
import { makeLead } from './worked-lead.ts'

/** A fresh world for a test file in which leads are merged over HTTP; it ends with it. */
export const openMergingWorld = async () => {
  const api = await openApi()
  // Who owns the database sees it whole, whatever the policies of tenants say.
  const owner = postgres(api.owner_url, { max: 2, onnotice: () => {} })
  afterAll(async () => {
    await owner.end()
    await api.stop()
  })
  const merge = (id: string, body: object, headers?: Record<string, string>) =>
    api.json('POST', `/api/leads/${id}/merge`, body, headers)
  const unmerge = (id: string, body: object = {}) => api.json('POST', `/api/leads/${id}/unmerge`, body)
  const get = async (id: string) => (await api.json('GET', `/api/leads/${id}`)).body
  const timeline = async (id: string): Promise<any[]> =>
    (await api.json('GET', `/api/leads/${id}/timeline?limit=200`)).body.data

  let n = 0
  /** Two leads that are one person; no others have `n` in their addresses. */
  const pair = async (first: object = {}, second: object = {}) => {
    n += 1
    const leadAt = (name: string, fields: object) =>
      makeLead(api.ctx, { email: `ana@${name}${n}.example`, contact_name: 'Ana Ruiz', ...fields })
    return { n, primary: await leadAt('one', first), duplicate: await leadAt('two', second) }
  }

  return { api, owner, merge, unmerge, get, timeline, pair }
}
