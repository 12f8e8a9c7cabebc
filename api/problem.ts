import { STATUS_CODES } from 'node:http'
import type { z } from 'zod'
import { DomainError, type Fault, type RefusalKind } from '../db/errors.ts'
import { faultsOf } from '../db/faults.ts'
import { log } from '../log.ts'

/** A refusal that only HTTP knows: of a request, not of a rule of the record. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly errors: Fault[]
  readonly headers: Record<string, string>
  readonly extra: Record<string, unknown>

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { errors?: Fault[]; headers?: Record<string, string>; extra?: Record<string, unknown> } = {},
  ) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.errors = more.errors ?? []
    this.headers = more.headers ?? {}
    this.extra = more.extra ?? {}
  }
}

/**
 * Any error as `application/problem+json` (RFC 9457). Refusals say what to do next; whatever else it was is logged
 * under the request's id, which is all that is answered of it.
 */
export const answerProblem = (error: unknown, request_id: string): Response => {
  const { status, document, headers } = problemDocument(error, request_id)
  return new Response(JSON.stringify(document), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  })
}

/** The same before it becomes an answer, for one of many items. */
export const problemDocument = (
  error: unknown,
  request_id: string,
): { status: number; document: Record<string, unknown>; headers: Record<string, string> } => {
  const problem = problemOf(error)
  const { status, headers } = problem
  if (status >= 500) log.error({ err: error, request_id, status }, 'request failed')
  return { status, document: bodyOf(problem, request_id), headers }
}

/** What zod found wrong, as one 422 that names every place. `schema` is what was parsed: it knows what is accepted. */
export const invalidInput = (error: z.ZodError, accepted: readonly string[] = []): Problem =>
  new Problem(
    422,
    'invalid_input',
    'Some of what was sent cannot be accepted. Each place is listed with what it takes.',
    {
      errors: faultsOf(error, accepted),
    },
  )

/** What is answered where there is nothing: also for what belongs to somebody else. */
export const nothingHere = (): Problem =>
  new Problem(404, 'not_found', 'There is nothing at this address, or it is not yours to see.')

const RETRY_AFTER_S = 2

const STATUS: Record<RefusalKind, number> = {
  not_found: 404,
  conflict: 409,
  stale: 412,
  invalid: 422,
  forbidden: 403,
  unsupported: 415,
}

/** SQLSTATEs and driver codes that say that the database is away for a moment. */
const AWAY =
  /^(08|57P0[123]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|ETIMEDOUT|CONNECTION_|CONNECT_TIMEOUT)/

/** SQLSTATEs of two acts that met: what one refers to the other deleted (our checks had seen it), or each waited for the other. */
const OVERTAKEN = /^(23503|40001|40P01)$/

const problemOf = (error: unknown): Problem => {
  if (error instanceof Problem) return error
  if (error instanceof DomainError) {
    const { errors, extra } = error
    return new Problem(STATUS[error.kind], error.code, error.message, { errors, extra })
  }
  const code = driverCode(error)
  if (AWAY.test(code)) {
    return new Problem(
      503,
      'database_unavailable',
      'The database does not answer. Nothing was changed; try again shortly.',
      {
        headers: { 'retry-after': String(RETRY_AFTER_S) },
      },
    )
  }
  if (OVERTAKEN.test(code) || constraintOf(error) === 'opportunities_pipeline_in_use') {
    log.warn({ err: error }, 'somebody else changed at once what this rested on')
    return new Problem(
      409,
      'changed_meanwhile',
      'Somebody changed at the same moment what this refers to. Nothing was changed; read it again and repeat your change.',
    )
  }
  // Class 22 is a value the database cannot hold: our checks should have named its place first.
  if (code.startsWith('22')) {
    log.warn({ err: error }, 'a value reached the database that it cannot hold')
    return new Problem(422, 'invalid_value', 'A value that was sent cannot be stored.')
  }
  return new Problem(
    500,
    'internal_error',
    'Something went wrong on our side. It was noted under the id in “instance”.',
  )
}

const constraintOf = (error: unknown): unknown =>
  error instanceof Error && 'constraint_name' in error ? error.constraint_name : undefined

const driverCode = (error: unknown): string => {
  if (error instanceof AggregateError) return driverCode(error.errors[0])
  if (!(error instanceof Error)) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.cause === undefined ? '' : driverCode(error.cause)
}

const bodyOf = (problem: Problem, request_id: string): Record<string, unknown> => ({
  type: 'about:blank',
  title: STATUS_CODES[problem.status] ?? 'Error',
  status: problem.status,
  code: problem.code,
  detail: problem.message,
  instance: `urn:uuid:${request_id}`,
  ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
  ...without(problem.extra, ['type', 'title', 'code', 'detail', 'instance', 'errors']),
  // RFC 9457 keeps `status` for HTTP; the state of an approval goes by `status` in the contract, so it wins.
})

const without = (members: Record<string, unknown>, names: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)))
