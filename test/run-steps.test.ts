import { expect, test } from 'vitest'
import { isPlumbing, stepSentence, triggerText } from '../web/components/run-steps.ts'
import type { Step } from '../web/records.ts'

const turn = (output: Record<string, unknown>): Step => ({
  n: 0,
  kind: 'model',
  output: { content: [], ...output },
  started_at: '2026-11-21T12:00:00Z',
  finished_at: '2026-11-21T12:00:01Z',
})

test('a turn that says why it was asked is part of the story of a run, with these words; others are not', () => {
  const because = 'No answer to the lead waited for a person: the built-in rules stood in for the model.'
  const stood_in = turn({ model: 'rules', because })
  expect([isPlumbing(stood_in), stepSentence(stood_in)]).toEqual([false, because])
  for (const [output, sentence] of [
    [{}, 'Thought about the next step'],
    [{ model: 'rules' }, 'The built-in rules thought about the next step'],
  ] as const) {
    expect([isPlumbing(turn(output)), stepSentence(turn(output))]).toEqual([true, sentence])
  }
})

test('F5: a run says in words what woke the agent, also by a trigger that the page does not know', () => {
  const words = (kind: string) => triggerText({ trigger: { kind } })
  expect(words('stage.stuck')).toBe('Woken because it is stuck in its stage')
  expect(words('submission')).toBe('Woken when the lead came in')
  expect(words('record_renewed')).toBe('Record renewed')
})
