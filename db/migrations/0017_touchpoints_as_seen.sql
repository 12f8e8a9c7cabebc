-- What was seen of a visit never changes; whose it is and which campaign it names may become known later.
CREATE FUNCTION public.keep_as_seen() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = 'what was seen of a visit never changes';
END $$;
--> statement-breakpoint
CREATE TRIGGER touchpoints_as_seen BEFORE UPDATE OF id, visitor_id, campaign, source, medium, term, content, landing_page,
  referrer, click_ids, occurred_at, received_at, door, source_id, submission_id, consent, dedupe_id
ON touchpoints FOR EACH ROW EXECUTE FUNCTION public.keep_as_seen();
