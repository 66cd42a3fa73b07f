-- CreateEnum
CREATE TYPE "KmsKeyType" AS ENUM ('AES256_GCM96', 'CHACHA20_POLY1305');

-- CreateEnum
CREATE TYPE "KmsKeyStatus" AS ENUM ('ACTIVE', 'DISABLED', 'PENDING_DELETION');

-- CreateEnum
CREATE TYPE "SecretVersionStatus" AS ENUM ('ACTIVE', 'DESTROYED');

-- CreateEnum
CREATE TYPE "SecretValueFormat" AS ENUM ('STRING', 'KEY_VALUE');

-- CreateEnum
CREATE TYPE "AuditOutcome" AS ENUM ('SUCCESS', 'DENIED', 'FAILED');

-- CreateTable
CREATE TABLE "kms_key" (
    "organisation" TEXT NOT NULL,
    "identity" TEXT NOT NULL,
    "project" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "key_type" "KmsKeyType" NOT NULL,
    "status" "KmsKeyStatus" NOT NULL DEFAULT 'ACTIVE',
    "provider" TEXT NOT NULL,
    "external_key_id" TEXT,
    "latest_version" INTEGER NOT NULL,
    "rotation_period_days" INTEGER,
    "next_rotation_at" TIMESTAMPTZ(3),
    "status_before_deletion" "KmsKeyStatus",
    "deletion_scheduled_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by_subject" TEXT NOT NULL,
    "created_by_issuer" TEXT NOT NULL,

    CONSTRAINT "kms_key_pkey" PRIMARY KEY ("organisation","identity")
);

-- CreateTable
CREATE TABLE "kms_key_version" (
    "organisation" TEXT NOT NULL,
    "kms_key_identity" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "wrapped_material" BYTEA,
    "root_key_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "destroyed_at" TIMESTAMPTZ(3),

    CONSTRAINT "kms_key_version_pkey" PRIMARY KEY ("organisation","kms_key_identity","number")
);

-- CreateTable
CREATE TABLE "secret" (
    "organisation" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "project" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "path_key" TEXT COLLATE "C" GENERATED ALWAYS AS (translate(path, '/'::text, chr(1))) STORED,
    "kms_key_identity" TEXT NOT NULL,
    "description" TEXT,
    "labels" JSONB NOT NULL,
    "annotations" JSONB NOT NULL,
    "access_policy" JSONB,
    "latest_version" INTEGER NOT NULL,
    "current_version" INTEGER,
    "object_version" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by_subject" TEXT NOT NULL,
    "created_by_issuer" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),
    "purge_at" TIMESTAMPTZ(3),

    CONSTRAINT "secret_pkey" PRIMARY KEY ("organisation","id")
);

-- CreateTable
CREATE TABLE "secret_version" (
    "organisation" TEXT NOT NULL,
    "secret_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "status" "SecretVersionStatus" NOT NULL DEFAULT 'ACTIVE',
    "value_format" "SecretValueFormat" NOT NULL,
    "kms_key_identity" TEXT NOT NULL,
    "kms_key_version" INTEGER NOT NULL,
    "wrapped_data_key" BYTEA,
    "ciphertext" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by_subject" TEXT NOT NULL,
    "created_by_issuer" TEXT NOT NULL,
    "destroyed_at" TIMESTAMPTZ(3),
    "destroyed_by_subject" TEXT,
    "destroyed_by_issuer" TEXT,

    CONSTRAINT "secret_version_pkey" PRIMARY KEY ("organisation","secret_id","number")
);

-- CreateTable
CREATE TABLE "secret_access" (
    "organisation" TEXT NOT NULL,
    "secret_id" UUID NOT NULL,
    "last_accessed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "secret_access_pkey" PRIMARY KEY ("organisation","secret_id")
);

-- CreateTable
CREATE TABLE "secret_version_access" (
    "organisation" TEXT NOT NULL,
    "secret_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "last_accessed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "secret_version_access_pkey" PRIMARY KEY ("organisation","secret_id","number")
);

-- CreateTable
CREATE TABLE "idempotency_record" (
    "organisation" TEXT NOT NULL,
    "project" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "root_key_id" TEXT NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "resource_id" TEXT,
    "version" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_record_pkey" PRIMARY KEY ("organisation","project","issuer","subject","operation","key")
);

-- CreateTable
CREATE TABLE "audit_event" (
    "organisation" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "action" TEXT NOT NULL,
    "outcome" "AuditOutcome" NOT NULL,
    "error_code" TEXT,
    "project" TEXT NOT NULL,
    "region" TEXT NOT NULL,
    "actor_subject" TEXT NOT NULL,
    "actor_issuer" TEXT NOT NULL,
    "actor_roles" TEXT[],
    "resource_type" TEXT NOT NULL,
    "resource" TEXT,
    "resource_id" TEXT,
    "version" INTEGER,
    "caused_by" BIGINT,
    "request_id" TEXT NOT NULL,
    "source_ip" TEXT,
    "user_agent" TEXT,
    "details" JSONB NOT NULL,
    "previous_hash" BYTEA NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "audit_event_pkey" PRIMARY KEY ("organisation","sequence")
);

