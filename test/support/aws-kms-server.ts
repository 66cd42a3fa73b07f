import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Fault } from './http-faults.ts';
import { type AwsCredentials, sigv4Problem } from './verify-sigv4.ts';

/**
 * AWS KMS as its API is documented, over real HTTP, with signatures verified and real AES-256-GCM, whose associated data
 * is the encryption context: https://docs.aws.amazon.com/kms/latest/APIReference/ and, for the form of requests and
 * errors, https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
export interface AwsKmsServer {
  readonly endpoint: string;
  readonly keys: Map<string, TestKmsKey>;
  readonly requests: AwsKmsRequest[];
  /** What was not as documented. */
  readonly complaints: string[];
  /** Answers the operations that it names, once it is set. */
  fault: { readonly operation: RegExp; readonly answer: Fault } | null;
  close(): Promise<void>;
}

export interface AwsKmsRequest {
  readonly operation: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface TestKmsKey {
  materials: Buffer[];
  metadata: Readonly<Record<string, unknown>>;
}

const OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  DescribeKey: ['KeyId'],
  Encrypt: ['EncryptionAlgorithm', 'EncryptionContext', 'KeyId', 'Plaintext'],
  Decrypt: ['CiphertextBlob', 'EncryptionAlgorithm', 'EncryptionContext', 'KeyId'],
  RotateKeyOnDemand: ['KeyId'],
};
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export const testKmsKey = (metadata: Readonly<Record<string, unknown>> = {}): TestKmsKey => ({
  materials: [randomBytes(32)],
  metadata,
});

const reply =
  (status: number, body: unknown): Fault =>
  (response) =>
    void response
      .writeHead(status, { 'Content-Type': 'application/x-amz-json-1.1', 'x-amzn-RequestId': 'test' })
      .end(JSON.stringify(body));
/** An exception, as KMS tells it. */
export const kmsException = (name: string, status = 400): Fault =>
  reply(status, { __type: name, message: name });

export async function startAwsKmsServer(credentials: AwsCredentials, region: string): Promise<AwsKmsServer> {
  const http = createServer((request, response) => void handle(request).then((answer) => answer(response)));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server: AwsKmsServer = {
    endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    keys: new Map(),
    requests: [],
    complaints: [],
    fault: null,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };

  async function handle(request: IncomingMessage): Promise<Fault> {
    const { method = '', url, headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const payload = Buffer.concat(chunks);
    const body = JSON.parse(payload.toString()) as Record<string, unknown>;
    const operation = /^TrentService\.(\w+)$/.exec(String(headers['x-amz-target']))?.[1] ?? '';
    server.requests.push({ operation, headers, body });
    if (method !== 'POST' || url !== '/') server.complaints.push(`${method} ${url}`);
    if (headers['content-type'] !== 'application/x-amz-json-1.1') server.complaints.push('Content-Type');
    if (Object.keys(body).sort().join() !== OPERATIONS[operation]?.join())
      server.complaints.push(`members of ${operation}`);
    const problem = sigv4Problem({ method, headers, body: payload }, credentials, { region, service: 'kms' });
    if (problem !== null) {
      server.complaints.push(problem);
      return kmsException('InvalidSignatureException');
    }
    if (server.fault?.operation.test(operation)) return server.fault.answer;
    return operate(operation, body);
  }

  function operate(operation: string, body: Readonly<Record<string, unknown>>): Fault {
    const arn = String(body['KeyId']);
    const key = server.keys.get(arn);
    if (!key) return kmsException('NotFoundException');
    if (operation === 'DescribeKey') return reply(200, { KeyMetadata: describe(arn, key) });
    if (key.metadata['Enabled'] === false) return kmsException('DisabledException');
    if (operation === 'Encrypt') return encrypt(arn, key, body);
    if (operation === 'Decrypt') return decrypt(arn, key, body);
    if (key.materials.length > 25) return kmsException('LimitExceededException');
    key.materials.push(randomBytes(32));
    return reply(200, { KeyId: arn });
  }

  /** The blob: which material, the key's id, nonce, ciphertext, tag. KMS keeps its own form to itself. */
  function encrypt(arn: string, key: TestKmsKey, body: Readonly<Record<string, unknown>>): Fault {
    const head = Buffer.concat([Buffer.of(key.materials.length - 1), Buffer.from(idOf(arn))]);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key.materials.at(-1) ?? nonce, nonce);
    cipher.setAAD(Buffer.concat([head, contextOf(body)]));
    const plaintext = Buffer.from(String(body['Plaintext']), 'base64');
    const sealed = [nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
    const CiphertextBlob = Buffer.concat([head, ...sealed]).toString('base64');
    return reply(200, { CiphertextBlob, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT', KeyId: arn });
  }

  function decrypt(arn: string, key: TestKmsKey, body: Readonly<Record<string, unknown>>): Fault {
    const blob = Buffer.from(String(body['CiphertextBlob']), 'base64');
    const id = Buffer.from(idOf(arn));
    const head = blob.subarray(0, 1 + id.byteLength);
    const sealed = blob.subarray(head.byteLength);
    const material = key.materials[head[0] ?? 255];
    if (sealed.byteLength < NONCE_BYTES + TAG_BYTES || !material)
      return kmsException('InvalidCiphertextException');
    if (!head.subarray(1).equals(id)) return kmsException('IncorrectKeyException');
    const decipher = createDecipheriv('aes-256-gcm', material, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    try {
      decipher.setAAD(Buffer.concat([head, contextOf(body)]));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const body_ = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
      const Plaintext = Buffer.concat([body_, decipher.final()]).toString('base64');
      return reply(200, { KeyId: arn, Plaintext, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    } catch {
      return kmsException('InvalidCiphertextException');
    }
  }
  return server;
}

const idOf = (arn: string) => arn.slice(arn.indexOf('/') + 1);
const contextOf = ({ EncryptionContext }: Readonly<Record<string, unknown>>) =>
  Buffer.from(JSON.stringify(Object.entries(EncryptionContext as Record<string, string>).sort()));

function describe(arn: string, key: TestKmsKey): Readonly<Record<string, unknown>> {
  return {
    ...{ AWSAccountId: '111122223333', KeyId: idOf(arn), Arn: arn, CreationDate: 1442851412.0 },
    ...{ Enabled: true, Description: '', KeyUsage: 'ENCRYPT_DECRYPT', KeyState: 'Enabled' },
    ...{ Origin: 'AWS_KMS', KeyManager: 'CUSTOMER', KeySpec: 'SYMMETRIC_DEFAULT', MultiRegion: false },
    ...{ EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'], CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT' },
    ...key.metadata,
  };
}
