import { randomUUID } from 'node:crypto';
import type { VariablesOf } from 'gql.tada';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { follow, type FollowedEvent, type Following } from '../support/follow.ts';
import { eventually } from '../support/eventually.ts';
import { kmsKeysOf } from '../support/kms-keys.ts';
import { type TestApp, type TestCaller, testApp } from '../support/test-app.ts';
import * as doc from './documents.ts';
import { DELETE_POLICY, PUT_POLICY } from './policy-documents.ts';

/** Rights that come and go while a stream is open: what counts are those at delivery. */
type Statement = VariablesOf<typeof PUT_POLICY>['input']['statements'][number];
type Permission = Statement['permissions'][number];

let app: TestApp;
let peer: TestApp;
let keys: ReturnType<typeof kmsKeysOf>;
let identity: string;

beforeAll(async () => {
  app = await testApp();
  peer = await app.peer();
  keys = kmsKeysOf(app);
  identity = await keys.created();
});
afterAll(async () => {
  await peer.close();
  await app.close();
});

const FIND: readonly Permission[] = ['SECRET_LIST', 'SECRET_READ'];
const statement = (
  permissions: readonly Permission[],
  resource: string,
  effect: Statement['effect'] = 'ALLOW',
) => ({
  ...{ name: `s-${randomUUID()}`, effect, permissions: [...permissions], resources: [resource] },
});

/** A caller with a role of its own, a subtree that it alone follows, and a policy that can be put anew. */
function follower() {
  const role = `role-${randomUUID()}`;
  const root = `/${role}`;
  const put = async (...statements: readonly Statement[]) => {
    const subjects = [{ kind: 'ROLE' as const, value: role }];
    const answer = await app.gql(PUT_POLICY, {
      input: { name: role, statements: [...statements], subjects },
    });
    expect(answer.data.putPolicy).toMatchObject({ __typename: 'PolicyPayload' });
  };
  const caller: TestCaller = { roles: [role], subject: role };
  const streams: Following[] = [];
  const followAt = async (gateway: TestApp, after?: string) => {
    const token = await app.token(caller);
    const stream = await follow({ url: gateway.url, token, variables: { pathPrefix: root, after } });
    streams.push(stream);
    return stream;
  };
  const write = async (...names: readonly string[]) => {
    for (const name of names) await keys.secretUnder(identity, 'v', `${root}/${name}`);
  };
  const drop = () => streams.forEach((stream) => stream.drop());
  return { role, root, caller, put, followAt, write, drop };
}

const namesOf = (events: readonly FollowedEvent[]) => events.map(({ path }) => path.split('/').at(-1));

test('neither SECRET_LIST nor SECRET_READ alone is told of anything, mid-stream as well', async () => {
  const { root, put, followAt, write, drop } = follower();
  await put(statement(FIND, `secret:${root}/**`));
  const stream = await followAt(app);
  // What counts are the rights at the time of delivery: before they change, what was written has to be there.
  const hears = (name: string) => expect.poll(() => namesOf(stream.events)).toContain(name);
  for (const [index, only] of FIND.entries()) {
    await write(`before-${index}`);
    await hears(`before-${index}`);
    // What is written while both are held stands as a mark that all before it was delivered.
    await put(statement([only], `secret:${root}/**`));
    await write(`lost-${index}`);
    await put(
      statement([only], `secret:${root}/**`),
      statement(
        FIND.filter((each) => each !== only),
        `secret:${root}/again-${index}`,
      ),
    );
    await write(`hidden-${index}`, `again-${index}`);
    await hears(`again-${index}`);
    await put(statement(FIND, `secret:${root}/**`));
  }
  await write('end');
  await hears('end');
  const heard = namesOf(stream.events);
  expect(heard).toEqual(['before-0', 'again-0', 'before-1', 'again-1', 'end']);
  drop();
});

test('a right that is given mid-stream is told of from then on, and one that a DENY takes no more', async () => {
  const { root, put, followAt, write, drop } = follower();
  const stream = await followAt(app);
  await write('a', 'b/deep');
  expect([stream.events, stream.errors]).toEqual([[], []]);
  await put(statement(FIND, `secret:${root}/**`));
  await write('c', 'b/seen');
  expect(namesOf(await stream.have(2))).toEqual(['c', 'seen']);
  for (const permission of FIND) {
    await put(statement(FIND, `secret:${root}/**`), statement([permission], `secret:${root}/b/**`, 'DENY'));
    await write(`b/no-${permission}`, `yes-${permission}`);
  }
  expect(namesOf(await stream.have(4)).slice(2)).toEqual(['yes-SECRET_LIST', 'yes-SECRET_READ']);
  drop();
});

test('a cursor goes on under the rights of its own day: what was hidden when it happened is told once it may be', async () => {
  const { root, put, followAt, write, drop } = follower();
  await put(statement(FIND, `secret:${root}/**`));
  const stream = await followAt(app);
  await write('first');
  const [first] = await stream.have(1);
  await put(statement(FIND, `secret:${root}/mark`));
  await write('second', 'mark');
  expect(namesOf(await stream.have(2))).toEqual(['first', 'mark']);
  const lacking = await followAt(app, first?.cursor);
  expect(namesOf(await lacking.have(1))).toEqual(['mark']);
  await put(statement(FIND, `secret:${root}/**`));
  const again = await followAt(app, first?.cursor);
  expect(namesOf(await again.have(2))).toEqual(['second', 'mark']);
  expect([stream.events.length, lacking.events.length]).toEqual([2, 1]);
  drop();
});

test('on another gateway too: within 2 seconds nothing is told there after a policy was narrowed or deleted', async () => {
  const { role, root, caller, put, followAt, write, drop } = follower();
  const everything = statement(FIND, `secret:${root}/**`);
  await put(everything);
  const stream = await followAt(peer);
  await write('one');
  expect(namesOf(await stream.have(1))).toEqual(['one']);
  const countThere = async () =>
    (await peer.raw(doc.SECRETS, { filter: { pathPrefix: root } }, caller)).data['secrets'] as {
      totalCount: number;
    };
  await put(
    statement(['SECRET_LIST'], `secret:${root}/**`),
    statement(['SECRET_READ'], `secret:${root}/mark`),
  );
  await eventually(async () => (await countThere()).totalCount === 0, 2_000);
  await write('two', 'mark');
  expect(namesOf(await stream.have(2))).toEqual(['one', 'mark']);
  await put(everything);
  await eventually(async () => (await countThere()).totalCount === 3, 2_000);
  await write('three');
  expect(namesOf(await stream.have(3))).toEqual(['one', 'mark', 'three']);
  await app.gql(DELETE_POLICY, { input: { name: role } });
  await eventually(async () => (await countThere()).totalCount === 0, 2_000);
  await write('four');
  await put(everything);
  await eventually(async () => (await countThere()).totalCount === 5, 2_000);
  await write('five');
  expect(namesOf(await stream.have(4))).toEqual(['one', 'mark', 'three', 'five']);
  drop();
});
