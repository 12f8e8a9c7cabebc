-- Trigram search needs both: pg_trgm finds parts of words, btree_gin lets the organization stand first in the index.
-- Both are trusted: whoever owns the database may add them.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
CREATE EXTENSION IF NOT EXISTS btree_gin;
--> statement-breakpoint
CREATE INDEX opportunities_search ON opportunities USING gin (organization_id, search_text gin_trgm_ops) WHERE archived_at IS NULL;
--> statement-breakpoint
CREATE INDEX accounts_search ON accounts USING gin (organization_id, search_text gin_trgm_ops) WHERE archived_at IS NULL;
--> statement-breakpoint
CREATE INDEX contacts_search ON contacts USING gin (organization_id, search_text gin_trgm_ops) WHERE archived_at IS NULL;
--> statement-breakpoint
GRANT SELECT ON opportunities, stages, accounts, contacts, tasks, files, bulk_jobs, stage_totals TO leadhand_finder;
--> statement-breakpoint
CREATE POLICY finder_reads ON opportunities FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON stages FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON accounts FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON contacts FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON tasks FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON files FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON bulk_jobs FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
CREATE POLICY finder_reads ON stage_totals FOR SELECT TO leadhand_finder USING (true);
--> statement-breakpoint
-- Records of one organization that hold every one of the words somewhere, and how alike each is. Trigram operators are not
-- leakproof, so under row-level security no index would serve them; the organization is given, and only ids go out.
-- Words of three letters and more are found inside others, shorter ones where a word begins; the index takes the three
-- longest that hold a trigram, and one short one beside them. What `at_most` of the newest `among` records of a table hold
-- is so common that the newest say enough: the index would list a tenth of the table first. Of what is found, ten times
-- `at_most` are compared, those that begin with the words before the others. An id may be answered twice.
-- Planned for the words at hand: a rare one and a common one want different plans.
CREATE FUNCTION finder.search_records(wanted_organization uuid, kinds text[], words text[], at_most integer, among integer DEFAULT 1000)
RETURNS TABLE (kind text, id uuid, likeness real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  phrase text := lower(array_to_string(words, ' '));
  parts text[];
  starts text[];
  indexed boolean;
  found integer;
BEGIN
  SELECT coalesce(array_agg('%' || w || '%' ORDER BY w ~ '[[:alnum:]]{3}' DESC, length(w) DESC) FILTER (WHERE length(w) > 2), '{}'),
    coalesce(array_agg('% ' || w || '%') FILTER (WHERE length(w) <= 2), '{}'), coalesce(bool_or(w ~ '[[:alnum:]]{3}'), false)
  INTO parts, starts, indexed
  FROM (SELECT replace(replace(replace(lower(given), '\', '\\'), '%', '\%'), '_', '\_') AS w FROM unnest(words) AS given) AS small;

  IF kinds && '{lead,deal}' THEN
    RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text) FROM (
      SELECT n.kind AS kind, n.id, n.search_text FROM (
        SELECT r.* FROM public.opportunities r WHERE r.organization_id = wanted_organization ORDER BY r.id DESC LIMIT among) AS n
      WHERE n.archived_at IS NULL AND n.kind = ANY (kinds) AND n.search_text LIKE ALL (parts) AND n.search_text LIKE ALL (starts)
      ORDER BY starts_with(n.search_text, ' ' || phrase) DESC, n.id DESC LIMIT at_most * 10) AS m;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found < at_most AND indexed THEN
      RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text) FROM (
        SELECT r.kind AS kind, r.id, r.search_text FROM public.opportunities r
        WHERE r.organization_id = wanted_organization AND r.archived_at IS NULL AND r.kind = ANY (kinds)
          AND r.search_text LIKE parts[1] AND (parts[2] IS NULL OR r.search_text LIKE parts[2])
          AND (parts[3] IS NULL OR r.search_text LIKE parts[3]) AND (starts[1] IS NULL OR r.search_text LIKE starts[1])
          AND r.search_text LIKE ALL (parts) AND r.search_text LIKE ALL (starts)
        ORDER BY starts_with(r.search_text, ' ' || phrase) DESC, r.id DESC LIMIT at_most * 10) AS m;
    END IF;
  END IF;

  IF 'account' = ANY (kinds) THEN
    RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text) FROM (
      SELECT 'account' AS kind, n.id, n.search_text FROM (
        SELECT r.* FROM public.accounts r WHERE r.organization_id = wanted_organization ORDER BY r.id DESC LIMIT among) AS n
      WHERE n.archived_at IS NULL AND n.search_text LIKE ALL (parts) AND n.search_text LIKE ALL (starts)
      ORDER BY starts_with(n.search_text, ' ' || phrase) DESC, n.id DESC LIMIT at_most * 10) AS m;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found < at_most AND indexed THEN
      RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text) FROM (
        SELECT 'account' AS kind, r.id, r.search_text FROM public.accounts r
        WHERE r.organization_id = wanted_organization AND r.archived_at IS NULL
          AND r.search_text LIKE parts[1] AND (parts[2] IS NULL OR r.search_text LIKE parts[2])
          AND (parts[3] IS NULL OR r.search_text LIKE parts[3]) AND (starts[1] IS NULL OR r.search_text LIKE starts[1])
          AND r.search_text LIKE ALL (parts) AND r.search_text LIKE ALL (starts)
        ORDER BY starts_with(r.search_text, ' ' || phrase) DESC, r.id DESC LIMIT at_most * 10) AS m;
    END IF;
  END IF;

  IF 'contact' = ANY (kinds) THEN
    RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text) FROM (
      SELECT 'contact' AS kind, n.id, n.search_text FROM (
        SELECT r.* FROM public.contacts r WHERE r.organization_id = wanted_organization ORDER BY r.id DESC LIMIT among) AS n
      WHERE n.archived_at IS NULL AND n.search_text LIKE ALL (parts) AND n.search_text LIKE ALL (starts)
      ORDER BY starts_with(n.search_text, ' ' || phrase) DESC, n.id DESC LIMIT at_most * 10) AS m;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found < at_most AND indexed THEN
      RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text) FROM (
        SELECT 'contact' AS kind, r.id, r.search_text FROM public.contacts r
        WHERE r.organization_id = wanted_organization AND r.archived_at IS NULL
          AND r.search_text LIKE parts[1] AND (parts[2] IS NULL OR r.search_text LIKE parts[2])
          AND (parts[3] IS NULL OR r.search_text LIKE parts[3]) AND (starts[1] IS NULL OR r.search_text LIKE starts[1])
          AND r.search_text LIKE ALL (parts) AND r.search_text LIKE ALL (starts)
        ORDER BY starts_with(r.search_text, ' ' || phrase) DESC, r.id DESC LIMIT at_most * 10) AS m;
    END IF;
  END IF;
