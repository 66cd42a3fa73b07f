-- A page of the log is found by an index of the one filter that tells most, in the order of sequences.
CREATE INDEX "audit_event_organisation_action_outcome_sequence_idx" ON "audit_event"("organisation", "action", "outcome", "sequence");
CREATE INDEX "audit_event_organisation_actor_subject_sequence_idx" ON "audit_event"("organisation", "actor_subject", "sequence");
CREATE INDEX "audit_event_organisation_actor_issuer_sequence_idx" ON "audit_event"("organisation", "actor_issuer", "sequence");
CREATE INDEX "audit_event_organisation_resource_sequence_idx" ON "audit_event"("organisation", "resource", "sequence");
CREATE INDEX "audit_event_organisation_request_id_sequence_idx" ON "audit_event"("organisation", "request_id", "sequence");
CREATE INDEX "audit_event_unsuccessful_idx" ON "audit_event"("organisation", "outcome", "sequence") WHERE "outcome" <> 'SUCCESS';

-- A project sees its own events only: among millions of its organisation's they are found by indexes of their own.
CREATE INDEX "audit_event_project_idx" ON "audit_event"("organisation", "project", "sequence") WHERE "project" <> '';
CREATE INDEX "audit_event_project_action_idx" ON "audit_event"("organisation", "project", "action", "outcome", "sequence") WHERE "project" <> '';
CREATE INDEX "audit_event_project_actor_subject_idx" ON "audit_event"("organisation", "project", "actor_subject", "sequence") WHERE "project" <> '';
CREATE INDEX "audit_event_project_resource_idx" ON "audit_event"("organisation", "project", "resource", "sequence") WHERE "project" <> '';
CREATE INDEX "audit_event_project_unsuccessful_idx" ON "audit_event"("organisation", "project", "outcome", "sequence")
    WHERE "project" <> '' AND "outcome" <> 'SUCCESS';

-- No B-tree gives a range of paths in the order of sequences. Within blocks of 4,096 events, which are visited in that order,
-- a range of paths is small enough to be sorted.
CREATE INDEX "audit_event_block_path_key_idx"
    ON "audit_event"("organisation", ("sequence" >> 12), (translate("resource", '/'::text, chr(1)) COLLATE "C"), "sequence")
    WHERE "resource_type" = 'secret';

-- Who read a secret: counted from the index alone.
CREATE INDEX "audit_event_reader_idx" ON "audit_event"("organisation", "resource_id", "actor_issuer", "actor_subject", "at")
    WHERE "action" = 'secret.getValue' AND "outcome" = 'SUCCESS';

-- Rows never change: mark their pages as seen by all soon, so that pages of the log are found in the indexes alone.
ALTER TABLE "audit_event" SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Times are those of the gateways, so they do not strictly grow with the sequence. Each 1,024 events leave the earliest and
-- the latest time among them; from these a range of time becomes a range of sequences, exactly.
CREATE TABLE "audit_span" (
    "organisation" TEXT NOT NULL,
    "last_sequence" BIGINT NOT NULL,
    "earliest_at" TIMESTAMPTZ(3) NOT NULL,
    "latest_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_span_pkey" PRIMARY KEY ("organisation","last_sequence")
);
CREATE FUNCTION "note_audit_span"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO public.audit_span
    SELECT NEW.organisation, NEW.sequence, min(e.at), max(e.at) FROM public.audit_event e
    WHERE e.organisation = NEW.organisation AND e.sequence > NEW.sequence - 1024 AND e.sequence <= NEW.sequence
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER "audit_event_span" AFTER INSERT ON "audit_event"
    FOR EACH ROW WHEN (NEW."sequence" % 1024 = 0) EXECUTE FUNCTION "note_audit_span"();
INSERT INTO "audit_span"
    SELECT "organisation", max("sequence"), min("at"), max("at") FROM "audit_event"
    GROUP BY "organisation", ("sequence" - 1) / 1024 HAVING max("sequence") % 1024 = 0;

-- The key that signs checkpoints of the region's chains. The whole region has one, so it starts with no organisation.
CREATE TABLE "audit_signing_key" (
    "id" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "wrapped_private_key" BYTEA NOT NULL,
    "root_key_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_signing_key_pkey" PRIMARY KEY ("id")
);

-- What the service has signed of a chain. HEAD: it had this event. RETENTION: the events up to this one may be gone.
CREATE TYPE "AuditCheckpointKind" AS ENUM ('HEAD', 'RETENTION');
CREATE TABLE "audit_checkpoint" (
    "organisation" TEXT NOT NULL,
    "kind" "AuditCheckpointKind" NOT NULL,
    "sequence" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "key_id" TEXT NOT NULL,
    "signature" BYTEA NOT NULL,

    CONSTRAINT "audit_checkpoint_pkey" PRIMARY KEY ("organisation","kind","sequence","key_id")
);

-- Retention alone deletes, through its function below; the setting is no right, for the service's role lacks the right to delete.
CREATE OR REPLACE FUNCTION "refuse_audit_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_event' AND current_setting('strongroom.audit_retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit events are append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER "audit_checkpoint_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_checkpoint"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_audit_change"();

-- For how many days events stay at least: one row, which the owner writes at the start of the service; none: for ever.
CREATE TABLE "audit_retention" (
    "days" INTEGER NOT NULL,

    CONSTRAINT "audit_retention_days_check" CHECK ("days" >= 1)
);
CREATE UNIQUE INDEX "audit_retention_one_row" ON "audit_retention"((true));

-- Removes the oldest events up to the organisation's newest retention checkpoint, at most p_most of them, and answers how
-- many. Whatever the checkpoint says, and whoever calls, an event that is too young stays, and all that follow it.
CREATE FUNCTION "expire_audit_events"("p_organisation" TEXT, "p_most" INTEGER) RETURNS INTEGER
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
    DELETE FROM public.audit_span s
    WHERE s.organisation = p_organisation AND s.last_sequence < coalesce(
        (SELECT min(e.sequence) FROM public.audit_event e WHERE e.organisation = p_organisation), through + 1
    );
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION "expire_audit_events"(TEXT, INTEGER) FROM PUBLIC;

GRANT SELECT ON "audit_span", "audit_retention" TO "strongroom_service";
GRANT SELECT, INSERT ON "audit_checkpoint" TO "strongroom_service";
GRANT SELECT, INSERT, UPDATE ("wrapped_private_key", "root_key_id") ON "audit_signing_key" TO "strongroom_service";
GRANT EXECUTE ON FUNCTION "expire_audit_events"(TEXT, INTEGER) TO "strongroom_service";
