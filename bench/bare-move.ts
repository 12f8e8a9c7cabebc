import { randomUUID } from 'node:crypto'
import { generateKeyBetween } from 'fractional-indexing'
import type { Sql } from 'postgres'

/** What is moved where. */
export type BareMove = { organization_id: string; stage_id: string }

/**
 * The least that a move can write: the card is locked, gets its stage and the place below the last, and an activity with
 * its subject. No rules, no read of what came of it.
 */
export const openBareMove =
  (sql: Sql, { organization_id, stage_id }: BareMove) =>
  (id: string): Promise<unknown> =>
    sql.begin(async (tx) => {
      const [, , [last]] = await Promise.all([
        tx`select set_config('app.organization_id', ${organization_id}, true)`,
        tx`select version from opportunities where organization_id = ${organization_id} and id = ${id} for update`,
        tx<{ position: string }[]>`
          select position from opportunities where organization_id = ${organization_id} and stage_id = ${stage_id}
            and archived_at is null order by position desc limit 1`,
      ])
      const at = new Date()
      const activity_id = randomUUID()
      const subjects = [{ kind: 'lead', id }]
      const data = { to: stage_id, changes: [{ field: 'stage', before: 'New lead', after: 'Qualified' }] }
      await Promise.all([
        tx`
          update opportunities set stage_id = ${stage_id}, stage_entered_at = ${at},
            position = ${generateKeyBetween(last?.position ?? null, null)}, version = version + 1, updated_at = ${at}
          where organization_id = ${organization_id} and id = ${id}`,
        tx`
          insert into activities ${tx({
            organization_id,
            id: activity_id,
            type: 'stage_changed',
            occurred_at: at,
            actor_kind: 'user',
            actor_id: 'bench',
            actor_name: 'Owner 0',
            subjects: tx.json(subjects),
            data: tx.json(data),
            salt: 'bench',
            payload_hash: 'bench',
          })}`,
        tx`
          insert into activity_subjects (organization_id, kind, subject_id, activity_id, type, actor_kind)
          values (${organization_id}, 'lead', ${id}, ${activity_id}, 'stage_changed', 'user')`,
      ])
    })
