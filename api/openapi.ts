import { z } from 'zod'
import { eventsOperation } from './events.ts'
import { permissions } from './permissions.ts'
import type { Parts, Route } from './route.ts'
import { ProblemShape } from './shapes.ts'
import { FILE_FIELD } from './upload.ts'
import { heldRecord, takesVersion } from './version-holders.ts'

/** One operation of the document, as the tests and the documentation page read it. */
export type Operation = {
  summary: string
  description?: string
  tags: string[]
  operationId: string
  'x-permission'?: string
  security?: object[]
  parameters?: object[]
  requestBody?: object
  responses: Record<string, object>
}

/** An OpenAPI 3.1 document. */
export type OpenApi = {
  openapi: string
  info: object
  servers: object[]
  security: object[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; securitySchemes: object }
}

/**
 * Writes the OpenAPI 3.1 document from the operations themselves.
 * @param readerAt what reads the record at an address, if anything does
 */
export const describeApi = (
  routes: readonly Route[],
  app_url: string,
  readerAt: Parts['readerAt'],
): OpenApi => {
  const schemas: Record<string, object> = {}
  shared(jsonSchema(ProblemShape, 'output'), schemas)
  const paths: OpenApi['paths'] = {}
  const add = (method: string, path: string, operation: Operation) => {
    const template = path.replaceAll(/:(\w+)/g, '{$1}')
    paths[template] = { ...paths[template], [method.toLowerCase()]: operation }
  }
  for (const { definition } of routes)
    add(definition.method, definition.path, operationOf(definition, schemas, readerAt))
  add('GET', eventsOperation.path, streamOperation)
  add('POST', '/intake/webhook/:token', webhookOperation)
  add('POST', '/intake/touch/:token', touchOperation)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Leadhand',
      version: '1',
      description:
        'Errors are `application/problem+json` (RFC 9457) with a stable `code`. Lists answer `{data, next_cursor}`. Every write accepts an `Idempotency-Key`: the same request under the same key happens once and gets the first answer, for 24 hours. Every write about a record that has a `version` takes it as `If-Match`: another version is 412 with the `current` record. Programs use `/external/v1`, whose addresses stay; it takes API keys only. An answer to a key says in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds until all of it is there again) how often it may still ask; beyond that it is 429 with `Retry-After`. All API processes count together, to within a hundredth of the limit; a batch counts as one request.',
    },
    servers: [{ url: app_url }],
    security: [{ api_key: [] }, { session: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        api_key: {
          type: 'http',
          scheme: 'bearer',
          description: `Scopes: ${permissions.join(', ')}, or * for all.`,
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'leadhand.session_token',
          description: 'POST /api/auth/sign-in/email',
        },
      },
    },
  }
}

type JsonSchema = {
  [key: string]: unknown
  properties?: Record<string, object>
  required?: string[]
  $defs?: Record<string, object>
}

