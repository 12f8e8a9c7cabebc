import type { TxCtx } from './context.ts'
import { asksForArchived, sqlText } from './filter-condition.ts'
import type { FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import type { Fragment } from './filter-operands.ts'
import type { Filter } from './filters.ts'
import type { RecordKind } from './records.ts'
import { phoneDigits, searchText, searchTextOf } from './search-text.ts'
import { storableText } from './text.ts'

/** More words than `words` narrow nothing down; more records than `ids` are read in the list's order instead. */
const LIMITS = { words: 8, ids: 2_000, newest: 1_000, common: 20 }

/**
 * What holds for records of a kind that have every word of `q` somewhere. In an object: SQL that is awaited is sent.
 * Few are found by the trigram index, and their ids are the condition. Where many hold the words, the list's own order
 * comes upon them soon: each record is looked at, as far as the page needs.
 */
export const searchCondition = async (
  ctx: TxCtx,
  kind: FilterKind,
  { q, filter }: { q?: string | undefined; filter?: Filter | undefined },
  alias: string,
): Promise<{ condition: Fragment }> => {
  const { tx } = ctx
  const ways = waysOf(q)
  if (ways.length === 0) return { condition: tx`true` }
  const { search, fields } = filterKinds[kind]
  if ('texts' in search) {
    const texts = search.texts.map((name) => fields[name]?.sql?.(alias) ?? `${alias}.${name}`).join(', ')
    return { condition: holds(tx, sqlText(tx, searchTextOf(`' ' || concat_ws(' ', ${texts})`)), ways) }
  }
  const looked = holds(tx, sqlText(tx, `${alias}.search_text`), ways)
  // The index holds what is in use.
  if (asksForArchived(filter)) return { condition: looked }
  // The planner cannot know how common they are; this it takes for every second record.
  const common = { condition: tx`case when ${looked} then true else false end` }
  if (await isCommon(ctx, kind, ways)) return common
  if (!ways.every(isIndexed)) return { condition: looked }
  const found = await findRecords(ctx, search.kinds, ways, LIMITS.ids / 4)
  const ids = [...new Set(found.map(({ id }) => id))]
  if (ids.length >= LIMITS.ids) return common
  return { condition: tx`${sqlText(tx, `${alias}.id`)} = any(${ids}::uuid[])` }
}

/** The words of a search, as they are searched. */
export const wordsOf = (q: string | undefined): string[] =>
  searchText(storableText(q ?? ''))
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, LIMITS.words)

/** What a record may hold to be found: the words of a search, or its digits where it is a telephone number. */
export const waysOf = (q: string | undefined): string[][] => {
  const words = wordsOf(q)
  const digits = phoneDigits(q ?? '')
  const ways = digits === undefined || words.join(' ') === digits ? [words] : [words, [digits]]
  return ways.filter((way) => way.length > 0)
}

/** Whether the trigram index can find any of these words. */
const isIndexed = (words: string[]): boolean => words.some((word) => /[\p{L}\p{N}]{3}/u.test(word))

/**
 * Records that hold every word of one of these ways, the most alike first; of each at most four times `at_most` of a table,
 * and more than that of none.
 * @param among of so many newest ones enough may be found to look no further
 */
export const findRecords = async (
  { tx, organization_id }: TxCtx,
  kinds: readonly RecordKind[],
  ways: readonly string[][],
  at_most: number,
  among: number = LIMITS.newest,
): Promise<{ kind: RecordKind; id: string; likeness: number }[]> => {
  const each = ways.map(
    (words) =>
      tx`select * from finder.search_records(${organization_id}, ${kinds as string[]}, ${words}, ${at_most}, ${among})`,
  )
  const rows = await tx<{ kind: RecordKind; id: string; likeness: number }[]>`
    select kind, id, max(likeness) as likeness
    from (${each.reduce((all, next) => tx`${all} union all ${next}`)}) as found
    group by kind, id order by likeness desc, id desc`
  return [...rows]
}

const holds = (tx: TxCtx['tx'], text: Fragment, ways: readonly string[][]): Fragment =>
  ways.map((words) => tx`(${holdsWords(tx, text, words)})`).reduce((all, next) => tx`(${all} or ${next})`)

/** A word of three letters and more may stand inside another, a shorter one begins one. */
const holdsWords = (tx: TxCtx['tx'], text: Fragment, words: string[]): Fragment =>
  words
    .map((word) => {
      const plain = word.replaceAll(/[\\%_]/g, '\\$&')
      return tx`${text} like ${word.length > 2 || !/[\p{L}\p{N}]/u.test(word) ? `%${plain}%` : `% ${plain}%`}`
    })
    .reduce((all, next) => tx`${all} and ${next}`)

/** Whether so many of the newest records hold the words that a list in any order finds a page of them soon. */
const isCommon = async (
  { tx, organization_id }: TxCtx,
  kind: FilterKind,
  ways: readonly string[][],
): Promise<boolean> => {
  const { table, rows } = filterKinds[kind]
  const [row] = await tx<{ count: number }[]>`
    select count(*)::int as count from (
      select r.search_text from ${sqlText(tx, `${table} r`)} where r.organization_id = ${organization_id}
        and (${sqlText(tx, rows.map((of) => of('r')).join(' or '))}) order by r.id desc limit ${LIMITS.newest}) as newest
    where ${holds(tx, sqlText(tx, 'newest.search_text'), ways)}`
  return (row?.count ?? 0) >= LIMITS.common
}
