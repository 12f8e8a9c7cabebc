import { z } from 'zod'
import { agentCatalogue } from '../../db/policies.ts'
import { listMembers, membershipsOf, roles } from '../../db/identity.ts'
import { readAgentSettings } from '../../db/models.ts'
import { readSettings } from '../../db/settings.ts'
import { senderOf } from '../../tools/messages.ts'
import { nothingHere } from '../problem.ts'
import { route } from '../route.ts'
import { Id } from '../shapes.ts'

/** Who is asking, and what is switched on for them. */
export const MeShape = z
  .object({
    user: z.object({ id: Id, name: z.string(), email: z.string() }),
    organization: z.object({ id: Id, name: z.string(), slug: z.string() }),
    role: z.enum(roles),
    permissions: z.array(z.string()),
    ai_enabled: z.boolean(),
    model: z.string(),
    mail: z.object({ transport: z.enum(['smtp', 'capture']), from: z.string() }),
    agents: z.array(z.object({ name: z.string(), enabled: z.boolean() })),
  })
  .meta({ id: 'Me' })

/** Who is asking. */
export const me = [
  route(
    {
      method: 'GET',
      path: '/api/me',
      summary: 'Who you are, where, and what you may do',
      description: 'With an API key: the member it acts for, and the permissions that its scopes leave.',
      response: MeShape,
    },
    async ({ ctx, principal, db, outside, model }) => {
      const [members, memberships, settings, agents] = await Promise.all([
        listMembers(ctx),
        membershipsOf(db, principal.user_id),
        readSettings(ctx),
        Promise.all(
          Object.keys(agentCatalogue).map(async (name) => ({
            name,
            enabled: (await readAgentSettings(ctx, name)).enabled,
          })),
        ),
      ])
      const member = members.find(({ user_id }) => user_id === principal.user_id)
      const membership = memberships.find(({ organization }) => organization.id === ctx.organization_id)
      if (!member || !membership) throw nothingHere()
      return {
        user: { id: member.user_id, name: member.name, email: member.email },
        organization: membership.organization,
        role: principal.role,
        permissions: principal.permissions,
        ai_enabled: settings.ai_enabled,
        model,
        mail: { transport: outside.mail.mailer ? 'smtp' : 'capture', from: await senderOf(ctx, outside) },
        agents,
      }
    },
  ),
]
