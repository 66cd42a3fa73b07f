import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ChainLink, genesisHash, linkHash } from '../../src/audit/chain.ts';

const link: ChainLink = {
  organisation: 'acme',
  region: 'local-1',
  sequence: 7n,
  id: '0197a2c4-0000-7000-8000-000000000001',
  at: new Date('2030-01-31T23:59:59.007Z'),
  action: 'secret.getValue',
  outcome: 'SUCCESS',
  errorCode: null,
  project: 'shop',
  actorSubject: 'alice',
  actorIssuer: 'https://issuer.example',
  actorRoles: ['secrets:ReadAccess', 'x'],
  resourceType: 'secret',
  resource: '/app/db',
  resourceId: '0197a2c4-0000-7000-8000-000000000002',
  version: 3,
  causedBy: 6n,
  requestId: 'request-1',
  sourceIp: '192.0.2.1',
  userAgent: 'agent "1"',
  details: { keys: 'a,b', count: '2' },
};
const previous = genesisHash('acme', 'local-1');
const hex = (changed: ChainLink, before: Uint8Array = previous) => linkHash(changed, before).toString('hex');

/** Every field with another value; a field that is new to ChainLink does not compile until it is here. */
const CHANGES: { readonly [Field in keyof ChainLink]: readonly ChainLink[Field][] } = {
  organisation: ['acme2', ''],
  region: ['local-2'],
  sequence: [8n, 0n, 2n ** 63n - 1n],
  id: ['0197a2c4-0000-7000-8000-000000000003'],
  at: [new Date('2030-01-31T23:59:59.008Z'), new Date('2030-01-31T23:59:59.000Z')],
  action: ['secret.putValue'],
  outcome: ['DENIED', 'FAILED'],
  errorCode: ['', 'NOT_FOUND', 'null'],
  project: ['', 'shop2'],
  actorSubject: ['Alice', 'bob'],
  actorIssuer: ['https://issuer.example/'],
  actorRoles: [[], ['x', 'secrets:ReadAccess'], ['secrets:ReadAccess,x'], ['secrets:ReadAccess']],
  resourceType: ['kms-key'],
  resource: [null, '', '/app/db2'],
  resourceId: [null, ''],
  version: [null, 4, 0],
  causedBy: [null, 5n, 0n],
  requestId: ['request-2'],
  sourceIp: [null, '192.0.2.2'],
  userAgent: [null, '', 'agent 1'],
  details: [
    {},
    { keys: 'a,b' },
    { keys: 'a,b', count: '3' },
    { keys: '2', count: 'a,b' },
    { keyscount: 'a,b2' },
  ],
};

describe('the hash of an event', () => {
  it.each(Object.entries(CHANGES))('changes with its %s', (field, values) => {
    for (const value of values) expect(hex({ ...link, [field]: value })).not.toBe(hex(link));
  });

  it('differs for every one of those changes from every other', () => {
    const changed = Object.entries(CHANGES).flatMap(([field, values]) =>
      values.map((value) => hex({ ...link, [field]: value })),
    );
    expect(new Set(changed).size).toBe(changed.length);
  });

  it('changes when a value moves into the field beside it', () => {
    expect(hex({ ...link, actorSubject: 'a', actorIssuer: 'bc' })).not.toBe(
      hex({ ...link, actorSubject: 'ab', actorIssuer: 'c' }),
    );
    expect(hex({ ...link, sourceIp: null, userAgent: 'x' })).not.toBe(
      hex({ ...link, sourceIp: 'x', userAgent: null }),
    );
  });

  it('changes with any bit of the hash before it', () => {
    for (let bit = 0; bit < 256; bit++) {
      const flipped = Buffer.from(previous);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(hex(link, flipped)).not.toBe(hex(link));
    }
  });

  it('does not depend on the order of the details', () => {
    expect(hex({ ...link, details: { count: '2', keys: 'a,b' } })).toBe(hex(link));
  });

  it('is the one that a verifier elsewhere computes', () => {
    // Written out: whoever changes this changes every chain that exists and every exported copy of one.
    const encoded =
      '["strongroom/audit-event/1","' +
      previous.toString('hex') +
      '","acme","local-1","7","0197a2c4-0000-7000-8000-000000000001","2030-01-31T23:59:59.007Z",' +
      '"secret.getValue","SUCCESS",null,"shop","alice","https://issuer.example",["secrets:ReadAccess","x"],' +
      '"secret","/app/db","0197a2c4-0000-7000-8000-000000000002","3","6","request-1","192.0.2.1",' +
      '"agent \\"1\\"",[["count","2"],["keys","a,b"]]]';
    expect(hex(link)).toBe(createHash('sha256').update(encoded).digest('hex'));
    expect(hex(link)).toBe('45f3088da0d738502605549cd5144a910b5f5389d7eeb1e33a2c2f05ae2368a1');
  });
});

describe('the hash that a chain starts from', () => {
  it('differs by organisation and by region', () => {
    const starts = [
      genesisHash('acme', 'local-1'),
      genesisHash('acme', 'local-2'),
      genesisHash('other', 'local-1'),
      genesisHash('acmelocal-1', ''),
      genesisHash('acme","local-1', ''),
      genesisHash('local-1', 'acme'),
    ];
    expect(new Set(starts.map((start) => start.toString('hex'))).size).toBe(starts.length);
  });

  it('is the one that a verifier elsewhere computes', () => {
    const encoded = '["strongroom/audit-genesis/1","acme","local-1"]';
    expect(previous.toString('hex')).toBe(createHash('sha256').update(encoded).digest('hex'));
    expect(previous.toString('hex')).toBe('db84e04dc92cedd20b39f7feb44d7a5bfba65b4752461f76adf76e2a319be8fe');
  });
});
