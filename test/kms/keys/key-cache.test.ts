import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { KeyCache, type KeyCacheLimits, materialId, ownerOf } from '../../../src/kms/keys/key-cache.ts';

const ROOMY: KeyCacheLimits = { maxKeys: 100, maxAgeMs: 60_000, maxUses: 1_000 };
const OWNER = 'acme/kms-1';
const OTHER = 'acme/kms-2';
const open: KeyCache[] = [];

function cacheOf(limits: Partial<KeyCacheLimits> = {}, clock = { now: 0 }) {
  const cache = new KeyCache({ ...ROOMY, ...limits }, () => clock.now);
  open.push(cache);
  return cache;
}
afterEach(() => {
  vi.useRealTimers();
  for (const cache of open.splice(0)) cache.close();
});

const isZero = (memory: Buffer) => memory.every((byte) => byte === 0);

/** Keys as a provider makes them, with the memory that they lie in. */
class Loads {
  readonly memory: Buffer[] = [];

  readonly load = (): SecretBytes => {
    const made = Buffer.alloc(32, this.memory.length + 1);
    this.memory.push(made);
    return new SecretBytes(made);
  };

  get count(): number {
    return this.memory.length;
  }

  get zeroed(): boolean[] {
    return this.memory.map(isZero);
  }
}

/** A load that ends when it is told to. */
function slowLoad() {
  const memory = Buffer.alloc(32, 7);
  let count = 0;
  const { promise, resolve, reject } = Promise.withResolvers<SecretBytes>();
  return {
    memory,
    load: () => {
      count++;
      return promise;
    },
    count: () => count,
    arrive: () => resolve(new SecretBytes(memory)),
    fail: (error: Error) => reject(error),
  };
}

const use = (cache: KeyCache, id: string, load: () => SecretBytes | Promise<SecretBytes>, owner = OWNER) =>
  cache.use(owner, id, load, (key) => key.toString('hex'));

describe('memory that leaves the cache is zeroed', () => {
  it('when there are too many keys: the least recently used goes, and no more are kept than allowed', async () => {
    const cache = cacheOf({ maxKeys: 3 });
    const loads = new Loads();
    for (const id of ['a', 'b', 'c']) await use(cache, id, loads.load);
    await use(cache, 'a', loads.load);
    await use(cache, 'd', loads.load);
    expect(cache.size).toBe(3);
    expect(loads.zeroed).toEqual([false, true, false, false]);
    for (const id of ['a', 'c', 'd']) await use(cache, id, loads.load);
    expect(loads.count).toBe(4);
  });

  it('when it is too old: with the next look', async () => {
    const clock = { now: 0 };
    const cache = cacheOf({ maxAgeMs: 1_000 }, clock);
    const loads = new Loads();
    await use(cache, 'a', loads.load);
    clock.now = 999;
    await use(cache, 'a', loads.load);
    expect(loads.zeroed).toEqual([false]);
    clock.now = 1_000;
    expect(cache.copy('a')).toBeNull();
    expect(loads.zeroed).toEqual([true]);
    expect(cache.size).toBe(0);
  });

  it('when it is too old: without another look', async () => {
    vi.useFakeTimers();
    const clock = { now: 0 };
    const cache = cacheOf({ maxAgeMs: 20_000 }, clock);
    const loads = new Loads();
    await use(cache, 'a', loads.load);
    clock.now = 19_999;
    vi.advanceTimersByTime(10_000);
    expect(loads.zeroed).toEqual([false]);
    clock.now = 20_000;
    vi.advanceTimersByTime(2_000);
    expect(loads.zeroed).toEqual([true]);
    expect(cache.size).toBe(0);
  });

  it('when it was used as often as allowed', async () => {
    const cache = cacheOf({ maxUses: 3 });
    const loads = new Loads();
    for (let uses = 1; uses <= 3; uses++) await use(cache, 'a', loads.load);
    expect(loads.count).toBe(1);
    await use(cache, 'a', loads.load);
    expect(loads.count).toBe(2);
    expect(loads.zeroed).toEqual([true, false]);
  });

  it('when those who waited for it used it up', async () => {
    const cache = cacheOf({ maxUses: 3 });
    const slow = slowLoad();
    const waiting = [1, 2, 3].map(() => use(cache, 'a', slow.load));
    slow.arrive();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['07'.repeat(32)]));
    expect(cache.size).toBe(0);
    expect(isZero(slow.memory)).toBe(true);
  });

  it('when nothing may be kept at all', async () => {
    const cache = cacheOf({ maxKeys: 0 });
    const loads = new Loads();
    expect(await use(cache, 'a', loads.load)).toBe('01'.repeat(32));
    expect(loads.zeroed).toEqual([true]);
  });

  it('when its KMS key is forgotten, and that of no other', async () => {
    const cache = cacheOf();
    const loads = new Loads();
    await use(cache, 'a', loads.load);
    await use(cache, 'b', loads.load, OTHER);
    await use(cache, 'c', loads.load);
    cache.forget(OWNER);
    expect(loads.zeroed).toEqual([true, false, true]);
    await use(cache, 'b', loads.load, OTHER);
    expect(loads.count).toBe(3);
  });

  it.each(['clear', 'pause', 'close'] as const)('with %s', async (method) => {
    const cache = cacheOf();
    const loads = new Loads();
    await use(cache, 'a', loads.load);
    await use(cache, 'b', loads.load, OTHER);
    cache[method]();
    expect(loads.zeroed).toEqual([true, true]);
    expect(cache.size).toBe(0);
  });

  it('and a copy that was taken is its taker’s: neither harms the other', async () => {
    const cache = cacheOf();
    const loads = new Loads();
    await use(cache, 'a', loads.load);
    const first = cache.copy('a');
    first?.zero();
    const second = cache.copy('a');
    expect(second?.reveal().toString('hex')).toBe('01'.repeat(32));
    cache.clear();
    expect(second?.reveal().toString('hex')).toBe('01'.repeat(32));
    expect(cache.copy('a')).toBeNull();
  });
});

