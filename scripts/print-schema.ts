/** Writes schema.graphql, or with `--check` says whether it is what the code publishes. */
import { readFile, writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../src/schema/index.ts';
import { command, readOptions, UsageError } from './command-line.ts';

const file = new URL('../schema.graphql', import.meta.url);
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;

const USAGE = `
npm run schema

Writes schema.graphql as the code publishes it.

  --check  write nothing, and end with 1 if the file is not current
`;

await command('schema', async () => {
  const { check } = readOptions(USAGE, { check: { type: 'boolean' } });
  if (!check) return writeFile(file, printed);
  const published = await readFile(file, 'utf8').catch(() => '');
  if (published !== printed)
    throw new UsageError('schema.graphql is not what the code publishes: npm run schema');
  process.stdout.write('schema.graphql is what the code publishes.\n');
});
