import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import {
  ExternalKeyError,
  type KmsKeyGeneration,
  type KmsKeyReference,
  type KmsProvider,
} from '../../../src/kms/provider.ts';
import { BoundedProvider, ProviderFailure } from '../../../src/kms/providers/bounded.ts';
import { RemoteProvider } from '../../support/remote-provider.ts';
import { describeProvider } from './provider-conformance.ts';

const TIMEOUT_MS = 1_000;
const GRACE_MS = 500;
const MOST_AT_ONCE = 128;
const MOST_WAITING = 1_000;
const CONTEXT = Buffer.from('context');
const reference: KmsKeyReference = {
  ...{ organisation: 'acme', region: 'local-1', project: '', identity: 'kms-1' },
  ...{ keyType: 'AES256_GCM96', externalKeyId: 'payments' },
};
const generation: KmsKeyGeneration = {
  ...{ number: 1, wrappedMaterial: null, rootKeyId: null, externalVersion: 'v1' },
};
const dataKey = new SecretBytes(randomBytes(32));
const isZero = (key: SecretBytes) => key.reveal().every((byte) => byte === 0);

/** Until everything that can go on has. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const failures: unknown[] = [];
const bounded = (provider: KmsProvider) =>
  new BoundedProvider(provider, TIMEOUT_MS, (error) => failures.push(error));
/** The fake service, with some of its methods answering otherwise: what they hold need not fit its type. */
const answering = (methods: Readonly<Record<string, unknown>>) =>
  bounded(Object.assign(new RemoteProvider(), methods));

describeProvider('in bounds', () => {
  const outside = new RemoteProvider();
  return Promise.resolve({
    provider: bounded(outside),
    reference,
    otherReference: { ...reference, identity: 'kms-2', externalKeyId: 'orders' },
    disable: () => {
      outside.failure = () => new Error('The key is disabled.');
      return Promise.resolve(() => {
        outside.failure = undefined;
        return Promise.resolve();
      });
    },
    outOfReach: () => {
      outside.failure = () => new Error('connect ECONNREFUSED');
      return Promise.resolve(bounded(outside));
    },
  });
});

const CALLS: readonly (readonly [string, (provider: KmsProvider) => Promise<unknown>])[] = [
  ['create', (provider) => provider.create(reference)],
  ['rotate', (provider) => provider.rotate(reference, generation)],
  ['wrap', (provider) => provider.wrap(reference, generation, dataKey, CONTEXT)],
  ['unwrap', (provider) => provider.unwrap(reference, generation, randomBytes(60), CONTEXT)],
];

beforeEach(() => void failures.splice(0));
afterEach(() => void vi.useRealTimers());

