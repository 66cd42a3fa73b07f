import type { AccessPolicy } from '../policy/conditions/access-policy.ts';
import type { KmsKeyModel, KmsKeyVersionModel, SecretVersionModel } from './generated/models.ts';
import { arrayOf, literal, type Run, type Statement } from './statements.ts';

/** Which version of which live secret is looked for. */
export interface ValueWish {
  readonly project: string;
  readonly pathKey: string;
  /** null: the current one. */
  readonly version: number | null;
  /** Otherwise no version is loaded: the time that a large one takes would tell that it is there. */
  readonly mayOpen: boolean;
}

/** A secret with what opens one of its versions, as far as it is there and was wished for. */
export interface StoredValue {
  readonly secret: {
    readonly organisation: string;
    readonly id: string;
    readonly project: string;
    readonly path: string;
    readonly kmsKeyIdentity: string;
    readonly accessPolicy: AccessPolicy | null;
    readonly currentVersion: number | null;
    readonly deletedAt: null;
  };
  readonly version: Pick<
    SecretVersionModel,
    'number' | 'status' | 'valueFormat' | 'kmsKeyVersion' | 'wrappedDataKey' | 'ciphertext'
  > | null;
  readonly kmsKey: Pick<
    KmsKeyModel,
    'organisation' | 'identity' | 'project' | 'keyType' | 'status' | 'provider' | 'externalKeyId'
  > | null;
  /** The generation of the key that wrapped the version's data key. */
  readonly generation: Pick<
    KmsKeyVersionModel,
    'number' | 'wrappedMaterial' | 'rootKeyId' | 'externalVersion'
  > | null;
}

/** Each wish goes by keys alone, whatever the tables hold: OFFSET 0 keeps the planner from turning it round. */
const LOAD: Statement = {
  name: 'load-values',
  text: `
    SELECT
      w.i::int AS wish, s.id, s.project, s.path, s.kms_key_identity AS "kmsKeyIdentity",
      s.access_policy AS "accessPolicy", s.current_version AS "currentVersion",
      v.number, v.status, v.value_format AS "valueFormat", v.kms_key_version AS "kmsKeyVersion",
      v.wrapped_data_key AS "wrappedDataKey", v.ciphertext,
      k.key_type AS "keyType", k.status AS "keyStatus", k.provider, k.external_key_id AS "externalKeyId",
      g.number AS "generation", g.wrapped_material AS "wrappedMaterial", g.root_key_id AS "rootKeyId",
      g.external_version AS "externalVersion"
    FROM unnest($2::text[], $3::text[], $4::int[], $5::bool[])
      WITH ORDINALITY AS w(project, path_key, version, may_open, i)
    CROSS JOIN LATERAL (
      SELECT * FROM secret
      WHERE organisation = $1 AND project = w.project AND path_key = w.path_key AND deleted_at IS NULL OFFSET 0
    ) s
    LEFT JOIN LATERAL (
      SELECT * FROM secret_version
      WHERE organisation = $1 AND secret_id = s.id AND number = coalesce(w.version, s.current_version) AND w.may_open
      OFFSET 0
    ) v ON true
    LEFT JOIN LATERAL (
      SELECT * FROM kms_key WHERE organisation = $1 AND identity = s.kms_key_identity AND project = s.project OFFSET 0
    ) k ON true
    LEFT JOIN LATERAL (
      SELECT * FROM kms_key_version
      WHERE organisation = $1 AND kms_key_identity = s.kms_key_identity AND number = v.kms_key_version OFFSET 0
    ) g ON true`,
};

interface Row {
  readonly wish: number;
  readonly id: string;
  readonly project: string;
  readonly path: string;
  readonly kmsKeyIdentity: string;
  readonly accessPolicy: AccessPolicy | null;
  readonly currentVersion: number | null;
  readonly number: number | null;
  readonly status: SecretVersionModel['status'];
  readonly valueFormat: SecretVersionModel['valueFormat'];
  readonly kmsKeyVersion: number;
  readonly wrappedDataKey: Uint8Array<ArrayBuffer> | null;
  readonly ciphertext: Uint8Array<ArrayBuffer> | null;
  readonly keyType: KmsKeyModel['keyType'];
  readonly keyStatus: KmsKeyModel['status'] | null;
  readonly provider: string;
  readonly externalKeyId: string | null;
  readonly generation: number | null;
  readonly wrappedMaterial: Uint8Array<ArrayBuffer> | null;
  readonly rootKeyId: string | null;
  readonly externalVersion: string | null;
}

/** What is stored for each wish, in their order; undefined where there is no live secret. */
export async function findStoredValues(
  run: Run,
  organisation: string,
  wishes: readonly ValueWish[],
): Promise<readonly (StoredValue | undefined)[]> {
  const rows = await run<Row>(LOAD, [
    organisation,
    arrayOf(wishes.map(({ project }) => literal(project))),
    arrayOf(wishes.map(({ pathKey }) => literal(pathKey))),
    arrayOf(wishes.map(({ version }) => version ?? 'NULL')),
    arrayOf(wishes.map(({ mayOpen }) => mayOpen)),
  ]);
  const found: (StoredValue | undefined)[] = wishes.map(() => undefined);
  for (const row of rows) found[row.wish - 1] = storedValue(organisation, row);
  return found;
}

function storedValue(organisation: string, row: Row): StoredValue {
  const { id, project, path, kmsKeyIdentity, accessPolicy, currentVersion } = row;
  const { number, status, valueFormat, kmsKeyVersion, wrappedDataKey, ciphertext } = row;
  const { keyType, keyStatus, provider, externalKeyId } = row;
  const { generation, wrappedMaterial, rootKeyId, externalVersion } = row;
  return {
    secret: {
      organisation,
      id,
      project,
      path,
      kmsKeyIdentity,
      accessPolicy,
      currentVersion,
      deletedAt: null,
    },
    version:
      number === null ? null : { number, status, valueFormat, kmsKeyVersion, wrappedDataKey, ciphertext },
    kmsKey:
      keyStatus === null
        ? null
        : {
            ...{ organisation, project, keyType, provider, externalKeyId },
            ...{ identity: kmsKeyIdentity, status: keyStatus },
          },
    generation:
      generation === null ? null : { number: generation, wrappedMaterial, rootKeyId, externalVersion },
  };
}
