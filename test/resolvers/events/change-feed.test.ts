import { expect, test } from 'vitest';
import type { Listener } from '../../../src/db/notifications.ts';
import type { Region } from '../../../src/resolvers/context/request-context.ts';
import { ChangeFeed } from '../../../src/resolvers/events/change-feed.ts';
import { Follower } from '../../../src/resolvers/events/follower.ts';

const ACME = { organisation: 'acme', project: '' };

/** A feed of a region whose database answers when the test says so, and whose gateways say what the test says. */
function feedByHand() {
  const answers: ((rows: readonly object[]) => void)[] = [];
  const listeners: Listener[] = [];
  const region = {
    db: { client: { $queryRaw: () => new Promise((resolve) => answers.push(resolve)) } },
    notifications: { on: (_: string, listener: Listener) => (listeners.push(listener), () => undefined) },
  } as unknown as Region;
  const feed = new ChangeFeed(region);
  return { feed, answers, notify: (organisation: string) => listeners[0]?.notified(organisation) };
}

test('followers at the same place of the same scope share one query, others do not', async () => {
  const { feed, answers } = feedByHand();
  const same = [feed.read(ACME, 7n), feed.read(ACME, 7n)];
  void feed.read(ACME, 8n);
  void feed.read({ ...ACME, project: 'payments' }, 7n);
  void feed.read({ ...ACME, organisation: 'globex' }, 7n);
  expect(answers).toHaveLength(4);
  const rows = [{ sequence: 8n }];
  answers[0]?.(rows);
  expect(await Promise.all(same)).toEqual([rows, rows]);
  void feed.read(ACME, 7n);
  expect(answers).toHaveLength(5);
});

test('whoever is woken does not share a query that began before: it may not see what woke them', () => {
  const { feed, answers, notify } = feedByHand();
  void feed.read(ACME, 7n);
  notify('acme');
  void feed.read(ACME, 7n);
  expect(answers).toHaveLength(2);
});

test('a wake that comes while a follower is busy is not lost, and one for another organisation wakes nobody', async () => {
  const { feed, notify } = feedByHand();
  const follower = new Follower(new AbortController().signal);
  feed.add('acme', follower);
  notify('acme');
  notify('acme');
  const started = performance.now();
  await follower.wait(5_000);
  expect(performance.now() - started).toBeLessThan(1_000);
  notify('globex');
  await follower.wait(50);
  expect(performance.now() - started).toBeGreaterThanOrEqual(45);
});
