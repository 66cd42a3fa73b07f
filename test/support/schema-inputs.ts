import { randomUUID } from 'node:crypto';
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';
import { data } from './test-app.ts';
import { type Owner, ownerOfNode, type Things } from './things.ts';

/** Something that an input can name, with the owner of what is named. */
export interface Name {
  readonly owner: Owner;
  readonly value: string;
}

/** What stands in a place of the input: a value that is in order, and what of somebody else's could be named there. */
interface Known {
  readonly value: (own: Things) => unknown;
  readonly names?: (theirs: Things, field: string) => readonly Name[];
}

const plain = (value: unknown): Known => ({ value: () => value });
const naming = (
  owner: Owner,
  pick: (things: Things) => string,
  ...more: ((things: Things) => string)[]
): Known => ({
  value: pick,
  names: (theirs) => [pick, ...more].map((each) => ({ owner, value: each(theirs) })),
});

const path = naming(
  'secret',
  (things) => things.path,
  (things) => things.guardedPath,
  (things) => things.deletedPath,
);
const newPath: Known = { ...path, value: ({ folder }) => `${folder}/new` };
const id: Known = {
  value: ({ secretId }) => secretId,
  names: ({ ids }) => ids.map(({ type, id: value }) => ({ owner: ownerOfNode(type), value })),
};
const deletedId: Known = { ...id, value: (own) => own.deletedId };
const key = naming('kmsKey', ({ keyIdentity }) => keyIdentity);
const policyName = naming('policy', (things) => things.policyName);
const resource: Known = {
  value: (own) => `secret:${own.path}`,
  names: (theirs) => [
    { owner: 'secret', value: `secret:${theirs.path}` },
    { owner: 'secret', value: `secret:${theirs.guardedPath}` },
    { owner: 'kmsKey', value: `kms-key:${theirs.keyIdentity}` },
    { owner: 'policy', value: `policy:${theirs.policyName}` },
  ],
};
const cursor: Known = {
  value: () => null,
  names: ({ cursors }, field) => {
    const found = cursors.get(field);
    return found ? [found] : [];
  },
};

/** Places that mean more than their name says, by their schema coordinates. */
const BY_COORDINATE: Readonly<Record<string, Known>> = {
  'CreateSecretInput.path': newPath,
  'RestoreSecretInput.path': newPath,
  'RestoreSecretInput.id': deletedId,
  'PurgeSecretInput.id': deletedId,
  'CreateKmsKeyInput.name': {
    ...naming('kmsKey', (things) => things.keyName),
    value: ({ mark }) => `new-${mark}`,
  },
  'Query.policy(name:)': policyName,
  'PutPolicyInput.name': policyName,
  'DeletePolicyInput.name': policyName,
  'PolicyStatementInput.name': plain('first'),
  // Rights on what `resource` names.
  'PolicyStatementInput.permissions': plain('SECRET_READ'),
  'ExplainAccessInput.permission': plain('SECRET_READ'),
  'PolicyStatementInput.resources': resource,
  'PolicySubjectInput.value': plain('some-role'),
  'ExplainAccessInput.resource': resource,
  'ExplainAccessInput.subject': naming('caller', ({ subject }) => subject),
  'AuditEventFilter.subject': naming('event', ({ subject }) => subject),
  'AuditEventFilter.resource': naming(
    'event',
    (things) => things.path,
    (things) => things.keyIdentity,
  ),
  'AuditEventFilter.pathPrefix': naming('event', ({ folder }) => folder),
  'SecretKeyValueInput.key': plain('password'),
  'LabelInput.key': plain('team'),
  'LabelInput.value': naming('secret', ({ mark }) => mark),
  'TimeConditionInput.start': plain('00:00'),
  'TimeConditionInput.end': plain('24:00'),
};

/** Names of arguments and input fields that mean the same wherever they stand. */
const BY_NAME: Readonly<Record<string, Known>> = {
  ...{ region: plain('local-1'), kmsKeyIdentity: key, identity: key },
  idempotencyKey: { ...naming('caller', (things) => things.idempotencyKey), value: () => randomUUID() },
  ...{ description: plain('a description'), search: naming('secret', ({ mark }) => mark) },
  ...{ after: cursor, before: cursor, first: plain(10), last: plain(10) },
  ...{ version: plain(1), number: plain(1), toVersion: plain(1) },
  ...{ expectedVersion: plain(2), expectedObjectVersion: plain(1) },
  ...{
    recoveryWindowDays: plain(30),
    rotationPeriodDays: plain(30),
    length: plain(16),
    byteLength: plain(16),
  },
  ...{ keys: plain('password'), excludeCharacters: plain('l1O0'), provider: plain('local') },
  ...{
    externalKeyId: plain('external-1'),
    issuer: plain('https://issuer.example'),
    roles: plain('some-role'),
  },
  ...{ ip: plain('192.0.2.1'), actions: plain('secret.create') },
  requestId: naming('event', (things) => things.requestId),
};

const BY_SCALAR: Readonly<Record<string, Known>> = {
  ...{ SecretPath: path, FolderPath: naming('secret', ({ folder }) => folder), ID: id },
  ...{ SecretData: plain(data('value')), CIDR: plain('10.0.0.0/8'), TimeZone: plain('UTC') },
  ...{ DateTime: plain('2030-01-01T00:00:00.000Z'), SafeInt: plain(1), Boolean: plain(true) },
};

