import postgres from 'postgres'
import { createApiKey, type Role } from '../db/identity.ts'
import { openApi, type ApiWorld } from './api.ts'
import { furnish, type Furnished } from './furnished.ts'
import { operationsOf, placed, requestOf, type Described } from './operations.ts'
import { openRows, type Rows } from './rows.ts'

/** The whole HTTP surface, with what it says of itself, and the owner's look behind it. */
export type Surface = {
  api: ApiWorld
  operations: Described[]
  owner: postgres.Sql
  rowsOf: (organization_id: string) => Promise<Rows>
  stop(): Promise<void>
}

/** Opens the surface over a fresh world. */
export const openSurface = async (): Promise<Surface> => {
  const api = await openApi()
  const owner = postgres(api.owner_url, { max: 4 })
  return {
    api,
    operations: await operationsOf(api),
    owner,
    rowsOf: await openRows(owner),
    stop: async () => {
      await owner.end()
      await api.stop()
    },
  }
}

/** An answer, read. */
export type Answer = { status: number; headers: Headers; body: any }

/** An organization with one of everything, asked by keys. */
export type Tenant = {
  organization_id: string
  made: Furnished
  /** The owner's. */
  key: string
  keyFor(role: Role): Promise<string>
  ask(operation: Described, path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  /**
   * Brings an organization to where the operation works, and says how it is asked then.
   * @param version what the record is at, where the operation wants to know
   */
  ready(operation: Described): Promise<{ path: string; body: any; version: number | undefined }>
}

/** Opens one more organization of a world; of the one operation that it is asked, where `path` says so. */
export const openTenant = async ({ api, owner }: Surface, path?: string): Promise<Tenant> => {
  const { ctx, owner: member } = await api.other()
  const made = await furnish(ctx, member.user_id, path)
  const { key } = await createApiKey(ctx, { name: 'Owner’s', scopes: ['*'], user_id: member.user_id })

  const ask: Tenant['ask'] = async (operation, path, body, headers = {}) => {
    const response = await api.app.request(
      path,
      requestOf(operation, body, { authorization: `Bearer ${key}`, ...headers }),
    )
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text,
    }
  }
  const first = async (method: string, path: string, body: unknown): Promise<any> => {
    const headers = { authorization: `Bearer ${key}` }
    const answer = await api.json(method, path, body, headers)
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  return {
    organization_id: ctx.organization_id,
    made,
    key,
    keyFor: (role) => api.keyFor(role, ctx),
    ask,
    ready: async (operation) => {
      const instead = await BEFORE[operation.name]?.({ made, first, owner })
      const { path, body } = { ...placed(operation, { ...made, ...instead?.ids }), ...instead?.asked }
      // What is brought back was taken away.
      if (!instead && path.endsWith('/restore'))
        await first('DELETE', path.replace(/\/restore$/, ''), undefined)
      if (!operation.versioned) return { path, body, version: undefined }
      const { version: never_changed, ...sent } = body
      const read = await api.json('GET', path, undefined, { authorization: `Bearer ${key}` })
      return { path, body: sent, version: read.status === 200 ? read.body.version : never_changed }
    },
  }
}

/** Several at a time, for work that waits for the database. */
export const each = async <T>(among: readonly T[], work: (one: T) => Promise<void>): Promise<void> => {
  const waiting = [...among]
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      // One after another in each of four lines.
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) await work(one)
    }),
  )
}

type Before = {
  made: Furnished
  first: (method: string, path: string, body?: unknown) => Promise<any>
  owner: postgres.Sql
}

/** Ids that stand for furnished ones, and a body that stands for the example. */
type Instead = { ids?: Partial<Furnished>; asked?: { body: object } }

const link =
  (held: 'account' | 'contact', holder: (made: Furnished) => string) =>
  async ({ made, first }: Before): Promise<Instead> => {
    const { id } = await first('POST', `/api/${held}s`, { name: 'Another' })
    await first('POST', `/api/${holder(made)}/${held}s`, { [`${held}_id`]: made[held] }).catch(() => {})
    await first('POST', `/api/${holder(made)}/${held}s`, { [`${held}_id`]: id })
    return { ids: { [held]: id } }
  }

/** Nobody is put on a lead twice. */
const cancelRun = ({ made, first }: Before): Promise<void> => first('POST', `/api/runs/${made.run}/cancel`)

