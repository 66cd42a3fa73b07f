/** What the user can put right: its message is all that is printed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The number of a flag; throws a `UsageError` for anything but 1 to 9999. */
export function wholeNumber(flag: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError(`--${flag} must be a whole number from 1 to 9999`);
}
