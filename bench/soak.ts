/** `npm run bench:soak`: mixed load for minutes, and what memory the service needs under it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Candidates } from './candidates.ts';
import { machineFacts } from './machine-facts.ts';
import { mixedLoad } from './mixed-load.ts';
import { residentBytesOf } from './process-tree.ts';
import { factsText, rowsText } from './report.ts';
import { slopePerMinute, type Sample } from './slope.ts';
import { untilStopped } from './until-stopped.ts';
import { wholeNumber } from './usage.ts';

const CONNECTIONS = 32;
const WARMUP_MS = 5_000;
const SAMPLE_MS = 15_000;
const LAST_MINUTES = 5;
const MAX_MEGABYTES = 250;
/** What counts as flat: less than this would take half an hour to gain what the target leaves. */
const FLAT_MEGABYTES_PER_MINUTE = 1;

function parseOptions() {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { minutes: { ...text, default: '10' }, workers: { ...text, default: '1' }, log: text },
  });
  return {
    minutes: wholeNumber('minutes', values.minutes),
    candidates: { workers: wholeNumber('workers', values.workers), logFile: values.log ?? null },
  };
}

async function soak(candidates: Candidates, minutes: number): Promise<void> {
  process.stdout.write(`${factsText(machineFacts(candidates.postgres.version))}\n`);
  const { pid } = await candidates.listener('service');
  const samples = new Map<number, Sample[]>();
  const look = () => {
    const minute = performance.now() / 60_000;
    const resident = [...residentBytesOf(pid)].map(([each, bytes]) => {
      samples.set(each, [...(samples.get(each) ?? []), { minute, megabytes: bytes / 1e6 }]);
      return `${each}: ${(bytes / 1e6).toFixed(0)}`;
    });
    const elapsedSeconds = Math.round((minute - began) * 60);
    process.stdout.write(`${String(elapsedSeconds).padStart(5)} s  RSS MB  ${resident.join('  ')}\n`);
  };
  const began = performance.now() / 60_000;
  const load = candidates.loadService(
    { connections: CONNECTIONS, role: 'secrets:FullAccess', exchanges: mixedLoad(candidates.secrets) },
    { warmupMs: WARMUP_MS, measureMs: minutes * 60_000 },
  );
  load.catch(() => undefined);
  await sleep(WARMUP_MS);
  for (let time = 0; time <= (minutes * 60_000) / SAMPLE_MS; time++) {
    if (time > 0) await Promise.race([sleep(SAMPLE_MS), load]);
    look();
  }
  const result = await load;
  process.stdout.write(`\n${rowsText(new Map([[`mixed@${CONNECTIONS}`, result]]))}\n`);
  for (const [member, each] of samples) {
    const last = each.filter(({ minute }) => minute >= performance.now() / 60_000 - LAST_MINUTES);
    const most = Math.max(...each.map(({ megabytes }) => megabytes));
    const growth = slopePerMinute(last);
    const met = most <= MAX_MEGABYTES && growth <= FLAT_MEGABYTES_PER_MINUTE;
    process.stdout.write(
      `process ${member}: at most ${most.toFixed(0)} MB, grew ${growth.toFixed(2)} MB a minute over the last ` +
        `${Math.min(minutes, LAST_MINUTES)} min: ${met ? 'met' : 'MISSED'} (at most ${MAX_MEGABYTES} MB, and at most ` +
        `${FLAT_MEGABYTES_PER_MINUTE} MB a minute)\n`,
    );
  }
  if (samples.size === 0) process.stdout.write('This machine has no /proc: memory is not known.\n');
  if (result.errors > 0) process.exitCode = 1;
}

await untilStopped(async (stopping) => {
  const options = parseOptions();
  const candidates = await Candidates.open(options.candidates);
  await stopping.closing(candidates, () => soak(candidates, options.minutes));
});
