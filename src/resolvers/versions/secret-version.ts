import { InvalidInputError } from '../../errors.ts';
import type { RequestContext } from '../context/request-context.ts';
import { type Secret, type SecretVersion, versionOf } from '../rows/secret-types.ts';

/** Secret.version: of a number, or the current one; null when there is none. */
export async function secretVersion(
  ctx: RequestContext,
  secret: Secret,
  number?: number | null,
): Promise<SecretVersion | null> {
  const wanted = number ?? secret.currentVersion;
  if (wanted === null) return null;
  if (wanted < 1) throw new InvalidInputError(['number'], 'The number of a version is 1 or more.');
  const version = await ctx.loaders(secret.region).version.load({ id: secret.id, number: wanted });
  return version && versionOf(secret, version);
}
