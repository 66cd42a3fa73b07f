import type * as Sdk from '@aws-sdk/client-kms';
import { agentFor, type Exchange, exchange } from '../exchange.ts';
import type { AwsKmsConfig } from './config.ts';

export type AwsKmsSdk = typeof Sdk;

/** AWS KMS did not do it. `reason` is the name of its exception when it refused; the message quotes nothing else. */
export class AwsKmsError extends Error {
  override readonly name = 'AwsKmsError';
  readonly reason: string;

  constructor(reason: string) {
    super(`AWS KMS did not do it: ${reason}.`);
    this.reason = reason;
  }
}

/** What the SDK gives its handler of requests; for KMS the query is empty and the body is the JSON text. */
interface SdkRequest extends Pick<Exchange, 'method' | 'headers'> {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly body?: string | Uint8Array;
}

type RequestHandler = NonNullable<Sdk.KMSClientConfig['requestHandler']>;

const ALGORITHM = 'SYMMETRIC_DEFAULT';

/**
 * The few calls that we make. Signing, credentials and the protocol are the SDK's; the exchange is ours, because the
 * SDK's would read an answer of any length for any time. Every call throws `AwsKmsError` by the signal at the latest.
 */
export class AwsKmsClient {
  readonly #sdk: AwsKmsSdk;
  readonly #client: Sdk.KMSClient;
  /** Rotations of a key are counted by AWS and come to an end: one whose answer was lost is not repeated. */
  readonly #once: Sdk.KMSClient;

  constructor(sdk: AwsKmsSdk, { region, endpoint, timeoutMs }: AwsKmsConfig) {
    const options = {
      region,
      ...(endpoint !== undefined && { endpoint }),
      requestHandler: requestHandler(new URL(endpoint ?? 'https://kms').protocol, timeoutMs),
    };
    this.#sdk = sdk;
    this.#client = new sdk.KMSClient({ ...options, maxAttempts: 2 });
    this.#once = new sdk.KMSClient({ ...options, maxAttempts: 1 });
  }

  async describeKey(arn: string, signal: AbortSignal): Promise<Sdk.DescribeKeyResponse> {
    const command = new this.#sdk.DescribeKeyCommand({ KeyId: arn });
    return settle(signal, this.#client.send(command, { abortSignal: signal }));
  }

  /** null for an answer that is not one of this key. */
  async encrypt(
    arn: string,
    plaintext: Uint8Array,
    context: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    const command = new this.#sdk.EncryptCommand({
      ...{ KeyId: arn, Plaintext: plaintext, EncryptionContext: context, EncryptionAlgorithm: ALGORITHM },
    });
    const answer = await settle(signal, this.#client.send(command, { abortSignal: signal }));
    return answer.KeyId === arn ? bytesOf(answer.CiphertextBlob) : null;
  }

  /** null for an answer that is not one of this key. */
  async decrypt(
    arn: string,
    ciphertext: Uint8Array,
    context: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    const command = new this.#sdk.DecryptCommand({
      ...{
        KeyId: arn,
        CiphertextBlob: ciphertext,
        EncryptionContext: context,
        EncryptionAlgorithm: ALGORITHM,
      },
    });
    const answer = await settle(signal, this.#client.send(command, { abortSignal: signal }));
    const plaintext = bytesOf(answer.Plaintext);
    if (answer.KeyId === arn) return plaintext;
    plaintext?.fill(0);
    return null;
  }

  async rotateKeyOnDemand(arn: string, signal: AbortSignal): Promise<void> {
    const command = new this.#sdk.RotateKeyOnDemandCommand({ KeyId: arn });
    await settle(signal, this.#once.send(command, { abortSignal: signal }));
  }

  close(): void {
    this.#client.destroy();
    this.#once.destroy();
  }
}

/** The SDK passes on what it was sent, a number too, where its types promise bytes. */
function bytesOf(value: unknown): Uint8Array | null {
  return value instanceof Uint8Array ? value : null;
}

/** The SDK heeds the signal in the exchange alone, not while it looks for credentials. */
async function settle<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new AwsKmsError('TimeoutError')), { once: true });
  });
  return Promise.race([answer, late]).catch((error: unknown) => {
    throw new AwsKmsError(reasonOf(error));
  });
}

/** The exception's name, or a code such as ECONNREFUSED. No cause: the SDK's errors hold the request and the answer. */
function reasonOf(error: unknown): string {
  if (error instanceof AwsKmsError) return error.reason;
  const { name, code, $metadata } = error as NodeJS.ErrnoException & {
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  // An exception of KMS is a 400. What a broken server calls by the same name is none.
  if ($metadata?.httpStatusCode !== undefined && $metadata.httpStatusCode !== 400) {
    return `HTTP ${$metadata.httpStatusCode}`;
  }
  return [code, name].find((text) => typeof text === 'string' && /^\w{1,64}$/.test(text)) ?? 'unknown';
}

function requestHandler(protocol: string, timeoutMs: number): RequestHandler {
  const agent = agentFor(protocol);
  const handler = {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest, { abortSignal }: { readonly abortSignal?: AbortSignal } = {}) {
      const { protocol: scheme, hostname, port, path, method, headers, body } = request;
      const url = new URL(path, `${scheme}//${hostname}${port === undefined ? '' : `:${port}`}`);
      const signal = abortSignal ?? AbortSignal.timeout(timeoutMs);
      const answer = await exchange({ method, url, headers, payload: body, agent, signal });
      return { response: { statusCode: answer.status, headers: answer.headers, body: answer.body } };
    },
    destroy: () => agent.destroy(),
  };
  return handler;
}
