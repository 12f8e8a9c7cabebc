import { randomBytes } from 'node:crypto'
import type { Database } from './client.ts'
import { asSystem, inTx, type Ctx } from './context.ts'
import { addMember, createOrganization, findOrganization, setPassword } from './identity.ts'
import { createSource } from './intake-sources.ts'
import { qualifyLead } from './lead-qualification.ts'
import { createLead, updateLead, type NewLead } from './leads.ts'
import { saveEnrichment } from './lead-enrichment.ts'
import { addNote } from './notes.ts'
import type { Fact } from './opportunities.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import { defaultPipeline } from './pipelines.ts'
import { createRoutingPool } from './routing-pools.ts'
import { createRoutingRule } from './routing-rules.ts'
import { changeFallback } from './routing-settings.ts'
import { queueRun } from './runs.ts'
import { seedDeals } from './seed-deals.ts'
import { createTask } from './tasks.ts'

/** The demo world: a small coffee-machine company and the people who write to it. Every name is made up. */
const demo = {
  organization: 'Harbour & Finch',
  owner: { name: 'Mira Kern', email: 'mira@harbourfinch.example' },
  rep: { name: 'Jonas Beck', email: 'jonas@harbourfinch.example' },
}

/** How to sign in to the demo. The password is random and shown once. */
export type DemoAccess = { organization: string; email: string; password: string }

/** Makes the demo organization; if it is there already, only gives its owner a new password. */
export const seedDemo = async (db: Database): Promise<DemoAccess> => {
  const password = randomBytes(9).toString('base64url')
  const access = { organization: demo.organization, email: demo.owner.email, password }
  const existing = await findOrganization(db, demo.organization)
  if (existing) {
    await setPassword(db, demo.owner.email, password)
    return access
  }
  const organization = await createOrganization(db, demo.organization)
  const owner = await addMember(db, {
    organization_id: organization.id,
    ...demo.owner,
    password,
    role: 'owner',
  })
  const rep = await addMember(db, { organization_id: organization.id, ...demo.rep, role: 'rep' })
  const mira: Ctx = {
    db,
    organization_id: organization.id,
    actor: { kind: 'user', id: owner.user_id, name: owner.name },
  }
  const jonas: Ctx = { ...mira, actor: { kind: 'user', id: rep.user_id, name: rep.name } }
  await createSource(mira, { name: 'Website form' })
  const who = { owner_id: owner.user_id, rep_id: rep.user_id }
  // One transaction: a hundred small ones would be a good part of the first start.
  await inTx(mira, async ({ tx, unanswered }) => {
    const [owning, selling] = [
      { ...mira, tx, unanswered },
      { ...jonas, tx, unanswered },
    ]
    await tellTheStory(owning, selling, who)
    await seedDeals({ mira: owning, jonas: selling, ...who })
    await seedRouting(owning, who)
  })
  return access
}

const tellTheStory = async (
  mira: Ctx,
  jonas: Ctx,
  who: { owner_id: string; rep_id: string },
): Promise<void> => {
  const { stages } = await defaultPipeline(mira, 'lead')
  const stage = (label: string): string => stages.find((candidate) => candidate.label === label)?.id ?? ''
  const visitor: Ctx = { ...mira, actor: { kind: 'visitor', id: 'demo', name: 'visitor' } }
  for (const { lead, facts, moves = [], note, task, owner, work } of people) {
    const { id } = await createLead(visitor, lead, { door: lead.source === 'Import' ? 'import' : 'webhook' })
    if (facts) {
      await saveEnrichment(asSystem(mira, 'demo'), id, {
        website: lead.website ?? '',
        summary: facts[0]?.value ?? '',
        facts,
        pages: [{ url: `https://${lead.website}/`, title: lead.company_name ?? null, status: 200 }],
      })
    }
    if (owner) await updateLead(mira, id, { owner_id: owner === 'mira' ? who.owner_id : who.rep_id })
    if (moves.length > 0) await qualifyLead(asSystem(mira, 'demo'), id)
    for (const [label, reason] of moves)
      await moveOpportunity(owner === 'mira' ? mira : jonas, id, { stage_id: stage(label), reason })
    if (note) await addNote(jonas, { subject: { kind: 'lead', id }, body: note })
    if (task) await createTask(jonas, { title: task, priority: 'normal', subjects: [{ kind: 'lead', id }] })
    if (work)
      await queueRun(mira, {
        agent: 'lead_worker',
        subject: { kind: 'lead', id },
        trigger: { kind: 'request', ask: 'work' },
      })
  }
}

/** Who gets what comes in from now on: the story above is about those who were there before. */
const seedRouting = async (
  mira: Ctx,
  { owner_id, rep_id }: { owner_id: string; rep_id: string },
): Promise<void> => {
  const both = [owner_id, rep_id].map((user_id) => ({ user_id, weight: 1 }))
  const pool = await createRoutingPool(mira, { name: 'Mira and Jonas', members: both })
  await createRoutingRule(mira, {
    name: 'Who was recommended to us',
    conditions: { source: ['Referral', 'Recommendation'] },
    target: { kind: 'member', user_id: owner_id },
  })
  await createRoutingRule(mira, {
    name: 'Cafés, restaurants and hotels',
    conditions: { industry: ['Food and beverage', 'Restaurants and hospitality'] },
    target: { kind: 'member', user_id: rep_id },
  })
  await changeFallback(mira, { fallback: { kind: 'pool', pool_id: pool.id } })
}

