import type { EnvironmentReader } from './environment-reader.ts';
import { wholeNumber } from './text-schemas.ts';

const MAX_WORKERS = 64;
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

const port = wholeNumber(/^\d{1,5}$/, 0, 65_535, 'must be a whole number from 0 to 65535');
const workers = wholeNumber(/^[1-9]\d?$/, 1, MAX_WORKERS, `must be a whole number from 1 to ${MAX_WORKERS}`);

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** How many gateways, each a process, listen on that port. */
  readonly workers: number;
}

/** Where the service listens: on loopback alone while anybody who reaches it can have a token. */
export function readListening(reader: EnvironmentReader, anybodyHasTokens: boolean): Listening {
  const host = reader.get('HOST') ?? '127.0.0.1';
  if (anybodyHasTokens && !LOOPBACK.includes(host)) {
    reader.problems.push(
      'HOST must be 127.0.0.1, ::1 or localhost while the development issuer makes the tokens',
    );
  }
  return {
    host,
    port: reader.read('PORT', port, 4_000),
    workers: reader.read('STRONGROOM_WORKERS', workers, 1),
  };
}
