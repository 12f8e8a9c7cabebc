import { inTx, type Ctx, type TxCtx } from './context.ts'
import { exchangeMinor, listExchangeRates } from './exchange-rates.ts'
import { listPipelines, readPipeline, type Pipeline, type Stage } from './pipelines.ts'
import { readSettings } from './settings.ts'
import { readStageTotals, weigh, type StageTotal } from './stage-totals.ts'

/** Cards of one currency; amounts in its minor units, `weighted_minor` by the close probability of each stage. */
export type CurrencyTotal = { currency: string; count: number; value_minor: number; weighted_minor: number }

/** All currencies in the organization's own, at the rates of now. */
export type ConvertedTotal = CurrencyTotal & {
  /** Currencies that have no exchange rate: their cards are not in it. */
  without_rate: string[]
}

export type Totals = { count: number; totals: CurrencyTotal[]; converted: ConvertedTotal }

export type StageDistribution = Stage & Totals

export type PipelineDistribution = Omit<Pipeline, 'stages'> & {
  stages: StageDistribution[]
  /** Of the open stages. */
  open: Totals
} & Totals

/** How the cards of a pipeline are spread over its stages. Archived cards do not count. */
export const readDistribution = (ctx: Ctx, id: string): Promise<PipelineDistribution> =>
  inTx(ctx, async (ctx) => {
    const [pipeline, totals, convert] = await Promise.all([
      readPipeline(ctx, id),
      readStageTotals(ctx, id),
      converter(ctx),
    ])
    return distribute(pipeline, totals, convert)
  })

/** Which pipelines there are, and how cards are spread over each. */
export const readDistributions = (ctx: Ctx): Promise<PipelineDistribution[]> =>
  inTx(ctx, async (ctx) => {
    const [pipelines, totals, convert] = await Promise.all([
      listPipelines(ctx),
      readStageTotals(ctx),
      converter(ctx),
    ])
    return pipelines.map((pipeline) => distribute(pipeline, totals, convert))
  })

type Convert = (totals: readonly CurrencyTotal[]) => ConvertedTotal

/** Converts by the organization's exchange rates; its own currency is worth 1. */
export const converter = async (ctx: TxCtx): Promise<Convert> => {
  const [{ currency }, rates] = await Promise.all([readSettings(ctx), listExchangeRates(ctx)])
  const rateOf = new Map([
    ...rates.map((each) => [each.currency, each.rate] as const),
    [currency, 1] as const,
  ])
  return (totals) => {
    const sum: ConvertedTotal = { currency, count: 0, value_minor: 0, weighted_minor: 0, without_rate: [] }
    for (const total of totals) {
      const rate = rateOf.get(total.currency)
      const worth = (minor: number) =>
        rate === undefined ? null : exchangeMinor(minor, total.currency, rate, currency)
      const [value_minor, weighted_minor] = [worth(total.value_minor), worth(total.weighted_minor)]
      if (value_minor === null || weighted_minor === null) {
        sum.without_rate.push(total.currency)
        continue
      }
      sum.count += total.count
      sum.value_minor += value_minor
      sum.weighted_minor += weighted_minor
    }
    return sum
  }
}

/** One line per currency, in their order. */
export const sumByCurrency = (totals: readonly CurrencyTotal[]): CurrencyTotal[] => {
  const sums = new Map<string, CurrencyTotal>()
  for (const { currency, count, value_minor, weighted_minor } of totals) {
    const sum = sums.get(currency) ?? { currency, count: 0, value_minor: 0, weighted_minor: 0 }
    sums.set(currency, {
      currency,
      count: sum.count + count,
      value_minor: sum.value_minor + value_minor,
      weighted_minor: sum.weighted_minor + weighted_minor,
    })
  }
  return [...sums.values()].toSorted((a, b) => (a.currency < b.currency ? -1 : 1))
}

/** What a stage holds, weighted by its own probability. */
export const totalsOf = (
  { id, close_probability }: Pick<Stage, 'id' | 'close_probability'>,
  totals: readonly StageTotal[],
): CurrencyTotal[] =>
  totals
    .filter(({ stage_id }) => stage_id === id)
    .map(({ currency, count, value_minor }) => ({
      currency,
      count,
      value_minor,
      weighted_minor: weigh(value_minor, close_probability),
    }))

const distribute = (
  pipeline: Pipeline,
  totals: readonly StageTotal[],
  convert: Convert,
): PipelineDistribution => {
  const of = (list: CurrencyTotal[]): Totals => ({
    count: list.reduce((sum, { count }) => sum + count, 0),
    totals: list,
    converted: convert(list),
  })
  const stages = pipeline.stages.map((stage) => ({ ...stage, ...of(totalsOf(stage, totals)) }))
  const over = (among: readonly StageDistribution[]) =>
    of(sumByCurrency(among.flatMap((stage) => stage.totals)))
  return { ...pipeline, stages, open: over(stages.filter(({ kind }) => kind === 'open')), ...over(stages) }
}
