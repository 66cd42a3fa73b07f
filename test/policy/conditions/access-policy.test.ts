import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';

import { InvalidInputError } from '../../../src/errors.ts';
import { evaluateAccessPolicy, parseAccessPolicy } from '../../../src/policy/conditions/access-policy.ts';
import type {
  AccessPolicy,
  AccessPolicyInput,
  Effect,
  IpCondition,
  TimeCondition,
} from '../../../src/policy/conditions/access-policy.ts';
import { WEEKDAYS } from '../../../src/policy/conditions/time-zone.ts';

const field = ['input', 'accessPolicy'];
const noon = new Date('2026-01-05T12:00:00Z'); // a Monday

const allow = (...cidrs: string[]): IpCondition => ({ effect: 'ALLOW', cidrs });
const deny = (...cidrs: string[]): IpCondition => ({ effect: 'DENY', cidrs });
const hours = (start: string, end: string, more: Partial<TimeCondition> = {}): TimeCondition => ({
  effect: 'ALLOW',
  days: [],
  start,
  end,
  timeZone: 'UTC',
  ...more,
});

const refusal = (input: AccessPolicyInput) => {
  try {
    parseAccessPolicy(input, field);
  } catch (error) {
    if (error instanceof InvalidInputError)
      return { at: error.field.slice(2).join('.'), message: error.message };
    throw error;
  }
  return null;
};

const decide = (policy: Partial<AccessPolicy>, clientAddress: string | null = '10.0.0.1', at = noon) =>
  evaluateAccessPolicy({ ip: [], time: [], ...policy }, { clientAddress, at });
const failed = (...args: Parameters<typeof decide>) => decide(...args).failedConditions;
const open = (condition: TimeCondition, instant: string) =>
  decide({ time: [condition] }, null, new Date(instant)).allowed;

