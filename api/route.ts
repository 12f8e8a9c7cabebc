import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import type { Database } from '../db/client.ts'
import { type Ctx, inTx, type TxCtx } from '../db/context.ts'
import { hashRequest, writeOnce, type Answer } from '../db/idempotency.ts'
import { DomainError, placeMissing } from '../db/errors.ts'
import type { Filter } from '../db/filters.ts'
import type { Outside } from '../tools/tool.ts'
import { answerCsv, wantsCsv } from './csv.ts'
import { BODY_LIMIT, isStorable, parseStorableJson, readBody } from './body.ts'
import type { Feed } from './event-feed.ts'
import type { Doors } from './intake/doors.ts'
import type { Permission } from './permissions.ts'
import { requireKey, requirePermission, type Authenticate, type Principal } from './principal.ts'
import { ctxOf, requireLinked, requireLinks } from './record-permissions.ts'
import { answerProblem, invalidInput, nothingHere, Problem } from './problem.ts'
import { receiveUpload, type Upload } from './upload.ts'
import { heldRecord, takesVersion } from './version-holders.ts'
import { ifMatch, recordAddress, requireCurrent, splitVersion } from './versions.ts'

/** What every route can reach. */
export type Parts = {
  db: Database
  outside: Outside
  /** Where people open Leadhand. */
  app_url: string
  /** The model that agents think with unless an organization chose another. */
  model: string
  authenticate: Authenticate
  doors: Doors
  feed: Feed
  /** Of one uploaded file. */
  max_upload_bytes: number
  /** What reads the record at an address, if anything does. */
  readerAt: (path: string) => Route | undefined
}

/** One request that was let in and understood. */
export type Call<Params, Query, Body> = Parts & {
  ctx: Ctx
  principal: Principal
  params: Params
  query: Query
  body: Body
  /** The version that a change was made upon, where one was sent. */
  version: number | undefined
  request: Request
  /** Under which its refusals are noted. */
  request_id: string
  /** The file that was sent, where the operation takes one; it is gone when the answer is made. */
  upload?: Upload | undefined
}

/** Everything there is to say about an operation, once: checks, OpenAPI document and documentation are made from it. */
export type Definition<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With `:name` for parameters. */
  path: string
  /** Absent: everybody who is signed in. */
  permission?: Permission
  summary: string
  description?: string
  params?: Params
  query?: Query
  body?: Body
  /** What is said of the body, where more of it is checked than `body` says. */
  described_body?: z.ZodType
  /** A body that works, for the documentation. */
  example?: unknown
  /** What is answered; absent: nothing. */
  response?: z.ZodType
  status?: 200 | 201 | 202 | 204
  /** The media types of what is answered, where it is a file instead of JSON. */
  files?: readonly string[]
  /** The answer is a report: whoever asks for `text/csv` gets its rows as a file. */
  report?: boolean
  /** The change must name the version it was made upon, as `version` or `If-Match`; `optional`: it may. */
  versioned?: boolean | 'optional'
  /** It holds to If-Match by itself what its address names without an id. */
  if_match?: boolean
  /** For programs: a session is refused. */
  keys_only?: boolean
  /** Under which heading it is documented; the noun of its path unless told otherwise. */
  tag?: string
  /** Bytes of a body, where more than usual is taken. */
  body_limit?: number
  /** The body is a form with a file in it; `body` is about its other fields. */
  upload?: boolean
  /** Refusals that leave something behind that is right, such as a proposal that was found to be stale. */
  keeps?: readonly string[]
}

/** What was made, of its answer. */
export type Made = { id: string; version: number }

/** An operation, ready to be served. */
export type Route = {
  definition: Definition<z.ZodObject, z.ZodObject, z.ZodType>
  /** Answers a request whose principal is known. */
  answer(
    parts: Parts,
    principal: Principal,
    request: Request,
    params: Record<string, string>,
    request_id: string,
  ): Promise<Response>
  /** The same operation at another address, with what is different there. */
  at(path: string, differences?: Differences): Route
  /**
   * Carries the operation out as a part of another one, in the transaction that `call.ctx` has open.
   * @throws what it refuses
   */
  perform(call: Performing, params: Record<string, string>, body: unknown): Promise<unknown>
  /**
   * The same in two steps: what was sent is understood before anything is asked of the database.
   * @throws {Problem} what is wrong with it
   */
  prepare(params: Record<string, string>, body: unknown): (call: Performing) => Promise<unknown>
  /** The same for several at once, all of them or none, where that is another way than one after the other. */
  together?: {
    /** @throws {Problem} what is wrong with one of them */
    read: (body: unknown) => unknown
    make: (call: Performing, read: readonly unknown[]) => Promise<readonly Made[]>
  }
}

/** What an operation may have of its own at a second address; what it does is the same. */
export type Differences = Partial<
  Pick<
    Definition<z.ZodObject, z.ZodObject, z.ZodType>,
    'summary' | 'description' | 'example' | 'versioned' | 'keys_only' | 'tag'
  >
>

