import postgres, { type Sql } from 'postgres'
import type { Keys } from './keys.ts'
import type { Queue } from './queue.ts'

/** What one process holds: `sql` for the record, `queue` for jobs, `keys` for seals and secrets. */
export type Database = {
  readonly sql: Sql
  /** A client past the pooler, to listen on; absent where `sql` is direct itself. */
  readonly direct?: Sql
  readonly queue: Queue
  readonly keys: Keys
}

/** How many connections one process keeps, unless told otherwise. */
const POOL_SIZE = 10

/**
 * Opens a pool on the app's login. int8 arrives as a number (amounts and sequences stay below 2^53), dates as text,
 * times as `Date`.
 * @param unprepared set when the URL goes through a pooler in transaction mode
 * @param onStatement told of each statement as it is sent
 */
export const connect = (
  url: string,
  options: { max?: number; name?: string; unprepared?: boolean; onStatement?: OnStatement } = {},
): Sql =>
  postgres(url, {
    max: options.max ?? POOL_SIZE,
    prepare: !options.unprepared,
    onnotice: () => {},
    ...(options.onStatement ? { debug: reportTo(options.onStatement) } : {}),
    connection: { application_name: options.name ?? 'leadhand' },
    types: {
      bigint: {
        to: 20,
        from: [20],
        serialize: (value: number) => String(value),
        parse: (text: string) => Number(text),
      },
      date: { to: 1082, from: [1082], serialize: (value: string) => value, parse: (text: string) => text },
    },
  })

type OnStatement = (text: string, parameters: unknown[]) => void

const reportTo =
  (onStatement: OnStatement) =>
  (_connection: number, text: string, parameters: unknown[]): void =>
    onStatement(text, parameters)

/** Asks the database for a sign of life. @throws what the driver says when there is none */
export const ping = async ({ sql }: Database): Promise<void> => {
  await sql`select 1`
}
