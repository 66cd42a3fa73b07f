import { Database } from '../../src/db/database.ts';
import { RootKeys } from '../../src/kms/keys/root-keys.ts';
import type { ChainRegion } from '../../src/resolvers/audit/audit-signer.ts';
import { openRootKeyFile } from '../../src/server/root-key-file.ts';
import type { TestApp } from './test-app.ts';

/** The region of a test app as a second process sees it, which is what jobs are given. Close its `db`. */
export async function regionOfApp(app: TestApp): Promise<ChainRegion> {
  const name = 'local-1';
  const rootKeys = new RootKeys(await openRootKeyFile(app.dataDir, name));
  return { name, db: new Database(app.databaseUrl), rootKeys };
}