END $$;
--> statement-breakpoint
-- Tasks whose reminder is due.
CREATE FUNCTION finder.due_reminders(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.organization_id, t.id FROM public.tasks t
  WHERE t.remind_at <= now() AND t.reminded_at IS NULL AND t.status = 'open' AND t.archived_at IS NULL
  ORDER BY t.remind_at LIMIT at_most
$$;
--> statement-breakpoint
-- What people upload is packed already: packing it once more costs time for nothing.
ALTER TABLE file_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
--> statement-breakpoint
-- Files whose text should have been read by now.
CREATE FUNCTION finder.overdue_files(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.organization_id, f.id FROM public.files f
  WHERE f.text_status = 'pending' AND f.created_at < now() - interval '5 minutes'
  ORDER BY f.created_at LIMIT at_most
$$;
--> statement-breakpoint
-- Bulk acts that wait longer than their job should take, and those whose worker fell silent.
CREATE FUNCTION finder.overdue_bulk_jobs(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT b.organization_id, b.id FROM public.bulk_jobs b
  WHERE (b.status = 'queued' AND b.updated_at < now() - interval '4 seconds')
     OR (b.status = 'running' AND b.lease_until < now())
  ORDER BY b.id LIMIT at_most
$$;
--> statement-breakpoint
-- Stages in which a card is stuck that nobody was told of yet. One probe of the index of those cards for each stage that
-- has a threshold: however many cards there are, and however many were told of.
CREATE FUNCTION finder.stuck_stages(at_most integer)
RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.organization_id, s.id FROM public.stages s
  CROSS JOIN LATERAL (
    SELECT o.stage_entered_at FROM public.opportunities o
    WHERE o.organization_id = s.organization_id AND o.stage_id = s.id
      AND o.archived_at IS NULL AND o.told_stuck_since IS DISTINCT FROM o.stage_entered_at
    ORDER BY o.stage_entered_at LIMIT 1
  ) AS first
  WHERE s.rot_days IS NOT NULL AND s.kind = 'open' AND first.stage_entered_at < now() - s.rot_days * interval '1 day'
  ORDER BY first.stage_entered_at LIMIT at_most
$$;
--> statement-breakpoint
-- Organizations whose ledger of stage totals is long enough to be worth folding.
CREATE FUNCTION finder.long_ledgers(longer_than integer, at_most integer)
RETURNS TABLE (organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.organization_id FROM public.stage_totals s GROUP BY 1 HAVING count(*) > longer_than LIMIT at_most
$$;
--> statement-breakpoint
ALTER FUNCTION finder.search_records(uuid, text[], text[], integer, integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.due_reminders(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_files(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.overdue_bulk_jobs(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.stuck_stages(integer) OWNER TO leadhand_finder;
--> statement-breakpoint
ALTER FUNCTION finder.long_ledgers(integer, integer) OWNER TO leadhand_finder;
--> statement-breakpoint
-- The ledger of stage totals: what each statement changed of every stage, in one row per stage and currency.
-- Archived cards do not count. Runs as whoever writes the card, behind the same row-level security.
CREATE FUNCTION count_added_cards() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
  SELECT organization_id, gen_random_uuid(), pipeline_id, stage_id, currency, count(*), coalesce(sum(value_minor), 0)
  FROM added WHERE archived_at IS NULL GROUP BY organization_id, pipeline_id, stage_id, currency;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION count_removed_cards() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
  SELECT organization_id, gen_random_uuid(), pipeline_id, stage_id, currency, -count(*), -coalesce(sum(value_minor), 0)
  FROM removed WHERE archived_at IS NULL GROUP BY organization_id, pipeline_id, stage_id, currency;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION count_changed_cards() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
  SELECT organization_id, gen_random_uuid(), pipeline_id, stage_id, currency, sum(cards), sum(value)
  FROM (
    SELECT organization_id, pipeline_id, stage_id, currency, 1 AS cards, coalesce(value_minor, 0) AS value
    FROM added WHERE archived_at IS NULL
    UNION ALL
    SELECT organization_id, pipeline_id, stage_id, currency, -1, -coalesce(value_minor, 0)
    FROM removed WHERE archived_at IS NULL
  ) AS changes
  GROUP BY organization_id, pipeline_id, stage_id, currency HAVING sum(cards) <> 0 OR sum(value) <> 0;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER count_added AFTER INSERT ON opportunities REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_added_cards();
--> statement-breakpoint
CREATE TRIGGER count_removed AFTER DELETE ON opportunities REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION count_removed_cards();
--> statement-breakpoint
CREATE TRIGGER count_changed AFTER UPDATE ON opportunities REFERENCING OLD TABLE AS removed NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_changed_cards();
--> statement-breakpoint
-- An archived pipeline holds no open card. Whoever archives one locks its stages, so that what adds a card meanwhile waits
-- at its foreign key; this runs after that key was checked, and sees what was committed by then.
CREATE FUNCTION refuse_archived_pipelines() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT organization_id, pipeline_id, stage_id FROM added) AS a
    JOIN stages s ON s.organization_id = a.organization_id AND s.id = a.stage_id AND s.kind = 'open'
    JOIN pipelines p ON p.organization_id = a.organization_id AND p.id = a.pipeline_id AND p.archived_at IS NOT NULL
  ) THEN
    RAISE EXCEPTION 'an open card cannot enter an archived pipeline'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'opportunities_pipeline_in_use', TABLE = 'opportunities';
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER refuse_archived_on_insert AFTER INSERT ON opportunities REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived_pipelines();
--> statement-breakpoint
CREATE TRIGGER refuse_archived_on_update AFTER UPDATE ON opportunities REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION refuse_archived_pipelines();
--> statement-breakpoint
-- The owner is behind the policies too, unless it is a superuser; what follows is about every organization.
ALTER TABLE opportunities NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE stages NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- Cards that are there already, and the probabilities their stages have now.
INSERT INTO stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
SELECT organization_id, gen_random_uuid(), pipeline_id, stage_id, currency, count(*), coalesce(sum(value_minor), 0)
FROM opportunities WHERE archived_at IS NULL GROUP BY organization_id, pipeline_id, stage_id, currency;
--> statement-breakpoint
INSERT INTO stage_probabilities (organization_id, stage_id, since, pipeline_id, label, kind, close_probability, actor)
SELECT organization_id, id, created_at, pipeline_id, label, kind, close_probability, '{"kind": "system", "id": "migration", "name": "migration"}'
FROM stages;
--> statement-breakpoint
ALTER TABLE settings NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- Cards that were closed before closings were kept: where each was closed from, and at which rate, nobody knows any more.
INSERT INTO closings (organization_id, id, opportunity_id, outcome, pipeline_id, stage_id, stage_label, from_stage_id, from_stage_label,
  value_minor, currency, exchange_rate, base_currency, base_value_minor, owner_id, source, closed_at, closed_by)
SELECT o.organization_id, gen_random_uuid(), o.id, s.kind, o.pipeline_id, s.id, s.label, s.id, s.label, o.value_minor, o.currency,
  CASE WHEN o.currency = t.currency THEN 1 END, t.currency, CASE WHEN o.currency = t.currency THEN o.value_minor END, o.owner_id, o.source,
  coalesce(o.won_at, o.lost_at, o.stage_entered_at), '{"kind": "system", "id": "migration", "name": "migration"}'
FROM opportunities AS o
JOIN stages AS s ON s.organization_id = o.organization_id AND s.id = o.stage_id AND s.kind IN ('won', 'lost')
JOIN settings AS t ON t.organization_id = o.organization_id;
--> statement-breakpoint
-- The milestones that cards carry begin their history.
INSERT INTO milestones (organization_id, id, opportunity_id, milestone, reached_at, actor)
SELECT o.organization_id, gen_random_uuid(), o.id, m.milestone, m.reached_at, '{"kind": "system", "id": "migration", "name": "migration"}'
FROM opportunities AS o
CROSS JOIN LATERAL (VALUES
  ('sent_at', o.sent_at), ('accepted_at', o.accepted_at), ('qualifying_started_at', o.qualifying_started_at),
  ('qualified_at', o.qualified_at), ('scheduled_at', o.scheduled_at), ('won_at', o.won_at), ('lost_at', o.lost_at)
) AS m (milestone, reached_at) WHERE m.reached_at IS NOT NULL;
--> statement-breakpoint
UPDATE opportunities AS o SET exchange_rate = c.exchange_rate, base_value_minor = c.base_value_minor
FROM closings AS c WHERE c.organization_id = o.organization_id AND c.opportunity_id = o.id AND c.exchange_rate IS NOT NULL;
--> statement-breakpoint
ALTER TABLE settings FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE opportunities FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE stages FORCE ROW LEVEL SECURITY;

--> statement-breakpoint
-- Fractional indexes compare byte by byte, whatever the language of the database is; so must their columns and indexes.
ALTER TABLE opportunities ALTER COLUMN position TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE pipelines ALTER COLUMN position TYPE text COLLATE "C";
--> statement-breakpoint
-- A column of the board in its order: archived cards lie beside it, however many there are.
DROP INDEX opportunities_stage_position;
--> statement-breakpoint
CREATE INDEX opportunities_stage_position ON opportunities USING btree (organization_id, stage_id, (archived_at IS NULL), position, id);
--> statement-breakpoint
ALTER TABLE discard_reasons ALTER COLUMN position TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE fields ALTER COLUMN position TYPE text COLLATE "C";
--> statement-breakpoint
-- Organizations that are there already get the reasons that new ones start with (db/discard-reasons.ts).
INSERT INTO discard_reasons (organization_id, id, label, position)
SELECT o.id, gen_random_uuid(), r.label, r.position
FROM identity.organizations AS o
CROSS JOIN (VALUES
  ('Price', 'a0'), ('No budget', 'a1'), ('No need', 'a2'), ('Bad timing', 'a3'), ('Not a fit', 'a4'), ('Chose a competitor', 'a5'),
  ('Not interested', 'a6'), ('Unreachable', 'a7'), ('Solicitation or spam', 'a8'), ('Other', 'a9')
) AS r (label, position);
--> statement-breakpoint
-- What a timeline is narrowed down by stands beside its index; for the lines that are there already, too.
ALTER TABLE activity_subjects ADD COLUMN type text, ADD COLUMN actor_kind text;
--> statement-breakpoint
ALTER TABLE activities NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE activity_subjects NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
UPDATE activity_subjects s SET type = a.type, actor_kind = a.actor_kind
FROM activities a WHERE a.organization_id = s.organization_id AND a.id = s.activity_id;
--> statement-breakpoint
ALTER TABLE activity_subjects ALTER COLUMN type SET NOT NULL, ALTER COLUMN actor_kind SET NOT NULL;
--> statement-breakpoint
ALTER TABLE activities FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE activity_subjects FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A custom field belongs to one organization, and a value to one field: without knowing that, the planner thinks of a
-- handful of rows where there are a hundred thousand, and sorts them all.
CREATE STATISTICS custom_values_shape (dependencies, ndistinct, mcv) ON organization_id, field_id, text_value FROM custom_values;
