/**
 * Verifies an audit export: `npm run --silent audit:verify -- file [--public-key base64] [--after earlier-file]`. It needs
 * no database, and nothing of Strongroom: docs/audit.md says what it computes. Exit status 0: it holds. 1: it does not, and
 * standard output names the first broken sequence. 2: the file cannot be read as an export. 3: it is consistent, but nobody's
 * signature was checked, for no key was given with --public-key.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { open } from 'node:fs/promises';
import { parseArgs } from 'node:util';

type Fields = Readonly<Record<string, unknown>>;
interface Link {
  readonly sequence: number;
  readonly hash: string;
}
type Verified = Link & { readonly header: Fields };
class Unreadable extends Error {}
class Misused extends Error {}
class Broken extends Error {
  readonly sequence: number;
  constructor(sequence: number, why: string) {
    super(why);
    this.sequence = sequence;
  }
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const keyIdOf = (key: string) => sha256(Buffer.from(key, 'base64')).slice(0, 16);
const isText = (value: unknown): value is string => typeof value === 'string';

function text(from: Fields, name: string): string {
  const value = from[name];
  if (isText(value)) return value;
  throw new Unreadable(`${name} is no text`);
}
function number(from: Fields, name: string): number {
  const value = from[name];
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value);
  throw new Unreadable(`${name} is no whole number`);
}
const optional = (from: Fields, name: string) => (from[name] === null ? null : text(from, name));
const decimal = (from: Fields, name: string) => (from[name] === null ? null : String(number(from, name)));

/** docs/audit.md, "The hash of an event": one JSON array, written without spaces. */
function eventHash(event: Fields, previousHash: string): string {
  const { actorRoles, details } = event;
  if (!Array.isArray(actorRoles) || !actorRoles.every(isText))
    throw new Unreadable('actorRoles is no list of texts');
  if (typeof details !== 'object' || details === null || !Object.values(details).every(isText))
    throw new Unreadable('details are no texts by name');
  return sha256(
    JSON.stringify([
      'strongroom/audit-event/1',
      previousHash,
      ...['organisation', 'region'].map((name) => text(event, name)),
      decimal(event, 'sequence'),
      ...['id', 'at', 'action', 'outcome'].map((name) => text(event, name)),
      optional(event, 'errorCode'),
      ...['project', 'actorSubject', 'actorIssuer'].map((name) => text(event, name)),
      actorRoles,
      text(event, 'resourceType'),
      ...['resource', 'resourceId'].map((name) => optional(event, name)),
      ...['version', 'causedBy'].map((name) => decimal(event, name)),
      text(event, 'requestId'),
      ...['sourceIp', 'userAgent'].map((name) => optional(event, name)),
      Object.entries(details).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  );
}

/** docs/audit.md, "Checkpoints": Ed25519 over a JSON array, under a key of the header; if keys are pinned, one of those. */
function requireSigned(header: Fields, checkpoint: unknown, purpose: string, last: Link): void {
  const signed = (checkpoint ?? {}) as Fields;
  const keys = (header['publicKeys'] as readonly Fields[]).map((each) => text(each, 'publicKey'));
  const key = keys.find((each) => keyIdOf(each) === signed['keyId'] && (!pinned || pinned.includes(each)));
  if (key === undefined) throw new Broken(last.sequence, 'no checkpoint of a trusted key stands here');
  const scope = [text(header, 'organisation'), text(header, 'region')];
  const message = JSON.stringify([purpose, ...scope, String(last.sequence), last.hash, signed['at']]);
  const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' });
  const signature = Buffer.from(text(signed, 'signature'), 'base64');
  if (!verify(null, Buffer.from(message, 'utf8'), publicKey, signature))
    throw new Broken(last.sequence, 'the signature of the checkpoint does not verify');
}

function readHeader(header: Fields): Link {
  if (header['format'] !== 'strongroom-audit-export' || header['version'] !== 1)
    throw new Unreadable('it does not begin with the header of an export');
  const base = { sequence: number(header, 'firstSequence') - 1, hash: text(header, 'previousHash') };
  const genesis = ['strongroom/audit-genesis/1', text(header, 'organisation'), text(header, 'region')];
  if (base.sequence <= 0 && base.hash !== sha256(JSON.stringify(genesis)))
    throw new Broken(1, 'it does not begin with the genesis hash');
  if (header['retention'] !== null)
    requireSigned(header, header['retention'], 'strongroom/audit-retention/1', base);
  return base;
}

/** The event, if it is the one that follows the last. */
function follow(header: Fields, event: Fields, last: Link): Link {
  const sequence = last.sequence + 1;
  const own = ['organisation', 'region'].every((name) => event[name] === header[name]);
  if (!own || number(event, 'sequence') !== sequence || event['previousHash'] !== last.hash)
    throw new Broken(sequence, 'the event does not follow the one before it');
  const hash = eventHash(event, last.hash);
  if (event['hash'] !== hash) throw new Broken(sequence, 'the event is not what was hashed');
  return { sequence, hash };
}

/** Lines end with a line feed alone, and hold at most a million characters. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of (await open(file)).createReadStream({ encoding: 'utf8' })) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > 1_000_000) throw new Unreadable('a line is too long');
    yield* lines;
  }
  if (rest !== '') throw new Unreadable('its last line is not whole');
}

/** Verifies one file from its header to its closing line, and answers the event that it ends with. */
async function verifyFile(file: string, earlier: Verified | null): Promise<Verified> {
  let header: Fields | null = null;
  let end: Fields | null = null;
  let last: Link = { sequence: 0, hash: '' };
  for await (const line of linesOf(file)) {
    const value = JSON.parse(line) as Fields;
    // No member twice, of which a reader might see the other.
    if (JSON.stringify(value) !== line) throw new Unreadable('a line is not as an export writes it');
    if (header === null) {
      header = value;
      last = readHeader(value);
      if (earlier && ['organisation', 'region'].some((name) => earlier.header[name] !== value[name]))
        throw new Unreadable('the earlier export is of another chain');
      if (earlier && earlier.sequence < last.sequence)
        throw new Broken(earlier.sequence + 1, 'neither export holds the event');
    } else if (end !== null) throw new Unreadable('something follows the closing line');
    else if (value['type'] === 'end') end = value;
    else last = follow(header, value, last);
    if (value['type'] === 'event' && last.sequence % 100_000 === 0)
      process.stderr.write(`audit:verify: at ${last.sequence}\n`);
    if (earlier?.sequence === last.sequence && earlier.hash !== last.hash)
      throw new Broken(last.sequence, 'the earlier export has another event here');
  }
  if (header === null || end === null) throw new Unreadable('it has no closing line: it is not whole');
  if (number(end, 'lastSequence') !== last.sequence || end['lastHash'] !== last.hash)
    throw new Broken(last.sequence + 1, 'the events do not lead to what the closing line says');
  // Of a chain without events nothing is signed: then the key that was given says nothing either.
  if (last.sequence === 0 && pinned) throw new Broken(1, 'it has no events, so nothing in it is signed');
  if (last.sequence > 0) requireSigned(header, end['checkpoint'], 'strongroom/audit-checkpoint/1', last);
  if (earlier && earlier.sequence > last.sequence)
    throw new Broken(last.sequence + 1, 'the earlier export goes further');
  const trust = pinned ? 'signed by the key given' : 'signed by a key that the file itself names';
  const first = number(header, 'firstSequence');
  const part =
    first === 1 ? '' : header['retention'] ? ', after retention' : ', a part: the rest is not here';
  process.stdout.write(
    `${file}: holds, ${last.sequence < first ? 'no events' : `${first} to ${last.sequence}`}${part}, last hash ${last.hash}, ${trust}\n`,
  );
  return { header, ...last };
}

/** A key that is mistyped would make every export look broken. */
function requirePublicKey(key: string): void {
  try {
    const options = { key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' } as const;
    if (createPublicKey(options).asymmetricKeyType === 'ed25519') return;
  } catch {
    // Told below.
  }
  throw new Misused(
    '--public-key must be the base64 that audit:public-key prints behind the id, beginning with MCow',
  );
}

const USAGE = `
npm run --silent audit:verify -- <file> --public-key <base64> [--after <earlier file>]

Verifies an audit export without the service and its database.

  --public-key <base64>   a key of audit:public-key that you trust; may be given several times
  --after <earlier file>  an export that was verified before; the new one must continue it

Exit status: 0 it holds. 1 it does not. 2 it cannot be read. 3 it is consistent, but no key was given to check its signature.
`;

let pinned: readonly string[] | undefined;
let reading = '';
if (process.argv.includes('--help') || process.argv.includes('-h')) {
  process.stdout.write(`${USAGE.trim()}\n`);
  process.exit(0);
}
try {
  const options = { 'public-key': { type: 'string', multiple: true }, after: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new Misused('give one file');
  pinned = values['public-key'];
  pinned?.forEach(requirePublicKey);
  reading = values.after ?? '';
  const earlier = values.after === undefined ? null : await verifyFile(values.after, null);
  reading = file;
  await verifyFile(file, earlier);
  if (!pinned) {
    process.stdout.write(
      `${file}: the events are consistent, but nobody's signature was checked. Whoever wrote the file could have made them up: give --public-key.\n`,
    );
    process.exitCode = 3;
  }
} catch (error) {
  const why = error instanceof Unreadable ? error.message : 'it cannot be read, or is malformed';
  if (error instanceof Broken)
    process.stdout.write(`${reading}: BROKEN at sequence ${error.sequence}: ${error.message}\n`);
  else if (error instanceof Misused) process.stderr.write(`audit:verify: ${error.message}\n`);
  else process.stderr.write(`${reading}: not an export: ${why}\n`);
  process.exitCode = error instanceof Broken ? 1 : 2;
}
