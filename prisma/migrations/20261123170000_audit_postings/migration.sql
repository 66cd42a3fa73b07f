-- Each index of the log cost every read an entry for each of its events. What the searches need is now written once for
-- 1,024 events: which terms are found where among them (docs/adr/0016-the-audit-log-is-searched-by-postings.md).
DROP TRIGGER "audit_event_span" ON "audit_event";
DROP INDEX
    "audit_event_organisation_action_outcome_sequence_idx", "audit_event_organisation_actor_subject_sequence_idx",
    "audit_event_organisation_actor_issuer_sequence_idx", "audit_event_organisation_resource_sequence_idx",
    "audit_event_organisation_request_id_sequence_idx", "audit_event_unsuccessful_idx", "audit_event_project_idx",
    "audit_event_project_action_idx", "audit_event_project_actor_subject_idx", "audit_event_project_resource_idx",
    "audit_event_project_unsuccessful_idx", "audit_event_block_path_key_idx";

-- The terms of a span, the 1,024 events up to last_sequence, of which the last five bits are the bucket. blocks tells of the
-- term at the same place which of the span's 64 blocks of 16 events have it; the first block is the lowest bit.
CREATE TABLE "audit_posting" (
    "organisation" TEXT NOT NULL,
    "bucket" SMALLINT NOT NULL,
    "last_sequence" BIGINT NOT NULL,
    "terms" BIGINT[] NOT NULL,
    "blocks" BIGINT[] NOT NULL,

    CONSTRAINT "audit_posting_pkey" PRIMARY KEY ("organisation","bucket","last_sequence")
);

-- Events of the span were missing when it was written and may still come: every search visits it, whatever its times.
ALTER TABLE "audit_span" ADD COLUMN "open" BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX "audit_span_open_idx" ON "audit_span"("organisation", "last_sequence") WHERE "open";

