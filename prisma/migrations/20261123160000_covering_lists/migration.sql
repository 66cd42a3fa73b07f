-- Lists in the order of a time are found in indexes alone, whichever way they are read: all that the caller may find, to be
-- sorted, or the order itself, to be tested for what the caller may find. Rows are fetched for the page only.
CREATE UNIQUE INDEX "secret_live_path_key_covering" ON "secret"("organisation", "project", "path_key")
    INCLUDE ("id", "created_at", "updated_at") WHERE "deleted_at" IS NULL;
DROP INDEX "secret_live_path_key";
ALTER INDEX "secret_live_path_key_covering" RENAME TO "secret_live_path_key";

DROP INDEX "secret_live_created_at_idx";
CREATE INDEX "secret_live_created_at_idx" ON "secret"("organisation", "project", "created_at", "id")
    INCLUDE ("path_key") WHERE "deleted_at" IS NULL;
DROP INDEX "secret_live_updated_at_idx";
CREATE INDEX "secret_live_updated_at_idx" ON "secret"("organisation", "project", "updated_at", "id")
    INCLUDE ("path_key") WHERE "deleted_at" IS NULL;
DROP INDEX "secret_deleted_at_idx";
CREATE INDEX "secret_deleted_at_idx" ON "secret"("organisation", "project", "deleted_at", "id")
    INCLUDE ("path_key", "purge_at") WHERE "deleted_at" IS NOT NULL;
