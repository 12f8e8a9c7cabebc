import { z } from 'zod'
import { fillingInput, fillingOf } from './record-filling.ts'
import { defineTool } from './tool.ts'

const Input = z.object({ lead_id: z.uuid(), ...fillingInput })

/** Fills blank fields of a lead with what it said or its website says. Writes over a value only when a person asked. */
export const update_lead = defineTool({
  name: 'update_lead',
  title: 'Update lead',
  description:
    'Fills blank fields of the lead, each with the words that it is taken from. A value that is there already is changed only when a person asked for it.',
  input: Input,
  ...fillingOf<z.infer<typeof Input>>(({ lead_id }) => ({ kind: 'lead', id: lead_id })),
})
