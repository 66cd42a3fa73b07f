import { isDeepStrictEqual } from 'node:util';

import { InvalidInputError } from '../../errors.ts';
import type { FieldPath } from '../../errors.ts';
import { cidrContains, formatCidr, parseCidr } from './cidr.ts';
import type { Cidr } from './cidr.ts';
import { parseIpAddress } from './ip-address.ts';
import type { IpAddress } from './ip-address.ts';
import { parseLocalTime } from './local-time.ts';
import { isTimeZone, wallClock, WEEKDAYS } from './time-zone.ts';
import type { WallClock, Weekday } from './time-zone.ts';

export const EFFECTS = ['ALLOW', 'DENY'] as const;
export type Effect = (typeof EFFECTS)[number];

/** `cidrs` are canonical text. */
export interface IpCondition {
  readonly effect: Effect;
  readonly cidrs: readonly string[];
}

/** [start, end) on the wall clock of the zone. No `days` means every day. */
export interface TimeCondition {
  readonly effect: Effect;
  readonly days: readonly Weekday[];
  readonly start: string;
  readonly end: string;
  readonly timeZone: string;
}

/** The stored form, plain JSON. */
export interface AccessPolicy {
  readonly ip: readonly IpCondition[];
  readonly time: readonly TimeCondition[];
}

export interface TimeConditionInput extends Omit<TimeCondition, 'days'> {
  readonly days?: readonly Weekday[] | null;
}

export interface AccessPolicyInput {
  readonly ip?: readonly IpCondition[] | null;
  readonly time?: readonly TimeConditionInput[] | null;
}

/** `clientAddress` null: unknown. */
export interface AccessFacts {
  readonly clientAddress: string | null;
  readonly at: Date;
}

/** `failedConditions` name conditions by position and never quote input. */
export interface AccessPolicyDecision {
  readonly allowed: boolean;
  readonly failedConditions: readonly string[];
}

const MAX_CONDITIONS_PER_TYPE = 100;
export const MAX_CIDRS = 1_000;

/** A condition with what decides it; `F` are the facts of its type. */
interface Rule<C, F> {
  readonly condition: C;
  readonly matches: (facts: F) => boolean;
}

/** Conditions of both types, ready to be decided. */
export interface ConditionRules {
  readonly ip: readonly Rule<IpCondition, IpAddress | null>[];
  readonly time: readonly Rule<TimeCondition, Date>[];
}

/** Throws InvalidInputError with the path of the offending field and the rule it breaks, never its value. */
export function parseAccessPolicy(input: AccessPolicyInput, field: FieldPath): AccessPolicy {
  return conditionsOf(compileAccessPolicy(input, field));
}

/**
 * Whether the policy lets these facts pass: no DENY condition matches and, of each type that has ALLOW conditions, one
 * does. A stored policy that this release does not read as exactly what is stored denies: it may hold a condition that
 * the reader would overlook.
 */
export function evaluateAccessPolicy(policy: AccessPolicy | null, facts: AccessFacts): AccessPolicyDecision {
  if (policy === null) return { allowed: true, failedConditions: [] };
  const rules = compileStored(policy);
  if (rules === null) return { allowed: false, failedConditions: ['access policy unreadable'] };
  const address = facts.clientAddress === null ? null : parseIpAddress(facts.clientAddress);
  const failedConditions = [
    ...failuresOf('ip', rules.ip, address),
    ...failuresOf('time', rules.time, facts.at),
  ];
  return { allowed: failedConditions.length === 0, failedConditions };
}

/** Whether the rules of one type let the facts pass: the same as no `failuresOf`, without making anything. */
export function rulesPass<F>(rules: readonly Rule<{ readonly effect: Effect }, F>[], facts: F): boolean {
  let isAllowed = true;
  let hasMatched = false;
  for (const { condition, matches } of rules) {
    const isDeny = condition.effect === 'DENY';
    if (!isDeny) isAllowed = false;
    if ((isDeny || !hasMatched) && matches(facts)) {
      if (isDeny) return false;
      hasMatched = true;
    }
  }
  return isAllowed || hasMatched;
}

/** What keeps the facts from passing the rules of one type, by the position of each condition; none: they pass. */
export function failuresOf<F>(
  type: keyof AccessPolicy,
  rules: readonly Rule<{ readonly effect: Effect }, F>[],
  facts: F,
): readonly string[] {
  const denials = rules.flatMap(({ condition, matches }, i) =>
    condition.effect === 'DENY' && matches(facts) ? [`${type}[${i}] DENY matched`] : [],
  );
  const allows = rules.filter(({ condition }) => condition.effect === 'ALLOW');
  const isAllowed = allows.length === 0 || allows.some(({ matches }) => matches(facts));
  return isAllowed ? denials : [...denials, `no ${type} ALLOW matched`];
}

