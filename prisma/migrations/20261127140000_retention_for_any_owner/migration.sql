-- The two migrations that made this function gave it a setting, which only a superuser may do. They no longer do. Where they ran
-- before, the function loses the setting here, so that an ordinary owner can restore a dump of the database.
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
