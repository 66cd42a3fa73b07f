import { InvalidInputError } from '../errors.ts';
import { type Secret, type SecretVersion, versionOf } from './secret-types.ts';
import { findVersion } from './versions.ts';

/** Secret.version: of a number, or the current one; null when there is none. */
export async function secretVersion(secret: Secret, number?: number | null): Promise<SecretVersion | null> {
  const wanted = number ?? secret.currentVersion;
  if (wanted === null) return null;
  if (wanted < 1) throw new InvalidInputError(['number'], 'The number of a version is 1 or more.');
  const version = await findVersion(secret.region.db.client, secret, wanted);
  return version && versionOf(secret, version);
}
