import { useQuery } from '@tanstack/react-query'
import { agentsQuery } from './queries.ts'
import { sentence } from './words.ts'

/** The title of an agent by its name. */
export const useAgentTitle = (name: string): string => useAgentTitles()(name)

/** Looks up titles of agents by name. */
export const useAgentTitles = (): ((name: string) => string) => {
  const { data } = useQuery({ ...agentsQuery, staleTime: 60_000 })
  return (name) => data?.find((agent) => agent.name === name)?.title ?? sentence(name)
}
