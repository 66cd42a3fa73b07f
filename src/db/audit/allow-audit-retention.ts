import pg from 'pg';

/**
 * Says, as the owner of the database, how many days audit events stay at least; null: for ever. The service's own role cannot:
 * with its rights alone nobody can shorten what it may remove, nor turn retention on.
 */
export async function allowAuditRetention(connectionString: string, days: number | null): Promise<void> {
  const owner = new pg.Client({ connectionString });
  await owner.connect();
  try {
    await owner.query('BEGIN');
    await owner.query('LOCK TABLE audit_retention IN EXCLUSIVE MODE');
    await owner.query('DELETE FROM audit_retention');
    if (days !== null) await owner.query('INSERT INTO audit_retention (days) VALUES ($1)', [days]);
    await owner.query('COMMIT');
  } finally {
    await owner.end();
  }
}
