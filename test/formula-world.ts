import { afterAll } from 'vitest'
import { createField, type NewField } from '../db/fields.ts'
import type { FormulaDefinition, ScoreCase, ScoreFactor } from '../db/score-definition.ts'
import { openApi } from './api.ts'

/** A formula of these factors alone. */
export const definitionOf = (...factors: ScoreFactor[]): FormulaDefinition => ({
  base: 10,
  thresholds: { qualified: 50, nurture: 25 },
  factors,
})

/** The factor `one`, which looks at one thing. */
export const factor = (looks_at: ScoreFactor['looks_at'], ...cases: ScoreCase[]): ScoreFactor => ({
  factor: 'one',
  looks_at,
  cases,
})

/** When leads are scored that need no database. */
export const now = new Date('2026-11-21T12:00:00Z')

/** A fresh world for a test file whose leads have custom fields to be scored by; it ends with it. */
export const openFormulaWorld = async () => {
  const api = await openApi()
  afterAll(() => api.stop())
  const options = (...values: string[]) => values.map((value) => ({ value, label: value }))
  const fields: Omit<NewField, 'record_kind'>[] = [
    { key: 'team_size', label: 'Team size', type: 'integer' },
    { key: 'budget', label: 'Budget', type: 'decimal' },
    { key: 'renewal', label: 'Renewal', type: 'date' },
    { key: 'uses', label: 'Uses', type: 'multi_select', options: options('erp', 'shop') },
    { key: 'tier', label: 'Tier', type: 'select', options: options('gold', 'silver') },
    { key: 'notes', label: 'Notes', type: 'long_text' },
  ]
  for (const field of fields) await createField(api.ctx, { record_kind: 'lead', ...field })
  /** Asks for a draft over HTTP. */
  const create = (definition: unknown, name = 'A draft') =>
    api.json('POST', '/api/score-formulas', { name, definition })

  return { api, create }
}
