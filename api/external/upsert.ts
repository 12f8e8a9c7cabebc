import { z } from 'zod'
import { inSavepoint, inTx, type TxCtx } from '../../db/context.ts'
import { DomainError, invalid } from '../../db/errors.ts'
import { Line } from '../../db/lead-fields.ts'
import { holderOfExternalId, type RecordKind } from '../../db/records.ts'
import { ifMatch, requireMatch } from '../versions.ts'
import { bodyOf, route, type Performing, type Route } from '../route.ts'

/**
 * Puts a record where another system knows it by an id of its own: changed when a record has that id, else made with it.
 * @param kindsOf among which kinds it is looked for, the first one first
 */
export const upsertOf = (
  noun: string,
  kindsOf: (ctx: TxCtx, sent: Record<string, unknown>) => Promise<readonly RecordKind[]>,
  create: Route,
  update: Route,
): Route => {
  const { permission, tag, response } = create.definition
  const example = without(create.definition.example as object, ['external_id'])
  const changeable = without(bodyOf(update).shape, ['version', 'external_id'])
  // What a new one may be told beside: it decides nothing of one that is there.
  const beside = without(bodyOf(create).shape, Object.keys(bodyOf(update).shape))
  const change = (call: Performing, id: string, sent: object): Promise<unknown> => {
    const version = ifMatch(call.request)
    const values = without(sent, Object.keys(beside))
    return update.perform(call, { id }, version === undefined ? values : { ...values, version })
  }
  /** Where nothing is, null empties nothing. */
  const make = (call: Performing, external_id: string, sent: object): Promise<unknown> => {
    const values = Object.entries(sent).filter(([, value]) => value !== null)
    return create.perform(call, {}, { ...Object.fromEntries(values), external_id })
  }

  return route(
    {
      method: 'PUT',
      path: `/external/v1/${noun}/by-external-id/:external_id`,
      summary: 'Make or change one by the id that another system gave it',
      description:
        'The record that has this `external_id` is changed: what is sent is set, null empties, what is absent stays. Where there is none, it is made as `POST` makes it.',
      ...(permission ? { permission } : {}),
      ...(tag ? { tag } : {}),
      ...(response ? { response } : {}),
      keys_only: true,
      if_match: true,
      params: z.object({ external_id: ExternalId }),
      body: z.looseObject(beside),
      described_body: z.object({ ...changeable, ...beside }),
      example,
    },
    ({ params: { external_id }, body: { external_id: named = external_id, ...body }, ...call }) =>
      inTx(call.ctx, async (ctx) => {
        if (named !== external_id) throw contradicts(external_id)
        const held = await firstHolder(ctx, await kindsOf(ctx, body), external_id)
        if (held) return change({ ...call, ctx }, held, body)
        requireMatch(call.request, undefined)
        try {
          return await inSavepoint(ctx, (ctx) => make({ ...call, ctx }, external_id, body))
        } catch (error) {
          const holder = holderIn(error)
          if (!holder) throw error
          return change({ ...call, ctx }, holder, body)
        }
      }),
  )
}

/** As it is stored. */
const ExternalId = Line().pipe(z.string().min(1))

const contradicts = (external_id: string): DomainError =>
  invalid('external_id_contradicts_address', '/external_id', 'The address names another one.', [external_id])

const without = <T extends object>(members: T, names: readonly string[]): Record<string, T[keyof T]> =>
  Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)))

const firstHolder = async (
  ctx: TxCtx,
  kinds: readonly RecordKind[],
  external_id: string,
): Promise<string | undefined> => {
  const holders = await Promise.all(kinds.map((kind) => holderOfExternalId(ctx, kind, external_id)))
  return holders.find((holder) => holder !== undefined)?.id
}

/** Somebody made it in the same moment, and was first. */
const holderIn = (error: unknown): string | undefined => {
  if (!(error instanceof DomainError) || error.code !== 'external_id_taken') return undefined
  const [id] = Object.values(error.extra)
  return typeof id === 'string' ? id : undefined
}
