import type { OpenApi } from '../api/openapi.ts'
import type { ApiWorld } from './api.ts'
import type { Furnished } from './furnished.ts'

/** One operation of the OpenAPI document, as a test asks it. */
export type Described = {
  /** `POST /api/leads/{id}/work` */
  name: string
  method: string
  path: string
  example: any
  /** JSON schema of the body, where it takes one. */
  body: any
  /** Whether its body is a form with a file in it. */
  is_form: boolean
  /** Names of what the address may ask beside the path, and which of them it must. */
  query: string[]
  required: string[]
  response: any
  status: number
  /** The media types of what is answered when it is done. */
  answers: string[]
  /** Whether its body asks for a version, or If-Match instead of it. */
  versioned: boolean
  /** Whether If-Match counts. */
  if_match: boolean
}

/** What the running app says of itself. */
export const operationsOf = async (api: ApiWorld): Promise<Described[]> => {
  const document = (await (await api.app.request('/openapi.json')).json()) as OpenApi
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]: [string, any]) => {
      const [status = '200'] = Object.keys(operation.responses)
      const { 'application/json': json, 'multipart/form-data': form } = operation.requestBody?.content ?? {}
      const content = json ?? form
      const parameters: any[] = operation.parameters ?? []
      const query = parameters.filter((parameter) => parameter.in === 'query')
      const if_match = parameters.find((parameter) => parameter.name === 'If-Match')
      return {
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        example: content?.example,
        body: content?.schema && inlined(content.schema, document),
        is_form: json === undefined && form !== undefined,
        query: query.map(({ name }) => name),
        required: query.filter(({ required }) => required).map(({ name }) => name),
        response: operation.responses[status]?.content?.['application/json']?.schema,
        status: Number(status),
        answers: Object.keys(operation.responses[status]?.content ?? {}),
        versioned: if_match?.description === 'Instead of `version`.',
        if_match: if_match !== undefined,
      }
    }),
  )
}

/** Whether it changes something, and is no door of websites. */
export const isWrite = ({ method, path }: Described): boolean =>
  method !== 'GET' && !path.startsWith('/intake/')

/** Whether it answers JSON to who has a key. */
export const isRead = ({ method, path }: Described): boolean => method === 'GET' && path !== '/api/events'

/** An id that is nobody's; in an example it stands for one that has to be put there. */
export const NOBODYS = '01990000-0000-7000-8000-000000000000'

/** The path with something in the place of each parameter: an id that is nobody's, unless told otherwise. */
export const pathOf = (path: string, values: Record<string, string> = {}): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? NOBODYS)

/** The path and the body of an operation with real ids in them: what is asked works. */
export const placed = (
  operation: Described,
  made: Furnished,
  more: Record<string, string> = {},
): { path: string; body: any } => {
  const path = pathOf(operation.path, { ...valuesOf(operation, made), ...more })
  const query = operation.required.map((name) => `${name}=${QUERY[name] ?? idNamed(name, made, operation)}`)
  return {
    path: query.length > 0 ? `${path}?${query.join('&')}` : path,
    body: withIds(operation.example, operation, made),
  }
}

/** One place in a body, and what the document says of it. */
export type Place = { steps: string[]; schema: any }

/** Every place in a body: `subjects/0/id`; `*` is any name. */
export const placesOf = (schema: any, steps: string[] = []): Place[] => {
  if (typeof schema !== 'object' || schema === null || steps.length > 8) return []
  const { properties = {}, items, additionalProperties: others, anyOf = [], oneOf = [], allOf = [] } = schema
  const within = [
    ...Object.entries(properties).map(([name, one]) => placesOf(one, [...steps, name])),
    ...(items ? [placesOf(items, [...steps, '0'])] : []),
    ...(typeof others === 'object' ? [placesOf(others, [...steps, '*'])] : []),
    ...[...anyOf, ...oneOf, ...allOf].map((one: any) => placesOf(one, steps)),
  ].flat()
  return steps.length > 0 ? [{ steps, schema }, ...within] : within
}

/** A body with a value at a place. */
export const setAt = (body: any, [step = '', ...rest]: string[], value: unknown): any => {
  const inner = rest.length === 0 ? value : setAt(step === '0' ? body?.[0] : body?.[step], rest, value)
  return step === '0' ? [inner] : { ...body, [step]: inner }
}

/** A request as it goes out: JSON, or a form with a small file. */
export const requestOf = (
  { method, path, is_form }: Described,
  body: any,
  headers: Record<string, string> = {},
): RequestInit => {
  if (method === 'GET' || body === undefined) return { method, headers }
  if (!is_form)
    return {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    }
  const form = new FormData()
  // As OpenAPI 3.1 has it: what is no text goes as JSON.
  for (const [name, value] of Object.entries(body))
    form.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  form.set('file', isTable(path) ? TABLE : new File(['Offer for 40 seats'], 'offer.txt'))
  return { method, headers, body: form }
}

const isTable = (path: string): boolean => path === '/api/imports'
const TABLE = new File(['Name,E-mail\nFay Dunn,fay@holt.example\n'], 'leads.csv')

