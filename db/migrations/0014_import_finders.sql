GRANT SELECT ON imports TO leadhand_finder;
--> statement-breakpoint
CREATE POLICY finder_reads ON imports FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
-- Imports that wait longer than their job should take, and those whose worker fell silent.
CREATE FUNCTION finder.overdue_imports(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.organization_id, i.id FROM public.imports i
  WHERE (i.status = 'queued' AND i.updated_at < now() - interval '4 seconds')
     OR (i.status = 'running' AND i.lease_until < now())
  ORDER BY i.id LIMIT at_most
$$;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_imports(integer) OWNER TO leadhand_finder;
