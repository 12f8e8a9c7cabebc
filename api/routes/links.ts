import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { changeLink, linkRecords, LinkTerms, unlinkRecords } from '../../db/links.ts'
import { listLinkedAccounts, listLinkedContacts, listLinkedDeals } from '../../db/linked-records.ts'
import { type RecordRef, requireCard, requireRecord } from '../../db/records.ts'
import { ListingQuery } from '../listing.ts'
import type { Permission } from '../permissions.ts'
import { requirePermission } from '../principal.ts'
import { recordPermissions } from '../record-permissions.ts'
import { ById, route, type Route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'
import { AccountShape } from './accounts.ts'
import { ContactShape } from './contacts.ts'
import { OpportunityShape } from './opportunities.ts'

const LinkShape = z.object({ role: Text, is_primary: z.boolean(), linked_at: Time }).meta({ id: 'Link' })

type Side = {
  noun: string
  read: Permission
  write: Permission
  find: (ctx: Ctx, id: string) => Promise<RecordRef>
}

const sides = {
  opportunities: { noun: 'card', read: 'leads:read', write: 'leads:write', find: requireCard },
  accounts: {
    noun: 'account',
    read: 'accounts:read',
    write: 'accounts:write',
    find: (ctx, id) => requireRecord(ctx, { kind: 'account', id }),
  },
  contacts: {
    noun: 'contact',
    read: 'contacts:read',
    write: 'contacts:write',
    find: (ctx, id) => requireRecord(ctx, { kind: 'contact', id }),
  },
} as const satisfies Record<string, Side>

const lists = {
  contact: { list: listLinkedContacts, shape: ContactShape },
  account: { list: listLinkedAccounts, shape: AccountShape },
  deal: { list: listLinkedDeals, shape: OpportunityShape },
} as const

const listLinked = (of: keyof typeof sides, kind: keyof typeof lists, summary: string): Route => {
  const { read, find } = sides[of]
  const { list, shape } = lists[kind]
  return route(
    {
      method: 'GET',
      path: `/api/${of}/:id/${kind}s`,
      permission: read,
      summary,
      description: `Each with \`link\`: its role, whether it is the primary one, and since when. Takes \`${recordPermissions[kind].read}\`, too.`,
      params: ById,
      query: ListingQuery,
      response: listOf(shape.extend({ link: LinkShape })),
    },
    async ({ ctx, params, query, principal }) => {
      requirePermission(principal, recordPermissions[kind].read)
      return list(ctx, await find(ctx, params.id), query)
    },
  )
}

/** The links of one side with contacts or accounts: what there is, a new one, its terms, its end. */
const linkRoutes = (of: keyof typeof sides, kind: 'contact' | 'account'): Route[] => {
  const { write, find, noun } = sides[of]
  const path = `/api/${of}/:id/${kind}s`
  const named = `${kind}_id` as const
  const params = ById.extend({ [named]: z.uuid() })
  const response = LinkShape.extend({ [named]: Id })
  const pair = async (ctx: Ctx, id: string, given: Record<string, unknown>) => ({
    from: await find(ctx, id),
    to: { kind, id: String(given[named]) },
  })
  return [
    listLinked(of, kind, `The ${kind}s of one ${noun}`),
    route(
      {
        method: 'POST',
        path,
        permission: write,
        summary: `Link one ${kind} to one ${noun}`,
        description: `The first one is the primary unless told otherwise; a new primary takes that from the old one. Takes \`${kind}s:read\`, too.`,
        params: ById,
        body: LinkTerms.extend({ [named]: z.uuid() }),
        example: { [named]: '01990000-0000-7000-8000-000000000000', role: 'Decision maker' },
        response,
        status: 201,
      },
      async ({ ctx, params, body }) => {
        const { from, to } = await pair(ctx, params.id, body)
        return { [named]: to.id, ...(await linkRecords(ctx, { from, to }, LinkTerms.parse(body))) }
      },
    ),
    route(
      {
        method: 'PATCH',
        path: `${path}/:${named}`,
        permission: write,
        summary: `Change the role of one linked ${kind}, or make it the primary`,
        params,
        body: LinkTerms,
        example: { is_primary: true },
        response,
      },
      async ({ ctx, params, body }) => {
        const { from, to } = await pair(ctx, String(params.id), params)
        return { [named]: to.id, ...(await changeLink(ctx, { from, to }, body)) }
      },
    ),
    route(
      {
        method: 'DELETE',
        path: `${path}/:${named}`,
        permission: write,
        summary: `Unlink one ${kind} from one ${noun}`,
        params,
        status: 204,
      },
      async ({ ctx, params }) => unlinkRecords(ctx, await pair(ctx, String(params.id), params)),
    ),
  ]
}

/** Who belongs to what: people and companies of cards, people of companies and the other way round. */
export const links = [
  ...linkRoutes('opportunities', 'contact'),
  ...linkRoutes('opportunities', 'account'),
  ...linkRoutes('accounts', 'contact'),
  ...linkRoutes('contacts', 'account'),
  listLinked('accounts', 'deal', 'The deals of one account'),
  listLinked('contacts', 'deal', 'The deals of one contact'),
]