/** What an input needs besides what its type requires. */
const ALSO_NEEDED: Readonly<Record<string, readonly string[]>> = {
  AccessPolicyInput: ['ip'],
  PolicyConditionsInput: ['ip'],
  SetSecretAccessPolicyInput: ['accessPolicy'],
  SetKmsKeyRotationInput: ['rotationPeriodDays'],
};

/** A root field of the schema. */
export interface Root {
  readonly operation: 'query' | 'mutation' | 'subscription';
  readonly type: string;
  readonly field: GraphQLField<unknown, unknown>;
}

type Input = GraphQLArgument | GraphQLInputField;

function known(coordinate: string, { name, type }: Pick<Input, 'name' | 'type'>): Known {
  const scalar = getNamedType(type);
  const found = BY_COORDINATE[coordinate] ?? BY_NAME[name] ?? BY_SCALAR[scalar.name];
  if (found) return found;
  if (isEnumType(scalar)) return plain(scalar.getValues()[0]?.name);
  throw new Error(
    `The input ${coordinate} is not known to the tests that are generated from the schema: add it to ` +
      'test/support/schema-inputs.ts, and say there what of somebody else it can name, if anything.',
  );
}

function coordinateOf(root: Root, { name }: Input): string {
  return `${root.type}.${root.field.name}(${name}:)`;
}

/** The least that every argument of the field takes, in order and about `own`. */
export function minimalVariables(root: Root, own: Things): Record<string, unknown> {
  return Object.fromEntries(
    root.field.args
      .filter(isNeeded)
      .map((argument) => [
        argument.name,
        minimal(argument.type, coordinateOf(root, argument), argument, own),
      ]),
  );
}

function isNeeded({ type, defaultValue }: Input): boolean {
  return isNonNullType(type) && defaultValue === undefined;
}

function minimal(type: GraphQLInputType, coordinate: string, input: Input, own: Things): unknown {
  if (isNonNullType(type)) return minimal(type.ofType, coordinate, input, own);
  if (isListType(type)) return [minimal(type.ofType, coordinate, input, own)];
  if (!isInputObjectType(type)) return known(coordinate, input).value(own);
  const fields = Object.values(type.getFields());
  const needed = type.isOneOf
    ? fields.slice(0, 1)
    : fields.filter((field) => isNeeded(field) || ALSO_NEEDED[type.name]?.includes(field.name));
  return Object.fromEntries(
    needed.map((field) => [field.name, minimal(field.type, `${type.name}.${field.name}`, field, own)]),
  );
}

/** A place of the input, as deep as it stands. */
export interface Place {
  readonly title: string;
  /** The scalar, enum or input object that belongs there; null for a list. */
  readonly type: string | null;
  /** What of somebody else's can be named there; null where nothing can. */
  readonly names: ((theirs: Things) => readonly Name[]) | null;
  /** The least input about `own`, with this in the place. */
  readonly variables: (own: Things, value: unknown) => Record<string, unknown>;
}

/** Every place of the field's arguments. Throws at the first that the registry does not know. */
export function placesOf(root: Root): readonly Place[] {
  return root.field.args.flatMap((argument) =>
    placesIn(argument.type, coordinateOf(root, argument), argument).map(({ at, type, names, put }) => ({
      ...{ title: `${root.field.name}(${argument.name}${at})`, type },
      names: names && ((theirs: Things) => names(theirs, root.field.name)),
      variables: (own: Things, value: unknown) => ({
        ...minimalVariables(root, own),
        [argument.name]: put(own, value),
      }),
    })),
  );
}

/** A place where something of somebody else can be named. */
export type Reference = Place & { readonly names: NonNullable<Place['names']> };

export function referencesOf(root: Root): readonly Reference[] {
  return placesOf(root).filter((place): place is Reference => place.names !== null);
}

interface InnerPlace {
  readonly at: string;
  readonly type: string | null;
  readonly names: NonNullable<Known['names']> | null;
  readonly put: (own: Things, value: unknown) => unknown;
}

/** Deep enough for every input that is not about itself. */
const MAX_DEPTH = 8;

function placesIn(
  type: GraphQLInputType,
  coordinate: string,
  input: Input,
  depth = 0,
): readonly InnerPlace[] {
  if (depth > MAX_DEPTH) throw new Error(`${coordinate} nests deeper than the generated tests look.`);
  if (isNonNullType(type)) return placesIn(type.ofType, coordinate, input, depth);
  const here: InnerPlace = { at: '', type: null, names: null, put: (_own, value) => value };
  if (isListType(type)) {
    const items = placesIn(type.ofType, coordinate, input, depth).map((place) => ({
      ...{ ...place, at: `[]${place.at}` },
      put: (own: Things, value: unknown) => [place.put(own, value)],
    }));
    return [here, ...items];
  }
  if (!isInputObjectType(type)) {
    return [{ ...here, type: type.name, names: known(coordinate, input).names ?? null }];
  }
  const fields = Object.values(type.getFields()).flatMap((field) =>
    placesIn(field.type, `${type.name}.${field.name}`, field, depth + 1).map((place) => ({
      ...{ ...place, at: `.${field.name}${place.at}` },
      put: (own: Things, value: unknown) => ({
        ...(type.isOneOf ? {} : (minimal(type, coordinate, input, own) as object)),
        [field.name]: place.put(own, value),
      }),
    })),
  );
  return [{ ...here, type: type.name }, ...fields];
}
