import { useQuery } from '@tanstack/react-query'
import { membersQuery, pipelinesQuery } from '../queries.ts'
import type { InputSchema } from '../records.ts'
import { fieldLabel, sentence, valueText } from '../words.ts'
import { SelectField, Switch, TextAreaField, TextField } from './field.tsx'

/** The arguments of a tool as labelled fields, for reading. */
export const InputFields = ({
  input,
  schema,
  title,
}: {
  input: Record<string, unknown>
  schema: InputSchema | null
  title?: string
}) => {
  const nameOf = useNames()
  const shown = orderedKeys(input, schema).flatMap((key) => {
    const value = input[key]
    // An id that names nothing a person knows says nothing: the record is in the heading already.
    if (typeof value === 'string' && isId.test(value))
      return nameOf(value) ? [[key, nameOf(value)] as const] : []
    return [
      [
        key,
        schema?.properties?.[key]?.enum && typeof value === 'string' ? sentence(value) : valueText(value),
      ] as const,
    ]
  })
  if (shown.length === 0) return null
  return (
    <div>
      {title && <h3 className="mb-1 text-12 font-medium text-ink-3">{title}</h3>}
      <dl className="grid grid-cols-[7rem_minmax(0,1fr)] gap-x-3 gap-y-2 rounded-card border border-line bg-surface px-4 py-3">
        {shown.map(([key, text]) => (
          <div key={key} className="contents">
            <dt className="text-ink-3">{titleOf(key, schema)}</dt>
            <dd className="min-w-0 break-words whitespace-pre-wrap">
              {text ?? <span className="text-ink-3">empty</span>}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** The same as a form: text, numbers, switches and choices keep their types; ids and lists stay as proposed. */
export const InputForm = ({
  input,
  schema,
  onChange,
  problem,
}: {
  input: Record<string, unknown>
  schema: InputSchema | null
  onChange: (input: Record<string, unknown>) => void
  problem?: (field: string) => string | undefined
}) => {
  const keys = orderedKeys(input, schema)
  const editable = keys.filter((key) => kindOf(key, input[key], schema) !== 'fixed')
  const fixed = keys.filter(
    (key) => kindOf(key, input[key], schema) === 'fixed' && valueText(input[key]) !== undefined,
  )
  return (
    <div className="flex flex-col gap-4">
      {editable.map((key) => (
        <InputControl
          key={key}
          name={key}
          value={input[key]}
          schema={schema}
          error={problem?.(key)}
          onChange={(value) => onChange({ ...input, [key]: value })}
        />
      ))}
      {fixed.length > 0 && (
        <InputFields input={Object.fromEntries(fixed.map((key) => [key, input[key]]))} schema={schema} />
      )}
    </div>
  )
}

type Kind = 'line' | 'text' | 'number' | 'switch' | 'choice' | 'fixed'

const InputControl = ({
  name,
  value,
  schema,
  error,
  onChange,
}: {
  name: string
  value: unknown
  schema: InputSchema | null
  error?: string
  onChange: (value: unknown) => void
}) => {
  const property = schema?.properties?.[name]
  const label = titleOf(name, schema)
  const text = typeof value === 'string' ? value : ''
  switch (kindOf(name, value, schema)) {
    case 'switch':
      return (
        <div className="flex items-center gap-3">
          <Switch label={label} checked={value === true} onChange={onChange} />
          <span aria-hidden>{label}</span>
        </div>
      )
    case 'choice':
      return (
        <SelectField
          label={label}
          value={text}
          onChoose={onChange}
          choices={(property?.enum ?? []).map((choice) => ({
            value: String(choice),
            label: valueText(choice) ?? String(choice),
          }))}
        />
      )
    case 'number':
      return (
        <TextField
          label={label}
          inputMode="decimal"
          error={error}
          defaultValue={typeof value === 'number' ? String(value) : ''}
          onChange={(event) => onChange(event.target.value === '' ? undefined : Number(event.target.value))}
        />
      )
    case 'text':
      return (
        <TextAreaField
          label={label}
          error={error}
          rows={10}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      )
    case 'line':
    case 'fixed':
      return (
        <TextField
          label={label}
          error={error}
          type={name === 'to' ? 'email' : 'text'}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      )
  }
}

const isId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

// People and stages by id, so that arguments read as words.
const useNames = () => {
  const { data: members } = useQuery({ ...membersQuery, staleTime: 60_000 })
  const { data: pipelines } = useQuery(pipelinesQuery)
  return (id: string) =>
    members?.find((member) => member.user_id === id)?.name ??
    pipelines?.flatMap((pipeline) => pipeline.stages).find((stage) => stage.id === id)?.label
}

const longTexts = ['body', 'message', 'text', 'description', 'note', 'reason']

const kindOf = (name: string, value: unknown, schema: InputSchema | null): Kind => {
  const property = schema?.properties?.[name]
  const type = Array.isArray(property?.type) ? property.type.find((item) => item !== 'null') : property?.type
  if (property?.format === 'uuid' || name === 'id' || name.endsWith('_id') || Array.isArray(value))
    return 'fixed'
  if (property?.enum) return 'choice'
  if (type === 'boolean' || typeof value === 'boolean') return 'switch'
  if (type === 'number' || type === 'integer' || typeof value === 'number') return 'number'
  if (typeof value === 'object' && value !== null) return 'fixed'
  if (type !== undefined && type !== 'string') return 'fixed'
  return longTexts.includes(name) ||
    (typeof value === 'string' && (value.includes('\n') || value.length > 120))
    ? 'text'
    : 'line'
}

const titleOf = (key: string, schema: InputSchema | null) =>
  schema?.properties?.[key]?.title ?? fieldLabel(key)

const orderedKeys = (input: Record<string, unknown>, schema: InputSchema | null) => {
  const declared = Object.keys(schema?.properties ?? {}).filter((key) => key in input)
  return [...declared, ...Object.keys(input).filter((key) => !declared.includes(key))]
}
