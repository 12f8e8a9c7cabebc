import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseExactJson } from '../api/intake/exact-json.ts'
import { createSource } from '../db/intake-sources.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { getSubmission, processSubmission } from '../db/submissions.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const read = (json: string): unknown => parseExactJson(Buffer.from(json))

test('numbers that are held stay numbers, the others are the text that was sent', () => {
  expect(read('{"a":[0,-0,7,-42,1.5,50.0,1e3,1.5E-7,0.1,0.30000000000000004,9007199254740992]}')).toEqual({
    a: [0, -0, 7, -42, 1.5, 50, 1000, 1.5e-7, 0.1, 0.30000000000000004, 9007199254740992],
  })
  for (const sent of [
    '17841405793187219',
    '-17841405793187220',
    '9007199254740993',
    '12345678901234567890',
    '0.1234567890123456789',
    '1e400',
    '-1E+400',
    '1e-999',
    '1e30',
    `1${'0'.repeat(60)}1`,
  ])
    expect(read(`{"a": [${sent} ,{"b":${sent}}]}`), sent).toEqual({ a: [sent, { b: sent }] })
})

test('texts stay as they are, whatever digits and quotes are in them', () => {
  const text =
    '{"a\\"12345678901234567890":"1e400,\\\\","ü":17841405793187219,"c":"\\u00fc 17841405793187219"}'
  expect(read(text)).toEqual({
    'a"12345678901234567890': '1e400,\\',
    ü: '17841405793187219',
    c: 'ü 17841405793187219',
  })
  expect(read('\ufeff{"a":17841405793187219}')).toEqual({ a: '17841405793187219' })
})

test('what is no JSON does not become it by quotes', () => {
  for (const bad of [
    '{"a":017841405793187219}',
    '{"a":1784140579318721-9}',
    '{"a":17841405793187219.}',
    '1e400x',
  ])
    expect(() => read(bad), bad).toThrow('not JSON')
})

test('as many long numbers as are taken keep others waiting for 50 ms at most', () => {
  const sizes = {
    whole: (n: number) => `1784140579318${n + 100_000}`,
    broken: (n: number) => `0.1784140579318${n + 100_000}`,
  }
  for (const [name, numberOf] of Object.entries(sizes)) {
    const bytes = Buffer.from(`[${Array.from({ length: 45_000 }, (_, n) => numberOf(n)).join(',')}]`)
    const times = Array.from({ length: 12 }, () => {
      const begun = performance.now()
      parseExactJson(bytes)
      return performance.now() - begun
    })
    const best = Math.min(...times)
    process.stdout.write(`45,000 ${name} numbers, ${bytes.length} bytes: ${best.toFixed(1)} ms\n`)
    expect(best).toBeLessThan(50)
  }
})

test('three people whose ids differ in the last digit are three leads, also where a path is mapped', async () => {
  for (const mapping of [undefined, { name: 'name', email: 'email', external_id: 'user.id' }]) {
    const door = await createSource(api.ctx, { name: 'Numbers', ...(mapping ? { mapping } : {}) })
    const leads: string[] = []
    for (const [n, name] of ['Bernd Neu', 'Cleo Alt', 'Dora Neu'].entries()) {
      const id = `1784140579318721${n + (mapping ? 4 : 1)}`
      const given = mapping ? `"user":{"id":${id}}` : `"external_id":${id}`
      const response = await api.app.request(`/intake/webhook/${door.token}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"name":"${name}","email":"mail@id-${id}.example",${given},"budget":1e400}`,
      })
      expect(response.status).toBe(202)
      const { submission_id } = (await response.json()) as { submission_id: string }
      await processSubmission(api.db, api.organization.id, submission_id)
      const submission = await getSubmission(api.ctx, submission_id)
      expect(submission).toMatchObject({
        status: 'processed',
        payload: { ...(mapping ? { user: { id } } : { external_id: id }), budget: '1e400' },
      })
      const lead = await getOpportunity(api.ctx, submission.lead_id ?? '')
      expect(lead).toMatchObject({ contact_name: name, external_id: id, extra: { budget: '1e400' } })
      leads.push(lead.id)
    }
    expect(new Set(leads).size).toBe(3)
  }
})
