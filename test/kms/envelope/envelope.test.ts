import { randomBytes } from 'node:crypto';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecryptionFailedError } from '../../../src/errors.ts';
import { decodeEntries, encodeEntries } from '../../../src/kms/envelope/entries.ts';
import {
  type BoundKey,
  type Envelope,
  type EnvelopeContext,
  openEnvelope,
  rewrapDataKey,
  sealEnvelope,
  type SecretContent,
  STRING_ENTRY,
} from '../../../src/kms/envelope/envelope.ts';
import { SecretBytes } from '../../../src/kms/envelope/secret-bytes.ts';
import { KeyCache } from '../../../src/kms/keys/key-cache.ts';
import { RootKeys } from '../../../src/kms/keys/root-keys.ts';
import type { KmsKeyReference, KmsProvider } from '../../../src/kms/provider.ts';
import { LocalProvider } from '../../../src/kms/providers/local/provider.ts';

const rootKey = (id: string) => ({ id, key: new SecretBytes(randomBytes(32)) });
const localProvider = (rootKeys: RootKeys) => new LocalProvider(rootKeys, new KeyCache());
const provider = localProvider(new RootKeys([rootKey('root')]));
const reference: KmsKeyReference = {
  organisation: 'acme',
  region: 'local-1',
  project: 'shop',
  identity: 'key-1',
  keyType: 'AES256_GCM96',
  externalKeyId: null,
};
const key: BoundKey = { provider, reference };
const generation = await provider.create(reference);

const context: EnvelopeContext = {
  organisation: 'acme',
  region: 'local-1',
  project: 'shop',
  secretId: '0197a2c4-0000-7000-8000-000000000001',
  path: '/app/db',
  version: 3,
  format: 'KEY_VALUE',
  kmsKeyIdentity: 'key-1',
};
const stringContext: EnvelopeContext = { ...context, format: 'STRING' };

/** Every field of the context, changed. */
const OTHERS = {
  organisation: 'other',
  region: 'local-2',
  project: '',
  secretId: '0197a2c4-0000-7000-8000-000000000002',
  path: '/app/db2',
  version: 4,
  format: 'STRING',
  kmsKeyIdentity: 'key-2',
} as const satisfies EnvelopeContext;
const FIELDS = Object.keys(OTHERS) as (keyof EnvelopeContext)[];

const keyValue = (values: Readonly<Record<string, string>>): SecretContent => ({
  format: 'KEY_VALUE',
  entries: Object.entries(values).map(([name, value]) => ({
    name,
    value: new SecretBytes(Buffer.from(value)),
  })),
});
const string = (value: Uint8Array): SecretContent => ({
  format: 'STRING',
  entries: [{ name: STRING_ENTRY, value: new SecretBytes(Buffer.from(value)) }],
});
const plain = (content: SecretContent | null) =>
  content &&
  Object.fromEntries(content.entries.map(({ name, value }) => [name, value.reveal().toString('utf8')]));
const seal = (content: SecretContent, in_ = context) => sealEnvelope(key, generation, in_, content);
const open = (envelope: Envelope, in_ = context, names?: readonly string[]) =>
  openEnvelope(key, generation, in_, envelope, names);

const SAMPLE = { user: 'u', password: 'p4ss', host: 'db.internal' };
const sample = await seal(keyValue(SAMPLE));
const sampleEntries = [...decodeEntries(sample.ciphertext)].map(([name, sealed]) => ({ name, sealed }));

/** The one failure there is: any difference in the message would tell which part failed. */
async function expectNoOpening(attempt: () => Promise<unknown>, what = ''): Promise<void> {
  const outcome = await attempt().catch((error: unknown) => error);
  expect(outcome, what).toBeInstanceOf(DecryptionFailedError);
  const { name, message, cause } = outcome as DecryptionFailedError;
  expect({ name, message, cause }, what).toEqual({
    name: 'DecryptionFailedError',
    message: 'Decryption failed.',
    cause: undefined,
  });
}

function* flips(bytes: Uint8Array): Generator<[string, Uint8Array]> {
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield [`bit ${bit}`, flipped];
  }
}

describe('an altered envelope', () => {
  it('does not open with any one bit of its ciphertext flipped', async () => {
    for (const [what, ciphertext] of flips(sample.ciphertext)) {
      await expectNoOpening(() => open({ ...sample, ciphertext }), what);
    }
  });

  it('does not open with any one bit of its wrapped data key flipped', async () => {
    for (const [what, wrappedDataKey] of flips(sample.wrappedDataKey)) {
      await expectNoOpening(() => open({ ...sample, wrappedDataKey }), what);
    }
  });

  it('does not open cut short at any length, or with a byte more', async () => {
    for (const part of ['ciphertext', 'wrappedDataKey'] as const) {
      for (let length = 0; length < sample[part].byteLength; length++) {
        await expectNoOpening(
          () => open({ ...sample, [part]: sample[part].subarray(0, length) }),
          `${part} ${length}`,
        );
      }
      await expectNoOpening(
        () => open({ ...sample, [part]: Buffer.concat([sample[part], Buffer.of(0)]) }),
        part,
      );
    }
  });
});

