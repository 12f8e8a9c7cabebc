import { ArrowRight } from 'lucide-react'
import type { Change } from '../records.ts'
import { fieldLabel, valueText } from '../words.ts'

/** What is taken away: struck through with a minus, never by colour alone. */
export const Removed = ({ children }: { children: string | undefined }) =>
  children === undefined ? (
    <span className="text-ink-3">empty</span>
  ) : (
    <del className="box-decoration-clone rounded-tag bg-bad-tint px-1 text-bad-text decoration-bad-mark">
      <span className="sr-only">removed: </span>
      {children}
    </del>
  )

/** What is put in its place. */
export const Added = ({ children }: { children: string | undefined }) =>
  children === undefined ? (
    <span className="text-ink-3">empty</span>
  ) : (
    <ins className="box-decoration-clone rounded-tag bg-ok-tint px-1 text-ok-text no-underline">
      <span className="sr-only">added: </span>
      {children}
    </ins>
  )

/** Field, now, after: one row for each field that changes. */
export const ChangeTable = ({
  changes,
  label = 'Changes',
  before = 'Now',
  after = 'After',
}: {
  changes: Change[]
  label?: string
  before?: string
  after?: string
}) => (
  <table aria-label={label} className="w-full table-fixed border-collapse">
    <thead>
      <tr className="border-b border-line text-left text-12 text-ink-3">
        <th scope="col" className="w-[28%] py-1.5 pr-2 font-medium">
          Field
        </th>
        <th scope="col" className="py-1.5 pr-2 font-medium">
          {before}
        </th>
        <th scope="col" className="py-1.5 font-medium">
          {after}
        </th>
      </tr>
    </thead>
    <tbody>
      {changes.map((change) => (
        <tr key={change.field} className="border-b border-line align-top last:border-0">
          <th scope="row" className="py-2 pr-2 text-left font-normal text-ink-2">
            {change.label ?? fieldLabel(change.field)}
          </th>
          <td className="py-2 pr-2 break-words">
            <Removed>{valueText(change.before)}</Removed>
          </td>
          <td className="py-2 break-words">
            <Added>{valueText(change.after)}</Added>
          </td>
        </tr>
      ))}
    </tbody>
  </table>
)

/** The same on one line, for timelines. */
export const ChangeLines = ({ changes }: { changes: Change[] }) => (
  <ul className="flex flex-col gap-1">
    {changes.map((change) => (
      <li key={change.field} className="flex min-w-0 flex-wrap items-center gap-x-1.5 gap-y-0.5">
        <span className="text-ink-3">{change.label ?? fieldLabel(change.field)}</span>
        <Removed>{valueText(change.before)}</Removed>
        <ArrowRight size={12} className="text-ink-3" aria-hidden />
        <Added>{valueText(change.after)}</Added>
      </li>
    ))}
  </ul>
)
