import { type Logger, pino } from 'pino';

export type { Logger };

/** Structured lines on standard error, of requests within 200 ms, of warnings and errors at once. What is logged is chosen field by field: no headers, no bodies, no input. */
export function createLog(level: string): Logger {
  const destination = pino.destination({
    fd: 2,
    sync: false,
    minLength: BUFFERED_BYTES,
    maxLength: MOST_BYTES,
  });
  setInterval(() => destination.flush(), FLUSH_MS).unref();
  process.once('exit', () => destination.flushSync());
  return pino(
    {
      ...{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      hooks: {
        logMethod(line, write, lineLevel) {
          write.apply(this, line);
          if (lineLevel >= WARN) destination.flushSync();
        },
      },
    },
    destination,
  );
}

const WARN = 40;
const FLUSH_MS = 200;
const BUFFERED_BYTES = 4_096;
/** Lines that nobody takes are dropped past this. */
const MOST_BYTES = 8 * 1024 * 1024;

/**
 * What of an unexpected error may stand in a log: its class, its code and where it was thrown. Its message may quote
 * input, as those of parsers and databases do.
 */
export function errorFacts(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error };
  const code: unknown = 'code' in error ? error.code : undefined;
  // The stack begins with the message, whose lines could look like frames.
  const frames = (error.stack ?? '')
    .replace(error.message, '')
    .split('\n')
    .filter((line) => line.startsWith('    at '));
  return {
    error: error.constructor.name,
    ...(typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) && { code }),
    stack: frames.slice(0, 12).map((line) => line.trim()),
    ...(error.cause instanceof Error && { cause: errorFacts(error.cause) }),
  };
}
