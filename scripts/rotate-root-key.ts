/** Wraps every key version under the newest root key: `npm run rotate-root-key`. May be stopped and run again. */
import pino from 'pino';
import { readConfig } from '../src/server/config/config.ts';
import { openEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import { rewrapKeyMaterial } from '../src/jobs/rewrap-key-material.ts';
import { openRegion } from '../src/server/open-region.ts';
import { readOptions } from './command-line.ts';

const USAGE = `
npm run rotate-root-key

Wraps every KMS key version and signing key under the newest root key, which is the first that is configured, and says which of
the others are needed. It reads the environment of the service, runs beside it, and may be stopped and run again.
`;

const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<boolean> {
  readOptions(USAGE, {});
  const config = readConfig(process.env);
  const embedded = config.regions.some(({ databaseUrl }) => databaseUrl === null)
    ? await openEmbeddedPostgres({ dataDir: config.dataDir })
    : null;
  let isDone = true;
  try {
    for (const settings of config.regions) {
      const { region, close } = await openRegion(config, settings, embedded, pino({ level: 'silent' }), {
        providers: [],
        mayBind: () => false,
      });
      try {
        const { rewrapped, unopened, needed } = await rewrapKeyMaterial(region, () => new Date());
        say(
          `${region.name}: ${rewrapped} key versions were wrapped under the root key ${region.rootKeys.newestId}.`,
        );
        if (unopened > 0) say(`${region.name}: ${unopened} key versions do not open and stay as they are.`);
        for (const id of region.rootKeys.olderIds) {
          const until = needed.get(id);
          if (until === undefined) say(`${region.name}: ${unneeded(id, rewrapped > 0)}`);
          else if (until)
            say(`${region.name}: the root key ${id} can go at ${until.toISOString()}: idempotency keys.`);
          else say(`${region.name}: the root key ${id} is needed still.`);
          if (until === null) isDone = false;
        }
      } finally {
        await close();
      }
    }
  } finally {
    await embedded?.close();
  }
  return isDone;
}

/** Nothing rests on a key that has just been replaced, nor on one that is to come and was not put first yet. */
function unneeded(id: string, isReplaced: boolean): string {
  if (isReplaced) return `the root key ${id} can go now: nothing rests on it.`;
  return `nothing rests on the root key ${id}. If it was replaced, it can go now; if it is the new one, put it first and run this again.`;
}

try {
  // What is left is a timer of the migration engine's.
  process.exit((await main()) ? 0 : 1);
} catch (error) {
  process.stderr.write(`rotate-root-key: ${error instanceof Error ? error.message : 'failed'}\n`);
  process.exit(2);
}
