import { v7 as uuidv7 } from 'uuid'
import { Webhook } from 'standardwebhooks'
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { recordActivity } from './activities.ts'
import type { Database } from './client.ts'
import { inTx, systemCtx, type Ctx, type TxCtx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { decrypt, encrypt, hashToken, newToken } from './keys.ts'

/** The fields that a door fills, named as the door's own default mapping reads them. */
export const intakeFields = [
  'name',
  'company',
  'email',
  'phone',
  'website',
  'title',
  'message',
  'city',
  'state',
  'country',
  'source',
  'campaign',
  'landing_page',
  'external_id',
] as const
export type IntakeField = (typeof intakeFields)[number]

const PATH = /^[^\s.[\]]+(?:\.[^\s.[\]]+|\[\d+\])*$/
const FieldName = z.enum(intakeFields)
/** The names of the record are understood too. */
const RECORD_NAMES: Record<string, IntakeField> = { contact_name: 'name', company_name: 'company' }

/**
 * field → path in the payload (`contact.emails[0]`); fields that are not named are looked up under their own name.
 * A mapping written the other way round, path → field, is understood and turned.
 */
export const Mapping = z
  .record(z.string().max(200), z.string().max(200))
  .transform((given) => turned(Object.entries(given)))
  .pipe(z.partialRecord(FieldName, z.string().regex(PATH, 'a path such as contact.emails[0]')))
export type Mapping = Partial<Record<IntakeField, string>>

const turned = (pairs: [string, string][]): Record<string, string> => {
  const fieldOf = (name: string): string => RECORD_NAMES[name] ?? name
  const isField = (name: string): boolean => FieldName.safeParse(fieldOf(name)).success
  const other_way = pairs.some(([key]) => !isField(key)) && pairs.every(([, value]) => isField(value))
  return Object.fromEntries(
    pairs.map(([key, value]) => (other_way ? [fieldOf(value), pathOf(key)] : [fieldOf(key), pathOf(value)])),
  )
}

const pathOf = (text: string): string => text.trim().replace(/^\$\.?/, '')

/** A website whose pages may send touches: scheme, host and port, nothing behind. */
const SiteOrigin = z
  .string()
  .max(300)
  .transform((text, issues) => {
    const url = URL.parse(text.trim())
    if (url && /^https?:$/.test(url.protocol) && url.hostname !== '') return url.origin
    issues.addIssue({ code: 'custom', message: 'the origin of a website, such as https://www.example.com' })
    return z.NEVER
  })

const IntakeSourceFields = z.object({
  name: z.string().trim().min(1).max(120),
  mapping: Mapping.nullable(),
  defaults: z.partialRecord(z.enum(intakeFields), z.string().max(1_000)),
  signature_required: z.boolean(),
  pipeline_id: z.uuid().nullable(),
  wake_agent: z.boolean(),
  rate_limit_per_minute: z.number().int().min(1).max(10_000_000),
  origins: z.array(SiteOrigin).max(50),
})
export const NewIntakeSource = IntakeSourceFields.partial().required({ name: true })
export type NewIntakeSource = z.infer<typeof NewIntakeSource>
export const IntakeSourceChange = IntakeSourceFields.partial()
export type IntakeSourceChange = z.infer<typeof IntakeSourceChange>

export type IntakeSource = {
  id: string
  name: string
  kind: string
  token_prefix: string
  signature_required: boolean
  mapping: Mapping | null
  defaults: Partial<Record<IntakeField, string>>
  pipeline_id: string | null
  wake_agent: boolean
  rate_limit_per_minute: number
  /** The websites whose pages may send touches; none named: any. */
  origins: string[]
  previous_secret_until: Date | null
  archived_at: Date | null
  created_at: Date
  version: number
}

/** What the door needs of a source; with the secrets that a signature may be made with. */
export type OpenSource = IntakeSource & { organization_id: string; secrets: string[] }

/** How long the secret before a rotation stays good. */
const OVERLAP_MS = 24 * 3_600_000
const SIGNATURE_TOLERANCE_S = 300

/** The source a token opens, with its signing secrets; nothing when it is unknown or archived. */
export const openSource = async (
  db: Database,
  organization_id: string,
  id: string,
): Promise<OpenSource | undefined> =>
  inTx(systemCtx(db, organization_id, 'intake'), async ({ tx }) => {
    const [row] = await tx<SourceRow[]>`
      select * from intake_sources where organization_id = ${organization_id} and id = ${id} and archived_at is null`
    if (!row) return undefined
    const previous =
      row.previous_secret_until && row.previous_secret_until.getTime() > Date.now()
        ? row.previous_secret
        : null
    const secrets = [row.signing_secret, previous]
      .filter((sealed) => sealed !== null)
      .map((sealed) => decrypt(db.keys, sealed))
    return { ...toSource(row), organization_id, secrets }
  })

/** What a Standard Webhooks signature check says. `expired` is a good signature outside 300 s: a replay or a wrong clock. */
export type SignatureCheck = 'good' | 'missing' | 'forged' | 'expired'

/** Checks a delivery's signature (Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`). */
export const checkSignature = (
  secrets: string[],
  headers: Record<string, string | undefined>,
  body: string,
): SignatureCheck => {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const given = headers['webhook-signature']
  if (!id || !timestamp || !given) return 'missing'
  const at = Number(timestamp)
  if (!Number.isInteger(at)) return 'forged'
  const good = secrets.some((secret) => {
    const expected = new Webhook(secret).sign(id, new Date(at * 1_000), body)
    return given.split(' ').some((signature) => sameText(signature, expected))
  })
  if (!good) return 'forged'
  return Math.abs(Date.now() / 1_000 - at) <= SIGNATURE_TOLERANCE_S ? 'good' : 'expired'
}

/** Opens a door; its token and, when it is signed, its secret are answered once. `token` is given only at boot. */
export const createSource = (
  ctx: Ctx,
  input: NewIntakeSource & { token?: string },
): Promise<IntakeSource & { token: string; signing_secret?: string }> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, db } = ctx
    const { token: given, ...fields } = input
    const token = given ?? newToken('in')
    const secret = fields.signature_required ? newSigningSecret() : undefined
    const id = uuidv7()
    const [row] = await tx<SourceRow[]>`
      insert into intake_sources ${tx({
        organization_id,
        id,
        name: fields.name,
        token_prefix: token.slice(0, 6),
        token_hash: hashToken(token),
        signature_required: fields.signature_required ?? false,
        signing_secret: secret ? encrypt(db.keys, secret) : null,
        mapping: fields.mapping ? tx.json(fields.mapping) : null,
        defaults: tx.json(fields.defaults ?? {}),
        pipeline_id: fields.pipeline_id ?? null,
        wake_agent: fields.wake_agent ?? true,
        origins: fields.origins ?? [],
        ...(fields.rate_limit_per_minute ? { rate_limit_per_minute: fields.rate_limit_per_minute } : {}),
      })} returning *`
    await tx`
      insert into identity.tokens ${tx({ hash: hashToken(token), kind: 'intake', organization_id, principal: id })}`
    if (!row) throw new Error('an intake source was not stored')
    await recordChange(ctx, `the intake source “${fields.name}”: opened`)
    return { ...toSource(row), token, ...(secret ? { signing_secret: secret } : {}) }
  })

