import type { Candidate } from './import-known.ts'

/**
 * What the rows of an import did, or would do, that the record does not say yet: in a run, the rows of the same piece; in a
 * dry run, every row before. So that a row is planned as if those before it were written.
 */
export type Foresight = {
  /** The record as an earlier row left it; undefined when none touched it. */
  of: (ref: string) => Foreseen | undefined
  /** Those that earlier rows made or changed and that have this key now, the oldest first. */
  withKey: (key: string) => Foreseen[]
  note: (foreseen: Foreseen) => void
  /** The row that said the same, if one did. */
  saidBy: (fingerprint: string) => number | undefined
  say: (fingerprint: string, line: number) => void
  /** Whether an earlier row makes what this ref calls, to be linked with it. */
  isMade: (ref: string) => boolean
  make: (ref: string) => void
}

/** A record as an earlier row made or left it. */
export type Foreseen = {
  /** Its id; of one that is not written, `row:<n>`. */
  ref: string
  keys: string[]
  is_open: boolean
  /** Read when it is asked for: a dry run keeps very many. */
  record: () => Record<string, unknown>
}

/** What of a record has to be known to tell whether a row means it. */
export const candidateOf = ({ ref, record }: Foreseen): Candidate => {
  const { name, email, contact_name, domain } = record()
  return {
    id: ref,
    name: typeof name === 'string' ? name : '',
    archived: false,
    email: (email ?? null) as string | null,
    contact_name: (contact_name ?? null) as string | null,
    domain: (domain ?? null) as string | null,
  }
}

export const openForesight = (): Foresight => {
  const records = new Map<string, Packed>()
  const keys = new Map<string, string[]>()
  const said = new Map<string, number>()
  const made = new Set<string>()
  const of = (ref: string): Foreseen | undefined => {
    const packed = records.get(ref)
    return packed && { ...packed, ref, record: () => JSON.parse(packed.json) as Record<string, unknown> }
  }
  return {
    of,
    withKey: (key) =>
      (keys.get(key) ?? []).flatMap((ref) => {
        const foreseen = of(ref)
        // It had the key before a row changed it.
        return foreseen?.keys.includes(key) ? [foreseen] : []
      }),
    note: ({ ref, keys: own, is_open, record }) => {
      const known = records.get(ref)
      records.set(ref, { keys: own, is_open, json: JSON.stringify(record()) })
      for (const key of own)
        if (!known?.keys.includes(key))
          keys.set(key, inOrder([...(keys.get(key) ?? []).filter((one) => one !== ref), ref]))
    },
    saidBy: (fingerprint) => said.get(fingerprint),
    say: (fingerprint, line) => {
      if (!said.has(fingerprint)) said.set(fingerprint, line)
    },
    isMade: (ref) => made.has(ref),
    make: (ref) => void made.add(ref),
  }
}

/** A text takes a fraction of the memory of an object. */
type Packed = { keys: string[]; is_open: boolean; json: string }

/** Ids are in the order of creation; what is not written comes after what is. */
const inOrder = (refs: string[]): string[] =>
  refs.length < 2 ? refs : refs.toSorted((a, b) => orderOf(a) - orderOf(b) || (a < b ? -1 : 1))

const orderOf = (ref: string): number =>
  ref.startsWith(UNWRITTEN) ? 1 + Number(ref.slice(UNWRITTEN.length)) : 0

const UNWRITTEN = 'row:'

/** How a record is called that a row makes. */
export const refOfRow = (n: number): string => `${UNWRITTEN}${n}`

/** Whether it is called by its row. */
export const isUnwritten = (ref: string): boolean => ref.startsWith(UNWRITTEN)
