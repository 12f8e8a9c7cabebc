import { z } from 'zod'
import type { Read } from '../db/approval-reads.ts'
import { findCitation, isAskedByPerson, type Cited } from '../db/citations.ts'
import type { Ctx, TxCtx } from '../db/context.ts'
import { DomainError, invalid } from '../db/errors.ts'
import { getFile } from '../db/files.ts'
import { OpportunityFields } from '../db/opportunity-fields.ts'
import { writeOrigins } from '../db/origins.ts'
import { fillableFields, isBlank } from '../db/record-blanks.ts'
import { lockRecord, readRecord, updateRecord } from '../db/record-updates.ts'
import { requireRecordInUse, type RecordRef } from '../db/records.ts'
import type { ToolDeclaration } from './tool.ts'

const Values = OpportunityFields.pick({
  contact_name: true,
  company_name: true,
  title: true,
  email: true,
  phone: true,
  website: true,
  city: true,
  state: true,
  country: true,
  industry: true,
  value_minor: true,
  currency: true,
  expected_close_on: true,
})
  .partial()
  .extend({ custom: z.record(z.string().max(100), z.unknown()).optional() })
  .strict()

/** What every tool takes that fills fields of a record. */
export const fillingInput = {
  values: Values.refine((values) => namesIn(values).length > 0, 'at least one field'),
  cites: z
    .array(
      z.object({
        field: z.string().max(110),
        snippet: z.string().trim().min(3).max(500),
        file_id: z.uuid().optional(),
      }),
    )
    .max(40)
    .default([])
    .describe(
      'For each field where its value stands, word for word, in the lead’s message, in a fact of its website, or in a file on the record, named by its file_id. Custom fields as custom.<key>.',
    ),
  reason: z.string().trim().min(1).max(1_000),
}
const Filling = z.object(fillingInput)
type Filling = z.infer<typeof Filling>

const Output = z.object({ changed: z.array(z.string()) })

/**
 * What the tools that fill fields of a record have in common. Without a person’s word only blanks are filled, and only with
 * what stands somewhere; what a file says fills nothing but blanks, whoever decided.
 */
export const fillingOf = <Input extends Filling>(refOf: (input: Input) => RecordRef) =>
  ({
    effect: 'write',
    output: Output,
    summary: async ({ values, cites }: Input, ctx: TxCtx) => {
      const fields = namesIn(values).map(inWords).join(', ')
      const [file_id] = filesIn(cites)
      return file_id === undefined
        ? `Change ${fields}`
        : `Fill ${fields} from the file “${(await getFile(ctx, file_id)).name}”`
    },
    consequence: ({ values }: Input) =>
      `If you approve: ${namesIn(values).map(inWords).join(', ')} will be changed.`,
    needsPerson: async (input: Input, ctx: TxCtx, { tainted, suggestion }) => {
      const cited = await readCited(ctx, refOf(input))
      requireRecordInUse({ ...cited.record, kind: cited.ref.kind })
      requireFields(cited.ref, input)
      await requireFileWords(ctx, cited, input)
      // A person decides; what there is to say for it stands in the reason.
      if (suggestion) return undefined
      await requireMayWrite(ctx, cited, input)
      if (filesIn(input.cites).length > 0) return 'What a file says waits for a person.'
      if (!tainted) return undefined
      const filled = filledIn(cited, input)
      if (filled.length > 0)
        return `It would replace ${filled.map(inWords).join(', ')}, and the agent has read text from outside.`
      return (await uncitedIn(ctx, cited, input)) === undefined
        ? undefined
        : 'Nothing that the lead wrote, or its website says, holds this, and the agent has read text from outside.'
    },
    safe_when_tainted: true,
    risk: 'medium',
    reads: (input: Input): Read[] => [
      ...namesIn(input.values)
        .filter((field) => !field.startsWith(CUSTOM))
        // A currency says nothing without its amount, and is filled with it.
        .filter((field) => field !== 'currency' || !isFromFile(input, field))
        .map((field): Read => ({ name: isFromFile(input, field) ? 'blank' : 'field', argument: field })),
      ...filesIn(input.cites).map((file_id): Read => ({ name: 'file', argument: file_id })),
      { name: 'archived' },
    ],
    refresh: async (input: Input, ctx: TxCtx): Promise<Input> => {
      const cited = await readCited(ctx, refOf(input))
      for (const file_id of filesIn(input.cites)) await requireFile(ctx, file_id)
      const filled = filledIn(cited, input).filter((field) => isFromFile(input, field))
      if (filled.length === 0) return input
      if (filled.length === namesIn(input.values).length)
        throw new DomainError(
          'conflict',
          'nothing_left',
          `${sentence(filled.map(inWords).join(', '))} ${filled.length === 1 ? 'has' : 'have'} a value by now, so there is nothing left to fill. Reject it.`,
        )
      return {
        ...input,
        values: Object.fromEntries(Object.entries(input.values).filter(([field]) => !filled.includes(field))),
        cites: input.cites.filter(({ field }) => !filled.includes(field)),
      }
    },
    preview: async (input: Input, ctx: TxCtx) => {
      const { record } = await readCited(ctx, refOf(input))
      return namesIn(input.values).map((field) => ({
        field,
        label: sentence(inWords(field)),
        before: shown(valueOf(record, field)),
        after: shown(valueOf(input.values, field)),
      }))
    },
    run: async (ctx: TxCtx, input: Input, { proposed_input }) => {
      const ref = refOf(input)
      const { values, reason, cites } = input
      await lockRecord(ctx, ref)
      const before = await readCited(ctx, ref)
      requireFields(ref, input)
      await requireFileWords(ctx, before, input)
      await requireMayWrite(ctx, before, input)
      await updateRecord(ctx, ref, values, { reason })
      const after = await readCited(ctx, ref)
      for (const { field, ...citation } of cites) {
        // What a person wrote instead stands in no file.
        const edited =
          proposed_input && valueOf(proposedValues(proposed_input), field) !== valueOf(values, field)
        const origin = edited ? undefined : await findCitation(ctx, before, citation)
        if (origin && namesIn(values).includes(field)) writeOrigins(ctx, ref, [field], origin)
      }
      return {
        changed: namesIn(values).filter(
          (field) => shown(valueOf(before.record, field)) !== shown(valueOf(after.record, field)),
        ),
      }
    },
    undo: 'update_record',
  }) satisfies Partial<ToolDeclaration<z.ZodType<Input>, typeof Output, undefined>>

