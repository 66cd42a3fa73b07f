/** Writes an organisation's audit chain as JSON Lines: `npm run --silent audit:export -- --organisation acme --out file`. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { genesisHash } from '../src/audit/chain.ts';
import { exportChain } from '../src/audit/export-chain.ts';
import { readChainState } from '../src/audit/read-chain.ts';
import { readRetention } from '../src/audit/read-checkpoints.ts';
import type { ChainBase } from '../src/audit/verify-chain.ts';
import { scopeName } from '../src/auth/claim-rules.ts';
import { findAuditEvents } from '../src/db/audit/find-audit-events.ts';
import { AuditSigner, type ChainRegion } from '../src/resolvers/audit/audit-signer.ts';
import { parseDateTime } from '../src/resolvers/input/parse-date-time.ts';
import { withRegion } from './audit-region.ts';
import { command, readOptions, UsageError } from './command-line.ts';

const PROGRESS_MS = 1_000;
const ANY = {
  ...{
    project: null,
    actions: null,
    outcome: null,
    subject: null,
    issuer: null,
    resource: null,
    folder: null,
  },
  requestId: null,
};

interface Stretch {
  readonly organisation: string;
  readonly since: Date | null;
  readonly until: Date | null;
}

const USAGE = `
npm run --silent audit:export -- --organisation <name> --out <file> [options]

Writes the audit chain of an organisation as JSON Lines.

  --organisation <name>  whose chain
  --out <file>           the file to write; - is standard output
  --region <name>        a region of STRONGROOM_REGIONS; default: the first
  --since <instant>      from this instant on, such as 2030-01-31T00:00:00Z
  --until <instant>      before this instant
`;

function parse() {
  const flag = { type: 'string' } as const;
  const options = { organisation: flag, region: flag, since: flag, until: flag, out: flag };
  const { organisation, region, since, until, out } = readOptions(USAGE, options);
  if (organisation === undefined || !scopeName.safeParse(organisation).success)
    throw new UsageError('--organisation must be given, for instance acme');
  if (out === undefined) throw new UsageError('--out must be a file, or - for standard output');
  const time = (name: string, text: string | undefined) => {
    if (text === undefined) return null;
    try {
      return parseDateTime(text, [name]);
    } catch {
      throw new UsageError(`--${name} must be an instant such as 2030-01-31T00:00:00Z`);
    }
  };
  const stretch = { organisation, since: time('since', since), until: time('until', until) };
  if (stretch.since && stretch.until && stretch.since > stretch.until)
    throw new UsageError('--until must not be before --since');
  return { stretch, region, out };
}

/** Everything from the first event of the stretch to the last, with what may stand between them in the chain. */
async function lines(region: ChainRegion, { organisation, since, until }: Stretch, at: Date) {
  const tx = region.db.client;
  const signer = await AuditSigner.openToSign(region, at);
  const state = await readChainState(tx, organisation);
  const genesis = { sequence: 0n, hash: genesisHash(organisation, region.name) };
  const head = { sequence: state.headSequence, hash: state.headHash ?? genesis.hash };
  const retention = (await readRetention(tx, organisation, region.name)).find(signer.trusts) ?? null;
  const edge = async (ascending: boolean) => {
    const walk = { above: retention?.sequence ?? null, below: head.sequence + 1n, ascending, limit: 1 };
    return (await findAuditEvents(tx, { ...ANY, organisation, since, until }, walk))[0];
  };
  const [first, last] = await Promise.all([since ? edge(true) : undefined, until ? edge(false) : undefined]);
  if ((since && !first) || (until && !last)) throw new UsageError('there are no events in this time');
  const start: ChainBase = first
    ? { sequence: first.sequence - 1n, hash: first.previousHash }
    : (retention ?? genesis);
  const through = last?.sequence ?? head.sequence;
  let told = 0;
  const onProgress = (exported: bigint) => {
    if (Date.now() - told < PROGRESS_MS && exported < through - start.sequence) return;
    told = Date.now();
    process.stderr.write(
      `audit:export: ${exported.toString()} of ${(through - start.sequence).toString()} events\n`,
    );
  };
  const { publicKeys } = signer;
  const sign = signer.sign.bind(signer);
  return exportChain({
    ...{
      tx,
      organisation,
      region: region.name,
      base: start,
      retention: first ? null : retention,
      through,
      head,
    },
    ...{ at, publicKeys, sign, onProgress, trusts: signer.trusts },
  });
}

/** A file gets its name when it is whole; nobody but its owner may read it. */
async function write(out: string, source: AsyncIterable<string>): Promise<void> {
  const draft = `${out}.part`;
  const target = out === '-' ? process.stdout : createWriteStream(draft, { mode: 0o600 });
  const failed = new Promise<never>((_, reject) => target.once('error', reject));
  failed.catch(() => undefined);
  try {
    for await (const text of source) {
      if (!target.write(text)) await Promise.race([once(target, 'drain'), failed]);
    }
    if (out === '-') return;
    await Promise.race([new Promise<void>((resolve) => target.end(() => resolve())), failed]);
    await rename(draft, out);
  } catch (error) {
    if (out !== '-') await rm(draft, { force: true });
    throw error;
  }
}

await command('audit:export', async () => {
  const { stretch, region: name, out } = parse();
  await withRegion(name, async (region) => write(out, await lines(region, stretch, new Date())));
});
