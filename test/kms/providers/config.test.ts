import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kmsProviderListSchema, maySelect } from '../../../src/kms/providers/config.ts';
import { selfSigned } from '../../support/self-signed.ts';

const CANARY = 'canary7f3a';
const directory = mkdtempSync(join(tmpdir(), 'strongroom-'));
afterAll(() => rmSync(directory, { recursive: true }));
function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const MRK = 'arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';
const transit = {
  name: 'vault',
  kind: 'transit',
  address: 'https://vault.example.com:8200',
  token: CANARY,
  externalKeys: { acme: ['acme-key'] },
};
const aws = { name: 'aws', kind: 'aws-kms', region: 'eu-central-1', externalKeys: { acme: [ARN] } };
const hsm = {
  ...{ name: 'hsm', kind: 'pkcs11', module: '/usr/lib/softhsm/libsofthsm2.so', tokenLabel: 'strongroom' },
  ...{ pin: CANARY, externalKeys: { acme: ['acme-key'] } },
};

const parse = (list: unknown, production = false) => kmsProviderListSchema(production).safeParse(list);
/** Where it stands and which rule it breaks, after checking that no value is told. */
function problems(list: unknown, production = false): string[] {
  const { error } = parse(list, production);
  if (!error) throw new Error('It was accepted.');
  const told = error.issues.map(({ path, message }) => [...path, message].join(' '));
  expect(told.join()).not.toContain(CANARY);
  return told;
}
const about = (list: unknown, production = false) =>
  problems(list, production).map((problem) => problem.split(' ').slice(0, 2).join(' '));

describe('a provider', () => {
  it.each(['', 'local', 'Vault', '-a', 'a_b', 'a b', `a${'b'.repeat(63)}`, 7, null])(
    'may not be named %j',
    (name) => {
      for (const one of [transit, aws, hsm]) expect(about([{ ...one, name }])).toEqual(['0 name']);
    },
  );

  it('may not have the name of another', () => {
    const other = { ...aws, name: 'vault' };
    expect(problems([transit, other])).toEqual(['1 name must be unique: an earlier entry has the same name']);
  });

  it.each([99, 30_001, 1.5, '5000', null])('may not have the timeout %j', (timeoutMs) => {
    for (const one of [transit, aws]) expect(about([{ ...one, timeoutMs }])).toEqual(['0 timeoutMs']);
  });

  it.each([undefined, null, [], 'x', { Acme: ['a'] }, { acme: [] }, { acme: 'acme-key' }, { acme: [7] }])(
    'may not have the external keys %j, of which nothing is told',
    (externalKeys) => {
      for (const one of [transit, aws, hsm])
        expect(about([{ ...one, externalKeys }])).toEqual(['0 externalKeys']);
    },
  );

  it('may not have a member of an organisation that is spelt like one of Object', () => {
    const list = `[${JSON.stringify({ ...transit, externalKeys: {} }).replace('{}}', '{"__proto__":["a"]}}')}]`;
    expect(list).toContain('__proto__');
    expect(about(JSON.parse(list))).toEqual(['0 externalKeys']);
  });

  it('may not have a member that there is not', () => {
    for (const one of [transit, aws, hsm])
      expect(problems([{ ...one, [CANARY.slice(6)]: 1 }])).toHaveLength(1);
  });

  it('must be of a kind that there is', () => {
    const rule = '0 kind must be pkcs11, aws-kms or transit';
    for (const kind of [undefined, CANARY, 'local']) expect(problems([{ ...transit, kind }])).toEqual([rule]);
    for (const one of [1, null, 'x', []]) expect(problems([one])[0]).toMatch(/^0 /);
    for (const list of [{}, null, 'x']) expect(problems(list)).toEqual(['must be a list of providers']);
  });

  it('has five seconds, unless told otherwise', () => {
    for (const one of [transit, aws, hsm]) expect(parse([one]).data).toMatchObject([{ timeoutMs: 5000 }]);
    for (const one of [transit, aws])
      expect(parse([{ ...one, timeoutMs: 100 }]).data).toMatchObject([{ timeoutMs: 100 }]);
  });
});

describe('an external key', () => {
  it.each([
    ['one entry', [{ ...transit, externalKeys: { acme: ['k'], other: ['k'] } }], '0'],
    ['two entries', [transit, { ...transit, name: 'b', externalKeys: { other: ['acme-key'] } }], '1'],
    ['two entries for AWS', [aws, { ...aws, name: 'b', externalKeys: { other: [ARN] } }], '1'],
    ['two entries for a token', [hsm, { ...hsm, name: 'b', externalKeys: { other: ['acme-key'] } }], '1'],
    [
      'two entries, as replicas in two regions',
      [
        { ...aws, externalKeys: { acme: [MRK] } },
        {
          ...{ ...aws, name: 'b', region: 'us-east-1' },
          externalKeys: { other: [MRK.replace('eu-central-1', 'us-east-1')] },
        },
      ],
      '1',
    ],
  ])('may not serve two organisations in %s', (_where, list, index) => {
    expect(problems(list)).toEqual([`${index} externalKeys must not give one key to two organisations`]);
  });

  it('may have its name in two places, and serve one organisation twice', () => {
    const elsewhere = { ...transit, name: 'b', mount: 'other', externalKeys: { other: ['acme-key'] } };
    expect(parse([transit, elsewhere, hsm, { ...transit, name: 'c' }]).success).toBe(true);
  });

  it('may be selected by its organisation alone, and by no name of Object’s', () => {
    const [config] = parse([transit]).data ?? [];
    if (!config) throw new Error('It was refused.');
    expect(maySelect(config, 'other', 'acme-key')).toBe(false);
    expect(maySelect(config, 'acme', 'other')).toBe(false);
    for (const name of ['constructor', '__proto__', 'toString', ''])
      expect(maySelect(config, name, 'acme-key')).toBe(false);
    expect(maySelect(config, 'acme', 'acme-key')).toBe(true);
  });
});

