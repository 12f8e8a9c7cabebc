import { z } from 'zod'
import { CsvChoices, type CsvDialect } from './csv-dialect.ts'
import { cellReader } from './csv-values.ts'
import { DomainError, type Fault, invalid } from './errors.ts'
import { rowReader } from './import-columns.ts'
import type { ImportTarget } from './import-targets.ts'
import { nearestName } from './csv-options.ts'

/** What happens to a row whose record is there already. */
export const importModes = ['skip', 'update', 'create_and_flag'] as const
export type ImportMode = (typeof importModes)[number]

/** How a file is to be imported. */
export const ImportRequest = z
  .object({
    /** Column → field; null and columns that are not named go nowhere. */
    mapping: z.record(z.string(), z.string().nullable()),
    mode: z.enum(importModes).default('skip'),
    /** What a new record gets where its row says nothing, by field and written as in a cell. */
    defaults: z
      .record(z.string(), z.union([z.string(), z.number(), z.array(z.string()), z.null()]))
      .default({}),
    /** How the file is written, where it was told wrongly. */
    dialect: CsvChoices.strict().optional(),
    /** The field that says which record a row is, instead of the usual ones. */
    match_by: z.string().max(200).optional(),
    /** An update empties the fields whose cells are blank. */
    erase_blanks: z.boolean().default(false),
    /** The lead worker is put on every lead that is made. */
    work: z.boolean().default(false),
    /** Accounts and contacts that a row names and nobody has are made. */
    create_associations: z.boolean().default(true),
  })
  .strict()
export type ImportRequest = z.infer<typeof ImportRequest>

/** A request that was found to fit its file, with the dialect whole: what a job works by. */
export type ReadyRequest = Omit<ImportRequest, 'dialect'> & { dialect: CsvDialect }

/** Types of fields by whose value a record can be found. */
const MATCHED = new Set<ImportTarget['type']>([
  'id',
  'text',
  'email',
  'phone',
  'url',
  'integer',
  'decimal',
  'date',
  'select',
])
/** Looked up, not kept. */
const NOT_KEPT = new Set(['owner_id', 'discard_reason', 'discard_note'])

/** The fields that `match_by` can name. */
export const matchFields = (targets: readonly ImportTarget[]): string[] => [
  ...targets.filter(({ field, type }) => MATCHED.has(type) && !NOT_KEPT.has(field)).map(({ field }) => field),
  ...(targets[0]?.record_kind === 'account' ? ['domain'] : []),
]

/**
 * Refuses what does not fit the file or the organization's fields.
 * @throws {DomainError} `mapping_invalid`, `mapping_empty`, `match_by_unknown`, `match_by_unmapped`, `defaults_invalid`
 */
export const checkRequest = (request: ReadyRequest, targets: readonly ImportTarget[]): void => {
  rowReader(request.dialect, request.mapping, targets)
  const { match_by, mapping } = request
  if (match_by !== undefined) {
    const accepted = matchFields(targets)
    if (!accepted.includes(match_by)) {
      const meant = nearestName(accepted, match_by)
      throw invalid(
        'match_by_unknown',
        '/match_by',
        `Records cannot be found by “${match_by}”.${meant ? ` Did you mean “${meant}”?` : ''}`,
        accepted,
      )
    }
    if (!Object.values(mapping).includes(match_by === 'domain' ? 'website' : match_by))
      throw invalid(
        'match_by_unmapped',
        '/match_by',
        `No column is mapped to “${match_by}”, so no row says which record it is. Map one, or leave match_by out.`,
        Object.values(mapping).filter((field) => field !== null && accepted.includes(field)),
      )
  }
  readDefaults(request.defaults, targets)
}

/**
 * The defaults as values of their fields.
 * @throws {DomainError} `defaults_invalid` with every wrong one
 */
export const readDefaults = (
  defaults: ImportRequest['defaults'],
  targets: readonly ImportTarget[],
): Record<string, unknown> => {
  const faults: Fault[] = []
  const values = Object.entries(defaults).flatMap(([field, given]): [string, unknown][] => {
    const pointer = `/defaults/${field}`
    const target = targets.find((one) => one.field === field)
    if (!target || field === 'id') {
      const fields = targets.map((one) => one.field).filter((one) => one !== 'id')
      const meant = nearestName(fields, field)
      faults.push({
        pointer,
        message: `There is no field “${field}”.${meant ? ` Did you mean “${meant}”?` : ''}`,
        accepted: fields,
      })
      return []
    }
    if (given === null) return []
    const cell = Array.isArray(given) ? given.join('; ') : String(given)
    const reading = cellReader(target, { decimal: '.', date: 'ymd' })(cell)
    if ('value' in reading) return reading.value === null ? [] : [[field, reading.value]]
    faults.push({ pointer, message: reading.fault.message, accepted: reading.fault.accepted })
    return []
  })
  const [first] = faults
  if (first) throw new DomainError('invalid', 'defaults_invalid', first.message, { errors: faults })
  return Object.fromEntries(values)
}
