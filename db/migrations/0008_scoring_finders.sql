GRANT SELECT ON score_formulas, score_jobs TO leadhand_finder;
--> statement-breakpoint
CREATE POLICY finder_reads ON score_formulas FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON score_jobs FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
-- Back-tests and recomputations that wait longer than their job should take, and those whose worker fell silent.
CREATE FUNCTION finder.overdue_score_jobs(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT j.organization_id, j.id FROM public.score_jobs j
  WHERE (j.status = 'queued' AND j.updated_at < now() - interval '4 seconds')
     OR (j.status = 'running' AND j.lease_until < now())
  ORDER BY j.id LIMIT at_most
$$;
--> statement-breakpoint
-- Active formulas whose scores change with time alone, where no lead was scored anew for half a day. Whether it is night
-- there says the organization's own clock.
CREATE FUNCTION finder.timed_score_formulas(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.organization_id, f.id FROM public.score_formulas f
  WHERE f.status = 'active' AND f.time_dependent
    AND NOT EXISTS (
      SELECT 1 FROM public.score_jobs j
      WHERE j.organization_id = f.organization_id AND j.kind = 'recompute' AND j.created_at > now() - interval '12 hours'
    )
  ORDER BY f.activated_at LIMIT at_most
$$;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_score_jobs(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.timed_score_formulas(integer) OWNER TO leadhand_finder;
