import { secretReaders } from '../../resolvers/audit/secret-readers.ts';
import { encodeGlobalId } from '../../resolvers/input/global-id.ts';
import { readableKmsKey } from '../../resolvers/kms-keys/kms-key.ts';
import { deletedSecrets } from '../../resolvers/secrets/deleted-secrets.ts';
import { secret } from '../../resolvers/secrets/secret.ts';
import { secrets } from '../../resolvers/secrets/secrets.ts';
import { secretVersion } from '../../resolvers/versions/secret-version.ts';
import { secretVersions } from '../../resolvers/versions/secret-versions.ts';
import { builder } from '../builder.ts';
import { connectionType, pageArguments } from '../connection.ts';
import { OrderDirectionEnum, SecretOrderFieldEnum } from '../enums.ts';
import { creatorOf, IdentityType } from '../identity.ts';
import { regionOption } from '../input-options.ts';
import { LabelInput, labelsOf, LabelType } from '../label.ts';
import { NodeInterface } from '../node.ts';
import { AccessPolicyType } from '../policy/access-policy.ts';
import { SecretType, KmsKeyType, SecretVersionType } from '../refs.ts';
import { PathNodeInterface } from './path-node.ts';
import { SecretReaderConnection } from './secret-reader.ts';
import { SecretVersionConnection } from './secret-version.ts';

SecretType.implement({
  description:
    'A secret: a path with numbered versions of a value. These fields are metadata; getSecretValue reads values.',
  interfaces: () => [NodeInterface, PathNodeInterface],
  fields: (t) => ({
    id: t.id({
      description:
        'The id of the secret. Pass it to `node` to fetch the secret again. A new secret at the same path has a different id.',
      resolve: ({ region, id }) => encodeGlobalId('Secret', region.name, id),
    }),
    region: t.string({
      description: 'The region that holds the secret.',
      resolve: ({ region }) => region.name,
    }),
    organisation: t.exposeString('organisation', {
      description: 'The organisation to which the secret belongs.',
    }),
    project: t.string({
      nullable: true,
      description: 'The project to which the secret belongs; null for the organisation itself.',
      resolve: ({ project }) => project || null,
    }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What the secret is for, at most 1,024 characters. Not encrypted.',
    }),
    labels: t.field({
      type: [LabelType],
      description: 'Short texts by which the secret can be found, at most 64, sorted by key. Not encrypted.',
      resolve: ({ labels }) => labelsOf(labels),
    }),
    annotations: t.field({
      type: [LabelType],
      description: 'Longer texts about the secret, at most 16 KiB in total, sorted by key. Not encrypted.',
      resolve: ({ annotations }) => labelsOf(annotations),
    }),
    kmsKeyIdentity: t.exposeString('kmsKeyIdentity', {
      description: 'The identity of the KMS key that protects the values.',
    }),
    kmsKey: t.field({
      type: KmsKeyType,
      nullable: true,
      description: 'The KMS key that protects the values; null if the caller lacks KMS_KEY_READ on it.',
      resolve: ({ region, kmsKeyIdentity }, _, ctx) => readableKmsKey(ctx, region, kmsKeyIdentity),
    }),
    currentVersion: t.exposeInt('currentVersion', {
      nullable: true,
      description: 'The number of the latest active version; null if none is left.',
    }),
    version: t.field({
      type: SecretVersionType,
      nullable: true,
      description: 'One version, or the current version; null if there is none.',
      args: {
        number: t.arg.int({
          description: 'The number of the version, 1 or more. If omitted, the current version is used.',
        }),
      },
      resolve: (parent, { number }, ctx) => secretVersion(ctx, parent, number),
    }),
    versions: t.field({
      type: SecretVersionConnection,
      description: 'All versions ever written, including destroyed ones, newest first.',
      args: pageArguments(),
      resolve: (parent, args) => secretVersions(parent, args),
    }),
    accessPolicy: t.expose('accessPolicy', {
      type: AccessPolicyType,
      nullable: true,
      description:
        'When and from where the values may be used, in addition to all permissions; null if there are no such conditions.',
    }),
    objectVersion: t.exposeInt('objectVersion', {
      description:
        'A number that grows by one with each change to the metadata, not with values. Use it as expectedObjectVersion.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the secret was created.' }),
    createdBy: t.field({ type: IdentityType, description: 'Who created the secret.', resolve: creatorOf }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When the metadata or the value was last changed.',
    }),
    lastAccessedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When a value of the secret was last read; null if none ever was.',
      resolve: ({ region, id }, _, ctx) => ctx.loaders(region).secretLastAccessedAt.load(id),
    }),
    readers: t.field({
      type: SecretReaderConnection,
      nullable: true,
      description:
        'The identities that read values of the secret, by issuer and ' +
        'subject, as far back as the audit log goes; null without AUDIT_READ.',
      args: {
        since: t.arg({ type: 'DateTime', description: 'Count only reads at or after this instant.' }),
        ...pageArguments(),
      },
      resolve: (parent, args, ctx) => secretReaders(ctx, parent, args),
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the secret was deleted; null unless it is in its recovery window.',
    }),
    purgeAt: t.expose('purgeAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the recovery window ends and the secret is permanently removed; null for a live secret.',
    }),
  }),
});

