import fc from 'fast-check';
import type { Permission } from '../../src/policy/permission.ts';
import type { Policy, Statement } from '../../src/policy/policy.ts';
import type { Principal } from '../../src/policy/principal.ts';

/** Who asks in the properties of lists. */
export const READER: Principal = {
  ...{ subject: 'alice', issuer: 'https://one.example', organisation: 'acme', project: '' },
  ...{
    roles: ['reader', 'deployer'],
    claims: { branch: 'main' },
    expiresAt: new Date('2030-01-01T00:00:00Z'),
  },
};

/** Few names, of which many begin alike, so that random patterns hit; what sorts around `/` among them. */
const SEGMENTS = ['a', 'b', 'ab', 'a-b', 'a.b', 'a+', 'B'] as const;
const STARRED = ['*', 'a*', '*b', 'a*b', '*a*', '**', '+*', '.'] as const;

const segment = fc.constantFrom(...SEGMENTS);
export const path = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`);

const segmentPattern = fc.oneof(
  { weight: 3, arbitrary: segment },
  { weight: 1, arbitrary: fc.constantFrom(...STARRED) },
);
const pathPattern = fc
  .tuple(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 12, arbitrary: fc.array(segmentPattern, { minLength: 1, maxLength: 3 }) },
    ),
    fc.boolean(),
  )
  .map(([parts, open]) => `secret:${['', ...parts, ...(open ? ['**'] : [])].join('/')}`);
/** What a policy would hardly hold, and what means something to LIKE, to a regular expression or to SQL. */
const oddity = fc.constantFrom(
  ...[
    'secret:**',
    'secret:*',
    'secret:',
    'secret:/',
    'secret:a',
    'secret:*/a',
    'secret:**/a/**',
    'secret:/a/',
  ],
  ...[
    'secret:/a//b',
    'secret:/a.b',
    'secret:/a|/b',
    'secret:/(a|b)',
    'secret:/a%',
    'secret:/_',
    'secret:/[a-b]',
  ],
  ...[
    "secret:/'",
    'secret:/\\',
    'secret:/a\u0000',
    'secret:/\u0001a',
    'secret:/ä*',
    'secret:/a***',
    'kms-key:*',
    '',
  ],
);
const KEY_PATTERNS = [
  'kms-key:*',
  'kms-key:**',
  'kms-key:kms-a',
  'kms-key:kms-a*',
  'kms-key:*b',
  'kms-key:kms-*a*',
];
const KEY_ODDITIES = [
  'kms-key:',
  'kms-key:/',
  'kms-key:*/**',
  'kms-key:kms-a/**',
  'kms-key:kms_a',
  'kms-key:k.*',
];

const resource = fc.oneof(
  { weight: 12, arbitrary: pathPattern },
  { weight: 1, arbitrary: oddity },
  { weight: 4, arbitrary: fc.constantFrom(...KEY_PATTERNS) },
  { weight: 1, arbitrary: fc.constantFrom(...KEY_ODDITIES) },
);
const PERMISSIONS: readonly Permission[] = [
  'SECRET_LIST',
  'SECRET_READ',
  'KMS_KEY_LIST',
  'KMS_KEY_READ',
  'SECRET_CREATE',
];

/** Sometimes met by the reader and sometimes not. */
const conditions = fc.oneof(
  { weight: 6, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('main', 'other').map((value) => ({
      ...{ ip: [], time: [], claims: [{ pointer: '/branch', value }] },
    })),
  },
);
const statementOf = (effect: Statement['effect'], most: number): fc.Arbitrary<Statement> =>
  fc.record({
    name: fc.constant('s'),
    effect: fc.constant(effect),
    permissions: fc.oneof(
      { weight: 3, arbitrary: fc.constant(PERMISSIONS) },
      { weight: 1, arbitrary: fc.subarray([...PERMISSIONS], { minLength: 1 }) },
    ),
    resources: fc.array(resource, { minLength: 1, maxLength: most }),
    conditions,
  });
const statement = fc.oneof(
  { weight: 5, arbitrary: statementOf('ALLOW', 5) },
  { weight: 2, arbitrary: statementOf('DENY', 2) },
);
const subject = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      { kind: 'ROLE' as const, value: 'reader', issuer: null },
      { kind: 'ROLE' as const, value: 'deployer', issuer: 'https://one.example' },
      { kind: 'SUBJECT' as const, value: 'alice', issuer: 'https://one.example' },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { kind: 'ROLE' as const, value: 'writer', issuer: null },
      { kind: 'ROLE' as const, value: 'reader', issuer: 'https://two.example' },
      { kind: 'SUBJECT' as const, value: 'alice', issuer: 'https://two.example' },
    ),
  },
);

/** Policies over the paths and KMS keys of the properties, most of them binding the reader. */
export const policies: fc.Arbitrary<readonly Policy[]> = fc.array(
  fc.record({
    name: fc.constant('p'),
    builtIn: fc.constant(false),
    statements: fc.array(statement, { minLength: 2, maxLength: 5 }),
    subjects: fc.array(subject, { minLength: 1, maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 3 },
);
