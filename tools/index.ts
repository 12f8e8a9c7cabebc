import { add_note } from './add_note.ts'
import { close_opportunity } from './close_opportunity.ts'
import { create_task } from './create_task.ts'
import { draft_email } from './draft_email.ts'
import { enrich_lead } from './enrich_lead.ts'
import { move_stage } from './move_stage.ts'
import { qualify } from './qualify.ts'
import { read_lead } from './read_lead.ts'
import { send_email } from './send_email.ts'
import { set_forecast_category } from './set_forecast_category.ts'
import { suggest_next_actions } from './suggest_next_actions.ts'
import type { Tool } from './tool.ts'

/** Every tool there is. What is not listed here cannot run. */
export const tools: Readonly<Record<string, Tool>> = Object.fromEntries(
  [
    read_lead,
    enrich_lead,
    qualify,
    move_stage,
    close_opportunity,
    set_forecast_category,
    suggest_next_actions,
    draft_email,
    send_email,
    create_task,
    add_note,
  ].map((tool) => [tool.name, tool]),
)
