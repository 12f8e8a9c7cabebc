import { expect, test } from 'vitest'
import { conclude, interleave, median, type Measured } from '../bench/comparison.ts'

const measured: Measured = { name: 'example', unit: '/s', how: 'by hand', more: true, target: { ratio: 0.4 } }

test('the median of an even number of values lies between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(() => median([])).toThrow('no median of nothing')
})

test('ours and the limit take turns, so that a disturbance meets both', async () => {
  const order: string[] = []
  const rounds = await interleave(
    () => Promise.resolve(order.push('ours')),
    () => Promise.resolve(order.push('limit')),
  )
  expect(order).toEqual(['ours', 'limit', 'ours', 'limit', 'ours', 'limit'])
  expect(rounds).toEqual([
    { value: 1, limit: 2 },
    { value: 3, limit: 4 },
    { value: 5, limit: 6 },
  ])
})

test('a ratio is how much of the limit is reached: of more per second, and of less time', () => {
  const rounds = [
    { value: 50, limit: 100 },
    { value: 10, limit: 20 },
    { value: 30, limit: 100 },
  ]
  expect(conclude(measured, rounds)).toMatchObject({ value: 30, limit: 100, ratio: 0.5, met: true })
  expect(conclude({ ...measured, target: { ratio: 0.6 } }, rounds)).toMatchObject({ ratio: 0.5, met: false })
  const took = [{ value: 40, limit: 10 }]
  expect(conclude({ ...measured, more: false, target: { at_most: 50 } }, took)).toMatchObject({
    ratio: 0.25,
    met: true,
  })
  expect(conclude({ ...measured, more: false, target: { at_most: 39 } }, took)).toMatchObject({ met: false })
})
