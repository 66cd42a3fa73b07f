import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as doc from '../e2e/documents.ts';
import { data, freshPath, type TestApp, testApp } from '../support/test-app.ts';

let app: TestApp;
let kmsKeyIdentity: string;
let whole: string;

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, ...args: readonly string[]): Promise<Outcome> {
  const file = join(import.meta.dirname, '../../scripts', `${script}.ts`);
  const env = {
    ...{ PATH: process.env['PATH'], HOME: process.env['HOME'] },
    ...{ DATABASE_URL: app.databaseUrl, STRONGROOM_DATA_DIR: app.dataDir },
    // Node keeps what it compiled of the command for its next run.
    NODE_COMPILE_CACHE: join(app.dataDir, 'compiled'),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

/** The command `audit:verify` as it is, in a thread instead of a process of its own: in a fraction of the time. */
async function verify(...args: readonly string[]): Promise<Outcome> {
  const file = join(import.meta.dirname, '../../scripts/audit-verify.ts');
  const worker = new Worker(file, { argv: [...args], env: {}, execArgv: [], stdout: true, stderr: true });
  const [stdout, stderr, [status]] = await Promise.all([
    text(worker.stdout),
    text(worker.stderr),
    once(worker, 'exit') as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

const fileOf = (name: string) => join(app.dataDir, name);
async function exported(name: string, ...args: readonly string[]): Promise<string> {
  const outcome = await run('audit-export', '--organisation', 'acme', '--out', fileOf(name), ...args);
  expect([outcome.status, outcome.stdout]).toEqual([0, '']);
  return fileOf(name);
}
type Line = Record<string, unknown>;
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
/** The whole export with its lines changed, in a file of its own. */
async function changed(name: string, change: (lines: Line[]) => readonly Line[]): Promise<string> {
  const lines = change(linesOf(await readFile(whole, 'utf8')));
  await writeFile(fileOf(name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return fileOf(name);
}
const read = async (times: number, path: string) => {
  for (let n = 0; n < times; n++) await app.gql(doc.GET, { input: { path } });
};
const PATH = freshPath();

beforeAll(async () => {
  app = await testApp();
  kmsKeyIdentity = (await app.gql(doc.KMS_KEYS, {})).data.kmsKeys?.nodes[0]?.identity ?? '';
  await app.gql(
    doc.CREATE,
    { input: { path: PATH, kmsKeyIdentity, value: { secretString: data('v') } } },
    undefined,
    { 'user-agent': 'quotes " \\ ü </script>' },
  );
  await app.gql(
    doc.GET,
    { input: { path: PATH } },
    { subject: 'zo\u2028ë', roles: ['a', 'secrets:ReadAccess'] },
  );
  await read(3, PATH);
  whole = await exported('whole.jsonl');
}, 60_000);
afterAll(() => app.close());

test.each([
  [[], '--organisation'],
  [['--organisation', 'ACME', '--out', '-'], '--organisation'],
  [['--organisation', 'acme'], '--out'],
  [['--organisation', 'acme', '--out', '-', '--region', 'none'], '--region'],
  [['--organisation', 'acme', '--out', '-', '--since', 'yesterday'], '--since'],
  [
    [
      '--organisation',
      'acme',
      '--out',
      '-',
      '--since',
      '2030-01-02T00:00:00Z',
      '--until',
      '2030-01-01T00:00:00Z',
    ],
    '--until',
  ],
  [['--organisation', 'acme', '--out', '-', '--since', '2130-01-02T00:00:00Z'], 'no events'],
  [['--organisation', 'acme', '--out', '/nowhere/at/all'], 'ENOENT'],
  [['--unknown'], '--unknown'],
])('an export with %j ends with 1, names what is wrong, and writes nothing out', async (args, named) => {
  const outcome = await run('audit-export', ...args);
  expect([outcome.status, outcome.stdout]).toEqual([1, '']);
  expect(outcome.stderr).toContain(named);
  expect(outcome.stderr).not.toMatch(/ {4}at |node:internal/);
});

test('an export holds beside a running service, for whoever has only the file and the key', async () => {
  const { stdout: keys } = await run('audit-public-key');
  const [id, key] = keys.trim().split(' ');
  const outcome = await run('audit-verify', whole, '--public-key', key ?? '');
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect(outcome.stdout).toMatch(
    /whole\.jsonl: holds, 1 to 10, last hash [0-9a-f]{64}, signed by the key given\n$/,
  );
  // Without a key anybody could have made it up: not what a pipeline takes for success.
  const unsigned = await run('audit-verify', whole);
  expect(unsigned.status).toBe(3);
  expect(unsigned.stdout).toMatch(/are consistent, but nobody's signature was checked.*give --public-key/);
  const [header, ...rest] = linesOf(await readFile(whole, 'utf8'));
  expect(header).toMatchObject({
    ...{
      type: 'header',
      format: 'strongroom-audit-export',
      version: 1,
      organisation: 'acme',
      region: 'local-1',
    },
    ...{ firstSequence: 1, headSequence: 10, publicKeys: [{ id, publicKey: key }], retention: null },
  });
  const end = rest.pop();
  expect(end).toMatchObject({
    type: 'end',
    count: 10,
    lastSequence: 10,
    checkpoint: { kind: 'HEAD', keyId: id },
  });
  expect(rest.map(({ type, sequence }) => [type, sequence])).toEqual(
    Array.from({ length: 10 }, (_, index) => ['event', index + 1]),
  );
  expect((await stat(whole)).mode & 0o777).toBe(0o600);
});

test('to - it writes the export alone to standard output, and progress to standard error', async () => {
  const outcome = await run('audit-export', '--organisation', 'acme', '--out', '-');
  expect(outcome.status).toBe(0);
  expect(linesOf(outcome.stdout)).toHaveLength(12);
  expect(outcome.stderr).toBe('audit:export: 10 of 10 events\n');
});

test('an organisation without events exports to a file that holds', async () => {
  const file = fileOf('empty.jsonl');
  expect((await run('audit-export', '--organisation', 'empty', '--out', file)).status).toBe(0);
  expect(await run('audit-verify', file)).toMatchObject({ status: 3 });
  // Anybody can write such a file: it does not pass for one that the key has signed.
  const key = String((linesOf(await readFile(whole, 'utf8'))[0]?.['publicKeys'] as Line[])[0]?.['publicKey']);
  expect(await run('audit-verify', whole, '--public-key', key)).toMatchObject({ status: 0 });
  const pinned = await run('audit-verify', file, '--public-key', key);
  expect([pinned.status, pinned.stdout]).toEqual([1, expect.stringContaining('nothing in it is signed')]);
});

const eventsOf = (lines: readonly Line[]) => lines.slice(1, -1);
const sha256 = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

test.each(
  [
    'organisation region sequence id at action outcome errorCode project actorSubject actorIssuer actorRoles resourceType',
    'resource resourceId version causedBy requestId sourceIp userAgent details previousHash hash',
  ]
    .join(' ')
    .split(' '),
)('an event whose %s was changed in the file is found', async (name) => {
  const other: Record<string, unknown> = {
    sequence: 99,
    version: 99,
    causedBy: 99,
    actorRoles: ['x'],
    details: { x: 'y' },
  };
  const file = await changed(`changed-${name}.jsonl`, (lines) =>
    lines.map((line, index) => (index === 5 ? { ...line, [name]: other[name] ?? 'other' } : line)),
  );
  const outcome = await verify(file);
  expect([outcome.status, outcome.stderr]).toEqual([1, '']);
  expect(outcome.stdout).toContain('BROKEN at sequence 5:');
});

test.each([
  ['a removed event', (lines: Line[]) => lines.toSpliced(5, 1), 5],
  ['a swapped pair', (lines: Line[]) => lines.with(5, lines[6] ?? {}).with(6, lines[5] ?? {}), 5],
  ['an inserted event', (lines: Line[]) => lines.toSpliced(5, 0, lines[4] ?? {}), 5],
  ['a cut tail', (lines: Line[]) => lines.toSpliced(8, 3), 8],
  [
    'a cut tail with a closing line to match',
    (lines: Line[]) => {
      const last = lines[7];
      const end = { ...lines.at(-1), count: 7, lastSequence: 7, lastHash: last?.['hash'] };
      return [...lines.slice(0, 8), end];
    },
    7,
  ],
  ['another genesis', (lines: Line[]) => lines.with(0, { ...lines[0], previousHash: sha256('x') }), 1],
  [
    'a beginning cut off behind a forged retention',
    (lines: Line[]) => {
      const end = lines.at(-1)?.['checkpoint'] as Line;
      const first = lines[5];
      const header = { ...lines[0], firstSequence: 5, previousHash: first?.['previousHash'] };
      return [{ ...header, retention: { ...end, kind: 'RETENTION' } }, ...lines.slice(5)];
    },
    4,
  ],
] as const)('%s is found', async (name, change, sequence) => {
  const outcome = await verify(await changed(`${name}.jsonl`, change));
  expect([outcome.status, outcome.stderr]).toEqual([1, '']);
  expect(outcome.stdout).toContain(`BROKEN at sequence ${sequence}:`);
});

test('a file signed by another key than the one given is found', async () => {
  const other = 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';
  const outcome = await verify(whole, '--public-key', other);
  expect([outcome.status, outcome.stdout]).toEqual([1, expect.stringContaining('BROKEN at sequence 10:')]);
});

test('the command ends with 1 for a broken file and with 2 for none, as a process too', async () => {
  const broken = await changed('broken.jsonl', (lines) => lines.toSpliced(5, 1));
  const outcomes = await Promise.all([run('audit-verify', broken), run('audit-verify', fileOf('none'))]);
  expect(outcomes.map(({ status }) => status)).toEqual([1, 2]);
  expect(outcomes.map(({ stdout }) => stdout)).toEqual([
    expect.stringContaining('BROKEN at sequence 5:'),
    '',
  ]);
  expect(await Promise.all([verify(broken), verify(fileOf('none'))])).toEqual(outcomes);
});

test.each([
  ['is not there', null],
  ['is empty', ''],
  ['is no JSON', '{"type":"header"'],
  ['is other JSON', '{"a":1}\n'],
  ['is a list', '[]\n'],
  ['is null', 'null\n'],
])('a file that %s ends with 2', async (name, content) => {
  const file = fileOf(`${name}.txt`);
  if (content !== null) await writeFile(file, content);
  const outcome = await verify(file);
  expect([outcome.status, outcome.stdout]).toEqual([2, '']);
  expect(outcome.stderr).toContain('not an export');
});

test('a line with a member twice, or with spaces, ends with 2: two readers might read it differently', async () => {
  const text = await readFile(whole, 'utf8');
  for (const [name, from, to] of [
    ['twice', '{"type":"event"', '{"type":"event","action":"secret.delete"'],
    ['spaced', '{"type":"event"', '{ "type":"event"'],
    ['unended', text.slice(-40), text.slice(-40, -1)],
  ] as const) {
    await writeFile(fileOf(name), text.replace(from, to));
    expect([name, (await verify(fileOf(name))).status]).toEqual([name, 2]);
  }
});

test('a file that is not whole, or goes on after its end, ends with 2', async () => {
  const open = await changed('open.jsonl', (lines) => lines.slice(0, -1));
  const more = await changed('more.jsonl', (lines) => [...lines, lines[1] ?? {}]);
  expect((await verify(open)).status).toBe(2);
  expect((await verify(more)).status).toBe(2);
});

test('a later export holds against an earlier one, and a chain cut and rewritten since does not', async () => {
  await read(1, PATH);
  const later = await exported('later.jsonl');
  const rest = await exported(
    'rest.jsonl',
    '--since',
    String(eventsOf(linesOf(await readFile(later, 'utf8')))[6]?.['at']),
  );
  expect((await verify(later, '--after', whole)).status).toBe(3);
  expect((await verify(rest, '--after', whole)).stdout).toContain('a part');
  expect(linesOf(await readFile(rest, 'utf8'))[0]).toMatchObject({ firstSequence: 7 });
  const cut = await verify(whole, '--after', later);
  expect([cut.status, cut.stdout]).toEqual([1, expect.stringContaining('BROKEN at sequence 11:')]);

  // As the owner of the database and of the root key could: the tail goes, with its checkpoints, and others come in its place.
  await app.database.query(`
    ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
    ALTER TABLE audit_checkpoint DISABLE TRIGGER audit_checkpoint_append_only;
    DELETE FROM audit_event WHERE sequence > 8; DELETE FROM audit_checkpoint;
    UPDATE audit_head SET sequence = 8, hash = (SELECT hash FROM audit_event WHERE sequence = 8);
    ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only;
    ALTER TABLE audit_checkpoint ENABLE TRIGGER audit_checkpoint_append_only;`);
  await read(3, PATH);
  const forged = await exported('forged.jsonl');
  expect((await verify(forged)).status).toBe(3);
  const compared = await verify(forged, '--after', later);
  expect([compared.status, compared.stdout]).toEqual([1, expect.stringContaining('BROKEN at sequence 12:')]);
});

test('a chain rewritten since it was signed is not signed anew, not even a part of it, and leaves no file', async () => {
  // Who can write to the database but holds no root key: what was signed stays, and says something else.
  const { rows } = await app.database.query<{ at: Date }>('SELECT at FROM audit_event WHERE sequence = 10');
  await app.database.query(`
    ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
    DELETE FROM audit_event WHERE sequence > 9;
    UPDATE audit_head SET sequence = 9, hash = (SELECT hash FROM audit_event WHERE sequence = 9);
    ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only;`);
  await read(3, PATH);
  const since = String(rows[0]?.at.toISOString());
  for (const stretch of [[], ['--since', since], ['--until', since]]) {
    const file = fileOf('rewritten.jsonl');
    const outcome = await run('audit-export', '--organisation', 'acme', '--out', file, ...stretch);
    expect([outcome.status, outcome.stderr]).toEqual([1, expect.stringContaining('The chain is broken at')]);
    await expect(stat(file)).rejects.toThrow('ENOENT');
  }
});

test('a chain that is broken in the database is not signed, and leaves no file', async () => {
  await app.database.query(`
    ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
    UPDATE audit_event SET actor_subject = 'nobody' WHERE sequence = 3;`);
  const file = fileOf('unsigned.jsonl');
  const outcome = await run('audit-export', '--organisation', 'acme', '--out', file);
  expect([outcome.status, outcome.stderr]).toEqual([1, expect.stringContaining('broken at sequence 3')]);
  await expect(stat(file)).rejects.toThrow('ENOENT');
  await expect(stat(`${file}.part`)).rejects.toThrow('ENOENT');
});
