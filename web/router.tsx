import { QueryCache, QueryClient } from '@tanstack/react-query'
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { ApiError } from './api.ts'
import { Shell } from './components/shell.tsx'
import { MissingPage, PageError } from './pages/missing.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { meQuery } from './queries.ts'

/** The cache of everything read; a session that ended anywhere leads to sign-in. */
export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (error instanceof ApiError && error.status === 401 && query.queryKey[0] !== 'me') void signInAgain()
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
})

const root = createRootRoute({ component: Outlet, notFoundComponent: MissingPage, errorComponent: PageError })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  component: SignInPage,
  validateSearch: (search): { next?: string } => ({ next: text(search['next']) }),
})

const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  component: Shell,
  errorComponent: PageError,
  beforeLoad: async ({ location }) => {
    try {
      await queries.query({ ...meQuery, staleTime: 'static' })
    } catch (error) {
      if (error instanceof ApiError && error.status === 401)
        throw redirect({ to: '/sign-in', search: { next: location.href } })
      throw error
    }
  },
})

const home = createRoute({ getParentRoute: () => app, path: '/', beforeLoad: () => toLeads() })
const crm = createRoute({ getParentRoute: () => app, path: '/crm', beforeLoad: () => toLeads() })

const leads = createRoute({
  getParentRoute: () => app,
  path: '/crm/leads',
  component: lazyRouteComponent(() => import('./pages/leads.tsx'), 'LeadsPage'),
  validateSearch: (
    search,
  ): { q?: string; stage?: string; owner?: string; source?: string; sort?: string } => ({
    q: text(search['q']),
    stage: text(search['stage']),
    owner: text(search['owner']),
    source: text(search['source']),
    sort: text(search['sort']),
  }),
})

const lead = createRoute({
  getParentRoute: () => app,
  path: '/crm/leads/$id',
  component: lazyRouteComponent(() => import('./pages/lead.tsx'), 'LeadPage'),
  validateSearch: (search): { actor?: 'human' | 'agent' | 'system' } => ({
    actor: oneOf(search['actor'], ['human', 'agent', 'system']),
  }),
})

const approvals = createRoute({
  getParentRoute: () => app,
  path: '/crm/approvals',
  component: lazyRouteComponent(() => import('./pages/approvals.tsx'), 'ApprovalsPage'),
  validateSearch: (search): { view?: 'decided'; id?: string } => ({
    view: oneOf(search['view'], ['decided']),
    id: text(search['id']),
  }),
})

const agents = createRoute({
  getParentRoute: () => app,
  path: '/crm/agents',
  component: lazyRouteComponent(() => import('./pages/agents.tsx'), 'AgentsPage'),
})

const runs = createRoute({
  getParentRoute: () => app,
  path: '/crm/runs',
  component: lazyRouteComponent(() => import('./pages/runs.tsx'), 'RunsPage'),
  validateSearch: (search): { status?: string } => ({ status: text(search['status']) }),
})

const run = createRoute({
  getParentRoute: () => app,
  path: '/crm/runs/$id',
  component: lazyRouteComponent(() => import('./pages/run.tsx'), 'RunPage'),
})

const failures = createRoute({
  getParentRoute: () => app,
  path: '/crm/failures',
  component: lazyRouteComponent(() => import('./pages/failures.tsx'), 'FailuresPage'),
})

const settings = createRoute({
  getParentRoute: () => app,
  path: '/crm/settings',
  component: lazyRouteComponent(() => import('./pages/settings.tsx'), 'SettingsPage'),
})

const settingsPages = [
  createRoute({
    getParentRoute: () => settings,
    path: '/',
    beforeLoad: () => {
      throw redirect({ to: '/crm/settings/organization', replace: true })
    },
  }),
  createRoute({
    getParentRoute: () => settings,
    path: '/organization',
    component: lazyRouteComponent(() => import('./pages/settings-organization.tsx'), 'OrganizationSettings'),
  }),
  createRoute({
    getParentRoute: () => settings,
    path: '/members',
    component: lazyRouteComponent(() => import('./pages/settings-members.tsx'), 'MembersSettings'),
  }),
  createRoute({
    getParentRoute: () => settings,
    path: '/intake',
    component: lazyRouteComponent(() => import('./pages/settings-intake.tsx'), 'IntakeSettings'),
  }),
  createRoute({
    getParentRoute: () => settings,
    path: '/mail',
    component: lazyRouteComponent(() => import('./pages/settings-mail.tsx'), 'MailSettings'),
    validateSearch: (search): { status?: string; id?: string } => ({
      status: text(search['status']),
      id: text(search['id']),
    }),
  }),
  createRoute({
    getParentRoute: () => settings,
    path: '/api-keys',
    component: lazyRouteComponent(() => import('./pages/settings-api-keys.tsx'), 'ApiKeysSettings'),
  }),
] as const

/** Every page of the product, by the nouns of the API. */
export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    app.addChildren([
      home,
      crm,
      leads,
      lead,
      approvals,
      agents,
      runs,
      run,
      failures,
      settings.addChildren(settingsPages),
    ]),
  ]),
  defaultPreload: 'intent',
  defaultPendingMs: 150,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  // Declaration merging is how the router learns its own routes.
  // oxlint-disable-next-line typescript/consistent-type-definitions
  interface Register {
    router: typeof router
  }
}

const signInAgain = async () => {
  queries.removeQueries({ queryKey: ['me'] })
  if (router.state.location.pathname !== '/sign-in')
    await router.navigate({ to: '/sign-in', search: { next: router.state.location.href } })
}

function toLeads(): never {
  throw redirect({ to: '/crm/leads', replace: true })
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== ''
    ? value
    : typeof value === 'number'
      ? String(value)
      : undefined
}

function oneOf<Value extends string>(value: unknown, allowed: readonly Value[]): Value | undefined {
  return allowed.find((item) => item === value)
}
