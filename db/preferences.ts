import { z } from 'zod'
import { inTx, type Ctx } from './context.ts'
import { requireCurrentMember } from './current-member.ts'
import { DomainError, invalid } from './errors.ts'
import { storableJson } from './text.ts'

/** What a preference is called, such as `view:<pipeline_id>`. */
export const PreferenceKey = z
  .string()
  .regex(/^[\w.:-]{1,100}$/, 'letters, digits and _ . : -, such as view:<pipeline_id>')

/** A setting of a member's own screens. */
export type Preference = { key: string; value: unknown; updated_at: Date | null }

const LIMITS = { bytes: 10_000, keys: 1_000 }

/** What the member who asks has set; null when nothing. */
export const readPreference = (ctx: Ctx, key: string): Promise<Preference> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const user_id = await requireCurrentMember(ctx)
    const [row] = await tx<Preference[]>`
      select key, value, updated_at from preferences
      where organization_id = ${organization_id} and user_id = ${user_id} and key = ${key}`
    return row ?? { key, value: null, updated_at: null }
  })

/**
 * Sets it for the member who asks, on whatever device; the last one set counts, null takes it away.
 * @throws {DomainError} `preference_too_large`, `too_many_preferences`
 */
export const writePreference = (ctx: Ctx, key: string, value: unknown): Promise<Preference> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const user_id = await requireCurrentMember(ctx)
    if (value === null) {
      await tx`
        delete from preferences
        where organization_id = ${organization_id} and user_id = ${user_id} and key = ${key}`
      return { key, value, updated_at: null }
    }
    const bytes = Buffer.byteLength(JSON.stringify(value))
    if (bytes > LIMITS.bytes)
      throw invalid(
        'preference_too_large',
        '/value',
        `It has ${bytes} bytes; at most ${LIMITS.bytes} are kept.`,
      )
    const [row] = await tx<Preference[]>`
      insert into preferences (organization_id, user_id, key, value)
      select ${organization_id}, ${user_id}, ${key}, ${tx.json(storableJson(value) as never)}
      where (select count(*) from preferences where organization_id = ${organization_id} and user_id = ${user_id}
        and key <> ${key}) < ${LIMITS.keys}
      on conflict (organization_id, user_id, key) do update set value = excluded.value, updated_at = now()
      returning key, value, updated_at`
    if (row) return row
    throw new DomainError(
      'conflict',
      'too_many_preferences',
      `At most ${LIMITS.keys} are kept for a member.`,
      {
        extra: { count: LIMITS.keys },
      },
    )
  })
