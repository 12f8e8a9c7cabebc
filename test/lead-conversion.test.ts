import { describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { archiveField } from '../db/field-archiving.ts'
import { createField } from '../db/fields.ts'
import { listOrigins } from '../db/origins.ts'
import { getTask } from '../db/tasks.ts'
import { createTask } from '../db/tasks.ts'
import { asAgent } from './cards.ts'
import { openConversionWorld } from './conversion-world.ts'
import type { Ctx } from '../db/context.ts'
import { convertLead } from '../db/lead-conversion.ts'
import { updateLead } from '../db/leads.ts'
import { loseCard, makeLead } from './worked-lead.ts'

const { api, lead, preview, convert, reverse, linesOf, listed, count } = await openConversionWorld()

const NOBODY = '01990000-0000-7000-8000-000000000000'

describe('F29: converting a lead', () => {
  test('the preview says what would be created, writes nothing, and converting does exactly that', async () => {
    const { id, version } = await lead()
    const { status, body: plan } = await preview(id)
    expect(status, JSON.stringify(plan)).toBe(200)
    expect(plan).toMatchObject({
      lead: { id, version },
      account: {
        act: 'create',
        values: { name: `Company ${count()}`, website: `company${count()}.example` },
      },
      contact: {
        act: 'create',
        values: { name: expect.stringMatching(/^Ana Ruiz/), email: `ana@company${count()}.example` },
      },
      deal: {
        act: 'create',
        values: {
          name: `Company ${count()}`,
          value_minor: 480_000,
          currency: 'GBP',
          campaign: 'Spring',
          tags: ['hot'],
        },
        pipeline: { name: expect.any(String) },
        stage: { label: 'Initial contact' },
      },
    })
    expect((await api.json('GET', `/api/leads/${id}`)).body).toMatchObject({ version, converted: null })

    const { status: done, body } = await convert(id, { version, reason: 'They asked for an offer' })
    expect(done, JSON.stringify(body)).toBe(200)
    expect(body).toMatchObject({
      created: ['account', 'contact', 'deal'],
      linked: [],
      account: {
        name: `Company ${count()}`,
        domain: `company${count()}.example`,
        city: 'London',
        owner_id: api.owner.user_id,
      },
      contact: {
        title: 'Head of Operations',
        phone: expect.stringMatching(/^\+44207946/),
        account_ids: [body.account.id],
      },
      deal: {
        kind: 'deal',
        source_lead_id: id,
        value_minor: 480_000,
        currency: 'GBP',
        owner_id: api.owner.user_id,
        contact_ids: [body.contact.id],
        account_ids: [body.account.id],
        forecast_category: 'pipeline',
        stage: { label: 'Initial contact' },
        origin: { door: 'conversion' },
      },
      lead: {
        id,
        archived_at: expect.any(String),
        converted: { deal_id: body.deal.id, account_id: body.account.id, contact_id: body.contact.id },
        contact_ids: [body.contact.id],
        account_ids: [body.account.id],
      },
    })
    const [line] = await linesOf('lead', id)
    expect(line).toMatchObject({
      type: 'lead_converted',
      actor: { kind: 'api_key' },
      reason: 'They asked for an offer',
      undoable: true,
    })
    for (const kind of ['deal', 'account', 'contact'])
      expect((await linesOf(kind, body[kind].id)).map((entry: { id: string }) => entry.id)).toContain(line.id)
    // The deal tells what happened to the lead that it came of.
    expect((await linesOf('deal', body.deal.id)).map(({ type }: { type: string }) => type)).toContain(
      'lead_imported',
    )
  })

  test('a converted lead leaves lists and boards, keeps its history, and is found by `converted`', async () => {
    const { id } = await lead()
    await convert(id)
    const ids = (rows: { id: string }[]) => rows.map((row) => row.id)
    expect(ids(await listed())).not.toContain(id)
    expect(ids(await listed({ field: 'converted', op: 'eq', value: true }))).toContain(id)
    expect(ids(await listed({ field: 'converted', op: 'eq', value: false }))).not.toContain(id)
    const again = await convert(id)
    expect(again).toMatchObject({
      status: 409,
      body: { code: 'already_converted', deal_id: expect.any(String) },
    })
    expect(await api.json('POST', `/api/leads/${id}/restore`)).toMatchObject({
      status: 409,
      body: { code: 'lead_converted' },
    })
  })

  test('links the account of the same domain and the contact of the same address instead of making a second one', async () => {
    const one = await lead()
    const account = await createAccount(api.ctx, {
      name: 'Another name',
      website: `https://www.company${count()}.example`,
    })
    const contact = await createContact(api.ctx, { name: 'A. Ruiz', email: one.email! })
    expect((await preview(one.id)).body).toMatchObject({
      account: { act: 'link', id: account.id, because: 'same_domain' },
      contact: { act: 'link', id: contact.id, because: 'same_email' },
    })
    const { body } = await convert(one.id)
    expect(body).toMatchObject({
      created: ['deal'],
      linked: ['account', 'contact'],
      contact: { account_ids: [account.id] },
      deal: { account_ids: [account.id], contact_ids: [contact.id] },
    })
  })

  test('leads that are converted at the same moment share what they have in common', async () => {
    const company = 'Convoy Logistics'
    const atOnce = async (fields: (at: number) => Parameters<typeof makeLead>[1]) => {
      const leads = await Promise.all(
        [0, 1, 2, 3].map((at) => lead({ company_name: company, ...fields(at) })),
      )
      const answers = await Promise.all(leads.map(({ id }) => convert(id)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      const distinct = (kind: 'account' | 'contact') =>
        new Set(answers.map(({ body }) => body[kind]?.id)).size
      return [distinct('account'), distinct('contact')]
    }
    // By the domain, by the name alone, by the address of one person, by the number and the name.
    expect(await atOnce((at) => ({ email: `p${at}@convoy.example` }))).toEqual([1, 4])
    expect(await atOnce((at) => ({ company_name: 'Named Only', email: `p${at}.named@gmail.com` }))).toEqual([
      1, 4,
    ])
    expect(await atOnce((at) => ({ company_name: `Of ${at}`, email: 'one@gmail.com' }))).toEqual([4, 1])
    expect(
      await atOnce((at) => ({
        email: `kim${at}@gmail.com`,
        phone: '+44 20 7946 0999',
        contact_name: 'Kim Vale',
      })),
    ).toEqual([1, 1])
  })

  test('what only might be the same is offered, not linked; a person’s word decides', async () => {
    const one = await lead({ contact_name: 'Bo Lind' })
    const namesake = await createAccount(api.ctx, {
      name: `Company ${count()}`,
      website: 'https://elsewhere.example',
    })
    const colleague = await createContact(api.ctx, { name: 'Someone Else', phone: one.phone! })
    const { body: plan } = await preview(one.id)
    expect(plan).toMatchObject({
      account: { act: 'create' },
      contact: { act: 'create' },
      candidates: {
        account: [{ id: namesake.id, because: 'same_name_other_domain' }],
        contact: [{ id: colleague.id, because: 'same_phone' }],
      },
    })
    const { body } = await convert(one.id, { account: namesake.id, contact: 'none', deal: null })
    expect(body).toMatchObject({
      account: { id: namesake.id },
      contact: null,
      deal: null,
      created: [],
      linked: ['account'],
    })
    // The same number and the same name are the same person.
    const two = await lead({ contact_name: 'Someone Else', phone: one.phone! })
    expect((await preview(two.id)).body.contact).toMatchObject({
      id: colleague.id,
      because: 'same_phone_and_name',
    })
  })

  test('custom values go to the fields of the same key and type; the others stay on the lead', async () => {
    const make = (
      record_kind: 'lead' | 'deal' | 'account' | 'contact',
      key: string,
      type: 'short_text' | 'integer' | 'select',
    ) =>
      createField(api.ctx, {
        record_kind,
        key,
        label: key,
        type,
        ...(type === 'select' ? { options: [{ label: record_kind === 'lead' ? 'gold' : 'silver' }] } : {}),
      })
    await make('lead', 'seats', 'integer')
    await make('deal', 'seats', 'integer')
    await make('account', 'seats', 'integer')
    await make('lead', 'level', 'select')
    await make('deal', 'level', 'select')
    await make('lead', 'old_one', 'short_text')
    const gone = await make('contact', 'old_one', 'short_text')
    await archiveField(api.ctx, gone.id)
    const one = await lead({ custom: { seats: 40, level: 'gold', old_one: 'kept' } })
    expect((await preview(one.id)).body.custom).toEqual(
      expect.arrayContaining([
        { key: 'seats', label: 'seats', value: 40, to: ['account', 'deal'] },
        { key: 'level', label: 'level', value: 'gold', to: [] },
        { key: 'old_one', label: 'old_one', value: 'kept', to: [] },
      ]),
    )
    const { body } = await convert(one.id, { deal: { custom: { seats: 60 } } })
    expect(body.account.custom).toEqual({ seats: 40 })
    expect(body.deal.custom).toEqual({ seats: 60 })
    expect(body.lead.custom).toEqual({ seats: 40, level: 'gold', old_one: 'kept' })
  })

  test('what somebody outside wrote is marked so in the new records, too', async () => {
    const visitor: Ctx = { ...api.ctx, actor: { kind: 'visitor', id: NOBODY, name: 'visitor' } }
    const { id } = await makeLead(visitor, { company_name: 'Outside', email: 'kim@outside.example' })
    await updateLead(api.ctx, id, { contact_name: 'Kim', title: 'CEO' })
    const { account_id, contact_id, deal_id } = await convertLead(api.ctx, id, {})
    const tainted = async (kind: string, record: string) =>
      (await listOrigins(api.ctx, { kind, id: record }))
        .filter((origin) => origin.tainted)
        .map(({ field }) => field)
    expect(await tainted('account', account_id!)).toEqual(['name', 'website'])
    expect(await tainted('deal', deal_id!)).toEqual(['company_name', 'email'])
    expect(await tainted('contact', contact_id!)).toEqual(['email'])
  })

  test('open tasks are about the deal, too', async () => {
    const { id } = await lead()
    const task = await createTask(api.ctx, { title: 'Send an offer', subjects: [{ kind: 'lead', id }] })
    const { body } = await convert(id)
    expect((await getTask(api.ctx, task.id)).subjects).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'deal', id: body.deal.id })]),
    )
    await reverse(id)
    expect((await getTask(api.ctx, task.id)).subjects).toHaveLength(1)
  })

  test.each([
    [
      'another pipeline’s kind',
      async () => ({ deal: { pipeline_id: (await lead()).pipeline_id } }),
      422,
      'pipeline_of_other_kind',
    ],
    ['a contact that is not there', () => ({ contact: NOBODY }), 404, 'contact_not_found'],
    ['a word that means nothing', () => ({ account: 'maybe' }), 422, 'invalid_input'],
    ['a stale version', () => ({ version: 99 }), 412, 'version_mismatch'],
  ])('refuses %s and leaves nothing half done', async (_what, terms, status, code) => {
    const { id } = await lead()
    const answer = await convert(id, await terms())
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status, body: { code } })
    expect((await api.json('GET', `/api/leads/${id}`)).body.converted).toBeNull()
    expect(await api.json('GET', `/api/accounts?q=Company%20${count()}`)).toMatchObject({
      body: { data: [] },
    })
  })

  test('a closed lead is reopened first; a company without a name is asked for', async () => {
    const lost = await lead()
    await loseCard(api.ctx, lost.id)
    expect(await convert(lost.id)).toMatchObject({ status: 409, body: { code: 'opportunity_closed' } })
    const { id } = await makeLead(api.ctx, {
      email: 'kim@gmail.com',
      company_name: null as never,
      contact_name: 'Kim',
    })
    expect((await preview(id)).body.account).toBeNull()
    expect(await convert(id, { account: 'create' })).toMatchObject({
      status: 422,
      body: { code: 'company_unnamed' },
    })
  })

  test('an agent converts nothing by itself', async () => {
    const { id } = await lead()
    await expect(convertLead(asAgent(api.ctx), id, { reason: 'It is real' })).rejects.toMatchObject({
      code: 'approval_required',
    })
  })
})
