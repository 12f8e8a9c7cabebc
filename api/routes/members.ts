import { z } from 'zod'
import { listMembers, roles } from '../../db/identity.ts'
import { route } from '../route.ts'
import { Id, listOf } from '../shapes.ts'

/** Somebody with a login. */
export const MemberShape = z
  .object({ id: Id, user_id: Id, name: z.string(), email: z.string(), role: z.enum(roles) })
  .meta({ id: 'Member' })

/** Everybody with a login. */
export const members = [
  route(
    {
      method: 'GET',
      path: '/api/members',
      permission: 'members:read',
      summary: 'Everybody with a login in the organization',
      response: listOf(MemberShape),
    },
    async ({ ctx }) => ({ data: await listMembers(ctx), next_cursor: null }),
  ),
]