-- CreateTable
CREATE TABLE "audit_head" (
    "organisation" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "audit_head_pkey" PRIMARY KEY ("organisation")
);

-- CreateIndex
CREATE UNIQUE INDEX "kms_key_organisation_project_name_key" ON "kms_key"("organisation", "project", "name");

-- CreateIndex
CREATE INDEX "secret_organisation_kms_key_identity_idx" ON "secret"("organisation", "kms_key_identity");

-- CreateIndex
CREATE INDEX "secret_version_organisation_kms_key_identity_kms_key_versio_idx" ON "secret_version"("organisation", "kms_key_identity", "kms_key_version");

-- CreateIndex
CREATE INDEX "idempotency_record_organisation_resource_id_version_idx" ON "idempotency_record"("organisation", "resource_id", "version");

-- CreateIndex
CREATE INDEX "idempotency_record_organisation_created_at_idx" ON "idempotency_record"("organisation", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "audit_event_organisation_id_key" ON "audit_event"("organisation", "id");

-- AddForeignKey
ALTER TABLE "kms_key_version" ADD CONSTRAINT "kms_key_version_organisation_kms_key_identity_fkey" FOREIGN KEY ("organisation", "kms_key_identity") REFERENCES "kms_key"("organisation", "identity") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "secret" ADD CONSTRAINT "secret_organisation_kms_key_identity_fkey" FOREIGN KEY ("organisation", "kms_key_identity") REFERENCES "kms_key"("organisation", "identity") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "secret_version" ADD CONSTRAINT "secret_version_organisation_secret_id_fkey" FOREIGN KEY ("organisation", "secret_id") REFERENCES "secret"("organisation", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma cannot say.

-- A live path is unique in its scope. The key is the path in the order of its segments, so one index serves look-ups,
-- ranges, cursors and the tree.
CREATE UNIQUE INDEX "secret_live_path_key" ON "secret"("organisation", "project", "path_key") WHERE "deleted_at" IS NULL;
CREATE INDEX "secret_live_created_at_idx" ON "secret"("organisation", "project", "created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "secret_live_updated_at_idx" ON "secret"("organisation", "project", "updated_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "secret_deleted_at_idx" ON "secret"("organisation", "project", "deleted_at", "id") WHERE "deleted_at" IS NOT NULL;
CREATE INDEX "secret_purge_at_idx" ON "secret"("purge_at") WHERE "purge_at" IS NOT NULL;
CREATE INDEX "secret_labels_idx" ON "secret" USING gin ("labels" jsonb_path_ops) WHERE "deleted_at" IS NULL;

ALTER TABLE "secret"
    ADD CONSTRAINT "secret_recovery_window_check" CHECK (("deleted_at" IS NULL) = ("purge_at" IS NULL)),
    ADD CONSTRAINT "secret_versions_check" CHECK ("latest_version" >= 1 AND "current_version" BETWEEN 1 AND "latest_version");

-- A destroyed version holds nothing that could be opened; an active one holds all of it.
ALTER TABLE "secret_version"
    ADD CONSTRAINT "secret_version_destroyed_check" CHECK (
        CASE "status"
            WHEN 'ACTIVE' THEN "wrapped_data_key" IS NOT NULL AND "ciphertext" IS NOT NULL AND "destroyed_at" IS NULL
            ELSE "wrapped_data_key" IS NULL AND "ciphertext" IS NULL AND "destroyed_at" IS NOT NULL
        END
    );

-- One external key serves one organisation.
CREATE UNIQUE INDEX "kms_key_external_key" ON "kms_key"("provider", "external_key_id") WHERE "external_key_id" IS NOT NULL;

-- The audit table is append-only, for its owner too.
CREATE FUNCTION "refuse_audit_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER "audit_event_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_event"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_audit_change"();

-- The service's connections act as this role. It is the cluster's, not the database's: another region may have made it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'strongroom_service') THEN
        CREATE ROLE "strongroom_service" NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;
-- Whoever migrates must be able to take the role. Where somebody else made it, they have to have granted it.
DO $$
BEGIN
    GRANT "strongroom_service" TO CURRENT_USER;
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END $$;
GRANT USAGE ON SCHEMA "public" TO "strongroom_service";
GRANT SELECT, INSERT, UPDATE, DELETE ON "secret", "secret_version", "secret_access", "secret_version_access", "idempotency_record"
    TO "strongroom_service";
GRANT SELECT, INSERT, UPDATE ON "kms_key", "kms_key_version", "audit_head" TO "strongroom_service";
GRANT SELECT, INSERT ON "audit_event" TO "strongroom_service";