describe('parseAccessPolicy', () => {
  const time = (more: object) => ({
    time: [hours('08:00', '18:00'), { ...hours('08:00', '18:00'), ...more }],
  });
  const cidrs = (count: number) => Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);

  it.each<[string, AccessPolicyInput, string, RegExp]>([
    ['a policy with no condition', {}, '', /needs an ip or a time condition/],
    ['null for both types', { ip: null, time: null }, '', /needs an ip or a time condition/],
    ['empty lists for both types', { ip: [], time: [] }, '', /needs an ip or a time condition/],
    ['an ip condition with no CIDR', { ip: [allow('::/0'), allow()] }, 'ip.1.cidrs', /at least one CIDR/],
    ['host bits', { ip: [allow('::/0', '10.0.0.1/8')] }, 'ip.0.cidrs.1', /no host bits/],
    ['octal (CVE-2021-28918)', { ip: [deny('010.0.0.0/8')] }, 'ip.0.cidrs.0', /prefix length/],
    ['a bare address', { ip: [deny('10.0.0.1')] }, 'ip.0.cidrs.0', /prefix length/],
    ['1,001 CIDRs', { ip: [allow(...cidrs(1000)), allow('::/0')] }, 'ip', /at most 1,000 CIDRs/],
    ['101 ip conditions', { ip: Array(101).fill(allow('::/0')) as IpCondition[] }, 'ip', /at most 100 ip/],
    [
      '101 time conditions',
      { time: Array(101).fill(hours('08:00', '09:00')) as TimeCondition[] },
      'time',
      /at most 100 time/,
    ],
    [
      'another effect',
      { ip: [{ effect: 'allow' as Effect, cidrs: ['::/0'] }] },
      'ip.0.effect',
      /ALLOW or DENY/,
    ],
    ['another effect on time', time({ effect: 'PERMIT' }), 'time.1.effect', /ALLOW or DENY/],
    ['an unknown day', time({ days: ['MONDAY', 'FUNDAY'] }), 'time.1.days.1', /weekdays/],
    ['a day twice', time({ days: ['MONDAY', 'FRIDAY', 'MONDAY'] }), 'time.1.days.2', /at most once/],
    ['a start of 24:00', time({ start: '24:00' }), 'time.1.start', /00:00 to 23:59/],
    ['a start of one digit', time({ start: '8:00' }), 'time.1.start', /HH:MM/],
    ['an end after 24:00', time({ end: '24:01' }), 'time.1.end', /00:00 to 24:00/],
    [
      'an end that is the start',
      time({ start: '00:00', end: '00:00' }),
      'time.1.end',
      /other than the start/,
    ],
    ['an offset for a zone', time({ timeZone: '+02:00' }), 'time.1.timeZone', /IANA/],
    ['a zone in another case', time({ timeZone: 'europe/amsterdam' }), 'time.1.timeZone', /IANA/],
  ])('refuses %s and names the field', (_, input, at, message) => {
    expect(refusal(input)).toEqual({ at, message: expect.stringMatching(message) as string });
  });

  it('quotes no input in a message', () => {
    const marker = 'XYZZY';
    const inputs: AccessPolicyInput[] = [
      { ip: [allow(marker)] },
      { ip: [{ effect: marker as Effect, cidrs: [] }] },
      ...['start', 'end', 'timeZone', 'effect'].map((key) => time({ [key]: marker })),
      time({ days: [marker] }),
    ];
    for (const input of inputs) expect(refusal(input)?.message).not.toContain(marker);
    expect(inputs.map((input) => refusal(input)?.at)).not.toContain(undefined);
  });

  it('accepts exactly the limits, and duplicates of a CIDR', () => {
    expect(refusal({ ip: [allow(...cidrs(500)), deny(...cidrs(500))] })).toBeNull();
    expect(refusal({ ip: Array(100).fill(allow('::/0', '::/0')) as IpCondition[] })).toBeNull();
    expect(refusal({ time: Array(100).fill(hours('00:00', '24:00')) as TimeCondition[] })).toBeNull();
  });

  it('stores canonical CIDRs and no days for every day', () => {
    const input: AccessPolicyInput = {
      ip: [allow('2001:0DB8::/32', '::ffff:10.0.0.0/104')],
      time: [
        { effect: 'DENY', start: '22:00', end: '06:00', timeZone: 'Asia/Kolkata' },
        { effect: 'ALLOW', days: null, start: '00:00', end: '24:00', timeZone: 'UTC' },
        hours('08:00', '18:00', { days: ['SUNDAY', 'MONDAY'] }),
      ],
    };
    expect(parseAccessPolicy(input, field)).toEqual({
      ip: [allow('2001:db8::/32', '10.0.0.0/8')],
      time: [
        { effect: 'DENY', days: [], start: '22:00', end: '06:00', timeZone: 'Asia/Kolkata' },
        { effect: 'ALLOW', days: [], start: '00:00', end: '24:00', timeZone: 'UTC' },
        { effect: 'ALLOW', days: ['SUNDAY', 'MONDAY'], start: '08:00', end: '18:00', timeZone: 'UTC' },
      ],
    });
  });

  it('reads its own result unchanged, also after a trip through JSON', () => {
    const input = { ip: [allow('2001:DB8::/32')], time: [hours('22:00', '06:00', { days: ['FRIDAY'] })] };
    const stored = parseAccessPolicy(input, field);
    expect(parseAccessPolicy(JSON.parse(JSON.stringify(stored)) as AccessPolicy, field)).toEqual(stored);
  });

  it('drops what it does not know, so that nothing unread is stored', () => {
    const input = { ip: [{ ...allow('::/0'), note: 'x' }], other: 1 };
    expect(parseAccessPolicy(input, field)).toEqual({ ip: [allow('::/0')], time: [] });
  });
});

