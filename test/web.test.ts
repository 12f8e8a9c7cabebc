import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Resolve } from '../tools/vendors/web-address.ts'
import { readRobots } from '../tools/vendors/robots.ts'
import { safeFetch, WEB } from '../tools/vendors/web.ts'
import { failure, withSite } from './web.ts'
import type { Page } from './website.ts'

describe('limits', () => {
  const quick = { timeout_ms: 400 }

  test('5 MB, 10 s and 3 redirects are the defaults', () => {
    expect(WEB).toMatchObject({ max_bytes: 5 * 1024 * 1024, timeout_ms: 10_000, max_redirects: 3 })
  })

  test('a page that is too large is given up, declared or not', async () => {
    const body = Buffer.alloc(6 * 1024 * 1024, 'a')
    await withSite(
      {
        '/declared': { headers: { 'content-length': String(body.length) }, body },
        '/chunked': { headers: { 'transfer-encoding': 'chunked' }, body },
      },
      async (site, options) => {
        expect((await failure(safeFetch(`${site.url}/declared`, options))).code).toBe('too_large')
        const error = await failure(safeFetch(`${site.url}/chunked`, options))
        expect(error.code).toBe('too_large')
        expect(error.message).toContain('larger than 5 MB')
        const cut = await safeFetch(`${site.url}/chunked`, { ...options, truncate: true, max_bytes: 1000 })
        expect(cut.bytes).toBe(1000)
      },
    )
  })

  test('a gzip bomb is stopped at 5 MB of decoded bytes', async () => {
    const once = gzipSync(Buffer.alloc(512 * 1024 * 1024))
    const twice = gzipSync(once)
    await withSite(
      {
        '/': { headers: { 'content-encoding': 'gzip' }, body: once },
        '/twice': { headers: { 'content-encoding': 'gzip, gzip' }, body: twice },
      },
      async (site, options) => {
        const before = process.memoryUsage().rss
        expect((await failure(safeFetch(site.url, options))).code).toBe('too_large')
        expect((await failure(safeFetch(`${site.url}/twice`, options))).code).toBe('too_large')
        expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
      },
    )
  }, 20_000)

  test('a site that hangs, drips or is slow to start times out as a whole', async () => {
    await withSite(
      { '/hang': { hang: true }, '/drip': { drip_ms: 20 }, '/slow': { delay_ms: 2000, body: 'late' } },
      async (site, options) => {
        for (const path of ['/hang', '/drip', '/slow']) {
          const started = Date.now()
          const error = await failure(safeFetch(site.url + path, { ...options, ...quick }))
          expect(error.code, path).toBe('timeout')
          expect(Date.now() - started).toBeLessThan(1500)
        }
      },
    )
  })

  test('a caller that gives up ends the fetch with its own reason', async () => {
    await withSite({ '/': { hang: true } }, async (site, options) => {
      const reason = new Error('run stopped')
      const controller = new AbortController()
      setTimeout(() => controller.abort(reason), 50)
      await expect(safeFetch(site.url, { ...options, signal: controller.signal })).rejects.toBe(reason)
      await expect(safeFetch(site.url, { ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      )
    })
  })

  test('three redirects are followed, a fourth is not', async () => {
    const hop = (to: string): Page => ({ status: 302, headers: { location: to } })
    await withSite(
      {
        '/1': hop('/2'),
        '/2': hop('/3'),
        '/3': hop('/4'),
        '/4': 'x<p>end</p>',
        '/0': hop('/1'),
        '/nowhere': { status: 301 },
      },
      async (site, options) => {
        const read = await safeFetch(`${site.url}/1`, options)
        expect(read.url).toBe(`${site.url}/4`)
        expect(read.redirects).toHaveLength(3)
        expect((await failure(safeFetch(`${site.url}/0`, options))).code).toBe('too_many_redirects')
        expect((await failure(safeFetch(`${site.url}/nowhere`, options))).code).toBe('http_status')
      },
    )
  })
})

describe('what a person is told', () => {
  test('a missing page, a file and a site that is down each have their code and sentence', async () => {
    await withSite(
      { '/file': { headers: { 'content-type': 'application/pdf' }, body: '%PDF' }, '/down': { status: 500 } },
      async (site, options) => {
        expect(await failure(safeFetch(`${site.url}/gone`, options))).toMatchObject({
          code: 'http_status',
          status: 404,
          message: `${site.host} answered 404 (page not found).`,
        })
        expect(await failure(safeFetch(`${site.url}/down`, options))).toMatchObject({
          code: 'http_status',
          status: 500,
        })
        expect(await failure(safeFetch(`${site.url}/file`, options))).toMatchObject({
          code: 'not_html',
          message: `${site.host} answers with a file (application/pdf), not with a web page.`,
        })
        expect(await failure(safeFetch(site.url.replace('http:', 'https:'), options))).toMatchObject({
          code: 'tls',
        })
        await site.stop()
        expect(await failure(safeFetch(site.url, options))).toMatchObject({ code: 'unreachable' })
      },
    ).catch((error: NodeJS.ErrnoException) => expect(error.code).toBe('ERR_SERVER_NOT_RUNNING'))
    const nowhere: Resolve = async () =>
      Promise.reject(Object.assign(new Error('nope'), { code: 'ENOTFOUND' }))
    expect(await failure(safeFetch('https://no-such-company.example/', { resolve: nowhere }))).toMatchObject({
      code: 'unreachable',
      message:
        'No website was found under no-such-company.example: the name does not exist or does not answer.',
    })
  })

  test('text is decoded by header, page declaration or byte order mark', async () => {
    const latin1 = (text: string) => Buffer.from(text, 'latin1')
    await withSite(
      {
        '/header': { headers: { 'content-type': 'text/html; charset=iso-8859-1' }, body: latin1('<p>Käse') },
        '/meta': {
          headers: { 'content-type': 'text/html' },
          body: latin1('<meta charset="windows-1252"><p>Käse'),
        },
        '/undeclared': { headers: { 'content-type': 'text/html' }, body: latin1('<p>Käse') },
        '/utf8': { headers: { 'content-type': 'text/html' }, body: '<p>Käse' },
        '/utf16': {
          headers: { 'content-type': 'text/html' },
          body: Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('<p>Käse', 'utf16le')]),
        },
        '/unknown': { headers: { 'content-type': 'text/html; charset=klingon' }, body: '<p>Käse' },
      },
      async (site, options) => {
        for (const path of ['/header', '/meta', '/undeclared', '/utf8', '/utf16', '/unknown'])
          expect((await safeFetch(site.url + path, options)).text, path).toContain('<p>Käse')
      },
    )
  })
})

