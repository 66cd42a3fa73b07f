import type { MissingRight } from './missing-rights.ts';

/** A database that could not be migrated; its message is for the operator. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';

  static missing(rights: readonly MissingRight[]): MigrationError {
    const lines = rights.map(({ lacks, remedy }) => `- ${lacks}: ${remedy}`);
    return new MigrationError(['The database user lacks the following.', ...lines].join('\n'));
  }

  /** What the engine says before it runs anything, such as that the schema holds tables of others: its first line. */
  static refused(error: unknown): MigrationError {
    const [words = ''] = (error instanceof Error ? error.message : '').split('\n', 1);
    return new MigrationError(`The migrations were not applied: ${words}`);
  }

  /** PostgreSQL's words may stand here: a migration holds nothing but our own SQL. */
  static failed(migration: string, sqlState: string, words: string): MigrationError {
    return new MigrationError(
      `Migration ${migration} failed with SQLSTATE ${sqlState}: ${words}. It left nothing behind: put the cause right and start again.`,
    );
  }
}
