import { z } from 'zod'
import {
  archiveSource,
  changeSource,
  createSource,
  getSource,
  IntakeSourceChange,
  listSources,
  NewIntakeSource,
  rotateSecret,
  type IntakeSource,
} from '../../db/intake-sources.ts'
import { getPipeline } from '../../db/pipelines.ts'
import { SCRIPT_INTEGRITY, touchSnippet } from '../intake/touch-script.ts'
import { ById, route } from '../route.ts'
import { Id, listOf, Time } from '../shapes.ts'

/** A door that outside systems post leads to. */
export const IntakeSourceShape = z
  .object({
    id: Id,
    name: z.string(),
    kind: z.string(),
    token_prefix: z.string(),
    signature_required: z.boolean(),
    mapping: z.record(z.string(), z.string()).nullable(),
    defaults: z.record(z.string(), z.string()),
    target_pipeline_id: Id.nullable(),
    wake_agent: z.boolean(),
    rate_limit_per_minute: z.int(),
    origins: z.array(z.string()).describe('The websites whose pages may send visits; none named: any.'),
    snippet: z
      .string()
      .nullable()
      .describe(
        'What a website puts into its pages so that visits are told of; the token is known when it is opened. None where signatures are required: a page keeps no secret.',
      ),
    script_integrity: z
      .string()
      .describe('For `integrity`, where a website wants this very script and no later one.'),
    previous_secret_until: Time.nullable(),
    archived_at: Time.nullable(),
    created_at: Time,
    version: z.int(),
    signing_secret: z.string().optional().describe('Shown once.'),
  })
  .meta({ id: 'IntakeSource' })

/** A new door with what is shown once. */
export const OpenedIntakeSource = IntakeSourceShape.extend({ token: z.string(), url: z.string() }).meta({
  id: 'OpenedIntakeSource',
})

const Target = { target_pipeline_id: z.uuid().nullable().optional() }
const Opened = NewIntakeSource.omit({ pipeline_id: true }).extend(Target)
const Changed = IntakeSourceChange.omit({ pipeline_id: true }).extend(Target)

const present = <Source extends IntakeSource & { token?: string }>(
  { pipeline_id, ...source }: Source,
  app_url: string,
) => ({
  ...source,
  target_pipeline_id: pipeline_id,
  snippet: source.signature_required ? null : touchSnippet(app_url, source.token ?? 'YOUR_TOKEN'),
  script_integrity: SCRIPT_INTEGRITY,
})

const accept = <Input extends { target_pipeline_id?: string | null | undefined }>({
  target_pipeline_id,
  ...input
}: Input) => ({
  ...input,
  ...(target_pipeline_id === undefined ? {} : { pipeline_id: target_pipeline_id }),
})

/** The doors that outside systems post leads to. */
export const intakeSources = [
  route(
    {
      method: 'GET',
      path: '/api/intake-sources',
      permission: 'intake:read',
      summary: 'Doors that are open',
      response: listOf(IntakeSourceShape),
    },
    async ({ ctx, app_url }) => ({
      data: (await listSources(ctx)).map((source) => present(source, app_url)),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/intake-sources',
      permission: 'intake:write',
      summary: 'Open a door',
      description: 'Token, address and signing secret are shown this once.',
      body: Opened,
      example: { name: 'Website form', mapping: { email: 'contact.emails[0]' }, signature_required: true },
      response: OpenedIntakeSource,
      status: 201,
    },
    async ({ ctx, body, app_url }) => {
      if (body.target_pipeline_id) await getPipeline(ctx, body.target_pipeline_id)
      const opened = await createSource(ctx, accept(body))
      return { ...present(opened, app_url), url: `${app_url}/intake/webhook/${opened.token}` }
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/intake-sources/:id',
      permission: 'intake:read',
      summary: 'One door',
      params: ById,
      response: IntakeSourceShape,
    },
    async ({ ctx, params, app_url }) => present(await getSource(ctx, params.id), app_url),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/intake-sources/:id',
      permission: 'intake:write',
      summary: 'Change a door',
      params: ById,
      body: Changed,
      example: { version: 1, name: 'Landing page' },
      response: IntakeSourceShape,
      versioned: true,
    },
    async ({ ctx, params, body, version, doors, app_url }) => {
      if (body.target_pipeline_id) await getPipeline(ctx, body.target_pipeline_id)
      const changed = await changeSource(ctx, params.id, { version, changes: accept(body) })
      doors.forget()
      return present(changed, app_url)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/intake-sources/:id/rotate-secret',
      permission: 'intake:write',
      summary: 'Give a door a new signing secret; the old one stays good for 24 hours',
      params: ById,
      response: z.object({ signing_secret: z.string(), previous_secret_until: z.iso.datetime() }),
    },
    async ({ ctx, params, doors }) => {
      const rotated = await rotateSecret(ctx, params.id)
      doors.forget()
      return rotated
    },
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/intake-sources/:id',
      permission: 'intake:write',
      summary: 'Close a door; what came in through it stays',
      params: ById,
      status: 204,
    },
    async ({ ctx, params, doors }) => {
      await archiveSource(ctx, params.id)
      doors.forget()
    },
  ),
]
