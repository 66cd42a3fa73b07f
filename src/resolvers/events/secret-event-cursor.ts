import { InvalidInputError } from '../../errors.ts';
import type { Principal } from '../../policy/principal.ts';
import type { SecretChange } from '../context/followers.ts';
import type { Region } from '../context/request-context.ts';

/** A place in the audit chain: the event that was delivered last. */
export interface Place {
  readonly sequence: bigint;
  /** Tells this chain from one that was restored from a backup and went on differently. */
  readonly id: string;
}

const FIELD = ['after'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEQUENCE = /^[1-9]\d{0,17}$/;

export function encodePlace(principal: Principal, region: Region, { sequence, id }: SecretChange): string {
  return Buffer.from(JSON.stringify([...scopeOf(principal, region), String(sequence), id])).toString(
    'base64url',
  );
}

/** Throws unless the text is a cursor that this scope's stream gave. */
export function decodePlace(principal: Principal, region: Region, cursor: string): Place {
  const refusal = new InvalidInputError(
    FIELD,
    'A cursor is one that secretEvents gave, in this scope and region.',
  );
  const scope = scopeOf(principal, region);
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refusal;
  }
  if (!Array.isArray(parts) || parts.length !== scope.length + 2) throw refusal;
  const [sequence, id] = parts.slice(scope.length) as unknown[];
  if (scope.some((part, index) => parts[index] !== part)) throw refusal;
  if (typeof sequence !== 'string' || !SEQUENCE.test(sequence)) throw refusal;
  if (typeof id !== 'string' || !UUID.test(id)) throw refusal;
  return { sequence: BigInt(sequence), id };
}

/** Throws unless everything after the place is still there: it is not once retention or a restored backup took it away. */
export async function requireKept(
  { db }: Region,
  { organisation }: Principal,
  { sequence, id }: { readonly sequence: bigint; readonly id?: string },
): Promise<void> {
  const [chain] = await db.client.$queryRaw<
    [{ head: bigint | null; first: bigint | null; id: string | null }]
  >`
    SELECT (SELECT sequence FROM audit_head WHERE organisation = ${organisation}) AS head,
      (SELECT min(sequence) FROM audit_event WHERE organisation = ${organisation}) AS first,
      (SELECT id::text FROM audit_event WHERE organisation = ${organisation} AND sequence = ${sequence}) AS id`;
  const { head, first } = chain;
  const known = head !== null && sequence <= head && (!id || !chain.id || chain.id === id);
  // Where every event was removed, nothing is missing to who has seen the last.
  if (known && sequence + 1n >= (first ?? head + 1n)) return;
  throw new InvalidInputError(
    FIELD,
    'The events after this cursor are no longer kept: follow without a cursor, then read the state anew.',
  );
}

function scopeOf({ organisation, project }: Principal, { name }: Region): readonly string[] {
  return ['secretEvents', name, organisation, project];
}
