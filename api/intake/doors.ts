import { v5 as uuidv5 } from 'uuid'
import type { Database } from '../../db/client.ts'
import { resolveToken } from '../../db/identity.ts'
import { openSource, type OpenSource } from '../../db/intake-sources.ts'
import { openAllowances, type Allowance } from '../rate-limit.ts'

/** A door with how much may still come through it now: deliveries, and visits, which must not be in their way. */
export type Door = { source: OpenSource; allowance: Allowance; visits: Allowance }

/** The doors that tokens open, kept for a moment so that a delivery costs one transaction. */
export type Doors = {
  /** The door of a token; nothing where there is none. */
  find(token: string): Promise<Door | undefined>
  /** Forgets what was kept: a door was changed or closed. */
  forget(): void
}

/** So long may a door stay as it was in another process. */
const CACHE = { ttl_ms: 1_000, max_entries: 10_000 }

/** Finds doors by their tokens. */
export const openDoors = (db: Database): Doors => {
  const kept = new Map<string, { door: Promise<Door | undefined>; until: number }>()
  const allowances = openAllowances(db)

  const look = async (token: string): Promise<Door | undefined> => {
    const found = await resolveToken(db, 'intake', token)
    const source = found && (await openSource(db, found.organization_id, found.principal))
    if (!source) return undefined
    const { organization_id, id, rate_limit_per_minute } = source
    return {
      source,
      allowance: allowances.of({ organization_id, id }, rate_limit_per_minute),
      visits: allowances.of({ organization_id, id: uuidv5('visits', id) }, rate_limit_per_minute),
    }
  }

  return {
    find: (token) => {
      const known = kept.get(token)
      if (known && known.until > Date.now()) return known.door
      if (kept.size >= CACHE.max_entries) kept.clear()
      const door = look(token)
      kept.set(token, { door, until: Date.now() + CACHE.ttl_ms })
      door.catch(() => kept.delete(token))
      return door
    },
    forget: () => kept.clear(),
  }
}
