import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Fault, jsonReply } from './http-faults.ts';

/**
 * A transit engine as its API is documented, over real HTTP and with real AEADs, strict about every request:
 * https://developer.hashicorp.com/vault/api-docs/secret/transit, https://openbao.org/api-docs/secret/transit
 * The sentences of its errors are those of OpenBao's sources (builtin/logical/transit, sdk/helper/keysutil/policy.go).
 */
export interface TransitServer {
  readonly address: string;
  readonly keys: Map<string, TestTransitKey>;
  readonly tokens: Set<string>;
  readonly requests: TransitRequest[];
  /** What was not as documented. */
  readonly complaints: string[];
  /** Answers the requests that it names, once it is set. */
  fault: { readonly path: RegExp; readonly answer: Fault } | null;
  sealed: boolean;
  /** Whether it passes over `associated_data`, as Vault did before 1.13. */
  old: boolean;
  close(): Promise<void>;
}

export interface TransitRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface TestTransitKey {
  type: string;
  versions: Buffer[];
  settings: Readonly<Record<string, unknown>>;
}

const CIPHERS: Readonly<Record<string, string>> = {
  'aes256-gcm96': 'aes-256-gcm',
  'chacha20-poly1305': 'chacha20-poly1305',
};
/** Go's messages: crypto/cipher and golang.org/x/crypto/chacha20poly1305. */
const REFUSALS: Readonly<Record<string, string>> = {
  'aes256-gcm96': 'cipher: message authentication failed',
  'chacha20-poly1305': 'chacha20poly1305: message authentication failed',
};
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  encrypt: ['associated_data', 'key_version', 'plaintext'],
  decrypt: ['associated_data', 'ciphertext'],
  rotate: [],
  read: [],
};

export const testTransitKey = (type = 'aes256-gcm96', settings = {}): TestTransitKey => ({
  type,
  versions: [randomBytes(32)],
  settings,
});

