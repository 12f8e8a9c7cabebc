import { inTx, type Ctx } from './context.ts'

/** How often an agent worked, and how people judged what it proposed. */
export type AgentStats = { runs: number; approved_unchanged: number; decided: number }

/** An agent's record so far: runs, proposals that people decided, and those of them that passed without an edit. */
export const readAgentStats = (ctx: Ctx, agent: string): Promise<AgentStats> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [stats] = await tx<AgentStats[]>`
      select
        (select count(*)::int from runs where organization_id = ${organization_id} and agent = ${agent}) as runs,
        count(*) filter (where status <> 'rejected' and proposed_input is null)::int as approved_unchanged,
        count(*)::int as decided
      from approvals
      where organization_id = ${organization_id} and proposed_by ->> 'id' = ${agent}
        and decided_at is not null and status in ('approved', 'executing', 'executed', 'failed', 'outcome_unknown', 'rejected')`
    return stats ?? { runs: 0, approved_unchanged: 0, decided: 0 }
  })
