import type { Expression } from './score-definition.ts'
import type { Found } from './score-signals.ts'

/**
 * What a calculation comes to: null where a value is blank or the result is no number, undefined where a field is not
 * known.
 */
export const calculate = (
  expression: Expression,
  read: (field: string) => Found | null | undefined,
): number | null | undefined => {
  if ('number' in expression) return expression.number
  if ('field' in expression) {
    const found = read(expression.field)
    if (!found) return found
    return typeof found.value === 'number' ? found.value : null
  }
  const [parts, join] = operationOf(expression)
  const values = parts.map((part) => calculate(part, read))
  if (values.includes(undefined)) return undefined
  if ('divide' in expression && (values[1] === null || values[1] === 0)) {
    const { otherwise } = expression
    return typeof otherwise === 'number' ? otherwise : null
  }
  const numbers = values.filter((value): value is number => typeof value === 'number')
  if (numbers.length < values.length) return null
  const result = numbers.reduce(join)
  return Number.isFinite(result) ? result : null
}

type Operation = Exclude<Expression, { number: number } | { field: string }>

/** The parts of an operation, and how two of them are joined. */
const operationOf = (expression: Operation): [Expression[], (a: number, b: number) => number] => {
  if ('add' in expression) return [expression.add, (a, b) => a + b]
  if ('subtract' in expression) return [expression.subtract, (a, b) => a - b]
  if ('multiply' in expression) return [expression.multiply, (a, b) => a * b]
  return [expression.divide, (a, b) => a / b]
}

/** The parts of a calculation, itself among them. */
export const partsOf = (expression: Expression): Expression[] =>
  'number' in expression || 'field' in expression
    ? [expression]
    : [expression, ...operationOf(expression)[0].flatMap(partsOf)]

/**
 * What is wrong with dividing: what is divided by is never nothing, or it is said what comes of it then. What is fixed to 0
 * is wrong in any case.
 */
export const faultOfDivision = ({
  divide: [, divisor],
  otherwise,
}: Extract<Expression, { divide: unknown }>): { message: string; accepted?: unknown } | undefined => {
  const fixed = constantOf(divisor)
  if (fixed === 0) return { message: 'this divides by 0, always' }
  if (fixed !== undefined || otherwise !== undefined) return undefined
  const name = 'field' in divisor ? divisor.field : 'the divisor'
  return {
    message: `“${name}” can be 0 or blank: say what it comes to then, as otherwise (a number, or “blank” for no points)`,
    accepted: { otherwise: ['blank', 0] },
  }
}

/** What a calculation over numbers alone comes to. */
const constantOf = (expression: Expression): number | undefined => {
  if ('number' in expression) return expression.number
  if ('field' in expression) return undefined
  const [parts, join] = operationOf(expression)
  const values = parts.map(constantOf)
  const numbers = values.filter((value): value is number => value !== undefined)
  return numbers.length === values.length ? numbers.reduce(join) : undefined
}
