import { describe, expect, it } from 'vitest';
import { pkcs11ConfigSchema } from '../../../../src/kms/providers/pkcs11/config.ts';

const GOOD = {
  name: 'vault-room',
  kind: 'pkcs11',
  module: '/usr/lib/softhsm/libsofthsm2.so',
  tokenLabel: 'strongroom',
  pin: 'canary-pin',
  externalKeys: { acme: ['payments'], globex: ['ledger'] },
};

/** Where and which rule, as the configuration's reader tells them. */
function problems(entry: unknown): string[] {
  const { error } = pkcs11ConfigSchema.safeParse(entry);
  return (error?.issues ?? []).map(({ path, message }) => [...path, message].join(' '));
}

describe('the configuration of a PKCS#11 provider', () => {
  it('takes what it needs, and has 5 seconds and no variables where nothing is said', () => {
    expect(pkcs11ConfigSchema.parse(GOOD)).toEqual({ ...GOOD, timeoutMs: 5_000, environment: {} });
    const { pin, ...rest } = GOOD;
    expect(problems({ ...rest, pinFile: '/run/secrets/pin' })).toEqual([]);
    expect(pin).toBe('canary-pin');
  });

  it.each([
    ['no PIN', { pin: undefined }, 'pin exactly one of pin and pinFile must be given'],
    ['two PINs', { pinFile: '/run/pin' }, 'pin exactly one of pin and pinFile must be given'],
    ['an empty PIN', { pin: '' }, 'pin must not be empty'],
    ['a module that is looked for', { module: 'libsofthsm2.so' }, 'module must be an absolute path'],
    ['a label that no token has', { tokenLabel: 'é'.repeat(17) }, /^tokenLabel must have at most 32 bytes/],
    ['no time at all', { timeoutMs: 0 }, 'timeoutMs must be a whole number from 100 to 30000'],
    ['too much time', { timeoutMs: 30_001 }, 'timeoutMs must be a whole number from 100 to 30000'],
    [
      'a variable that is none',
      { environment: { 'A B': 'x' } },
      'environment must give names of variables a string each',
    ],
    [
      'an organisation that cannot be',
      { externalKeys: { 'A B': ['payments'] } },
      /^externalKeys must give each organisation a list/,
    ],
    [
      'an empty list of keys',
      { externalKeys: { acme: [] } },
      /^externalKeys must give each organisation a list/,
    ],
    [
      'a key of two organisations',
      { externalKeys: { acme: ['payments'], globex: ['payments'] } },
      'externalKeys must not name a key twice: one key serves one organisation',
    ],
    [
      'a label that cannot be typed',
      { externalKeys: { acme: ['pay\u0000'] } },
      /^externalKeys must give each/,
    ],
    [
      'the name of the service itself',
      { name: 'local' },
      'name must not be local, which is the service itself',
    ],
    ['a name with capitals', { name: 'HSM' }, /^name must be 1 to 63/],
  ])('refuses %s', (_, changed, problem) => {
    expect(problems({ ...GOOD, ...changed })).toEqual([
      typeof problem === 'string' ? problem : (expect.stringMatching(problem) as string),
    ]);
  });

  it('refuses a member that it does not know', () => {
    expect(problems({ ...GOOD, password: 'canary' })).toHaveLength(1);
  });

  it('quotes no PIN, whatever is wrong', () => {
    const wrong = { ...GOOD, pin: ['canary-pin'], module: 7, timeoutMs: 'canary', externalKeys: ['canary'] };
    expect(problems(wrong).join('\n')).not.toMatch(/canary/);
    expect(problems(wrong).length).toBeGreaterThanOrEqual(4);
  });
});
