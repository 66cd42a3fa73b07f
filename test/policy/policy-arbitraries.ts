import fc from 'fast-check';
import type { Asking, Facts } from '../../src/policy/facts.ts';
import type { Permission } from '../../src/policy/permission.ts';
import type { Policy, PolicySubject, Resource, Statement } from '../../src/policy/policy.ts';

/** Few values of everything, so that random policies and requests meet. */
const ISSUERS = ['https://one.example', 'https://two.example'] as const;
const ROLES = ['dev', 'ops', '*'] as const;
const SUBJECTS = ['alice', 'dev'] as const;
export const ZONES = ['UTC', 'Europe/Amsterdam', 'America/Los_Angeles', 'Asia/Kolkata'] as const;
const DAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const;
const PERMISSIONS = ['SECRET_READ', 'SECRET_GET_VALUE', 'POLICY_READ'] as const;
const CLAIM_VALUES = ['main', 'prod', '*', 'ma'] as const;
const POINTERS = ['/ref', '/nested/env', '/groups'] as const;

/** As JSON is read: plain objects. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const segment = fc.constantFrom('a', 'b', 'ab', 'a.b', 'aab', 'b-a');
const segmentPattern = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', 'a*b', '*a*', 'a.b', '*.*');
const pattern = fc
  .tuple(fc.array(segmentPattern, { minLength: 0, maxLength: 3 }), fc.boolean())
  .filter(([segments, open]) => open || segments.length > 0)
  .map(([segments, open]) => `secret:/${[...segments, ...(open ? ['**'] : [])].join('/')}`);
const policyPattern = fc.constantFrom('policy:*', 'policy:team', 'policy:other');

const effect = fc.constantFrom('ALLOW', 'ALLOW', 'DENY');
const cidr = fc.constantFrom(
  '10.0.0.0/8',
  '10.1.0.0/16',
  '0.0.0.0/0',
  '2001:db8::/32',
  '::/0',
  '192.0.2.7/32',
);
const ip = record({ effect, cidrs: fc.uniqueArray(cidr, { minLength: 1, maxLength: 3 }) });
const localTime = fc.constantFrom('00:00', '06:30', '09:00', '17:00', '22:00', '23:59');
const time = record({
  effect,
  days: fc.oneof(fc.constant([]), fc.subarray([...DAYS], { minLength: 1 })),
  start: localTime,
  end: fc.oneof(localTime, fc.constant('24:00')),
  timeZone: fc.constantFrom(...ZONES),
}).filter(({ start, end }) => start !== end);
const claim = record({ pointer: fc.constantFrom(...POINTERS), value: fc.constantFrom(...CLAIM_VALUES) });
const conditions = record({
  ip: fc.array(ip, { maxLength: 2 }),
  time: fc.array(time, { maxLength: 2 }),
  claims: fc.array(claim, { maxLength: 1 }),
}).filter((each) => each.ip.length + each.time.length + each.claims.length > 0);

const statement: fc.Arbitrary<Statement> = record({
  name: fc.constantFrom('s', 't'),
  effect,
  permissions: fc.subarray([...PERMISSIONS], { minLength: 1 }),
  resources: fc.array(fc.oneof({ weight: 5, arbitrary: pattern }, policyPattern), {
    minLength: 1,
    maxLength: 3,
  }),
  conditions: fc.oneof(fc.constant(null), conditions),
});
const issuer = fc.oneof(fc.constant(null), fc.constantFrom(...ISSUERS));
const subject: fc.Arbitrary<PolicySubject> = fc.oneof(
  record({ kind: fc.constant('ROLE' as const), value: fc.constantFrom(...ROLES), issuer }),
  record({
    kind: fc.constant('SUBJECT' as const),
    value: fc.constantFrom(...SUBJECTS),
    issuer: fc.constantFrom(...ISSUERS),
  }),
);

export const policySet: fc.Arbitrary<readonly Policy[]> = fc.array(
  record({
    name: fc.constantFrom('p', 'q', 'r'),
    builtIn: fc.constant(false),
    statements: fc.array(statement, { minLength: 1, maxLength: 3 }),
    subjects: fc.array(subject, { minLength: 1, maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 4 },
);

export interface Request {
  readonly principal: Asking;
  readonly permission: Permission;
  readonly resource: Resource;
  readonly facts: Omit<Facts, 'policies'>;
}

const claimText = fc.oneof(fc.constantFrom(...CLAIM_VALUES), fc.constant(7), fc.constant(null));
const claimValue = fc.oneof(claimText, fc.array(claimText, { maxLength: 2 }));
const claims = fc.record(
  {
    ref: claimValue,
    groups: claimValue,
    nested: fc.record({ env: claimValue }, { requiredKeys: [], noNullPrototype: true }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const resource: fc.Arbitrary<Resource> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map((segments) => ({ kind: 'secret' as const, name: `/${segments.join('/')}` })),
  },
  fc.constantFrom('team', 'other', 'third').map((name) => ({ kind: 'policy' as const, name })),
);

export const request: fc.Arbitrary<Request> = record({
  principal: record({
    subject: fc.constantFrom(...SUBJECTS, 'bob'),
    issuer: fc.constantFrom(...ISSUERS),
    roles: fc.subarray([...ROLES, 'none']),
    claims,
  }),
  permission: fc.constantFrom(...PERMISSIONS),
  resource,
  facts: record({
    clientAddress: fc.constantFrom(null, '10.1.2.3', '10.2.0.1', '192.0.2.7', '2001:db8::1', '2001:db9::1'),
    // Some months around both changes of the clocks, by the minute.
    at: fc
      .integer({ min: 0, max: 400 * 24 * 60 })
      .map((minutes) => new Date(Date.UTC(2026, 1, 1) + minutes * 60_000)),
  }),
});
