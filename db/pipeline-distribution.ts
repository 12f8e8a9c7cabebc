import { inTx, type Ctx, type TxCtx } from './context.ts'
import { exchangeMinor, listExchangeRates } from './exchange-rates.ts'
import { listPipelines, readPipeline, type Pipeline, type Stage } from './pipelines.ts'
import { readSettings } from './settings.ts'
import {
  type FrozenTotal,
  readFrozenTotals,
  readStageTotals,
  weigh,
  type StageTotal,
} from './stage-totals.ts'

/** Cards of one currency; amounts in its minor units, `weighted_minor` by the close probability of each stage. */
export type CurrencyTotal = { currency: string; count: number; value_minor: number; weighted_minor: number }

/** All currencies in the organization's own: closed cards at the rates of their closings, the others at those of now. */
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
    const [pipeline, totals, frozen, convert] = await Promise.all([
      readPipeline(ctx, id),
      readStageTotals(ctx, id),
      readFrozenTotals(ctx, id),
      converter(ctx),
    ])
    return distribute(pipeline, totals, frozen, convert)
  })

/** Which pipelines there are, and how cards are spread over each. */
export const readDistributions = (ctx: Ctx): Promise<PipelineDistribution[]> =>
  inTx(ctx, async (ctx) => {
    const [pipelines, totals, frozen, convert] = await Promise.all([
      listPipelines(ctx),
      readStageTotals(ctx),
      readFrozenTotals(ctx),
      converter(ctx),
    ])
    return pipelines.map((pipeline) => distribute(pipeline, totals, frozen, convert))
  })

type Convert = (totals: readonly CurrencyTotal[]) => ConvertedTotal

/** Converts by the organization's exchange rates; its own currency is worth 1. */
const converter = async (ctx: TxCtx): Promise<Convert> => {
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
  stage: Pick<Stage, 'id' | 'close_probability'>,
  totals: readonly StageTotal[],
): CurrencyTotal[] =>
  totals
    .filter(({ stage_id }) => stage_id === stage.id)
    .map(({ currency, count, value_minor }) => weighed(stage, { currency, count, value_minor }))

const weighed = (
  { close_probability }: Pick<Stage, 'close_probability'>,
  total: Omit<CurrencyTotal, 'weighted_minor'>,
): CurrencyTotal => ({ ...total, weighted_minor: weigh(total.value_minor, close_probability) })

/** What a stage is worth in one currency: its closed cards by what they were worth then, the rest in their own currencies. */
const worthOf = (
  stage: Pick<Stage, 'id' | 'close_probability'>,
  totals: readonly StageTotal[],
  frozen: readonly FrozenTotal[],
): CurrencyTotal[] => {
  const then = frozen.filter(({ stage_id }) => stage_id === stage.id)
  const exchanged = then.map(({ base_currency, base_value_minor, count }) =>
    weighed(stage, { currency: base_currency, count, value_minor: base_value_minor }),
  )
  const minus = then.map(({ currency, count, value_minor }) =>
    weighed(stage, { currency, count: -count, value_minor: -value_minor }),
  )
  return sumByCurrency([...totalsOf(stage, totals), ...minus, ...exchanged]).filter(
    ({ count, value_minor }) => count !== 0 || value_minor !== 0,
  )
}

const distribute = (
  pipeline: Pipeline,
  totals: readonly StageTotal[],
  frozen: readonly FrozenTotal[],
  convert: Convert,
): PipelineDistribution => {
  const of = (list: CurrencyTotal[], worth: CurrencyTotal[]): Totals => ({
    count: list.reduce((sum, { count }) => sum + count, 0),
    totals: list,
    converted: convert(worth),
  })
  const stages = pipeline.stages.map((stage) => {
    const [list, worth] = [totalsOf(stage, totals), worthOf(stage, totals, frozen)]
    return { worth, distribution: { ...stage, ...of(list, worth) } }
  })
  const over = (among: typeof stages) =>
    of(
      sumByCurrency(among.flatMap(({ distribution }) => distribution.totals)),
      sumByCurrency(among.flatMap(({ worth }) => worth)),
    )
  const open = stages.filter(({ distribution }) => distribution.kind === 'open')
  return {
    ...pipeline,
    stages: stages.map(({ distribution }) => distribution),
    open: over(open),
    ...over(stages),
  }
}
