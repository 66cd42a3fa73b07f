/** A process that opens the data directory it is given, says so in a line of JSON, and closes when its input ends. */
import { once } from 'node:events';
import { openEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';

const [dataDir = ''] = process.argv.slice(2);
const database = await openEmbeddedPostgres({ dataDir, settings: { fsync: 'off' } });
const { connectionString, notes } = database;
process.stdout.write(`${JSON.stringify({ connectionString, notes })}\n`);
process.stdin.resume();
await once(process.stdin, 'end');
await database.close();
