import type { TxCtx } from './context.ts'
import { keyLabels, type LeadKey } from './lead-keys.ts'
import { FIELDS_COMPARED } from './lead-matching.ts'
import type { Opportunity } from './opportunities.ts'

/** What a person compares leads by. */
export type DuplicateLead = Pick<
  Opportunity,
  | (typeof FIELDS_COMPARED)[number]
  | 'id'
  | 'source'
  | 'owner'
  | 'score'
  | 'value_minor'
  | 'currency'
  | 'created_at'
  | 'updated_at'
  | 'version'
> & { stage: Pick<Opportunity['stage'], 'id' | 'label' | 'position'> }

/** A key that leads share, as people read it, and which of them do. */
export type SharedKey = LeadKey & { label: string; lead_ids: string[] }

/** Leads as people compare them, by their ids. */
export const readLeads = async (
  { tx, organization_id }: TxCtx,
  ids: string[],
): Promise<Map<string, DuplicateLead>> => {
  if (ids.length === 0) return new Map()
  const rows = await tx<DuplicateLead[]>`
    select o.id, o.name, o.contact_name, o.company_name, o.title, o.email, o.phone, o.phone_original, o.website, o.city, o.state,
      o.country, o.external_id, o.source, case when u.id is not null then jsonb_build_object('id', u.id, 'name', u.name) end as owner,
      jsonb_build_object('id', s.id, 'label', s.label, 'position', s.position) as stage, sc.score, o.value_minor, o.currency,
      o.created_at, o.updated_at, o.version
    from unnest(${ids}::uuid[]) as wanted (id)
    cross join lateral (
      select * from opportunities o where o.organization_id = ${organization_id} and o.id = wanted.id limit 1
    ) as o
    join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
    left join opportunity_scores sc on sc.organization_id = o.organization_id and sc.opportunity_id = o.id
    left join identity.users u on u.id = o.owner_id`
  return new Map(rows.map((lead) => [lead.id, lead]))
}

/** A key that these leads share. */
export const sharedKey = (key: LeadKey, lead_ids: string[]): SharedKey => ({
  ...key,
  label: keyLabels[key.kind],
  lead_ids,
})

/** Which one the others would best be merged into: the one that was worked furthest, says most, or came first. */
export const suggestPrimary = (leads: DuplicateLead[]): { primary_id: string; primary_reason: string } => {
  const says = (lead: DuplicateLead): number => FIELDS_COMPARED.filter((field) => lead[field] !== null).length
  const grounds: [of: (lead: DuplicateLead) => number, why: (lead: DuplicateLead) => string][] = [
    [({ stage }) => stage.position, ({ stage }) => `It is furthest along: ${stage.label}.`],
    [({ owner }) => (owner ? 1 : 0), ({ owner }) => `${owner?.name ?? 'Somebody'} works it.`],
    [says, (lead) => `It says most: ${says(lead)} of ${FIELDS_COMPARED.length} fields.`],
    [({ created_at }) => -created_at.getTime(), () => 'It came first.'],
  ]
  let best = leads
  for (const [of, why] of grounds) {
    const most = Math.max(...best.map(of))
    const left = best.filter((lead) => of(lead) === most)
    const [only] = left
    if (left.length === 1 && only && best.length > 1)
      return { primary_id: only.id, primary_reason: why(only) }
    best = left
  }
  return { primary_id: best[0]?.id ?? '', primary_reason: 'They say the same; it stands first.' }
}