describe.each(CALLS)('%s of a provider', (method, call) => {
  it('that hangs fails within its timeout and a grace', async () => {
    vi.useFakeTimers();
    const outcome = vi.fn();
    const hanging = answering({ [method]: () => new Promise(() => undefined) });
    call(hanging).catch(outcome);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS - 1);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(outcome.mock.calls[0]?.[0]).toBeInstanceOf(ProviderFailure);
    expect(failures).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws at once',
      () => {
        throw new Error('no');
      },
    ],
    ['answers nothing', () => undefined],
    ['answers null', () => Promise.resolve(null)],
    ['answers a text', () => Promise.resolve('x'.repeat(60))],
    ['answers a number', () => Promise.resolve(60)],
    ['answers an empty object', () => Promise.resolve({})],
  ])('that %s fails, is reported, and keeps no place', async (_what, answer) => {
    const provider = answering({ [method]: answer });
    for (let time = 0; time < MOST_AT_ONCE + 10; time++) {
      const error: unknown = await call(provider).then(
        () => expect.fail('It succeeded.'),
        (thrown: unknown) => thrown,
      );
      expect(error).not.toBeInstanceOf(DecryptionFailedError);
      expect(inspect(error)).not.toMatch(/More than/);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(dataKey.reveal().toString('hex'));
    }
    expect(failures).toHaveLength(MOST_AT_ONCE + 10);
  });

  it('runs at most so many times at once: one more waits until one has ended', async () => {
    const ends: (() => void)[] = [];
    const outside = new RemoteProvider();
    outside.gate = () => new Promise((_, reject) => void ends.push(() => reject(new Error('no'))));
    const provider = bounded(outside);
    const running = Array.from({ length: MOST_AT_ONCE }, () => call(provider).catch(() => 'ended'));
    const waiting = [call(provider).catch(() => 'ended'), call(provider).catch(() => 'ended')];
    await turn();
    expect(outside.running).toBe(MOST_AT_ONCE);
    expect(outside.calls).toHaveLength(MOST_AT_ONCE);
    ends[7]?.();
    await running[7];
    await turn();
    expect(outside.running).toBe(MOST_AT_ONCE);
    expect(outside.calls).toHaveLength(MOST_AT_ONCE + 1);
    while (ends.length > 0) {
      for (const end of ends.splice(0)) end();
      await turn();
    }
    await Promise.all([...running, ...waiting]);
    expect(outside.calls).toHaveLength(MOST_AT_ONCE + 2);
    expect(outside.mostAtOnce).toBe(MOST_AT_ONCE);
  });

  it('fails at once when as many wait as may, and no later than its time when it waits', async () => {
    vi.useFakeTimers();
    const outside = new RemoteProvider();
    outside.gate = () => new Promise(() => undefined);
    const provider = bounded(outside);
    const outcomes = Array.from({ length: MOST_AT_ONCE + MOST_WAITING }, () =>
      call(provider).catch((error: unknown) => error),
    );
    await expect(call(provider)).rejects.toThrow('More than 1000 calls wait');
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS);
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toBeInstanceOf(ProviderFailure);
    // Nobody waited for them any more: what had no place yet was never asked.
    expect(outside.calls).toHaveLength(MOST_AT_ONCE);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives its place back when its time is over, though the provider never answers', async () => {
    vi.useFakeTimers();
    const outside = new RemoteProvider();
    outside.gate = () => new Promise(() => undefined);
    const provider = bounded(outside);
    const hung = Array.from({ length: MOST_AT_ONCE }, () => call(provider).catch(() => 'late'));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS);
    expect(new Set(await Promise.all(hung))).toEqual(new Set(['late']));
    outside.gate = () => Promise.reject(new Error('asked'));
    for (let time = 0; time < MOST_AT_ONCE + 10; time++)
      await expect(call(provider)).rejects.toThrow('asked');
  });

  it('keeps its place as long as the provider may take, though its caller waited for the place before', async () => {
    vi.useFakeTimers();
    const outside = new RemoteProvider();
    outside.gate = () => new Promise(() => undefined);
    const provider = bounded(outside);
    const start = () => void call(provider).catch(() => undefined);
    const [early, late] = [TIMEOUT_MS / 2, TIMEOUT_MS + GRACE_MS];
    for (let time = 0; time < MOST_AT_ONCE; time++) start();
    await vi.advanceTimersByTimeAsync(early);
    for (let time = 0; time < MOST_AT_ONCE; time++) start();
    // The first have left and the second are in, who have but half of their time left.
    await vi.advanceTimersByTimeAsync(late - early);
    expect(outside.calls).toHaveLength(2 * MOST_AT_ONCE);
    await vi.advanceTimersByTimeAsync(early);
    start();
    await vi.advanceTimersByTimeAsync(late - early - 1);
    expect(outside.calls).toHaveLength(2 * MOST_AT_ONCE);
    await vi.advanceTimersByTimeAsync(1);
    expect(outside.calls).toHaveLength(2 * MOST_AT_ONCE + 1);
  });
});

