import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Pkcs11Config } from './config.ts';
import { type Pkcs11Answer, type Pkcs11Call, type Pkcs11Result, Pkcs11Failure } from './messages.ts';
import { Pkcs11Pin } from './pin.ts';

interface Waiting {
  readonly call: Pkcs11Call;
  /** Whether a process ended over it before. */
  retried: boolean;
  /** Answered already, or given up: its buffers are zeroed by now. */
  over: boolean;
  readonly settle: (answer: Pkcs11Answer | Error) => void;
}

/** One start of the process; `ready` once its code is loaded, before the vendor's module is. */
interface Running {
  readonly process: ChildProcess;
  readonly pin: string;
  ready: boolean;
  /** The call that it works on; null between calls. */
  current: Waiting | null;
  /** Kills it when it takes too long to start, or over a call. */
  watch: NodeJS.Timeout | null;
}

const PROCESS = fileURLToPath(new URL('./process.ts', import.meta.url));
/** Reading our own code takes no longer than this, on a machine that does anything at all. */
const START_MS = 20_000;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;
const CLOSE_MS = 1_000;

/**
 * The process that holds the token's session, with its calls one after another. One that hangs, dies or cannot reach
 * its token is replaced for the next call, after a pause that grows with the failures.
 */
export class Pkcs11Child {
  readonly #config: Pkcs11Config;
  readonly #pin: Pkcs11Pin;
  #waiting = new Set<Waiting>();
  #running: Running | null = null;
  #failures = 0;
  #startAfter = 0;
  #startTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(config: Pkcs11Config) {
    this.#config = config;
    this.#pin = new Pkcs11Pin(config);
  }

  /** The process, for tests that stop or kill it; undefined while there is none. */
  get pid(): number | undefined {
    return this.#running?.process.pid;
  }

  /** Answers within the provider's timeout. Throws `Pkcs11Failure`, or an error when nothing answers. */
  async call(call: Pkcs11Call): Promise<Pkcs11Result> {
    const answer = await new Promise<Pkcs11Answer>((resolve, reject) => {
      const settle = (settled: Pkcs11Answer | Error) => {
        // A data key that comes too late is nobody's.
        if (waiting.over) return zero(settled);
        waiting.over = true;
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        if (settled instanceof Error) reject(settled);
        else resolve(settled);
      };
      const waiting: Waiting = { call, settle, retried: false, over: false };
      const timer = setTimeout(() => settle(this.#tooLate()), this.#config.timeoutMs);
      if (this.#closed) {
        settle(new Error(`The KMS provider ${this.#config.name} is closed`));
        return;
      }
      this.#waiting.add(waiting);
      this.#next();
    });
    if (!answer.ok) throw new Pkcs11Failure(answer.kind, answer.message);
    return answer.result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#startTimer ?? undefined);
    const running = this.#running;
    this.#running = null;
    const closed = new Error(`The KMS provider ${this.#config.name} was closed`);
    for (const waiting of [...this.#waiting]) waiting.settle(closed);
    running?.current?.settle(closed);
    if (!running) return;
    clearTimeout(running.watch ?? undefined);
    const child = running.process;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    if (child.connected) child.disconnect();
    await Promise.race([ended, sleep(CLOSE_MS, null, { ref: false })]);
    child.kill('SIGKILL');
    await ended;
  }

  /** Hands the next waiting call to the process; starts one when there is none. */
  #next(): void {
    const [waiting] = this.#waiting;
    if (!waiting || this.#closed) return;
    if (!this.#running) {
      const pause = this.#startAfter - Date.now();
      if (pause > 0) {
        this.#startTimer ??= setTimeout(() => {
          this.#startTimer = null;
          this.#next();
        }, pause);
        return;
      }
      try {
        this.#running = this.#start();
      } catch (error) {
        waiting.settle(error instanceof Error ? error : new Error('The process could not be started'));
        this.#next();
      }
      return;
    }
    const running = this.#running;
    if (!running.ready || running.current) return;
    this.#waiting.delete(waiting);
    running.current = waiting;
    running.watch = setTimeout(() => this.#replace(running, this.#tooLate()), this.#config.timeoutMs);
    running.process.send(waiting.call, () => undefined);
  }

  #start(): Running {
    const { name, module, tokenLabel, environment } = this.#config;
    const pin = this.#pin.read();
    const env: NodeJS.ProcessEnv = { ...environment };
    for (const key of ['HOME', 'SOFTHSM2_CONF']) env[key] ??= process.env[key];
    const child = fork(PROCESS, [], {
      ...{ serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] },
      env,
    });
    const running: Running = { process: child, pin, ready: false, current: null, watch: null };
    const ended = (how: string) =>
      this.#replace(running, new Error(`The process of the KMS provider ${name} ${how}`));
    running.watch = setTimeout(() => ended('did not start'), START_MS);
    child.on('error', () => ended('could not be started'));
    child.on('exit', () => {
      this.#retry(running);
      ended('ended');
    });
    child.on('message', (message) => this.#receive(running, message as 'ready' | Pkcs11Answer));
    child.send({ setup: { module, tokenLabel, pin } }, () => undefined);
    return running;
  }

  #receive(running: Running, message: 'ready' | Pkcs11Answer): void {
    if (running !== this.#running) return;
    clearTimeout(running.watch ?? undefined);
    if (message === 'ready') {
      running.ready = true;
      this.#next();
      return;
    }
    const { current } = running;
    running.current = null;
    if (message.ok || message.kind === 'decryption' || message.kind === 'externalKey') {
      this.#failures = 0;
      current?.settle(message);
      this.#next();
      return;
    }
    if (message.kind === 'pinRefused') this.#pin.refuse(running.pin);
    current?.settle(message);
    this.#replace(running, null);
  }

  /**
   * A process that was killed between two calls may get one before its end is noticed. So the call is tried once more;
   * not `rotate`, which may have made a key already.
   */
  #retry(running: Running): void {
    const { current } = running;
    if (running !== this.#running || !current || current.over) return;
    if (current.retried || current.call.call === 'rotate') return;
    current.retried = true;
    running.current = null;
    this.#waiting = new Set([current, ...this.#waiting]);
  }

  /** Ends this process, whatever it does; the next call starts another. */
  #replace(running: Running, error: Error | null): void {
    if (running !== this.#running) return;
    this.#running = null;
    clearTimeout(running.watch ?? undefined);
    running.process.kill('SIGKILL');
    const pause = Math.min(
      FIRST_BACKOFF_MS * 2 ** this.#failures,
      MAX_BACKOFF_MS,
      this.#config.timeoutMs / 2,
    );
    this.#failures += 1;
    this.#startAfter = Date.now() + pause;
    if (error) running.current?.settle(error);
    this.#next();
  }

  #tooLate(): Error {
    const { name, timeoutMs } = this.#config;
    return new Error(`The KMS provider ${name} did not answer within ${timeoutMs} ms`);
  }
}

function zero(answer: Pkcs11Answer | Error): void {
  if ('ok' in answer && answer.ok && answer.result && 'bytes' in answer.result) answer.result.bytes.fill(0);
}
