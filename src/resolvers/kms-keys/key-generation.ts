import type { KmsKeyGeneration } from '../../kms/provider.ts';
import type { Operation } from '../operation/operation.ts';

/** Writes what a provider made: a generation of a key. */
export async function writeGeneration(
  { tx, at }: Pick<Operation, 'tx' | 'at'>,
  key: { readonly organisation: string; readonly identity: string },
  generation: KmsKeyGeneration,
): Promise<void> {
  const { number, wrappedMaterial, rootKeyId, externalVersion } = generation;
  await tx.kmsKeyVersion.create({
    data: {
      ...{ organisation: key.organisation, kmsKeyIdentity: key.identity },
      ...{ number, rootKeyId, externalVersion, createdAt: at },
      wrappedMaterial: wrappedMaterial && new Uint8Array(wrappedMaterial),
    },
  });
}
