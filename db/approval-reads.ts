import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { PendingQuery, Row } from 'postgres'
import { recordActivity, type Subject } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { gathered } from './together.ts'
import { tableOf } from './record-tables.ts'

/**
 * What an approval was proposed upon: a named value and its hash. When one of them changes, what a person read is no
 * longer what is true, and the approval goes stale. The record's `version` is deliberately not among them.
 */
export type Read = { name: ReadName; argument?: string | undefined }
export type ReadName =
  | 'recipient'
  | 'opt_out'
  | 'latest_inbound'
  | 'stage_kind'
  | 'stage'
  | 'field'
  | 'blank'
  | 'file'
  | 'task'
  | 'archived'
  | 'lead_values'
export type ReadValue = Read & { label: string; hash: string; value: string | null }

/** A value that is another one now. */
export type ReadChange = { name: ReadName; label: string; before: string | null; after: string | null }

/** Reads the named values as they are now, in the caller's transaction. */
export const readValues = (ctx: TxCtx, subject: Subject, reads: Read[]): Promise<ReadValue[]> =>
  Promise.all(
    reads.map(async (read) => {
      const { label, read: readValue } = readers[read.name]
      const value = await readValue(ctx, subject, read.argument ?? '')
      return { ...read, label: label(read.argument ?? ''), hash: hashValue(value), value }
    }),
  )

/** Which of the stored values are other ones now. */
export const changedReads = async (
  ctx: TxCtx,
  subject: Subject,
  stored: ReadValue[],
): Promise<ReadChange[]> => {
  const now = await readValues(
    ctx,
    subject,
    stored.map(({ name, argument }) => ({ name, argument })),
  )
  return stored.flatMap((before, n) => {
    const after = now[n]
    return after && after.hash !== before.hash
      ? [{ name: before.name, label: before.label, before: before.value, after: after.value }]
      : []
  })
}

/**
 * Looks at the open approvals of a record after it changed: one whose values changed goes stale, one whose values are
 * back as they were is pending again. Called in the transaction of every change to a record.
 * Fields that the proposing run or another approval wrote do not count: the proposer knew of them.
 */
export const recheckApprovals = (ctx: Ctx, subject: Subject): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { kind } = subject
    const open = await tx<
      {
        id: string
        status: string
        summary: string
        read_set: ReadValue[]
        run_id: string | null
        subject_id: string
      }[]
    >`
      select id, status, summary, read_set, run_id, subject_id from approvals
      where organization_id = ${organization_id} and subject_kind = ${subject.kind} and status in ('pending', 'stale')
        and ${subject.kind === 'lead' ? tx`subject_id = any(${idsPairedWith(ctx, subject.id)}) and (subject_id = ${subject.id} or tool = 'merge_leads')` : tx`subject_id = ${subject.id}`}
      order by id for update`
    for (const { subject_id, ...approval } of open) {
      const subject = { kind, id: subject_id }
      const changes = await changedReads(ctx, subject, approval.read_set)
      const own =
        (ctx.run_id !== undefined && ctx.run_id === approval.run_id) || ctx.approval_id !== undefined
      const foreign = own ? changes.filter(({ name }) => !['field', 'lead_values'].includes(name)) : changes
      if (foreign.length === 0 && changes.length > 0) {
        await tx`
          update approvals set read_set = ${tx.json(await readValues(ctx, subject, approval.read_set))}
          where organization_id = ${organization_id} and id = ${approval.id}`
      } else if (foreign.length > 0) {
        await markStale(ctx, { ...approval, subject }, foreign)
      } else if (approval.status === 'stale') {
        await tx`
          update approvals set status = 'pending', stale_because = null, version = version + 1, updated_at = now()
          where organization_id = ${organization_id} and id = ${approval.id}`
      }
    }
  })

