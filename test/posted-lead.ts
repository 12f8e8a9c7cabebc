import { expect } from 'vitest'
import type { ApiWorld } from './api.ts'

/** A lead that is made over HTTP. */
export const postLead = async (api: ApiWorld, fields: object = {}): Promise<any> => {
  const { status, body } = await api.json('POST', '/api/leads', {
    contact_name: 'Ana Ruiz',
    email: 'ana@brightside.example',
    ...fields,
  })
  expect(status).toBe(201)
  return body
}
