import type { AccessPolicy, IpCondition, TimeCondition } from '../../policy/conditions/access-policy.ts';
import { builder } from '../builder.ts';
import { EffectEnum, WeekdayEnum } from '../enums.ts';

const TEXTS = {
  accessPolicy:
    'Conditions on when and from where the values of one secret may be read, put and ' +
    'rolled back. They apply in addition to all permissions. A matching DENY refuses. ' +
    'For each type with ALLOW conditions, one must match. Both types must pass.',
  ip: 'Conditions on the address from which the request comes. If the address is unknown, ALLOW fails and DENY matches.',
  time: 'Conditions on the time of the request.',
  ipCondition: 'A condition that matches requests from any of its address blocks.',
  timeCondition:
    'A condition that matches from `start` until just before `end` on its days. If the start is after the end, ' +
    'the condition runs overnight and belongs to the day on which it starts. The start and the end must differ.',
  effect: 'Whether a match allows or denies.',
  cidrs:
    'The address blocks. `::/0` contains no IPv4 address: to match every address, give `0.0.0.0/0` as well.',
  start: 'The first minute that matches.',
  end: 'The first minute that no longer matches; `24:00` is the end of the day.',
  timeZone: 'The time zone of the days, the start and the end.',
} as const;

export const IpConditionType = builder.objectRef<IpCondition>('IpCondition').implement({
  description: TEXTS.ipCondition,
  fields: (t) => ({
    effect: t.expose('effect', { type: EffectEnum, description: TEXTS.effect }),
    cidrs: t.field({ type: ['CIDR'], description: TEXTS.cidrs, resolve: ({ cidrs }) => cidrs }),
  }),
});

export const TimeConditionType = builder.objectRef<TimeCondition>('TimeCondition').implement({
  description: TEXTS.timeCondition,
  fields: (t) => ({
    effect: t.expose('effect', { type: EffectEnum, description: TEXTS.effect }),
    days: t.field({
      type: [WeekdayEnum],
      description: 'The days on which the condition holds; an empty list means every day.',
      resolve: ({ days }) => days,
    }),
    start: t.expose('start', { type: 'LocalTime', description: TEXTS.start }),
    end: t.expose('end', { type: 'LocalTime', description: TEXTS.end }),
    timeZone: t.expose('timeZone', { type: 'TimeZone', description: TEXTS.timeZone }),
  }),
});

export const AccessPolicyType = builder.objectRef<AccessPolicy>('AccessPolicy').implement({
  description: TEXTS.accessPolicy,
  fields: (t) => ({
    ip: t.field({ type: [IpConditionType], description: TEXTS.ip, resolve: ({ ip }) => ip }),
    time: t.field({ type: [TimeConditionType], description: TEXTS.time, resolve: ({ time }) => time }),
  }),
});

export const IpConditionInput = builder.inputType('IpConditionInput', {
  description: TEXTS.ipCondition,
  fields: (t) => ({
    effect: t.field({ type: EffectEnum, required: true, description: TEXTS.effect }),
    cidrs: t.field({ type: ['CIDR'], required: true, description: TEXTS.cidrs }),
  }),
});

export const TimeConditionInput = builder.inputType('TimeConditionInput', {
  description: TEXTS.timeCondition,
  fields: (t) => ({
    effect: t.field({ type: EffectEnum, required: true, description: TEXTS.effect }),
    days: t.field({
      type: [WeekdayEnum],
      description: 'The days on which the condition holds. If omitted, it holds every day.',
    }),
    start: t.field({ type: 'LocalTime', required: true, description: TEXTS.start }),
    end: t.field({ type: 'LocalTime', required: true, description: TEXTS.end }),
    timeZone: t.field({ type: 'TimeZone', required: true, description: TEXTS.timeZone }),
  }),
});

export const AccessPolicyInput = builder.inputType('AccessPolicyInput', {
  description: `${TEXTS.accessPolicy} At least one condition is required.`,
  fields: (t) => ({
    ip: t.field({ type: [IpConditionInput], description: TEXTS.ip }),
    time: t.field({ type: [TimeConditionInput], description: TEXTS.time }),
  }),
});
