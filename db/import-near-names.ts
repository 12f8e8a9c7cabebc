import { compareCompanies, readCompany, saysCompany } from './company-names.ts'
import type { TxCtx } from './context.ts'
import { editDistance } from './folding.ts'
import { recordNameKey } from './name-keys.ts'
import { compareNames, readName } from './person-names.ts'
import { wordsOf } from './search-condition.ts'

/** A name that cells have and nobody else does. */
export type UnknownName = { kind: 'account' | 'contact'; text: string; by: 'domain' | 'email' | 'name' }

/** Who is there and is called most like that: the name, domain or address; `nearly` where it may well be the same one. */
export type NearName = { name: string; nearly: boolean }

/** What was found near the names of a file, by `nearKey`. */
export type NearNames = {
  /** What came later, this import made. */
  before: Date | null
  found: Map<string, NearName | undefined>
}

export const openNearNames = (before: Date | null): NearNames => ({ before, found: new Map() })

/** Of a file so many names are looked up, so many in one piece: each is a few searches. */
const LIMITS = { names: 100, at_once: 10, compared: 20, hits: 20, newest: 1_000, likeness: 0.3 }

/** Who is near a name, as far as it was looked up. */
export const nearestTo = ({ found }: NearNames, name: Pick<UnknownName, 'kind' | 'text'>) =>
  found.get(nearKey(name))

const nearKey = ({ kind, text }: Pick<UnknownName, 'kind' | 'text'>): string =>
  `${kind} ${recordNameKey(text)}`

/**
 * Looks up who is near the names of rows, each name once and only the first names of a file: there are files in which nobody
 * is known. Answers of how many rows that was done; the others are for another piece, because a piece has a lease.
 */
export const readNearNames = async (
  ctx: TxCtx,
  near: NearNames,
  rows: readonly (readonly UnknownName[])[],
): Promise<number> => {
  const wanted = new Map<string, UnknownName>()
  let covered = 0
  for (const names of rows) {
    const room = Math.max(0, LIMITS.names - near.found.size - wanted.size)
    const fresh = names
      .filter((name) => !near.found.has(nearKey(name)) && !wanted.has(nearKey(name)))
      .slice(0, room)
    if (wanted.size > 0 && wanted.size + fresh.length > LIMITS.at_once) break
    for (const name of fresh) wanted.set(nearKey(name), name)
    covered += 1
  }
  for (const among of Map.groupBy(wanted.values(), ({ kind }) => kind).values())
    await readSome(ctx, near, among)
  return covered
}

const readSome = async (ctx: TxCtx, near: NearNames, names: readonly UnknownName[]): Promise<void> => {
  const candidates = Map.groupBy(await readAlike(ctx, near.before, names), ({ nth }) => nth)
  for (const [n, name] of names.entries()) {
    const there = candidates.get(n + 1) ?? []
    const nearly = there.find((one) => isNearly(name, one))
    const [first] = there
    const nearest = nearly?.name ?? (name.by === 'name' ? first?.name : (first?.address ?? first?.name))
    near.found.set(
      nearKey(name),
      nearest === undefined ? undefined : { name: nearest, nearly: nearly !== undefined },
    )
  }
}

type Alike = { nth: number; name: string; address: string | null }

/** Those who share most of their letters with each of these names, the most alike first: of the newest, and where these are not all, of whom the search index finds. */
const readAlike = async (
  { tx, organization_id }: TxCtx,
  before: Date | null,
  names: readonly UnknownName[],
): Promise<Alike[]> => {
  const kind = names[0]?.kind ?? 'account'
  const [table, address] = kind === 'account' ? [tx`accounts`, tx`domain`] : [tx`contacts`, tx`email`]
  const probes = names.flatMap((name, n) => probesOf(name).map((words) => ({ nth: n + 1, words })))
  const is_there = tx`organization_id = ${organization_id} and archived_at is null and created_at < coalesce(${before}, now())`
  return tx<Alike[]>`
    with wanted as materialized (
      select * from unnest(${names.map(({ text }) => recordNameKey(text))}::text[], ${names.map(({ text, by }) => (by === 'name' ? null : text.toLowerCase()))}::text[])
        with ordinality as w (key, address, nth)),
    newest as materialized (
      select id, name, name_key, ${address} as address from ${table} where ${is_there} order by id desc limit ${LIMITS.newest}),
    found as materialized (
      select distinct p.nth, f.id from unnest(${probes.map(({ nth }) => nth)}::int[], ${probes.map(({ words }) => words.join(' '))}::text[]) as p (nth, words),
        lateral finder.search_records(${organization_id}, ${[kind]}::text[], string_to_array(p.words, ' '), ${LIMITS.hits}, ${LIMITS.hits}) as f
      where (select count(*) from newest) = ${LIMITS.newest})
    select w.nth::int, c.name, c.address from wanted w, lateral (
      select one.*, likeness from (
        select * from newest
        union all select id, name, name_key, ${address} from ${table}
          where ${is_there} and id = any(array(select f.id from found f where f.nth = w.nth))) as one,
        lateral (select greatest(similarity(one.name_key, w.key), similarity(one.address, w.address)) as likeness) as each
      where likeness >= ${LIMITS.likeness} order by likeness desc, one.id limit ${LIMITS.compared}) as c
    order by w.nth, c.likeness desc, c.id`
}

/** What a record holds that is called nearly so: one half of the name, because a slip of the fingers is in the other. */
const probesOf = ({ kind, text, by }: UnknownName): string[][] => {
  const said = by === 'name' && kind === 'account' ? readCompany(text).words.join(' ') : text
  const words = wordsOf(said.replaceAll(/[^\p{L}\p{N}\p{M}]+/gu, ' '))
  const whole = words.join(' ')
  const middle = Math.ceil(whole.length / 2)
  const halves = [whole.slice(0, middle), whole.slice(middle)]
    // Shorter ones are searched where a word begins, and the index has none.
    .map((half) => half.split(' ').filter((word) => word.length >= 3))
    .filter((half) => half.length > 0)
  return halves.length > 0 || words.length === 0 ? halves : [words]
}

/** Whether it may be the same one that somebody wrote otherwise. */
const isNearly = ({ kind, text, by }: UnknownName, { name }: Alike): boolean => {
  if (by === 'email') return false
  if (kind === 'contact') return compareNames(readName(text), readName(name)).agrees === 'wholly'
  const there = readCompany(name)
  if (by === 'domain') return saysCompany(text, there)
  const named = readCompany(text)
  return compareCompanies(named, there).share >= HALF || isSlip(named.words.join(''), there.words.join(''))
}

/** More than what says only that both are in the same place or trade. */
const HALF = 0.5

/** A slip in a word too short to tell one there is one in the whole name; numbers are meant as they stand. */
const isSlip = (one: string, other: string): boolean =>
  Math.min(one.length, other.length) >= 6 &&
  one.replaceAll(/\D/g, '') === other.replaceAll(/\D/g, '') &&
  editDistance(one, other, 1) <= 1
