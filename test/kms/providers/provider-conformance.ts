import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import type { KmsKeyGeneration, KmsKeyReference, KmsProvider } from '../../../src/kms/provider.ts';

/** A provider that works, with a key that is there, and what the suite needs to do from outside. */
export interface ProviderUnderTest {
  readonly provider: KmsProvider;
  readonly reference: KmsKeyReference;
  /** Another key of the same provider. */
  readonly otherReference: KmsKeyReference;
  /** What has to happen at the service before `rotate` finds a newer generation. */
  readonly beforeRotate?: () => Promise<void>;
  /** The service knows by itself under which generation a data key was wrapped, and opens it when told another. */
  readonly opensAnyGeneration?: boolean;
  /** Makes the generation unusable (the key disabled, or gone); what comes back makes it usable again. */
  readonly disable?: (generation: KmsKeyGeneration) => Promise<() => Promise<void>>;
  /** The same keys where what they depend on cannot be reached: run last. */
  readonly outOfReach: () => Promise<KmsProvider>;
  readonly close?: () => Promise<void>;
}

const CONTEXT = Buffer.from('strongroom/data-key, organisation, region, path, version');
const DATA_KEY_BYTES = 32;

/** What every provider of KMS keys keeps to (src/kms/provider.ts), whatever is behind it. */
export function describeProvider(name: string, open: () => Promise<ProviderUnderTest>): void {
  describe(`the provider ${name}`, () => {
    let under: ProviderUnderTest;
    let generation: KmsKeyGeneration;
    const dataKey = new SecretBytes(randomBytes(DATA_KEY_BYTES));
    let wrapped: Uint8Array;

    beforeAll(async () => {
      under = await open();
      generation = await under.provider.create(under.reference);
      wrapped = await under.provider.wrap(under.reference, generation, dataKey, CONTEXT);
    });
    afterAll(async () => {
      await under.provider.close();
      await under.close?.();
    });

    const wrap = (by = generation, key = under.reference) => under.provider.wrap(key, by, dataKey, CONTEXT);
    const unwrap = (
      bytes: Uint8Array,
      context: Uint8Array = CONTEXT,
      by = generation,
      key = under.reference,
    ) => under.provider.unwrap(key, by, bytes, context);
    const expectDataKey = async (opening: Promise<SecretBytes>) => {
      expect((await opening).reveal().equals(dataKey.reveal())).toBe(true);
    };
    const rotate = async () => {
      await under.beforeRotate?.();
      return under.provider.rotate(under.reference, generation);
    };

    it('refuses every flipped bit of a wrapped data key, in one way', async () => {
      for (let bit = 0; bit < wrapped.byteLength * 8; bit++) {
        const flipped = Buffer.from(wrapped);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expectNoOpening(unwrap(flipped), `bit ${bit}`);
      }
    });

    it('refuses a wrapped data key cut short at any length, from either end, and an empty one', async () => {
      for (let length = 0; length < wrapped.byteLength; length++) {
        await expectNoOpening(unwrap(wrapped.subarray(0, length)), `${length} from the start`);
        await expectNoOpening(
          unwrap(wrapped.subarray(wrapped.byteLength - length)),
          `${length} from the end`,
        );
      }
    });

    it('refuses a wrapped data key with bytes more, before or behind', async () => {
      for (const more of [Buffer.of(0), Buffer.from('\n'), Buffer.from('='), Buffer.alloc(9_000)]) {
        await expectNoOpening(unwrap(Buffer.concat([wrapped, more])), `${more.byteLength} behind`);
        await expectNoOpening(unwrap(Buffer.concat([more, wrapped])), `${more.byteLength} before`);
      }
      await expectNoOpening(unwrap(Buffer.concat([wrapped, wrapped])), 'twice');
    });

    it('refuses random bytes of any length', async () => {
      for (const length of [1, 12, 28, 32, 60, 61, 184, wrapped.byteLength, 8_192]) {
        await expectNoOpening(unwrap(randomBytes(length)), `${length} bytes`);
      }
    });

    it('refuses every other context: changed in any bit, cut short, longer, empty', async () => {
      for (let bit = 0; bit < CONTEXT.byteLength * 8; bit++) {
        const flipped = Buffer.from(CONTEXT);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expectNoOpening(unwrap(wrapped, flipped), `bit ${bit}`);
      }
      for (let length = 0; length < CONTEXT.byteLength; length++) {
        await expectNoOpening(unwrap(wrapped, CONTEXT.subarray(0, length)), `${length} bytes`);
      }
      await expectNoOpening(unwrap(wrapped, Buffer.concat([CONTEXT, Buffer.of(0)])));
    });

    it('refuses what another key wrapped', async () => {
      const other = under.otherReference;
      const first = await under.provider.create(other);
      const foreign = await wrap(first, other);
      await expectNoOpening(unwrap(foreign));
      await expectNoOpening(unwrap(wrapped, CONTEXT, first, other));
      await expectDataKey(unwrap(foreign, CONTEXT, first, other));
    });

    it('opens what it wrapped, again and again, and leaves the data key to its owner', async () => {
      await expectDataKey(unwrap(wrapped));
      const opened = await unwrap(wrapped);
      opened.zero();
      await expectDataKey(unwrap(wrapped));
      expect(dataKey.reveal().some((byte) => byte !== 0)).toBe(true);
    });

    it('opens what it wrapped with a long context, and with an empty one', async () => {
      for (const context of [Buffer.alloc(0), randomBytes(4_096)]) {
        const sealed = await under.provider.wrap(under.reference, generation, dataKey, context);
        await expectDataKey(unwrap(sealed, context));
        await expectNoOpening(unwrap(sealed));
      }
    });

    it('keeps twenty calls at once apart', async () => {
      const keys = Array.from({ length: 20 }, () => new SecretBytes(randomBytes(DATA_KEY_BYTES)));
      const sealed = await Promise.all(
        keys.map((key, at) => under.provider.wrap(under.reference, generation, key, Buffer.of(at))),
      );
      const opened = await Promise.all(sealed.map((bytes, at) => unwrap(bytes, Buffer.of(at))));
      expect(opened.map((key) => key.reveal().toString('hex'))).toEqual(
        keys.map((key) => key.reveal().toString('hex')),
      );
    });

    it('never wraps to the same bytes, and to more than a data key and less than 8 KiB', async () => {
      const made = await Promise.all(Array.from({ length: 20 }, () => wrap()));
      expect(new Set(made.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBe(20);
      for (const { byteLength } of made) {
        expect(byteLength).toBeGreaterThan(DATA_KEY_BYTES);
        expect(byteLength).toBeLessThanOrEqual(8_192);
      }
    });

    it('tells the data key in no answer: not raw, not as hex or base64, not in what is stored of the key', async () => {
      const raw = dataKey.reveal();
      const forms = [raw, ...(['hex', 'base64', 'base64url'] as const).map((form) => raw.toString(form))];
      for (const form of forms) expect(Buffer.from(wrapped).includes(form)).toBe(false);
      const told = inspect([generation, await under.provider.describe(under.reference, generation)], {
        depth: 9,
        maxStringLength: null,
        maxArrayLength: null,
      });
      for (const form of forms.slice(1)) expect(told).not.toContain(form);
    });

    it('numbers its first generation 1 and the next 2, and each opens what was wrapped under it', async () => {
      expect(generation.number).toBe(1);
      const second = await rotate();
      expect(second.number).toBe(2);
      const newer = await wrap(second);
      await expectDataKey(unwrap(wrapped));
      await expectDataKey(unwrap(newer, CONTEXT, second));
      if (under.opensAnyGeneration) return;
      await expectNoOpening(unwrap(newer));
      await expectNoOpening(unwrap(wrapped, CONTEXT, second));
    });

    it('describes a generation that works as usable, and one that does not as not usable', async () => {
      expect(await under.provider.describe(under.reference, generation)).toEqual({ usable: true });
      const enable = await under.disable?.(generation);
      if (!enable) return;
      expect(await under.provider.describe(under.reference, generation)).toEqual({ usable: false });
      await expect(wrap()).rejects.toThrow();
      await enable();
      expect(await under.provider.describe(under.reference, generation)).toEqual({ usable: true });
      await expectDataKey(unwrap(wrapped));
    });

    it('out of reach wraps and opens nothing, tells nothing, and is not described as usable', async () => {
      const away = await under.outOfReach();
      const described = away.describe(under.reference, generation).catch(() => ({ usable: false }));
      expect(await described).toEqual({ usable: false });
      for (const attempt of [
        () => away.unwrap(under.reference, generation, wrapped, CONTEXT),
        () => away.wrap(under.reference, generation, dataKey, CONTEXT),
      ]) {
        const error = await failureOf(attempt());
        // An outage says nothing of the ciphertext: it must not look like one that was tampered with.
        if (away.remote) expect(error).not.toBeInstanceOf(DecryptionFailedError);
        const told = inspect(error, { depth: 9, showHidden: true });
        for (const form of ['hex', 'base64'] as const) {
          expect(told).not.toContain(dataKey.reveal().toString(form));
          expect(told).not.toContain(CONTEXT.toString(form));
        }
      }
    });
  });
}

/** The one failure there is: any difference in it would tell which part failed. */
async function expectNoOpening(attempt: Promise<unknown>, what = ''): Promise<void> {
  const error = await failureOf(attempt, what);
  expect(error, what).toBeInstanceOf(DecryptionFailedError);
  const { name, message, cause } = error as DecryptionFailedError;
  const own = Object.entries(error as object);
  expect({ name, message, cause, own }, what).toEqual({
    ...{ name: 'DecryptionFailedError', message: 'Decryption failed.', cause: undefined },
    own: [['name', 'DecryptionFailedError']],
  });
}

async function failureOf(attempt: Promise<unknown>, what = ''): Promise<unknown> {
  try {
    await attempt;
  } catch (error) {
    return error;
  }
  return expect.fail(`It succeeded: ${what}`);
}
