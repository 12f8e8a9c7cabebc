-- Records of one organization that hold every one of the words somewhere, and how alike each is. Trigram operators are not
-- leakproof, so under row-level security no index would serve them; the organization is given, and only ids go out.
-- Words of three letters and more are found inside others, shorter ones where a word begins. What `at_most` of the newest
-- `among` records of a table hold is so common that the newest say enough: the index would list a tenth of the table first.
-- Else the index is asked for the three rarest parts that words have between their signs, as rare as they are among those
-- newest: nobody is found by the end of an address that everybody has, and it costs as much as all the rest. Of what is
-- found, four times `at_most` are compared, those that begin with the words before the others.
-- Planned for the words at hand: a rare one and a common one want different plans.
CREATE OR REPLACE FUNCTION finder.search_records(wanted_organization uuid, kinds text[], words text[], at_most integer, among integer DEFAULT 1000)
RETURNS TABLE (kind text, id uuid, likeness real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  phrase CONSTANT text := array_to_string(words, ' ');
  holding text[];
  parts text[];
  own record;
  seen integer;
  texts text[];
  rarest text[];
  found_kinds text[];
  found_ids uuid[];
  found_texts text[];
BEGIN
  SELECT coalesce(array_agg('%' || regexp_replace(start || word, '([\\%_])', '\\\1', 'g') || '%'), '{}') INTO holding
  FROM unnest(words) AS word, LATERAL (SELECT CASE WHEN length(word) < 3 AND word ~ '[[:alnum:]]' THEN ' ' ELSE '' END) AS begins (start);
  -- A trigram is three letters in a row, or fewer beside a sign. Without three there is little that the index would rule out.
  IF phrase ~ '[[:alnum:]]{3}' THEN
    SELECT array_agg(DISTINCT '%' || regexp_replace(part, '([\\%_])', '\\\1', 'g') || '%') INTO parts
    FROM unnest(words) AS word,
      LATERAL (SELECT CASE WHEN length(word) < 3 THEN ' ' ELSE '' END || word) AS begins (begun),
      LATERAL string_to_table(regexp_replace(begun, '([^[:alnum:]]+)', E'\\1\n\\1', 'g'), E'\n') AS part
    WHERE part ~ '[[:alnum:]]{3}|[[:alnum:]]{2}[^[:alnum:]]|[^[:alnum:]][[:alnum:]]';
  END IF;

  FOR own IN SELECT * FROM (VALUES ('opportunities', '{lead,deal}'::text[]), ('accounts', '{account}'), ('contacts', '{contact}')) AS tables (name, kinds)
  LOOP
    CONTINUE WHEN NOT own.kinds && kinds;
    CASE own.name
    WHEN 'opportunities' THEN
      SELECT count(*), array_agg(n.search_text), array_agg(n.kind) FILTER (WHERE held), array_agg(n.id) FILTER (WHERE held), array_agg(n.search_text) FILTER (WHERE held)
      INTO seen, texts, found_kinds, found_ids, found_texts
      FROM (SELECT r.kind AS kind, r.id, r.archived_at, r.search_text FROM public.opportunities r
        WHERE r.organization_id = wanted_organization ORDER BY r.id DESC LIMIT among) AS n,
      LATERAL (SELECT n.archived_at IS NULL AND n.kind = ANY (kinds) AND n.search_text LIKE ALL (holding)) AS looked (held);
    WHEN 'accounts' THEN
      SELECT count(*), array_agg(n.search_text), array_agg(n.kind) FILTER (WHERE held), array_agg(n.id) FILTER (WHERE held), array_agg(n.search_text) FILTER (WHERE held)
      INTO seen, texts, found_kinds, found_ids, found_texts
      FROM (SELECT 'account'::text AS kind, r.id, r.archived_at, r.search_text FROM public.accounts r
        WHERE r.organization_id = wanted_organization ORDER BY r.id DESC LIMIT among) AS n,
      LATERAL (SELECT n.archived_at IS NULL AND n.kind = ANY (kinds) AND n.search_text LIKE ALL (holding)) AS looked (held);
    WHEN 'contacts' THEN
      SELECT count(*), array_agg(n.search_text), array_agg(n.kind) FILTER (WHERE held), array_agg(n.id) FILTER (WHERE held), array_agg(n.search_text) FILTER (WHERE held)
      INTO seen, texts, found_kinds, found_ids, found_texts
      FROM (SELECT 'contact'::text AS kind, r.id, r.archived_at, r.search_text FROM public.contacts r
        WHERE r.organization_id = wanted_organization ORDER BY r.id DESC LIMIT among) AS n,
      LATERAL (SELECT n.archived_at IS NULL AND n.kind = ANY (kinds) AND n.search_text LIKE ALL (holding)) AS looked (held);
    END CASE;

    -- Fewer than `among` are all there are.
    IF coalesce(cardinality(found_ids), 0) < at_most AND seen = among AND parts IS NOT NULL THEN
      -- The rarest part of all, and two more that are not in every second record.
      SELECT array_agg(part ORDER BY nth) INTO rarest
      FROM (SELECT part, held, row_number() OVER (ORDER BY held, length(part) DESC) AS nth
        FROM unnest(parts) AS part, LATERAL (SELECT count(*) AS held FROM unnest(texts) AS one WHERE one LIKE part) AS counted) AS each
      WHERE nth = 1 OR nth <= 3 AND held * 2 <= seen;
      CASE own.name
      WHEN 'opportunities' THEN
        SELECT array_agg(r.kind), array_agg(r.id), array_agg(r.search_text) INTO found_kinds, found_ids, found_texts
        FROM public.opportunities r
        WHERE r.organization_id = wanted_organization AND r.archived_at IS NULL AND r.search_text LIKE rarest[1]
          AND (rarest[2] IS NULL OR r.search_text LIKE rarest[2]) AND (rarest[3] IS NULL OR r.search_text LIKE rarest[3])
          AND r.kind = ANY (kinds) AND r.search_text LIKE ALL (holding);
      WHEN 'accounts' THEN
        SELECT array_agg('account'::text), array_agg(r.id), array_agg(r.search_text) INTO found_kinds, found_ids, found_texts
        FROM public.accounts r
        WHERE r.organization_id = wanted_organization AND r.archived_at IS NULL AND r.search_text LIKE rarest[1]
          AND (rarest[2] IS NULL OR r.search_text LIKE rarest[2]) AND (rarest[3] IS NULL OR r.search_text LIKE rarest[3])
          AND 'account'::text = ANY (kinds) AND r.search_text LIKE ALL (holding);
      WHEN 'contacts' THEN
        SELECT array_agg('contact'::text), array_agg(r.id), array_agg(r.search_text) INTO found_kinds, found_ids, found_texts
        FROM public.contacts r
        WHERE r.organization_id = wanted_organization AND r.archived_at IS NULL AND r.search_text LIKE rarest[1]
          AND (rarest[2] IS NULL OR r.search_text LIKE rarest[2]) AND (rarest[3] IS NULL OR r.search_text LIKE rarest[3])
          AND 'contact'::text = ANY (kinds) AND r.search_text LIKE ALL (holding);
      END CASE;
    END IF;

    RETURN QUERY SELECT m.kind, m.id, public.word_similarity(phrase, m.search_text)
    FROM (SELECT * FROM unnest(found_kinds, found_ids, found_texts) AS n (kind, id, search_text)
      ORDER BY starts_with(n.search_text, ' ' || phrase) DESC, n.id DESC LIMIT at_most * 4) AS m;
  END LOOP;
END $$;
