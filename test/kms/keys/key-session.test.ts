import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import {
  type Envelope,
  type EnvelopeContext,
  openEnvelope,
  rewrapDataKey,
  sealEnvelope,
} from '../../../src/kms/envelope/envelope.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { KeyCache } from '../../../src/kms/keys/key-cache.ts';
import { KeySession, RemoteCallNeeded } from '../../../src/kms/keys/key-session.ts';
import { RootKeys } from '../../../src/kms/keys/root-keys.ts';
import type { KmsKeyGeneration, KmsKeyReference } from '../../../src/kms/provider.ts';
import { LocalProvider } from '../../../src/kms/providers/local/provider.ts';
import { RemoteProvider } from '../../support/remote-provider.ts';

/** Runs that stop before a remote call is made inside. */
const ROUNDS_OUTSIDE = 3;
const reference: KmsKeyReference = {
  ...{ organisation: 'acme', region: 'local-1', project: '', identity: 'kms-1' },
  ...{ keyType: 'AES256_GCM96', externalKeyId: 'payments' },
};
const generation: KmsKeyGeneration = {
  ...{ number: 1, wrappedMaterial: null, rootKeyId: null, externalVersion: 'v1' },
};
const at = (path: string): EnvelopeContext => ({
  ...{ organisation: 'acme', region: 'local-1', project: '', kmsKeyIdentity: 'kms-1', path },
  ...{ secretId: '0197a2c4-0000-7000-8000-000000000001', version: 1, format: 'STRING' },
});
const contentOf = (text: string) => ({
  format: 'STRING' as const,
  entries: [{ name: '', value: new SecretBytes(Buffer.from(text)) }],
});
const isZero = (key: SecretBytes) => key.reveal().every((byte) => byte === 0);

let outside: RemoteProvider;
let cache: KeyCache;
let session: KeySession;
let inTransaction: boolean;
/** For each call: whether the transaction was open when the provider was asked. */
let askedInside: boolean[];
let runs: number;

beforeEach(() => {
  outside = new RemoteProvider();
  cache = new KeyCache();
  session = new KeySession(cache);
  inTransaction = false;
  askedInside = [];
  runs = 0;
  outside.gate = () => {
    askedInside.push(inTransaction);
    return Promise.resolve();
  };
});
afterEach(() => {
  session.close();
  cache.close();
  vi.restoreAllMocks();
});

const bound = (using = session) => using.bind(outside, reference);
/** Runs it as a transaction runs: open for as long as the work is at it. */
const run = <T>(work: () => Promise<T>, using = session) =>
  using.run(async () => {
    runs++;
    inTransaction = true;
    try {
      return await work();
    } finally {
      inTransaction = false;
    }
  });
/** An envelope that is stored, by a session that has ended. */
async function stored(path: string, text = `value of ${path}`): Promise<Envelope> {
  const before = new KeySession(new KeyCache());
  const envelope = await before.run(() =>
    sealEnvelope(before.bind(outside, reference), generation, at(path), contentOf(text)),
  );
  before.close();
  outside.forgetCalls();
  askedInside = [];
  return envelope;
}
const openAt = async (path: string, envelope: Envelope, using = session) => {
  const content = await openEnvelope(bound(using), generation, at(path), envelope);
  return content?.entries[0]?.value.reveal().toString();
};

