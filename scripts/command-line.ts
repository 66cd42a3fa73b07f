import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What the user can put right: its message is all that is printed. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * The options of a script. With `--help` it prints the usage on standard output and ends with 0. Throws a `UsageError` for
 * an option that the script has not, and for words without an option.
 */
export function readOptions<T extends Options>(usage: string, options: T) {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${usage.trim()}\n`);
    process.exit(0);
  }
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [rule = ''] = (error instanceof Error ? error.message : '').split('. ', 1);
    throw new UsageError(`${rule}: see --help`);
  }
}

/** Runs a command: what it throws becomes a line on standard error and an exit status. */
export async function command(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    // Of an error that has a code the code is told, not the message: a database quotes what it failed on.
    const told = typeof code !== 'string' || code.startsWith('ERR_PARSE_ARGS');
    const text = told && error instanceof Error ? error.message : `failed (${String(code)})`;
    process.stderr.write(`${name}: ${text}\n`);
    process.exitCode = 1;
  }
}