describe('a key that is being loaded', () => {
  it('is loaded once for twenty who miss it at once', async () => {
    const cache = cacheOf();
    const slow = slowLoad();
    const waiting = Array.from({ length: 20 }, () => use(cache, 'a', slow.load));
    slow.arrive();
    expect(await Promise.all(waiting)).toEqual(Array(20).fill('07'.repeat(32)));
    expect(slow.count()).toBe(1);
    expect(cache.size).toBe(1);
  });

  it('that fails fails all who wait, and the next loads it anew', async () => {
    const cache = cacheOf();
    const slow = slowLoad();
    const waiting = Array.from({ length: 20 }, () => use(cache, 'a', slow.load));
    slow.fail(new Error('no answer'));
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'no answer' } });
    }
    expect(cache.size).toBe(0);
    expect(await use(cache, 'a', new Loads().load)).toBe('01'.repeat(32));
  });

  it('that throws at once fails in the same way', async () => {
    const cache = cacheOf();
    const throwing = () => {
      throw new Error('no answer');
    };
    await expect(use(cache, 'a', throwing)).rejects.toThrow('no answer');
    expect(await use(cache, 'a', new Loads().load)).toBe('01'.repeat(32));
  });

  it('serves the others when the work of one fails', async () => {
    const cache = cacheOf();
    const slow = slowLoad();
    const failing = cache.use(OWNER, 'a', slow.load, () => {
      throw new Error('does not open');
    });
    const working = use(cache, 'a', slow.load);
    slow.arrive();
    await expect(failing).rejects.toThrow('does not open');
    expect(await working).toBe('07'.repeat(32));
    expect(cache.size).toBe(1);
  });

  it.each([
    ['forgotten', (cache: KeyCache) => cache.forget(OWNER)],
    ['cleared', (cache: KeyCache) => cache.clear()],
    ['closed', (cache: KeyCache) => cache.close()],
    ['paused', (cache: KeyCache) => cache.pause()],
    [
      'paused and resumed',
      (cache: KeyCache) => {
        cache.pause();
        cache.resume();
      },
    ],
  ])('serves who waits for it and is not kept when it was %s meanwhile', async (_what, interrupt) => {
    const cache = cacheOf();
    const slow = slowLoad();
    const waiting = use(cache, 'a', slow.load);
    interrupt(cache);
    slow.arrive();
    expect(await waiting).toBe('07'.repeat(32));
    expect(cache.size).toBe(0);
    expect(isZero(slow.memory)).toBe(true);
  });

  it('when it was forgotten is loaded anew by who comes after, who never gets the old one', async () => {
    const cache = cacheOf();
    const old = slowLoad();
    const before = use(cache, 'a', old.load);
    cache.forget(OWNER);
    const fresh = new Loads();
    expect(await use(cache, 'a', fresh.load)).toBe('01'.repeat(32));
    old.arrive();
    expect(await before).toBe('07'.repeat(32));
    expect(await use(cache, 'a', fresh.load)).toBe('01'.repeat(32));
    expect(fresh.count).toBe(1);
    expect(isZero(old.memory)).toBe(true);
  });
});

