import { Link } from '@tanstack/react-router'
import { ChevronRight } from 'lucide-react'
import { useState } from 'react'
import type { Run, Step } from '../records.ts'
import { between, duration } from '../time.ts'
import { valueText } from '../words.ts'
import { InputFields } from './approval-input.tsx'
import { Button } from './button.tsx'
import { approvalOf, chapterOf, isPlumbing, ruleText, stepFailed, stepSentence } from './run-steps.ts'

/** What an agent did, line by line; model turns stay hidden until asked for, a failure is open at its line. */
export const RunStory = ({ run }: { run: Run }) => {
  const [raw, setRaw] = useState(false)
  const steps = (run.steps ?? []).filter((step) => raw || !isPlumbing(step))
  return (
    <section aria-label="What happened">
      <div className="flex h-10 items-center">
        <h2 className="text-12 font-semibold text-ink-2">What happened</h2>
        <Button kind="ghost" size="sm" className="ml-auto" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          {raw ? 'Hide raw' : 'Show raw'}
        </Button>
      </div>
      {steps.length === 0 ? (
        <p className="py-6 text-ink-3">
          {run.status === 'queued' ? 'It waits for a worker.' : 'No step has finished yet.'}
        </p>
      ) : (
        <ol className="border-t border-line">
          {steps.map((step) => (
            <StepLine key={`${step.n}${raw}`} step={step} startedAt={run.started_at} raw={raw} />
          ))}
        </ol>
      )}
    </section>
  )
}

const StepLine = ({ step, startedAt, raw }: { step: Step; startedAt: string | null; raw: boolean }) => {
  const failed = stepFailed(step)
  const [open, setOpen] = useState(failed)
  const offset = between(startedAt, step.started_at)
  const took = between(step.started_at, step.finished_at)
  const chapter = chapterOf(step)
  return (
    <li className="border-b border-line">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        data-inset-focus
        className="flex min-h-11 w-full items-center gap-3 px-1 py-2 text-left hover:bg-hover"
      >
        <ChevronRight size={14} className={`shrink-0 text-ink-3 ${open ? 'rotate-90' : ''}`} aria-hidden />
        <span className="w-16 shrink-0 text-right text-12 text-ink-3 tabular-nums">
          {offset === undefined ? '' : `+${duration(offset)}`}
        </span>
        <span className={`w-16 shrink-0 text-12 font-medium max-sm:hidden ${chapterTones[chapter]}`}>
          {chapter}
        </span>
        <span className="min-w-0 flex-1">
          <span className={failed ? 'text-bad-text' : ''}>{stepSentence(step)}</span>
          {step.rule && <span className="block text-12 text-ink-3">{ruleText(step.rule)}</span>}
        </span>
        <span className="shrink-0 text-12 text-ink-3 tabular-nums">
          {took === undefined ? 'running' : duration(took)}
        </span>
      </button>
      {open && (
        <div className="flex flex-col gap-3 pr-1 pb-4 pl-7 sm:pl-26">
          {approvalOf(step) && (
            <Link
              to="/crm/approvals"
              search={{ id: approvalOf(step) }}
              className="self-start text-accent-text hover:underline"
            >
              See approval
            </Link>
          )}
          <StepData title="Input" value={step.input} raw={raw} />
          <StepData title="Result" value={step.output} raw={raw} />
        </div>
      )}
    </li>
  )
}

const chapterTones = {
  Read: 'text-ink-2',
  Decided: 'text-agent-text',
  Did: 'text-ok-text',
  Waited: 'text-wait-text',
  Refused: 'text-bad-text',
}

const StepData = ({ title, value, raw }: { title: string; value: unknown; raw: boolean }) => {
  if (value === null || value === undefined) return null
  const fields =
    typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  if (fields && !raw) return <InputFields title={title} input={fields} schema={null} />
  return (
    <div>
      <h3 className="mb-1 text-12 font-medium text-ink-3">{title}</h3>
      {raw ? (
        <pre className="rounded-card border border-line bg-canvas px-3 py-2 font-mono text-12 break-words whitespace-pre-wrap">
          {JSON.stringify(value, null, 2)}
        </pre>
      ) : (
        <p className="rounded-card border border-line px-4 py-3 break-words whitespace-pre-wrap">
          {valueText(value)}
        </p>
      )}
    </div>
  )
}