const ofCard = (made: Furnished): string => `opportunities/${made.lead}`

/** What has to be done before an operation works. */
const BEFORE: Record<string, (before: Before) => Promise<Instead | void>> = {
  'DELETE /api/pipelines/{id}': async ({ first }) => ({
    ids: { pipeline: (await first('POST', '/api/pipelines', { template: 'sales', name: 'Partners' })).id },
  }),
  'POST /api/pipelines/{id}/restore': async ({ first }) => {
    const { id } = await first('POST', '/api/pipelines', { template: 'sales', name: 'Partners' })
    await first('DELETE', `/api/pipelines/${id}`)
    return { ids: { pipeline: id } }
  },
  'PATCH /api/opportunities/{id}/accounts/{account_id}': link('account', ofCard),
  'DELETE /api/opportunities/{id}/accounts/{account_id}': link('account', ofCard),
  'PATCH /api/opportunities/{id}/contacts/{contact_id}': link('contact', ofCard),
  'DELETE /api/opportunities/{id}/contacts/{contact_id}': link('contact', ofCard),
  'PATCH /api/contacts/{id}/accounts/{account_id}': link('account', ({ contact }) => `contacts/${contact}`),
  // Somebody’s only company is the primary one.
  'PATCH /api/accounts/{id}/contacts/{contact_id}': () =>
    Promise.resolve({ asked: { body: { role: 'Buyer' } } }),
  'POST /api/leads/duplicates/dismiss': ({ made }) =>
    Promise.resolve({ asked: { body: { lead_ids: [made.lead, made.duplicate] } } }),
  'POST /api/leads/duplicates/restore': async ({ made, first }) => {
    const body = { lead_ids: [made.lead, made.duplicate] }
    await first('POST', '/api/leads/duplicates/dismiss', body)
    return { asked: { body } }
  },
  'POST /api/leads/{id}/unmerge': async ({ made, first }) => {
    await first('POST', `/api/leads/${made.lead}/merge`, { duplicate_id: made.duplicate })
  },
  'POST /api/leads/{id}/convert/reverse': async ({ made, first }) => {
    await first('POST', `/api/leads/${made.lead}/convert`, {})
  },
  'POST /api/imports/{id}/cancel': async ({ made, first }) => {
    const request = { mapping: { Name: 'contact_name' }, mode: 'skip' }
    await first('POST', `/api/imports/${made.waiting_import}/run`, request)
    return { ids: { import: made.waiting_import } }
  },
  'POST /api/leads/{id}/enrich': cancelRun,
  'POST /api/leads/{id}/suggest': cancelRun,
  'POST /api/leads/{id}/work': cancelRun,
  // What it rests on is changed.
  'POST /api/approvals/{id}/reread': async ({ made, first }) => {
    const { version } = await first('GET', `/api/leads/${made.lead}`)
    await first('PATCH', `/api/leads/${made.lead}`, { version, email: 'another@brightside.example' })
  },
  'POST /api/approvals/{id}/resolve': async ({ made, owner }) => {
    await owner`update approvals set status = 'outcome_unknown' where id = ${made.approval}`
  },
  'POST /api/approvals/{id}/restore': async ({ made, first }) => {
    await first('POST', `/api/approvals/${made.approval}/reject`, { reason_code: 'other', reason: 'Not now' })
    return { ids: { rejected: made.approval } }
  },
  'POST /api/bulk/{id}/cancel': async ({ made, first }) => {
    const act = { kind: 'lead', ids: [made.lead], act: 'add_tags', input: { tags: ['x'] } }
    return { ids: { bulk: (await first('POST', '/api/bulk', act)).id } }
  },
  'POST /api/fields/{id}/move': async ({ first }) => {
    const { id } = await first('POST', '/api/fields', {
      record_kind: 'lead',
      label: 'Tier',
      type: 'short_text',
    })
    return { asked: { body: { after_id: id } } }
  },
  'POST /api/tasks/{id}/reopen': ({ made, first }) => first('POST', `/api/tasks/${made.task}/complete`),
  'POST /api/submissions/{id}/retry': async ({ made, owner }) => {
    await owner`update submissions set status = 'needs_attention' where id = ${made.submission}`
  },
}
