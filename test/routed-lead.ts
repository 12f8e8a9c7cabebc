import { getOpportunity } from '../db/opportunities.ts'
import { getSubmission } from '../db/submissions.ts'
import type { Team } from './team.ts'

export const api_door = { door: 'api' }

let made = 0
/** Somebody who was not there before. */
export const somebody = () => {
  made += 1
  return { contact_name: `Ana Ruiz ${made}`, email: `ana.${made}@brightside.example` }
}

/** A day so many days from now. */
export const dayFrom = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10)

/** Days off from one until another. */
export const days = (from: number, until: number) => ({
  from_on: dayFrom(from),
  until_on: dayFrom(until),
})

/** The lead that a submission made or joined. */
export const leadOf = async (team: Team, submission_id: string) =>
  getOpportunity(team.ctx, (await getSubmission(team.ctx, submission_id)).lead_id!)

/** The name of who owns a lead. */
export const ownerOf = async (team: Team, lead: { id: string }) =>
  team.nameOf((await getOpportunity(team.ctx, lead.id)).owner_id)
