/**
 * Measures whether the service slows down as it fills: `npm run bench:scale -- [--sizes 1000,100000,1000000] [--rounds 5]
 * [--seconds 2] [--plot file.svg] [--json file.json] [--keep directory]`. A database for each size, in one Postgres of its
 * own, a service on each, and each measure in turn on all of them. It prints a table; progress goes to standard error.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { openDatabases } from './database.ts';
import { openIssuer } from '../issuer.ts';
import { type Measure, MEASURES } from './measures.ts';
import { type Options, parseOptions, UsageError } from './options.ts';
import { plotOf } from './plot.ts';
import { Progress } from './progress.ts';
import { pointOf, type Series, seriesOf, tableOf } from './results.ts';
import { openSite, type Site } from './site.ts';

const WARM_UP_SHARE = 0.25;

async function main(options: Options): Promise<void> {
  const databases = await openDatabases(options.keep);
  const sites: Site[] = [];
  const close = async () => {
    for (const site of sites.splice(0)) await site.close();
    await databases.close();
  };
  // Postgres is in a session of its own: an interrupt passes it by.
  const interrupt = () => void close().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const issuer = await openIssuer();
    for (const size of options.sizes) sites.push(await openSite(databases, issuer, size));
    const series = await measureAll(sites, options);
    await report(series, options);
  } finally {
    await close();
  }
}

/** Round by round, and in each the sizes of one measure right after one another: what disturbs, disturbs them all. */
async function measureAll(sites: readonly Site[], { rounds, seconds }: Options): Promise<Series[]> {
  const progress = new Progress('measuring', rounds * MEASURES.length * sites.length);
  const samples = new Map(MEASURES.map((measure) => [measure, sites.map((): number[][] => [])]));
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [measure, taken] of samples) {
      for (const [index, site] of sites.entries()) {
        taken[index]?.push(await measureOnce(site, measure, seconds));
        progress.show(++done);
      }
    }
  }
  return [...samples].map(([{ name, caller }, taken]) => {
    const points = sites.map(({ tree }, index) => pointOf(tree.size, taken[index] ?? []));
    return seriesOf(name, caller, points);
  });
}

/** How long each request took, in milliseconds, one after another for so many seconds and once at least. */
async function measureOnce(site: Site, measure: Measure, seconds: number): Promise<number[]> {
  const connection = site.connections[measure.caller];
  const ask = async (): Promise<number> => {
    const variables = measure.variables(site.tree);
    const began = performance.now();
    const answer = await connection.ask(measure.query, variables);
    const tookMs = performance.now() - began;
    if (!measure.holds(answer))
      throw new Error(`${measure.name}: not what was asked for: ${JSON.stringify(answer)}`);
    return tookMs;
  };
  await repeat(ask, seconds * WARM_UP_SHARE);
  return repeat(ask, seconds);
}

async function repeat(ask: () => Promise<number>, seconds: number): Promise<number[]> {
  const end = performance.now() + seconds * 1_000;
  const taken: number[] = [];
  do taken.push(await ask());
  while (performance.now() < end);
  return taken;
}

async function report(series: readonly Series[], options: Options): Promise<void> {
  const { sizes, rounds, seconds, json, plot } = options;
  process.stdout.write(`${tableOf(series)}\n`);
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cores: cpus().length };
  await write(json, `${JSON.stringify({ machine, sizes, rounds, seconds, series }, null, 2)}\n`);
  if (plot !== null) await write(plot, plotOf(series));
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

try {
  await main(parseOptions(process.argv.slice(2)));
  process.exit(0); // a timer of the migration engine's may be left
} catch (error) {
  process.stderr.write(
    error instanceof UsageError ? `bench:scale: ${error.message}\n` : `bench:scale: ${String(error)}\n`,
  );
  process.exit(error instanceof UsageError ? 2 : 1);
}
