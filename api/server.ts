import { randomUUID } from 'node:crypto'
import { STATUS_CODES, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import { ConfigurationError } from '../env.ts'
import type { App } from './app.ts'
import { Problem, problemDocument } from './problem.ts'

/** A running HTTP server. */
export type ApiServer = {
  /** Where it listens, with the port that it really got. */
  url: string
  port: number
  /** Takes no more connections, lets the running requests finish for at most 10 s, then cuts what is left. */
  close(): Promise<void>
}

/** So long may requests take that run when the server stops. */
const DRAIN_MS = 10_000
const LOOK_MS = 20
/** Address and headers: a filter of a thousand ids and a cursor stand in an address. */
const HEADERS_BYTES = 128 * 1024

/**
 * Serves the API.
 * @throws when nothing can listen there; the message names PORT or HOST and what to do
 */
export const serveApi = async (
  app: App,
  { host, port }: { host: string; port: number },
): Promise<ApiServer> => {
  // Without options for TLS or HTTP/2, what comes back is node's plain server.
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: false,
    serverOptions: { maxHeaderSize: HEADERS_BYTES },
  }) as Server
  server.keepAliveTimeout = 65_000
  // A large file comes in over a slow line; its headers still have a minute.
  server.requestTimeout = 15 * 60_000
  server.on('clientError', refuse)
  let running = 0
  server.on('request', (_, response) => {
    running += 1
    response.once('close', () => {
      running -= 1
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port)))
    server.listen(port, host.replace(/^\[|\]$/g, ''), resolve)
  })
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await app.stop()
      const cut_at = Date.now() + DRAIN_MS
      const drain = setInterval(() => {
        if (running === 0 || Date.now() >= cut_at) server.closeAllConnections()
      }, LOOK_MS)
      await closed
      clearInterval(drain)
    },
  }
}

/** What could not be read as a request is told so like everything else. */
const refuse = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const { status, document } = problemDocument((UNREADABLE[error.code ?? ''] ?? notHttp)(), randomUUID())
  const body = JSON.stringify(document)
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

const UNREADABLE: Record<string, () => Problem> = {
  HPE_HEADER_OVERFLOW: () =>
    new Problem(
      431,
      'headers_too_large',
      `Address and headers take at most ${HEADERS_BYTES / 1024} kB together. Ask for less at once, such as by a filter of fewer values.`,
    ),
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new Problem(408, 'request_timeout', 'The request did not arrive whole in time. Send it again.'),
}

const notHttp = (): Problem => new Problem(400, 'bad_request', 'This could not be read as an HTTP request.')

const explain = (error: NodeJS.ErrnoException, host: string, port: number): Error => {
  const said = REASONS[error.code ?? '']?.(host, port)
  return said ? new ConfigurationError([said]) : error
}

const noAddress = (host: string) =>
  `This machine has no address ${host}. Set HOST to one that it has, such as 127.0.0.1 or 0.0.0.0.`

const REASONS: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (host, port) =>
    `Port ${port} on ${host} is in use by another program. Stop it, or set PORT to a free one (0 takes any).`,
  EACCES: (_, port) => `This user may not listen on port ${port}. Set PORT to 1024 or more.`,
  EADDRNOTAVAIL: noAddress,
  ENOTFOUND: noAddress,
}
