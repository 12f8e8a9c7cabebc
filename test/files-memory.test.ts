import { afterAll, beforeAll, expect, test } from 'vitest'
import { docxOf, makePdf, makePdfBomb } from './documents.ts'
import { eventually } from './eventually.ts'
import { startProduct, type Product } from './product.ts'

let product: Product
let lead_id: string
beforeAll(async () => {
  product = await startProduct()
  lead_id = (await product.api('/api/leads', { body: { contact_name: 'Ana Ruiz' } })).body.id
  // What is loaded once, for the first file, is no growth.
  await textOf((await upload('warm.pdf', makePdf('Hello'))).id)
}, 120_000)
afterAll(() => product.stop())

const authorization = () => ({ authorization: `Bearer ${product.api_key}` })

const upload = async (name: string, content: Buffer): Promise<{ id: string; size: number }> => {
  const form = new FormData()
  form.set('subject_kind', 'lead')
  form.set('subject_id', lead_id)
  form.set('file', new Blob([new Uint8Array(content)]), name)
  const response = await fetch(`${product.url}/api/files`, {
    method: 'POST',
    body: form,
    headers: authorization(),
  })
  const file: any = await response.json()
  expect([response.status, file.detail]).toEqual([201, undefined])
  return file
}

const textOf = (id: string): Promise<string> =>
  eventually(async () => {
    const { body } = await product.api(`/api/files/${id}`)
    expect(body.text_status).not.toBe('pending')
    return body.text_error ?? 'read'
  }, 60_000)

/** How much more the product has in memory at the most while something goes on, in MB. */
const growthOf = async (work: () => Promise<unknown>): Promise<number> => {
  const before = product.memory()
  let most = before
  const watch = setInterval(() => (most = Math.max(most, product.memory())), 50)
  try {
    await work()
  } finally {
    clearInterval(watch)
  }
  return (most - before) / 1024 / 1024
}

test(
  'P23: bombs are given up with less than 64 MB more in the whole product',
  { timeout: 120_000 },
  async () => {
    const bombs: [string, Buffer, RegExp][] = [
      ['bomb.pdf', makePdfBomb(150_000_000), /more memory/],
      ['bomb.docx', docxOf(Buffer.alloc(60_000_000, 32), 1_000), /unpacks to more/],
    ]
    for (const [name, content, why] of bombs) {
      const growth = await growthOf(async () => {
        expect(await textOf((await upload(name, content)).id)).toMatch(why)
      })
      expect([name, growth < 64]).toEqual([name, true])
    }
  },
)

test(
  'P23: a file of 144 MB goes in, is read and comes out without ever being in memory whole',
  { timeout: 240_000 },
  async () => {
    const content = Buffer.alloc(144 * 1024 * 1024, 'All work and no play. ')
    const growth = await growthOf(async () => {
      const { id, size } = await upload('large.txt', content)
      expect(size).toBe(content.length)
      expect(await textOf(id)).toMatch(/first 200,000 characters/)
      const response = await fetch(`${product.url}/api/files/${id}/content`, { headers: authorization() })
      let received = 0
      for await (const part of response.body!) received += part.byteLength
      expect(received).toBe(size)
    })
    // What is over stays until it is collected; a file held once would be more than this.
    expect(growth).toBeLessThan(120)
  },
)
