import type { Database } from './client.ts'
import { systemCtx } from './context.ts'
import {
  addMember,
  createApiKey,
  createOrganization,
  findOrganization,
  ownerOf,
  resolveApiKey,
  resolveToken,
} from './identity.ts'
import { createSource } from './intake-sources.ts'
import { changeFallback } from './routing-settings.ts'

/** What a machine is provisioned with at boot; each part is made only when it is absent. */
export type Bootstrap = {
  organization?: string | undefined
  email?: string | undefined
  password?: string | undefined
  api_key?: string | undefined
  intake_token?: string | undefined
}

const DEFAULTS = { organization: 'My organization', email: 'owner@leadhand.example' }
/** Any number that nobody else uses: processes that boot at once provision one after the other. */
const LOCK = 4_217_700_002

/**
 * Makes the organization, its owner, an API key with every scope and an unsigned intake source, as far as they are asked
 * for and absent; leads that no rule routes are its owner's. Key and token are taken verbatim. Idempotent: every boot runs it.
 */
export const bootstrap = async (db: Database, wanted: Bootstrap): Promise<void> => {
  if (!Object.values(wanted).some((value) => value !== undefined)) return
  await db.sql.begin(async (lock) => {
    await lock`select pg_advisory_xact_lock(${LOCK})`
    const name = wanted.organization ?? DEFAULTS.organization
    const known = await findOrganization(db, name)
    const organization = known ?? (await createOrganization(db, name))
    const email = wanted.email ?? DEFAULTS.email
    if (wanted.email || !(await ownerOf(db, organization.id))) {
      await addMember(db, {
        organization_id: organization.id,
        name: nameOf(email),
        email,
        password: wanted.password,
        role: 'owner',
      })
    }
    const owner = await ownerOf(db, organization.id)
    if (!owner) throw new Error(`the organization ${name} has no owner`)
    const ctx = systemCtx(db, organization.id, 'bootstrap')
    // Until somebody says otherwise, no lead is nobody's.
    if (!known) await changeFallback(ctx, { fallback: { kind: 'member', user_id: owner.user_id } })
    if (wanted.api_key && !(await resolveApiKey(db, wanted.api_key))) {
      await createApiKey(ctx, {
        name: 'Bootstrap',
        scopes: ['*'],
        user_id: owner.user_id,
        text: wanted.api_key,
      })
    }
    if (wanted.intake_token && !(await resolveToken(db, 'intake', wanted.intake_token))) {
      await createSource(ctx, { name: 'Webhook', token: wanted.intake_token })
    }
  })
}

/** `mira.kern@example.com` → Mira Kern: a name until its owner writes a better one. */
const nameOf = (email: string): string =>
  (email.split('@')[0] ?? email)
    .split(/[._+-]+/)
    .filter(Boolean)
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join(' ') || email