describe('an envelope in another row', () => {
  it.each(FIELDS)('does not open where the %s is another', async (field) => {
    await expectNoOpening(() => open(sample, { ...context, [field]: OTHERS[field] }));
  });

  it.each(FIELDS.filter((field) => field !== 'path'))(
    'does not open where the %s is another, even with the data key wrapped for it',
    async (field) => {
      const elsewhere = { ...context, [field]: OTHERS[field] };
      const unwrapped: SecretBytes[] = [];
      const keeping: KmsProvider = {
        name: 'keeping',
        remote: false,
        keyTypes: provider.keyTypes,
        close: () => provider.close(),
        create: (...args) => provider.create(...args),
        rotate: (...args) => provider.rotate(...args),
        describe: (...args) => provider.describe(...args),
        wrap: (...args) => provider.wrap(...args),
        // What an attacker could do who may ask the KMS to unwrap: the old row's data key in the new row's envelope.
        unwrap: async (...args) => {
          const taken = await provider.unwrap(...args).catch(() => unwrapped[0]);
          if (!taken) throw new DecryptionFailedError();
          unwrapped.push(new SecretBytes(Buffer.from(taken.reveal())));
          return taken;
        },
      };
      const attacker = { provider: keeping, reference };
      expect(plain(await openEnvelope(attacker, generation, context, sample))).toEqual(SAMPLE);
      await expectNoOpening(() => openEnvelope(attacker, generation, elsewhere, sample));
    },
  );
});

describe('entries', () => {
  const reencode = (
    entries: readonly { readonly name: string; readonly sealed: Uint8Array }[],
  ): Envelope => ({
    ...sample,
    ciphertext: encodeEntries(entries),
  });
  const [first, second, third] = sampleEntries;
  if (!first || !second || !third) throw new Error('The sample has three entries.');

  /** Nothing opens: neither all of it nor the one entry that was left alone. */
  const expectNothing = async (envelope: Envelope) => {
    await expectNoOpening(() => open(envelope));
    await expectNoOpening(() => open(envelope, context, [third.name]));
  };

  it('do not open when two of them are swapped', async () => {
    const swapped = reencode([
      { name: first.name, sealed: second.sealed },
      { name: second.name, sealed: first.sealed },
      third,
    ]);
    await expectNoOpening(() => open(swapped));
    await expectNoOpening(() => open(swapped, context, [first.name]));
    await expectNoOpening(() => open(swapped, context, [second.name]));
  });

  it('do not open when one is dropped', async () => {
    await expectNothing(reencode([second, third]));
  });

  it('do not open when one is added', async () => {
    await expectNothing(reencode([...sampleEntries, { name: 'extra', sealed: first.sealed }]));
  });

  it('do not open when one is renamed', async () => {
    await expectNothing(reencode([{ ...first, name: 'renamed' }, second, third]));
  });

  it('do not open when one is taken from another version', async () => {
    const other = await seal(keyValue(SAMPLE), { ...context, version: 2 });
    const foreign = decodeEntries(other.ciphertext).get(first.name) ?? Buffer.alloc(0);
    const mixed = reencode([{ name: first.name, sealed: foreign }, second, third]);
    await expectNoOpening(() => open(mixed));
    await expectNoOpening(() => open(mixed, context, [first.name]));
    await expectNoOpening(() => open({ ...sample, ciphertext: other.ciphertext }));
    await expectNoOpening(() => open({ ...sample, wrappedDataKey: other.wrappedDataKey }));
    await expectNoOpening(() => open(other));
  });

  it('are null when one of the names is not there', async () => {
    expect(await open(sample, context, ['nobody'])).toBeNull();
    expect(await open(sample, context, ['user', 'nobody'])).toBeNull();
    expect(await open(sample, context, ['User'])).toBeNull();
    expect(await open(sample, context, ['__proto__'])).toBeNull();
  });

  it('open alone, in the order asked for, without the others being touched', async () => {
    expect(plain(await open(sample, context, ['host']))).toEqual({ host: 'db.internal' });
    const two = await open(sample, context, ['password', 'user']);
    expect(two?.entries.map(({ name }) => name)).toEqual(['password', 'user']);
    const broken = reencode([
      { name: first.name, sealed: Buffer.alloc(first.sealed.byteLength) },
      second,
      third,
    ]);
    expect(plain(await open(broken, context, [third.name]))).toEqual({ [third.name]: 'db.internal' });
  });
});

