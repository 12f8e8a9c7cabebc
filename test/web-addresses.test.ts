import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isPublicAddress, type Resolve } from '../tools/vendors/web-address.ts'
import type { WebErrorCode } from '../tools/vendors/web-error.ts'
import { safeFetch } from '../tools/vendors/web.ts'
import { failure, withSite } from './web.ts'

const privateAddresses = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.254',
  '127.0.0.1',
  '127.0.0.2',
  '127.255.255.254',
  '169.254.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '192.168.255.255',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.9',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::10.0.0.1',
  '64:ff9b:1::7f00:1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2001:2::1',
  '2001:10::1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  'fe80::1%eth0',
]

const spellings = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'loopback.localhost',
  '127.1',
  '127.0.1',
  '2130706433',
  '017700000001',
  '0177.0.0.1',
  '0177.0.0.01',
  '0x7f.1',
  '0x7f.0.0.1',
  '0x7f000001',
  '0X7F.0X0.0X0.0X1',
  '127.0.0.1.',
  '127.000.000.001',
  '0',
  '0x0',
  '00000',
  '0.0',
  '①②⑦.⓪.⓪.①',
  '１２７.０.０.１',
  '127。0。0。1',
  '127%2e0%2e0%2e1',
  '%6c%6f%63%61%6c%68%6f%73%74',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::]',
  '[::127.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[2002:7f00:1::]',
  '3232235521',
  '0xc0a80001',
  '2852039166',
  '0xa9.0xfe.0xa9.0xfe',
  '0251.0376.0251.0376',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fe80::1%25lo]',
  '100.100.100.200',
]

const schemes = [
  'file:///etc/passwd',
  'file://localhost/etc/passwd',
  'gopher://127.0.0.1:PORT/_GET',
  'ftp://127.0.0.1:PORT/',
  'dict://127.0.0.1:PORT/info',
  'ldap://127.0.0.1:PORT/',
  'data:text/html,<h1>x</h1>',
  'javascript:alert(1)',
  'ws://127.0.0.1:PORT/',
  'blob:http://127.0.0.1:PORT/x',
  'about:blank',
  'jar:http://127.0.0.1:PORT!/',
  'view-source:http://127.0.0.1:PORT/',
  'mailto:a@b.example',
  'tel:+15035550142',
]

const disguises = [
  'http://user@127.0.0.1:PORT/',
  'http://user:pass@127.0.0.1:PORT/',
  'http://public.example@127.0.0.1:PORT/',
  'http://public.example:80@127.0.0.1:PORT/',
  'http://public.example%40127.0.0.1:PORT/',
  'http://127.0.0.1:PORT#@public.example/',
  'http://127.0.0.1:PORT?@public.example/',
  'http://public.example\\@127.0.0.1:PORT/',
  'http:127.0.0.1:PORT/',
  'http:\\\\127.0.0.1:PORT\\',
  'http:///127.0.0.1:PORT/',
  'HtTp://127.0.0.1:PORT/',
  '  http://127.0.0.1:PORT/  ',
  'http://127.0.0.1\t:PORT/',
  'http://127.0.0.\n1:PORT/',
  '//127.0.0.1:PORT/',
  '127.0.0.1:PORT',
  'http://',
  'http://[',
  '',
  'https://127.0.0.1:PORT/',
  'http://127.0.0.1:65536/',
]

