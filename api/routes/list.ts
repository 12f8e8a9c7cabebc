import { external } from '../external/list.ts'
import type { Route } from '../route.ts'
import { accounts } from './accounts.ts'
import { activities } from './activities.ts'
import { agents } from './agents.ts'
import { apiKeys } from './api-keys.ts'
import { approvals } from './approvals.ts'
import { availability } from './availability.ts'
import { board } from './board.ts'
import { bulk } from './bulk.ts'
import { campaigns } from './campaigns.ts'
import { closings } from './closings.ts'
import { contacts } from './contacts.ts'
import { deals } from './deals.ts'
import { discardReasons } from './discard-reasons.ts'
import { exchangeRates } from './exchange-rates.ts'
import { exports } from './exports.ts'
import { failures } from './failures.ts'
import { files } from './files.ts'
import { fields } from './fields.ts'
import { importMappings } from './import-mappings.ts'
import { imports } from './imports.ts'
import { intakeSources } from './intake-sources.ts'
import { leadConversion } from './lead-conversion.ts'
import { leadDuplicates } from './lead-duplicates.ts'
import { leads } from './leads.ts'
import { links } from './links.ts'
import { lostReasons } from './lost-reasons.ts'
import { me } from './me.ts'
import { members } from './members.ts'
import { messages } from './messages.ts'
import { milestones } from './milestones.ts'
import { notes } from './notes.ts'
import { opportunities } from './opportunities.ts'
import { opportunityKinds } from './opportunity-kinds.ts'
import { optOuts } from './opt-outs.ts'
import { pipelines } from './pipelines.ts'
import { policies } from './policies.ts'
import { preferences } from './preferences.ts'
import { routingPools } from './routing-pools.ts'
import { routingRules } from './routing-rules.ts'
import { routingSettings } from './routing-settings.ts'
import { runs } from './runs.ts'
import { scoreFormulas } from './score-formulas.ts'
import { search } from './search.ts'
import { settings } from './settings.ts'
import { submissions } from './submissions.ts'
import { tasks } from './tasks.ts'
import { tools } from './tools.ts'
import { touchpoints } from './touchpoints.ts'
import { undo } from './undo.ts'
import { views } from './views.ts'

/** Every operation that takes and answers JSON. What is not listed here is not served. */
export const routes: readonly Route[] = [
  ...me,
  ...leadDuplicates,
  ...leads,
  ...leadConversion,
  ...deals,
  ...opportunities,
  ...opportunityKinds,
  ...accounts,
  ...contacts,
  ...links,
  ...closings,
  ...milestones,
  ...lostReasons,
  ...campaigns,
  ...touchpoints,
  ...pipelines,
  ...board,
  ...discardReasons,
  ...approvals,
  ...runs,
  ...agents,
  ...policies,
  ...tools,
  ...settings,
  ...exchangeRates,
  ...imports,
  ...importMappings,
  ...intakeSources,
  ...submissions,
  ...messages,
  ...optOuts,
  ...failures,
  ...apiKeys,
  ...members,
  ...availability,
  ...routingRules,
  ...routingPools,
  ...routingSettings,
  ...notes,
  ...files,
  ...tasks,
  ...activities,
  ...undo,
  ...bulk,
  ...exports,
  ...fields,
  ...views,
  ...preferences,
  ...scoreFormulas,
  ...search,
  ...external,
]
