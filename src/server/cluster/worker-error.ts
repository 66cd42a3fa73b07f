/** A worker did what none should; the message is for the operator. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
}