/** Every door that is not archived. */
export const listSources = (ctx: Ctx): Promise<IntakeSource[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<SourceRow[]>`
      select * from intake_sources where organization_id = ${organization_id} and archived_at is null order by id`
    return rows.map(toSource)
  })

/** One door. */
export const getSource = (ctx: Ctx, id: string): Promise<IntakeSource> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<
      SourceRow[]
    >`select * from intake_sources where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('intake_source', id)
    return toSource(row)
  })

/** Changes a door; requiring signatures for the first time makes a secret, which is answered once. */
export const changeSource = (
  ctx: Ctx,
  id: string,
  input: { version?: number | undefined; changes: IntakeSourceChange },
): Promise<IntakeSource & { signing_secret?: string }> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, db } = ctx
    const [before] = await tx<SourceRow[]>`
      select * from intake_sources where organization_id = ${organization_id} and id = ${id} and archived_at is null for update`
    if (!before) throw notFound('intake_source', id)
    if (input.version !== undefined && before.version !== input.version) throw staleVersion(toSource(before))
    const { mapping, defaults, ...plain } = input.changes
    const secret = plain.signature_required && !before.signing_secret ? newSigningSecret() : undefined
    const [row] = await tx<SourceRow[]>`
      update intake_sources set ${tx({
        ...plain,
        ...(mapping === undefined ? {} : { mapping: mapping === null ? null : tx.json(mapping) }),
        ...(defaults === undefined ? {} : { defaults: tx.json(defaults) }),
        ...(secret ? { signing_secret: encrypt(db.keys, secret) } : {}),
        updated_at: new Date(),
        version: before.version + 1,
      })} where organization_id = ${organization_id} and id = ${id} returning *`
    if (!row) throw notFound('intake_source', id)
    await recordChange(ctx, `the intake source “${row.name}”`)
    return { ...toSource(row), ...(secret ? { signing_secret: secret } : {}) }
  })

/** Gives a door a new signing secret; the old one stays good for 24 hours. */
export const rotateSecret = (
  ctx: Ctx,
  id: string,
): Promise<{ signing_secret: string; previous_secret_until: Date }> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, db } = ctx
    const secret = newSigningSecret()
    const until = new Date(Date.now() + OVERLAP_MS)
    const [row] = await tx<SourceRow[]>`
      update intake_sources set previous_secret = signing_secret, previous_secret_until = ${until},
        signing_secret = ${encrypt(db.keys, secret)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and archived_at is null returning *`
    if (!row) throw notFound('intake_source', id)
    await recordChange(ctx, `the signing secret of “${row.name}”`)
    return { signing_secret: secret, previous_secret_until: until }
  })

/** Closes a door: its token opens nothing from now on; what came in through it stays. */
export const archiveSource = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [row] = await tx<SourceRow[]>`
      update intake_sources set archived_at = coalesce(archived_at, now()), version = version + 1
      where organization_id = ${organization_id} and id = ${id} returning *`
    if (!row) throw notFound('intake_source', id)
    await tx`
      delete from identity.tokens where organization_id = ${organization_id} and kind = 'intake' and principal = ${id}`
    await recordChange(ctx, `the intake source “${row.name}”: closed`)
  })

const sameText = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const newSigningSecret = (): string => `whsec_${randomBytes(24).toString('base64')}`

const recordChange = (ctx: TxCtx, what: string): Promise<string> =>
  recordActivity(ctx, {
    type: 'settings_changed',
    subjects: [{ kind: 'organization', id: ctx.organization_id }],
    data: { what },
  })

type SourceRow = IntakeSource & {
  organization_id: string
  token_hash: string
  signing_secret: string | null
  previous_secret: string | null
}

const toSource = (row: SourceRow): IntakeSource => ({
  id: row.id,
  name: row.name,
  kind: row.kind,
  token_prefix: row.token_prefix,
  signature_required: row.signature_required,
  mapping: row.mapping,
  defaults: row.defaults,
  pipeline_id: row.pipeline_id,
  wake_agent: row.wake_agent,
  rate_limit_per_minute: row.rate_limit_per_minute,
  origins: row.origins,
  previous_secret_until: row.previous_secret_until,
  archived_at: row.archived_at,
  created_at: row.created_at,
  version: row.version,
})