describe('an answer that cannot be one is a failure', () => {
  it.each([
    ['the data key itself', dataKey.reveal()],
    ['the data key among other bytes', Buffer.concat([Buffer.alloc(20), dataKey.reveal(), Buffer.alloc(8)])],
    ['nothing', Buffer.alloc(0)],
    ['as few bytes as a data key', randomBytes(32)],
    ['more than 8 KiB', randomBytes(8_193)],
    ['a hundred MB', Buffer.alloc(100_000_000)],
  ])('wrap: %s', async (_what, wrapped) => {
    const provider = answering({ wrap: () => Promise.resolve(wrapped) });
    const error = provider.wrap(reference, generation, dataKey, CONTEXT);
    await expect(error).rejects.toThrow(ProviderFailure);
    expect(failures).toHaveLength(1);
  });

  it.each([0, 1, 16, 31, 33, 64, 1_000_000])('unwrap: %i bytes, which are zeroed', async (length) => {
    const wrong = new SecretBytes(Buffer.alloc(length, 7));
    const provider = answering({ unwrap: () => Promise.resolve(wrong) });
    const error = provider.unwrap(reference, generation, randomBytes(60), CONTEXT);
    await expect(error).rejects.toThrow(ProviderFailure);
    expect(isZero(wrong)).toBe(true);
  });

  it.each([0, 2, -1, 1.5, NaN])('create: a generation numbered %d', async (number) => {
    const provider = answering({ create: () => Promise.resolve({ ...generation, number }) });
    await expect(provider.create(reference)).rejects.toThrow(ProviderFailure);
  });

  it.each([1, 3, 0, NaN])('rotate after the first: a generation numbered %d', async (number) => {
    const provider = answering({ rotate: () => Promise.resolve({ ...generation, number }) });
    await expect(provider.rotate(reference, generation)).rejects.toThrow(ProviderFailure);
  });

  it('create: a generation whose name is longer than 256 characters', async () => {
    const named = (length: number) => ({ ...generation, externalVersion: 'v'.repeat(length) });
    const long = answering({ create: () => Promise.resolve(named(257)) });
    await expect(long.create(reference)).rejects.toThrow(ProviderFailure);
    const fits = answering({ create: () => Promise.resolve(named(256)) });
    expect((await fits.create(reference)).number).toBe(1);
  });
});

describe('describe', () => {
  it.each([
    ['hangs', () => new Promise(() => undefined)],
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws at once',
      () => {
        throw new Error('no');
      },
    ],
    ['answers nothing', () => Promise.resolve(undefined)],
    ['answers otherwise', () => Promise.resolve({ usable: 'no' })],
  ])('of a provider that %s is not usable', async (what, describe) => {
    vi.useFakeTimers();
    const provider = answering({ describe });
    for (let time = 0; time < (what === 'hangs' ? 1 : MOST_AT_ONCE + 10); time++) {
      const described = provider.describe(reference, generation);
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS);
      expect(await described).toEqual({ usable: false });
    }
    // No place was kept: the provider is asked on.
    expect(failures.filter((error) => inspect(error).includes('More than'))).toEqual([]);
  });
});

describe('what the provider answers clearly', () => {
  it.each([new DecryptionFailedError(), new ExternalKeyError('It is not there.')])(
    'is passed on as it is, and is no outage: %s',
    async (error) => {
      const provider = answering({
        unwrap: () => Promise.reject(error),
        create: () => Promise.reject(error),
      });
      await expect(provider.unwrap(reference, generation, randomBytes(60), CONTEXT)).rejects.toBe(error);
      await expect(provider.create(reference)).rejects.toBe(error);
      expect(failures).toEqual([]);
    },
  );
});

describe('an answer that comes too late', () => {
  it('reaches nobody, and its data key is zeroed', async () => {
    vi.useFakeTimers();
    const { promise, resolve } = Promise.withResolvers<SecretBytes>();
    const provider = answering({ unwrap: () => promise });
    const outcome = vi.fn();
    provider.unwrap(reference, generation, randomBytes(60), CONTEXT).catch(outcome);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS);
    expect(outcome).toHaveBeenCalledTimes(1);
    const late = new SecretBytes(Buffer.alloc(32, 7));
    resolve(late);
    await vi.advanceTimersByTimeAsync(0);
    expect(isZero(late)).toBe(true);
  });

  it('that is a failure disturbs nobody', async () => {
    vi.useFakeTimers();
    const { promise, reject } = Promise.withResolvers<SecretBytes>();
    const provider = answering({ unwrap: () => promise });
    provider.unwrap(reference, generation, randomBytes(60), CONTEXT).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS);
    reject(new Error('too late'));
    await vi.advanceTimersByTimeAsync(0);
    expect(failures).toHaveLength(1);
  });

  it('in time is the caller’s, and is not zeroed', async () => {
    vi.useFakeTimers();
    const key = new SecretBytes(Buffer.alloc(32, 7));
    const provider = answering({ unwrap: () => Promise.resolve(key) });
    expect(await provider.unwrap(reference, generation, randomBytes(60), CONTEXT)).toBe(key);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS + GRACE_MS);
    expect(isZero(key)).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});
