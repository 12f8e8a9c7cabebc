import type { Sql } from 'postgres'
import { median } from './comparison.ts'

/**
 * The least that lies between a delivery and an agent's first call: the delivery is committed, another session hears of
 * it and commits the lead, a third hears of that and commits the claim. Answers the median in milliseconds.
 */
export const openBareRelay = async (
  sql: Sql,
): Promise<(deliveries: number, pause_ms: number) => Promise<number>> => {
  await sql`create table bare_relay (id bigint generated always as identity primary key, step text not null)`
  const arrived = new Map<string, (at: number) => void>()
  const forward = (to: string) => (id: string) => {
    void sql.begin(async (tx) => {
      await tx`insert into bare_relay (step) values (${to})`
      await tx`select pg_notify(${`bare_${to}`}, ${id})`
    })
  }
  await sql.listen('bare_delivered', forward('read'))
  await sql.listen('bare_read', forward('claimed'))
  await sql.listen('bare_claimed', (id) => arrived.get(id)?.(performance.now()))
  const deliver = async (id: string): Promise<number> => {
    const started = performance.now()
    const arrival = new Promise<number>((resolve) => arrived.set(id, resolve))
    await sql.begin(async (tx) => {
      await tx`insert into bare_relay (step) values ('delivered')`
      await tx`select pg_notify('bare_delivered', ${id})`
    })
    return (await arrival) - started
  }
  return async (deliveries, pause_ms) => {
    const took: number[] = []
    for (let n = 0; n < deliveries; n++) {
      took.push(await deliver(`${performance.now()}`))
      await new Promise((resolve) => setTimeout(resolve, pause_ms))
    }
    return median(took)
  }
}
