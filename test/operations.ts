import type { OpenApi } from '../api/openapi.ts'
import type { ApiWorld } from './api.ts'

/** One operation of the OpenAPI document, as a test asks it. */
export type Described = {
  method: string
  path: string
  example: any
  body: any
  query: string[]
  response: any
  status: number
}

/** What the running app says of itself. */
export const operationsOf = async (api: ApiWorld): Promise<Described[]> => {
  const document = (await (await api.app.request('/openapi.json')).json()) as OpenApi
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]: [string, any]) => {
      const [status = '200'] = Object.keys(operation.responses)
      const content = operation.requestBody?.content['application/json']
      return {
        method: method.toUpperCase(),
        path,
        example: content?.example,
        body: content?.schema,
        query: (operation.parameters ?? []).filter((p: any) => p.in === 'query').map((p: any) => p.name),
        response: operation.responses[status]?.content?.['application/json']?.schema,
        status: Number(status),
      }
    }),
  )
}

/** The path with something in the place of each parameter: an id that is nobody's, unless told otherwise. */
export const pathOf = (path: string, values: Record<string, string> = {}): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '01990000-0000-7000-8000-000000000000')
