import type { KmsKey, Secret, SecretVersion } from '../resolvers/rows/secret-types.ts';
import { builder } from './builder.ts';

// Types that refer to one another. Each is declared here, and its fields are in the file named after it.
export const KmsKeyType = builder.objectRef<KmsKey>('KmsKey');
export const SecretType = builder.objectRef<Secret>('Secret');
export const SecretVersionType = builder.objectRef<SecretVersion>('SecretVersion');