describe('a round trip', () => {
  it('returns any STRING', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 4096 }), async (value) => {
        const content = await open(await seal(string(value), stringContext), stringContext);
        expect(content?.format).toBe('STRING');
        expect(content?.entries.map((entry) => [entry.name, entry.value.revealBase64()])).toEqual([
          ['', Buffer.from(value).toString('base64')],
        ]);
      }),
    );
  });

  it('returns any KEY_VALUE, in its order', async () => {
    const entries = fc.uniqueArray(
      fc.tuple(fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/), fc.uint8Array({ maxLength: 300 })),
      { selector: ([name]) => name, minLength: 1, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(entries, async (pairs) => {
        const content: SecretContent = {
          format: 'KEY_VALUE',
          entries: pairs.map(([name, value]) => ({ name, value: new SecretBytes(Buffer.from(value)) })),
        };
        const opened = await open(await seal(content));
        expect(opened?.format).toBe('KEY_VALUE');
        expect(opened?.entries.map(({ name, value }) => [name, value.revealBase64()])).toEqual(
          pairs.map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
        );
      }),
    );
  });

  it('never writes the same bytes for the same value', async () => {
    const again = await Promise.all(Array.from({ length: 20 }, () => seal(keyValue(SAMPLE))));
    for (const part of ['ciphertext', 'wrappedDataKey'] as const) {
      expect(new Set(again.map((envelope) => Buffer.from(envelope[part]).toString('hex'))).size).toBe(20);
    }
  });

  it('leaves no plaintext in what is stored', async () => {
    const envelope = await seal(string(Buffer.from('canary-7f3a')), stringContext);
    for (const bytes of [envelope.ciphertext, envelope.wrappedDataKey]) {
      expect(Buffer.from(bytes).includes('canary')).toBe(false);
    }
  });

  it('zeroes every data key, whether it opens or not, and not the content', async () => {
    const seen: SecretBytes[] = [];
    const watching: KmsProvider = {
      name: 'watching',
      remote: false,
      keyTypes: provider.keyTypes,
      close: () => provider.close(),
      create: (...args) => provider.create(...args),
      rotate: (...args) => provider.rotate(...args),
      describe: (...args) => provider.describe(...args),
      wrap: (at, by, dataKey, bound) => {
        seen.push(dataKey);
        expect(dataKey.reveal().some((byte) => byte !== 0)).toBe(true);
        return provider.wrap(at, by, dataKey, bound);
      },
      unwrap: async (...args) => {
        const dataKey = await provider.unwrap(...args);
        seen.push(dataKey);
        return dataKey;
      },
    };
    const watched = { provider: watching, reference };
    const content = keyValue(SAMPLE);
    const envelope = await sealEnvelope(watched, generation, context, content);
    await openEnvelope(watched, generation, context, envelope);
    await openEnvelope(watched, generation, context, envelope, ['nobody']);
    const garbage = { ...envelope, ciphertext: Buffer.alloc(40) };
    await expectNoOpening(() => openEnvelope(watched, generation, context, garbage));
    const from = { generation, context };
    await rewrapDataKey(watched, from, from, envelope.wrappedDataKey);
    expect(seen).toHaveLength(6);
    expect(seen.map((dataKey) => dataKey.byteLength)).toEqual(Array(6).fill(32));
    expect(seen.every((dataKey) => dataKey.reveal().every((byte) => byte === 0))).toBe(true);
    expect(plain(content)).toEqual(SAMPLE);
  });
});

describe('rewrapping a data key', () => {
  const from = { generation, context };

  it.each(FIELDS.filter((field) => field !== 'path'))('is refused when it changes the %s', async (field) => {
    const to = { generation, context: { ...context, [field]: OTHERS[field] } };
    await expectNoOpening(() => rewrapDataKey(key, from, to, sample.wrappedDataKey));
  });

  it('is refused for a data key that is not the row’s', async () => {
    const elsewhere = { generation, context: { ...context, path: '/elsewhere' } };
    await expectNoOpening(() => rewrapDataKey(key, elsewhere, from, sample.wrappedDataKey));
  });

  it('to another path opens there and not at the old one', async () => {
    const moved = { ...context, path: '/moved/here' };
    const wrappedDataKey = await rewrapDataKey(
      key,
      from,
      { generation, context: moved },
      sample.wrappedDataKey,
    );
    await expectNoOpening(() => open({ ...sample, wrappedDataKey }));
    expect(plain(await open({ ...sample, wrappedDataKey }, moved))).toEqual(SAMPLE);
  });

  it('to a later generation opens under that one and not under the old one', async () => {
    const later = await provider.rotate(reference, generation);
    const wrappedDataKey = await rewrapDataKey(
      key,
      from,
      { generation: later, context },
      sample.wrappedDataKey,
    );
    const rewrapped = { ...sample, wrappedDataKey };
    await expectNoOpening(() => open(rewrapped));
    expect(plain(await openEnvelope(key, later, context, rewrapped))).toEqual(SAMPLE);
  });
});