describe('robots.txt', () => {
  const reading = async (robots: Page | undefined) =>
    withSite(robots === undefined ? {} : { '/robots.txt': robots }, async (site, { allow }) => {
      const read = await readRobots(site.url, { ...(allow ? { allow } : {}), timeout_ms: 1000 })
      return (path: string) => read.allows(site.url + path)
    })

  test('a missing file allows everything and a broken server nothing', async () => {
    expect((await reading(undefined))('/any')).toBe(true)
    expect((await reading({ status: 403 }))('/any')).toBe(true)
    expect((await reading({ status: 503 }))('/any')).toBe(false)
    expect((await reading({ status: 429 }))('/any')).toBe(false)
  })

  test('our own group wins over the general one, and the longest rule wins', async () => {
    const allows = await reading(
      'User-agent: *\nDisallow: /\n\nUser-agent: LeadhandBot\nDisallow: /private\nAllow: /private/open\n',
    )
    expect([allows('/'), allows('/private/x'), allows('/private/open/x')]).toEqual([true, false, true])
    const general = await reading('User-agent: *\nDisallow: /')
    expect(general('/')).toBe(false)
  })

  test('a file of any size is read up to 500 KB, a hanging site is down', async () => {
    const long = await reading(`User-agent: *\nDisallow: /x\n${'# padding\n'.repeat(600_000)}`)
    expect([long('/x'), long('/y')]).toEqual([false, true])
    expect((await failure(reading({ hang: true }))).code).toBe('timeout')
  })
})
