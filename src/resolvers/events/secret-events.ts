import { hadEffect } from '../../audit/event.ts';
import { RequestError, UserError } from '../../errors.ts';
import { folderKeyPrefix, parseFolderPath, pathKey } from '../../policy/secret-path.ts';
import type { Follower } from '../context/followers.ts';
import type { SecretChange } from '../context/followers.ts';
import type { Region, RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { type Deciding, decidingIn, may, secretAt } from '../operation/authorise.ts';
import { CHANGES_PER_PAGE, KIND_OF_ACTION, type SecretEventKind } from './secret-change.ts';
import { decodePlace, encodePlace, requireKept } from './secret-event-cursor.ts';

/** A change of a secret, as a follower is told of it: never with a value. */
export interface SecretEvent {
  readonly cursor: string;
  readonly at: Date;
  readonly kind: SecretEventKind;
  readonly path: string;
  readonly version: number | null;
}

export interface SecretEventsArguments {
  readonly pathPrefix: string;
  readonly region?: string | null;
  readonly after?: string | null;
}

const RETRY_MS = 1_000;
const PATIENCE_MS = 30_000;

/** One stream while it is open. */
interface Following {
  readonly ctx: RequestContext;
  readonly region: Region;
  readonly follower: Follower;
  /** What the keys of the paths begin with. */
  readonly prefix: string;
  readonly read: (after: bigint) => Promise<readonly SecretChange[]>;
}

/**
 * The changes of the scope's secrets that the caller may find, in the order of their commits: those after a cursor, or
 * from now on. Each once. It ends with an error that says why, after which the last cursor goes on.
 */
export async function secretEvents(
  ctx: RequestContext,
  args: SecretEventsArguments,
): Promise<AsyncIterable<SecretEvent>> {
  if (!ctx.following) throw new Error('Nobody is there to be told of changes.');
  const { followers, ending } = ctx.following;
  const region = regionOf(ctx, args.region, ['region']);
  const prefix = folderKeyPrefix(parseFolderPath(args.pathPrefix, ['pathPrefix']));
  const after = args.after == null ? null : decodePlace(ctx.principal, region, args.after);
  // Joined first: what is committed from here on wakes it.
  const follower = followers.join(ctx.principal, region, ending.signal);
  if (after) await requireKept(region, ctx.principal, after);
  const feed = followers.feed(region);
  const read = (place: bigint) => feed.read(ctx.principal, place);
  const following = { ctx, region, follower, prefix, read };
  return follow(following, after?.sequence ?? (await headOf(region, ctx.principal.organisation)), !after);
}

async function* follow(
  following: Following,
  start: bigint,
  startsAtHead: boolean,
): AsyncGenerator<SecretEvent, void> {
  const { ctx, region, follower, read } = following;
  let place = start;
  let isCaughtUp = startsAtHead;
  while (goesOn(following)) {
    const from = place;
    const changes = await patiently(following, () => read(from));
    // Only while it reads what is old may retention overtake it: later it stands still where nothing happens.
    if (!isCaughtUp) {
      await patiently(following, () => requireKept(region, ctx.principal, { sequence: from }));
    }
    for (const change of changes) {
      place = change.sequence;
      const deciding = await patiently(following, () => decidingIn(ctx, region));
      const event = visibleEvent(following, deciding, change);
      if (!event) continue;
      if (!goesOn(following)) return;
      yield event;
    }
    if (changes.length === CHANGES_PER_PAGE) continue;
    isCaughtUp = true;
    await follower.wait(ctx.principal.expiresAt.getTime() - ctx.now().getTime());
  }
}

function goesOn({ ctx, follower }: Following): boolean {
  if (!follower.goesOn()) return false;
  if (ctx.now() < ctx.principal.expiresAt) return true;
  throw new RequestError(
    'UNAUTHENTICATED',
    'The access token has expired: follow again with a new one and the last cursor.',
  );
}

/** The event, if the caller may find the secret now, whatever it could when the change was made. */
function visibleEvent(
  { ctx, region, prefix }: Following,
  deciding: Deciding,
  change: SecretChange,
): SecretEvent | null {
  const { at, action, version, details, resource } = change;
  // A restored secret is where it came to, not where it was deleted.
  const path = (action === 'secret.restore' && details['path']) || resource;
  if (!hadEffect(details) || !pathKey(path).startsWith(prefix)) return null;
  if (!may(deciding, 'SECRET_LIST', secretAt(path)) || !may(deciding, 'SECRET_READ', secretAt(path)))
    return null;
  return {
    cursor: encodePlace(ctx.principal, region, change),
    at,
    kind: KIND_OF_ACTION[action],
    path,
    version,
  };
}

/** What `work` finds. A database that does not answer for a while does not end a stream. */
async function patiently<T>({ follower }: Following, work: () => Promise<T>): Promise<T> {
  const since = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isFinal = error instanceof UserError || performance.now() - since > PATIENCE_MS;
      if (isFinal || !follower.goesOn()) throw error;
      await follower.wait(RETRY_MS);
    }
  }
}

async function headOf({ db }: Region, organisation: string): Promise<bigint> {
  const head = await db.client.auditHead.findUnique({ where: { organisation } });
  return head?.sequence ?? 0n;
}