type Person = {
  lead: NewLead
  facts?: Fact[]
  moves?: [stage: string, reason: string][]
  note?: string
  task?: string
  owner?: 'mira' | 'jonas'
  work?: boolean
}

const fact = (website: string, key: string, value: string, path = ''): Fact => ({
  key,
  value,
  source_url: `https://${website}/${path}`,
  snippet: value,
})

const people: Person[] = [
  {
    lead: {
      contact_name: 'Ana Ruiz',
      company_name: 'Brightside Coffee Roasters',
      title: 'Head of Operations',
      email: 'ana.ruiz@brightside.example',
      phone: '+493090182044',
      website: 'brightside.example',
      message:
        'We run 12 cafés and look for espresso machines on a service plan. What does it cost for 12 locations, and how soon can you deliver?',
      source: 'Website form',
      city: 'Berlin',
      country: 'DE',
    },
    facts: [
      fact(
        'brightside.example',
        'description',
        'Brightside roasts single-origin coffee in Berlin and serves it in twelve neighbourhood cafés.',
      ),
      fact('brightside.example', 'industry', 'Food and beverage', 'about'),
    ],
    work: true,
  },
  {
    lead: {
      contact_name: 'Tom Okafor',
      company_name: 'Lumen Labs',
      title: 'Office Manager',
      email: 'tom@lumenlabs.example',
      website: 'lumenlabs.example',
      message: 'Could we get a demo of the office machine for 40 people this month?',
      source: 'Website form',
    },
    facts: [fact('lumenlabs.example', 'description', 'Lumen Labs builds light sensors for greenhouses.')],
    work: true,
  },
  {
    lead: {
      contact_name: 'Growth Desk',
      email: 'desk@rankrocket.example',
      message: 'We offer SEO services and backlinks that increase your traffic. Interested?',
      source: 'Website form',
    },
    work: true,
  },
  {
    lead: {
      contact_name: 'Priya Nair',
      company_name: 'Hotel Meridian',
      title: 'General Manager',
      email: 'priya.nair@hotelmeridian.example',
      phone: '+442079460018',
      website: 'hotelmeridian.example',
      message: 'Our breakfast room serves 180 guests. Which machine do you recommend?',
      source: 'Referral',
      value_minor: 1_850_000,
      currency: 'EUR',
    },
    owner: 'mira',
    moves: [
      ['Qualified', 'Clear need and a named volume'],
      ['In conversation', 'Priya answered and asked for a call on Thursday'],
    ],
    note: 'Two floors, one machine each. Service contract matters more than price.',
    task: 'Call Priya Nair on Thursday at 10:00',
  },
  {
    lead: {
      contact_name: 'Jana Svobodová',
      company_name: 'Kavárna Most',
      email: 'jana@kavarnamost.example',
      website: 'kavarnamost.example',
      message: 'Please send an offer for two machines and grinders.',
      source: 'Website form',
      value_minor: 920_000,
      currency: 'EUR',
    },
    owner: 'jonas',
    moves: [
      ['Qualified', 'Asks for an offer'],
      ['Proposal sent', 'Offer for two machines sent'],
    ],
    task: 'Check whether Jana Svobodová answered',
  },
  {
    lead: {
      contact_name: 'Ines Vogt',
      company_name: 'Kranich AG',
      title: 'Einkaufsleiterin',
      email: 'ines.vogt@kranich.example',
      source: 'Import',
    },
    owner: 'jonas',
  },
  {
    lead: {
      contact_name: 'Marco Bianchi',
      company_name: 'Trattoria Sole',
      phone: '+390612345678',
      source: 'Trade fair',
      message: 'Met at the fair, wants a machine for one restaurant.',
    },
    owner: 'mira',
    moves: [['Qualified', 'Met in person; ready to buy this quarter']],
  },
  {
    lead: {
      contact_name: 'Lena Fischer',
      company_name: 'Fischer & Söhne',
      email: 'lena@fischersoehne.example',
      message: 'Guten Tag, wir möchten für unsere drei Bäckereien Maschinen mieten. Was sind die Preise?',
      source: 'Website form',
      country: 'DE',
    },
    work: true,
  },
  {
    lead: {
      contact_name: 'Owen Price',
      company_name: 'Pier 9 Coworking',
      email: 'owen@pier9.example',
      source: 'Referral',
      value_minor: 640_000,
      currency: 'EUR',
    },
    owner: 'jonas',
    moves: [
      ['Qualified', 'Referred by a customer'],
      ['Negotiation', 'Discussing the service plan'],
    ],
  },
  {
    lead: {
      contact_name: 'Sofia Lind',
      company_name: 'Nordlys Bageri',
      email: 'sofia@nordlys.example',
      source: 'Website form',
      value_minor: 1_100_000,
      currency: 'EUR',
    },
    owner: 'mira',
    moves: [
      ['Qualified', 'Budget confirmed by e-mail'],
      ['Closed-Won', 'Signed for three machines'],
    ],
  },
]
