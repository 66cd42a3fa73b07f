/** A start that nobody can go on from; its message is for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