describe('an address', () => {
  it.each([
    'http://vault.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'ftp://localhost',
    'https://vault.example.com/v1',
    'https://vault.example.com?a',
    'https://vault.example.com#a',
    'https://user:canary7f3a@vault.example.com',
    'HTTPS://vault.example.com/x',
    'vault.example.com',
    'https://',
    '',
    7,
  ])('may not be %j', (address) => {
    expect(about([{ ...transit, address }])).toEqual(['0 address']);
    expect(about([{ ...aws, endpoint: address }])).toEqual(['0 endpoint']);
  });

  it('may be http on this machine, but not in production', () => {
    for (const address of ['http://127.0.0.1:8200', 'http://[::1]:8200/', 'http://localhost:8200']) {
      expect(about([{ ...transit, address }], true)).toEqual(['0 address']);
      expect(about([{ ...aws, endpoint: address }], true)).toEqual(['0 endpoint']);
      expect(parse([{ ...transit, address }]).data).toMatchObject([{ address: address.replace(/\/$/, '') }]);
    }
    expect(parse([transit, { ...aws, endpoint: 'https://kms.example.com' }], true).success).toBe(true);
  });
});

describe('a transit provider', () => {
  it.each([
    ['token', undefined],
    ['token', ''],
    ['token', `${CANARY} `],
    ['token', `${CANARY}\r\nX-Vault-Policy: root`],
    ['token', 7],
    ['mount', ''],
    ['mount', '/transit'],
    ['mount', 'transit/'],
    ['mount', 'a//b'],
    ['mount', '../sys'],
    ['mount', 'a/../sys'],
    ['mount', 'a%2fb'],
    ['mount', 'a?b'],
    ['mount', 'a'.repeat(129)],
    ['namespace', 'a\r\nb'],
    ['namespace', '../a'],
    ['caFile', `/${CANARY}`],
    ['tokenFile', `/${CANARY}`],
    ['externalKeys', { acme: ['..'] }],
    ['externalKeys', { acme: ['a/b'] }],
    ['externalKeys', { acme: ['a'.repeat(129)] }],
  ])('may not have the %s %j', (member, value) => {
    const { token, ...rest } = transit;
    const base = member === 'tokenFile' ? rest : { ...rest, token };
    expect(about([{ ...base, [member]: value }])).toEqual([`0 ${member}`]);
  });

  it('may not have both a token and a file of one, or a file that holds another thing', () => {
    const tokenFile = file('token', 's.token\n');
    expect(about([{ ...transit, tokenFile }])).toEqual(['0 token']);
    for (const text of ['', '\n', `${CANARY} ${CANARY}`, `${CANARY}\n${CANARY}`]) {
      const other = { ...transit, token: undefined, tokenFile: file('other', text) };
      expect(about([other])).toEqual(['0 tokenFile']);
    }
    expect(parse([{ ...transit, token: undefined, tokenFile }]).success).toBe(true);
  });

  it('may not trust a file without a certificate', () => {
    expect(about([{ ...transit, caFile: file('ca', CANARY) }])).toEqual(['0 caFile']);
    expect(parse([{ ...transit, caFile: file('ca', selfSigned().cert) }]).success).toBe(true);
  });

  it('is at the mount transit, unless told otherwise', () => {
    expect(parse([transit]).data).toMatchObject([{ mount: 'transit' }]);
    expect(parse([{ ...transit, mount: 'a/b-c', namespace: 'admin/x' }]).data).toMatchObject([
      { mount: 'a/b-c', namespace: 'admin/x' },
    ]);
  });
});

describe('an AWS KMS provider', () => {
  it.each([
    'arn:aws:kms:eu-central-1:111122223333:alias/strongroom',
    '1234abcd-12ab-34cd-56ef-1234567890ab',
    'alias/strongroom',
    ARN.replace('eu-central-1', 'us-east-1'),
    ARN.replace(':kms:', ':s3:'),
    ARN.replace('111122223333', '1111'),
    `${ARN}/x`,
    `${ARN}\n`,
    `x${ARN}`,
  ])('may not have the key %j', (arn) => {
    expect(about([{ ...aws, externalKeys: { acme: [ARN, arn] } }])).toEqual(['0 externalKeys']);
  });

  it.each(['', 'eu', 'EU-CENTRAL-1', 'eu-central-1.example.com', 'eu-central-1/', 7])(
    'may not have the region %j',
    (region) => {
      expect(about([{ ...aws, region }])).toContain('0 region');
    },
  );

  it('may have keys of one and of many regions, in every partition', () => {
    expect(parse([{ ...aws, externalKeys: { acme: [ARN, MRK] } }]).success).toBe(true);
    const gov = ARN.replace('arn:aws:kms:eu-central-1', 'arn:aws-us-gov:kms:us-gov-west-1');
    expect(parse([{ ...aws, region: 'us-gov-west-1', externalKeys: { acme: [gov] } }]).success).toBe(true);
  });
});
