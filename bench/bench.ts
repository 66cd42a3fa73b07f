/** `npm run bench`: measures the service beside its references and says whether it is as fast as it should be. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Candidates } from './candidates.ts';
import type { MeasuredLoad } from './load/measurement.ts';
import { machineFacts } from './machine-facts.ts';
import { medianLoad } from './median-load.ts';
import { ratiosOf } from './ratios.ts';
import { factsText, ratiosText, rowsText } from './report.ts';
import { openForProfile, profileRow } from './profile/profile-row.ts';
import { ROWS, type Row } from './rows.ts';
import { untilStopped } from './until-stopped.ts';
import { UsageError, wholeNumber } from './usage.ts';

function parseOptions() {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      rounds: { ...text, default: '3' },
      seconds: { ...text, default: '5' },
      warmup: { ...text, default: '2' },
      workers: { ...text, default: '1' },
      only: text,
      json: text,
      log: text,
      profile: text,
    },
  });
  const names = values.only?.split(',') ?? ROWS.map(({ name }) => name);
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) {
    throw new UsageError(`--only knows ${ROWS.map(({ name }) => name).join(',')}, not ${unknown.join(',')}`);
  }
  const workers = wholeNumber('workers', values.workers);
  return {
    profile: values.profile === undefined ? null : profiledRow(values.profile, workers),
    rows: ROWS.filter(({ name }) => names.includes(name)),
    rounds: wholeNumber('rounds', values.rounds),
    timing: {
      warmupMs: wholeNumber('warmup', values.warmup) * 1_000,
      measureMs: wholeNumber('seconds', values.seconds) * 1_000,
    },
    candidates: { workers, logFile: values.log ?? null },
    json: values.json ?? null,
  };
}

function profiledRow(name: string, workers: number): Row {
  const rows = ROWS.filter(({ candidate }) => candidate === 'service');
  const row = rows.find((each) => each.name === name);
  if (!row) throw new UsageError(`--profile knows ${rows.map((each) => each.name).join(', ')}`);
  if (workers !== 1) throw new UsageError('--profile looks into one process: not together with --workers');
  return row;
}

async function bench(candidates: Candidates, options: ReturnType<typeof parseOptions>): Promise<void> {
  const { rows, timing } = options;
  const facts = machineFacts(candidates.postgres.version);
  process.stdout.write(`${factsText(facts)}\n`);
  for (const row of rows) await candidates.prepare(row);
  const rounds: ReadonlyMap<string, MeasuredLoad>[] = [];
  for (let round = 0; round < options.rounds; round++) {
    // Each round in another order: what a row leaves behind does not always meet the same other.
    const first = Math.floor((round * rows.length) / options.rounds);
    const order = [...rows.slice(first), ...rows.slice(0, first)];
    const measured = new Map<string, MeasuredLoad>();
    for (const row of order) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}: ${row.name}\n`);
      measured.set(row.name, await candidates.measure(row, timing));
    }
    rounds.push(measured);
  }
  const medians = new Map(
    rows.map(({ name }) => [name, medianLoad(rounds.flatMap((round) => round.get(name) ?? []))]),
  );
  const ratios = ratiosOf(rounds);
  process.stdout.write(`${rowsText(medians)}\n${ratiosText(ratios)}`);
  const result = {
    ...{ facts, timing, workers: options.candidates.workers, ratios },
    rows: Object.fromEntries(medians),
    rounds: rounds.map((round) => Object.fromEntries(round)),
  };
  const file =
    options.json ?? join(import.meta.dirname, 'results', `${facts.date.replaceAll(':', '-')}.json`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  if ([...medians.values()].some(({ errors }) => errors > 0)) process.exitCode = 1;
}

await untilStopped(async (stopping) => {
  const options = parseOptions();
  const { profile, timing } = options;
  if (profile) {
    const opened = await openForProfile(options.candidates);
    await stopping.closing(opened.candidates, () => profileRow(opened, profile, timing));
    return;
  }
  const candidates = await Candidates.open(options.candidates);
  await stopping.closing(candidates, () => bench(candidates, options));
});