export const SecretConnection = connectionType('Secret', 'secrets', SecretType);

builder.objectField(SecretConnection, 'totalCount', (t) =>
  t.int({
    nullable: true,
    description:
      'How many secrets the whole list has; null above 10,000. They are counted only when this field is requested.',
    resolve: (connection) => connection.totalCount(),
  }),
);

const SecretFilter = builder.inputType('SecretFilter', {
  description: 'The conditions for a list of secrets. A secret must meet all that are given.',
  fields: (t) => ({
    pathPrefix: t.field({
      type: 'FolderPath',
      description: 'Only secrets below this folder, at any depth. A secret at exactly this path is excluded.',
    }),
    labels: t.field({
      type: [LabelInput],
      description: 'Only secrets with all of these labels. Both key and value must match.',
    }),
    kmsKeyIdentity: t.string({ description: 'Only secrets that the KMS key with this identity protects.' }),
    notAccessedSince: t.field({
      type: 'DateTime',
      description: 'Only secrets whose values were never read, or were last read before this instant.',
    }),
    search: t.string({
      description:
        'Only secrets with this text in the path or description, ignoring case. 1 to 256 characters.',
    }),
  }),
});

const SecretOrder = builder.inputType('SecretOrder', {
  description: 'The order of a list of secrets.',
  fields: (t) => ({
    field: t.field({ type: SecretOrderFieldEnum, required: true, description: 'The field to order by.' }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      description: 'The direction to order in.',
    }),
  }),
});

builder.queryFields((t) => ({
  secret: t.field({
    type: SecretType,
    nullable: true,
    description: 'The metadata of the secret at a path; null if there is none or the caller may not read it.',
    args: {
      path: t.arg({ type: 'SecretPath', required: true, description: 'The path of the secret.' }),
      region: t.arg.string(regionOption),
    },
    resolve: (_, args, ctx) => secret(ctx, args),
  }),
  secrets: t.field({
    type: SecretConnection,
    nullable: true,
    description:
      'The secrets that the caller may find (SECRET_LIST and SECRET_READ), ordered by path unless orderBy is given.',
    args: {
      region: t.arg.string(regionOption),
      filter: t.arg({
        type: SecretFilter,
        description: 'The conditions that the secrets must meet. If omitted, all secrets are listed.',
      }),
      orderBy: t.arg({
        type: SecretOrder,
        description: 'The order of the list. If omitted, it is by path, ascending.',
      }),
      ...pageArguments(),
    },
    resolve: (_, args, ctx) => secrets(ctx, args),
  }),
  deletedSecrets: t.field({
    type: SecretConnection,
    nullable: true,
    description: 'The deleted secrets that can still be restored, most recently deleted first.',
    args: { region: t.arg.string(regionOption), ...pageArguments() },
    resolve: (_, args, ctx) => deletedSecrets(ctx, args),
  }),
}));
