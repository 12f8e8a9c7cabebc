import { useQuery } from '@tanstack/react-query'
import { meQuery } from './queries.ts'

/** Whether the signed-in person may decide what agents propose. */
export const useMayDecide = (): boolean => {
  const { data: me } = useQuery(meQuery)
  return me?.permissions.includes('approvals:decide') ?? false
}

/** Whether the signed-in person runs the organization: policies, switches, doors and keys are theirs. */
export const useIsAdmin = (): boolean => {
  const { data: me } = useQuery(meQuery)
  return me?.role === 'owner' || me?.role === 'admin'
}
