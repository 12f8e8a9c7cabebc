import { RoutingConditions } from '../db/routing-conditions.ts'
import { readSieve } from '../db/routing-shadows.ts'
import type { Team } from './team.ts'

/** A rule’s target: a member of a team. */
export const to = (name: string, of: Team) => ({ kind: 'member', user_id: of.ids[name] })

/** Asks for a rule over HTTP. */
export const addRule = async (of: Team, body: object) => of.ask('POST', '/api/routing-rules', body)

/** Of what a rule asks for, and the sectors of its target. */
export const sieveOf = ({ sectors, ...conditions }: object & { sectors?: string[] }) =>
  readSieve(RoutingConditions.parse(conditions), sectors, () => false)
