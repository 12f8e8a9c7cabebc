import type { TxCtx } from './context.ts'
import { customFields } from './fields.ts'
import type { FormulaDefinition, ScoreFactor } from './score-definition.ts'
import { CUSTOM } from './score-factors.ts'
import { namesIn } from './score-needs.ts'
import { formerLabels, leadStages } from './score-stages.ts'

/** What of a formula gives no points any more, because a field was archived or a stage deleted since it was written. */
export const formulaWarnings = async (
  ctx: TxCtx,
  { factors }: FormulaDefinition,
): Promise<{ factor: string; message: string }[]> => {
  const fields = await customFields(ctx, 'lead')
  const stages = new Set((await leadStages(ctx)).map(({ id }) => id))
  const gone = factors.flatMap(stagesOf).filter((id) => !stages.has(id))
  const labels = await formerLabels(ctx, gone)
  return factors.flatMap((one) => {
    const { factor } = one
    const archived = namesIn(one.looks_at)
      .filter((name) => name.startsWith(CUSTOM))
      .flatMap((name) => {
        const field = fields.find(({ key }) => CUSTOM + key === name)
        if (field && !field.archived_at) return []
        return [`It gives no points: the field “${field?.label ?? name}” is archived.`]
      })
    const deleted = stagesOf(one)
      .filter((id) => !stages.has(id))
      .map((id) => `It gives no points for the stage “${labels.get(id) ?? id}”, which was deleted.`)
    return [...archived, ...deleted].map((message) => ({ factor, message }))
  })
}

const stagesOf = ({ looks_at, cases }: ScoreFactor): string[] =>
  looks_at === 'stage' ? cases.flatMap(({ any_of = [] }) => any_of.map(String)) : []
