import type { Sql } from 'postgres'
import { serveBare } from './bare-server.ts'

/** The least that a door can do: a bare HTTP server, one INSERT of the payload, committed before it answers 202. Answers its port. */
export const serveBareIntake = async (sql: Sql): Promise<number> => {
  await sql`create table bare_intake (id uuid primary key default uuidv7(), payload jsonb not null, received_at timestamptz not null default now())`
  return serveBare((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const payload = sql.json(JSON.parse(Buffer.concat(parts).toString('utf8')) as never)
      sql`insert into bare_intake (payload) values (${payload}) returning id`.then(
        ([row]) =>
          response
            .writeHead(202, { 'content-type': 'application/json' })
            .end(`{"submission_id":"${row?.['id']}"}`),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
    })
  })
}
