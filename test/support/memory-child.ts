/**
 * The service in a process of its own, whose memory a test looks into: run with --expose-gc. It says in a line of JSON
 * where it listens, and then does what it is told on its input, a line each: `ahead <ms>` sets its clock, `keep <text>` holds
 * on to a text, `gc` collects garbage, `heap <file>` does too and writes a heap snapshot. It ends with its input.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeHeapSnapshot } from 'node:v8';
import { pino } from 'pino';
import { createApp } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config/config.ts';

let aheadMs = 0;
const kept: string[] = [];
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
const app = await createApp(readConfig(process.env), pino({ level: 'silent' }), {
  now: () => new Date(Date.now() + aheadMs),
});
app.server.listen(0, '127.0.0.1');
await once(app.server, 'listening');
const token = await app.developmentIssuer?.mint({
  ...{ organisation: 'acme', roles: ['strongroom:admin'], subject: 'tester' },
  ttlSeconds: 40 * 86_400,
});
say({ port: (app.server.address() as AddressInfo).port, token });

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument = ''] = line.split(' ');
  if (command === 'ahead') aheadMs = Number(argument);
  if (command === 'keep') kept.push(argument);
  if (command === 'gc' || command === 'heap') {
    // Finalisers free what native code holds, and run between the collections.
    for (let time = 0; time < 3; time++) {
      globalThis.gc?.();
      await sleep(20);
    }
  }
  if (command === 'heap') writeHeapSnapshot(argument);
  say('done');
}
await app.close();
process.exit(0);
