import { afterAll } from 'vitest'
import { openApi } from './api.ts'
import { makeLead } from './worked-lead.ts'

/** A fresh world for a test file in which leads are converted over HTTP; it ends with it. */
export const openConversionWorld = async () => {
  const api = await openApi()
  afterAll(() => api.stop())
  const preview = (id: string, terms: object = {}) =>
    api.json('POST', `/api/leads/${id}/convert/preview`, terms)
  const convert = (id: string, terms: object = {}) => api.json('POST', `/api/leads/${id}/convert`, terms)
  const reverse = (id: string) => api.json('POST', `/api/leads/${id}/convert/reverse`, {})
  const linesOf = async (kind: string, id: string) =>
    (await api.json('GET', `/api/${kind}s/${id}/timeline`)).body.data
  const listed = async (filter?: object) =>
    (
      await api.json(
        'GET',
        `/api/leads${filter ? `?filter=${encodeURIComponent(JSON.stringify(filter))}` : ''}`,
      )
    ).body.data

  let n = 0
  /** How many leads were made: the last one is of the company of this number. */
  const count = () => n
  /** A lead with everything that a conversion takes; every one is of another company. */
  const lead = (fields: Parameters<typeof makeLead>[1] = {}) => {
    n += 1
    return makeLead(api.ctx, {
      email: `ana@company${n}.example`,
      company_name: `Company ${n}`,
      title: 'Head of Operations',
      phone: `+44 20 7946 0${String(100 + n)}`,
      city: 'London',
      value_minor: 480_000,
      currency: 'GBP',
      source: 'Trade fair',
      campaign: 'Spring',
      tags: ['hot'],
      owner_id: api.owner.user_id,
      ...fields,
    })
  }

  return { api, preview, convert, reverse, linesOf, listed, lead, count }
}
