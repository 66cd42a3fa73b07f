import {
  type CedarValueJson,
  preparsePolicySet,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import type { IpCondition, TimeCondition } from '../../src/policy/conditions/access-policy.ts';
import { decide } from '../../src/policy/decide.ts';
import type { Policy, PolicySubject, Statement } from '../../src/policy/policy.ts';
import { policySet, type Request, request, ZONES } from './policy-arbitraries.ts';

const RUNS = 500;
const REQUESTS = 20;
const DAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const;

// ------------------------------------------------------------------ the policies, said in Cedar

const text = (value: string) => JSON.stringify(value);
const all = (parts: readonly string[]) =>
  parts.length ? parts.map((part) => `(${part})`).join(' && ') : 'true';
const any = (parts: readonly string[]) =>
  parts.length ? parts.map((part) => `(${part})`).join(' || ') : 'false';
const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

function cedarSubject({ kind, value, issuer }: PolicySubject): string {
  const who =
    kind === 'ROLE' ? `context.roles.contains(${text(value)})` : `context.subject == ${text(value)}`;
  return issuer === null ? who : all([who, `context.issuer == ${text(issuer)}`]);
}

/** Cedar's own `like`, a segment at a time: its star does not know of segments. */
function cedarResource(pattern: string): string {
  const [kind = '', name = ''] = pattern.split(':');
  const segments = kind === 'secret' ? name.slice(1).split('/') : [name];
  const open = segments.at(-1) === '**';
  const fixed = open ? segments.slice(0, -1) : segments;
  const length = open ? `context.length > ${fixed.length}` : `context.length == ${fixed.length}`;
  return all([
    `context.kind == ${text(kind)}`,
    length,
    ...fixed.map((segment, i) => `context.segments.s${i} like ${text(segment)}`),
  ]);
}

function cedarGate(conditions: readonly { effect: string; matches: string }[]): string {
  const of = (effect: string) =>
    conditions.filter((each) => each.effect === effect).map(({ matches }) => matches);
  const allows = of('ALLOW');
  return all([`!(${any(of('DENY'))})`, allows.length === 0 ? 'true' : any(allows)]);
}

function cedarIp(conditions: readonly IpCondition[], effect: string): string {
  if (conditions.length === 0) return 'true';
  const gate = cedarGate(
    conditions.map((condition) => ({
      effect: condition.effect,
      matches: any(condition.cidrs.map((cidr) => `context.ip.isInRange(ip(${text(cidr)}))`)),
    })),
  );
  return effect === 'ALLOW' ? `context has ip && (${gate})` : `!(context has ip) || (${gate})`;
}

function cedarTime({ days, start, end, timeZone }: TimeCondition): string {
  const clock = `context.clocks[${text(timeZone)}]`;
  const [from, to] = [minutes(start), minutes(end)];
  const on = (which: string) =>
    days.length === 0 ? 'true' : any(days.map((day) => `${clock}.${which} == ${text(day)}`));
  const after = `${clock}.minute >= ${from}`;
  const before = `${clock}.minute < ${to}`;
  if (from < to) return all([on('today'), after, before]);
  return any([all([on('today'), after]), all([on('yesterday'), before])]);
}

function cedarClaim(pointer: string, value: string): string {
  const parts = pointer.slice(1).split('/');
  const has = parts.map((part, i) => `context${['', 'claims', ...parts.slice(0, i)].join('.')} has ${part}`);
  return all([...has, `context.claims.${parts.join('.')}.contains(${text(value)})`]);
}

function cedarStatement(policy: Policy, statement: Statement): string {
  const { effect, permissions, resources, conditions } = statement;
  const when = [
    any(policy.subjects.map(cedarSubject)),
    any(permissions.map((permission) => `context.permission == ${text(permission)}`)),
    any(resources.map(cedarResource)),
    cedarIp(conditions?.ip ?? [], effect),
    cedarGate(
      (conditions?.time ?? []).map((condition) => ({
        effect: condition.effect,
        matches: cedarTime(condition),
      })),
    ),
    ...(conditions?.claims ?? []).map(({ pointer, value }) => cedarClaim(pointer, value)),
  ];
  return `${effect === 'ALLOW' ? 'permit' : 'forbid'}(principal, action, resource) when { ${all(when)} };`;
}

const clocks = new Map<string, ReturnType<typeof readClock>>();

function clockOf(at: Date, zone: string): ReturnType<typeof readClock> {
  const key = `${at.getTime()} ${zone}`;
  const clock = clocks.get(key) ?? readClock(at, zone);
  clocks.set(key, clock);
  return clock;
}

function readClock(at: Date, zone: string) {
  const local = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone);
  return {
    minute: local.hour * 60 + local.minute,
    today: DAYS[local.dayOfWeek - 1] ?? '',
    yesterday: DAYS[(local.dayOfWeek + 5) % 7] ?? '',
  };
}

