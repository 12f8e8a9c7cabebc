import type { TxCtx } from './context.ts'
import { sqlText } from './filter-condition.ts'
import type { FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import type { Fragment } from './filter-operands.ts'
import { storableText } from './text.ts'

/** What holds for records of a kind that have every word of `q` somewhere. In an object: SQL that is awaited is sent. */
export const searchCondition = async (
  { tx }: TxCtx,
  kind: FilterKind,
  q: string | undefined,
  alias: string,
): Promise<{ condition: Fragment }> => {
  const words = wordsOf(q)
  if (words.length === 0) return { condition: tx`true` }
  const { search } = filterKinds[kind]
  const column =
    'kinds' in search
      ? sqlText(tx, `${alias}.search_text`)
      : sqlText(tx, `lower(concat_ws(' ', ${search.texts.map((name) => `${alias}.${name}`).join(', ')}))`)
  return {
    condition: words
      .map((word) => tx`${column} like ${`%${word.replaceAll(/[\\%_]/g, '\\$&')}%`}`)
      .reduce((all, next) => tx`${all} and ${next}`),
  }
}

/** More words than these narrow nothing down. */
const MAX_WORDS = 8

/** The words of a search, in small letters. */
export const wordsOf = (q: string | undefined): string[] =>
  storableText(q ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, MAX_WORDS)
