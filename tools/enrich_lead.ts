import { z } from 'zod'
import { type Change as FieldChange, type Inverse, recordActivity } from '../db/activities.ts'
import { companyDomain } from '../db/lead-keys.ts'
import { fillBlanks, saveEnrichment } from '../db/lead-enrichment.ts'
import { rerouteLead } from '../db/lead-rerouting.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { defineTool } from './tool.ts'
import { readSite, type SiteReading } from './vendors/site.ts'
import { WebError } from './vendors/web-error.ts'

const Fact = z.object({ key: z.string(), value: z.string(), source_url: z.string(), snippet: z.string() })
const Change = z.object({ field: z.string(), before: z.unknown(), after: z.unknown() })

type Prepared = { website: string } & (
  | { reading: SiteReading }
  | { problem: { code: string; message: string } }
)

/** Facts that fill a blank field of the lead; the others stay facts. */
const FILLS = ['company_name', 'industry', 'phone', 'city', 'state', 'country'] as const

/** Reads the lead's own website and notes what it says, each fact with where it stands. Never overwrites a value. */
export const enrich_lead = defineTool({
  name: 'enrich_lead',
  title: 'Read website',
  effect: 'write',
  description:
    'Reads the lead’s own website (a few pages) and stores what it says: company, industry, contact points, links, technologies; each with its source. Fills blank fields only.',
  input: z.object({ lead_id: z.uuid() }),
  output: z.object({
    found: z.boolean(),
    website: z.string().nullable(),
    summary: z.string(),
    facts: z.array(Fact),
    filled: z.array(Change),
    text: z.string().describe('What the site says, for reading; strangers wrote it.'),
    problem: z.object({ code: z.string(), message: z.string() }).nullable(),
  }),
  summary: () => 'Read the lead’s website and fill blank fields',
  consequence: () => 'If you approve: the website is read and blank fields are filled.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [{ name: 'field', argument: 'website' }],
  prepare: async (ctx, { lead_id }, outside, signal): Promise<Prepared> => {
    const lead = await getOpportunity(ctx, lead_id, 'lead')
    const website = lead.website ?? companyDomain(lead)
    if (!website) {
      return {
        website: '',
        problem: {
          code: 'no_website',
          message: 'the lead names no website and writes from a private mailbox or none',
        },
      }
    }
    try {
      return {
        website,
        reading: await readSite(website, { allow: outside.fetch_allow, ...(signal ? { signal } : {}) }),
      }
    } catch (error) {
      if (!(error instanceof WebError)) throw error
      return { website, problem: { code: error.code, message: error.message } }
    }
  },
  run: async (ctx, { lead_id }, _running, prepared) => {
    const subject = { kind: 'lead', id: lead_id }
    const { website } = prepared
    if ('problem' in prepared) {
      const { problem } = prepared
      await recordActivity(ctx, {
        type: 'enrichment_failed',
        subjects: [subject],
        reason: problem.message,
        data: { website, ...problem },
      })
      return {
        found: false,
        website: website || null,
        summary: problem.message,
        facts: [],
        filled: [],
        text: '',
        problem,
      }
    }
    const { reading } = prepared
    await saveEnrichment(ctx, lead_id, {
      website: reading.url,
      summary: reading.summary,
      facts: reading.facts,
      pages: reading.pages.map(({ url, title, status }) => ({ url, title, status })),
    })
    const filled = await fillBlanks(ctx, lead_id, [
      ...FILLS.flatMap((field) =>
        reading.facts
          .filter(({ key }) => key === field)
          .map(({ value, source_url, snippet }) => ({
            field,
            value,
            origin: { kind: 'url' as const, url: source_url, snippet },
          })),
      ),
      { field: 'website' as const, value: website, origin: { kind: 'url' as const, url: reading.url } },
    ])
    await recordActivity(ctx, {
      type: 'contact_enriched',
      subjects: [subject],
      reason: reading.summary,
      data: {
        website: reading.url,
        summary: reading.summary,
        facts: reading.facts,
        pages: reading.pages,
        problems: reading.problems,
        changes: filled,
        ...(filled.length > 0 ? { undo: emptying(lead_id, filled) } : {}),
      },
    })
    await rerouteLead(ctx, lead_id)
    return {
      found: true,
      website: reading.url,
      summary: reading.summary,
      facts: reading.facts,
      filled,
      text: reading.text,
      problem: null,
    }
  },
  taints: ({ website, found }) => (found && website ? [{ kind: 'url', url: website }] : []),
  undo: 'update_record',
})

const emptying = (record_id: string, filled: FieldChange[]): Inverse => ({
  tool: 'update_record',
  input: {
    record_kind: 'lead',
    record_id,
    values: Object.fromEntries(filled.map(({ field, before }) => [field, before])),
  },
})