function compileStored(policy: AccessPolicy): ConditionRules | null {
  try {
    const rules = compileAccessPolicy(policy, []);
    return isDeepStrictEqual(conditionsOf(rules), policy) ? rules : null;
  } catch {
    // Also a TypeError: what is stored need not have the shape that its type promises.
    return null;
  }
}

/** The conditions of rules in their stored form. */
export function conditionsOf({ ip, time }: ConditionRules): AccessPolicy {
  return { ip: ip.map(({ condition }) => condition), time: time.map(({ condition }) => condition) };
}

function compileAccessPolicy(input: AccessPolicyInput, field: FieldPath): ConditionRules {
  if (!input.ip?.length && !input.time?.length) {
    throw new InvalidInputError(field, 'An access policy needs an ip or a time condition.');
  }
  return compileConditions(input, field, 'An access policy');
}

/** `holder` begins the sentence of a limit: what it is that has the conditions. */
export function compileConditions(
  input: AccessPolicyInput,
  field: FieldPath,
  holder: string,
): ConditionRules {
  const ip = input.ip ?? [];
  const time = input.time ?? [];
  for (const [type, { length }] of Object.entries({ ip, time })) {
    if (length <= MAX_CONDITIONS_PER_TYPE) continue;
    const rule = `${holder} has at most ${MAX_CONDITIONS_PER_TYPE} ${type} conditions.`;
    throw new InvalidInputError([...field, type], rule);
  }
  if (ip.reduce((sum, { cidrs }) => sum + cidrs.length, 0) > MAX_CIDRS) {
    throw new InvalidInputError([...field, 'ip'], `${holder} has at most 1,000 CIDRs in all.`);
  }
  return {
    ip: ip.map((condition, i) => compileIp(condition, [...field, 'ip', String(i)])),
    time: time.map((condition, i) => compileTime(condition, [...field, 'time', String(i)])),
  };
}

function compileIp({ effect, cidrs }: IpCondition, field: FieldPath): ConditionRules['ip'][number] {
  checkEffect(effect, field);
  if (cidrs.length === 0) {
    throw new InvalidInputError([...field, 'cidrs'], 'An ip condition needs at least one CIDR.');
  }
  const blocks = cidrs.map((text, i): Cidr => {
    const cidr = parseCidr(text);
    if (cidr !== null) return cidr;
    const rule =
      'A CIDR is an address, "/" and a prefix length, with no host bits set: 10.0.0.0/8, 2001:db8::/32.';
    throw new InvalidInputError([...field, 'cidrs', String(i)], rule);
  });
  return {
    condition: { effect, cidrs: blocks.map(formatCidr) },
    matches: (address) =>
      address === null ? effect === 'DENY' : blocks.some((block) => cidrContains(block, address)),
  };
}

function compileTime(input: TimeConditionInput, field: FieldPath): ConditionRules['time'][number] {
  const { effect, start, end, timeZone } = input;
  const days = [...(input.days ?? [])];
  checkEffect(effect, field);
  for (const [i, day] of days.entries()) {
    if (WEEKDAYS.includes(day) && days.indexOf(day) === i) continue;
    throw new InvalidInputError([...field, 'days', String(i)], 'Days are weekdays, each at most once.');
  }
  const from = parseLocalTime(start, 'start');
  if (from === null) {
    throw new InvalidInputError([...field, 'start'], 'A start is HH:MM from 00:00 to 23:59.');
  }
  const to = parseLocalTime(end, 'end');
  if (to === null || to === from) {
    throw new InvalidInputError(
      [...field, 'end'],
      'An end is HH:MM from 00:00 to 24:00, other than the start.',
    );
  }
  if (!isTimeZone(timeZone)) {
    const rule = 'A time zone is a name of the IANA database, spelled as there: Europe/Amsterdam, UTC.';
    throw new InvalidInputError([...field, 'timeZone'], rule);
  }
  const isOn = (day: Weekday) => days.length === 0 || days.includes(day);
  return {
    condition: { effect, days, start, end, timeZone },
    matches: (at) => isWithin(wallClock(at, timeZone), from, to, isOn),
  };
}

function isWithin(
  { weekday, minute }: WallClock,
  from: number,
  to: number,
  isOn: (day: Weekday) => boolean,
): boolean {
  if (from < to) return isOn(weekday) && from <= minute && minute < to;
  return (isOn(weekday) && from <= minute) || (isOn(dayBefore(weekday)) && minute < to);
}

function dayBefore(day: Weekday): Weekday {
  return WEEKDAYS.at(WEEKDAYS.indexOf(day) - 1) ?? day;
}

function checkEffect(effect: Effect, field: FieldPath): void {
  if (EFFECTS.includes(effect)) return;
  throw new InvalidInputError([...field, 'effect'], 'An effect is ALLOW or DENY.');
}
