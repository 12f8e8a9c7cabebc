/** The typed client of the API: one function, one error. */

/** What the API says when it refuses: `application/problem+json`, RFC 9457. */
export type Problem = {
  title: string
  status: number
  code?: string
  detail?: string
  instance?: string
  errors?: { pointer: string; message: string; accepted?: unknown }[]
  [member: string]: unknown
}

/** A refused or failed request; `status` 0 means that the server was not reached. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title)
    this.name = 'ApiError'
    this.status = problem.status
    this.code = problem.code ?? ''
    this.problem = problem
  }

  /** The message for one field, when the API named it. */
  field(name: string): string | undefined {
    return this.problem.errors?.find((error) => error.pointer.replace(/^[#/]+/, '') === name)?.message
  }
}

/** The values a query string can carry; undefined and empty ones are left out. */
export type Query = Record<string, string | number | undefined | null>

/** Reads from the API. */
export const read = <T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> =>
  request<T>('GET', `${path}${queryString(query)}`, undefined, signal)

/** Sends a change to the API and answers with what it returned. */
export const send = <T>(
  method: 'POST' | 'PATCH' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> => request<T>(method, path, body)

/** One sentence that tells a person what went wrong. */
export const errorText = (error: unknown): string => {
  if (error instanceof ApiError) {
    const fields =
      error.problem.errors?.map((item) => `${item.pointer.replace(/^[#/]+/, '')}: ${item.message}`) ?? []
    return [error.message, ...fields].join(' ')
  }
  return error instanceof Error ? error.message : String(error)
}

const request = async <T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> => {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError({
      title: 'No connection',
      status: 0,
      code: 'offline',
      detail: 'The server did not answer. Check your connection and retry.',
    })
  })
  const text = await response.text()
  const answer = parse(text)
  if (!response.ok) throw new ApiError(problemOf(response, answer))
  return answer as T
}

const parse = (text: string): unknown => {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const problemOf = (response: Response, answer: unknown): Problem => {
  const said = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {}
  const [title = response.statusText || `Error ${response.status}`] = [said['title'], said['message']].filter(
    (text) => typeof text === 'string',
  )
  return { ...said, title, status: response.status }
}

const queryString = (query: Query): string => {
  const entries = Object.entries(query).flatMap(([key, value]) =>
    value === undefined || value === null || value === '' ? [] : [[key, String(value)]],
  )
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`
}
