/** Works on each, also after one that failed: one organisation's trouble is not to stop what is due for all others. Throws at the end. */
export async function eachDespiteFailures<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
