-- Look-ups that cannot know the organization yet, or go round all of them. They only read, return ids,
-- and are owned by a role that nobody can log in as. db/migrate.ts makes the role before this runs.
CREATE SCHEMA finder;
--> statement-breakpoint
GRANT USAGE, CREATE ON SCHEMA finder TO leadhand_finder;
--> statement-breakpoint
GRANT USAGE ON SCHEMA identity, public TO leadhand_finder;
--> statement-breakpoint
GRANT SELECT ON identity.tokens, identity.api_keys, identity.organizations, runs, activities, approvals, messages, submissions TO leadhand_finder;
--> statement-breakpoint
CREATE POLICY finder_reads ON runs FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON activities FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON approvals FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON messages FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON submissions FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE FUNCTION finder.resolve_token(wanted_kind text, wanted_hash text)
RETURNS TABLE (organization_id uuid, principal text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.organization_id, t.principal FROM identity.tokens t
  WHERE t.hash = wanted_hash AND t.kind = wanted_kind
$$;
--> statement-breakpoint
CREATE FUNCTION finder.resolve_api_key(wanted_hash text)
RETURNS TABLE (organization_id uuid, id uuid, name text, scopes text[], user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.organization_id, k.id, k.name, k.scopes, k.user_id FROM identity.api_keys k
  WHERE k.hash = wanted_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;
--> statement-breakpoint
-- Runs that may be claimed now, in turn round the organizations: one that already works much comes later.
CREATE FUNCTION finder.due_runs(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH live AS (
    SELECT r.organization_id, count(*) AS working FROM public.runs r
    WHERE r.status = 'running' AND r.lease_until >= now() GROUP BY 1
  ), due AS (
    SELECT r.organization_id, r.id, r.next_attempt_at,
      row_number() OVER (PARTITION BY r.organization_id ORDER BY r.next_attempt_at, r.id) AS turn
    FROM public.runs r
    WHERE r.status IN ('queued', 'running')
      AND ((r.status = 'queued' AND r.next_attempt_at <= now()) OR (r.status = 'running' AND r.lease_until < now()))
  )
  SELECT due.organization_id, due.id FROM due LEFT JOIN live USING (organization_id)
  ORDER BY coalesce(live.working, 0) + due.turn, due.next_attempt_at LIMIT at_most
$$;
--> statement-breakpoint
CREATE FUNCTION finder.unsealed_organizations()
RETURNS TABLE (organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT a.organization_id FROM public.activities a WHERE a.seq IS NULL
$$;
--> statement-breakpoint
-- Approvals past their time, and approved ones whose job was lost.
CREATE FUNCTION finder.overdue_approvals(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid, status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.organization_id, a.id, a.status FROM public.approvals a
  WHERE (a.status IN ('pending', 'stale') AND a.expires_at <= now())
     OR (a.status = 'approved' AND a.decided_at < now() - interval '4 seconds')
  LIMIT at_most
$$;
--> statement-breakpoint
-- Messages that wait longer than their job should take, and sendings whose worker fell silent.
CREATE FUNCTION finder.overdue_messages(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT m.organization_id, m.id FROM public.messages m
  WHERE m.status IN ('queued', 'sending')
    AND ((m.status = 'queued' AND m.next_attempt_at <= now() - interval '5 seconds')
      OR (m.status = 'sending' AND m.lease_until < now()))
  ORDER BY m.next_attempt_at LIMIT at_most
$$;
--> statement-breakpoint
-- Submissions whose job was lost.
CREATE FUNCTION finder.overdue_submissions(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.organization_id, s.id FROM public.submissions s
  WHERE s.status = 'received' AND s.received_at < now() - interval '4 seconds'
  LIMIT at_most
$$;
--> statement-breakpoint
ALTER FUNCTION finder.resolve_token(text, text) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.resolve_api_key(text) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.due_runs(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.unsealed_organizations() OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_approvals(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_messages(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_submissions(integer) OWNER TO leadhand_finder;
