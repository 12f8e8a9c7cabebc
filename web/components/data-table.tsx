import { ArrowDown, ArrowUp } from 'lucide-react'
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { useKey } from '../hotkeys.ts'
import { Button } from './button.tsx'

/** A column: `sort` is the API's field, `end` aligns numbers right, `hide` names the width below which it goes. */
export type Column<Row> = {
  key: string
  header: string
  cell: (row: Row) => ReactNode
  sort?: string
  end?: boolean
  className?: string
}

/** Rows of 36 that are walked with J and K and opened with Enter; 44 and two lines on a phone. */
export const DataTable = <Row extends { id: string }>({
  label,
  columns,
  rows,
  sort,
  onSort,
  onOpen,
  more,
}: {
  label: string
  columns: Column<Row>[]
  rows: Row[]
  sort?: string
  onSort?: (sort: string | undefined) => void
  onOpen: (row: Row) => void
  more?: { load: () => void; busy: boolean }
}) => {
  const [current, setCurrent] = useState(0)
  const body = useRef<HTMLTableSectionElement>(null)
  const focusRow = (index: number) => {
    const next = Math.min(rows.length - 1, Math.max(0, index))
    setCurrent(next)
    const row = body.current?.rows[next]
    row?.focus()
    row?.scrollIntoView({ block: 'nearest' })
  }
  const hasFocus = () => body.current?.contains(document.activeElement) ?? false
  useKey('next_row', () => focusRow(hasFocus() ? current + 1 : current), rows.length > 0)
  useKey('previous_row', () => focusRow(hasFocus() ? current - 1 : current), rows.length > 0)
  useKey(
    'open_row',
    () => {
      const row = rows[current]
      if (row && hasFocus()) onOpen(row)
    },
    rows.length > 0,
  )
  const onArrows = (event: KeyboardEvent) => {
    const target = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: rows.length - 1 }[event.key]
    if (target === undefined) return
    event.preventDefault()
    focusRow(target)
  }
  return (
    <div className="min-h-0 flex-1 overflow-auto">
      {/* The grid pattern of WAI-ARIA on a native table: one tab stop, arrows inside. */}
      <table
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-to-interactive-role
        role="grid"
        onKeyDown={onArrows}
        aria-label={label}
        aria-rowcount={more ? -1 : rows.length + 1}
        className="w-full table-fixed border-separate border-spacing-0"
      >
        <thead className="sticky top-0 z-10 bg-surface max-sm:sr-only">
          <tr>
            {columns.map((column) => (
              <HeaderCell key={column.key} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row, index) => (
            <tr
              key={row.id}
              tabIndex={index === current ? 0 : -1}
              data-inset-focus
              onFocus={() => setCurrent(index)}
              onClick={(event) => {
                if (!(event.target as Element).closest('a, button')) onOpen(row)
              }}
              className="group h-9 cursor-default hover:bg-hover focus:bg-accent-tint max-sm:h-14"
            >
              {columns.map((column) => (
                <td
                  key={column.key}
                  className={`truncate border-b border-line px-2 first:pl-4 last:pr-4 ${column.end ? 'text-right tabular-nums' : ''} ${column.className ?? ''}`}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {more && <MoreRows key={rows.length} {...more} />}
    </div>
  )
}

const HeaderCell = <Row,>({
  column,
  sort,
  onSort,
}: {
  column: Column<Row>
  sort?: string
  onSort?: (sort: string | undefined) => void
}) => {
  const by = column.sort
  const direction =
    by === undefined ? undefined : sort === by ? 'ascending' : sort === `-${by}` ? 'descending' : undefined
  const next =
    by && (direction === undefined ? (column.end ? `-${by}` : by) : direction === 'ascending' ? `-${by}` : by)
  return (
    <th
      scope="col"
      aria-sort={direction}
      className={`h-8 border-b border-line px-2 text-12 font-medium whitespace-nowrap text-ink-3 first:pl-4 last:pr-4 ${column.end ? 'text-right' : 'text-left'} ${column.className ?? ''}`}
    >
      {by && onSort ? (
        <button
          type="button"
          onClick={() => onSort(next)}
          className={`-mx-1 inline-flex h-6 items-center gap-1 rounded-tag px-1 hover:bg-hover hover:text-ink-1 ${direction ? 'text-ink-1' : ''}`}
        >
          {column.header}
          {direction === 'ascending' && <ArrowUp size={12} aria-hidden />}
          {direction === 'descending' && <ArrowDown size={12} aria-hidden />}
        </button>
      ) : (
        column.header
      )}
    </th>
  )
}

// Loads the next page when its button scrolls near, and stays a button for the keyboard.
const MoreRows = ({ load, busy }: { load: () => void; busy: boolean }) => {
  const foot = useRef<HTMLDivElement>(null)
  const latest = useRef(load)
  useEffect(() => {
    latest.current = load
  })
  useEffect(() => {
    if (!foot.current) return
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && latest.current(),
      { rootMargin: '400px' },
    )
    observer.observe(foot.current)
    return () => observer.disconnect()
  }, [])
  return (
    <div ref={foot} className="flex justify-center p-3">
      <Button kind="ghost" size="sm" busy={busy} onClick={load}>
        Load more
      </Button>
    </div>
  )
}
