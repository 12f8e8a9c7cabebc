import { add_note } from './add_note.ts'
import { assign_owner } from './assign_owner.ts'
import { close_opportunity } from './close_opportunity.ts'
import { complete_task } from './complete_task.ts'
import { convert_lead } from './convert_lead.ts'
import { create_lead } from './create_lead.ts'
import { create_task } from './create_task.ts'
import { draft_email } from './draft_email.ts'
import { enrich_lead } from './enrich_lead.ts'
import { hand_back_task } from './hand_back_task.ts'
import { log_activity } from './log_activity.ts'
import { merge_leads } from './merge_leads.ts'
import { move_stage } from './move_stage.ts'
import { propose_file_facts } from './propose_file_facts.ts'
import { qualify } from './qualify.ts'
import { read_file } from './read_file.ts'
import { read_lead } from './read_lead.ts'
import { read_record } from './read_record.ts'
import { search_records } from './search_records.ts'
import { send_email } from './send_email.ts'
import { set_forecast_category } from './set_forecast_category.ts'
import { suggest_next_actions } from './suggest_next_actions.ts'
import { update_lead } from './update_lead.ts'
import { update_record } from './update_record.ts'
import type { Tool } from './tool.ts'

/** Every tool there is. What is not listed here cannot run. */
export const tools: Readonly<Record<string, Tool>> = Object.fromEntries(
  [
    read_lead,
    read_record,
    read_file,
    search_records,
    enrich_lead,
    update_lead,
    update_record,
    propose_file_facts,
    create_lead,
    assign_owner,
    qualify,
    move_stage,
    merge_leads,
    close_opportunity,
    convert_lead,
    set_forecast_category,
    suggest_next_actions,
    draft_email,
    send_email,
    create_task,
    complete_task,
    hand_back_task,
    add_note,
    log_activity,
  ].map((tool) => [tool.name, tool]),
)