/** A lead and those it is paired with as duplicates: whoever proposed to merge them rests on both. */
const idsPairedWith = ({ tx, organization_id }: TxCtx, id: string) => tx`
  array(select ${id}::uuid
    union all select other_id from duplicate_pairs where organization_id = ${organization_id} and lead_id = ${id}
    union all select lead_id from duplicate_pairs where organization_id = ${organization_id} and other_id = ${id})`

/** The same for many records, of which few have an open approval. */
export const recheckApprovalsOf = gathered<Subject>(async (ctx, subjects) => {
  const { tx, organization_id } = ctx
  const asked = await tx<Subject[]>`
    with changed as (
      select * from unnest(${subjects.map(({ kind }) => kind)}::text[], ${subjects.map(({ id }) => id)}::uuid[]) as c (kind, id)
    ), about as (
      select kind, id from changed
      union select 'lead', p.other_id from changed c join duplicate_pairs p on p.lead_id = c.id where p.organization_id = ${organization_id}
      union select 'lead', p.lead_id from changed c join duplicate_pairs p on p.other_id = c.id where p.organization_id = ${organization_id}
    )
    select distinct a.subject_kind as kind, a.subject_id as id from approvals a
    join about s on s.kind = a.subject_kind and s.id = a.subject_id
    where a.organization_id = ${organization_id} and a.status in ('pending', 'stale') order by id`
  for (const subject of asked) await recheckApprovals(ctx, subject)
})

/** Sets an approval aside until a person has read it again. */
export const markStale = async (
  ctx: TxCtx,
  approval: { id: string; summary: string; status: string; subject: Subject },
  changes: ReadChange[],
): Promise<void> => {
  const { tx, organization_id } = ctx
  const marked = await tx`
    update approvals set status = 'stale', stale_because = ${tx.json(changes)}, version = version + 1, updated_at = now(),
      decided_by = null, decided_at = null, decision_reason = null
    where organization_id = ${organization_id} and id = ${approval.id}
      and (status in ('pending', 'approved') or (status = 'stale' and stale_because is distinct from ${tx.json(changes)}))
    returning id`
  if (marked.length === 0 || approval.status === 'stale') return
  await recordActivity(
    { ...ctx, approval_id: approval.id },
    {
      type: 'approval_stale',
      subjects: [approval.subject, { kind: 'approval', id: approval.id }],
      data: {
        summary: approval.summary,
        because: changes.map(({ label }) => `${label} changed`).join(' and '),
        changed: changes,
      },
    },
  )
}

type Reader = {
  label: (argument: string) => string
  read: (ctx: TxCtx, subject: Subject, argument: string) => Promise<string | null>
}

/** Fields of a record that an approval's arguments may rest on. */
const READABLE_FIELDS = new Set([
  'email',
  'phone',
  'contact_name',
  'company_name',
  'title',
  'website',
  'owner_id',
  'source',
  'value_minor',
  'currency',
  'expected_close_on',
  'forecast_category',
  'industry',
  'city',
  'state',
  'country',
])

/** What somebody outside wrote, logged by hand: a draft was not written upon it. */
export const INBOUND = ['email_received', 'sms_received', 'whatsapp_received'] as const

