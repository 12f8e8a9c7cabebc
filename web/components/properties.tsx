import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef, useState, type KeyboardEvent } from 'react'
import { ApiError, errorText, send } from '../api.ts'
import { leadQuery } from '../queries.ts'
import type { Fact, Lead } from '../records.ts'
import { fieldLabel } from '../words.ts'
import { SourcedValue } from './sourced-value.tsx'

/** The fields of a lead that can be edited in place. */
export type EditableField =
  | 'contact_name'
  | 'company_name'
  | 'title'
  | 'email'
  | 'phone'
  | 'website'
  | 'industry'
  | 'city'
  | 'country'
  | 'source'

/** The fields of a lead: click to edit, Enter or leaving saves, Escape gives up. */
export const Properties = ({ lead, who }: { lead: Lead; who: string }) => (
  <dl className="flex flex-col">
    {fields.map((field) => (
      <Property key={field} lead={lead} field={field} fact={factFor(lead, field)} who={who} />
    ))}
  </dl>
)

/** Saves one field with the version it was read at; a conflict answers 412 with the record as it is now. */
export const usePatchLead = (lead: Lead) => {
  const queries = useQueryClient()
  const key = leadQuery(lead.id).queryKey
  return useMutation({
    mutationFn: (change: {
      fields: Partial<Record<EditableField | 'owner_id', string | null>>
      version?: number
    }) =>
      send<Lead>('PATCH', `/api/leads/${lead.id}`, {
        version: change.version ?? lead.version,
        ...change.fields,
      }),
    onMutate: (change) => {
      const before = queries.getQueryData(key)
      queries.setQueryData(key, (now) => now && { ...now, ...change.fields })
      return { before }
    },
    onError: (_error, _change, context) => queries.setQueryData(key, context?.before),
    onSuccess: (saved) => {
      queries.setQueryData(key, saved)
      void queries.invalidateQueries({ queryKey: ['leads'] })
      void queries.invalidateQueries({ queryKey: ['timeline', lead.id] })
    },
  })
}

const fields: EditableField[] = [
  'contact_name',
  'company_name',
  'title',
  'email',
  'phone',
  'website',
  'industry',
  'city',
  'country',
  'source',
]

const factFor = (lead: Lead, field: EditableField) =>
  lead.enrichment?.facts.find((fact) => fact.key === field && fact.value === lead[field])

const Property = ({
  lead,
  field,
  fact,
  who,
}: {
  lead: Lead
  field: EditableField
  fact?: Fact
  who: string
}) => {
  const [draft, setDraft] = useState<string>()
  const patch = usePatchLead(lead)
  const opener = useRef<HTMLButtonElement>(null)
  const value = lead[field]
  const label = fieldLabel(field)
  const conflict =
    patch.error instanceof ApiError && patch.error.status === 412 ? currentOf(patch.error) : undefined

  const save = (version?: number) => {
    if (draft === undefined) return
    const next = draft.trim() || null
    if (next === value) return finish()
    patch.mutate({ fields: { [field]: next }, version }, { onSuccess: finish })
  }
  const finish = () => {
    setDraft(undefined)
    patch.reset()
    requestAnimationFrame(() => opener.current?.focus())
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') save()
    if (event.key === 'Escape') {
      event.stopPropagation()
      finish()
    }
  }
  return (
    <div className="grid min-h-8 grid-cols-[6rem_minmax(0,1fr)] items-start gap-2">
      <dt className="py-1.5 text-ink-3">{label}</dt>
      <dd className="min-w-0">
        {draft === undefined ? (
          <div className="flex min-h-8 items-center gap-1">
            {value && fact && <SourcedValue value={value} fact={fact} who={who} />}
            <button
              ref={opener}
              type="button"
              aria-label={value ? `Edit ${label}: ${value}` : `Add ${label}`}
              onClick={() => setDraft(value ?? '')}
              className={`min-h-7 min-w-0 truncate rounded-control px-1.5 text-left hover:bg-hover ${fact ? 'ml-auto shrink-0 text-12 text-ink-3' : '-ml-1.5 flex-1'} ${value ? '' : 'text-ink-3'}`}
            >
              {fact ? 'Edit' : (value ?? 'Add')}
            </button>
          </div>
        ) : (
          <input
            autoFocus
            aria-label={label}
            aria-invalid={patch.error ? true : undefined}
            aria-describedby={patch.error ? `problem-${field}` : undefined}
            value={draft}
            onChange={(event) => setDraft(event.target.value)}
            onBlur={() => !patch.error && save()}
            onKeyDown={onKeyDown}
            className="input-box -ml-2 h-8"
          />
        )}
        {patch.error && (
          <div id={`problem-${field}`} role="alert" className="py-1 text-12 text-bad-text">
            {conflict ? (
              <>
                Changed meanwhile to “{conflict[field] ?? 'empty'}”.{' '}
                <button type="button" className="font-medium underline" onClick={finish}>
                  Keep theirs
                </button>{' '}
                <button
                  type="button"
                  className="font-medium underline"
                  onClick={() => save(conflict.version)}
                >
                  Save mine
                </button>
              </>
            ) : (
              <>
                {patch.error instanceof ApiError
                  ? (patch.error.field(field) ?? errorText(patch.error))
                  : errorText(patch.error)}{' '}
                <button type="button" className="font-medium underline" onClick={finish}>
                  Discard
                </button>
              </>
            )}
          </div>
        )}
      </dd>
    </div>
  )
}

const currentOf = (error: ApiError) => error.problem['current'] as Lead | undefined
