import type { Run, Statement } from './statements.ts';

const USED: Statement = {
  name: 'used-root-keys',
  text: `
    SELECT root_key_id AS id FROM kms_key_version WHERE root_key_id IS NOT NULL
    UNION SELECT root_key_id FROM audit_signing_key ORDER BY id`,
};

/** The ids of the root keys under which the database holds keys. */
export async function usedRootKeyIds(run: Run): Promise<readonly string[]> {
  return (await run<{ id: string }>(USED, [])).map(({ id }) => id);
}