const readers: Record<ReadName, Reader> = {
  recipient: {
    label: () => 'the e-mail address',
    read: (ctx, subject) => readField(ctx, subject, 'email'),
  },
  opt_out: {
    label: () => 'the opt-out',
    read: async ({ tx, organization_id }, _subject, email) => {
      const [row] = await tx<{ reason: string }[]>`
        select reason from opt_outs where organization_id = ${organization_id} and email = ${email.toLowerCase()}`
      return row ? `asked not to be written to (${row.reason})` : null
    },
  },
  latest_inbound: {
    label: () => 'the latest message from outside',
    read: async ({ tx, organization_id }, subject) => {
      const [row] = await tx<{ id: string; received_at: Date }[]>`
        (select id, received_at from submissions
          where organization_id = ${organization_id} and lead_id = ${subject.id} order by id desc limit 1)
        union all
        (select a.id, a.occurred_at from activity_subjects s
          join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
          where s.organization_id = ${organization_id} and s.kind = ${subject.kind} and s.subject_id = ${subject.id}
            and s.type in ${tx(INBOUND)} order by s.activity_id desc limit 1)
        order by received_at desc limit 1`
      return row ? `${row.received_at.toISOString()} (${row.id})` : null
    },
  },
  stage_kind: {
    label: () => 'open or closed',
    read: async ({ tx, organization_id }, subject) => {
      const [row] = await tx<{ kind: string }[]>`
        select s.kind from opportunities o join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
        where o.organization_id = ${organization_id} and o.id = ${subject.id}`
      return row?.kind ?? null
    },
  },
  stage: {
    label: () => 'the stage',
    read: async ({ tx, organization_id }, subject) => {
      const [row] = await tx<{ label: string }[]>`
        select s.label from opportunities o join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
        where o.organization_id = ${organization_id} and o.id = ${subject.id}`
      return row?.label ?? null
    },
  },
  field: {
    label: (field) => field.replaceAll('_', ' '),
    read: readField,
  },
  /** A field that is only to be filled: whoever fills it, also another approval or the same run, it counts. */
  blank: {
    label: (field) => field.replace(/_minor$/, '').replaceAll('_', ' '),
    read: readField,
  },
  file: {
    label: () => 'the file',
    read: ({ tx, organization_id }, _subject, id) =>
      isInUse(tx`select archived_at from files where organization_id = ${organization_id} and id = ${id}`),
  },
  task: {
    label: () => 'the task',
    read: async ({ tx, organization_id }, _subject, id) => {
      const [row] = await tx<{ state: string }[]>`
        select concat_ws(', ', status, title, assignee_kind || ' ' || assignee_id, case when archived_at is not null then 'archived' end) as state
        from tasks where organization_id = ${organization_id} and id = ${id}`
      return row?.state ?? null
    },
  },
  lead_values: {
    label: () => 'what one of the leads says',
    read: async ({ tx, organization_id }, _subject, id) => {
      const [row] = await tx<{ said: string }[]>`
        select jsonb_build_object('name', o.name, 'contact_name', o.contact_name, 'company_name', o.company_name,
          'title', o.title, 'email', o.email, 'phone', o.phone, 'website', o.website, 'city', o.city, 'country', o.country,
          'external_id', o.external_id, 'value_minor', o.value_minor, 'currency', o.currency, 'tags', o.tags,
          'archived', o.archived_at is not null, 'stage', s.kind)::text as said
        from opportunities o join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
        where o.organization_id = ${organization_id} and o.id = ${id}`
      return row?.said ?? null
    },
  },
  archived: {
    label: () => 'archived or not',
    read: ({ tx, organization_id }, subject) =>
      isInUse(
        tx`select archived_at from ${tx(tableFor(subject))} where organization_id = ${organization_id} and id = ${subject.id}`,
      ),
  },
}

const isInUse = async (found: PendingQuery<Row[]>): Promise<string> => {
  const [row] = await found
  return row && row['archived_at'] === null ? 'in use' : 'archived'
}

/** What is about no record of its own reads as a card that is not there. */
const tableFor = ({ kind }: Subject): string =>
  Object.entries(tableOf).find(([name]) => name === kind)?.[1] ?? tableOf.lead

async function readField(
  { tx, organization_id }: TxCtx,
  subject: Subject,
  field: string,
): Promise<string | null> {
  if (!READABLE_FIELDS.has(field)) throw new Error(`a read-set cannot name the field ${field}`)
  // A number that could not be read is a number all the same.
  const column = field === 'phone' ? tx`coalesce(phone, phone_original)` : tx`${tx(field)}::text`
  const [row] = await tx<{ value: string | null }[]>`
    select ${column} as value from ${tx(tableFor(subject))}
    where organization_id = ${organization_id} and id = ${subject.id}`
  return row?.value ?? null
}

const hashValue = (value: string | null): string =>
  createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex')
