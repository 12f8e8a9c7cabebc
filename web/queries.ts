import { infiniteQueryOptions, keepPreviousData, type QueryClient, queryOptions } from '@tanstack/react-query'
import { read, type Query } from './api.ts'
import type { Activity, Approval, ApprovalCounts, Lead, Page, Pipeline, Run, Task } from './records.ts'
import type {
  Agent,
  ApiKey,
  Failure,
  IntakeSource,
  Me,
  Member,
  Message,
  Settings,
  Submission,
  Tool,
} from './workspace.ts'

/** The signed-in person and their organization. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => read<Me>('/api/me', {}, signal),
  staleTime: 60_000,
  retry: false,
})

/** Leads, a page at a time. */
export const leadsQuery = (query: Query) => listQuery<Lead>(['leads', query], '/api/leads', query)

/** One lead. */
export const leadQuery = (id: string) => oneQuery<Lead>(['lead', id], `/api/leads/${id}`)

/** A lead's timeline, newest first. */
export const timelineQuery = (id: string, actor?: string) =>
  listQuery<Activity>(['timeline', id, actor ?? 'all'], `/api/leads/${id}/timeline`, { actor })

/** The pipelines with their stages. */
export const pipelinesQuery = queryOptions({
  queryKey: ['pipelines'],
  queryFn: async ({ signal }) =>
    listed(await read<Page<Pipeline> | Pipeline[]>('/api/pipelines', {}, signal)),
  staleTime: 60_000,
})

/** Approvals, a page at a time. */
export const approvalsQuery = (query: Query) =>
  listQuery<Approval>(['approvals', query], '/api/approvals', query)

/** One approval. */
export const approvalQuery = (id: string) => oneQuery<Approval>(['approval', id], `/api/approvals/${id}`)

/** How many approvals need somebody. */
export const approvalCountsQuery = queryOptions({
  queryKey: ['approval-counts'],
  queryFn: ({ signal }) => read<ApprovalCounts>('/api/approvals/counts', {}, signal),
})

/** Runs, newest first. */
export const runsQuery = (query: Query) => listQuery<Run>(['runs', query], '/api/runs', query)

/** One run with its steps. */
export const runQuery = (id: string) => oneQuery<Run>(['run', id], `/api/runs/${id}`)

/** The agents of the organization. */
export const agentsQuery = plainList<Agent>('agents', '/api/agents')
/** Shows an agent as a change of it was answered: the next change is made upon that version. */
export const showAgent = (queries: QueryClient, saved: Agent): void => {
  queries.setQueryData(agentsQuery.queryKey, (agents) =>
    agents?.map((agent) => (agent.name === saved.name ? saved : agent)),
  )
}
/** Every tool an agent can be given. */
export const toolsQuery = plainList<Tool>('tools', '/api/tools')
/** Who is in the organization. */
export const membersQuery = plainList<Member>('members', '/api/members')
/** Work that was given up on. */
export const failuresQuery = plainList<Failure>('failures', '/api/failures')
/** The doors that take leads in. */
export const intakeSourcesQuery = plainList<IntakeSource>('intake-sources', '/api/intake-sources')
/** The keys of the API. */
export const apiKeysQuery = plainList<ApiKey>('api-keys', '/api/api-keys')

/** The organization's settings. */
export const settingsQuery = oneQuery<Settings>(['settings'], '/api/settings')

/** What came in, by state. */
export const submissionsQuery = (status?: string) =>
  listQuery<Submission>(['submissions', status ?? 'all'], '/api/submissions', { status })

/** The outbox, by state. */
export const messagesQuery = (status?: string) =>
  listQuery<Message>(['messages', status ?? 'all'], '/api/messages', { status })

/** Tasks on a record. */
export const tasksQuery = (subjectId: string) =>
  queryOptions({
    queryKey: ['tasks', subjectId],
    queryFn: async ({ signal }) =>
      listed(
        await read<Page<Task> | Task[]>('/api/tasks', { subject_id: subjectId, status: 'open' }, signal),
      ),
  })

const pageSize = 50

function oneQuery<T>(queryKey: string[], path: string) {
  return queryOptions({ queryKey, queryFn: ({ signal }) => read<T>(path, {}, signal) })
}

function plainList<T>(name: string, path: string) {
  return queryOptions({
    queryKey: [name],
    queryFn: async ({ signal }) => listed(await read<Page<T> | T[]>(path, {}, signal)),
  })
}

function listQuery<T>(queryKey: unknown[], path: string, query: Query) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      read<Page<T>>(path, { limit: pageSize, ...query, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    select: (pages) => pages.pages.flatMap((page) => page.data),
  })
}

function listed<T>(answer: Page<T> | T[]): T[] {
  return Array.isArray(answer) ? answer : answer.data
}
