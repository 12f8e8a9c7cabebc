import { useMutation, useQueryClient, type QueryClient } from '@tanstack/react-query'
import { ApiError, send } from '../api.ts'
import { approvalQuery } from '../queries.ts'
import type { Approval, RejectReason } from '../records.ts'
import { clock } from '../time.ts'
import { announce, announceError } from '../toasts.ts'

/** The decisions a person can take on an approval. */
export type Decision =
  | { act: 'approve'; input?: Record<string, unknown> }
  | { act: 'reject'; reason_code: RejectReason; reason?: string }
  | { act: 'restore' }
  | { act: 'reread' }
  | { act: 'resolve'; outcome: 'sent' | 'not_sent' }

/** Sends a decision; one that came too late shows who was first instead. `onDecided` runs once it is taken. */
export const useDecision = (approval: Approval, onDecided?: (decided: Approval) => void) => {
  const queries = useQueryClient()
  return useMutation({
    mutationKey: ['decision', approval.id],
    mutationFn: ({ act, ...body }: Decision) =>
      send<Approval>(
        'POST',
        `/api/approvals/${approval.id}/${act}`,
        act === 'approve' ? { ...body, version: approval.version } : body,
      ),
    onSuccess: (decided, { act }) => {
      remember(queries, decided)
      if (act === 'approve')
        announce(approval.mail ? `Approved. The e-mail to ${approval.mail.to} is on its way.` : 'Approved')
      if (act === 'reject') {
        undoable = { approval: decided, queries }
        announce('Rejected', { label: 'Undo', run: () => void restoreLast() })
      }
      if (act === 'approve' || act === 'reject') onDecided?.(decided)
    },
    onError: (error, { act }) => {
      if (error instanceof ApiError && (error.status === 409 || error.status === 412)) {
        void queries.invalidateQueries({ queryKey: ['approval', approval.id] })
        void queries.invalidateQueries({ queryKey: ['approvals'] })
        return
      }
      announceError(failed[act], error)
    },
  })
}

/** Takes the last rejection back while that is still possible. */
export const restoreLast = async (): Promise<void> => {
  if (!undoable) return announce('There is nothing to undo')
  const { approval, queries } = undoable
  undoable = undefined
  try {
    remember(queries, await send<Approval>('POST', `/api/approvals/${approval.id}/restore`))
    announce('The rejection was taken back')
  } catch (error) {
    announceError('The rejection stands', error)
  }
}

/** What a 409 says to the person who came second. */
export const conflictText = (error: unknown): string | undefined => {
  if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 412)) return undefined
  const by = error.problem['decided_by'] as { name?: string } | null | undefined
  const at = error.problem['decided_at'] as string | undefined
  return by?.name
    ? `${by.name} decided this${at ? ` at ${clock(at)}` : ''} before you. Nothing was done twice.`
    : error.message
}

let undoable: { approval: Approval; queries: QueryClient } | undefined

const failed: Record<Decision['act'], string> = {
  approve: 'Not approved',
  reject: 'Not rejected',
  restore: 'The rejection stands',
  reread: 'Not read again',
  resolve: 'Not saved',
}

const remember = (queries: QueryClient, approval: Approval) => {
  queries.setQueryData(approvalQuery(approval.id).queryKey, approval)
  for (const queryKey of [
    ['approvals'],
    ['approval-counts'],
    ['leads'],
    ['lead', approval.subject.id],
    ['timeline', approval.subject.id],
  ]) {
    void queries.invalidateQueries({ queryKey })
  }
}