describe('evaluateAccessPolicy', () => {
  it('refuses where any DENY matches, whatever else allows', () => {
    expect(failed({ ip: [allow('10.0.0.0/8'), deny('10.0.0.0/24')] })).toEqual(['ip[1] DENY matched']);
    expect(
      failed({ ip: [allow('10.0.0.0/8')], time: [hours('08:00', '18:00', { effect: 'DENY' })] }),
    ).toEqual(['time[0] DENY matched']);
  });

  it('refuses where a type has ALLOW conditions and none matches, whatever the other type says', () => {
    expect(failed({ ip: [allow('192.0.2.0/24'), allow('::/0')] })).toEqual(['no ip ALLOW matched']);
    expect(failed({ ip: [allow('192.0.2.0/24')], time: [hours('08:00', '18:00')] })).toEqual([
      'no ip ALLOW matched',
    ]);
    expect(failed({ ip: [allow('10.0.0.0/8')], time: [hours('13:00', '18:00')] })).toEqual([
      'no time ALLOW matched',
    ]);
  });

  it('names every condition that failed, by position and without input', () => {
    const policy: AccessPolicy = {
      ip: [deny('10.0.0.0/8'), allow('192.0.2.0/24'), deny('10.0.0.1/32')],
      time: [hours('13:00', '14:00'), hours('11:00', '13:00', { effect: 'DENY' })],
    };
    expect(decide(policy)).toEqual({
      allowed: false,
      failedConditions: [
        'ip[0] DENY matched',
        'ip[2] DENY matched',
        'no ip ALLOW matched',
        'time[1] DENY matched',
        'no time ALLOW matched',
      ],
    });
  });

  it.each([
    null,
    '',
    'unknown',
    '010.0.0.1',
    '127.1',
    '2130706433',
    'fe80::1%eth0',
    '10.0.0.1:80',
    '10.0.0.0/8',
  ])('with the address %j, ALLOW conditions fail and DENY conditions match (CVE-2024-29415)', (address) => {
    expect(failed({ ip: [allow('0.0.0.0/0', '::/0')] }, address)).toEqual(['no ip ALLOW matched']);
    expect(failed({ ip: [deny('192.0.2.0/24')] }, address)).toEqual(['ip[0] DENY matched']);
    expect(decide({ time: [hours('08:00', '18:00')] }, address).allowed).toBe(true);
  });

  it.each(['::ffff:10.0.0.1', '::ffff:0a00:1', '0:0:0:0:0:ffff:10.0.0.1'])(
    'a DENY of an IPv4 network holds for the same host written %s (CVE-2024-24790)',
    (address) => {
      expect(failed({ ip: [deny('10.0.0.0/8')] }, address)).toEqual(['ip[0] DENY matched']);
    },
  );

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['text', 'ALLOW'],
    ['an empty object', {}],
    ['no condition', { ip: [], time: [] }],
    ['a missing type', { ip: [allow('0.0.0.0/0')] }],
    ['a null type', { ip: [allow('0.0.0.0/0')], time: null }],
    ['a type that is no list', { ip: [allow('0.0.0.0/0')], time: '' }],
    ['an unknown type', { ip: [allow('0.0.0.0/0')], time: [], geo: [{ effect: 'DENY' }] }],
    ['an unknown member of a condition', { ip: [{ ...allow('0.0.0.0/0'), unless: 'x' }], time: [] }],
    ['an unknown effect', { ip: [{ effect: 'BLOCK', cidrs: ['10.0.0.0/8'] }], time: [] }],
    ['a CIDR with host bits', { ip: [allow('0.0.0.0/0', '10.0.0.1/8')], time: [] }],
    ['a CIDR that is not canonical', { ip: [allow('0.0.0.0/0', '2001:DB8::/32')], time: [] }],
    ['CIDRs that are no list', { ip: [{ effect: 'ALLOW', cidrs: '0.0.0.0/0' }], time: [] }],
    ['a CIDR that is no text', { ip: [{ effect: 'ALLOW', cidrs: ['0.0.0.0/0', 0] }], time: [] }],
    ['a condition that is null', { ip: [allow('0.0.0.0/0'), null], time: [] }],
    ['no days', { ip: [], time: [{ ...hours('00:00', '24:00'), days: null }] }],
    ['an unknown day', { ip: [], time: [{ ...hours('00:00', '24:00'), days: ['MONDAY', 'FUNDAY'] }] }],
    ['an unknown zone', { ip: [], time: [hours('00:00', '24:00', { timeZone: 'Europe/Atlantis' })] }],
    ['a time of another form', { ip: [], time: [hours('0:00', '24:00')] }],
  ])('denies by a stored policy that it does not wholly read: %s', (_, stored) => {
    const decision = evaluateAccessPolicy(stored as AccessPolicy, { clientAddress: '10.0.0.1', at: noon });
    expect(decision).toEqual({ allowed: false, failedConditions: ['access policy unreadable'] });
  });

  it('allows where there is no policy', () => {
    expect(evaluateAccessPolicy(null, { clientAddress: null, at: noon })).toEqual({
      allowed: true,
      failedConditions: [],
    });
  });

  it('allows where no DENY matches and each type with ALLOW conditions has one that does', () => {
    const policy = {
      ip: [deny('192.0.2.0/24'), allow('::/0'), allow('10.0.0.0/8')],
      time: [hours('13:00', '14:00'), hours('08:00', '18:00')],
    };
    expect(decide(policy)).toEqual({ allowed: true, failedConditions: [] });
    expect(decide({ ip: [deny('192.0.2.0/24')] }).allowed).toBe(true);
  });

  it('combines effects as the rule says, for any mix of conditions', () => {
    const mix = fc.array(fc.record({ effect: fc.constantFrom<Effect>('ALLOW', 'DENY'), hit: fc.boolean() }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(mix, mix, (ip, time) => {
        fc.pre(ip.length + time.length > 0);
        const policy: AccessPolicy = {
          ip: ip.map(({ effect, hit }) => ({ effect, cidrs: [hit ? '10.0.0.0/8' : '192.0.2.0/24'] })),
          time: time.map(({ effect, hit }) => hours(hit ? '11:00' : '13:00', '14:00', { effect })),
        };
        const passes = (conditions: typeof ip) =>
          !conditions.some(({ effect, hit }) => effect === 'DENY' && hit) &&
          (conditions.every(({ effect }) => effect === 'DENY') ||
            conditions.some(({ effect, hit }) => effect === 'ALLOW' && hit));
        expect(decide(policy).allowed).toBe(passes(ip) && passes(time));
      }),
    );
  });
});

