import type { Actor, Ctx } from './context.ts'
import { DomainError } from './errors.ts'

/** On whose behalf something that somebody wrote is edited or deleted. */
export type Editor = {
  /** The person who asks, or the member that a key acts for. */
  user_id: string
  /** Managers and up tidy up after others, too. */
  oversees: boolean
}

/**
 * What somebody wrote is theirs to change: people their own, or anybody's where they oversee the team; agents only their
 * own. Without an editor, whoever calls has settled that.
 * @throws {DomainError} `not_the_author`
 */
export const requireAuthor = (
  { actor }: Pick<Ctx, 'actor'>,
  what: string,
  author: Actor,
  editor?: Editor,
): void => {
  if (author.kind === actor.kind && author.id === actor.id) return
  if (actor.kind !== 'agent') {
    if (!editor || editor.oversees) return
    if (author.kind === 'user' && author.id === editor.user_id) return
  }
  throw new DomainError(
    'forbidden',
    'not_the_author',
    `This ${what} is by ${author.name}. Its author can change it${actor.kind === 'agent' ? '' : ', and so can managers'}.`,
    { extra: { author } },
  )
}
