/** What is measured: each row a candidate, a request and a number of connections. bench/README.md says what each means. */
import type { BenchSecret } from './dataset.ts';
import { getSecretValue, getSecretValues, pingYoga, putSecretValue, readFloor } from './exchanges.ts';
import type { Exchange } from './load/load-spec.ts';

interface Loaded {
  readonly name: string;
  readonly connections: number;
  readonly candidate: 'service' | 'yoga' | 'floor';
  /** What each connection's token may do. */
  readonly role: string;
  readonly exchanges: (secrets: readonly BenchSecret[]) => readonly Exchange[];
}

/** Bare transactions: no HTTP, and so no load from outside. */
interface Bare {
  readonly name: string;
  readonly connections: number;
  readonly candidate: 'pg-put';
}

export type Row = Loaded | Bare;

const READER = 'secrets:ValueAccess';
const WRITER = 'secrets:FullAccess';

export const ROWS: readonly Row[] = [
  { name: 'yoga@64', connections: 64, candidate: 'yoga', role: READER, exchanges: pingYoga },
  { name: 'floor@64', connections: 64, candidate: 'floor', role: READER, exchanges: readFloor },
  {
    name: 'getSecretValue@64',
    connections: 64,
    candidate: 'service',
    role: READER,
    exchanges: getSecretValue,
  },
  { name: 'floor@1', connections: 1, candidate: 'floor', role: READER, exchanges: readFloor },
  { name: 'getSecretValue@1', connections: 1, candidate: 'service', role: READER, exchanges: getSecretValue },
  { name: 'yoga@1', connections: 1, candidate: 'yoga', role: READER, exchanges: pingYoga },
  {
    name: 'getSecretValues@8',
    connections: 8,
    candidate: 'service',
    role: READER,
    exchanges: getSecretValues,
  },
  { name: 'pg-put@64', connections: 64, candidate: 'pg-put' },
  {
    name: 'putSecretValue@64',
    connections: 64,
    candidate: 'service',
    role: WRITER,
    exchanges: putSecretValue,
  },
];
