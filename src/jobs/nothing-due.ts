/** Thrown inside a job's transaction that finds its work done already: nothing is written, no event either. */
export class NothingDue extends Error {
  override readonly name = 'NothingDue';
}

/** Runs a job's transaction; null where there was nothing left to do. */
export async function unlessDone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NothingDue) return null;
    throw error;
  }
}
