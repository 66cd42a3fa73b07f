import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp } from '../support/test-app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

test('a body in a million pieces of a byte is read whole, and takes the memory of its bytes', async () => {
  const token = await app.token();
  const body = Buffer.from(JSON.stringify({ query: `{ viewer { subject } } #${'x'.repeat(1_000_000)}` }));
  const before = process.memoryUsage().rss;
  const sent = request(`${app.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  const answered = once(sent, 'response');
  const piece = (at: number) => `1\r\n${String.fromCharCode(body[at] ?? 0)}\r\n`;
  sent.flushHeaders();
  const [socket] = (sent.socket ? [sent.socket] : await once(sent, 'socket')) as [Socket];
  if (socket.connecting) await once(socket, 'connect');
  let most = 0;
  for (let at = 0; at < body.length; at += 20_000) {
    let text = '';
    for (let next = at; next < Math.min(at + 20_000, body.length); next++) text += piece(next);
    if (!socket.write(text)) await once(socket, 'drain');
    most = Math.max(most, process.memoryUsage().rss - before);
  }
  socket.write('0\r\n\r\n');
  const [response] = (await answered) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  expect(most).toBeLessThan(150_000_000);
  response.resume();
});