describe('a paused cache', () => {
  it('serves each use with a load of its own and keeps nothing, until it is resumed', async () => {
    const cache = cacheOf();
    const loads = new Loads();
    cache.pause();
    await use(cache, 'a', loads.load);
    await use(cache, 'a', loads.load);
    expect(loads.count).toBe(2);
    expect(loads.zeroed).toEqual([true, true]);
    cache.resume();
    await use(cache, 'a', loads.load);
    await use(cache, 'a', loads.load);
    expect(loads.count).toBe(3);
  });
});

describe('the name of cached material', () => {
  it('differs with every bit of what it was unwrapped with', () => {
    const parts = [Buffer.from('context'), Buffer.alloc(60, 1)];
    const names = new Set([materialId(...parts)]);
    for (const [at, part] of parts.entries()) {
      for (let bit = 0; bit < part.byteLength * 8; bit++) {
        const changed = Buffer.from(part);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        names.add(materialId(...parts.with(at, changed)));
      }
    }
    expect(names.size).toBe(1 + (7 + 60) * 8);
  });

  it('tells nothing of it', () => {
    expect(materialId(Buffer.from('context'))).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(ownerOf({ organisation: 'acme', identity: 'kms-1' })).toBe(OWNER);
  });
});

/** What the cache is to do, as plainly as it can be said. */
class Model {
  entries: { id: string; owner: string; key: number; until: number; uses: number }[] = [];
  paused = false;
  loads = 0;
  readonly limits: KeyCacheLimits;

  constructor(limits: KeyCacheLimits) {
    this.limits = limits;
  }

  use(owner: string, id: string, now: number): number {
    const found = this.#find(id, now);
    if (found) return found.key;
    const key = ++this.loads;
    const { maxKeys, maxAgeMs, maxUses } = this.limits;
    if (this.paused || maxUses <= 1) return key;
    this.entries.push({ id, owner, key, until: now + maxAgeMs, uses: maxUses - 1 });
    this.entries = this.entries.slice(Math.max(0, this.entries.length - maxKeys));
    return key;
  }

  copy(id: string, now: number): number | null {
    return this.#find(id, now)?.key ?? null;
  }

  keep(which: (entry: { owner: string; until: number }) => boolean): void {
    this.entries = this.entries.filter(which);
  }

  #find(id: string, now: number) {
    const found = this.entries.find((entry) => entry.id === id);
    if (!found) return null;
    this.entries = this.entries.filter((entry) => entry !== found);
    if (found.until <= now || found.uses === 0) return null;
    found.uses--;
    this.entries.push(found);
    return found;
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('use' as const), key: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('copy' as const), key: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), key: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), key: fc.nat(1) }) },
  {
    arbitrary: fc.record({ do: fc.constantFrom('sweep', 'clear', 'pause', 'resume'), key: fc.constant(0) }),
    weight: 1,
  },
);

describe('whatever is done to it', () => {
  it('the cache answers as a plain model of it, and all memory that it does not hold is zero', async () => {
    const limitsOf = fc.record({
      maxKeys: fc.nat(4),
      maxAgeMs: fc.integer({ min: 1, max: 100 }),
      maxUses: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(limitsOf, fc.array(step, { maxLength: 60 }), async (limits, steps) => {
        const clock = { now: 0 };
        const cache = cacheOf(limits, clock);
        const model = new Model(limits);
        const loads = new Loads();
        for (const { do: action, key } of steps) {
          const id = `id ${key}`;
          const owner = key % 2 === 0 ? OWNER : OTHER;
          if (action === 'use') {
            const expected = model.use(owner, id, clock.now);
            expect(await cache.use(owner, id, loads.load, (memory) => memory[0])).toBe(expected);
          } else if (action === 'copy') {
            expect(cache.copy(id)?.reveal()[0] ?? null).toBe(model.copy(id, clock.now));
          } else if (action === 'wait') {
            clock.now += key;
          } else if (action === 'forget') {
            cache.forget(owner);
            model.keep((entry) => entry.owner !== owner);
          } else {
            cache[action]();
            if (action === 'sweep') model.keep((entry) => entry.until > clock.now);
            if (action === 'clear' || action === 'pause') model.keep(() => false);
            if (action === 'pause' || action === 'resume') model.paused = action === 'pause';
          }
          expect(loads.count).toBe(model.loads);
          expect(cache.size).toBe(model.entries.length);
          const held = new Set(model.entries.map((entry) => entry.key));
          expect(loads.memory.map((memory) => !isZero(memory))).toEqual(
            loads.memory.map((_, at) => held.has(at + 1)),
          );
        }
        cache.close();
        expect(loads.zeroed.every(Boolean)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
