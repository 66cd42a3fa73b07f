/** What is counted while a load runs: answers and their times, errors, and the CPU time of the processes under it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicrosecondsOf, residentBytesOf } from '../process-tree.ts';

export interface Timing {
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** The roots of the process trees whose CPU time is read at both ends of the measured time; null for none, or not known. */
export interface Watched {
  readonly service: number | null;
  readonly postgres: number | null;
}

/** `null` is what this machine does not tell. */
export interface MeasuredLoad {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serviceMicroseconds: number | null;
  readonly postgresMicroseconds: number | null;
  /** Of this very process, a request. */
  readonly loadMicroseconds: number;
  /** Of the largest process of the service, at the end. */
  readonly residentBytes: number | null;
  readonly errors: number;
  readonly firstError: string | null;
}

export class Measurement {
  readonly #milliseconds: number[] = [];
  #open = false;
  #errors = 0;
  #firstError: string | null = null;

  /** Counts an answer to what was asked at `startedAt` (performance.now()), if the measured time has begun and not ended. */
  answered(startedAt: number): void {
    if (this.#open) this.#milliseconds.push(performance.now() - startedAt);
  }

  /** Counts an error, at whatever time. */
  failed(what: string): void {
    this.#errors++;
    this.#firstError ??= what.slice(0, 400);
  }

  /** Waits for the warm-up and for the measured time, and says what happened in the latter. */
  async take({ warmupMs, measureMs }: Timing, watched: Watched): Promise<MeasuredLoad> {
    await sleep(warmupMs);
    const before = sample(watched);
    this.#open = true;
    await sleep(measureMs);
    this.#open = false;
    const after = sample(watched);
    const requests = this.#milliseconds.length;
    if (requests === 0) this.failed('no request was answered in the measured time');
    const times = Float64Array.from(this.#milliseconds).sort();
    const at = (share: number) => times[Math.max(0, Math.ceil(share * requests) - 1)] ?? Number.NaN;
    const perRequest = (from: number | null, to: number | null) =>
      from === null || to === null ? null : (to - from) / requests;
    return {
      requests,
      perSecond: (requests * 1_000) / (after.at - before.at),
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      serviceMicroseconds: perRequest(before.service, after.service),
      postgresMicroseconds: perRequest(before.postgres, after.postgres),
      loadMicroseconds: (after.load - before.load) / requests,
      residentBytes: Math.max(0, ...residentBytesOf(watched.service).values()) || null,
      errors: this.#errors,
      firstError: this.#firstError,
    };
  }
}

function sample({ service, postgres }: Watched) {
  const { user, system } = process.cpuUsage();
  return {
    at: performance.now(),
    load: user + system,
    service: cpuMicrosecondsOf(service),
    postgres: cpuMicrosecondsOf(postgres),
  };
}