describe('a remote provider', () => {
  it('is not asked while a transaction is open: the answer is fetched after it and the work runs again', async () => {
    const envelope = await stored('/a');
    expect(await run(() => openAt('/a', envelope))).toBe('value of /a');
    expect(runs).toBe(2);
    expect(askedInside).toEqual([false]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['create', () => bound().provider.create(reference)],
    ['rotate', () => bound().provider.rotate(reference, generation)],
    ['seal', () => sealEnvelope(bound(), generation, at('/a'), contentOf('a'))],
  ])('is asked once for a %s, whose answer the next run finds', async (_what, work) => {
    await run(work);
    expect(runs).toBe(2);
    expect(outside.calls).toHaveLength(1);
    expect(askedInside).toEqual([false]);
  });

  it('is asked in turn for what follows from its answers, never inside', async () => {
    const envelope = await stored('/a');
    const rewrapped = await run(() =>
      rewrapDataKey(
        bound(),
        { generation, context: at('/a') },
        { generation, context: at('/b') },
        envelope.wrappedDataKey,
      ),
    );
    expect(runs).toBe(3);
    expect(askedInside).toEqual([false, false]);
    expect(await run(() => openAt('/b', { ...envelope, wrappedDataKey: rewrapped }))).toBe('value of /a');
  });

  it.each([
    ['is kept', false, 1],
    ['is not kept when it was forgotten after the transaction had read its row', true, 0],
  ])('gives a data key that %s', async (_what, isForgotten, kept) => {
    const envelope = await stored('/a');
    const opened = await run(async () => {
      try {
        return await openAt('/a', envelope);
      } catch (error) {
        if (isForgotten && runs === 1) cache.forget('acme/kms-1');
        throw error;
      }
    });
    expect(opened).toBe('value of /a');
    expect(cache.size).toBe(kept);
  });

  it('has its data keys forgotten at the close of a session that was told so, and no other', async () => {
    const envelope = await stored('/a');
    await run(() => openAt('/a', envelope));
    session.forgetAtClose('acme/kms-2');
    session.close();
    expect(cache.size).toBe(1);
    session.forgetAtClose('acme/kms-1');
    expect(cache.size).toBe(1);
    session.close();
    expect(cache.size).toBe(0);
  });

  it('is asked inside after three runs: others keep changing what the work is about', async () => {
    const sealed: Envelope[] = [];
    await run(async () => {
      // Another number each time, as when other writers get in between.
      const context = { ...at('/a'), version: runs };
      sealed.push(await sealEnvelope(bound(), generation, context, contentOf('a')));
    });
    expect(runs).toBe(ROUNDS_OUTSIDE + 1);
    expect(askedInside).toEqual([false, false, false, true]);
    expect(sealed).toHaveLength(1);
  });

  it('that failed is not asked again: its failure is remembered for every run', async () => {
    const envelope = await stored('/a');
    outside.failure = () => new Error('no answer');
    const failures: unknown[] = [];
    await expect(
      run(async () => {
        try {
          return await openAt('/a', envelope);
        } catch (error) {
          if (error instanceof RemoteCallNeeded) throw error;
          failures.push(error);
          return openAt('/a', envelope);
        }
      }),
    ).rejects.toThrow('no answer');
    expect(outside.count('unwrap')).toBe(1);
    expect(failures).toHaveLength(1);
  });

  it('that failed for one operation is asked anew by the next', async () => {
    const envelope = await stored('/a');
    outside.failure = () => new Error('no answer');
    await expect(run(() => openAt('/a', envelope))).rejects.toThrow('no answer');
    outside.failure = undefined;
    const next = new KeySession(cache);
    expect(await run(() => openAt('/a', envelope, next), next)).toBe('value of /a');
    next.close();
  });

  it('is not asked for a data key whose row says otherwise than a row whose answer is known', async () => {
    const [a, b] = [await stored('/a'), await stored('/b')];
    const outcome = run(async () => {
      await openAt('/a', a);
      return openAt('/b', { ...b, wrappedDataKey: a.wrappedDataKey });
    });
    await expect(outcome).rejects.toThrow(DecryptionFailedError);
    expect(outside.count('unwrap')).toBe(2);
  });
});

describe('many at a time', () => {
  const PATHS = Array.from({ length: 100 }, (_, index) => `/many/${index}`);

  it('are asked for all at once, each once', async () => {
    const envelopes = new Map<string, Envelope>();
    for (const path of PATHS) envelopes.set(path, await stored(path));
    outside.delayMs = 20;
    const opened = await run(async () => {
      const values: (string | undefined)[] = [];
      await session.each(envelopes, async ([path, envelope]) => {
        values.push(await openAt(path, envelope));
      });
      return values;
    });
    expect(opened).toEqual(PATHS.map((path) => `value of ${path}`));
    expect(outside.count('unwrap')).toBe(100);
    expect(outside.mostAtOnce).toBe(100);
    expect(askedInside).toEqual(Array(100).fill(false));
    expect(runs).toBe(2);
  });

  it('of which one fails otherwise stop there, and nobody is asked', async () => {
    const envelope = await stored('/a');
    const outcome = run(() =>
      session.each([1, 2, 3], async (item) => {
        if (item === 2) throw new Error('denied');
        await openAt('/a', envelope);
      }),
    );
    await expect(outcome).rejects.toThrow('denied');
    expect(outside.calls).toEqual([]);
  });
});

describe('a data key that is sealed with', () => {
  it('is the same on every run, for the same row, and another for another', async () => {
    const seen: string[] = [];
    await run(async () => {
      for (const path of ['/a', '/a', '/b']) {
        const dataKey = bound().freshDataKey?.(Buffer.from(path));
        seen.push(dataKey?.reveal().toString('hex') ?? '');
        dataKey?.zero();
      }
      await sealEnvelope(bound(), generation, at('/a'), contentOf('a'));
    });
    expect(runs).toBe(2);
    const [first, again, other] = seen;
    expect(seen).toEqual([first, first, other, first, first, other]);
    expect(again).toMatch(/^(?!0{64})[0-9a-f]{64}$/);
    expect(other).not.toBe(first);
  });

  it('is another in the next operation', () => {
    const next = new KeySession(cache);
    const keys = [session, next].map((using) => bound(using).freshDataKey?.(Buffer.from('/a')));
    expect(keys[0]?.reveal().equals(keys[1]?.reveal() ?? Buffer.alloc(0))).toBe(false);
    next.close();
  });

  it('opens what was sealed though the work ran twice', async () => {
    const envelope = await run(() => sealEnvelope(bound(), generation, at('/a'), contentOf('twice')));
    expect(runs).toBe(2);
    expect(await run(() => openAt('/a', envelope))).toBe('twice');
  });
});

describe('what was unwrapped', () => {
  it('is found in the cache by the next operation', async () => {
    const envelope = await stored('/a');
    await run(() => openAt('/a', envelope));
    const next = new KeySession(cache);
    runs = 0;
    expect(await run(() => openAt('/a', envelope, next), next)).toBe('value of /a');
    expect(runs).toBe(1);
    expect(outside.count('unwrap')).toBe(1);
    next.close();
  });

  it('is fetched once for twenty operations at the same time', async () => {
    const envelope = await stored('/a');
    outside.delayMs = 20;
    const sessions = Array.from({ length: 20 }, () => new KeySession(cache));
    const opened = await Promise.all(sessions.map((using) => using.run(() => openAt('/a', envelope, using))));
    expect(opened).toEqual(Array(20).fill('value of /a'));
    expect(outside.count('unwrap')).toBe(1);
    for (const each of sessions) each.close();
  });

  it('serves the operation to its end even if the key is forgotten meanwhile, and not the next one', async () => {
    const envelope = await stored('/a');
    expect(
      await run(() => {
        cache.forget('acme/kms-1');
        return openAt('/a', envelope);
      }),
    ).toBe('value of /a');
    cache.forget('acme/kms-1');
    const next = new KeySession(cache);
    await run(() => openAt('/a', envelope, next), next);
    expect(outside.count('unwrap')).toBe(2);
    next.close();
  });
});

describe('when the operation ends', () => {
  /** Every piece of memory that a data key was ever copied to. */
  function watchCopies(): () => Buffer[] {
    const from = Buffer.from.bind(Buffer) as (...args: unknown[]) => Buffer;
    const made: Buffer[] = [];
    vi.spyOn(Buffer, 'from').mockImplementation(((...args: unknown[]) => {
      const copy = from(...args);
      if (args[0] instanceof Uint8Array && copy.byteLength === 32) made.push(copy);
      return copy;
    }) as typeof Buffer.from);
    return () => made.filter((copy) => copy.some((byte) => byte !== 0));
  }

  it.each([
    ['a value was opened', (envelope: Envelope) => openAt('/a', envelope)],
    ['a value was sealed', () => sealEnvelope(bound(), generation, at('/a'), contentOf('a'))],
    [
      'a data key was wrapped anew',
      (envelope: Envelope) =>
        rewrapDataKey(
          bound(),
          { generation, context: at('/a') },
          { generation, context: at('/b') },
          envelope.wrappedDataKey,
        ),
    ],
    [
      'another seal failed before the first was asked for',
      () =>
        session.each([1, 2], async (item) => {
          if (item === 2) throw new Error('denied');
          await sealEnvelope(bound(), generation, at('/a'), contentOf('a'));
        }),
    ],
  ])('no copy of a data key is left but the cache’s, after %s', async (_what, work) => {
    const envelope = await stored('/a');
    const left = watchCopies();
    await run<unknown>(() => work(envelope)).catch(() => undefined);
    session.close();
    cache.clear();
    expect(left()).toEqual([]);
    expect(outside.handedOut.every(isZero)).toBe(true);
  });

  it('the provider has been given no memory that is kept: it is zeroed when the call is over', async () => {
    const given: SecretBytes[] = [];
    const wrap = outside.wrap.bind(outside);
    outside.wrap = (key, by, dataKey, context) => {
      expect(isZero(dataKey)).toBe(false);
      given.push(dataKey);
      return wrap(key, by, dataKey, context);
    };
    await run(() => sealEnvelope(bound(), generation, at('/a'), contentOf('a')));
    expect(given.map(isZero)).toEqual([true]);
  });
});

describe('a provider that is not remote', () => {
  it('is bound as it is, and answers inside', async () => {
    const rootKeys = new RootKeys([{ id: 'root', key: new SecretBytes(randomBytes(32)) }]);
    const local = new LocalProvider(rootKeys, cache);
    const key = session.bind(local, { ...reference, externalKeyId: null });
    expect(key.provider).toBe(local);
    expect(key.freshDataKey).toBeUndefined();
    await run(async () => {
      const made = await key.provider.create(key.reference);
      return await sealEnvelope(key, made, at('/a'), contentOf('a'));
    });
    expect(runs).toBe(1);
  });
});