describe('the fetcher stays outside', () => {
  let canary: Server
  let port = 0
  let touched = 0

  beforeAll(async () => {
    canary = createServer((socket) => {
      touched += 1
      socket.resume()
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\nsecret')
    })
    await new Promise<void>((resolve) => canary.listen(0, () => resolve()))
    port = (canary.address() as AddressInfo).port
  })

  afterAll(() => new Promise((resolve) => canary.close(resolve)))

  const refused: WebErrorCode[] = ['blocked_address', 'blocked_url', 'unreachable']

  // The canary's port counts as a web port here, so that only the rules about addresses keep the fetcher away from it.
  const attempt = (url: string, resolve?: Resolve) =>
    failure(
      safeFetch(url, { timeout_ms: 3000, ports: new Set([80, 443, port]), ...(resolve ? { resolve } : {}) }),
    )

  test('150 hostile targets touch a private server 0 times', async () => {
    const literals = [...spellings, ...privateAddresses.filter((address) => !address.includes(':'))]
    const fixed = [...literals.map((host) => `http://${host}:PORT/`), ...schemes, ...disguises].map(
      (target) => target.replace('PORT', String(port)),
    )
    const outcomes: { target: string; code: string }[] = []
    for (const target of fixed) outcomes.push({ target, code: (await attempt(target)).code })

    const publicOne = { address: '93.184.215.14', family: 4 }
    for (const address of privateAddresses) {
      const bad = { address, family: address.includes(':') ? 6 : 4 }
      for (const answers of [[bad], [publicOne, bad], [bad, publicOne]]) {
        const error = await attempt(`http://innocent.example:${port}/`, async () => answers)
        expect(error.code, `a name that resolves to ${address}`).toBe('blocked_address')
        outcomes.push({
          target: `dns ${answers.map((answer) => answer.address).join('+')}`,
          code: error.code,
        })
      }
    }

    const redirects = [
      ...literals.map((host) => `http://${host}:${port}/`),
      `//127.0.0.1:${port}/`,
      `file:///etc/passwd`,
      `gopher://127.0.0.1:${port}/`,
      `http://a:b@127.0.0.1:${port}/`,
    ]
    await withSite(
      Object.fromEntries(
        redirects.map((location, i) => [
          `/${i}`,
          {
            status: [301, 302, 303, 307, 308][i % 5] ?? 302,
            headers: {
              location: encodeURI(location)
                .replaceAll('%25', '%')
                .replaceAll('%5B', '[')
                .replaceAll('%5D', ']'),
            },
          },
        ]),
      ),
      async (site) => {
        for (const [i, location] of redirects.entries()) {
          const error = await failure(
            safeFetch(`${site.url}/${i}`, {
              allow: new Set([site.host]),
              ports: new Set([80, 443, port]),
              timeout_ms: 3000,
            }),
          )
          outcomes.push({ target: `redirect to ${location}`, code: error.code })
        }
        expect(site.requests).toHaveLength(redirects.length)
      },
    )

    expect(outcomes.length).toBeGreaterThanOrEqual(150)
    expect(outcomes.filter(({ code }) => !refused.some((known) => known === code))).toEqual([])
    expect(outcomes.filter(({ code }) => code === 'unreachable').length).toBeLessThan(15)
    expect(touched).toBe(0)
    process.stdout.write(`P19: ${outcomes.length} targets, ${touched} connections to the private canary\n`)
  }, 60_000)

  test('the canary would have noticed: allowed by name it is reached', async () => {
    const before = touched
    const { text } = await safeFetch(`http://127.0.0.1:${port}/`, { allow: new Set([`127.0.0.1:${port}`]) })
    expect(text).toBe('secret')
    expect(touched).toBe(before + 1)
  })

  test('a name is resolved once per connection, so it cannot change its mind after the check', async () => {
    const before = touched
    await withSite(
      { '/': { status: 302, headers: { location: `http://rebind.example:${port}/` } } },
      async (site) => {
        const asked: string[] = []
        const resolve: Resolve = async (hostname) => {
          asked.push(hostname)
          return [{ address: '127.0.0.1', family: 4 }]
        }
        const endpoint = `rebind.example:${new URL(site.url).port}`
        const error = await failure(
          safeFetch(`http://${endpoint}/`, {
            allow: new Set([endpoint]),
            ports: new Set([80, port]),
            resolve,
          }),
        )
        expect(error.code).toBe('blocked_address')
        expect(asked).toEqual(['rebind.example', 'rebind.example'])
        expect(site.connections()).toBe(1)
      },
    )
    expect(touched).toBe(before)
  })

  test('a permission ends with its call: the next one is refused on the same host', async () => {
    await withSite({ '/': '<p>hi</p>' }, async (site, options) => {
      await safeFetch(site.url, options)
      expect((await failure(safeFetch(site.url))).code).toBe('blocked_url')
      expect(
        (await failure(safeFetch(site.url, { ports: new Set([Number(new URL(site.url).port)]) }))).code,
      ).toBe('blocked_address')
      expect(site.connections()).toBe(1)
    })
  })

  test('public addresses are public and everything special is not', () => {
    for (const address of [
      '8.8.8.8',
      '93.184.215.14',
      '172.15.0.1',
      '172.32.0.1',
      '100.63.0.1',
      '2606:4700::1111',
      '2a00:1450:4001::1',
    ])
      expect(isPublicAddress(address), address).toBe(true)
    for (const address of [...privateAddresses, 'example.com', '', '2130706433'])
      expect(isPublicAddress(address), address).toBe(false)
  })
})
