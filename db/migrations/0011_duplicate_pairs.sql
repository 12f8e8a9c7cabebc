-- A pair of duplicates stands while both leads are open and in use; whatever closes, reopens, archives or restores one of
-- them, this follows. Runs as whoever writes the card, behind the same row-level security.
CREATE FUNCTION follow_duplicate_pairs() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE duplicate_pairs AS p SET standing = NOT EXISTS (
    SELECT FROM opportunities o JOIN stages s ON s.organization_id = o.organization_id AND s.id = o.stage_id
    WHERE o.organization_id = p.organization_id AND o.id IN (p.lead_id, p.other_id)
      AND (o.archived_at IS NOT NULL OR s.kind <> 'open')
  )
  WHERE p.organization_id = NEW.organization_id AND (p.lead_id = NEW.id OR p.other_id = NEW.id);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER follow_duplicate_pairs AFTER UPDATE OF archived_at, stage_id ON opportunities FOR EACH ROW
WHEN (NEW.kind = 'lead' AND (OLD.archived_at IS DISTINCT FROM NEW.archived_at OR OLD.stage_id <> NEW.stage_id))
EXECUTE FUNCTION follow_duplicate_pairs();
