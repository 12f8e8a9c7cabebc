import type { ScoreReason } from '../records.ts'

/** A score from 0 to 100 with a bar as long as it is high. */
export const ScoreBadge = ({ score }: { score: number | null }) =>
  score === null ? (
    <span className="text-ink-3">–</span>
  ) : (
    <span className="inline-flex items-center gap-2 align-middle">
      <span className="h-1 w-8 overflow-hidden rounded-full bg-active" aria-hidden>
        <span
          className="block h-full rounded-full bg-ink-2"
          style={{ width: `${Math.min(100, Math.max(0, score))}%` }}
        />
      </span>
      <span className="w-6 text-right tabular-nums">{score}</span>
    </span>
  )

/** Why a score is what it is: every factor with its points, largest first. */
export const ScoreReasons = ({ reasons }: { reasons: ScoreReason[] }) => (
  <ul className="flex flex-col gap-1.5">
    {reasons
      .toSorted((a, b) => Math.abs(b.points) - Math.abs(a.points))
      .map((item) => (
        <li key={`${item.factor}${item.reason}`} className="flex items-baseline gap-3">
          <span
            className={`w-8 shrink-0 text-right font-medium tabular-nums ${item.points < 0 ? 'text-bad-text' : 'text-ink-1'}`}
          >
            {item.points > 0 ? `+${item.points}` : item.points < 0 ? `−${-item.points}` : '0'}
          </span>
          <span className="min-w-0 text-ink-2">{item.reason}</span>
        </li>
      ))}
  </ul>
)
