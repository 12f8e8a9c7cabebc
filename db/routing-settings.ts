import canonicalize from 'canonicalize'
import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx } from './context.ts'
import { staleVersion } from './errors.ts'
import { namedTakers, requireTakers, RoutingFallback } from './routing-targets.ts'

export const RoutingSettingsChange = z.object({ fallback: RoutingFallback.optional() })
export type RoutingSettingsChange = z.infer<typeof RoutingSettingsChange>

export type RoutingSettings = { fallback: RoutingFallback; version: number }

/** Who takes what no rule takes; nobody until somebody is named. */
export const readFallback = (ctx: Ctx): Promise<RoutingSettings> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<RoutingSettings[]>`
      select fallback, version from routing_settings where organization_id = ${organization_id}`
    return row ?? { fallback: { kind: 'nobody' }, version: 1 }
  })

/**
 * Names who takes what no rule takes.
 * @throws {DomainError} stale, `member_unknown`, `pool_unknown`
 */
export const changeFallback = (
  ctx: Ctx,
  { version, fallback }: RoutingSettingsChange & { version?: number | undefined },
): Promise<RoutingSettings> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const unset: RoutingFallback = { kind: 'nobody' }
    await tx`
      insert into routing_settings ${tx({ organization_id, fallback: tx.json(unset) })} on conflict do nothing`
    await tx`select 1 from routing_settings where organization_id = ${organization_id} for update`
    const before = await readFallback(ctx)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    if (fallback === undefined || canonicalize(fallback) === canonicalize(before.fallback)) return before
    await requireTakers(ctx, namedTakers(fallback, '/fallback'))
    await tx`
      update routing_settings set fallback = ${tx.json(fallback)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id}`
    await recordActivity(ctx, {
      type: 'settings_changed',
      subjects: [{ kind: 'organization', id: organization_id }],
      data: {
        what: 'who takes leads that no routing rule takes',
        changes: [{ field: 'fallback', before: before.fallback, after: fallback }],
        undo: { tool: 'set_routing_fallback', input: { fallback: before.fallback } },
      },
    })
    return readFallback(ctx)
  })
