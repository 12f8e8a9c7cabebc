import { operationAt, type Route } from '../route.ts'
import { accounts } from '../routes/accounts.ts'
import { activities } from '../routes/activities.ts'
import { contacts } from '../routes/contacts.ts'
import { leads } from '../routes/leads.ts'
import { notes } from '../routes/notes.ts'
import { opportunities } from '../routes/opportunities.ts'
import { tasks } from '../routes/tasks.ts'
import { batchOf } from './batch.ts'
import { changeCard, createCard, kindsOfCard, moveCard } from './opportunities.ts'
import { upsertOf } from './upsert.ts'

const FOR_PROGRAMS = { keys_only: true, tag: 'external' } as const

/** An operation of `/api` at the address where programs find it. */
const published = (among: readonly Route[], method: 'GET' | 'POST' | 'PATCH', below: string): Route => {
  const operation = operationAt(among, method, `/api/${below}`)
  const { example, versioned } = operation.definition
  if (!versioned) return operation.at(`/external/v1/${below}`, FOR_PROGRAMS)
  return operation.at(`/external/v1/${below}`, {
    ...FOR_PROGRAMS,
    versioned: 'optional',
    example: withoutVersion(example as Record<string, unknown>),
    description:
      'Absent fields stay, null empties one. With `version` or If-Match only if nobody changed it since.',
  })
}

const withoutVersion = ({ version: _, ...example }: Record<string, unknown>) => example

const nounOf = (noun: string, among: readonly Route[]) => {
  const [create, update] = [published(among, 'POST', noun), published(among, 'PATCH', `${noun}/:id`)]
  const [list, read] = [published(among, 'GET', noun), published(among, 'GET', `${noun}/:id`)]
  return { create, update, all: [list, create, read, update, batchOf(noun, create, update)] }
}

const recordOf = (kind: 'lead' | 'account' | 'contact', noun: string, among: readonly Route[]): Route[] => {
  const { create, update, all } = nounOf(noun, among)
  return [...all, upsertOf(noun, () => Promise.resolve([kind]), create, update)]
}

/** The public API, version 1: for programs with a key, at addresses that stay. What they do is what `/api` does. */
export const external: readonly Route[] = [
  published(opportunities, 'GET', 'opportunities'),
  createCard,
  published(opportunities, 'GET', 'opportunities/:id'),
  changeCard,
  moveCard,
  batchOf('opportunities', createCard, changeCard),
  upsertOf('opportunities', kindsOfCard, createCard, changeCard),
  ...recordOf('lead', 'leads', leads),
  ...recordOf('account', 'accounts', accounts),
  ...recordOf('contact', 'contacts', contacts),
  ...nounOf('tasks', tasks).all,
  ...nounOf('notes', notes).all,
  ...nounOf('activities', activities).all,
]
