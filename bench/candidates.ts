/** The service and its references: each started when it is first measured, and there until the end of the run. */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { askModule, type Listener, startListener, startService } from './child-process.ts';
import { makeSecrets } from './dataset.ts';
import { openIssuer, type BenchIssuer } from './issuer.ts';
import type { Exchange, LoadSpec } from './load/load-spec.ts';
import type { MeasuredLoad, Timing } from './load/measurement.ts';
import { openBenchPostgres, type BenchPostgres } from './postgres.ts';
import type { PutSpec } from './references/put-spec.ts';
import { seedPut } from './references/seed-put.ts';
import type { Row } from './rows.ts';
import { seedService } from './seed-service.ts';

export interface CandidateOptions {
  readonly workers: number;
  /** Where the service's log goes; null: nowhere. */
  readonly logFile: string | null;
  readonly nodeOptions?: readonly string[];
}

/** A load on the service that is no row of the table. */
export interface ServiceLoad {
  readonly connections: number;
  readonly role: string;
  readonly exchanges: readonly Exchange[];
}

export class Candidates {
  readonly postgres: BenchPostgres;
  readonly secrets = makeSecrets();
  readonly #issuer: BenchIssuer;
  readonly #options: CandidateOptions;
  readonly #started = new Map<string, Promise<Listener>>();
  readonly #stopping = new AbortController();
  #putDatabase: Promise<string> | undefined;

  private constructor(postgres: BenchPostgres, issuer: BenchIssuer, options: CandidateOptions) {
    this.postgres = postgres;
    this.#issuer = issuer;
    this.#options = options;
  }

  static async open(options: CandidateOptions): Promise<Candidates> {
    const issuer = await openIssuer();
    return new Candidates(await openBenchPostgres(process.env['BENCH_DATABASE_URL']), issuer, options);
  }

  /** Starts and fills what the row needs, so that no row is measured beside another's start. */
  async prepare({ candidate }: Row): Promise<void> {
    if (candidate === 'pg-put') await this.#putUrl();
    else await this.listener(candidate);
  }

  async measure(row: Row, timing: Timing): Promise<MeasuredLoad> {
    if (row.candidate === 'pg-put') return this.#measurePut(row.connections, timing);
    const { connections, candidate, role } = row;
    return this.#load(candidate, { connections, role, exchanges: row.exchanges(this.secrets) }, timing);
  }

  loadService(load: ServiceLoad, timing: Timing): Promise<MeasuredLoad> {
    return this.#load('service', load, timing);
  }

  listener(candidate: 'service' | 'yoga' | 'floor'): Promise<Listener> {
    const started = this.#started.get(candidate) ?? this.#start(candidate);
    this.#started.set(candidate, started);
    return started;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    const listeners = await Promise.allSettled(this.#started.values());
    for (const each of listeners) if (each.status === 'fulfilled') await each.value.stop();
    await this.postgres.close();
  }

  async #start(candidate: 'service' | 'yoga' | 'floor'): Promise<Listener> {
    if (candidate === 'yoga') return startListener('references/yoga.ts', {});
    const connectionString = await this.postgres.makeDatabase(candidate);
    if (candidate === 'floor') {
      return startListener('references/floor.ts', { connectionString, secrets: this.secrets });
    }
    const { workers, logFile, nodeOptions = [] } = this.#options;
    const logFileDescriptor = openSync(logFile ?? devNull, 'a');
    const service = await startService(
      {
        NODE_ENV: 'production',
        PORT: '0',
        DATABASE_URL: connectionString,
        STRONGROOM_ISSUERS: this.#issuer.configuration,
        STRONGROOM_ROOT_KEY: randomBytes(32).toString('base64'),
        ...(workers > 1 && { STRONGROOM_WORKERS: String(workers) }),
      },
      { logFileDescriptor, nodeOptions },
    ).finally(() => closeSync(logFileDescriptor));
    try {
      const admin = await this.#issuer.mint('admin', 'strongroom:admin');
      await seedService(service.port, admin, this.secrets);
      await analyse(connectionString);
    } catch (error) {
      await service.stop();
      throw error;
    }
    return service;
  }

  #putUrl(): Promise<string> {
    const make = async () => {
      const connectionString = await this.postgres.makeDatabase('put');
      await seedPut(connectionString, this.secrets);
      await analyse(connectionString);
      return connectionString;
    };
    return (this.#putDatabase ??= make());
  }

  async #measurePut(workers: number, timing: Timing): Promise<MeasuredLoad> {
    const watched = { service: null, postgres: this.postgres.postmaster };
    const spec: PutSpec = { connectionString: await this.#putUrl(), workers, timing, watched };
    return (await askModule('references/pg-put.ts', spec, this.#stopping.signal)) as MeasuredLoad;
  }

  async #load(
    candidate: 'service' | 'yoga' | 'floor',
    { connections, role, exchanges }: ServiceLoad,
    timing: Timing,
  ): Promise<MeasuredLoad> {
    const { port, pid } = await this.listener(candidate);
    const subjects = Array.from({ length: connections }, (_, index) => `client-${index}`);
    const tokens = await Promise.all(subjects.map((subject) => this.#issuer.mint(subject, role)));
    const spec: LoadSpec = {
      ...{ port, exchanges, timing, path: '/graphql' },
      connections: tokens.map((token) => `authorization: Bearer ${token}\r\n`),
      watched: { service: pid, postgres: this.postgres.postmaster },
    };
    return (await askModule('load/generator.ts', spec, this.#stopping.signal)) as MeasuredLoad;
  }
}

/** What autovacuum would do within a minute: so that every candidate's plans rest on what is there. */
async function analyse(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('ANALYZE').finally(() => client.end());
}