-- Two values with one term cost a visit, no more: events are always compared with the value itself.
CREATE FUNCTION "audit_term"("p_kind" TEXT, "p_value" TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended(p_value COLLATE "C", hashtextextended(p_kind COLLATE "C", 0));

-- What was done and how it ended. All such terms of a project are in one bucket, and those of any project ('') in one too,
-- so that one row of a span answers for a list of actions.
CREATE FUNCTION "audit_doing_term"("p_project" TEXT, "p_value" TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ("audit_term"('doing', p_project || ' ' || p_value) & ~31::bigint) | ("audit_term"('project', p_project) & 31);

-- The settings keep a plan that was made for a small table, or without statistics, from reading a large one from its start.
CREATE FUNCTION "write_audit_span"("p_organisation" TEXT, "p_last" BIGINT, "p_oldest" BIGINT) RETURNS VOID
    LANGUAGE plpgsql SET search_path = pg_catalog, public
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
    WITH found AS MATERIALIZED (
        SELECT project, action, outcome, issuer, subject, resource_type, resource, request,
            bit_or(block) AS blocks, count(*) AS events, min(at) AS earliest, max(at) AS latest
        FROM (
            SELECT 1::bigint << ((e.sequence - p_last + 1023) >> 4)::int AS block, e.at, e.project, e.action, e.outcome,
                e.actor_issuer AS issuer, e.actor_subject AS subject, e.resource_type, e.resource, left(e.request_id, 11) AS request
            FROM public.audit_event e
            WHERE e.organisation = p_organisation AND e.sequence BETWEEN p_last - 1023 AND p_last
        ) event
        GROUP BY GROUPING SETS (
            (project, action, outcome, issuer, resource_type), (project, subject), (project, resource_type, resource), (request)
        )
    ), value(term, blocks) AS (
        SELECT public.audit_doing_term('', v.value), f.blocks
        FROM found f CROSS JOIN LATERAL (VALUES (f.action), (f.outcome::text), (f.action || ' ' || f.outcome)) v(value)
        WHERE f.action IS NOT NULL
        UNION ALL
        SELECT public.audit_doing_term(f.project, v.value), f.blocks
        FROM found f CROSS JOIN LATERAL (VALUES (''), (f.action), (f.outcome::text), (f.action || ' ' || f.outcome)) v(value)
        WHERE f.action IS NOT NULL AND f.project <> ''
        UNION ALL SELECT public.audit_term('issuer', issuer), blocks FROM found WHERE action IS NOT NULL
        UNION ALL SELECT public.audit_term('type', resource_type), blocks FROM found WHERE action IS NOT NULL
        UNION ALL SELECT public.audit_term('subject', subject), blocks FROM found WHERE subject IS NOT NULL
        UNION ALL SELECT public.audit_term('resource', resource), blocks FROM found WHERE resource IS NOT NULL
        UNION ALL SELECT public.audit_term('request', request), blocks FROM found WHERE request IS NOT NULL
        UNION ALL
        SELECT public.audit_term('project subject', project || ' ' || subject), blocks FROM found
        WHERE subject IS NOT NULL AND project <> ''
        UNION ALL
        SELECT public.audit_term('project resource', project || ' ' || resource), blocks FROM found
        WHERE resource IS NOT NULL AND project <> ''
        UNION ALL
        SELECT public.audit_term('folder', array_to_string(parts[:n], '/')), blocks
        FROM (
            SELECT string_to_array(resource, '/') AS parts, blocks FROM found
            WHERE resource IS NOT NULL AND resource_type = 'secret' OFFSET 0
        ) path CROSS JOIN LATERAL generate_series(2, cardinality(parts) - 1) n
    ), posting AS (
        INSERT INTO public.audit_posting
        SELECT p_organisation, term & 31 AS bucket, p_last, array_agg(term), array_agg(blocks)
        FROM (SELECT term, bit_or(blocks) AS blocks FROM value GROUP BY term) distinct_term GROUP BY bucket ORDER BY bucket
    )
    INSERT INTO public.audit_span
    SELECT p_organisation, p_last, CASE WHEN whole THEN earliest ELSE '-infinity' END, CASE WHEN whole THEN latest ELSE 'infinity' END,
        NOT whole
    FROM (
        SELECT min(earliest) AS earliest, max(latest) AS latest,
            coalesce(sum(events), 0) >= p_last - greatest(p_oldest, p_last - 1023) + 1 AS whole
        FROM found WHERE request IS NOT NULL
    ) span;
END $$;
REVOKE ALL ON FUNCTION "write_audit_span"(TEXT, BIGINT, BIGINT) FROM PUBLIC;

-- Every span after the last that is written, up to the chain's head, which whoever records holds locked. Only retention
-- may have taken events away: where others are missing, the span stays open for them.
CREATE FUNCTION "write_audit_spans"("p_organisation" TEXT, "p_head" BIGINT) RETURNS VOID
    LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    oldest BIGINT;
    newest BIGINT;
    retained BIGINT;
    written BIGINT;
BEGIN
    SELECT min(e.sequence), max(e.sequence) INTO oldest, newest FROM public.audit_event e WHERE e.organisation = p_organisation;
    SELECT coalesce(max(c.sequence), 0) + 1 INTO retained FROM public.audit_checkpoint c
    WHERE c.organisation = p_organisation AND c.kind = 'RETENTION';
    oldest := least(oldest, retained);
    SELECT max(s.last_sequence) INTO written FROM public.audit_span s WHERE s.organisation = p_organisation;
    IF newest IS NOT NULL THEN
        FOR span IN coalesce(written, oldest - 1) / 1024 + 1 .. least(p_head, newest) / 1024 LOOP
            PERFORM public.write_audit_span(p_organisation, span * 1024, oldest);
        END LOOP;
    END IF;
END $$;
REVOKE ALL ON FUNCTION "write_audit_spans"(TEXT, BIGINT) FROM PUBLIC;

-- Once a transaction, when the head of the chain passes the end of a span, where it was a condition for each event.
CREATE OR REPLACE FUNCTION "note_audit_span"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM public.write_audit_spans(NEW.organisation, NEW.sequence);
    RETURN NULL;
END $$;
CREATE TRIGGER "audit_head_span" AFTER UPDATE OF "sequence" ON "audit_head"
    FOR EACH ROW WHEN (OLD."sequence" / 1024 <> NEW."sequence" / 1024) EXECUTE FUNCTION "note_audit_span"();

-- As before, with the postings of the spans that go. A span of which some events stay keeps them.
CREATE OR REPLACE FUNCTION "expire_audit_events"("p_organisation" TEXT, "p_most" INTEGER) RETURNS INTEGER
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    cutoff TIMESTAMPTZ;
    through BIGINT;
    young BIGINT;
    removed INTEGER;
BEGIN
    SELECT now() - make_interval(days => r.days) INTO cutoff FROM public.audit_retention r;
    IF cutoff IS NULL THEN
        RAISE EXCEPTION 'audit events are kept for ever' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT max(c.sequence) INTO through FROM public.audit_checkpoint c
    WHERE c.organisation = p_organisation AND c.kind = 'RETENTION';
    SELECT max(e.sequence), min(e.sequence) FILTER (WHERE e.at >= cutoff) INTO through, young
    FROM (
        SELECT o.sequence, o.at FROM public.audit_event o
        WHERE o.organisation = p_organisation AND o.sequence <= through ORDER BY o.sequence LIMIT p_most
    ) e;
    -- Not a setting of the function, which only a superuser may give it.
    PERFORM set_config('strongroom.audit_retention', 'on', true);
    DELETE FROM public.audit_event e
    WHERE e.organisation = p_organisation AND e.sequence <= through AND e.sequence < coalesce(young, through + 1);
    GET DIAGNOSTICS removed = ROW_COUNT;
    PERFORM set_config('strongroom.audit_retention', 'off', true);
    WITH gone AS (
        DELETE FROM public.audit_span s
        WHERE s.organisation = p_organisation AND s.last_sequence < coalesce(
            (SELECT min(e.sequence) FROM public.audit_event e WHERE e.organisation = p_organisation), through + 1
        )
        RETURNING s.last_sequence
    )
    DELETE FROM public.audit_posting p USING gone g, generate_series(0, 31) b
    WHERE p.organisation = p_organisation AND p.bucket = b AND p.last_sequence = g.last_sequence;
    RETURN removed;
END $$;

DELETE FROM "audit_span";
SELECT "write_audit_spans"("organisation", "sequence") FROM "audit_head";

GRANT SELECT ON "audit_posting" TO "strongroom_service";
