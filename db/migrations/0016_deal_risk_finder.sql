GRANT SELECT ON deal_risk_days, settings TO leadhand_finder;
--> statement-breakpoint
CREATE POLICY finder_reads ON deal_risk_days FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON settings FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
-- Organizations in whose time zone a day began for which their deals were not assessed yet.
CREATE FUNCTION finder.unassessed_organizations(at_most integer)
RETURNS TABLE (organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.organization_id FROM public.settings s
  LEFT JOIN public.deal_risk_days d ON d.organization_id = s.organization_id
  WHERE d.day IS NULL OR d.day < (now() AT TIME ZONE s.timezone)::date
  ORDER BY d.day NULLS FIRST, s.organization_id LIMIT at_most
$$;
--> statement-breakpoint
ALTER FUNCTION finder.unassessed_organizations(integer) OWNER TO leadhand_finder;
