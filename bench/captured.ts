import type { Sql } from 'postgres'
import { z } from 'zod'
import { connect, type Database } from '../db/client.ts'
import { serveBare } from './bare-server.ts'

/** A statement as the product sent it. */
export const Statement = z.object({ text: z.string(), parameters: z.array(z.unknown()) })
export type Statement = z.infer<typeof Statement>

/** What `work` sends to the database, without begin and commit, in order. Done once before, so that nothing is prepared in it. */
export const capture = async (
  app_url: string,
  work: (db: Database) => Promise<unknown>,
): Promise<Statement[]> => {
  const seen: Statement[] = []
  const sql = connect(app_url, {
    max: 1,
    onStatement: (text, parameters) => seen.push({ text, parameters: [...parameters] }),
  })
  try {
    // What only reads needs neither queue nor keys.
    const db = { sql } as unknown as Database
    await work(db)
    seen.length = 0
    await work(db)
  } finally {
    await sql.end()
  }
  return seen.filter(({ text }) => !/^\s*(?:begin|commit)/i.test(text))
}

/** Sends statements in one transaction, all at once; the rows of the last. */
export const replay = (sql: Sql, statements: readonly Statement[]): Promise<readonly unknown[]> =>
  sql.begin(async (tx): Promise<readonly unknown[]> => {
    const answers = await Promise.all(
      statements.map(({ text, parameters }) => tx.unsafe(text, parameters as never[], { prepare: true })),
    )
    return answers.at(-1) ?? []
  })

/** The least that a list can do: a bare HTTP server that sends the same statements and answers the rows. Answers its port. */
export const serveStatements = (sql: Sql, statements: readonly Statement[]): Promise<number> =>
  serveBare((_request, response) => {
    replay(sql, statements).then(
      (rows) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ data: rows, next_cursor: null })),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