/** Every claim as the set of the texts that it is or holds. */
function claimSets(claims: unknown): CedarValueJson {
  const set = (value: unknown) =>
    [value].flat().filter((each): each is string => typeof each === 'string') as CedarValueJson;
  return Object.fromEntries(
    Object.entries(claims as Record<string, unknown>).map(([name, value]) => [
      name,
      name === 'nested' ? claimSets(value) : set(value),
    ]),
  );
}

function cedarContext({ principal, permission, resource, facts }: Request): Record<string, CedarValueJson> {
  const segments = resource.kind === 'secret' ? resource.name.slice(1).split('/') : [resource.name];
  const { subject, issuer, roles, claims } = principal;
  return {
    ...{ subject, issuer, roles: [...roles], permission, kind: resource.kind, length: segments.length },
    segments: Object.fromEntries(segments.map((segment, i) => [`s${i}`, segment])),
    claims: claimSets(claims),
    clocks: Object.fromEntries(ZONES.map((zone) => [zone, clockOf(facts.at, zone)])),
    ...(facts.clientAddress !== null && { ip: { __extn: { fn: 'ip', arg: facts.clientAddress } } }),
  };
}

function cedarAllows(each: Request): boolean {
  const answer = statefulIsAuthorized({
    principal: { type: 'Caller', id: 'caller' },
    action: { type: 'Action', id: 'do' },
    resource: { type: 'Thing', id: 'thing' },
    context: cedarContext(each),
    preparsedPolicySetId: 'policies',
    entities: [],
  });
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  // A policy that fails to evaluate is skipped by Cedar: then it would prove nothing.
  expect(answer.response.diagnostics.errors).toEqual([]);
  return answer.response.decision === 'allow';
}

// ------------------------------------------------------------------ the rules, read straight

function straight(policies: readonly Policy[], { principal, permission, resource, facts }: Request) {
  const counting: { policy: string; statement: Statement }[] = [];
  for (const policy of policies) {
    const bound = policy.subjects.filter(
      ({ kind, value, issuer }) =>
        (kind === 'ROLE' ? principal.roles.indexOf(value) >= 0 : principal.subject === value) &&
        (issuer === null || principal.issuer === issuer),
    );
    if (bound.length === 0) continue;
    for (const statement of policy.statements) {
      const isNamed = statement.resources.some((pattern) => {
        const expression = pattern
          .replaceAll(/[.+?^${}()|[\]\\-]/g, '\\$&')
          .replace(/\/\*\*$/, '(/[^/]+)+')
          .replaceAll('*', '[^/]*');
        return new RegExp(`^${expression}$`).test(`${resource.kind}:${resource.name}`);
      });
      if (!isNamed || statement.permissions.indexOf(permission) < 0) continue;
      if (statement.conditions === null || straightConditions(statement, principal.claims, facts))
        counting.push({ policy: policy.name, statement });
    }
  }
  const denies = counting.filter(({ statement }) => statement.effect === 'DENY');
  const matched = denies.length > 0 ? denies : counting;
  return { allowed: denies.length === 0 && counting.length > 0, matched };
}