const readCited = async (ctx: Ctx, ref: RecordRef): Promise<Cited> => ({
  ref,
  record: await readRecord(ctx, ref),
})

/** @throws {DomainError} `unknown_field`, naming those that the kind has */
const requireFields = ({ kind }: RecordRef, { values }: Filling): void => {
  const known: readonly string[] = fillableFields[kind]
  const other = namesIn(values).find((field) => !field.startsWith(CUSTOM) && !known.includes(field))
  if (other !== undefined)
    throw invalid(
      'unknown_field',
      `/values/${other}`,
      `${kind === 'account' ? 'An' : 'A'} ${kind} has no ${inWords(other)}.`,
      known,
    )
}

/**
 * What is said to stand in a file stands in one on this record, whoever asked: the name of no other one is shown.
 * @throws {DomainError} `not_cited`
 */
const requireFileWords = async (ctx: Ctx, cited: Cited, { cites }: Filling): Promise<void> => {
  for (const [n, { field, ...citation }] of cites.entries())
    if (citation.file_id !== undefined && (await findCitation(ctx, cited, citation)) === undefined)
      throw invalid(
        'not_cited',
        `/cites/${n}`,
        `These words for ${inWords(field)} stand in no file of that id on the record. Copy them as they are there.`,
      )
}

const requireFile = async (ctx: Ctx, file_id: string): Promise<void> => {
  const { name, archived_at } = await getFile(ctx, file_id)
  if (archived_at !== null)
    throw new DomainError('conflict', 'file_deleted', `The file “${name}” was deleted. Reject this.`)
}

/**
 * @throws {DomainError} `not_blank`, `not_cited`, naming the fields
 */
const requireMayWrite = async (ctx: TxCtx, cited: Cited, input: Filling): Promise<void> => {
  const decided = ctx.approval_id !== undefined || (await isAskedByPerson(ctx))
  const filled = filledIn(cited, input).filter((field) => !decided || isFromFile(input, field))
  const [first] = filled
  if (first !== undefined) {
    throw invalid(
      'not_blank',
      `/values/${first.replace('.', '/')}`,
      `${sentence(filled.map(inWords).join(', '))} ${filled.length === 1 ? 'has' : 'have'} a value already, and nobody asked to change it. Fill blanks only, or propose the change with suggest_next_actions.`,
    )
  }
  const uncited = decided ? undefined : await uncitedIn(ctx, cited, input)
  if (uncited !== undefined) {
    throw invalid(
      'not_cited',
      '/cites',
      `Say where ${inWords(uncited)} stands: words of the lead’s message, of a fact of its website, or of a file on the record, as they are there.`,
    )
  }
}

/** Fields that have a value already. */
const filledIn = ({ record }: Cited, { values }: Filling): string[] =>
  namesIn(values).filter((field) => !isBlank({ ...record, [field]: valueOf(record, field) }, field))

/** The first field whose value stands nowhere. */
const uncitedIn = async (ctx: Ctx, cited: Cited, { values, cites }: Filling): Promise<string | undefined> => {
  for (const name of namesIn(values)) {
    const found = await Promise.all(
      cites.filter(({ field }) => field === name).map((citation) => findCitation(ctx, cited, citation)),
    )
    if (!found.some(Boolean)) return name
  }
  return undefined
}

const isFromFile = ({ cites }: Filling, name: string): boolean =>
  cites.some(({ field, file_id }) => field === name && file_id !== undefined)

const filesIn = (cites: Filling['cites']): string[] => [
  ...new Set(cites.flatMap(({ file_id }) => file_id ?? [])),
]

const CUSTOM = 'custom.'

const namesIn = ({ custom, ...values }: z.infer<typeof Values>): string[] => [
  ...Object.keys(values),
  ...Object.keys(custom ?? {}).map((key) => `${CUSTOM}${key}`),
]

const valueOf = (record: { custom?: Record<string, unknown> | undefined }, field: string): unknown =>
  field.startsWith(CUSTOM)
    ? record.custom?.[field.slice(CUSTOM.length)]
    : Object.entries(record).find(([name]) => name === field)?.[1]

const proposedValues = (input: Record<string, unknown>): Record<string, unknown> =>
  Filling.safeParse(input).data?.values ?? {}

const shown = (value: unknown): string | null => {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0))
    return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const inWords = (field: string): string =>
  field
    .replace(CUSTOM, '')
    .replace(/_minor$/, '')
    .replaceAll('_', ' ')

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`