const operationOf = (
  definition: Route['definition'],
  schemas: Record<string, object>,
  readerAt: Parts['readerAt'],
): Operation => {
  const { path, method, permission, params, query, versioned } = definition
  const body = definition.described_body ?? definition.body
  const status = String(definition.status ?? 200)
  const parameters = [
    ...parametersOf('path', params),
    ...parametersOf('query', query),
    ...(method === 'GET' ? [] : [IDEMPOTENCY_KEY]),
    ...ifMatchOf(definition, readerAt),
  ]
  const sent = takesBody(definition) && body ? bodyOf(body, Boolean(versioned)) : undefined
  return {
    summary: definition.summary,
    ...(definition.description ? { description: definition.description } : {}),
    tags: [definition.tag ?? path.split('/')[2] ?? 'api'],
    operationId: `${method.toLowerCase()}${path.replaceAll(/[/:-]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    ...(permission ? { 'x-permission': permission } : {}),
    ...(definition.keys_only ? { security: [{ api_key: [] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(sent
      ? {
          requestBody: {
            required: (sent.required ?? []).length > 0,
            content: {
              [definition.upload ? 'multipart/form-data' : 'application/json']: {
                schema: shared(definition.upload ? withFile(sent) : sent, schemas),
                ...exampleOf(definition),
              },
            },
          },
        }
      : {}),
    responses: {
      [status]: answerOf(definition, schemas),
      default: PROBLEM,
    },
  }
}

const answerOf = (
  { response, files = [], report }: Route['definition'],
  schemas: Record<string, object>,
): object => {
  const text = { schema: { type: 'string' } }
  const content = {
    ...(response ? { 'application/json': { schema: shared(jsonSchema(response, 'output'), schemas) } } : {}),
    ...(report ? { [CSV]: text } : {}),
    ...Object.fromEntries(files.map((type) => [type, type === CSV ? text : { schema: BYTES }])),
  }
  return Object.keys(content).length > 0
    ? { description: 'Done', content }
    : { description: 'Done; nothing to say' }
}

const CSV = 'text/csv'
const BYTES = { type: 'string', format: 'binary' }

const exampleOf = ({ example, upload }: Route['definition']): { example?: unknown } => {
  if (example === undefined) return {}
  return { example: upload ? { ...(example as object), [FILE_FIELD]: 'What the file holds' } : example }
}

/** A form: its fields, and the file. */
const withFile = (fields: JsonSchema): JsonSchema => ({
  ...fields,
  properties: { ...fields.properties, [FILE_FIELD]: BYTES },
  required: [...(fields.required ?? []), FILE_FIELD],
})

const PROBLEM = {
  description: 'A refusal: what was wrong, where, and what would be accepted',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

const IDEMPOTENCY_KEY = {
  in: 'header',
  name: 'Idempotency-Key',
  required: false,
  schema: { type: 'string', maxLength: 255 },
}

/** The header, wherever it counts. */
const ifMatchOf = (definition: Route['definition'], readerAt: Parts['readerAt']): object[] => {
  if (!takesVersion(definition) && !heldRecord(definition, readerAt)) return []
  const description = definition.versioned
    ? 'Instead of `version`.'
    : 'The ETag of what you read: with another version it is 412 with the `current` one, and nothing is done.'
  return [{ in: 'header', name: 'If-Match', required: false, schema: { type: 'string' }, description }]
}

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const described: Record<string, unknown> = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // The format says it already, and shorter.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern
      // Members may be added to what is answered.
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  delete described['$schema']
  return described
}

/** Moves named shapes to the document's components. */
const shared = (schema: JsonSchema, schemas: Record<string, object>): object => {
  const { $defs, ...own } = schema
  for (const [name, shape] of Object.entries($defs ?? {})) schemas[name] ??= relinked(shape)
  return relinked(own)
}

const relinked = (schema: object): object => {
  const text = JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')
  const linked: Record<string, unknown> = JSON.parse(text)
  delete linked['id']
  return linked
}

const parametersOf = (where: 'path' | 'query', schema: z.ZodObject | undefined): object[] => {
  if (!schema) return []
  const { properties = {}, required = [] } = jsonSchema(schema, 'input')
  return Object.entries(properties).map(([name, property]) => ({
    in: where,
    name,
    required: where === 'path' || required.includes(name),
    schema: Object.keys(property).length > 0 ? property : { type: 'string' },
  }))
}

/** Those that delete take one only where there is something to say. */
const takesBody = ({ method, body }: Route['definition']): boolean =>
  method === 'DELETE'
    ? body instanceof z.ZodObject && Object.keys(body.shape).length > 0
    : method !== 'GET' && body !== undefined

const bodyOf = (body: z.ZodType, versioned: boolean): JsonSchema => {
  const schema = jsonSchema(body, 'input')
  return versioned
    ? { ...schema, properties: { version: { type: 'integer' }, ...schema.properties } }
    : schema
}

const streamOperation: Operation = {
  summary: eventsOperation.summary,
  description: eventsOperation.description,
  tags: ['events'],
  operationId: 'getApiEvents',
  'x-permission': eventsOperation.permission,
  parameters: [
    { in: 'header', name: 'Last-Event-ID', required: false, schema: { type: 'integer' } },
    { in: 'query', name: 'last_event_id', required: false, schema: { type: 'integer' } },
  ],
  responses: {
    '200': { description: 'The stream', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    default: PROBLEM,
  },
}

const STORED = jsonSchema(z.object({ submission_id: z.uuid() }), 'output')

const webhookOperation: Operation = {
  summary: 'Post a lead',
  description:
    'JSON or a form, up to 1 MB. Takes `name company email phone website title message city state country source campaign landing_page external_id` and keeps everything else. A delivery id (`webhook-id` or `Idempotency-Key`) makes repetitions safe: they answer 200 with the first answer, a refusal included. 422 when neither name, e-mail nor phone is in it; it is kept as rejected.',
  tags: ['intake'],
  operationId: 'postIntakeWebhook',
  security: [{}],
  parameters: [
    { in: 'path', name: 'token', required: true, schema: { type: 'string' } },
    { in: 'header', name: 'webhook-id', required: false, schema: { type: 'string', maxLength: 200 } },
    { in: 'header', name: 'webhook-timestamp', required: false, schema: { type: 'string' } },
    { in: 'header', name: 'webhook-signature', required: false, schema: { type: 'string' } },
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: { type: 'object' },
        example: {
          name: 'Ana Ruiz',
          company: 'Brightside',
          email: 'ana@brightside.example',
          message: 'What does it cost for 40 seats?',
        },
      },
      'application/x-www-form-urlencoded': { schema: { type: 'object' } },
    },
  },
  responses: {
    '202': {
      description: 'Stored; it becomes a lead in a moment',
      content: { 'application/json': { schema: STORED } },
    },
    '200': {
      description: 'Delivered before: the first answer, which may have been a refusal',
      content: {
        'application/json': { schema: { anyOf: [STORED, { $ref: '#/components/schemas/Problem' }] } },
      },
    },
    default: PROBLEM,
  },
}

const touchOperation: Operation = {
  summary: 'Tell of a visit',
  description:
    'What `/touch.js` sends: JSON (also as `text/plain`, as a beacon sends it), up to 16 kB. Without `consent: true` nothing is kept, nor of robots or of browsers with Global Privacy Control or Do Not Track; the answer is 202 with `recorded: false` and the reason. Of addresses, origin and path are kept; `utm_…` and the marks of advertisers are read from `page` where they are not given. Texts that are too long are cut. A form that carries the visitor’s id as `leadhand_visitor` joins the visits to its lead. On a website: put the source’s `snippet` into every page, and let the consent banner call `leadhand.consent(true)` or `leadhand.consent(false)`; a script that is only loaded after consent says so with `data-consent="granted"`. Forms that post get the hidden field by themselves; others read `leadhand.visitor()`.',
  tags: ['intake'],
  operationId: 'postIntakeTouch',
  security: [{}],
  parameters: [{ in: 'path', name: 'token', required: true, schema: { type: 'string' } }],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: jsonSchema(
          z.looseObject({
            consent: z.boolean(),
            visitor_id: z.string().min(8).max(64),
            id: z.string().max(100).optional().describe('What comes twice under it is one.'),
            page: z.string().optional(),
            referrer: z.string().optional(),
            occurred_at: z.iso.datetime().optional(),
          }),
          'input',
        ),
        example: {
          consent: true,
          visitor_id: '5f0c6d0e9b1a4c55',
          page: 'https://brightside.example/espresso?utm_source=newsletter&utm_campaign=spring',
          referrer: '',
        },
      },
    },
  },
  responses: {
    '202': {
      description: 'Taken in',
      content: {
        'application/json': {
          schema: jsonSchema(
            z.object({
              recorded: z.boolean(),
              reason: z.enum(['no_consent', 'do_not_track', 'robot', 'too_many']).optional(),
            }),
            'output',
          ),
        },
      },
    },
    default: PROBLEM,
  },
}
