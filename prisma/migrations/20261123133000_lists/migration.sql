-- Who may find a few paths only has those read, not all that was deleted or that depends on a key. The first index holds all
-- that the order by time of deletion needs, so that rows which do not come to the page are never fetched.
CREATE INDEX "secret_deleted_path_key_idx" ON "secret"("organisation", "project", "path_key")
    INCLUDE ("id", "deleted_at", "purge_at") WHERE "deleted_at" IS NOT NULL;
CREATE INDEX "secret_kms_key_path_key_idx" ON "secret"("organisation", "project", "kms_key_identity", "path_key", "id");
