/** Writes schema.graphql, or with `--check` says whether it is what the code publishes. */
import { readFile, writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../src/schema/index.ts';

const file = new URL('../schema.graphql', import.meta.url);
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;

if (process.argv.includes('--check')) {
  const published = await readFile(file, 'utf8').catch(() => '');
  if (published !== printed) {
    process.stderr.write('schema.graphql is not what the code publishes: run node scripts/print-schema.ts\n');
    process.exitCode = 1;
  } else {
    process.stdout.write('schema.graphql is what the code publishes.\n');
  }
} else {
  await writeFile(file, printed);
}
