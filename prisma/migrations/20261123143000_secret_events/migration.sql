-- Change events are read from the audit chain. Who follows one scope from an old place finds its changes here, without
-- passing the reads of values, which are most of the chain. The actions are those of src/resolvers/secret-change.ts.
CREATE INDEX "audit_event_secret_change_idx" ON "audit_event"("organisation", "project", "sequence")
    WHERE "outcome" = 'SUCCESS' AND "action" IN (
        'secret.create', 'secret.putValue', 'secret.update', 'secret.setAccessPolicy', 'secret.rollback',
        'secret.destroyVersion', 'secret.delete', 'secret.restore', 'secret.purge'
    );
