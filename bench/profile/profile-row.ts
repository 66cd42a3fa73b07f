import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CandidateOptions, Candidates } from '../candidates.ts';
import type { Timing } from '../load/measurement.ts';
import { machineFacts } from '../machine-facts.ts';
import { factsText, rowsText } from '../report.ts';
import type { Row } from '../rows.ts';
import { freePort, profileWhile } from './inspector.ts';
import { summaryText } from './summary.ts';

/** Opens candidates whose service can be profiled. */
export async function openForProfile(options: CandidateOptions) {
  const port = await freePort();
  const candidates = await Candidates.open({ ...options, nodeOptions: [`--inspect=127.0.0.1:${port}`] });
  return { port, candidates };
}

/** Measures one row of the service, profiled once it is warm, and prints where its time went. */
export async function profileRow(
  { port, candidates }: Awaited<ReturnType<typeof openForProfile>>,
  row: Row,
  timing: Timing,
): Promise<void> {
  process.stdout.write(`${factsText(machineFacts(candidates.postgres.version))}\n`);
  await candidates.prepare(row);
  const loading = candidates.measure(row, timing);
  loading.catch(() => undefined);
  await sleep(timing.warmupMs);
  const { profile, result } = await profileWhile(port, () => loading);
  const file = join(import.meta.dirname, '../results', `${row.name.replace('@', '-')}.cpuprofile`);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, JSON.stringify(profile));
  process.stdout.write(`${rowsText(new Map([[row.name, result]]))}\n`);
  process.stdout.write(`${summaryText(profile, result.perSecond)}\nThe whole profile: ${file}\n`);
  if (result.errors > 0) process.exitCode = 1;
}
