/**
 * Verifies an audit export: `npm run --silent audit:verify -- file [--public-key base64] [--after earlier-file]`. It needs
 * no database, and nothing of Strongroom: docs/audit.md says what it computes. Exit status 0: it holds. 1: it does not, and
 * standard output names the first broken sequence. 2: the file cannot be read as an export.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { open } from 'node:fs/promises';
import { parseArgs } from 'node:util';

type Fields = Readonly<Record<string, unknown>>;
class Unreadable extends Error {}
class Broken extends Error {
  readonly sequence: number;
  constructor(sequence: number, why: string) {
    super(why);
    this.sequence = sequence;
  }
}

const HEX = /^[0-9a-f]{64}$/;
const sha256 = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex');
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function text(from: Fields, name: string): string {
  const value = from[name];
  if (isText(value)) return value;
  throw new Unreadable(`${name} is no text`);
}
function number(from: Fields, name: string): number {
  const value = from[name];
  if (isNumber(value)) return value;
  throw new Unreadable(`${name} is no number`);
}
const optional = <T>(from: Fields, name: string, read: (from: Fields, name: string) => T) =>
  from[name] === null ? null : read(from, name);

/** docs/audit.md, "The hash of an event": one JSON array, written without spaces. */
function eventHash(event: Fields, previousHash: string): string {
  const { actorRoles, details } = event;
  if (!Array.isArray(actorRoles) || !actorRoles.every(isText))
    throw new Unreadable('actorRoles is no list of texts');
  if (typeof details !== 'object' || details === null || !Object.values(details).every(isText))
    throw new Unreadable('details are no texts by name');
  const decimal = (name: string) => optional(event, name, number)?.toString() ?? null;
  return sha256(
    JSON.stringify([
      'strongroom/audit-event/1',
      previousHash,
      ...['organisation', 'region'].map((name) => text(event, name)),
      decimal('sequence'),
      ...['id', 'at', 'action', 'outcome'].map((name) => text(event, name)),
      optional(event, 'errorCode', text),
      ...['project', 'actorSubject', 'actorIssuer'].map((name) => text(event, name)),
      actorRoles,
      text(event, 'resourceType'),
      ...['resource', 'resourceId'].map((name) => optional(event, name, text)),
      ...['version', 'causedBy'].map(decimal),
      text(event, 'requestId'),
      ...['sourceIp', 'userAgent'].map((name) => optional(event, name, text)),
      Object.entries(details).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  );
}

/** docs/audit.md, "Checkpoints": Ed25519 over a JSON array, under a key of the header that is also pinned, if any is. */
function isSigned(header: Fields, checkpoint: Fields, kind: string, sequence: number, hash: string): boolean {
  const purpose = kind === 'HEAD' ? 'strongroom/audit-checkpoint/1' : 'strongroom/audit-retention/1';
  const keys = header['publicKeys'] as readonly Fields[];
  const key = keys.map((each) => text(each, 'publicKey')).find((each) => idOf(each) === checkpoint['keyId']);
  if (key === undefined || (pinned.length > 0 && !pinned.includes(key))) return false;
  const fields = [purpose, text(header, 'organisation'), text(header, 'region'), String(sequence), hash];
  const message = Buffer.from(JSON.stringify([...fields, text(checkpoint, 'at')]), 'utf8');
  const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' });
  return verify(null, message, publicKey, Buffer.from(text(checkpoint, 'signature'), 'base64'));
}
const idOf = (key: string) =>
  createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 16);

interface Earlier {
  readonly organisation: string;
  readonly region: string;
  readonly sequence: number;
  readonly hash: string;
}

/** Verifies one file from its header to its closing line, and answers the event that it ends with. */
async function verifyFile(file: string, earlier: Earlier | null): Promise<Earlier> {
  let header: Fields | null = null;
  let end: Fields | null = null;
  let last = { sequence: 0, hash: '' };
  let start = { sequence: 0, hash: '' };
  const handle = await open(file).catch(() => {
    throw new Unreadable('it cannot be opened');
  });
  for await (const line of handle.readLines()) {
    const value = JSON.parse(line) as Fields;
    if (header === null) {
      header = value;
      if (
        value['format'] !== 'strongroom-audit-export' ||
        value['version'] !== 1 ||
        !Array.isArray(value['publicKeys'])
      )
        throw new Unreadable('it does not begin with the header of an export');
      const [organisation, region] = [text(value, 'organisation'), text(value, 'region')];
      start = last = { sequence: number(value, 'firstSequence') - 1, hash: text(value, 'previousHash') };
      const genesis = sha256(JSON.stringify(['strongroom/audit-genesis/1', organisation, region]));
      if (last.sequence === 0 && last.hash !== genesis)
        throw new Broken(1, 'it does not begin with the genesis hash');
      const retention = value['retention'] as Fields | null;
      if (retention && !isSigned(value, retention, 'RETENTION', last.sequence, last.hash))
        throw new Broken(last.sequence, 'the retention checkpoint is not signed by the key');
      if (earlier && (earlier.organisation !== organisation || earlier.region !== region))
        throw new Unreadable('the earlier export is of another chain');
      if (earlier && earlier.sequence < last.sequence)
        throw new Broken(earlier.sequence + 1, 'neither export holds what stands between them');
    } else if (end !== null) throw new Unreadable('something follows the closing line');
    else if (value['type'] === 'end') end = value;
    else {
      const sequence = last.sequence + 1;
      const own = ['organisation', 'region'].every((name) => value[name] === header?.[name]);
      if (!own || number(value, 'sequence') !== sequence || value['previousHash'] !== last.hash)
        throw new Broken(sequence, 'the event does not follow the one before it');
      if (value['hash'] !== eventHash(value, last.hash))
        throw new Broken(sequence, 'the event is not what was hashed');
      last = { sequence, hash: text(value, 'hash') };
      if (sequence % 100_000 === 0)
        process.stderr.write(`audit:verify: ${sequence - start.sequence} events\n`);
    }
    if (earlier?.sequence === last.sequence && earlier.hash !== last.hash)
      throw new Broken(last.sequence, 'the earlier export has another event here');
  }
  if (header === null || end === null || !HEX.test(last.hash))
    throw new Unreadable('it has no closing line: it is not whole');
  if (number(end, 'lastSequence') !== last.sequence || end['lastHash'] !== last.hash)
    throw new Broken(last.sequence + 1, 'the events do not lead to what the closing line says');
  const checkpoint = end['checkpoint'] as Fields | null;
  if (last.sequence > 0 && !(checkpoint && isSigned(header, checkpoint, 'HEAD', last.sequence, last.hash)))
    throw new Broken(last.sequence, 'the closing checkpoint is not signed by the key');
  if (earlier && earlier.sequence > last.sequence)
    throw new Broken(last.sequence + 1, 'the earlier export goes further');
  const count = last.sequence - start.sequence;
  process.stdout.write(
    `${file}: ${count} events hold, ${start.sequence + 1} to ${last.sequence}, last hash ${last.hash}\n`,
  );
  return { organisation: text(header, 'organisation'), region: text(header, 'region'), ...last };
}

let pinned: readonly string[] = [];
let reading = 'arguments';
try {
  const flag = { type: 'string' } as const;
  const options = { 'public-key': { ...flag, multiple: true }, after: flag } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (positionals.length !== 1) throw new Unreadable('give one file');
  pinned = values['public-key'] ?? [];
  reading = values.after ?? '';
  const earlier = values.after === undefined ? null : await verifyFile(reading, null);
  reading = positionals[0] ?? '';
  await verifyFile(reading, earlier);
} catch (error) {
  if (error instanceof Broken)
    process.stdout.write(`${reading}: BROKEN at sequence ${error.sequence}: ${error.message}\n`);
  else
    process.stderr.write(
      `${reading}: not an export: ${error instanceof Unreadable ? error.message : 'it is malformed'}\n`,
    );
  process.exitCode = error instanceof Broken ? 1 : 2;
}
