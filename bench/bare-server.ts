import { createServer, type RequestListener } from 'node:http'

/** A bare HTTP server on a free port of this machine; it ends with its process. Answers its port. */
export const serveBare = async (answer: RequestListener): Promise<number> => {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the bare server listens on no port')
  return address.port
}
