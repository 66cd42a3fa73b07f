import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeGlobalId, encodeGlobalId, NODE_TYPES } from '../../../src/resolvers/input/global-id.ts';
import { CANARY, refusedAt } from './refusal.ts';
import { withRegions } from './regions.ts';

const ctx = withRegions('local-1', 'eu-1');
const FIELD = ['id'];
const UUID = '0197a2c4-0000-7000-8000-000000000001';
const secret = encodeGlobalId('Secret', 'local-1', UUID);
const raw = (text: string) => Buffer.from(text).toString('base64url');

describe('decodeGlobalId', () => {
  it.each([
    ['nothing', ''],
    ['plain text', CANARY],
    ['a bare UUID', UUID],
    ['a type that there is not', raw(`Organisation:local-1:${UUID}`)],
    ['a type in other letters', raw(`secret:local-1:${UUID}`)],
    ['a name of JavaScript for a type', raw(`__proto__:local-1:${UUID}`)],
    ['an unknown region', raw(`Secret:${CANARY}:${UUID}`)],
    ['no region', raw(`Secret::${UUID}`)],
    ['no key', raw('Secret:local-1:')],
    ['no key at all', raw('Secret:local-1')],
    ['a folder without a key', raw('Folder:local-1:')],
    ['a key that is no UUID', raw(`Secret:local-1:${CANARY}`)],
    ['a UUID in capitals', raw(`Secret:local-1:${UUID.toUpperCase()}`)],
    ['a UUID and more', raw(`Secret:local-1:${UUID}:x`)],
    ['a policy by name', raw('Policy:local-1:team')],
    ['SQL', raw(`Secret:local-1:${UUID}' OR 1=1 --`)],
    ['a version without a number', raw(`SecretVersion:local-1:${UUID}`)],
    ['version 0', raw(`SecretVersion:local-1:${UUID}/0`)],
    ['version -1', raw(`SecretVersion:local-1:${UUID}/-1`)],
    ['version 01', raw(`SecretVersion:local-1:${UUID}/01`)],
    ['a version of eleven digits', raw(`SecretVersion:local-1:${UUID}/12345678901`)],
    ['padding', `${secret}=`],
    ['a space', ` ${secret}`],
    ['a line end', `${secret}\n`],
    ['a character that is skipped', `${secret.slice(0, 4)}!${secret.slice(4)}`],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from('KmsKey:local-1:'), Buffer.of(0xff)]).toString('base64url'),
    ],
  ])('refuses %s', (_what, id) => {
    expect(refusedAt(() => decodeGlobalId(ctx, id, FIELD), 'this service gave')).toEqual(FIELD);
  });

  it('refuses the same bytes in another spelling', () => {
    const id = encodeGlobalId('KmsKey', 'local-1', 'ab??>');
    const standard = Buffer.from('KmsKey:local-1:ab??>').toString('base64');
    expect(standard).not.toBe(id);
    refusedAt(() => decodeGlobalId(ctx, standard, FIELD));
    const loose = encodeGlobalId('KmsKey', 'local-1', 'a');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const last of alphabet) {
      const id = loose.slice(0, -1) + last;
      if (id === loose || Buffer.from(id, 'base64url').toString() !== 'KmsKey:local-1:a') continue;
      refusedAt(() => decodeGlobalId(ctx, id, FIELD));
    }
  });

  it('refuses an id of another type than is asked for', () => {
    expect(refusedAt(() => decodeGlobalId(ctx, secret, FIELD, ['KmsKey']), 'of a KmsKey')).toEqual(FIELD);
    expect(decodeGlobalId(ctx, secret, FIELD, ['Secret']).key).toBe(UUID);
  });

  it('refuses any garbage', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String()), (text) => {
        refusedAt(() => decodeGlobalId(ctx, text, FIELD));
      }),
    );
  });

  it('reads what encodeGlobalId wrote, in its region', () => {
    const keys = {
      Secret: UUID,
      SecretVersion: `${UUID}/12`,
      Folder: '/a:b/c',
      KmsKey: 'default',
      Policy: UUID,
      AuditEvent: UUID,
    };
    for (const type of NODE_TYPES) {
      for (const region of ['local-1', 'eu-1']) {
        const decoded = decodeGlobalId(ctx, encodeGlobalId(type, region, keys[type]), FIELD);
        expect([decoded.type, decoded.region.name, decoded.key]).toEqual([type, region, keys[type]]);
      }
    }
    const builtIn = encodeGlobalId('Policy', 'eu-1', 'strongroom:admin');
    expect(decodeGlobalId(ctx, builtIn, FIELD)).toMatchObject({ type: 'Policy', key: 'strongroom:admin' });
  });
});
