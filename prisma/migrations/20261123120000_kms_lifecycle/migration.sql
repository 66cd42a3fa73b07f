-- A generation of a key that lives outside has a name there. A destroyed key's rows are deleted, not marked.
ALTER TABLE "kms_key_version" DROP COLUMN "destroyed_at", ADD COLUMN "external_version" TEXT;
GRANT DELETE ON "kms_key", "kms_key_version" TO "strongroom_service";

-- What the jobs look for, across organisations.
CREATE INDEX "kms_key_next_rotation_at_idx" ON "kms_key"("next_rotation_at") WHERE "next_rotation_at" IS NOT NULL;
CREATE INDEX "kms_key_deletion_scheduled_at_idx" ON "kms_key"("deletion_scheduled_at") WHERE "deletion_scheduled_at" IS NOT NULL;
