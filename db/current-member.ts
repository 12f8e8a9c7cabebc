import { inTx, type Ctx } from './context.ts'
import { DomainError } from './errors.ts'

/** The member who acts, or for whom a key or an agent does; nobody when the system acts by itself. */
export const currentMember = (ctx: Ctx): Promise<string | undefined> =>
  inTx(ctx, async ({ tx, actor, on_behalf_of, organization_id }) => {
    const asking = [actor, on_behalf_of].find((one) => one?.kind === 'user' || one?.kind === 'api_key')
    if (asking?.kind !== 'api_key') return asking?.id
    const [key] = await tx<{ user_id: string }[]>`
      select user_id from identity.api_keys where organization_id = ${organization_id} and id = ${asking.id}`
    return key?.user_id
  })

/** The same, where there has to be one. @throws {DomainError} `nobody_asks` */
export const requireCurrentMember = async (ctx: Ctx): Promise<string> => {
  const member = await currentMember(ctx)
  if (member) return member
  throw new DomainError('forbidden', 'nobody_asks', 'This belongs to a member, and no member asks for it.')
}
