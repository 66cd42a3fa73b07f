-- CreateTable
CREATE TABLE "policy" (
    "organisation" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "project" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT NOT NULL,
    "description" TEXT,
    "statements" JSONB NOT NULL,
    "subjects" JSONB NOT NULL,
    "object_version" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "policy_pkey" PRIMARY KEY ("organisation","id")
);

-- CreateIndex
CREATE UNIQUE INDEX "policy_organisation_project_name_key_key" ON "policy"("organisation", "project", "name_key");

GRANT SELECT, INSERT, UPDATE, DELETE ON "policy" TO "strongroom_service";
