import type { KmsKey, Secret, SecretVersion } from '../resolvers/rows/secret-types.ts';
import { builder } from './builder.ts';

// Types that name one another: each is declared here, and its fields are in the file of its name.
export const KmsKeyType = builder.objectRef<KmsKey>('KmsKey');
export const SecretType = builder.objectRef<Secret>('Secret');
export const SecretVersionType = builder.objectRef<SecretVersion>('SecretVersion');
