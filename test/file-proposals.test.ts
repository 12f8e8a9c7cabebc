import { describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { createDeal } from '../db/deals.ts'
import { changeAgentSettings } from '../db/models.ts'
import type { RecordRef } from '../db/records.ts'
import { changeSettings } from '../db/settings.ts'
import { makeDocx, makePdf } from './documents.ts'
import { eventually } from './eventually.ts'
import { openProposingWorld } from './proposing-world.ts'

const { ctx, model, get, upload, proposalOf, approve, newLead, recordAt } = await openProposingWorld()

const OFFER = [
  'Request for quotation\nWe are looking for forty seats.',
  'Company: Brightside Coffee GmbH\nPhone: 030 901820 | Fax: +49 30 901829\nCountry: Germany\nE-mail: ana@brightside.example\nTotal: 12.400,50 EUR\nExpected close: 31.01.2999',
]

describe('F45: what a file says for blank fields is proposed, as one change with its quotes', () => {
  test('a PDF on a lead: upload, approval, yes, and each field knows its file, page and words', async () => {
    const lead = await newLead({ email: 'bo@brightside.example' })
    const file_id = await upload(lead, 'request.pdf', makePdf(...OFFER))
    const approval = await proposalOf(file_id)
    expect(approval).toMatchObject({
      tool: 'update_lead',
      rule: 'suggestion',
      subject: lead,
      subject_label: (await recordAt(lead)).name,
      summary: expect.stringMatching(
        /^Fill (?:(?:company name|phone|country|value|currency|expected close on)(?:, )?){6} from the file “request.pdf”$/,
      ),
      reason: 'The file “request.pdf” says so.',
      proposed_by: { kind: 'agent', id: 'lead_worker' },
      input: {
        lead_id: lead.id,
        values: {
          company_name: 'Brightside Coffee GmbH',
          phone: '+4930901820',
          country: 'DE',
          value_minor: 1_240_050,
          currency: 'EUR',
          expected_close_on: '2999-01-31',
        },
      },
    })
    expect(approval.evidence).toHaveLength(6)
    expect(approval.evidence.find(({ label }: any) => label.startsWith('phone'))).toEqual({
      label: 'phone, in “request.pdf”, page 2',
      snippet: 'Phone: 030 901820 | Fax: +49 30 901829',
      file: { id: file_id, name: 'request.pdf', page: 2 },
    })
    expect(await recordAt(lead)).toMatchObject({
      phone: null,
      company_name: null,
      value_minor: null,
      version: 1,
    })
    expect((await get(`/api/approvals?status=pending&subject_id=${lead.id}`)).data).toHaveLength(1)

    expect(await approve(approval)).toMatchObject({ status: 'executed' })
    expect(await recordAt(lead)).toMatchObject({
      email: 'bo@brightside.example',
      phone: '+4930901820',
      company_name: 'Brightside Coffee GmbH',
      country: 'DE',
      value_minor: 1_240_050,
      currency: 'EUR',
      expected_close_on: '2999-01-31',
    })
    const { origins } = await recordAt(lead)
    expect(origins.find(({ field }: any) => field === 'phone')).toMatchObject({
      tainted: true,
      origin: {
        kind: 'file',
        file_id,
        name: 'request.pdf',
        page: 2,
        snippet: 'Phone: 030 901820 | Fax: +49 30 901829',
        run_id: approval.run_id,
      },
    })
    const timeline = (await get(`/api/leads/${lead.id}/timeline`)).data
    expect(timeline.find(({ type }: any) => type === 'approval_requested')).toMatchObject({
      actor: { kind: 'agent', id: 'lead_worker' },
      summary: expect.stringContaining('from the file “request.pdf”'),
      run_id: approval.run_id,
    })
    expect(timeline.find(({ type }: any) => type === 'record_updated')).toMatchObject({
      actor: { kind: 'agent', id: 'lead_worker' },
      on_behalf_of: { kind: 'api_key' },
      approval_id: approval.id,
      reason: 'The file “request.pdf” says so.',
    })
  })

  test('it is a run like any other: journalled, tainted by the file, by the rules, at no cost', async () => {
    const lead = await newLead()
    const file_id = await upload(lead, 'request.pdf', makePdf(...OFFER))
    const { run_id } = await proposalOf(file_id)
    const run = await eventually(async () => {
      const now = await get(`/api/runs/${run_id}`)
      return now.status === 'done' ? now : undefined
    })
    expect(run).toMatchObject({
      agent: 'lead_worker',
      trigger: { kind: 'file', file_id },
      model: 'rules',
      prompt_version: expect.stringMatching(/^[0-9a-f]{12}$/),
      requested_by: { kind: 'system', id: 'files' },
      tainted_by: [{ kind: 'file', id: file_id }],
    })
    expect(run.steps.flatMap(({ tool, verdict }: any) => (tool ? [`${tool} ${verdict}`] : []))).toEqual([
      'read_file run',
      'propose_file_facts run',
    ])
  })

  test('a CSV on a deal: its one row', async () => {
    const { id } = await createDeal(ctx, { name: 'Machines' }, { door: 'ui' })
    const deal: RecordRef = { kind: 'deal', id }
    const row =
      'Ana Ruiz;"Brightside; the roasters";ana@brightside.example;www.brightside.example;"$1,250.00"'
    const file_id = await upload(deal, 'deal.csv', `Name;Company;E-mail;Website;Value\n${row}\n`)
    await changeSettings(ctx, { changes: { currency: 'USD' } })
    const approval = await proposalOf(file_id)
    await changeSettings(ctx, { changes: { currency: 'EUR' } })
    expect(approval).toMatchObject({
      tool: 'update_record',
      input: {
        record_kind: 'deal',
        record_id: id,
        values: {
          contact_name: 'Ana Ruiz',
          company_name: 'Brightside; the roasters',
          email: 'ana@brightside.example',
          website: 'www.brightside.example',
          value_minor: 125_000,
          currency: 'USD',
        },
      },
    })
    await approve(approval)
    expect(await recordAt(deal)).toMatchObject({
      value_minor: 125_000,
      currency: 'USD',
      contact_name: 'Ana Ruiz',
    })
  })

  test('an account and a contact, of which each gets what it has fields for', async () => {
    const account: RecordRef = { kind: 'account', id: (await createAccount(ctx, { name: 'Brightside' })).id }
    const contact: RecordRef = { kind: 'contact', id: (await createContact(ctx, { name: 'Ana' })).id }
    const letter = makeDocx(
      'Website: https://brightside.example',
      'Branche: Kaffee',
      'E-mail: ana@brightside.example',
      'Position: Head of Operations',
      'City: Köln',
    )
    const files = [await upload(account, 'a.docx', letter), await upload(contact, 'a.docx', letter)]
    const [of_account, of_contact] = await Promise.all(files.map((id) => proposalOf(id)))
    expect(of_account).toMatchObject({
      tool: 'update_record',
      subject: account,
      subject_label: 'Brightside',
      input: { values: { website: 'https://brightside.example', industry: 'Kaffee', city: 'Köln' } },
    })
    expect(of_contact.input.values).toEqual({
      email: 'ana@brightside.example',
      title: 'Head of Operations',
      city: 'Köln',
    })
    for (const approval of [of_account, of_contact]) await approve(approval)
    expect(await recordAt(account)).toMatchObject({ industry: 'Kaffee', city: 'Köln' })
    expect(await recordAt(contact)).toMatchObject({
      title: 'Head of Operations',
      email: 'ana@brightside.example',
    })
  })

  test('a model’s reading is what counts where there is one, as far as it quotes', async () => {
    await changeAgentSettings(ctx, 'lead_worker', { model: 'openai:test' })
    try {
      model.answer = {
        text: 'A letter.',
        facts: [
          { key: 'contact_name', value: 'Ana Ruiz', quote: 'Yours, Ana Ruiz of Brightside' },
          { key: 'company_name', value: 'Brightside', quote: 'Yours, Ana Ruiz of Brightside' },
          { key: 'phone', value: '+49 30 5550100', quote: 'call +49 30 5550100' },
        ],
      }
      const lead = await newLead({ contact_name: undefined, email: 'x@brightside.example' })
      const file_id = await upload(lead, 'letter.txt', 'Please send an offer.\nYours, Ana Ruiz of Brightside')
      const approval = await proposalOf(file_id)
      expect(approval.input.values).toEqual({ contact_name: 'Ana Ruiz', company_name: 'Brightside' })
      expect(await get(`/api/runs/${approval.run_id}`)).toMatchObject({ model: 'rules' })
      expect((await get(`/api/files/${file_id}`)).summary.by).toBe('openai:test')
    } finally {
      await changeAgentSettings(ctx, 'lead_worker', { model: null })
    }
  })
})
