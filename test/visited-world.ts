import { afterAll } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { createSource } from '../db/intake-sources.ts'
import { processSubmission } from '../db/submissions.ts'
import { openApi } from './api.ts'

/** What a page sends of a visit. */
export const visit = (more: object = {}) => ({
  consent: true,
  visitor_id: 'visitor-0001',
  page: 'https://brightside.example/espresso?utm_source=newsletter&utm_campaign=spring&email=ana@brightside.example#top',
  ...more,
})

/** A fresh world for a test file with a website whose visits are told; it ends with it. */
export const openVisitedWorld = async () => {
  const api = await openApi()
  afterAll(() => api.stop())
  const { token } = await createSource(api.ctx, { name: 'Website' })
  const send = async (
    body: unknown,
    headers: Record<string, string> = {},
    to = token,
  ): Promise<{ status: number; body: any; headers: Headers }> => {
    const response = await api.app.request(`/intake/touch/${to}`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain;charset=UTF-8', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, body: await response.json(), headers: response.headers }
  }
  const stored = (ctx: Ctx = api.ctx): Promise<Record<string, any>[]> =>
    inTx(ctx, async ({ tx, organization_id }) => [
      ...(await tx`select * from touchpoints where organization_id = ${organization_id} order by id`),
    ])
  const storedOf = async (visitor_id: string) =>
    (await stored()).filter((row) => row['visitor_id'] === visitor_id)
  /** Posts a lead at the webhook and reads it; answers the lead's id. */
  const submit = async (payload: object): Promise<string> => {
    const response = await api.app.request(`/intake/webhook/${token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(payload),
    })
    const { submission_id } = (await response.json()) as { submission_id: string }
    await processSubmission(api.db, api.organization.id, submission_id)
    return (await api.json('GET', `/api/submissions/${submission_id}`)).body.lead_id
  }
  const trail = async (lead_id: string) =>
    (await api.json('GET', `/api/leads/${lead_id}/touchpoints?limit=200`)).body.data

  return { api, token, send, stored, storedOf, submit, trail }
}