/** What an operation knows of the one that carries it out. */
export type Performing = Omit<Call<unknown, unknown, unknown>, 'params' | 'query' | 'body' | 'version'>

/**
 * Declares an operation. Its three moves: validate, one call, answer.
 * @param together makes several at once, all of them or none, as one after the other would be made; answers them in their order
 */
export const route = <
  Params extends z.ZodObject = typeof Nothing,
  Query extends z.ZodObject = typeof Nothing,
  Body extends z.ZodType = typeof Nothing,
>(
  definition: Definition<Params, Query, Body>,
  handle: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>>) => Promise<unknown>,
  together?: (call: Performing, bodies: readonly z.output<Body>[]) => Promise<readonly Made[]>,
): Route => {
  // The schemas that were not given are the empty ones that their type parameters default to.
  const params = (definition.params ?? Nothing) as Params
  const query = (definition.query ?? Nothing).strict() as unknown as Query
  const body = strict(definition.body ?? Nothing) as Body
  const { permission, method, versioned, keys_only = false, body_limit = BODY_LIMIT, keeps = [] } = definition
  const { report = false } = definition
  const writes = method !== 'GET'
  const paramsOf = (given: Record<string, string>) => {
    const found = params.safeParse(given)
    if (!found.success || !Object.values(given).every(isStorable)) throw nothingHere()
    return found.data
  }
  const understand = (sent: unknown, request?: Request) => {
    const { value, version } = splitVersion(
      sent,
      { versioned, named: namesOf(body).includes('version') },
      request,
    )
    return { body: parse(body, value, namesOf(body)), version }
  }

  /** What holds the record to the version of If-Match, where nothing else does. */
  const holding = (request: Request, { id }: Record<string, string>, { readerAt }: Parts) => {
    const own = takesVersion(definition) || recordAddress(definition.path) === undefined
    const version = own ? undefined : ifMatch(request)
    const held = version === undefined ? undefined : heldRecord(definition, readerAt)
    if (!held || version === undefined || id === undefined) return undefined
    return (ctx: TxCtx, call: Performing) =>
      requireCurrent(ctx, { path: held.address, id, version }, (ctx) =>
        held.reader.perform({ ...call, ctx }, { id }, {}),
      )
  }

  const carryOut = async (
    call: Call<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): Promise<unknown> => {
    requireLinked(call.principal, call.body)
    try {
      return await handle(call)
    } catch (error) {
      // What the address names is not there: the address is wrong, not the body.
      if (!Object.values(call.params).includes((error as DomainError).missing)) placeMissing(error, call.body)
      throw error
    }
  }

  const prepare: Route['prepare'] = (given, sent) => {
    const asked = { params: paramsOf(given), query: parse(query, {}, []), ...understand(sent) }
    return (call) => carryOut({ ...call, ...asked })
  }

  return {
    definition: { ...definition, params, query, body },
    ...(together
      ? {
          together: {
            read: (sent: unknown) => understand(sent).body,
            make: (call: Performing, read: readonly unknown[]) => {
              for (const one of read) requireLinked(call.principal, one)
              return together(call, read as z.output<Body>[])
            },
          },
        }
      : {}),
    at: (path, differences = {}) => route({ ...definition, ...differences, path }, handle, together),
    perform: async (call, given, sent) => prepare(given, sent)(call),
    prepare,
    answer: async (parts, principal, request, given, request_id) => {
      if (keys_only) requireKey(principal)
      if (permission) requirePermission(principal, permission)
      const found = paramsOf(given)
      const url = new URL(request.url)
      const asked = parse(query, searchOf(url), Object.keys(query.shape))
      // One type for every list: whatever takes a filter takes one of the filter language.
      requireLinks(principal, (asked as { filter?: Filter }).filter)
      const received = definition.upload ? await receiveUpload(request, parts.max_upload_bytes) : undefined
      const reply = async (): Promise<Response> => {
        const bytes = received?.identity ?? (writes ? await readBody(request, body_limit) : new Uint8Array())
        const value = received?.fields ?? (method === 'DELETE' && !definition.body ? {} : jsonOf(bytes))
        // What is large was held up long enough: others first.
        if (bytes.length > LARGE_BODY) await setImmediate()
        const sent = understand(value, request)
        const calling = { ...parts, principal, upload: received?.upload, request, request_id }
        const hold = writes ? holding(request, given, parts) : undefined
        const act = (ctx: Ctx): Promise<unknown> =>
          carryOut({ ...calling, ctx, params: found, query: asked, ...sent })
        const respond = async (ctx: Ctx): Promise<Response> => {
          const data = hold
            ? await inTx(ctx, async (ctx) => {
                await hold(ctx, { ...calling, ctx })
                return act(ctx)
              })
            : await act(ctx)
          // One that has many rows streams them itself.
          return report && wantsCsv(request) && !(data instanceof Response)
            ? answerCsv(`${url.pathname.split('/').slice(2).join('-')}.csv`, data)
            : respondWith(definition.status ?? 200, data)
        }
        const ctx = ctxOf(parts.db, principal)
        const key = writes ? idempotencyKey(request) : undefined
        if (key === undefined) return respond(ctx)
        const request_hash = hashRequest(
          method,
          `${url.pathname}${url.search}`,
          request.headers.get('if-match') ?? '',
          bytes,
        )
        const { replayed, ...answer } = await writeOnce(ctx, { key, request_hash }, (ctx) =>
          answerToKeep(() => respond(ctx), keeps, request_id),
        )
        return fromAnswer(answer, replayed)
      }
      try {
        return await reply()
      } finally {
        await received?.discard()
      }
    },
  }
}