export async function startTransitServer(
  options: {
    readonly namespace?: string;
    readonly mount?: string;
    readonly tls?: { readonly cert: string; readonly key: string };
  } = {},
): Promise<TransitServer> {
  const { namespace, mount = 'transit', tls } = options;
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void handle(request).then((answer) => answer(response));
  const http = tls ? createTlsServer({ ...tls }, listener) : createServer(listener);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server: TransitServer = {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${(http.address() as AddressInfo).port}`,
    keys: new Map(),
    tokens: new Set(['test-token']),
    requests: [],
    complaints: [],
    fault: null,
    sealed: false,
    old: false,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };

  async function handle(request: IncomingMessage): Promise<Fault> {
    const { method = '', url = '', headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    server.requests.push({ method, path: url, headers, body });
    if (headers['x-vault-request'] !== 'true') server.complaints.push('X-Vault-Request');
    if (headers['x-vault-namespace'] !== namespace) server.complaints.push('X-Vault-Namespace');
    if (method === 'POST' && headers['content-type'] !== 'application/json')
      server.complaints.push('Content-Type');
    if (server.fault?.path.test(url)) return server.fault.answer;
    if (server.sealed) return jsonReply(503, { errors: ['Vault is sealed'] });
    if (!server.tokens.has(String(headers['x-vault-token'])))
      return jsonReply(403, { errors: ['permission denied'] });
    return route(method, url, body);
  }

  function route(method: string, url: string, body: Readonly<Record<string, unknown>>): Fault {
    const prefix = `/v1/${mount}/`;
    const [, operation = '', name = '', rotate] =
      /^(keys|encrypt|decrypt)\/(\w(?:[\w.-]*\w)?)(\/rotate)?$/.exec(url.slice(prefix.length)) ?? [];
    const action = operation === 'keys' ? (rotate ? 'rotate' : 'read') : operation;
    const members = MEMBERS[action];
    if (!url.startsWith(prefix) || !members || (method === 'POST') !== (action !== 'read')) {
      server.complaints.push(`${method} ${url}`);
      return jsonReply(404, { errors: [`no handler for route "${url.slice(4)}". route entry not found.`] });
    }
    if (Object.keys(body).sort().join() !== members.join()) server.complaints.push(`members of ${action}`);
    const key = server.keys.get(name);
    if (!key && action === 'read') return jsonReply(404, { errors: [] });
    if (!key)
      return jsonReply(400, {
        errors: [action === 'rotate' ? 'key not found' : 'encryption key not found'],
      });
    if (action === 'rotate') key.versions.push(randomBytes(32));
    if (action === 'encrypt') return encrypt(key, body);
    if (action === 'decrypt') return decrypt(key, body);
    return data({
      ...{ name, type: key.type, latest_version: key.versions.length },
      ...{ min_available_version: 0, min_decryption_version: 1, min_encryption_version: 0 },
      ...{ derived: false, exportable: false, allow_plaintext_backup: false, deletion_allowed: false },
      ...{ supports_encryption: true, supports_decryption: true, supports_derivation: true },
      ...{ supports_signing: false, auto_rotate_period: 0, imported_key: false },
      keys: Object.fromEntries(key.versions.map((_, index) => [index + 1, 1442851412])),
      ...key.settings,
    });
  }

  function encrypt(key: TestTransitKey, body: Readonly<Record<string, unknown>>): Fault {
    const version = Number(body['key_version']) || key.versions.length;
    const least = Number(key.settings['min_encryption_version'] ?? 0);
    const which =
      version > key.versions.length ? 'higher than the latest' : version < least && 'less than the';
    if (which) return refusal(`requested version for encryption is ${which} key version`);
    const nonce = randomBytes(12);
    const cipher = createCipheriv(cipherOf(key), material(key, version), nonce, { authTagLength: 16 });
    const plaintext = Buffer.from(String(body['plaintext']), 'base64');
    cipher.setAAD(associated(body), { plaintextLength: plaintext.byteLength });
    const sealed = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return data({ ciphertext: `vault:v${version}:${sealed.toString('base64')}`, key_version: version });
  }

  function decrypt(key: TestTransitKey, body: Readonly<Record<string, unknown>>): Fault {
    const [, digits, base64 = ''] = /^vault:v(\d+):(.*)$/s.exec(String(body['ciphertext'])) ?? [];
    if (digits === undefined) return refusal('invalid ciphertext: no prefix');
    const version = Number(digits);
    if (version > key.versions.length) return refusal('invalid ciphertext: version is too new');
    if (version < Number(key.settings['min_decryption_version'] ?? 1))
      return refusal('ciphertext or signature version is disallowed by policy (too old)');
    const sealed = Buffer.from(base64, 'base64');
    if (sealed.byteLength < 12) return refusal('invalid ciphertext length');
    const decipher = createDecipheriv(cipherOf(key), material(key, version), sealed.subarray(0, 12), {
      authTagLength: 16,
    });
    try {
      decipher.setAAD(associated(body), { plaintextLength: sealed.byteLength - 28 });
      decipher.setAuthTag(sealed.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
      return data({ plaintext: plaintext.toString('base64') });
    } catch {
      return refusal(REFUSALS[key.type] ?? '');
    }
  }

  const associated = (body: Readonly<Record<string, unknown>>) =>
    Buffer.from(server.old ? '' : String(body['associated_data']), 'base64');
  return server;
}

const cipherOf = (key: TestTransitKey) => (CIPHERS[key.type] ?? '') as 'aes-256-gcm';
const material = (key: TestTransitKey, version: number) => key.versions[version - 1] ?? Buffer.alloc(0);
const refusal = (sentence: string) => jsonReply(400, { errors: [sentence] });
const data = (members: Readonly<Record<string, unknown>>) =>
  jsonReply(200, {
    ...{ request_id: 'a0d5f7a2-0000-0000-0000-000000000000', lease_id: '', renewable: false },
    ...{ lease_duration: 0, data: members, wrap_info: null, warnings: null, auth: null },
  });