function straightConditions(statement: Statement, claims: unknown, facts: Request['facts']): boolean {
  const { ip = [], time = [], claims: wanted = [] } = statement.conditions ?? {};
  const gate = (conditions: readonly { effect: string; hit: boolean }[]) =>
    !conditions.some(({ effect, hit }) => effect === 'DENY' && hit) &&
    (conditions.every(({ effect }) => effect === 'DENY') ||
      conditions.some(({ effect, hit }) => effect === 'ALLOW' && hit));
  const ipPasses =
    ip.length === 0 ||
    (facts.clientAddress === null
      ? statement.effect === 'DENY'
      : gate(
          ip.map(({ effect, cidrs }) => ({
            effect,
            hit: cidrs.some((cidr) => inRange(facts.clientAddress ?? '', cidr)),
          })),
        ));
  const timePasses = gate(
    time.map(({ effect, days, start, end, timeZone }) => {
      const { minute, today, yesterday } = clockOf(facts.at, timeZone);
      const on = (day: unknown) => days.length === 0 || days.some((each) => each === day);
      const [from, to, now] = [minutes(start), minutes(end), minute];
      const hit =
        from < to
          ? on(today) && now >= from && now < to
          : (on(today) && now >= from) || (on(yesterday) && now < to);
      return { effect, hit };
    }),
  );
  const claimsHold = wanted.every(({ pointer, value }) => {
    const found = pointer
      .slice(1)
      .split('/')
      .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], claims);
    return [found].flat().includes(value);
  });
  return ipPasses && timePasses && claimsHold;
}

/** Of the few networks and addresses that the arbitraries have. */
function inRange(address: string, cidr: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  if (address.includes(':') !== network.includes(':')) return false;
  if (bits === '0') return true;
  if (network.includes(':')) return address.startsWith('2001:db8:');
  return (
    address
      .split('.')
      .slice(0, Number(bits) / 8)
      .join() ===
    network
      .split('.')
      .slice(0, Number(bits) / 8)
      .join()
  );
}

describe('decide', () => {
  it(`agrees with Cedar and with the rules read straight on ${RUNS * REQUESTS} random pairs of policies and requests`, () => {
    const seen = { allowed: 0, denied: 0, nothing: 0, pairs: 0, conditioned: 0 };
    fc.assert(
      fc.property(
        policySet,
        fc.array(request, { minLength: REQUESTS, maxLength: REQUESTS }),
        (policies, requests) => {
          const cedar = policies.flatMap((policy) =>
            policy.statements.map((statement) => cedarStatement(policy, statement)),
          );
          const parsed = preparsePolicySet('policies', { staticPolicies: cedar.join('\n') });
          expect(parsed).toEqual({ type: 'success' });
          for (const each of requests) {
            const { principal, permission, resource, facts } = each;
            const decision = decide(principal, permission, resource, { ...facts, policies });
            expect(decision.allowed).toBe(cedarAllows(each));
            const { allowed, matched } = straight(policies, each);
            expect({ allowed: decision.allowed, matched: decision.matched }).toEqual({ allowed, matched });
            seen.pairs++;
            if (decision.reason === 'ALLOWED_BY_STATEMENT') seen.allowed++;
            else if (decision.reason === 'DENIED_BY_STATEMENT') seen.denied++;
            else seen.nothing++;
            if (decision.matched.some(({ statement }) => statement.conditions !== null)) seen.conditioned++;
          }
        },
      ),
      { numRuns: RUNS },
    );
    // Random pairs that never meet would prove nothing.
    expect(seen.pairs).toBeGreaterThanOrEqual(10_000);
    expect(seen.allowed).toBeGreaterThan(500);
    expect(seen.denied).toBeGreaterThan(200);
    expect(seen.nothing).toBeGreaterThan(500);
    expect(seen.conditioned).toBeGreaterThan(200);
  }, 120_000);
});
