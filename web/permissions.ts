import { useQuery } from '@tanstack/react-query'
import { meQuery } from './queries.ts'

/** What a member can be allowed and the pages ask about; the API has the whole list and the last word. */
export type Permission =
  | 'approvals:decide'
  | 'agents:write'
  | 'settings:write'
  | 'intake:write'
  | 'keys:write'

/** Whether the signed-in person may do this. */
export const useMay = (permission: Permission): boolean => {
  const { data: me } = useQuery(meQuery)
  return me?.permissions.includes(permission) ?? false
}