describe('key material', () => {
  const otherKeys: Record<string, KmsKeyReference> = {
    organisation: { ...reference, organisation: 'other' },
    region: { ...reference, region: 'local-2' },
    project: { ...reference, project: '' },
    identity: { ...reference, identity: 'key-2' },
    keyType: { ...reference, keyType: 'CHACHA20_POLY1305' },
  };

  it.each(Object.entries(otherKeys))('of a key of another %s does not unwrap', async (_field, other) => {
    await expectNoOpening(() => openEnvelope({ provider, reference: other }, generation, context, sample));
    expect(await provider.describe(other, generation)).toEqual({ usable: false });
  });

  it('of another generation does not unwrap', async () => {
    const second = await provider.rotate(reference, generation);
    expect(second.number).toBe(2);
    await expectNoOpening(() => openEnvelope(key, { ...second, number: 1 }, context, sample));
    await expectNoOpening(() => openEnvelope(key, { ...generation, number: 2 }, context, sample));
    await expectNoOpening(() => openEnvelope(key, second, context, sample));
  });

  it('that is missing does not unwrap', async () => {
    await expectNoOpening(() => openEnvelope(key, { ...generation, wrappedMaterial: null }, context, sample));
    await expectNoOpening(() => openEnvelope(key, { ...generation, rootKeyId: null }, context, sample));
  });

  it('does not unwrap without its root key, or under another of the same id', async () => {
    for (const id of ['another', 'root']) {
      const elsewhere = localProvider(new RootKeys([rootKey(id)]));
      await expectNoOpening(() =>
        openEnvelope({ provider: elsewhere, reference }, generation, context, sample),
      );
      expect(await elsewhere.describe(reference, generation)).toEqual({ usable: false });
    }
  });

  it('made under an older root key opens beside a newer one, which wraps what comes', async () => {
    const [older, newer] = [rootKey('older'), rootKey('newer')];
    const before = localProvider(new RootKeys([older]));
    const made = await before.create(reference);
    const envelope = await sealEnvelope({ provider: before, reference }, made, context, keyValue(SAMPLE));
    const after = localProvider(new RootKeys([newer, older]));
    expect(plain(await openEnvelope({ provider: after, reference }, made, context, envelope))).toEqual(
      SAMPLE,
    );
    expect((await after.rotate(reference, made)).rootKeyId).toBe('newer');
  });

  it('of either key type seals and opens', async () => {
    const chacha: KmsKeyReference = { ...reference, keyType: 'CHACHA20_POLY1305' };
    const made = await provider.create(chacha);
    const bound = { provider, reference: chacha };
    const envelope = await sealEnvelope(bound, made, context, keyValue(SAMPLE));
    expect(plain(await openEnvelope(bound, made, context, envelope))).toEqual(SAMPLE);
    expect(await provider.describe(chacha, made)).toEqual({ usable: true });
  });
});

describe('SecretBytes', () => {
  const CANARY = 'canary-7f3a';
  const bytes = new SecretBytes(Buffer.from(CANARY));

  it.each([
    ['String', String(bytes)],
    ['a template', `<${bytes as unknown as string}>`.slice(1, -1)],
    ['concatenation', ''.concat(bytes as unknown as string)],
    ['an Error', new Error(String(bytes)).message],
    ['JSON', JSON.parse(JSON.stringify(bytes))],
    ['inspect', inspect(bytes)],
    ['inspect with everything shown', inspect(bytes, { showHidden: true, depth: Infinity, getters: true })],
    ['format %s', format('%s', bytes)],
    ['format %o', format('%o', bytes)],
    ['format %O', format('%O', bytes)],
    ['format without a directive', format(bytes)],
  ])('prints [redacted] in %s', (_where, printed) => {
    expect(printed).toBe('[redacted]');
  });

  it('is not told by what holds it', () => {
    const holder = { nested: [{ value: bytes }], error: new Error('failed', { cause: bytes }) };
    const texts = [
      JSON.stringify(holder),
      inspect(holder, { depth: 9, showHidden: true }),
      format('%j', holder),
    ];
    for (const text of texts) {
      expect(text).not.toContain('canary');
      expect(text).not.toContain(bytes.revealBase64());
      expect(text).not.toContain(bytes.reveal().toString('hex'));
    }
    expect(Object.keys(bytes)).toEqual([]);
    expect(structuredClone(bytes)).toEqual({});
  });

  it('zeroes the memory that it was given', () => {
    const memory = Buffer.from(CANARY);
    const owner = new SecretBytes(memory);
    owner.zero();
    expect(memory.equals(Buffer.alloc(CANARY.length))).toBe(true);
    expect(owner.reveal()).toBe(memory);
  });
});