/** The members that the body of an operation may have, as it is documented. */
export const bodyOf = ({ definition: { body, described_body } }: Route): z.ZodObject => {
  const shown = described_body ?? body
  return shown instanceof z.ZodObject ? shown : Nothing
}

/** One of a noun's operations, to be built upon. */
export const operationAt = (
  among: readonly Route[],
  method: Route['definition']['method'],
  path: string,
): Route => {
  const found = among.find(({ definition }) => definition.method === method && definition.path === path)
  if (!found) throw new Error(`there is no ${method} ${path} to build upon`)
  return found
}

/** No members at all. */
export const Nothing = z.object({})

/** The id in a path; anything else is at no address. */
export const ById = z.object({ id: z.uuid() })

/** How many records of a list at a time. */
export const Limit = z.coerce
  .number('a number from 1 to 200')
  .int()
  .min(1, 'at least 1')
  .max(200, 'at most 200')
  .default(50)

/** A page of a list that is in order of ids. */
export const Paged = z.object({
  limit: Limit,
  cursor: z.uuid('not a cursor of this list; start again without it').optional(),
})

/** Bytes. */
const LARGE_BODY = 100_000

const MAX_KEY = 255

const idempotencyKey = (request: Request): string | undefined => {
  const key = request.headers.get('idempotency-key')
  if (key === null) return undefined
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new Problem(
    400,
    'invalid_idempotency_key',
    `An Idempotency-Key has 1 to ${MAX_KEY} visible ASCII characters.`,
  )
}

const answerToKeep = async (
  respond: () => Promise<Response>,
  keeps: readonly string[],
  request_id: string,
): Promise<{ answer: Answer; keep: 'all' | 'answer' }> => {
  try {
    return { answer: await asAnswer(await respond()), keep: 'all' }
  } catch (error) {
    const refusal = answerProblem(error, request_id)
    if (refusal.status >= 500) throw error
    const kept = error instanceof DomainError && keeps.includes(error.code)
    return { answer: await asAnswer(refusal), keep: kept ? 'all' : 'answer' }
  }
}

const asAnswer = async (response: Response): Promise<Answer> => ({
  status: response.status,
  body: await response.text(),
  content_type: response.headers.get('content-type') ?? 'application/json',
})

const fromAnswer = ({ status, body, content_type }: Answer, replayed: boolean): Response => {
  const headers = { ...NOT_CACHED, ...(replayed ? { 'idempotency-replayed': 'true' } : {}) }
  if (status === 204) return new Response(null, { status, headers })
  const etag = status < 300 && content_type === JSON_TYPE ? etagOf(JSON.parse(body)) : {}
  return new Response(body, { status, headers: { 'content-type': content_type, ...headers, ...etag } })
}

const respondWith = (status: number, data: unknown): Response => {
  if (data instanceof Response) return data
  if (data === undefined) return new Response(null, { status: 204, headers: NOT_CACHED })
  return new Response(JSON.stringify(data), {
    status,
    headers: { 'content-type': JSON_TYPE, ...NOT_CACHED, ...etagOf(data) },
  })
}

/** A record's version is its ETag. */
const etagOf = (data: unknown): { etag?: string } => {
  const version =
    typeof data === 'object' && data !== null && 'version' in data ? Number(data.version) : Number.NaN
  return Number.isInteger(version) ? { etag: `"${version}"` } : {}
}

const JSON_TYPE = 'application/json'
const NOT_CACHED = { 'cache-control': 'no-store' }

const parse = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  accepted: readonly string[],
): z.output<Schema> => {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw invalidInput(parsed.error, accepted)
  return parsed.data
}

const strict = (schema: z.ZodType): z.ZodType =>
  schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema

const namesOf = (schema: z.ZodType): string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : []

const searchOf = (url: URL): Record<string, string> => {
  const search = Object.fromEntries([...url.searchParams].filter(([, value]) => value !== ''))
  const wrong = Object.entries(search).filter(([name, value]) => !isStorable(name) || !isStorable(value))
  if (wrong.length === 0) return search
  throw new Problem(422, 'invalid_input', 'The address holds text that is not whole Unicode.', {
    errors: wrong.map(([name]) => ({
      pointer: `/${name}`,
      message: 'holds a NUL character or half of a surrogate pair',
    })),
  })
}

const jsonOf = (bytes: Uint8Array): unknown => (bytes.length === 0 ? {} : parseStorableJson(bytes))
