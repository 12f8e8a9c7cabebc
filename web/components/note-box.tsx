import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef, useState, type KeyboardEvent } from 'react'
import { send } from '../api.ts'
import { isMac, useKey } from '../hotkeys.ts'
import { Button } from './button.tsx'
import { announceError } from '../toasts.ts'

/** Writes a note onto a lead's timeline. */
export const NoteBox = ({ leadId }: { leadId: string }) => {
  const [body, setBody] = useState('')
  const area = useRef<HTMLTextAreaElement>(null)
  const queries = useQueryClient()
  useKey('note', () => area.current?.focus())
  const save = useMutation({
    mutationFn: () =>
      send('POST', '/api/notes', { subject: { kind: 'lead', id: leadId }, body: body.trim() }),
    onSuccess: () => {
      setBody('')
      void queries.invalidateQueries({ queryKey: ['timeline', leadId] })
    },
    onError: (error) => announceError('Note not saved', error),
  })
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (isMac ? event.metaKey : event.ctrlKey) && body.trim()) save.mutate()
    if (event.key === 'Escape') area.current?.blur()
  }
  return (
    <div className="rounded-card border border-line bg-raised shadow-card has-[textarea:focus-visible]:border-accent-mark has-[textarea:focus-visible]:outline-1 has-[textarea:focus-visible]:outline-accent-mark">
      <textarea
        ref={area}
        aria-label="Add a note"
        placeholder="Add a note"
        rows={1}
        value={body}
        onChange={(event) => setBody(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content block max-h-60 min-h-9 w-full resize-none rounded-card bg-transparent px-3 py-2 outline-none"
      />
      {body.trim() && (
        <div className="flex items-center justify-end gap-2 px-2 pb-2">
          <Button kind="ghost" size="sm" onClick={() => setBody('')}>
            Discard
          </Button>
          <Button size="sm" busy={save.isPending} onClick={() => save.mutate()}>
            Save note
          </Button>
        </div>
      )}
    </div>
  )
}
