import type { Activity } from '../db/activities.ts'
import { listActivities } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { addMember, createApiKey, type Role } from '../db/identity.ts'
import { createSource } from '../db/intake-sources.ts'
import { createRoutingPool } from '../db/routing-pools.ts'
import { createRoutingRule, NewRoutingRule, type RoutingRule } from '../db/routing-rules.ts'
import { processSubmission } from '../db/submissions.ts'
import type { ApiWorld } from './api.ts'

/** An organization of its own with members who take leads. */
export type Team = {
  ctx: Ctx
  organization_id: string
  /** The owner’s. */
  key: string
  /** Asks as the owner. */
  ask: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: any }>
  /** The ids of the members, by their names. */
  ids: Record<string, string>
  /** The name of a member, or nobody. */
  nameOf(user_id: string | null): string
  /** A pool of these members, or of all. */
  pool(name: string, members?: string[]): Promise<string>
  rule(
    rule: Omit<NewRoutingRule, 'name' | 'target'> & { name?: string; to: string | { pool: string } },
  ): Promise<RoutingRule>
  /** Delivers a lead at the organization’s webhook, and reads it. Answers the submission. */
  deliver(payload: object): Promise<string>
  /** What routing said of a lead, newest first. */
  routings(lead_id: string): Promise<Activity[]>
}

/** Opens one more organization of a world, with these members. */
export const openTeam = async (api: ApiWorld, names: string[], role: Role = 'rep'): Promise<Team> => {
  const { ctx, owner, organization } = await api.other()
  const ids: Record<string, string> = {}
  for (const name of names) {
    const email = `${name.toLowerCase()}@${organization.slug}.example`
    ids[name] = (await addMember(api.db, { organization_id: organization.id, name, email, role })).user_id
  }
  const { key } = await createApiKey(ctx, { name: 'Owner’s', scopes: ['*'], user_id: owner.user_id })
  const door = await createSource(ctx, { name: 'Website', wake_agent: false, rate_limit_per_minute: 100_000 })
  const ask: Team['ask'] = (method, path, body) =>
    api.json(method, path, body, { authorization: `Bearer ${key}` })
  return {
    ctx,
    organization_id: organization.id,
    key,
    ask,
    ids,
    nameOf: (user_id) => Object.entries(ids).find(([, id]) => id === user_id)?.[0] ?? 'nobody',
    pool: async (name, members = names) => {
      const inPool = members.map((one) => ({ user_id: ids[one] ?? '', weight: 1 }))
      return (await createRoutingPool(ctx, { name, members: inPool })).id
    },
    rule: ({ to, name = 'Everybody', ...rule }) =>
      createRoutingRule(
        ctx,
        NewRoutingRule.parse({
          ...rule,
          name,
          target:
            typeof to === 'string'
              ? { kind: 'member', user_id: ids[to] }
              : { kind: 'pool', pool_id: to.pool },
        }),
      ),
    deliver: async (payload) => {
      const sent = await ask('POST', `/intake/webhook/${door.token}`, payload)
      if (sent.status !== 202) throw new Error(JSON.stringify(sent))
      await processSubmission(api.db, organization.id, sent.body.submission_id)
      return sent.body.submission_id
    },
    routings: async (lead_id) =>
      (
        await listActivities(ctx, {
          subject: { kind: 'lead', id: lead_id },
          types: ['lead_routed'],
          limit: 50,
        })
      ).data,
  }
}

/** How many leads each member owns, by name. */
export const sharesOf = async (team: Team): Promise<Record<string, number>> => {
  const { ctx } = team
  const rows = await ctx.db.sql.begin(async (tx) => {
    await tx`select set_config('app.organization_id', ${ctx.organization_id}, true)`
    return tx<{ owner_id: string | null; leads: number }[]>`
      select owner_id, count(*) as leads from opportunities where organization_id = ${ctx.organization_id} group by 1`
  })
  return Object.fromEntries(rows.map(({ owner_id, leads }) => [team.nameOf(owner_id), leads]))
}