describe('a time condition', () => {
  it('holds its end out and its start in', () => {
    const condition = hours('08:30', '17:00');
    expect(open(condition, '2026-01-05T08:29:59.999Z')).toBe(false);
    expect(open(condition, '2026-01-05T17:00:00.000Z')).toBe(false);
    expect(open(condition, '2026-01-05T08:30:00.000Z')).toBe(true);
    expect(open(condition, '2026-01-05T16:59:59.999Z')).toBe(true);
  });

  it('that runs overnight belongs to the day on which it starts', () => {
    const friday = hours('22:00', '06:00', { days: ['FRIDAY'], timeZone: 'Europe/Amsterdam' });
    expect(open(friday, '2026-01-09T04:59:00Z')).toBe(false); // Friday 05:59, Thursday's night
    expect(open(friday, '2026-01-09T20:59:59Z')).toBe(false); // Friday 21:59:59
    expect(open(friday, '2026-01-10T05:00:00Z')).toBe(false); // Saturday 06:00
    expect(open(friday, '2026-01-10T21:00:00Z')).toBe(false); // Saturday 22:00
    expect(open(friday, '2026-01-09T21:00:00Z')).toBe(true); // Friday 22:00
    expect(open(friday, '2026-01-10T04:59:59Z')).toBe(true); // Saturday 05:59:59
    const sunday = hours('22:00', '06:00', { days: ['SUNDAY'] });
    expect(open(sunday, '2026-01-04T05:00:00Z')).toBe(false); // Sunday, Saturday's night
    expect(open(sunday, '2026-01-05T05:00:00Z')).toBe(true); // Monday, Sunday's night
  });

  it('that ends at 00:00 ends with the day, as one that ends at 24:00', () => {
    for (const end of ['00:00', '24:00']) {
      const monday = hours('18:00', end, { days: ['MONDAY'] });
      expect(open(monday, '2026-01-06T00:00:00Z')).toBe(false);
      expect(open(monday, '2026-01-05T00:00:00Z')).toBe(false);
      expect(open(monday, '2026-01-05T23:59:59.999Z')).toBe(true);
    }
  });

  it('from 00:00 to 24:00 is its whole day and no more', () => {
    const monday = hours('00:00', '24:00', { days: ['MONDAY'], timeZone: 'Asia/Kathmandu' });
    expect(open(monday, '2026-01-04T18:14:59.999Z')).toBe(false);
    expect(open(monday, '2026-01-05T18:15:00Z')).toBe(false);
    expect(open(monday, '2026-01-04T18:15:00Z')).toBe(true);
    expect(open(monday, '2026-01-05T18:14:59.999Z')).toBe(true);
  });

  it.each([
    ['Europe/Amsterdam', '03:00', '2026-03-29T01:00:00Z'],
    ['America/New_York', '03:00', '2026-03-08T07:00:00Z'],
    ['Australia/Lord_Howe', '02:30', '2026-10-03T15:30:00Z'],
  ])('in %s that starts at %s opens as the clocks go forward, %s', (timeZone, start, change) => {
    const condition = hours(start, '05:00', { timeZone });
    expect(open(condition, new Date(Date.parse(change) - 1).toISOString())).toBe(false);
    expect(open(condition, change)).toBe(true);
  });

  it.each([
    ['Europe/Amsterdam', '02:30', '2026-10-25T01:00:00Z'],
    ['America/New_York', '01:30', '2026-11-01T06:00:00Z'],
    ['Australia/Lord_Howe', '01:45', '2026-04-04T15:00:00Z'],
  ])('in %s that ends at %s opens again as the clocks go back, %s', (timeZone, end, change) => {
    const condition = hours('00:00', end, { timeZone });
    expect(open(condition, new Date(Date.parse(change) - 1).toISOString())).toBe(false);
    expect(open(condition, change)).toBe(true);
  });

  it('on a day that a zone skipped never opened', () => {
    const friday = hours('00:00', '24:00', { days: ['FRIDAY'], timeZone: 'Pacific/Apia' });
    expect(open(friday, '2011-12-30T09:59:59.999Z')).toBe(false); // Thursday 29 December 2011, 23:59:59
    expect(open(friday, '2011-12-30T10:00:00Z')).toBe(false); // Saturday 31 December 2011, 00:00
  });

  it('agrees with Temporal on every window, day and zone, the hours of clock changes above all', () => {
    const zones = [
      'UTC',
      'Europe/Amsterdam',
      'America/New_York',
      'Australia/Lord_Howe',
      'Pacific/Apia',
      'Asia/Kathmandu',
    ];
    const changes = [
      '2026-03-29T01:00Z',
      '2026-10-25T01:00Z',
      '2026-03-08T07:00Z',
      '2026-11-01T06:00Z',
      '2026-04-04T15:00Z',
      '2026-10-03T15:30Z',
    ];
    const hour = 3_600_000;
    const instant = fc.oneof(
      fc.date({ min: new Date('2012-01-02'), max: new Date('2035-01-01'), noInvalidDate: true }),
      fc
        .tuple(fc.constantFrom(...changes), fc.integer({ min: -2 * hour, max: 2 * hour }))
        .map(([change, offset]) => new Date(Date.parse(change) + offset)),
    );
    const clock = fc.nat(1439).map((m) => new Temporal.PlainTime(Math.floor(m / 60), m % 60));
    const days = fc.subarray([...WEEKDAYS]);
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        instant,
        clock,
        clock,
        days,
        (timeZone, date, start, end, on) => {
          fc.pre(!start.equals(end));
          const now = Temporal.Instant.fromEpochMilliseconds(date.getTime())
            .toZonedDateTimeISO(timeZone)
            .toPlainDateTime();
          const isOpen = [now.toPlainDate(), now.toPlainDate().subtract({ days: 1 })].some((day) => {
            const nights = Temporal.PlainTime.compare(start, end) > 0 ? 1 : 0;
            const isOn =
              on.length === 0 || on.some((weekday) => WEEKDAYS.indexOf(weekday) + 1 === day.dayOfWeek);
            const opens = day.toPlainDateTime(start);
            const closes = day.add({ days: nights }).toPlainDateTime(end);
            return (
              isOn &&
              Temporal.PlainDateTime.compare(opens, now) <= 0 &&
              Temporal.PlainDateTime.compare(now, closes) < 0
            );
          });
          const text = (time: Temporal.PlainTime) => time.toString({ smallestUnit: 'minute' });
          expect(open(hours(text(start), text(end), { days: on, timeZone }), date.toISOString())).toBe(
            isOpen,
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
