/** Fills the service through its own API, as a user would. */
import type { BenchSecret } from './dataset.ts';

const CREATE_KEY = `mutation { createKmsKey(input: { name: "default" }) { __typename ... on KmsKeyPayload { kmsKey { identity } } ... on UserError { code message } } }`;
const CREATE_SECRET = `mutation Create($input: CreateSecretInput!) { createSecret(input: $input) { __typename ... on UserError { code message } } }`;
const WRITERS = 8;

export async function seedService(
  port: number,
  token: string,
  secrets: readonly BenchSecret[],
): Promise<void> {
  const ask = async (query: string, variables: object): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const text = await answer.text();
    if (!text.includes('Payload"')) throw new Error(`The service could not be filled: ${text.slice(0, 400)}`);
    return text;
  };
  const kmsKeyIdentity = /"identity":"([^"]+)"/.exec(await ask(CREATE_KEY, {}))?.[1];
  const remaining = secrets.values();
  const write = async () => {
    for (const { path, base64 } of remaining) {
      await ask(CREATE_SECRET, { input: { path, kmsKeyIdentity, value: { secretString: base64 } } });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}
