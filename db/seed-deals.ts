import { type NewAccount, createAccount } from './accounts.ts'
import { type NewContact, createContact } from './contacts.ts'
import type { Ctx } from './context.ts'
import { createDeal, type NewDeal } from './deals.ts'
import { linkRecords } from './links.ts'
import { addNote } from './notes.ts'
import { closeOpportunity } from './opportunity-closings.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import { defaultPipeline } from './pipelines.ts'
import type { RecordRef } from './records.ts'
import { createTask } from './tasks.ts'

/** Who sells in the demo. */
type Sellers = { mira: Ctx; jonas: Ctx; owner_id: string; rep_id: string }

/** The companies that the demo's organization sells to: their people, their deals, and what is next. Every name is made up. */
export const seedDeals = async (sellers: Sellers): Promise<void> => {
  const { stages } = await defaultPipeline(sellers.mira, 'deal')
  for (const company of companies) await seedCompany(sellers, company, stages)
}

const seedCompany = async (
  sellers: Sellers,
  { account, people, owner, deal, moves = [], won, note, task }: Company,
  stages: { id: string; label: string }[],
): Promise<void> => {
  const [ctx, owner_id] =
    owner === 'mira' ? [sellers.mira, sellers.owner_id] : [sellers.jonas, sellers.rep_id]
  const company = await createAccount(ctx, { ...account, owner_id })
  const contact_ids: string[] = []
  for (const { role, ...person } of people) {
    const { id } = await createContact(ctx, { ...person, owner_id, account_ids: [company.id] })
    contact_ids.push(id)
    if (role)
      await linkRecords(
        ctx,
        { from: { kind: 'contact', id }, to: { kind: 'account', id: company.id } },
        { role },
      )
  }
  const { closes_in_days, ...fields } = deal
  const { id } = await createDeal(
    ctx,
    {
      ...fields,
      owner_id,
      contact_ids,
      account_ids: [company.id],
      expected_close_on: new Date(Date.now() + closes_in_days * 86_400_000).toISOString().slice(0, 10),
    },
    { door: 'ui' },
  )
  for (const [label, reason] of moves) {
    const stage = stages.find((candidate) => candidate.label === label)
    if (!stage) throw new Error(`the demo has no stage “${label}”`)
    await moveOpportunity(ctx, id, { stage_id: stage.id, reason })
  }
  if (won) await closeOpportunity(ctx, id, { outcome: 'won', reason: won })
  const subject: RecordRef = { kind: 'deal', id }
  if (note) await addNote(ctx, { subject, body: note })
  if (task)
    await createTask(ctx, {
      title: task,
      priority: 'normal',
      assignee: { kind: 'user', id: owner_id },
      subjects: [subject, { kind: 'account', id: company.id }],
    })
}

type Company = {
  account: NewAccount
  people: (NewContact & { role?: string })[]
  owner: 'mira' | 'jonas'
  deal: NewDeal & { closes_in_days: number }
  moves?: [stage: string, reason: string][]
  won?: string
  note?: string
  task?: string
}

const companies: Company[] = [
  {
    account: {
      name: 'Hotel Aurelia',
      website: 'hotelaurelia.example',
      lifecycle: 'prospect',
      segment: 'Hospitality',
      industry: 'Hotels',
      size: 140,
      city: 'Vienna',
      country: 'AT',
      tags: ['multi-site'],
    },
    people: [
      {
        name: 'Clara Weiss',
        title: 'Purchasing Manager',
        email: 'clara.weiss@hotelaurelia.example',
        phone: '+43 1 5550123',
        role: 'Decision maker',
      },
      {
        name: 'Emil Haas',
        title: 'Head of Breakfast',
        email: 'emil.haas@hotelaurelia.example',
        role: 'User',
      },
    ],
    owner: 'mira',
    deal: {
      name: 'Breakfast machines for three houses',
      value_minor: 4_620_000,
      currency: 'EUR',
      forecast_category: 'best_case',
      source: 'Trade fair',
      closes_in_days: 35,
    },
    moves: [
      ['Appointment set', 'Tasting agreed with the head of breakfast'],
      ['Offer made', 'Offer for three houses sent'],
    ],
    note: 'They compare us with their present supplier; the service contract ends in two months.',
    task: 'Send Clara Weiss the service terms',
  },
  {
    account: {
      name: 'Fjordkaffe',
      website: 'fjordkaffe.example',
      lifecycle: 'customer',
      segment: 'Retail',
      industry: 'Coffee shops',
      size: 60,
      city: 'Bergen',
      country: 'NO',
      health: 85,
    },
    people: [
      { name: 'Astrid Moen', title: 'Owner', email: 'astrid@fjordkaffe.example', role: 'Decision maker' },
    ],
    owner: 'jonas',
    deal: {
      name: 'Grinders for five shops',
      value_minor: 9_850_000,
      currency: 'NOK',
      forecast_category: 'commit',
      source: 'Existing customer',
      closes_in_days: 12,
    },
    moves: [['Negotiation', 'Price agreed, delivery date open']],
    task: 'Confirm the delivery date with Astrid Moen',
  },
  {
    account: {
      name: 'Studio Lantern',
      website: 'studiolantern.example',
      lifecycle: 'customer',
      segment: 'Office',
      industry: 'Design',
      size: 35,
      city: 'Hamburg',
      country: 'DE',
      health: 70,
    },
    people: [{ name: 'Mateo Fuchs', title: 'Office Manager', email: 'mateo@studiolantern.example' }],
    owner: 'jonas',
    deal: {
      name: 'Office machine with service plan',
      value_minor: 780_000,
      currency: 'EUR',
      source: 'Website form',
      closes_in_days: 0,
    },
    won: 'Signed after the trial week',
  },
]
