import { z } from 'zod'
import { recordKinds } from '../db/records.ts'
import { fillingInput, fillingOf } from './record-filling.ts'
import { defineTool } from './tool.ts'

const Input = z.object({ record_kind: z.enum(recordKinds), record_id: z.uuid(), ...fillingInput })

/** Fills blank fields of a lead, deal, account or contact by the rules of `update_lead`. */
export const update_record = defineTool({
  name: 'update_record',
  title: 'Update record',
  description:
    'Fills blank fields of the lead, deal, account or contact, each with the words that it is taken from. A value that is there already is changed only when a person asked for it.',
  input: Input,
  ...fillingOf<z.infer<typeof Input>>(({ record_kind, record_id }) => ({ kind: record_kind, id: record_id })),
})
