import type { InputSchema, Mail, Subject } from './records.ts'

/** The signed-in person, their organization and what is switched on in it. */
export type Me = {
  user: { id: string; name: string; email: string }
  organization: { id: string; name: string; slug: string }
  role: string
  permissions: string[]
  ai_enabled: boolean
  model: string
  mail: { transport: 'smtp' | 'capture'; from: string }
  agents: { name: string; enabled: boolean }[]
}

/** What may happen when an agent calls a tool. */
export type PolicyLevel = 'off' | 'deny' | 'suggest' | 'act'

/** What can wake an agent beside a new lead and a person who asks. */
export const agentTriggers = ['stage.stuck'] as const
export type AgentTrigger = (typeof agentTriggers)[number]

/** An agent, what it is for and how it has been judged. */
export type Agent = {
  name: string
  title: string
  description: string
  enabled: boolean
  version: number
  model: string
  autonomy: { tool: string; level: PolicyLevel }[]
  /** What else wakes it, where that is switched on. */
  triggers: Record<AgentTrigger, boolean>
  stats: { runs: number; approved_unchanged: number; decided: number }
}

/** A tool agents can be given. */
export type Tool = {
  name: string
  effect: string
  title: string
  description: string
  input_schema: InputSchema | null
}

/** The organization's settings. */
export type Settings = {
  organization: { id: string; name: string }
  ai_enabled: boolean
  currency: string
  default_country: string | null
  timezone: string
  business_hours: unknown
  sender_name: string | null
  version: number
}

/** A door that takes leads in by webhook. */
export type IntakeSource = {
  id: string
  name: string
  kind: string
  token_prefix: string
  signature_required: boolean
  mapping: Record<string, string> | null
  target_pipeline_id: string | null
  wake_agent: boolean
  archived_at: string | null
  version: number
}

/** A new door, with the secrets that are shown once. */
export type NewIntakeSource = IntakeSource & {
  token: string
  url: string
  /** What a website puts into its pages; none where deliveries are signed. */
  snippet: string | null
  signing_secret?: string
}

/** What came in through a door, as it came. */
export type Submission = {
  id: string
  source_id: string | null
  door: string
  status: 'received' | 'processed' | 'joined' | 'rejected' | 'needs_attention'
  problem?: {
    code?: string
    message?: string
    title?: string
    detail?: string
    errors?: { pointer: string; message: string }[]
  } | null
  payload: unknown
  lead_id: string | null
  received_at: string
}

/** An e-mail in the outbox. */
export type Message = Mail & {
  id: string
  status: 'queued' | 'sending' | 'sent' | 'captured' | 'failed' | 'outcome_unknown' | 'cancelled'
  approval_id: string | null
  subject_record: Subject | null
  created_at: string
  sent_at: string | null
  error: string | null
}

/** Work that was given up on and waits for a person. */
export type Failure = {
  id: string
  kind: 'run' | 'job'
  name: string
  subject?: Subject | null
  subject_label?: string | null
  error: string
  attempts: number
  failed_at: string
}

/** A key of the API; the key itself is shown once. */
export type ApiKey = {
  id: string
  name: string
  prefix: string
  scopes: string[]
  created_at: string
  last_used_at: string | null
  expires_at: string | null
  revoked_at: string | null
}

/** A person in the organization. */
export type Member = { id: string; user_id: string; name: string; email: string; role: string }
