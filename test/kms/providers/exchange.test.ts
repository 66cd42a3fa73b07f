import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentFor, exchange } from '../../../src/kms/providers/exchange.ts';

const LIMIT = 64 * 1024;
const agent = agentFor('http:');
let server: Server;
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  agent.destroy();
  server.closeAllConnections();
  server.close();
});
const ask = (timeoutMs = 5000) =>
  exchange({
    method: 'GET',
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    headers: {},
    agent,
    signal: AbortSignal.timeout(timeoutMs),
  });

it('an answer of a byte more than 64 KiB is refused, and one of 64 KiB is not', async () => {
  answer = (response) => response.end(Buffer.alloc(LIMIT + 1));
  await expect(ask()).rejects.toMatchObject({ code: 'EMSGSIZE' });
  answer = (response) => response.end(Buffer.alloc(LIMIT));
  expect((await ask()).body.byteLength).toBe(LIMIT);
});

it('an answer without an end is left, and its connection closed', async () => {
  for (const write of [
    (response: ServerResponse) => void response.write(Buffer.alloc(2 * LIMIT)),
    (response: ServerResponse) => void response.write('a'),
    () => undefined,
  ]) {
    const closed = new Promise<void>((resolve) => {
      answer = (response) => {
        response.on('close', resolve);
        write(response);
      };
    });
    await expect(ask(200)).rejects.toThrow();
    await closed;
  }
});

it('a connection is used again', async () => {
  const ports = new Set<number | undefined>();
  answer = (response) => {
    ports.add(response.req.socket.remotePort);
    response.end();
  };
  for (let n = 0; n < 3; n++) await ask();
  expect(ports.size).toBe(1);
});
