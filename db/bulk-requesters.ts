import type { BulkJobRow } from './bulk.ts'
import type { TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import type { Role } from './identity.ts'

/** Whoever may change records may do so in bulk; a test holds this and the permissions of the API alike. */
export const bulkRoles: readonly Role[] = ['owner', 'admin', 'manager', 'rep']

/**
 * Looks whether whoever asked for a bulk act still may: a person by membership and role, a key by its own life and its
 * member's. What the system or an agent does is done for a person, or for nobody.
 * @throws {DomainError} `requester_gone`, `requester_demoted`: the act ends with this, and what it did already stays
 */
export const requireRequester = async (
  ctx: TxCtx,
  { requested_by, on_behalf_of }: Pick<BulkJobRow, 'requested_by' | 'on_behalf_of'>,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const who = requested_by.kind === 'user' || requested_by.kind === 'api_key' ? requested_by : on_behalf_of
  if (who?.kind !== 'user' && who?.kind !== 'api_key') return
  const [found] = await (who.kind === 'user'
    ? tx<Standing[]>`
        select role, true as valid from identity.members
        where organization_id = ${organization_id} and user_id = ${who.id}`
    : tx<Standing[]>`
        select m.role, k.revoked_at is null and coalesce(k.expires_at > now(), true) as valid
        from identity.api_keys k
        join identity.members m on m.organization_id = k.organization_id and m.user_id = k.user_id
        where k.organization_id = ${organization_id} and k.id = ${who.id}`)
  const rest = 'The act was stopped; what it did already stays, and can be taken back.'
  if (!found?.valid) {
    const because =
      who.kind === 'user'
        ? 'is not a member of this organization any more'
        : 'is an API key that was revoked or has expired, or whose member has left'
    throw new DomainError('forbidden', 'requester_gone', `“${who.name}” ${because}. ${rest}`)
  }
  if (!bulkRoles.includes(found.role)) {
    throw new DomainError(
      'forbidden',
      'requester_demoted',
      `“${who.name}” may not change records any more (${found.role}). ${rest}`,
    )
  }
}

type Standing = { role: Role; valid: boolean }