/** What stands in a path, by the name of its place. */
export const valuesOf = (operation: Described, made: Furnished): Record<string, string> =>
  Object.fromEntries(
    [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [
      name,
      name === 'id' ? made[kindIn(operation, made)] : (PLACES[name] ?? idNamed(name, made, operation)),
    ]),
  )

/** What the id in an operation's path is the id of. Whoever adds a noun furnishes one. */
export const kindIn = ({ name, path }: Described, made: Furnished): keyof Furnished => {
  const [noun = ''] = path.replace(/^\/(?:api|external\/v1)\//, '').split('/')
  const kind = OF_OPERATION[name] ?? NOUNS[noun] ?? ''
  if (kind in made) return kind as keyof Furnished
  throw new Error(`${name}: say in test/operations.ts what “${noun}” is, and furnish one`)
}

const NOUNS: Record<string, string> = {
  leads: 'lead',
  deals: 'deal',
  accounts: 'account',
  contacts: 'contact',
  opportunities: 'lead',
  pipelines: 'pipeline',
  'discard-reasons': 'discard_reason',
  campaigns: 'campaign',
  approvals: 'approval',
  runs: 'run',
  failures: 'failed_run',
  'intake-sources': 'source',
  submissions: 'submission',
  messages: 'message',
  'api-keys': 'api_key',
  notes: 'note',
  tasks: 'task',
  activities: 'activity',
  files: 'file',
  bulk: 'bulk',
  fields: 'field',
  views: 'view',
  imports: 'import',
  'import-mappings': 'import_mapping',
  'score-formulas': 'score_formula',
  members: 'user',
  'routing-rules': 'routing_rule',
  'routing-pools': 'routing_pool',
}

/** Where one in another state is wanted. */
const OF_OPERATION: Record<string, string> = {
  'GET /api/opportunities/{id}/reopen': 'closed_lead',
  'POST /api/opportunities/{id}/reopen': 'closed_lead',
  'GET /api/opportunities/{id}/closings': 'closed_lead',
  'POST /api/runs/{id}/retry': 'failed_run',
  'POST /api/score-formulas/{id}/recompute': 'active_formula',
  'POST /api/score-formulas/{id}/recompute/cancel': 'active_formula',
  'POST /api/runs/{id}/undo': 'failed_run',
  'POST /api/imports/{id}/survey': 'waiting_import',
  'POST /api/imports/{id}/dry-run': 'waiting_import',
  'POST /api/imports/{id}/run': 'waiting_import',
  'POST /api/approvals/{id}/restore': 'rejected',
  'PATCH /api/activities/{id}': 'entry',
  'DELETE /api/activities/{id}': 'entry',
  'PATCH /external/v1/activities/{id}': 'entry',
}

const PLACES: Record<string, string> = {
  name: 'lead_worker',
  agent: 'lead_worker',
  tool: 'add_note',
  currency: 'USD',
  key: 'view',
  external_id: 'erp-4711',
  email: 'gone@brightside.example',
  token: 'nobodys',
}

const QUERY: Record<string, string> = { q: 'Ana', kind: 'lead' }

export const IDS: Record<string, keyof Furnished> = {
  stage_id: 'stage',
  pipeline_id: 'pipeline',
  owner_id: 'user',
  user_id: 'user',
  contact_id: 'contact',
  account_id: 'account',
  lead_id: 'lead',
  view_id: 'view',
  duplicate_id: 'duplicate',
  discard_reason_id: 'discard_reason',
  target_pipeline_id: 'pipeline',
  target_stage_id: 'stage',
  rule_id: 'routing_rule',
  pool_id: 'routing_pool',
  campaign_id: 'campaign',
  time_off_id: 'time_off',
}

const idNamed = (name: string, made: Furnished, { name: operation }: Described): string => {
  const kind = IDS[name.replace(/_ids$/, '_id')]
  if (kind) return made[kind]
  throw new Error(`${operation}: say in test/operations.ts which id belongs into “${name}”`)
}

const withIds = (value: any, operation: Described, made: Furnished, place = '', around: any = {}): any => {
  if (value === NOBODYS) {
    if (place === 'id' && around.kind in made) return made[around.kind as keyof Furnished]
    if (place === 'subject_id') return made[around.subject_kind as keyof Furnished]
    if (place === 'ids') return made[around.kind as keyof Furnished]
    if (place === 'before_id' || place === 'after_id') return made[kindIn(operation, made)]
    return idNamed(place, made, operation)
  }
  if (Array.isArray(value)) return value.map((item) => withIds(item, operation, made, place, around))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withIds(member, operation, made, name, value)]),
  )
}

/** A schema without references into the document; a shape that holds itself is open where it begins again. */
const inlined = (schema: any, document: OpenApi, open: readonly string[] = []): any => {
  if (Array.isArray(schema)) return schema.map((item) => inlined(item, document, open))
  if (typeof schema !== 'object' || schema === null) return schema
  const name = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref)?.[1]
  if (name !== undefined)
    return open.includes(name) ? {} : inlined(document.components.schemas[name], document, [...open, name])
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, inlined(value, document, open)]),
  )
}
