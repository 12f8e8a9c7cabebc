import { listMembers } from '../../db/identity.ts'
import { route } from '../route.ts'
import { listOf, MemberShape } from '../shapes.ts'

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
