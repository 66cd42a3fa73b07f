/** What is asked, and what a successful answer is: whole bodies, so that an error inside a 200 is never taken for one. */
import type { BenchSecret } from './dataset.ts';
import type { Exchange } from './load/load-spec.ts';

const USER_ERROR = '... on UserError { code message }';
const GET = `query Read($input: GetSecretValueInput!) { getSecretValue(input: $input) { __typename ... on SecretValue { secretString } ${USER_ERROR} } }`;
const GET_MANY = `query ReadMany($input: GetSecretValuesInput!) { getSecretValues(input: $input) { __typename ... on GetSecretValuesPayload { results { __typename ... on SecretValue { secretString } ${USER_ERROR} } } ${USER_ERROR} } }`;
const PUT = `mutation Write($input: PutSecretValueInput!) { putSecretValue(input: $input) { __typename ... on SecretVersionPayload { version { number } } ${USER_ERROR} } }`;
const LIST = `query List($prefix: FolderPath) { secrets(first: 50, filter: { pathPrefix: $prefix }) { nodes { id path currentVersion updatedAt } pageInfo { hasNextPage endCursor } } }`;
const FOLDER = `query Folder($path: FolderPath!) { folder(path: $path) { path children(first: 50) { nodes { __typename name path } pageInfo { hasNextPage endCursor } } } }`;

export const BATCH = 100;

const value = ({ base64 }: BenchSecret) => ({ __typename: 'SecretValue', secretString: base64 });
const whole = (body: object, expected: object): Exchange => ({
  body: JSON.stringify(body),
  expected: JSON.stringify(expected),
  match: 'whole',
});

export function pingYoga(): readonly Exchange[] {
  return [whole({ query: '{ ping }' }, { data: { ping: 'pong' } })];
}

export function readFloor(secrets: readonly BenchSecret[]): readonly Exchange[] {
  return secrets.map(({ path, base64 }) => whole({ path }, { value: base64 }));
}

export function getSecretValue(secrets: readonly BenchSecret[]): readonly Exchange[] {
  return secrets.map((secret) =>
    whole(
      { query: GET, variables: { input: { path: secret.path } } },
      { data: { getSecretValue: value(secret) } },
    ),
  );
}

/** As many batches of 100 as there are hundreds, each of secrets far from one another. */
export function getSecretValues(secrets: readonly BenchSecret[]): readonly Exchange[] {
  const batches = Math.floor(secrets.length / BATCH);
  return Array.from({ length: batches }, (_, batch) => {
    const members = secrets.filter((__, index) => index % batches === batch);
    return whole(
      { query: GET_MANY, variables: { input: { secrets: members.map(({ path }) => ({ path })) } } },
      { data: { getSecretValues: { __typename: 'GetSecretValuesPayload', results: members.map(value) } } },
    );
  });
}

/** Writes the value that is there already, so that the reads know what to expect. */
export function putSecretValue(secrets: readonly BenchSecret[]): readonly Exchange[] {
  return secrets.map(({ path, base64 }) => ({
    body: JSON.stringify({ query: PUT, variables: { input: { path, value: { secretString: base64 } } } }),
    expected: '{"data":{"putSecretValue":{"__typename":"SecretVersionPayload","version":{"number":',
    match: 'start',
  }));
}

export function listSecrets(folders: readonly string[]): readonly Exchange[] {
  return folders.map((prefix) => ({
    body: JSON.stringify({ query: LIST, variables: { prefix } }),
    expected: '{"data":{"secrets":{"nodes":[{"id":',
    match: 'start',
  }));
}

export function folderChildren(folders: readonly string[]): readonly Exchange[] {
  return folders.map((path) => ({
    body: JSON.stringify({ query: FOLDER, variables: { path } }),
    expected: `{"data":{"folder":{"path":"${path}","children":{"nodes":[{"__typename":`,
    match: 'start',
  }));
}
