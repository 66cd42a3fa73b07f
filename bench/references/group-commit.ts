/** Writes what reads leave behind, in one transaction for all that wait while the one before is under way. */
import type pg from 'pg';

interface Read {
  readonly key: string;
  readonly subject: string;
  readonly done: (error: Error | null) => void;
}

export class GroupCommit {
  readonly #pool: pg.Pool;
  #waiting: Read[] = [];
  #busy = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Resolves when the read is on record, committed. */
  record(key: string, subject: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, subject, done: (error) => (error ? reject(error) : resolve()) });
      if (!this.#busy) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      const error = await this.#commit(group).then(
        () => null,
        (cause: unknown) => new Error('The reads are not on record.', { cause }),
      );
      for (const { done } of group) done(error);
    }
    this.#busy = false;
  }

  async #commit(group: readonly Read[]): Promise<void> {
    const keys = group.map(({ key }) => key);
    const client = await this.#pool.connect();
    try {
      await client.query('BEGIN');
      await client.query({
        name: 'audit',
        text: 'INSERT INTO audit (at, subject, key) SELECT now(), r.subject, r.key FROM unnest($1::text[], $2::text[]) AS r(subject, key)',
        values: [group.map(({ subject }) => subject), keys],
      });
      await client.query({
        name: 'touch',
        text: `UPDATE access SET last_accessed_at = now() FROM
          (SELECT key FROM access WHERE key = ANY($1) ORDER BY key FOR UPDATE) AS read WHERE access.key = read.key`,
        values: [keys],
      });
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
  }
}
