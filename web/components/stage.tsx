import { Check, X } from 'lucide-react'
import type { Lead, Pipeline, Stage } from '../records.ts'

/** A ring that fills as the lead advances; won and lost have glyphs of their own. */
export const StageRing = ({ stage, of }: { stage: Pick<Stage, 'kind' | 'position'>; of: number }) => {
  if (stage.kind === 'won')
    return (
      <Dot className="bg-ok-mark text-surface">
        <Check size={10} strokeWidth={3} />
      </Dot>
    )
  if (stage.kind === 'lost')
    return (
      <Dot className="bg-system-mark text-surface">
        <X size={10} strokeWidth={3} />
      </Dot>
    )
  const share = Math.min(1, Math.max(0, stage.position / Math.max(1, of)))
  return (
    <svg viewBox="0 0 14 14" className="size-3.5 shrink-0 text-ink-2" aria-hidden>
      <circle
        cx="7"
        cy="7"
        r="6"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeDasharray={share === 0 ? '2.2 1.6' : undefined}
      />
      {share > 0 && (
        <circle
          cx="7"
          cy="7"
          r="2"
          fill="none"
          stroke="currentColor"
          strokeWidth="4"
          strokeDasharray={`${share * 12.57} 12.57`}
          transform="rotate(-90 7 7)"
        />
      )}
    </svg>
  )
}

/** Ring and label. */
export const StageLabel = ({
  lead,
  pipelines,
}: {
  lead: Pick<Lead, 'stage' | 'pipeline_id'>
  pipelines: Pipeline[] | undefined
}) => (
  <span className="inline-flex max-w-full min-w-0 items-center gap-2 align-middle">
    <StageRing stage={rankedStage(lead, pipelines)} of={openStages(pipelines, lead.pipeline_id)} />
    <span className="truncate">{lead.stage.label}</span>
  </span>
)

/** How many open stages a pipeline has: what a full ring means. */
export const openStages = (pipelines: Pipeline[] | undefined, pipelineId: string): number =>
  pipelines?.find((pipeline) => pipeline.id === pipelineId)?.stages.filter((stage) => stage.kind === 'open')
    .length ?? 5

/** A stage with its place counted from 0, whatever numbers the positions use. */
export const rankedStage = (
  lead: Pick<Lead, 'stage' | 'pipeline_id'>,
  pipelines: Pipeline[] | undefined,
): Pick<Stage, 'kind' | 'position'> => {
  const stages = pipelines
    ?.find((pipeline) => pipeline.id === lead.pipeline_id)
    ?.stages.toSorted((a, b) => a.position - b.position)
  const rank = stages?.findIndex((stage) => stage.id === lead.stage.id) ?? -1
  return { kind: lead.stage.kind, position: rank >= 0 ? rank : lead.stage.position }
}

const Dot = ({ className, children }: { className: string; children: React.ReactNode }) => (
  <span
    className={`flex size-3.5 shrink-0 items-center justify-center rounded-full ${className}`}
    aria-hidden
  >
    {children}
  </span>
)
