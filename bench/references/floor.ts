/**
 * The least that a read of a secret can be: node:http and pg, a row by its key, AES-256-GCM, one audit row and the time
 * of access committed before the answer. No GraphQL, no token, no rights, no hash chain.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import type { BenchSecret } from '../dataset.ts';
import { GroupCommit } from './group-commit.ts';

interface Told {
  readonly connectionString: string;
  readonly secrets: readonly BenchSecret[];
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const dataKey = randomBytes(32);

process.once('disconnect', () => process.exit());
process.once('message', (told) => void serve(told as Told));

async function serve({ connectionString, secrets }: Told): Promise<void> {
  const pool = new pg.Pool({ connectionString, max: 16 });
  await pool.query(`
    CREATE TABLE secret (key text PRIMARY KEY, sealed bytea NOT NULL);
    CREATE TABLE access (key text PRIMARY KEY, last_accessed_at timestamptz);
    CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL,
      subject text NOT NULL, key text NOT NULL)`);
  const keys = secrets.map(({ path }) => path);
  await pool.query('INSERT INTO secret SELECT * FROM unnest($1::text[], $2::bytea[])', [
    keys,
    secrets.map(({ path, value }) => seal(path, value)),
  ]);
  await pool.query('INSERT INTO access SELECT key, NULL FROM secret');
  await pool.query('ANALYZE');

  const reads = new GroupCommit(pool);
  const answer = async (request: IncomingMessage): Promise<string> => {
    const { path } = JSON.parse(await textOf(request)) as { path: string };
    const { rows } = await pool.query<{ sealed: Buffer }>({
      name: 'read',
      text: 'SELECT sealed FROM secret WHERE key = $1',
      values: [path],
    });
    const sealed = rows[0]?.sealed;
    if (!sealed) throw new Error('There is no such secret.');
    const value = open(path, sealed);
    await reads.record(path, request.headers.authorization?.slice(-16) ?? '');
    return JSON.stringify({ value: value.toString('base64') });
  };
  const server = createServer((request, response) => {
    answer(request).then(
      (body) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
        response.end(body);
      },
      () => response.writeHead(500).end(),
    );
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += (chunk as Buffer).toString();
  return text;
}

function seal(key: string, value: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce).setAAD(Buffer.from(key));
  return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
}

function open(key: string, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', dataKey, sealed.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(key)).setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
