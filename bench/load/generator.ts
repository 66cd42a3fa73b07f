/**
 * The load, in a process of its own: as many keep-alive connections as it is told, each with one request under way at a
 * time and the next as soon as the answer is there and was found to be a success. Told by a message, answers by one.
 */
import { connect, type Socket } from 'node:net';
import type { Exchange, LoadSpec } from './load-spec.ts';
import { Measurement } from './measurement.ts';
import { ResponseReader, type Answer } from './response-reader.ts';

const RECONNECT_MS = 100;

process.once('disconnect', () => process.exit());
process.once('message', (spec) => {
  generate(spec as LoadSpec).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : 'the load failed'}\n`);
      process.exit(1);
    },
  );
});

async function generate(spec: LoadSpec) {
  const measurement = new Measurement();
  const requests = spec.exchanges.map(({ body }) => `content-length: ${body.length}\r\n\r\n${body}`);
  const lanes = spec.connections.map((_, index) => new Lane(spec, requests, index, measurement));
  const result = await measurement.take(spec.timing, spec.watched);
  for (const lane of lanes) lane.close();
  return result;
}

/** One connection, made anew whenever it breaks. */
class Lane {
  readonly #spec: LoadSpec;
  readonly #requests: readonly string[];
  readonly #head: string;
  readonly #measurement: Measurement;
  #next: number;
  #asked: Exchange | undefined;
  #startedAt = 0;
  #socket: Socket;
  #closed = false;

  constructor(spec: LoadSpec, requests: readonly string[], index: number, measurement: Measurement) {
    this.#spec = spec;
    this.#requests = requests;
    this.#measurement = measurement;
    this.#next = Math.floor((index * requests.length) / spec.connections.length);
    this.#head =
      `POST ${spec.path} HTTP/1.1\r\nhost: 127.0.0.1:${spec.port}\r\ncontent-type: application/json\r\n` +
      `accept: application/json\r\nuser-agent: strongroom-bench\r\n${spec.connections[index] ?? ''}`;
    this.#socket = this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #connect(): Socket {
    const reader = new ResponseReader();
    const socket = connect({ host: '127.0.0.1', port: this.#spec.port, noDelay: true });
    socket.on('connect', () => this.#ask());
    socket.on('data', (chunk) => {
      const answer = reader.read(chunk);
      if (answer) this.#take(answer);
    });
    socket.on('error', (error) => this.#measurement.failed(`the connection broke: ${error.message}`));
    socket.on('close', () => {
      if (this.#closed) return;
      if (this.#asked) this.#measurement.failed('the connection ended without an answer');
      this.#asked = undefined;
      setTimeout(() => {
        if (!this.#closed) this.#socket = this.#connect();
      }, RECONNECT_MS);
    });
    return socket;
  }

  #ask(): void {
    this.#asked = this.#spec.exchanges[this.#next];
    const request = this.#requests[this.#next] ?? '';
    this.#next = (this.#next + 1) % this.#requests.length;
    this.#startedAt = performance.now();
    this.#socket.write(this.#head + request, 'latin1');
  }

  #take(answer: Answer): void {
    const asked = this.#asked;
    if (asked && isSuccess(answer, asked)) this.#measurement.answered(this.#startedAt);
    else this.#measurement.failed(`${answer.status}: ${answer.body}`);
    this.#ask();
  }
}

function isSuccess({ status, body }: Answer, { expected, match }: Exchange): boolean {
  if (status !== 200) return false;
  return match === 'whole' ? body === expected : body.startsWith(expected) && !body.includes('"errors"');
}
