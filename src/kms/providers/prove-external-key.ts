import { randomBytes, timingSafeEqual } from 'node:crypto';
import { DecryptionFailedError } from '../../errors.ts';
import { KEY_BYTES } from '../envelope/aead.ts';
import { canonical } from '../envelope/canonical.ts';
import { SecretBytes } from '../envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsProvider,
} from '../provider.ts';

/**
 * Wraps and unwraps a data key made up for it, before secrets depend on an external key: with the rights for it, and with
 * the context authenticated. A server too old to know of associated data takes the request and leaves the context out.
 * Throws `ExternalKeyError` for a key that fails.
 */
export async function proveExternalKey(
  provider: Pick<KmsProvider, 'wrap' | 'unwrap'>,
  key: KmsKeyReference,
  generation: KmsKeyGeneration,
): Promise<void> {
  const context = (which: number) =>
    canonical(['strongroom/external-key-proof/1', key.organisation, key.identity, which]);
  const dataKey = new SecretBytes(randomBytes(KEY_BYTES));
  const opened: SecretBytes[] = [];
  try {
    const wrapped = await provider.wrap(key, generation, dataKey, context(1));
    const unwrap = async (which: number) => {
      const unwrapped = await orNothing(provider.unwrap(key, generation, wrapped, context(which)));
      if (unwrapped) opened.push(unwrapped);
      return unwrapped;
    };
    const same = await unwrap(1);
    if (!same || !timingSafeEqual(same.reveal(), dataKey.reveal())) {
      throw new ExternalKeyError('The external key does not unwrap what it wrapped.');
    }
    if (await unwrap(2)) throw new ExternalKeyError('The external key does not authenticate the context.');
  } finally {
    for (const secret of [dataKey, ...opened]) secret.zero();
  }
}

async function orNothing(unwrapped: Promise<SecretBytes>): Promise<SecretBytes | null> {
  try {
    return await unwrapped;
  } catch (error) {
    if (error instanceof DecryptionFailedError) return null;
    throw error;
  }
}
